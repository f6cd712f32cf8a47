package kubetest

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

func (s *suite) mergePatch() {
	api := s.kube.CoreV1().ConfigMaps(s.ns)
	cm := s.configMap("x", map[string]string{"a": "1", "b": "2"})
	got := must(api.Patch(s.ctx, "x", types.MergePatchType, []byte(`{"data":{"a":null,"c":"3"},"metadata":{"labels":{"l":"1"}}}`), metav1.PatchOptions{}))(s)
	if fmt.Sprint(got.Data) != "map[b:2 c:3]" || got.Labels["l"] != "1" {
		s.Errorf("patched to %v, labels %v", got.Data, got.Labels)
	}
	stale := []byte(`{"metadata":{"resourceVersion":"` + cm.ResourceVersion + `"},"data":{"d":"4"}}`)
	_, err := api.Patch(s.ctx, "x", types.MergePatchType, stale, metav1.PatchOptions{})
	s.refused(err, metav1.StatusReasonConflict, "")
	_, err = api.Patch(s.ctx, "absent", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{})
	s.refused(err, metav1.StatusReasonNotFound, "")
	same := must(api.Patch(s.ctx, "x", types.MergePatchType, []byte(`{"data":{"b":"2"}}`), metav1.PatchOptions{}))(s)
	if same.ResourceVersion != got.ResourceVersion {
		s.Errorf("a patch that changes nothing went from version %s to %s", got.ResourceVersion, same.ResourceVersion)
	}
}

func (s *suite) jsonPatch() {
	api := s.kube.CoreV1().ConfigMaps(s.ns)
	s.configMap("x", map[string]string{"a": "1"})
	got := must(api.Patch(s.ctx, "x", types.JSONPatchType,
		[]byte(`[{"op":"test","path":"/data/a","value":"1"},{"op":"replace","path":"/data/a","value":"2"}]`), metav1.PatchOptions{}))(s)
	if got.Data["a"] != "2" {
		s.Errorf("patched to %v", got.Data)
	}
	for name, patch := range map[string]string{
		"failing test": `[{"op":"test","path":"/data/a","value":"1"}]`,
		"absent path":  `[{"op":"remove","path":"/data/nothing"}]`,
	} {
		_, err := api.Patch(s.ctx, "x", types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
		if err == nil {
			s.Fatalf("%s: no error", name)
		}
		s.code(err, 422)
	}
}

// strategicPatch changes one of two containers by its name, which is what such patches are for.
func (s *suite) strategicPatch() {
	api := s.kube.AppsV1().Deployments(s.ns)
	none, labels := int32(0), map[string]string{"app": "x"}
	must(api.Create(s.ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "x"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &none, Paused: true, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{
					{Name: "one", Image: "registry.invalid/one:1"}, {Name: "two", Image: "registry.invalid/two:1"},
				}},
			},
		},
	}, metav1.CreateOptions{}))(s)
	patch := `{"spec":{"template":{"spec":{"containers":[{"name":"two","image":"registry.invalid/two:2"}]}}}}`
	got := must(api.Patch(s.ctx, "x", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}))(s)
	images := map[string]string{}
	for _, c := range got.Spec.Template.Spec.Containers {
		images[c.Name] = c.Image
	}
	if fmt.Sprint(images) != "map[one:registry.invalid/one:1 two:registry.invalid/two:2]" {
		s.Errorf("containers are %v", images)
	}
	if got.Generation != 2 {
		s.Errorf("generation %d after one change, want 2", got.Generation)
	}
}

func (s *suite) fieldValidation() {
	post := func(mode string) error {
		return s.kube.CoreV1().RESTClient().Post().Namespace(s.ns).Resource("configmaps").Param("fieldValidation", mode).
			SetHeader("Content-Type", "application/json").
			Body([]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"dada":{"a":"b"}}`)).Do(s.ctx).Error()
	}
	s.code(post("Strict"), 400)
	s.ok(post("Warn"))
}

func (s *suite) apply() {
	api := s.kube.CoreV1().ConfigMaps(s.ns)
	one := metav1.ApplyOptions{FieldManager: "one"}
	cm := must(api.Apply(s.ctx, corev1ac.ConfigMap("x", s.ns).WithData(map[string]string{"a": "1", "b": "1"}), one))(s)
	if cm.Data["a"] != "1" || cm.UID == "" || len(cm.ManagedFields) != 1 ||
		cm.ManagedFields[0].Manager != "one" || cm.ManagedFields[0].Operation != metav1.ManagedFieldsOperationApply {
		s.Fatalf("applied anew: %+v", cm)
	}
	again := must(api.Apply(s.ctx, corev1ac.ConfigMap("x", s.ns).WithData(map[string]string{"a": "1", "b": "1"}), one))(s)
	if again.ResourceVersion != cm.ResourceVersion {
		s.Errorf("applying the same again went from version %s to %s", cm.ResourceVersion, again.ResourceVersion)
	}
	two := metav1.ApplyOptions{FieldManager: "two"}
	other := corev1ac.ConfigMap("x", s.ns).WithData(map[string]string{"a": "2"})
	_, err := api.Apply(s.ctx, other, two)
	s.refused(err, metav1.StatusReasonConflict, `Apply failed with 1 conflict: conflict with "one": .data.a`)
	causes := statusOf(err).Details.Causes
	if len(causes) != 1 || causes[0].Type != metav1.CauseTypeFieldManagerConflict || causes[0].Field != ".data.a" {
		s.Errorf("causes of the conflict: %+v", causes)
	}
	two.Force = true
	if got := must(api.Apply(s.ctx, other, two))(s); got.Data["a"] != "2" || len(got.ManagedFields) != 2 {
		s.Errorf("applied by force: %+v", got)
	}
	// What a manager no longer applies, and nobody else does, goes; what another one applies stays.
	got := must(api.Apply(s.ctx, corev1ac.ConfigMap("x", s.ns).WithData(map[string]string{"c": "1"}), one))(s)
	if fmt.Sprint(got.Data) != "map[a:2 c:1]" {
		s.Errorf("after another configuration the data are %v", got.Data)
	}
	_, err = api.Apply(s.ctx, corev1ac.ConfigMap("x", s.ns).WithResourceVersion(cm.ResourceVersion).WithData(map[string]string{"c": "2"}), one)
	s.refused(err, metav1.StatusReasonConflict, "")
	_, err = api.Patch(s.ctx, "x", types.ApplyPatchType, []byte("apiVersion: v1\nkind: ConfigMap\n"), metav1.PatchOptions{})
	s.code(err, 422)
	_, err = api.Patch(s.ctx, "x", types.ApplyPatchType, []byte("{"), metav1.PatchOptions{FieldManager: "one"})
	s.code(err, 400)
}

// applyAgainstUpdate wants the fields of an ordinary writer to be owned too.
func (s *suite) applyAgainstUpdate() {
	api := s.kube.CoreV1().ConfigMaps(s.ns)
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Data: map[string]string{"a": "1"}}
	created := must(api.Create(s.ctx, cm, metav1.CreateOptions{FieldManager: "writer"}))(s)
	if len(created.ManagedFields) != 1 || created.ManagedFields[0].Operation != metav1.ManagedFieldsOperationUpdate || created.ManagedFields[0].Time == nil {
		s.Errorf("managedFields after create: %+v", created.ManagedFields)
	}
	applied := corev1ac.ConfigMap("x", s.ns).WithData(map[string]string{"a": "2"})
	_, err := api.Apply(s.ctx, applied, metav1.ApplyOptions{FieldManager: "applier"})
	s.refused(err, metav1.StatusReasonConflict, "")
	s.Log(err)
	got := must(api.Apply(s.ctx, applied, metav1.ApplyOptions{FieldManager: "applier", Force: true}))(s)
	if got.Data["a"] != "2" {
		s.Errorf("applied by force: %v", got.Data)
	}
	got.Data["a"] = "3"
	must(api.Update(s.ctx, got, metav1.UpdateOptions{FieldManager: "writer"}))(s)
	_, err = api.Apply(s.ctx, applied, metav1.ApplyOptions{FieldManager: "applier"})
	s.refused(err, metav1.StatusReasonConflict, "")
}

func (s *suite) dryRun() {
	api, all := s.kube.CoreV1().ConfigMaps(s.ns), []string{metav1.DryRunAll}
	ghost := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "ghost"}}
	if got := must(api.Create(s.ctx, ghost, metav1.CreateOptions{DryRun: all}))(s); got.UID == "" {
		s.Errorf("a dry create answers with %+v", got)
	}
	_, err := api.Get(s.ctx, "ghost", metav1.GetOptions{})
	s.refused(err, metav1.StatusReasonNotFound, "")
	must(api.Apply(s.ctx, corev1ac.ConfigMap("ghost", s.ns), metav1.ApplyOptions{FieldManager: "one", DryRun: all}))(s)
	_, err = api.Get(s.ctx, "ghost", metav1.GetOptions{})
	s.refused(err, metav1.StatusReasonNotFound, "")

	cm := s.configMap("x", map[string]string{"a": "1"})
	edit := cm.DeepCopy()
	edit.Data["a"] = "2"
	if got := must(api.Update(s.ctx, edit, metav1.UpdateOptions{DryRun: all}))(s); got.Data["a"] != "2" {
		s.Errorf("a dry update answers with %v", got.Data)
	}
	if got := must(api.Patch(s.ctx, "x", types.MergePatchType, []byte(`{"data":{"a":"3"}}`), metav1.PatchOptions{DryRun: all}))(s); got.Data["a"] != "3" {
		s.Errorf("a dry patch answers with %v", got.Data)
	}
	s.ok(api.Delete(s.ctx, "x", metav1.DeleteOptions{DryRun: all}))
	if got := must(api.Get(s.ctx, "x", metav1.GetOptions{}))(s); got.ResourceVersion != cm.ResourceVersion || got.DeletionTimestamp != nil {
		s.Errorf("dry runs left %+v", got)
	}
	_, err = api.Create(s.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{DryRun: all})
	s.refused(err, metav1.StatusReasonAlreadyExists, "")
	_, err = api.Create(s.ctx, ghost, metav1.CreateOptions{DryRun: []string{"Some"}})
	s.code(err, 422)
}

func (s *suite) status() {
	api := s.kube.CoreV1().Pods(s.ns)
	pod := s.pod("x", nil)
	if pod.Status.Phase != corev1.PodPending {
		s.Errorf("a new pod is %q, want Pending", pod.Status.Phase)
	}
	edit := pod.DeepCopy()
	edit.Status.Message, edit.Spec.Containers[0].Image = "told", "registry.invalid/other:1"
	after := must(api.UpdateStatus(s.ctx, edit, metav1.UpdateOptions{}))(s)
	if after.Status.Message != "told" || after.Spec.Containers[0].Image != pod.Spec.Containers[0].Image {
		s.Errorf("a write to /status: message %q, image %q", after.Status.Message, after.Spec.Containers[0].Image)
	}
	edit = after.DeepCopy()
	edit.Status.Message, edit.Spec.Containers[0].Image = "lost", "registry.invalid/other:1"
	after = must(api.Update(s.ctx, edit, metav1.UpdateOptions{}))(s)
	if after.Status.Message != "told" || after.Spec.Containers[0].Image != "registry.invalid/other:1" {
		s.Errorf("a write to the object: message %q, image %q", after.Status.Message, after.Spec.Containers[0].Image)
	}
	patched := must(api.Patch(s.ctx, "x", types.MergePatchType, []byte(`{"status":{"reason":"Because"}}`), metav1.PatchOptions{}, "status"))(s)
	if patched.Status.Reason != "Because" || patched.Generation != after.Generation {
		s.Errorf("a patch of /status: reason %q, generation %d after %d", patched.Status.Reason, patched.Generation, after.Generation)
	}
}
