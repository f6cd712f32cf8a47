package world_test

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/sim/kubeapi"
	"github.com/254carbon/gonogo/internal/sim/world"
)

type object = map[string]any

var (
	services    = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	podsGVR     = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	quotas      = schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	replicaSets = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}
	endpoints   = schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
	budgets     = schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}
	backups     = schema.GroupVersionResource{Group: "velero.io", Version: "v1", Resource: "backups"}
)

// at follows a path of fields and, where the word is a number, of list items.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(object)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func listed(t *testing.T, s *kubeapi.Store, r schema.GroupVersionResource, selector string) []object {
	t.Helper()
	match, err := labels.Parse(selector)
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.List(r, "", match)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func tick(t *testing.T, s *kubeapi.Store, now time.Time) {
	t.Helper()
	if err := world.Tick(s, now); err != nil {
		t.Fatal(err)
	}
}

// readyAddresses counts the ready endpoints of a Service.
func readyAddresses(t *testing.T, s *kubeapi.Store, service string) int {
	t.Helper()
	n := 0
	for _, slice := range listed(t, s, endpoints, "kubernetes.io/service-name="+service) {
		list, _ := slice["endpoints"].([]any)
		for _, e := range list {
			if at(e, "conditions", "ready") == true {
				n++
			}
		}
	}
	return n
}

// TestConsequences holds that what is derived follows what it is derived from.
func TestConsequences(t *testing.T) {
	s := seed(t, world.Ready, noon)
	budget := func() string {
		b, err := s.Get(budgets, "data-platform", "portal-pdb")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(at(b, "status", "currentHealthy"), at(b, "status", "disruptionsAllowed"))
	}
	if got := readyAddresses(t, s, "portal"); got != 2 || budget() != "2 1" {
		t.Errorf("the portal has %d ready endpoints and a budget of %s, want 2 and 2 1", got, budget())
	}
	q, err := s.Get(quotas, "data-platform", "data-platform-quota")
	if err != nil || at(q, "status", "used", "pods") != fmt.Sprint(len(podsIn(t, s, "data-platform"))) {
		t.Errorf("the quota counts %v pods (%v), want %d", at(q, "status", "used"), err, len(podsIn(t, s, "data-platform")))
	}

	victim := listed(t, s, podsGVR, "app=portal")[0]
	_, err = s.Mutate(podsGVR, "data-platform", at(victim, "metadata", "name").(string), func(p object) {
		p["status"].(object)["conditions"] = []any{object{"type": "Ready", "status": "False"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	tick(t, s, noon)
	if got := readyAddresses(t, s, "portal"); got != 1 || budget() != "1 0" {
		t.Errorf("with a pod less the portal has %d ready endpoints and a budget of %s, want 1 and 1 0", got, budget())
	}

	_, err = s.Mutate(deployments, "data-platform", "portal", func(d object) {
		at(d, "spec", "template", "spec", "containers", 0).(object)["image"] = "254carbon-portal:1.5.0"
	})
	if err != nil {
		t.Fatal(err)
	}
	tick(t, s, noon)
	if got := readyAddresses(t, s, "portal"); got != 2 || len(listed(t, s, replicaSets, "app=portal")) != 1 {
		t.Errorf("after a rollout: %d ready endpoints and %d replica sets, want 2 and 1", got, len(listed(t, s, replicaSets, "app=portal")))
	}
	for _, p := range listed(t, s, podsGVR, "app=portal") {
		if image := at(p, "spec", "containers", 0, "image"); image != "254carbon-portal:1.5.0" {
			t.Errorf("after a rollout a pod runs %v", image)
		}
	}

	for r, name := range map[schema.GroupVersionResource]string{deployments: "portal", services: "portal"} {
		if err := s.Delete(r, "data-platform", name); err != nil {
			t.Fatal(err)
		}
	}
	tick(t, s, noon)
	if left := len(listed(t, s, podsGVR, "app=portal")) + len(listed(t, s, replicaSets, "app=portal")) + len(listed(t, s, endpoints, "kubernetes.io/service-name=portal")); left != 0 {
		t.Errorf("%d objects are left of a portal that was deleted", left)
	}
}

func podsIn(t *testing.T, s *kubeapi.Store, namespace string) []object {
	t.Helper()
	all, err := s.List(podsGVR, namespace, nil)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestPrimary holds that in the ready scenario, and only there, the write Service of the database leads to one pod.
func TestPrimary(t *testing.T) {
	for scenario, want := range map[world.Scenario]int{world.Documented: 2, world.Ready: 1} {
		if got := readyAddresses(t, seed(t, scenario, noon), "postgres-shared-service"); got != want {
			t.Errorf("%s: %d endpoints, want %d", scenario, got, want)
		}
	}
}

// TestSpread holds that critical workloads are on different nodes where there are several.
func TestSpread(t *testing.T) {
	s := seed(t, world.Ready, noon)
	for _, app := range []string{"portal", "cloudflared", "trino-worker", "postgres-shared", "superset-web"} {
		on := map[any]bool{}
		for _, p := range listed(t, s, podsGVR, "app="+app) {
			on[at(p, "spec", "nodeName")] = true
		}
		if len(on) < 2 {
			t.Errorf("%s runs on %d nodes", app, len(on))
		}
	}
}

// TestSchedules holds that a run starts when it is due, ends after a while, and comes once.
func TestSchedules(t *testing.T) {
	start := noon.Add(-time.Minute)
	s := seed(t, world.Ready, start)
	before := len(listed(t, s, backups, ""))
	for passed := time.Duration(0); passed <= 2*time.Minute; passed += 4 * time.Second {
		tick(t, s, start.Add(passed))
	}
	if after := len(listed(t, s, backups, "")); after != before+1 {
		t.Errorf("%d backups after noon, %d before", after, before)
	}
	b, err := s.Get(backups, "velero", "critical-backup-20251020120000")
	if err != nil || at(b, "status", "phase") != "Completed" || at(b, "status", "completionTimestamp") != "2025-10-20T12:00:24Z" {
		t.Errorf("the backup of noon: %v %v", at(b, "status"), err)
	}
	if err := world.Halt(s, "velero"); err != nil {
		t.Fatal(err)
	}
	tick(t, s, start.Add(24*time.Hour))
	if after := len(listed(t, s, backups, "")); after != before+1 {
		t.Error("a halted server made a backup")
	}
}

// BenchmarkTickAtRest is what a second of the simulated platform costs when nothing happens.
func BenchmarkTickAtRest(b *testing.B) {
	s := kubeapi.NewStore(kubeapi.StoreOptions{Now: func() time.Time { return noon }})
	if err := world.Seed(s, world.Ready, noon); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := world.Tick(s, noon); err != nil {
			b.Fatal(err)
		}
	}
}
