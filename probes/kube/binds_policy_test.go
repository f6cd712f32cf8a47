package kube_test

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

const walls = `
apiVersion: v1
kind: Namespace
metadata: {name: data-platform, labels: {name: data-platform}}
---
apiVersion: v1
kind: Namespace
metadata: {name: velero, labels: {name: velero}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: data-platform}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: minio-access, namespace: data-platform}
spec:
  podSelector: {matchLabels: {app: minio}}
  ingress:
  - from: [{namespaceSelector: {matchLabels: {name: velero}}}, {podSelector: {matchLabels: {app: gone}}}]
  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]
  - ports: [{port: 9000}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: to-velero, namespace: data-platform}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress: [{to: [{namespaceSelector: {matchLabels: {name: velero}}, podSelector: {matchLabels: {app: velero}}}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: minio-0, namespace: data-platform, labels: {app: minio}}
status: {phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: velero-0, namespace: velero, labels: {app: velero}}
status: {phase: Running}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kindnet, namespace: kube-system}
spec: {template: {spec: {containers: [{name: kindnet-cni, image: "docker.io/kindest/kindnetd:v20240813-c6f155d6"}]}}}
status: {desiredNumberScheduled: 2, numberReady: 2, updatedNumberScheduled: 2}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {nodeInfo: {kubeletVersion: v1.31.0}}
`

func TestPolicies(t *testing.T) {
	params := kube.BindsParams{Policies: &kube.PolicyPart{Namespaces: []string{"data-platform"}, Everywhere: true, Enforced: true}}
	world := bindsIn(walls, params)
	fails := func(name string, says []string, changes ...change) probetest.World {
		return probetest.World{Name: name, New: world(changes...), Want: probes.Fail, Says: says}
	}
	holds := func(name string, changes ...change) probetest.World {
		return probetest.World{Name: name, New: world(changes...), Want: probes.Pass}
	}
	policy := func(namespace, spec string) change {
		return add("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: another, namespace: " + namespace + "}\nspec: " + spec)
	}
	image := func(image string) change {
		return edit("DaemonSet", "kindnet", func(o object) { at(o, 0, "spec", "template", "spec", "containers")["image"] = image })
	}
	arguments := func(args ...any) change {
		return edit("DaemonSet", "kindnet", func(o object) { at(o, 0, "spec", "template", "spec", "containers")["args"] = args })
	}
	const anotherNode = "apiVersion: v1\nkind: Node\nmetadata: {name: n8}"
	refused := func(group, plural string) probetest.Failure {
		r := schema.GroupVersionResource{Group: group, Version: "v1", Resource: plural}
		return probetest.Failure{Name: plural + " not allowed", Says: []string{plural}, Is: apierrors.IsForbidden, New: func(t *testing.T) probes.Probe {
			return kube.NewBinds(clusterOf(t, walls).Forbid(r), params)
		}}
	}
	probetest.Suite{
		New:     world(),
		Hanging: func(*testing.T) probes.Probe { return kube.NewBinds(kubefake.New().Hang(), params) },
		Worlds: []probetest.World{
			fails("no policies at all", []string{"namespace data-platform has no default-deny"}, removeKind("NetworkPolicy")),
			fails("a namespace without", []string{"has no default-deny"}, remove("NetworkPolicy", "default-deny")),
			fails("the namespace is gone", []string{"namespace data-platform does not exist"}, remove("Namespace", "data-platform"), removeKind("NetworkPolicy")),
			fails("denies only what goes out", []string{"has no default-deny"}, edit("NetworkPolicy", "default-deny", set([]any{"Egress"}, "spec", "policyTypes"))),
			fails("denies only some pods", []string{"has no default-deny"}, edit("NetworkPolicy", "default-deny", set(object{"matchLabels": object{"app": "minio"}}, "spec", "podSelector"))),
			fails("there is no pod to protect", []string{"default-deny selects no pod"}, remove("Pod", "minio-0")),
			fails("another lets everything in", []string{"data-platform/another lets everything in"}, policy("data-platform", "{podSelector: {}, ingress: [{}]}")),
			fails("another lets every namespace in", []string{"another lets everything in"}, policy("data-platform", "{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}")),
			fails("another lets every address in", []string{"another lets everything in"}, policy("data-platform", "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}")),
			fails("a label that no namespace has", []string{"policy data-platform/minio-access relies on label name=velero, which namespace velero lacks"},
				edit("Namespace", "velero", set(object{}, "metadata", "labels")), remove("NetworkPolicy", "to-velero")),
			fails("a namespace that is not there", []string{"relies on a namespace with name=velero, and there is none"}, remove("Namespace", "velero")),
			fails("an expression that matches no namespace", []string{"relies on a namespace with tier in (a)"},
				policy("data-platform", "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: tier, operator: In, values: [a]}]}}]}]}")),
			fails("selects no pod", []string{"policy data-platform/minio-access selects no pod (app=minio-server; pods carry app=minio)"},
				edit("NetworkPolicy", "minio-access", set(object{"matchLabels": object{"app": "minio-server"}}, "spec", "podSelector"))),
			fails("elsewhere too", []string{"policy velero/another selects no pod (app=x)"}, policy("velero", "{podSelector: {matchLabels: {app: x}}}")),
			fails("allows what nobody is", []string{"to-velero allows nobody", "selects no pod (app=velero)"}, edit("Pod", "velero-0", set(object{"app": "other"}, "metadata", "labels"))),
			fails("kube-router without its firewall", []string{"not enforced", "--run-firewall=false"}, image("docker.io/cloudnativelabs/kube-router:v2"), arguments("--run-firewall=false")),
			fails("AWS's agent, told not to", []string{"not enforced", "told not to enforce them by --enable-network-policy"}, image("602401143452.dkr.ecr.example.com/eks/aws-network-policy-agent:v1"),
				arguments("--enable-network-policy", "false")),
			fails("k3s, told not to", []string{"not enforced", "k3s of node n1 was started with --disable-network-policy"}, remove("DaemonSet", "kindnet"), edit("Node", "n1", set("v1.31.0+k3s1", "status", "nodeInfo", "kubeletVersion"),
				set(`["server","--disable-network-policy"]`, "metadata", "annotations", "k3s.io/node-args"))),
			fails("a node that the plugin leaves out", []string{"meant for 2 of 3 nodes"}, add(anotherNode), add(strings.ReplaceAll(anotherNode, "n8", "n9"))),
			fails("Flannel", []string{"not enforced", "flannel/flannel:v0.25", "does not enforce"}, image("docker.io/flannel/flannel:v0.25")),
			fails("a kindnet of before", []string{"v20240513", "not enforce them yet"}, image("kindest/kindnetd:v20240513-cd2ac642")),
			fails("a kindnet of who knows when", []string{"does not say by its tag"}, image("kindest/kindnetd:latest")),
			fails("the plugin is not everywhere", []string{"kube-system/kindnet", "1 of 2 nodes"}, edit("DaemonSet", "kindnet", set(int64(1), "status", "numberReady"))),
			fails("a selector that makes no sense", []string{"makes no sense"}, policy("velero", "{podSelector: {matchExpressions: [{key: a, operator: Near}]}}")),
			holds("Calico", image("quay.io/calico/node:v3.28.0")),
			holds("Cilium from a mirror", image("harbor.example.com/mirror/cilium/cilium:v1.16")),
			holds("k3s enforces by itself", remove("DaemonSet", "kindnet"), edit("Node", "n1", set("v1.31.0+k3s1", "status", "nodeInfo", "kubeletVersion"))),
			holds("denies both ways without saying so", edit("NetworkPolicy", "default-deny", func(o object) { delete(sub(o, "spec"), "policyTypes") })),
			holds("ports that are open to all are no open door", policy("data-platform", "{podSelector: {}, ingress: [{ports: [{port: 443}]}]}")),
			holds("pods that have finished count for a policy", edit("Pod", "velero-0", set("Succeeded", "status", "phase"))),
			{Name: "elsewhere is not asked", Want: probes.Pass, New: bindsIn(walls, kube.BindsParams{Policies: &kube.PolicyPart{Namespaces: []string{"data-platform"}}})(
				policy("velero", "{podSelector: {matchLabels: {app: x}}}"), remove("DaemonSet", "kindnet"))},
			{Name: "an enforcer of one's own", Want: probes.Pass, New: bindsIn(walls, kube.BindsParams{Policies: &kube.PolicyPart{Enforced: true, Enforcers: []string{"acme/walls"}}})(image("registry.example.com/acme/walls:1"))},
		},
		Errors: []probetest.Failure{
			refused("networking.k8s.io", "networkpolicies"), refused("", "namespaces"), refused("", "pods"), refused("apps", "daemonsets"),
			{Name: "not all seen", Says: []string{"only the namespace a"}, New: func(t *testing.T) probes.Probe {
				return kube.NewBinds(clusterOf(t, walls, removeKind("NetworkPolicy")).Narrow("only the namespace a"), params)
			}},
			{Name: "no plugin that is known", Says: []string{"no DaemonSet", "under enforcers"}, New: world(remove("DaemonSet", "kindnet"))},
			{Name: "of another shape", Says: []string{"decoding networkpolicy data-platform/minio-access"}, New: world(edit("NetworkPolicy", "minio-access", set("all", "spec", "ingress")))},
		},
	}.Run(t)
}

func TestBindsParams(t *testing.T) {
	w := kube.WorkloadRef{Kind: "Deployment", Namespace: "a", Name: "b"}
	for name, c := range map[string]struct {
		p    kube.BindsParams
		says string
	}{
		"nothing":            {kube.BindsParams{}, "no part is asked"},
		"hosts":              {kube.BindsParams{Ingresses: &kube.IngressPart{}}, ""},
		"no policies":        {kube.BindsParams{Policies: &kube.PolicyPart{}}, "nothing is asked"},
		"enforcers of none":  {kube.BindsParams{Policies: &kube.PolicyPart{Everywhere: true, Enforcers: []string{"a/b"}}}, "for enforced"},
		"enforcer with tag":  {kube.BindsParams{Policies: &kube.PolicyPart{Enforced: true, Enforcers: []string{"a/b:1"}}}, "no repository"},
		"workloads":          {kube.BindsParams{Workloads: []kube.WorkloadRef{w}}, ""},
		"twice":              {kube.BindsParams{Workloads: []kube.WorkloadRef{w, w}}, "named twice"},
		"no name":            {kube.BindsParams{Workloads: []kube.WorkloadRef{{Kind: "Deployment", Namespace: "a"}}}, "needs a namespace and a name"},
		"one on every node":  {kube.BindsParams{Workloads: []kube.WorkloadRef{{Kind: "DaemonSet", Namespace: "a", Name: "b"}}}, "kind must be"},
		"everything of size": {kube.BindsParams{Budgets: &kube.Scope{}, Quotas: &kube.Scope{}, Scalers: &kube.Scope{}, Monitors: &kube.Scope{}, Services: &kube.Scope{}}, ""},
	} {
		err := c.p.Validate()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
