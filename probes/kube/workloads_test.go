package kube_test

import (
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

const grafanaImage = "grafana/grafana:10.2.0"

// deployment returns a Deployment that is rolled out, with its pods.
func deployment(name, image string, n int64, change ...func(object)) []object {
	d := object{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": object{"name": name, "namespace": "monitoring", "generation": int64(2), "labels": object{"app": name}},
		"spec":     object{"replicas": n, "template": template(image)},
		"status": object{
			"observedGeneration": int64(2), "replicas": n, "updatedReplicas": n, "readyReplicas": n, "availableReplicas": n,
			"conditions": []any{condition("Progressing", "True", "NewReplicaSetAvailable", "")},
		},
	}
	for _, c := range change {
		c(d)
	}
	list := []object{d}
	for i := range n {
		list = append(list, pod(fmt.Sprintf("%s-7d9f-%d", name, i), image, "ReplicaSet", name+"-7d9f"))
	}
	return list
}

func template(image string) object {
	return object{"spec": object{"containers": []any{object{"name": "main", "image": image}, object{"name": "sidecar", "image": "envoyproxy/envoy:v1"}}}}
}

func pod(name, image, ownerKind, owner string, change ...func(object)) object {
	p := object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{
			"name": name, "namespace": "monitoring", "labels": object{"pod-template-hash": "7d9f"},
			"ownerReferences": []any{object{"apiVersion": "apps/v1", "kind": ownerKind, "name": owner, "uid": "1", "controller": true}},
		},
		"spec":   object{"nodeName": "w1", "containers": template(image)["spec"].(object)["containers"]},
		"status": object{"phase": "Running", "conditions": []any{condition("Ready", "True", "", "")}},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func waiting(reason string, restarts int64) func(object) {
	return func(o object) {
		status := sub(o, "status")
		status["conditions"] = []any{condition("Ready", "False", "ContainersNotReady", "")}
		status["containerStatuses"] = []any{object{"name": "main", "restartCount": restarts, "state": object{"waiting": object{"reason": reason}}}}
	}
}

func on(name string) func(object) { return set(name, "spec", "nodeName") }

func statefulSet(name, image string, n, ready int64, change ...func(object)) object {
	s := object{
		"apiVersion": "apps/v1", "kind": "StatefulSet",
		"metadata": object{"name": name, "namespace": "monitoring", "generation": int64(1)},
		"spec":     object{"replicas": n, "template": template(image)},
		"status": object{
			"observedGeneration": int64(1), "replicas": n, "readyReplicas": ready, "updatedReplicas": n, "currentRevision": "a", "updateRevision": "a",
		},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

func daemonSet(name string, desired, ready int64, change ...func(object)) object {
	d := object{
		"apiVersion": "apps/v1", "kind": "DaemonSet",
		"metadata": object{"name": name, "namespace": "monitoring", "generation": int64(1)},
		"spec":     object{"template": template("grafana/promtail:2.9.3")},
		"status": object{
			"observedGeneration": int64(1), "desiredNumberScheduled": desired, "numberReady": ready, "updatedNumberScheduled": desired,
		},
	}
	for _, c := range change {
		c(d)
	}
	return d
}

func promtailPod(nodeName string, change ...func(object)) object {
	return pod("promtail-"+nodeName, "grafana/promtail:2.9.3", "DaemonSet", "promtail", append([]func(object){on(nodeName)}, change...)...)
}

func workloads(p kube.WorkloadsParams, objects ...object) func(*testing.T) probes.Probe {
	return func(*testing.T) probes.Probe { return kube.NewWorkloads(kubefake.New(objects...), p) }
}

func TestWorkloadsDeployment(t *testing.T) {
	grafana := kube.WorkloadsParams{
		Workloads: []kube.Workload{{Kind: "Deployment", Namespace: "monitoring", Name: "grafana", Image: "grafana/grafana"}},
		Mirrors:   []string{"harbor.254carbon.com/*"},
	}
	is := func(list []object) func(*testing.T) probes.Probe { return workloads(grafana, list...) }
	with := func(change ...func(object)) func(*testing.T) probes.Probe {
		return is(deployment("grafana", grafanaImage, 4, change...))
	}
	mix := func(d []object, pods ...object) func(*testing.T) probes.Probe { return is(append(d[:1:1], pods...)) }
	status := func(field string, n int64) func(object) { return set(n, "status", field) }
	deployments := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	pods := schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	one := deployment("grafana", grafanaImage, 1, status("readyReplicas", 0))
	probetest.Suite{
		New:     with(),
		Hanging: func(*testing.T) probes.Probe { return kube.NewWorkloads(kubefake.New().Hang(), grafana) },
		Worlds: []probetest.World{
			{Name: "gone", New: is(deployment("other", grafanaImage, 1)), Want: probes.Fail, Says: []string{"grafana does not exist"}},
			{Name: "scaled to zero", New: is(deployment("grafana", grafanaImage, 0)), Want: probes.Fail, Says: []string{"grafana is scaled to zero"}},
			{Name: "a placeholder", New: is(deployment("grafana", "nginx:1.25", 1)), Want: probes.Fail, Says: []string{"nginx:1.25", "not grafana/grafana"}},
			{Name: "pods that were patched by hand", New: mix(deployment("grafana", grafanaImage, 1), pod("grafana-x", "nginx:1.25", "ReplicaSet", "grafana-7d9f")),
				Want: probes.Fail, Says: []string{"pod grafana-x", "nginx:1.25"}},
			{Name: "ready without a pod of its own", New: mix(deployment("grafana", grafanaImage, 1), pod("grafana-x", "nginx", "ReplicaSet", "grafana-x-7d9f")),
				Want: probes.Fail, Says: []string{"no ready pod that runs grafana/grafana"}},
			{Name: "from the mirror", New: is(deployment("grafana", "harbor.254carbon.com/platform/grafana/grafana:latest", 1)), Want: probes.Pass,
				Shows: []string{"harbor.254carbon.com/platform"}},
			{Name: "same name elsewhere", New: is(deployment("grafana", "evil.example/grafana/grafana:1", 1)), Want: probes.Fail, Says: []string{"evil.example"}},
			{Name: "another tag", New: is(deployment("grafana", "docker.io/grafana/grafana:11@sha256:00", 1)), Want: probes.Pass},
			{Name: "crash-looping", New: mix(one, pod("grafana-x", grafanaImage, "ReplicaSet", "grafana-7d9f", waiting("CrashLoopBackOff", 14))),
				Want: probes.Fail, Says: []string{"0 of 1 ready", "grafana-x CrashLoopBackOff (14 restarts)"}},
			{Name: "image cannot be pulled", New: mix(one, pod("grafana-x", grafanaImage, "ReplicaSet", "grafana-7d9f", waiting("ImagePullBackOff", 0))),
				Want: probes.Fail, Says: []string{"ImagePullBackOff"}},
			{Name: "no node has room", New: mix(one, pod("grafana-x", grafanaImage, "ReplicaSet", "grafana-7d9f", on(""), set(object{"phase": "Pending"}, "status"))),
				Want: probes.Fail, Says: []string{"grafana-x has no node"}},
			{Name: "fewer ready than wanted", New: with(status("readyReplicas", 3)), Want: probes.Fail, Says: []string{"3 of 4 ready"}},
			{Name: "rollout in progress with enough ready", New: with(status("readyReplicas", 3), status("updatedReplicas", 2)), Want: probes.Pass,
				Shows: []string{"rollout in progress"}},
			{Name: "rollout in progress with old pods left", New: with(status("replicas", 5), status("readyReplicas", 4)), Want: probes.Pass},
			{Name: "rollout in progress with too few", New: with(status("readyReplicas", 2), status("updatedReplicas", 2)), Want: probes.Fail,
				Says: []string{"2 of 3 ready"}},
			{Name: "rollout stuck", New: with(status("updatedReplicas", 2), replaceCondition(condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out"))),
				Want: probes.Fail, Says: []string{"rollout", "ProgressDeadlineExceeded"}},
			{Name: "pods refused", New: with(replaceCondition(condition("ReplicaFailure", "True", "FailedCreate", "violates PodSecurity \"baseline\""))),
				Want: probes.Fail, Says: []string{"FailedCreate", "PodSecurity"}},
			{Name: "nobody looked at the change", New: with(status("observedGeneration", 1)), Want: probes.Fail, Says: []string{"controller"}},
			{Name: "a finished pod and one that leaves", Want: probes.Pass, New: is(append(deployment("grafana", grafanaImage, 1),
				pod("old", "nginx", "ReplicaSet", "grafana-7d9f", set("Succeeded", "status", "phase")),
				pod("leaving", "nginx", "ReplicaSet", "grafana-7d9f", set("2025-10-20T11:00:00Z", "metadata", "deletionTimestamp"))))},
		},
		Errors: []probetest.Failure{
			{Name: "not allowed", New: func(*testing.T) probes.Probe { return kube.NewWorkloads(kubefake.New().Forbid(deployments), grafana) },
				Says: []string{"deployments in monitoring"}, Is: apierrors.IsForbidden},
			{Name: "pods not allowed", New: func(*testing.T) probes.Probe {
				return kube.NewWorkloads(kubefake.New(deployment("grafana", grafanaImage, 1)...).Forbid(pods), grafana)
			}, Says: []string{"pods in monitoring"}, Is: apierrors.IsForbidden},
			{Name: "not seen", New: func(*testing.T) probes.Probe { return kube.NewWorkloads(kubefake.New().Narrow("only a"), grafana) },
				Says: []string{"only a"}},
			{Name: "of another shape", New: with(set("many", "spec", "replicas")), Says: []string{"decoding Deployment monitoring/grafana"}},
		},
	}.Run(t)
}

func TestWorkloadsStatefulSet(t *testing.T) {
	p := kube.WorkloadsParams{Workloads: []kube.Workload{{Kind: "StatefulSet", Namespace: "monitoring", Name: "loki", Image: "grafana/loki"}}}
	lokiPod := pod("loki-0", "grafana/loki:2.9.3", "StatefulSet", "loki")
	moving := []func(object){set(int64(1), "status", "updatedReplicas"), set("b", "status", "updateRevision")}
	probetest.Suite{
		New: workloads(p, statefulSet("loki", "grafana/loki:2.9.3", 1, 1), lokiPod),
		Worlds: []probetest.World{
			{Name: "pod of another set", New: workloads(p, statefulSet("loki", "grafana/loki:2.9.3", 1, 1), pod("loki-0", "grafana/loki:2.9.3", "StatefulSet", "loki-2")),
				Want: probes.Fail, Says: []string{"no ready pod"}},
			{Name: "not ready", New: workloads(p, statefulSet("loki", "grafana/loki:2.9.3", 1, 0), pod("loki-0", "grafana/loki:2.9.3", "StatefulSet", "loki", waiting("CrashLoopBackOff", 1))),
				Want: probes.Fail, Says: []string{"loki has 0 of 1 ready", "loki-0", "1 restart)"}},
			{Name: "one at a time", New: workloads(p, statefulSet("loki", "grafana/loki:2.9.3", 3, 2, moving...), lokiPod), Want: probes.Pass},
			{Name: "two at a time", New: workloads(p, statefulSet("loki", "grafana/loki:2.9.3", 3, 1, moving...), lokiPod), Want: probes.Fail,
				Says: []string{"1 of 2 ready"}},
		},
	}.Run(t)
}

func TestWorkloadsEveryNode(t *testing.T) {
	p := kube.WorkloadsParams{AnyOf: []kube.Workload{
		{Kind: "DaemonSet", Namespace: "monitoring", Name: "promtail", Image: "grafana/promtail", EverySchedulableNode: true},
		{Kind: "DaemonSet", Namespace: "monitoring", Selector: "app.kubernetes.io/name=alloy", EverySchedulableNode: true},
	}}
	gpu := node("gpu", "", set([]any{object{"key": "nvidia.com/gpu", "effect": "NoSchedule"}}, "spec", "taints"))
	base := []object{node("w1", ""), node("w2", ""), node("w3", "", cordon), gpu}
	is := func(more ...object) func(*testing.T) probes.Probe {
		return workloads(p, append(base[:4:4], more...)...)
	}
	alloy := func(ready int64) object {
		return daemonSet("grafana-alloy", 2, ready, set(object{"app.kubernetes.io/name": "alloy"}, "metadata", "labels"))
	}
	alloyPod := func(n string) object { return pod("alloy-"+n, "grafana/alloy:v1", "DaemonSet", "grafana-alloy", on(n)) }
	probetest.Suite{
		New: is(daemonSet("promtail", 2, 2), promtailPod("w1"), promtailPod("w2")),
		Worlds: []probetest.World{
			{Name: "neither", New: is(), Want: probes.Fail, Says: []string{"none of these exists: promtail, app.kubernetes.io/name=alloy"}},
			{Name: "the other one", New: is(alloy(2), alloyPod("w1"), alloyPod("w2")), Want: probes.Pass},
			{Name: "one healthy is enough", New: is(daemonSet("promtail", 2, 0), alloy(2), alloyPod("w1"), alloyPod("w2")), Want: probes.Pass},
			{Name: "both fall short", New: is(daemonSet("promtail", 2, 1), promtailPod("w1"), alloy(1), alloyPod("w1")), Want: probes.Fail,
				Says: []string{"promtail has 1 of 2 ready", "grafana-alloy has 1 of 2"}},
			{Name: "kept off a node by its own selector", New: is(daemonSet("promtail", 1, 1), promtailPod("w1")), Want: probes.Fail,
				Says: []string{"promtail is not ready on w2"}},
			{Name: "to run nowhere", New: is(daemonSet("promtail", 0, 0)), Want: probes.Fail, Says: []string{"no node"}},
			{Name: "rollout", New: is(daemonSet("promtail", 2, 2, set(int64(1), "status", "updatedNumberScheduled")), promtailPod("w1"), promtailPod("w2")), Want: probes.Pass},
		},
		Errors: []probetest.Failure{{Name: "nodes not allowed", Is: apierrors.IsForbidden, Says: []string{"listing nodes"}, New: func(*testing.T) probes.Probe {
			c := kubefake.New(daemonSet("promtail", 2, 2), promtailPod("w1"), promtailPod("w2"))
			return kube.NewWorkloads(c.Forbid(schema.GroupVersionResource{Version: "v1", Resource: "nodes"}), p)
		}}},
	}.Run(t)
}

func TestInventory(t *testing.T) {
	p := kube.InventoryParams{Services: []kube.InventoryService{
		{Name: "grafana", Workloads: []kube.Workload{{Kind: "Deployment", Namespace: "monitoring", Name: "grafana", Image: "grafana/grafana"}}},
		{Name: "trino", Workloads: []kube.Workload{
			{Kind: "Deployment", Namespace: "monitoring", Name: "trino", Image: "trinodb/trino"},
			{Kind: "Deployment", Namespace: "monitoring", Name: "trino-worker", Image: "trinodb/trino"},
		}},
		{Name: "vault", Workloads: []kube.Workload{{Kind: "StatefulSet", Namespace: "monitoring", Name: "vault"}}},
	}}
	grafana, trino := deployment("grafana", grafanaImage, 1), deployment("trino", "trinodb/trino:424", 1)
	worker, vault := deployment("trino-worker", "trinodb/trino:424", 2), []object{statefulSet("vault", "hashicorp/vault:1.15.0", 1, 1)}
	is := func(lists ...[]object) func(*testing.T) probes.Probe {
		var all []object
		for _, l := range lists {
			all = append(all, l...)
		}
		return func(*testing.T) probes.Probe { return kube.NewInventory(kubefake.New(all...), p) }
	}
	probetest.Suite{
		New:     is(grafana, trino, worker, vault),
		Hanging: func(*testing.T) probes.Probe { return kube.NewInventory(kubefake.New().Hang(), p) },
		Worlds: []probetest.World{
			{Name: "stabilised by deletion", New: is(grafana, trino, worker), Want: probes.Fail, Says: []string{"gone: vault", "1 of 4 workloads"}},
			{Name: "scaled to zero", New: is(grafana, trino, deployment("trino-worker", "trinodb/trino:424", 0), vault), Want: probes.Fail,
				Says: []string{"scaled to zero: trino-worker"}},
			{Name: "placeholder", New: is(deployment("grafana", "nginx:1.25", 1), trino, worker, vault), Want: probes.Fail,
				Says: []string{"grafana", "nginx:1.25"}},
			{Name: "all kinds of trouble", New: is(deployment("grafana", "nginx:1.25", 1), worker[:1], []object{statefulSet("vault", "x", 1, 0)}), Want: probes.Fail,
				Says: []string{"gone: trino;", "nginx:1.25", "not ready: vault has 0 of 1", "4 of 4"}, Shows: []string{"trino: deployment"}},
			{Name: "something more", New: is(grafana, trino, worker, vault, deployment("extra", "nginx", 1)), Want: probes.Pass},
		},
		Errors: []probetest.Failure{{Name: "not allowed", Is: apierrors.IsForbidden, New: func(*testing.T) probes.Probe {
			return kube.NewInventory(kubefake.New(grafana...).Forbid(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}), p)
		}, Says: []string{"listing statefulsets in monitoring"}}},
	}.Run(t)
}

func TestWorkloadDeclarations(t *testing.T) {
	ok := kube.Workload{Kind: "Deployment", Namespace: "a", Name: "b", Image: "registry:5000/x/y"}
	edit := func(change func(*kube.Workload)) kube.Workload { w := ok; change(&w); return w }
	for _, c := range []struct {
		name string
		w    kube.Workload
		ok   bool
	}{
		{"whole", ok, true},
		{"kind", edit(func(w *kube.Workload) { w.Kind = "deployment" }), false},
		{"namespace", edit(func(w *kube.Workload) { w.Namespace = "" }), false},
		{"no name", edit(func(w *kube.Workload) { w.Name = "" }), false},
		{"selector", edit(func(w *kube.Workload) { w.Name, w.Selector = "", "app in (a, b)" }), true},
		{"broken selector", edit(func(w *kube.Workload) { w.Name, w.Selector = "", "app in" }), false},
		{"both", edit(func(w *kube.Workload) { w.Selector = "a=b" }), false},
		{"tag", edit(func(w *kube.Workload) { w.Image = "nginx:1" }), false},
		{"digest", edit(func(w *kube.Workload) { w.Image = "nginx@sha256:1" }), false},
		{"negative", edit(func(w *kube.Workload) { w.MinReady = -1 }), false},
		{"every node", edit(func(w *kube.Workload) { w.EverySchedulableNode = true }), false},
	} {
		if err := (&kube.WorkloadsParams{Workloads: []kube.Workload{c.w}}).Validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, mirrors := range [][]string{{""}, {"*/x"}, {"https://h/x"}} {
		if (&kube.WorkloadsParams{Workloads: []kube.Workload{ok}, Mirrors: mirrors}).Validate() == nil {
			t.Errorf("accepted %q", mirrors)
		}
	}
	s := kube.InventoryService{Name: "s", Workloads: []kube.Workload{ok}}
	if err := (&kube.InventoryParams{Services: []kube.InventoryService{s, s}}).Validate(); err == nil {
		t.Error("accepted a workload declared twice")
	}
}
