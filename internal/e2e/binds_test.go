//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/254carbon/gonogo/internal/labtest"
)

const bonds = `
- {id: door, title: t, probe: kubernetes.binds, with: {ingresses: {hosts: [web.example.com]}}, weight: 1, every: watch}
- {id: walls, title: t, probe: kubernetes.binds, with: {policies: {namespaces: [bound]}}, weight: 1, every: watch}
- {id: budget, title: t, probe: kubernetes.binds, with: {budgets: {namespaces: [bound]}}, weight: 1, every: watch}
- {id: quota, title: t, probe: kubernetes.binds, with: {quotas: {namespaces: [bound]}}, weight: 1, every: watch}
- {id: rights, title: t, probe: kubernetes.rbac, with: {admins: ["*/*"], wildcards: ["*"]}, weight: 1, every: watch}
- {id: spread, title: t, probe: kubernetes.spread, with: {workloads: [{kind: Deployment, namespace: bound, name: web}]}, weight: 1, every: watch}
- {id: control, title: t, probe: kubernetes.controlplane, with: {nodes: 0, apiServers: 1, etcd: true}, weight: 1}
- {id: alone, title: t, probe: kubernetes.controlplane, with: {nodes: 3, apiServers: 2}, weight: 1}
- {id: monitors, title: t, probe: kubernetes.binds, with: {monitors: {namespaces: [bound]}}, weight: 1}
`

// bond is something that leads nowhere, what a person reads of it, and what mends it.
type bond struct {
	check string
	says  []string
	mend  func(context.Context) error
}

// TestBonds has real controllers make of objects what they make of them: each leads nowhere, is named, is mended, and is seen to be mended by
// a board that watches.
func TestBonds(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	const ns = "bound"
	deploy(t, lab, ns, "web", "registry.example/web:1", 2)
	list := makeBonds(t, lab, ns)
	s := newStation(t, kubeconfig(t, lab, labtest.Viewer), checks(bonds))
	must(t, labtest.WaitFor(t.Context(), "waiting for the controllers", time.Minute, 500*time.Millisecond, func(ctx context.Context) (bool, error) {
		q, err := lab.Kube().CoreV1().ResourceQuotas(ns).Get(ctx, "quota", metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		used := q.Status.Used[corev1.ResourcePods]
		return used.Value() == 2, nil
	}))
	d, _ := s.check(t)
	for _, b := range list {
		d.want(t, b.check, "fail", b.says...)
	}
	d.want(t, "spread", "pass")
	d.want(t, "control", "pass", "1 API server alive", "etcd is healthy")
	d.want(t, "alone", "fail", "0 control-plane nodes ready, want 3", "1 API server alive, want 2")
	d.want(t, "monitors", "fail", "monitor") // that there is none, or, until another test brings the resource, that the cluster does not serve them

	s.start(t, 120, 36)
	for _, b := range list {
		s.awaitHistory(t, b.check, "fail", 30*time.Second)
	}
	for _, b := range list {
		must(t, b.mend(t.Context()))
		mended := time.Now()
		passed := s.awaitHistory(t, b.check, "pass", 25*time.Second) // well within the interval: a watch has told
		t.Logf("%s passes %s after it was mended: %s", b.check, passed.At.Sub(mended).Round(10*time.Millisecond), passed.Summary)
	}

	d, _ = newStation(t, kubeconfig(t, lab, userNodes), checks(bonds)).check(t)
	d.want(t, "door", "unknown", "ingresses", "a right is missing")
	d.want(t, "rights", "unknown", "roles", "a right is missing")
	d.want(t, "budget", "unknown", "poddisruptionbudgets", "a right is missing")
}

// makeBonds makes what leads nowhere.
func makeBonds(t *testing.T, lab *labtest.Lab, ns string) []bond {
	t.Helper()
	kube, ctx := lab.Kube(), t.Context()
	patch := func(body string) (types.PatchType, []byte, metav1.PatchOptions) {
		return types.MergePatchType, []byte(body), metav1.PatchOptions{}
	}
	web := map[string]string{"app": "web"}
	prefix, one := networkingv1.PathTypePrefix, intstr.FromInt32(1)
	_, err := kube.CoreV1().Services(ns).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "website"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	}, metav1.CreateOptions{})
	must(t, err)
	_, err = kube.NetworkingV1().Ingresses(ns).Create(ctx, &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: "web.example.com", IngressRuleValue: networkingv1.IngressRuleValue{
			HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: &prefix, Backend: networkingv1.IngressBackend{
				Service: &networkingv1.IngressServiceBackend{Name: "web", Port: networkingv1.ServiceBackendPort{Name: "http"}},
			}}}},
		}}}},
	}, metav1.CreateOptions{})
	must(t, err)
	for name, spec := range map[string]networkingv1.NetworkPolicySpec{
		"default-deny": {PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}},
		"from-velero": {PodSelector: metav1.LabelSelector{MatchLabels: web}, Ingress: []networkingv1.NetworkPolicyIngressRule{{
			From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"name": ns}}}},
		}}},
	} {
		_, err = kube.NetworkingV1().NetworkPolicies(ns).Create(ctx, &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}, metav1.CreateOptions{})
		must(t, err)
	}
	_, err = kube.PolicyV1().PodDisruptionBudgets(ns).Create(ctx, &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &one, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "website"}}},
	}, metav1.CreateOptions{})
	must(t, err)
	_, err = kube.CoreV1().ResourceQuotas(ns).Create(ctx, &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "quota"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}},
	}, metav1.CreateOptions{})
	must(t, err)
	_, err = kube.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "quick-fix"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: ns, Name: "default"}},
	}, metav1.CreateOptions{})
	must(t, err)
	return []bond{
		{"door", []string{"web.example.com", "service bound/web selects no pod (app=website; pods carry app=web)"}, func(ctx context.Context) error {
			kind, body, options := patch(`{"spec":{"selector":{"app":"web"}}}`)
			_, err := kube.CoreV1().Services(ns).Patch(ctx, "web", kind, body, options)
			return err
		}},
		{"walls", []string{"policy bound/from-velero relies on label name=bound, which namespace bound lacks"}, func(ctx context.Context) error {
			kind, body, options := patch(`{"metadata":{"labels":{"name":"bound"}}}`)
			_, err := kube.CoreV1().Namespaces().Patch(ctx, ns, kind, body, options)
			return err
		}},
		{"budget", []string{"pdb bound/web selects no pod (app=website; pods carry app=web)"}, func(ctx context.Context) error {
			kind, body, options := patch(`{"spec":{"selector":{"matchLabels":{"app":"web"}}}}`)
			_, err := kube.PolicyV1().PodDisruptionBudgets(ns).Patch(ctx, "web", kind, body, options)
			return err
		}},
		{"quota", []string{"quota bound/quota is exceeded: pods 2 of 1"}, func(ctx context.Context) error {
			kind, body, options := patch(`{"spec":{"hard":{"pods":"10"}}}`)
			_, err := kube.CoreV1().ResourceQuotas(ns).Patch(ctx, "quota", kind, body, options)
			return err
		}},
		{"rights", []string{"clusterrolebinding quick-fix gives cluster-admin to the default service account of bound"}, func(ctx context.Context) error {
			return kube.RbacV1().ClusterRoleBindings().Delete(ctx, "quick-fix", metav1.DeleteOptions{})
		}},
	}
}
