//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestWaiversAreKeptInTheCluster waives gates by several commands at once, with rights on the one ConfigMap alone, and looks from another
// machine; somebody without those rights keeps a waiver for themselves.
func TestWaiversAreKeptInTheCluster(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	ctx := t.Context()
	const space = "judged"
	_, err := lab.Kube().CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: space}}, metav1.CreateOptions{})
	must(t, err)
	_, err = lab.Kube().RbacV1().Roles(space).Create(ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "evidence"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"create"}},
			{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"gonogo-evidence"}, Verbs: []string{"get", "list", "watch", "update"}},
		},
	}, metav1.CreateOptions{})
	must(t, err)
	_, err = lab.Kube().RbacV1().RoleBindings(space).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "evidence"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "evidence"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: userJudge}},
	}, metav1.CreateOptions{})
	must(t, err)

	const gates = 4
	lines := "- {id: some, title: t, probe: kubernetes.nodes, weight: 1, with: {min: 1, workers: 0}}\n"
	for n := range gates {
		lines += fmt.Sprintf("- {id: many-%d, title: t, probe: kubernetes.nodes, weight: 0, gate: true, with: {min: 9%d, workers: 0}}\n", n, n)
	}
	document := "connections: {kubernetes: {context: '', evidence: {namespace: " + space + "}}}\n" + checks(lines)
	here, there, outside := newStation(t, kubeconfig(t, lab, userJudge), document), newStation(t, kubeconfig(t, lab, userJudge), document), newStation(t, kubeconfig(t, lab, userNodes), document)
	if d, code := here.check(t); code != 1 || d.Verdict != "NO-GO" || len(d.Reasons) != gates {
		t.Fatalf("exit %d, %s, %q", code, d.Verdict, d.Reasons)
	}
	var all sync.WaitGroup
	for n := range gates {
		all.Go(func() {
			o := here.run(t, "waive", fmt.Sprintf("many-%d", n), "--owner", "ana", "--reason", "ordered", "--expires", "14d")
			if o.code != 0 || !strings.Contains(o.stdout, "kept in ConfigMap "+space+"/gonogo-evidence") {
				t.Errorf("waiving many-%d: exit %d\n%s%s", n, o.code, o.stdout, o.stderr)
			}
		})
	}
	all.Wait()
	if d, code := there.check(t); code != 0 || d.Verdict != "GO" {
		t.Errorf("from another machine: exit %d, %s, %q", code, d.Verdict, d.Reasons)
	}
	o := outside.run(t, "waive", "many-0", "--owner", "bob", "--reason", "mine", "--expires", "1d")
	if o.code != 0 || !strings.Contains(o.stderr, "kept on this machine only") || !strings.Contains(o.stderr, "a right is missing") {
		t.Errorf("without rights: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if d, code := outside.check(t); code != 1 || len(d.Reasons) != gates-1 {
		t.Errorf("without rights: exit %d, %q", code, d.Reasons)
	}
	if o := there.run(t, "waive", "many-1", "--remove"); o.code != 0 {
		t.Errorf("taking back: exit %d\n%s", o.code, o.stderr)
	}
	if d, code := here.check(t); code != 1 || len(d.Reasons) != 1 || !strings.Contains(d.Reasons[0], "many-1") {
		t.Errorf("after taking one back: exit %d, %q", code, d.Reasons)
	}
}
