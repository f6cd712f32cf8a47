package kube_test

import (
	"maps"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

const guards = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: trino-worker, namespace: data-platform, generation: 1}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: trino-worker}}
    spec:
      containers: [{name: trino, image: "trinodb/trino:424", resources: {requests: {cpu: 500m, memory: 1Gi}}}]
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: trino-worker}}}
status: {observedGeneration: 1, replicas: 2, updatedReplicas: 2, readyReplicas: 2}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: trino-pdb, namespace: data-platform, generation: 2}
spec: {minAvailable: 1, selector: {matchLabels: {app: trino-worker}}}
status: {observedGeneration: 2, expectedPods: 2, currentHealthy: 2, desiredHealthy: 1, disruptionsAllowed: 1}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: quota, namespace: data-platform}
spec: {hard: {requests.cpu: "8", requests.memory: 16Gi, pods: "10", count/secrets: "5"}}
status: {hard: {requests.cpu: "8"}, used: {requests.cpu: 7500m, requests.memory: 2Gi, pods: "2", count/secrets: "5"}}
---
apiVersion: v1
kind: Pod
metadata:
  name: trino-worker-1-a
  namespace: data-platform
  labels: {app: trino-worker, pod-template-hash: "1"}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: trino-worker-1, uid: u, controller: true}]
spec: {nodeName: n1}
status: {phase: Running, conditions: [{type: Ready, status: "True"}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: trino-worker-1-b
  namespace: data-platform
  labels: {app: trino-worker, pod-template-hash: "1"}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: trino-worker-1, uid: u, controller: true}]
spec: {nodeName: n2}
status: {phase: Running, conditions: [{type: Ready, status: "True"}]}
`

var trinoWorker = kube.WorkloadRef{Kind: "Deployment", Namespace: "data-platform", Name: "trino-worker"}

func TestGuards(t *testing.T) {
	params := kube.BindsParams{Workloads: []kube.WorkloadRef{trinoWorker}}
	world := bindsIn(guards, params)
	fails := func(name string, says []string, changes ...change) probetest.World {
		return probetest.World{Name: name, New: world(changes...), Want: probes.Fail, Says: says}
	}
	pod := func(path ...string) func(any) change {
		return func(v any) change {
			return edit("Deployment", "trino-worker", set(v, append([]string{"spec", "template", "spec"}, path...)...))
		}
	}
	anti := func(app string) object {
		term := object{"topologyKey": "kubernetes.io/hostname", "labelSelector": object{"matchLabels": object{"app": app}}}
		return object{"podAntiAffinity": object{"requiredDuringSchedulingIgnoredDuringExecution": []any{term}}}
	}
	antiIn := func(where object) object {
		term := object{"topologyKey": "kubernetes.io/hostname", "labelSelector": object{"matchLabels": object{"app": "trino-worker"}}}
		maps.Copy(term, where)
		return object{"podAntiAffinity": object{"requiredDuringSchedulingIgnoredDuringExecution": []any{term}}}
	}
	zoned := func(key string) change {
		return edit("Deployment", "trino-worker", func(o object) { at(o, 0, "spec", "template", "spec", "topologySpreadConstraints")["topologyKey"] = key })
	}
	region := func(node, name string) change {
		return add("apiVersion: v1\nkind: Node\nmetadata: {name: " + node + ", labels: {topology.kubernetes.io/region: " + name + "}}")
	}
	limited := edit("Deployment", "trino-worker", func(o object) {
		sub(at(o, 0, "spec", "template", "spec", "containers"), "resources")["limits"] = object{"cpu": "200m"}
	})
	budget := func(v any, path ...string) change { return edit("PodDisruptionBudget", "trino-pdb", set(v, path...)) }
	quota := func(v any, path ...string) change { return edit("ResourceQuota", "quota", set(v, path...)) }
	refused := func(group, plural string) probetest.Failure {
		r := schema.GroupVersionResource{Group: group, Version: "v1", Resource: plural}
		return probetest.Failure{Name: plural + " not allowed", Says: []string{plural}, Is: apierrors.IsForbidden, New: func(t *testing.T) probes.Probe {
			return kube.NewBinds(clusterOf(t, guards).Forbid(r), params)
		}}
	}
	const second = `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: second, namespace: data-platform}
spec: {maxUnavailable: 1, selector: {}}
status: {expectedPods: 2, disruptionsAllowed: 1}`
	probetest.Suite{
		New:     world(),
		Hanging: func(*testing.T) probes.Probe { return kube.NewBinds(kubefake.New().Hang(), params) },
		Worlds: []probetest.World{
			fails("the workload is gone", []string{"trino-worker does not exist"}, remove("Deployment", "trino-worker")),
			fails("nothing keeps it apart", []string{"trino-worker has neither topology spread nor anti-affinity"}, pod("topologySpreadConstraints")(nil)),
			fails("kept apart from others", []string{"kept apart by nothing", "about other pods (app=trino)"}, pod("topologySpreadConstraints")(nil), pod("affinity")(anti("trino"))),
			fails("a spread without a selector", []string{"about other pods (no selector)"}, pod("topologySpreadConstraints")([]any{object{"topologyKey": "kubernetes.io/hostname"}})),
			fails("no budget", []string{"trino-worker has no disruption budget"}, remove("PodDisruptionBudget", "trino-pdb")),
			fails("a budget that selects nothing", []string{"pdb data-platform/trino-pdb selects no pod (app=trino; pods carry app=trino-worker)"},
				budget(object{"app": "trino"}, "spec", "selector", "matchLabels")),
			fails("a budget without a selector", []string{"no disruption budget", "selects no pod (no selector)"}, budget(nil, "spec", "selector")),
			fails("a budget that allows nothing", []string{"pdb trino-pdb, which allows no disruption: 2 of 2 pods healthy, 2 needed"},
				budget(int64(0), "status", "disruptionsAllowed"), budget(int64(2), "status", "desiredHealthy")),
			fails("a budget nobody has looked at", []string{"not been looked at"}, budget(object{}, "status")),
			fails("a budget that was changed", []string{"since it was changed"}, budget(int64(3), "metadata", "generation")),
			fails("two budgets", []string{"2 disruption budgets", "every eviction fail"}, add(second)),
			fails("quota exceeded", []string{"quota data-platform/quota is exceeded: requests.cpu 25900m of 8 used"}, quota("25900m", "status", "used", "requests.cpu")),
			fails("a quota that was lowered", []string{"is exceeded: pods 2 of 1"}, quota("1", "spec", "hard", "pods")),
			fails("no room for its limits", []string{"no room for one more pod", "limits.cpu"}, quota("1", "spec", "hard", "limits.cpu"), quota("900m", "status", "used", "limits.cpu"), limited),
			fails("no room in a quota for pods like it", []string{"no room for one more pod"}, quota("7600m", "status", "used", "requests.cpu"), quota([]any{"NotBestEffort", "NotTerminating"}, "spec", "scopes")),
			fails("spread over what all nodes share", []string{"over topology.kubernetes.io/region, which is the same on every node"}, zoned("topology.kubernetes.io/region"), region("n1", "a"), region("n2", "a")),
			fails("spread over what no node carries", []string{"which no node carries"}, zoned("rack"), region("n1", "a")),
			fails("anti-affinity with other namespaces", []string{"is about pods of other namespaces"}, pod("topologySpreadConstraints")(nil),
				pod("affinity")(antiIn(object{"namespaceSelector": object{"matchLabels": object{"team": "x"}}}))),
			fails("no room", []string{"no room for one more pod", "requests.cpu", "7600m of 8"}, quota("7600m", "status", "used", "requests.cpu")),
			{Name: "spread over regions", New: world(zoned("topology.kubernetes.io/region"), region("n1", "a"), region("n2", "b")), Want: probes.Pass, Shows: []string{"spread over topology.kubernetes.io/region"}},
			{Name: "anti-affinity in every namespace", New: world(pod("topologySpreadConstraints")(nil), pod("affinity")(antiIn(object{"namespaceSelector": object{}}))), Want: probes.Pass},
			{Name: "anti-affinity will do", New: world(pod("topologySpreadConstraints")(nil), pod("affinity")(anti("trino-worker"))), Want: probes.Pass, Shows: []string{"anti-affinity over"}},
			{Name: "a quota of some pods only", New: world(quota("7600m", "status", "used", "requests.cpu"), quota([]any{"BestEffort"}, "spec", "scopes")), Want: probes.Pass},
			{Name: "no quota", New: world(remove("ResourceQuota", "quota")), Want: probes.Pass, Says: []string{"no quota to keep"}},
			{Name: "before its first pod", New: world(removeKind("Pod")), Want: probes.Pass},
		},
		Errors: []probetest.Failure{
			refused("apps", "deployments"), refused("policy", "poddisruptionbudgets"), refused("", "resourcequotas"), refused("", "pods"),
			{Name: "of another shape", Says: []string{"decoding poddisruptionbudget"}, New: world(budget("one", "status", "disruptionsAllowed"))},
			{Name: "a quota that nobody counts", Says: []string{"unknown use"}, New: world(quota(nil, "status"))},
			{Name: "a quota of another shape", Says: []string{"decoding resourcequota"}, New: world(quota("many", "status", "used"))},
		},
	}.Run(t)
}

func TestBudgetsAndQuotas(t *testing.T) {
	world := bindsIn(guards, kube.BindsParams{Budgets: &kube.Scope{}, Quotas: &kube.Scope{Namespaces: []string{"data-platform"}}})
	probetest.Suite{
		New: world(),
		Hanging: func(*testing.T) probes.Probe {
			return kube.NewBinds(kubefake.New().Hang(), kube.BindsParams{Budgets: &kube.Scope{}})
		},
		Worlds: []probetest.World{
			{Name: "binds nothing", New: world(edit("PodDisruptionBudget", "trino-pdb", set(object{"app": "x"}, "spec", "selector", "matchLabels"))), Want: probes.Fail,
				Says: []string{"pdb data-platform/trino-pdb selects no pod (app=x)"}},
			{Name: "allows nothing", New: world(edit("PodDisruptionBudget", "trino-pdb", set(int64(0), "status", "disruptionsAllowed"))), Want: probes.Fail, Says: []string{"allows no disruption"}},
			{Name: "none", New: world(removeKind("PodDisruptionBudget")), Want: probes.Fail, Says: []string{"there is no disruption budget"}},
			{Name: "exceeded", New: world(edit("ResourceQuota", "quota", set("6", "status", "used", "count/secrets"))), Want: probes.Fail, Says: []string{"count/secrets 6 of 5"}},
		},
		Errors: []probetest.Failure{{Name: "not all seen", Says: []string{"only the namespace a"}, New: func(*testing.T) probes.Probe {
			return kube.NewBinds(kubefake.New().Narrow("only the namespace a"), kube.BindsParams{Budgets: &kube.Scope{}})
		}}},
	}.Run(t)
}

func TestSpread(t *testing.T) {
	params := kube.SpreadParams{Workloads: []kube.WorkloadRef{trinoWorker}}
	with := func(p kube.SpreadParams, changes ...change) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe { return kube.NewSpread(clusterOf(t, guards, changes...), p) }
	}
	world := func(changes ...change) func(*testing.T) probes.Probe { return with(params, changes...) }
	second := func(v any, path ...string) change { return edit("Pod", "trino-worker-1-b", set(v, path...)) }
	zones := kube.SpreadParams{Workloads: params.Workloads, TopologyKey: "zone"}
	zone := func(one, two string) change {
		return add("{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {zone: " + one + "}}}\n---\n{apiVersion: v1, kind: Node, metadata: {name: n2, labels: {zone: " + two + "}}}")
	}
	probetest.Suite{
		New:     world(),
		Hanging: func(*testing.T) probes.Probe { return kube.NewSpread(kubefake.New().Hang(), params) },
		Worlds: []probetest.World{
			{Name: "all on one node", New: world(second("n1", "spec", "nodeName")), Want: probes.Fail, Says: []string{"all replicas on n1: trino-worker"}},
			{Name: "the other is being deleted", New: world(second("2025-10-20T12:00:00Z", "metadata", "deletionTimestamp")), Want: probes.Fail, Says: []string{"all replicas on n1"}},
			{Name: "the other has failed", New: world(second("Failed", "status", "phase")), Want: probes.Fail, Says: []string{"all replicas on n1"}},
			{Name: "the other is not ready", New: world(second([]any{}, "status", "conditions")), Want: probes.Fail, Says: []string{"all replicas on n1"}, Shows: []string{"trino-worker-1-b not ready on n2"}},
			{Name: "the other is somebody else's", New: world(second(object{"app": "trino-worker", "pod-template-hash": "2"}, "metadata", "labels")), Want: probes.Fail, Says: []string{"all replicas on n1"}},
			{Name: "none is ready", New: world(removeKind("Pod")), Want: probes.Fail, Says: []string{"trino-worker has no ready pod"}},
			{Name: "one replica", New: world(edit("Deployment", "trino-worker", set(int64(1), "spec", "replicas"))), Want: probes.Fail, Says: []string{"declared with 1 replica"}},
			{Name: "gone", New: world(remove("Deployment", "trino-worker")), Want: probes.Fail, Says: []string{"trino-worker does not exist"}},
			{Name: "two zones", New: with(zones, zone("a", "b")), Want: probes.Pass},
			{Name: "two nodes of one zone", New: with(zones, zone("a", "a")), Want: probes.Fail, Says: []string{"all replicas on a"}},
			{Name: "nodes of no zone", New: with(zones), Want: probes.Fail, Says: []string{"do not carry the label"}},
		},
		Errors: []probetest.Failure{
			{Name: "pods not allowed", Is: apierrors.IsForbidden, Says: []string{"pods in data-platform"}, New: func(t *testing.T) probes.Probe {
				return kube.NewSpread(clusterOf(t, guards).Forbid(schema.GroupVersionResource{Version: "v1", Resource: "pods"}), params)
			}},
			{Name: "not all seen", Says: []string{"only the namespace a"}, New: func(*testing.T) probes.Probe {
				return kube.NewSpread(kubefake.New().Narrow("only the namespace a"), params)
			}},
		},
	}.Run(t)
	if err := (&kube.SpreadParams{}).Validate(); err == nil {
		t.Error("accepted no workload")
	}
}
