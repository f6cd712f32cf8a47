package profile_test

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/sim/kubeapi"
	"github.com/254carbon/gonogo/internal/sim/world"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/velero"
)

// TestBuiltinOnTheSimulatedCluster asks the checks of the built-in profile that are about the cluster, with the parameters that stand in
// the profile, and compares what they say with the table of checks.
func TestBuiltinOnTheSimulatedCluster(t *testing.T) {
	noon := time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC)
	p := builtin(t)
	for _, scenario := range []world.Scenario{world.Documented, world.Ready} { // of which the table speaks
		t.Run(string(scenario), func(t *testing.T) {
			store := kubeapi.NewStore(kubeapi.StoreOptions{Now: func() time.Time { return noon }})
			if err := world.Seed(store, scenario, noon); err != nil {
				t.Fatal(err)
			}
			cluster := kubefake.New()
			for _, r := range kubeapi.Builtin() {
				all, err := store.List(r.GVR(), "", nil)
				if err != nil {
					t.Fatal(err)
				}
				cluster.Serve(r.GVR())
				cluster.Add(all...)
			}
			asked := 0
			for id, want := range statuses(t, string(scenario)) {
				check, _ := p.Check(id)
				probe := clusterProbe(t, check, cluster, noon)
				if probe == nil || want == probes.Blocked.String() {
					continue
				}
				asked++
				r := probes.Ask(t.Context(), probes.Check{Spec: check.Spec, Probe: probe}, func() time.Time { return noon })
				if r.Err != nil || r.Status.String() != want {
					t.Errorf("%s: %s %q (%v), the table says %s", id, r.Status, r.Summary, r.Err, want)
				}
			}
			if asked < 12 {
				t.Errorf("only %d checks were asked", asked)
			}
		})
	}
}

// clusterProbe joins a check with its probe, if that asks nothing but the cluster.
func clusterProbe(t *testing.T, check profile.Check, c *kubefake.Cluster, now time.Time) probes.Probe {
	t.Helper()
	clock := func() time.Time { return now }
	switch params := check.Params.(type) {
	case *kube.ObjectsParams:
		probe, err := kube.NewObjects(c, *params, clock)
		if err != nil {
			t.Fatal(err)
		}
		return probe
	case *kube.NodesParams:
		return kube.NewNodes(c, *params)
	case *kube.HPAParams:
		return kube.NewHPA(c, *params)
	case *kube.WorkloadsParams:
		return kube.NewWorkloads(c, *params)
	case *kube.InventoryParams:
		return kube.NewInventory(c, *params)
	case *kube.BindsParams:
		return kube.NewBinds(c, *params)
	case *kube.RBACParams:
		return kube.NewRBAC(c, *params)
	case *kube.SpreadParams:
		return kube.NewSpread(c, *params)
	case *velero.ServerParams:
		return velero.NewServer(c, *params)
	case *velero.StorageParams:
		return velero.NewStorage(c, nil, *params, clock)
	case *velero.SchedulesParams:
		return velero.NewSchedules(c, *params, clock)
	case *velero.DomainParams:
		return velero.NewDomain(c, nil, *params)
	case *velero.BackupsParams:
		return velero.NewBackups(c, *params, clock)
	}
	return nil
}

// statuses is what the table of checks expects of each in a scenario.
func statuses(t *testing.T, scenario string) map[probes.ID]string {
	t.Helper()
	f, err := os.Open("../../testdata/platform/checks.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := csv.NewReader(f)
	table.Comma = '\t'
	lines, err := table.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{"documented": 7, "ready": 8}[scenario]
	all := map[probes.ID]string{}
	for _, l := range lines[1:] {
		all[probes.ID(l[2])] = l[column]
	}
	return all
}

// TestBuiltinExpressions changes one thing of the simulated cluster at a time: each must be seen by the expression that is about it.
func TestBuiltinExpressions(t *testing.T) {
	type object = map[string]any
	namespace := func(name, level string) object {
		return object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name, "labels": object{"pod-security.kubernetes.io/enforce": level}}}
	}
	policy := func(name, action string) object {
		return object{
			"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": object{"name": name}, "spec": object{"validationFailureAction": action},
			"status": object{"conditions": []any{object{"type": "Ready", "status": "True"}}},
		}
	}
	operator := func(image string, ready int64) object {
		return object{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": "op", "namespace": "monitoring"},
			"spec":   object{"template": object{"spec": object{"containers": []any{object{"name": "op", "image": image}}}}},
			"status": object{"readyReplicas": ready},
		}
	}
	prometheus := func(available string) object {
		return object{
			"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": object{"name": "p", "namespace": "monitoring"},
			"status": object{"conditions": []any{object{"type": "Available", "status": available}}},
		}
	}
	five := func(last object) []object {
		return []object{
			namespace("cloudflare-tunnel", "restricted"), namespace("data-platform", "baseline"), namespace("monitoring", "baseline"),
			namespace("registry", "restricted"), last,
		}
	}
	const image = "quay.io/prometheus-operator/prometheus-operator:v0.86.1"
	for _, c := range []struct {
		name, check, says string
		objects           []object
	}{
		{"all well", "pod-security", "", five(namespace("vault-prod", "restricted"))},
		{"privileged", "pod-security", "vault-prod has no enforced level", five(namespace("vault-prod", "privileged"))},
		{"gone", "pod-security", "vault-prod does not exist", five(namespace("other", "baseline"))},
		{"policies instead", "pod-security", "", append(five(namespace("vault-prod", "")), policy("require-non-root", "Enforce"), policy("drop-net-raw", "enforce"))},
		{"policies that only audit", "pod-security", "vault-prod has no enforced level", append(five(namespace("vault-prod", "")), policy("require-non-root", "Enforce"), policy("drop-net-raw", "Audit"))},
		{"another policy", "pod-security", "vault-prod has no enforced level", append(five(namespace("vault-prod", "")), policy("disallow-latest-tag", "Enforce"))},
		{"all well", "prometheus-operator", "", []object{operator(image, 1), prometheus("True")}},
		{"mirrored", "prometheus-operator", "", []object{operator("harbor.254carbon.com/254carbon/"+image, 1), prometheus("True")}},
		{"placeholder", "prometheus-operator", "no deployment in monitoring runs the operator", []object{operator("nginx:1.25", 1), prometheus("True")}},
		{"no pod", "prometheus-operator", "the operator has no ready pod", []object{operator(image, 0), prometheus("True")}},
		{"no Prometheus", "prometheus-operator", "there is no Prometheus object", []object{operator(image, 1)}},
		{"not available", "prometheus-operator", "no Prometheus is Available", []object{operator(image, 1), prometheus("False")}},
	} {
		t.Run(c.check+" "+c.name, func(t *testing.T) {
			check, _ := builtin(t).Check(probes.ID(c.check))
			r := probes.Ask(t.Context(), probes.Check{Spec: check.Spec, Probe: clusterProbe(t, check, kubefake.New(c.objects...), time.Now())}, nil)
			passes := r.Status == probes.Pass
			if r.Err != nil || passes != (c.says == "") || !strings.Contains(r.Summary, c.says) {
				t.Errorf("%s %q (%v), want %q", r.Status, r.Summary, r.Err, c.says)
			}
		})
	}
}
