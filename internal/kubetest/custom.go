package kubetest

import (
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

func (s *suite) custom(name string, paused bool) *unstructured.Unstructured {
	cr := s.opts.CustomResource
	spec := map[string]any{}
	maps.Copy(spec, cr.Spec)
	spec["paused"] = paused
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": cr.GVR.GroupVersion().String(), "kind": cr.Kind,
		"metadata": map[string]any{"name": name, "namespace": s.ns}, "spec": spec,
	}}
}

func (s *suite) paused(u *unstructured.Unstructured) bool {
	s.Helper()
	v, _, err := unstructured.NestedBool(u.Object, "spec", "paused")
	s.ok(err)
	return v
}

func (s *suite) customResource() {
	if s.opts.CustomResource == nil {
		s.Skip("no custom resource is defined here")
	}
	api := s.dyn.Resource(s.opts.CustomResource.GVR).Namespace(s.ns)
	x := must(api.Create(s.ctx, s.custom("x", false), metav1.CreateOptions{}))(s)
	if x.GetUID() == "" || x.GetGeneration() != 1 || x.GetKind() != s.opts.CustomResource.Kind {
		s.Errorf("created %v", x.Object)
	}
	w := must(api.Watch(s.ctx, metav1.ListOptions{ResourceVersion: x.GetResourceVersion()}))(s)
	defer w.Stop()
	_, err := api.Update(s.ctx, s.custom("x", true), metav1.UpdateOptions{})
	s.refused(err, metav1.StatusReasonInvalid, "")
	_, err = api.Patch(s.ctx, "x", types.StrategicMergePatchType, []byte(`{"spec":{"paused":true}}`), metav1.PatchOptions{})
	s.code(err, 415)
	got := must(api.Patch(s.ctx, "x", types.MergePatchType, []byte(`{"spec":{"paused":true}}`), metav1.PatchOptions{FieldManager: "patcher"}))(s)
	if !s.paused(got) || got.GetGeneration() != 2 {
		s.Errorf("patched to generation %d, paused %v", got.GetGeneration(), s.paused(got))
	}
	if e := s.next(w); e.Type != "MODIFIED" || e.Object.(*unstructured.Unstructured).GetName() != "x" {
		s.Errorf("event %s %v", e.Type, e.Object)
	}
	applied := s.custom("x", false)
	_, err = api.Apply(s.ctx, "x", applied, metav1.ApplyOptions{FieldManager: "applier"})
	s.refused(err, metav1.StatusReasonConflict, "")
	got = must(api.Apply(s.ctx, "x", applied, metav1.ApplyOptions{FieldManager: "applier", Force: true}))(s)
	if s.paused(got) {
		s.Error("applied by force, still paused")
	}
	list := must(api.List(s.ctx, metav1.ListOptions{}))(s)
	if len(list.Items) != 1 || list.Items[0].GetKind() != s.opts.CustomResource.Kind || list.GetResourceVersion() == "" {
		s.Errorf("listed %v", list.Object)
	}
	s.ok(api.Delete(s.ctx, "x", metav1.DeleteOptions{}))
	_, err = api.Get(s.ctx, "x", metav1.GetOptions{})
	s.refused(err, metav1.StatusReasonNotFound, "")
}
