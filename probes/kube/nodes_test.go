package kube_test

import (
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

type object = map[string]any

// node returns a Ready node; change edits it.
func node(name, role string, change ...func(object)) object {
	labels := object{}
	if role != "" {
		labels["node-role.kubernetes.io/"+role] = ""
	}
	n := object{
		"apiVersion": "v1", "kind": "Node",
		"metadata": object{"name": name, "labels": labels},
		"spec":     object{},
		"status":   object{"conditions": []any{condition("Ready", "True", "KubeletReady", "kubelet is posting ready status")}},
	}
	for _, c := range change {
		c(n)
	}
	return n
}

func condition(kind, status, reason, message string) object {
	return object{
		"type": kind, "status": status, "reason": reason, "message": message,
		"lastHeartbeatTime": "2025-10-20T11:58:00Z", "lastTransitionTime": "2025-10-20T11:59:00Z",
	}
}

// sub returns a map within an object, made if need be.
func sub(o object, path ...string) object {
	for _, p := range path {
		next, ok := o[p].(object)
		if !ok {
			next = object{}
			o[p] = next
		}
		o = next
	}
	return o
}

func conditions(list ...any) func(object) {
	return func(o object) { sub(o, "status")["conditions"] = list }
}

func cordon(o object) { sub(o, "spec")["unschedulable"] = true }

func nodesOf(nodes ...object) func(*testing.T) probes.Probe {
	return func(*testing.T) probes.Probe {
		return kube.NewNodes(kubefake.New(nodes...), kube.NodesParams{Min: 3, Workers: 2})
	}
}

func TestNodes(t *testing.T) {
	cp, w1, w2 := node("cp", "control-plane"), node("w1", "worker"), node("w2", "")
	ready := condition("Ready", "True", "", "")
	with := func(name string, change func(object)) func(*testing.T) probes.Probe {
		return nodesOf(cp, w1, node(name, "", change))
	}
	nodes := schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	params := kube.NodesParams{Min: 3, Workers: 2}
	probetest.Suite{
		New:     nodesOf(cp, w1, w2),
		Hanging: func(*testing.T) probes.Probe { return kube.NewNodes(kubefake.New().Hang(), params) },
		Worlds: []probetest.World{
			{Name: "one is gone", New: nodesOf(cp, w1), Want: probes.Fail, Says: []string{"2 nodes ready of 2", "1 worker", "want 3"}},
			{Name: "none", New: nodesOf(), Want: probes.Fail, Says: []string{"no nodes"}},
			{Name: "control planes are no workers", New: nodesOf(cp, node("cp2", "control-plane"), node("cp3", "master"), w1),
				Want: probes.Fail, Says: []string{"1 worker"}},
			{Name: "not ready", New: with("w2", conditions(condition("Ready", "False", "KubeletNotReady", "PLEG is not healthy"))),
				Want: probes.Fail, Says: []string{"w2", "KubeletNotReady", "PLEG"}, Shows: []string{"node w2"}},
			{Name: "silent", New: with("w2", conditions(condition("Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."))),
				Want: probes.Fail, Says: []string{"w2 kubelet silent since 2025-10-20 11:58:00Z"}},
			{Name: "cordoned", New: with("w2", cordon), Want: probes.Fail, Says: []string{"w2 cordoned"}},
			{Name: "never reported", New: with("w2", conditions()), Want: probes.Fail, Says: []string{"w2", "no Ready condition"}},
			{Name: "being deleted", New: with("w2", func(o object) { sub(o, "metadata")["deletionTimestamp"] = "2025-10-20T11:00:00Z" }),
				Want: probes.Fail, Says: []string{"w2", "deleted"}},
			{Name: "under pressure", New: with("w2", conditions(ready, condition("DiskPressure", "True", "", ""))),
				Want: probes.Warn, Ratio: probes.Part(1, 2), Says: []string{"w2", "short of disk"}},
			{Name: "a condition of tomorrow", New: with("w2", conditions(ready, condition("DrainInProgress", "True", "", ""))), Want: probes.Pass},
			{Name: "one more that is not ready", New: nodesOf(cp, w1, w2, node("w3", "", cordon)), Want: probes.Pass, Shows: []string{"cordoned"}},
			{Name: "no network", New: with("w2", conditions(ready, condition("NetworkUnavailable", "True", "", ""))),
				Want: probes.Warn, Says: []string{"network"}},
			{Name: "a name that plays with the terminal", New: with("w2\x1b[2J", cordon), Want: probes.Fail, Says: []string{"w2"}},
		},
		Errors: []probetest.Failure{
			{Name: "no rights", New: func(*testing.T) probes.Probe { return kube.NewNodes(kubefake.New().Forbid(nodes), params) },
				Says: []string{"listing nodes", "may not list"}, Is: apierrors.IsForbidden},
			{Name: "not all seen", New: func(*testing.T) probes.Probe { return kube.NewNodes(kubefake.New(cp).Narrow("only w1"), params) },
				Says: []string{"only w1"}},
		},
	}.Run(t)
}

func TestNodesWakes(t *testing.T) {
	c := kubefake.New()
	woken := make(chan struct{}, 10)
	stop := kube.NewNodes(c, kube.NodesParams{Min: 1}).(probes.Watching).Watch(func() { woken <- struct{}{} })
	c.Add(node("w1", ""))
	select {
	case <-woken:
	case <-time.After(5 * time.Second):
		t.Fatal("not woken by a new node")
	}
	stop()
	c.Add(node("w2", ""))
	if len(woken) > 0 {
		t.Error("woken after stop")
	}
}

func TestNodesParams(t *testing.T) {
	for _, c := range []struct {
		p  kube.NodesParams
		ok bool
	}{{kube.NodesParams{Min: 3, Workers: 2}, true}, {kube.NodesParams{Min: 1}, true}, {kube.NodesParams{}, false},
		{kube.NodesParams{Min: 1, Workers: 2}, false}, {kube.NodesParams{Min: 1, Workers: -1}, false}} {
		if err := c.p.Validate(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.p, err)
		}
	}
}
