package kubetest

import (
	"errors"
	"fmt"
	"slices"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func statusOf(err error) metav1.Status {
	var st apierrors.APIStatus
	if errors.As(err, &st) {
		return st.Status()
	}
	return metav1.Status{}
}

func (s *suite) selectors() {
	s.pod("a", map[string]string{"app": "web", "tier": "front"})
	s.pod("b", map[string]string{"app": "web"})
	s.pod("c", map[string]string{"app": "db"})
	api := s.kube.CoreV1().Pods(s.ns)
	for _, tc := range []struct{ label, field, want string }{
		{"", "", "[a b c]"},
		{"app=web", "", "[a b]"},
		{"app!=web", "", "[c]"},
		{"app in (web,db),!tier", "", "[b c]"},
		{"tier", "", "[a]"},
		{"", "metadata.name=b", "[b]"},
		{"", "metadata.name!=b", "[a c]"},
		{"", "metadata.namespace=" + s.ns, "[a b c]"},
		{"", "spec.nodeName=", "[a b c]"},
		{"", "spec.nodeName=absent", "[]"},
		{"app=web", "status.phase=Pending", "[a b]"},
		{"", "status.phase!=Pending", "[]"},
	} {
		list := must(api.List(s.ctx, metav1.ListOptions{LabelSelector: tc.label, FieldSelector: tc.field}))(s)
		names := []string{}
		for _, p := range list.Items {
			names = append(names, p.Name)
		}
		if fmt.Sprint(names) != tc.want {
			s.Errorf("labels %q, fields %q: %v, want %s", tc.label, tc.field, names, tc.want)
		}
	}
	everywhere := must(s.kube.CoreV1().Pods("").List(s.ctx, metav1.ListOptions{FieldSelector: "metadata.namespace=" + s.ns}))(s)
	if len(everywhere.Items) != 3 {
		s.Errorf("across namespaces: %d pods, want 3", len(everywhere.Items))
	}
}

func (s *suite) lease(name string, labels map[string]string) *coordinationv1.Lease {
	s.Helper()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	return must(s.kube.CoordinationV1().Leases(s.ns).Create(s.ctx, lease, metav1.CreateOptions{}))(s)
}

// paging wants the pages of one list to agree with each other, whatever is written between them.
func (s *suite) paging() {
	api := s.kube.CoordinationV1().Leases(s.ns)
	for i := range 7 {
		s.lease(fmt.Sprint("l", i), nil)
	}
	first := must(api.List(s.ctx, metav1.ListOptions{Limit: 3}))(s)
	if len(first.Items) != 3 || first.Continue == "" || first.RemainingItemCount == nil || *first.RemainingItemCount != 4 {
		s.Fatalf("first page: %d items, %+v", len(first.Items), first.ListMeta)
	}
	s.ok(api.Delete(s.ctx, "l5", metav1.DeleteOptions{}))
	s.lease("l55", nil)
	names, cont := []string{}, first.Continue
	for cont != "" {
		page := must(api.List(s.ctx, metav1.ListOptions{Limit: 3, Continue: cont}))(s)
		if page.ResourceVersion != first.ResourceVersion {
			s.Errorf("page at version %s of a list at %s", page.ResourceVersion, first.ResourceVersion)
		}
		for _, l := range page.Items {
			names = append(names, l.Name)
		}
		cont = page.Continue
	}
	if fmt.Sprint(names) != "[l3 l4 l5 l6]" {
		s.Errorf("the other pages have %v, want [l3 l4 l5 l6]", names)
	}
	exact := must(api.List(s.ctx, metav1.ListOptions{ResourceVersion: first.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact}))(s)
	if len(exact.Items) != 7 || slices.ContainsFunc(exact.Items, func(l coordinationv1.Lease) bool { return l.Name == "l55" }) {
		s.Errorf("at exactly version %s: %d items", first.ResourceVersion, len(exact.Items))
	}
	filtered := must(api.List(s.ctx, metav1.ListOptions{Limit: 2, LabelSelector: "!nothing"}))(s)
	if len(filtered.Items) != 2 || filtered.Continue == "" || filtered.RemainingItemCount != nil {
		s.Errorf("a page with a selector: %d items, %+v", len(filtered.Items), filtered.ListMeta)
	}
}

func (s *suite) deleteCollection() {
	api := s.kube.CoordinationV1().Leases(s.ns)
	s.lease("a", map[string]string{"go": "yes"})
	s.lease("b", map[string]string{"go": "yes"})
	s.lease("c", nil)
	s.ok(api.DeleteCollection(s.ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "go=yes"}))
	if list := must(api.List(s.ctx, metav1.ListOptions{}))(s); len(list.Items) != 1 || list.Items[0].Name != "c" {
		s.Errorf("left: %+v", list.Items)
	}
}

func (s *suite) finalizers() {
	api := s.kube.CoreV1().ConfigMaps(s.ns)
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x", Finalizers: []string{"example.com/hold"}}}
	cm = must(api.Create(s.ctx, cm, metav1.CreateOptions{}))(s)
	w := must(api.Watch(s.ctx, metav1.ListOptions{FieldSelector: "metadata.name=x", ResourceVersion: cm.ResourceVersion}))(s)
	defer w.Stop()
	s.ok(api.Delete(s.ctx, "x", metav1.DeleteOptions{}))
	held := must(api.Get(s.ctx, "x", metav1.GetOptions{}))(s)
	if held.DeletionTimestamp == nil || len(held.Finalizers) != 1 {
		s.Fatalf("held by a finalizer: %+v", held.ObjectMeta)
	}
	s.ok(api.Delete(s.ctx, "x", metav1.DeleteOptions{})) // again changes nothing
	must(api.Patch(s.ctx, "x", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}))(s)
	_, err := api.Get(s.ctx, "x", metav1.GetOptions{})
	s.refused(err, metav1.StatusReasonNotFound, "")
	if e := s.next(w); e.Type != "MODIFIED" {
		s.Errorf("the delete was told as %s, want MODIFIED", e.Type)
	}
	if e := s.next(w); e.Type != "DELETED" {
		s.Errorf("the end was told as %s, want DELETED", e.Type)
	}
}

func (s *suite) preconditions() {
	api := s.kube.CoreV1().ConfigMaps(s.ns)
	cm := s.configMap("x", nil)
	wrong, version := types.UID("another"), "1"
	for _, p := range []*metav1.Preconditions{{UID: &wrong}, {ResourceVersion: &version}} {
		s.refused(api.Delete(s.ctx, "x", metav1.DeleteOptions{Preconditions: p}), metav1.StatusReasonConflict, "")
	}
	s.ok(api.Delete(s.ctx, "x", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &cm.UID, ResourceVersion: &cm.ResourceVersion}}))
	s.refused(api.Delete(s.ctx, "x", metav1.DeleteOptions{}), metav1.StatusReasonNotFound, `configmaps "x" not found`)
}

func (s *suite) namespaceDeletion() {
	api := s.kube.CoreV1().Namespaces()
	held := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x", Finalizers: []string{"example.com/hold"}}}
	must(s.kube.CoreV1().ConfigMaps(s.ns).Create(s.ctx, held, metav1.CreateOptions{}))(s)
	s.ok(api.Delete(s.ctx, s.ns, metav1.DeleteOptions{}))
	ns := must(api.Get(s.ctx, s.ns, metav1.GetOptions{}))(s)
	if ns.DeletionTimestamp == nil || ns.Status.Phase != corev1.NamespaceTerminating {
		s.Errorf("a namespace being deleted: %+v", ns)
	}
	_, err := s.kube.CoreV1().ConfigMaps(s.ns).Create(s.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "late"}}, metav1.CreateOptions{})
	s.refused(err, metav1.StatusReasonForbidden, fmt.Sprintf(`configmaps "late" is forbidden: unable to create new content in namespace %s because it is being terminated`, s.ns))
	must(s.kube.CoreV1().ConfigMaps(s.ns).Patch(s.ctx, "x", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}))(s)
	if !s.opts.NamespaceController {
		return
	}
	s.eventually("the namespace is gone", func() bool {
		_, err := api.Get(s.ctx, s.ns, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}
