//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/254carbon/gonogo/internal/labtest"
)

// TestBackupSchedulesAreMended has a real Velero take up a schedule that was gone and one that was paused, for whoever may change them.
func TestBackupSchedulesAreMended(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	in := lab.Dynamic().Resource(labtest.VeleroResource("schedules")).Namespace(labtest.VeleroNamespace)
	veleroCreate(t, lab, labtest.VeleroNamespace, "schedules", "Schedule", "mend-paused", nil, map[string]any{
		"schedule": daily, "paused": true, "skipImmediately": true,
		"template": map[string]any{"includedNamespaces": []any{"mended"}, "storageLocation": labtest.VeleroLocation, "excludedResources": []any{"events"}},
	})
	profile := checks(`
- {id: nodes, title: Nodes, probe: kubernetes.nodes, with: {min: 1, workers: 0}, weight: 1}
`) + fmt.Sprintf(`actions:
  backup-schedule:
    title: Mend backup schedules
    estimate: 1m
    with:
      patience: 30s
      schedules:
      - {name: mend-paused, cron: %q, namespaces: [mended], ttl: 24h}
      - {name: mend-gone, cron: %q, namespaces: [mended], labels: {app: kept}, location: %s}
`, daily, daily, labtest.VeleroLocation)
	s := newStation(t, kubeconfig(t, lab, userMirror), profile)

	narrow := newStation(t, kubeconfig(t, lab, userSchedules), profile)
	o := narrow.run(t, "run", "backup-schedule", "--yes")
	if o.code != 3 || !strings.Contains(o.stdout+o.stderr, "the right to patch schedules.velero.io in velero") {
		t.Errorf("without the right: exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	if _, err := in.Get(t.Context(), "mend-gone", metav1.GetOptions{}); err == nil {
		t.Error("it was created without the right")
	}

	o = s.run(t, "run", "backup-schedule", "--plan")
	if o.code != 0 || !strings.Contains(o.stdout, "paused: true → false") || !strings.Contains(o.stdout, "kept for: nothing → 24h0m0s") {
		t.Errorf("exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	if o = s.run(t, "run", "backup-schedule", "--yes"); o.code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	for name, kept := range map[string]string{"mend-paused": `"excludedResources":["events"]`, "mend-gone": `"app":"kept"`} {
		got, err := in.Get(t.Context(), name, metav1.GetOptions{})
		must(t, err)
		if paused, _, _ := unstructured.NestedBool(got.Object, "spec", "paused"); paused || labtest.Phase(got) != "Enabled" || !strings.Contains(asJSON(t, got.Object), kept) {
			t.Errorf("%s: %s", name, asJSON(t, got.Object))
		}
		for _, m := range got.GetManagedFields() {
			if m.Manager != "gonogo" {
				continue
			}
			var fields map[string]any
			must(t, json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields))
			if _, more := fields["f:metadata"]; more {
				t.Errorf("%s: more than the declared fields was taken over: %s", name, m.FieldsV1.GetRawBytes())
			}
		}
	}
	if o = s.run(t, "run", "backup-schedule", "--plan"); o.code != 0 || !strings.Contains(o.stdout, "nothing to do") {
		t.Errorf("a second plan: exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
}

// readSchedules are the rights of somebody who may look at schedules and storage locations, and change nothing.
func readSchedules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"nodes", "namespaces"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{"velero.io"}, Resources: []string{"schedules", "backupstoragelocations"}, Verbs: []string{"get", "list", "watch"}},
	}
}
