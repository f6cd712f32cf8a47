//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/mirror"
	"github.com/254carbon/gonogo/internal/platform/cluster"
)

// noCopier copies nothing.
type noCopier struct{ mirror.Copier }

func (noCopier) Close() error { return nil }

// quiet keeps what a step says.
type quiet struct {
	mu   sync.Mutex
	said strings.Builder
}

func (q *quiet) Log(line string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.said.WriteString(line + "\n")
}
func (q *quiet) Progress(_, _ actions.Amount)    {}
func (q *quiet) Waiting(why string, _ time.Time) { q.Log(why) }

// TestWorkloadsArePointedToTheMirror has a real API server apply what the mirror changes of workloads, and a rollout that never becomes ready
// be taken back.
func TestWorkloadsArePointedToTheMirror(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	ctx := t.Context()
	const ns, from, to = "mirrored", "docker.io/library/redis:7", "registry.example/platform/redis:7"
	deploy(t, lab, ns, "fine", from, 2)
	deploy(t, lab, ns, "stuck", from, 1)
	config, info, err := cluster.LoadConfig(kubeconfig(t, lab, userMirror), "")
	must(t, err)
	c, err := cluster.Open(cluster.Options{RESTConfig: config, Info: info})
	must(t, err)
	t.Cleanup(c.Close)
	params := *mirror.Info().Params().(*mirror.Params)
	params.Project, params.Credential, params.Rollout = "platform", "default/robot", 30*time.Second
	a := mirror.New(actions.Spec{ID: "mirror"}, params, mirror.Deps{
		Cluster: c.Writer(), Host: "registry.example", Now: time.Now, Hide: func(string) {},
		Copier: func(string, string, func(context.Context) (string, string, error)) (mirror.Copier, error) {
			return noCopier{}, nil
		},
	})
	d, err := a.Open(ctx, actions.Plan{Data: json.RawMessage(`{}`)}, t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	step := func(name string) actions.Step {
		data, err := json.Marshal(mirror.Rewrite{Kind: "Deployment", Namespace: ns, Name: name, Changes: []mirror.Change{{Container: "main", From: from, To: to}}})
		must(t, err)
		return actions.Step{ID: "rewrite Deployment " + ns + "/" + name, Title: name, Data: data}
	}

	before, err := lab.Kube().AppsV1().Deployments(ns).Get(ctx, "fine", metav1.GetOptions{})
	must(t, err)
	for range 2 { // again as after a crash
		must(t, d.Do(ctx, step("fine"), &quiet{}))
	}
	after, err := lab.Kube().AppsV1().Deployments(ns).Get(ctx, "fine", metav1.GetOptions{})
	must(t, err)
	if done, err := d.Done(ctx, step("fine")); err != nil || !done {
		t.Errorf("it is not done: %v", err)
	}
	changed := before.Spec.DeepCopy()
	changed.Template.Spec.Containers[0].Image = to
	changed.Template.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "harbor-credentials"}}
	if want, got := asJSON(t, changed), asJSON(t, after.Spec); want != got {
		t.Errorf("more has changed:\n%s\n%s", want, got)
	}
	if after.Generation != before.Generation+1 {
		t.Errorf("it was changed %d times", after.Generation-before.Generation)
	}
	fields := ""
	for _, f := range after.ManagedFields {
		if f.Manager == "gonogo" && f.Operation == metav1.ManagedFieldsOperationApply {
			fields = string(f.FieldsV1.GetRawBytes())
		}
	}
	if want := `{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"main\"}":{".":{},"f:image":{},"f:name":{}}},"f:imagePullSecrets":{"k:{\"name\":\"harbor-credentials\"}":{}}}}}}`; fields != want {
		t.Errorf("gonogo owns %s", fields)
	}

	// A quota that has room for no pod beside those that run keeps the new one from being made.
	_, err = lab.Kube().CoreV1().ResourceQuotas(ns).Create(ctx, &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "full"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("3")}},
	}, metav1.CreateOptions{})
	must(t, err)
	var out quiet
	err = d.Do(ctx, step("stuck"), &out)
	if err == nil || !strings.Contains(err.Error(), "did not become ready within 30s") || !strings.Contains(err.Error(), "taken back, and it is ready with them") {
		t.Errorf("%v\n%s", err, out.said.String())
	}
	stuck, err := lab.Kube().AppsV1().Deployments(ns).Get(ctx, "stuck", metav1.GetOptions{})
	must(t, err)
	if image := stuck.Spec.Template.Spec.Containers[0].Image; image != from || len(stuck.Spec.Template.Spec.ImagePullSecrets) > 0 || stuck.Status.AvailableReplicas != 1 {
		t.Errorf("it runs %s with %v, %d available", image, stuck.Spec.Template.Spec.ImagePullSecrets, stuck.Status.AvailableReplicas)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	must(t, err)
	return string(text)
}
