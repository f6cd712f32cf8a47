//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestManifestsAreApplied applies manifests on a real API server, which tries them first, and takes over the fields that they name alone.
func TestManifestsAreApplied(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	ctx := t.Context()
	const space = "applied"
	must(t, lab.Namespace(ctx, space))
	checkout := t.TempDir()
	write := func(name, text string) { must(t, os.WriteFile(filepath.Join(checkout, name), []byte(text), 0o600)) }
	write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: applied}\ndata: {a: '1', b: '2'}\n---\n"+
		"apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: guard, namespace: applied}\nspec: {minAvailable: 1, selector: {matchLabels: {app: x}}}\n")
	write("bad.yaml", "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h, namespace: applied}\n"+
		"spec: {maxReplicas: 0, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: x}}\n")
	document := checks("- {id: nodes, title: Nodes, probe: kubernetes.nodes, with: {min: 1, workers: 0}, weight: 1}\n") +
		fmt.Sprintf("connections: {checkout: {path: %q}}\nactions: {apply: {title: Apply, estimate: 1m, with: {files: [a.yaml]}}}\n", checkout)
	s, narrow := newStation(t, kubeconfig(t, lab, userMirror), document), newStation(t, kubeconfig(t, lab, userSchedules), document)

	if o := narrow.run(t, "run", "apply", "--yes"); o.code == 0 || !strings.Contains(o.stdout+o.stderr, "configmaps") {
		t.Errorf("without rights: exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	maps := lab.Kube().CoreV1().ConfigMaps(space)
	if _, err := maps.Get(ctx, "settings", metav1.GetOptions{}); err == nil {
		t.Error("it was created without the right")
	}
	if o := s.run(t, "run", "apply", "--yes", "--set", "files=bad.yaml"); o.code != 3 || !strings.Contains(o.stdout+o.stderr, "the API server says of a dry run") || !strings.Contains(o.stdout+o.stderr, "spec.maxReplicas") {
		t.Errorf("of what is invalid: exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	if _, err := maps.Get(ctx, "settings", metav1.GetOptions{}); err == nil {
		t.Error("a plan has created it")
	}
	write("secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: applied}\nstringData: {password: 12345678}\n")
	if o := s.run(t, "run", "apply", "--plan", "--set", "files=secret.yaml"); strings.Contains(o.stdout+o.stderr, "12345678") || !strings.Contains(o.stdout+o.stderr, "they may quote it") {
		t.Errorf("of a secret that is no text: exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	if o := s.run(t, "run", "apply", "--yes"); o.code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	if o := s.run(t, "run", "apply", "--plan"); !strings.Contains(o.stdout, "nothing to do") {
		t.Errorf("a second plan: %s", o.stdout)
	}
	write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: applied}\ndata: {a: '3'}\n")
	o := s.run(t, "run", "apply", "--plan")
	if !strings.Contains(o.stdout, "data.a: 1 → 3") || !strings.Contains(o.stdout, "data.b: 2 → (gone)") {
		t.Errorf("a changed manifest: %s", o.stdout)
	}
	if o := s.run(t, "run", "apply", "--yes"); o.code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	got, err := maps.Get(ctx, "settings", metav1.GetOptions{})
	must(t, err)
	if len(got.Data) != 1 || got.Data["a"] != "3" {
		t.Errorf("%v", got.Data)
	}
	for _, m := range got.ManagedFields {
		var fields map[string]any
		must(t, json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields))
		if len(fields) != 1 || m.Manager != "gonogo" || m.Operation != metav1.ManagedFieldsOperationApply {
			t.Errorf("%s %s: %s", m.Manager, m.Operation, m.FieldsV1.GetRawBytes())
		}
	}
}
