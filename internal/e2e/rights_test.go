//go:build e2e

package e2e

import (
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestRightsEndAtNamespaces has an account that may read some namespaces only.
func TestRightsEndAtNamespaces(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	ctx := t.Context()
	deploy(t, lab, "team-a", "api", "registry.example/api:1", 1)
	deploy(t, lab, "team-b", "api", "registry.example/api:1", 1)
	_, err := lab.Kube().RbacV1().Roles("team-a").Create(ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "read"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"", "apps"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch"}}},
	}, metav1.CreateOptions{})
	must(t, err)
	_, err = lab.Kube().RbacV1().RoleBindings("team-a").Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "read"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "read"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: userNarrow}},
	}, metav1.CreateOptions{})
	must(t, err)
	s := newStation(t, kubeconfig(t, lab, userNarrow), checks(`
- {id: mine, title: t, probe: kubernetes.workloads, weight: 1, with: {workloads: [{kind: Deployment, namespace: team-a, name: api, image: registry.example/api}]}}
- {id: theirs, title: t, probe: kubernetes.workloads, weight: 1, with: {workloads: [{kind: Deployment, namespace: team-b, name: api, image: registry.example/api}]}}
- {id: all, title: t, probe: kubernetes, weight: 1, with: {resource: apps/v1/deployments, each: "object.spec.replicas == 1"}}
- {id: nodes, title: t, probe: kubernetes.nodes, weight: 1, with: {min: 1, workers: 0}}
`))
	d, code := s.check(t)
	d.want(t, "mine", "pass")
	d.want(t, "theirs", "unknown", "a right is missing", `in the namespace "team-b"`)
	d.want(t, "all", "unknown", "only the namespaces team-a, not team-b", "a right is missing")
	d.want(t, "nodes", "unknown", `cannot list resource "nodes"`)
	if code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
}

// TestRightsWithoutWatch has an account that may list and not watch.
func TestRightsWithoutWatch(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	s := newStation(t, kubeconfig(t, lab, userWatchless), checks(`
- {id: nodes, title: t, probe: kubernetes.nodes, weight: 1, with: {min: 2, workers: 1}}
- {id: all, title: t, probe: kubernetes, weight: 1, with: {resource: v1/namespaces, expr: "objects.exists(o, o.metadata.name == 'default')"}}
`))
	d, code := s.check(t)
	d.want(t, "all", "pass", "instead of watched", `cannot watch resource "namespaces"`)
	d.want(t, "nodes", "pass")
	if code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if said := d.of(t, "all").said(); strings.Contains(said, "only the namespaces") {
		t.Errorf("nothing was left out: %s", said)
	}
}
