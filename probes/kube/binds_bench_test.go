package kube_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
)

// large is a cluster whose pods are in memory already, as those of a watch are.
type large struct {
	*kubefake.Cluster
	pods map[string][]*kube.Pod
}

func (l large) Pods(_ context.Context, namespace string) (probes.Seen[*kube.Pod], error) {
	return probes.Seen[*kube.Pod]{Items: l.pods[namespace]}, nil
}

// BenchmarkBinds asks again after a change in a cluster of 10,000 pods in 10 namespaces, with 200 policies and 200 disruption budgets, of
// which the last of each selects nothing.
func BenchmarkBinds(b *testing.B) {
	l := large{kubefake.New(), map[string][]*kube.Pod{}}
	for i := range 10 {
		ns := fmt.Sprintf("team-%d", i)
		l.Add(object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": ns, "labels": object{"name": ns}}})
		for app := range 20 {
			shared := map[string]string{"app": fmt.Sprintf("app-%d", app), "pod-template-hash": "7d9f", "team": ns}
			for p := range 50 {
				l.pods[ns] = append(l.pods[ns], &kube.Pod{Namespace: ns, Name: fmt.Sprintf("app-%d-%d", app, p), Ready: true, Labels: shared})
			}
		}
		for p := range 20 {
			selector := object{"matchLabels": object{"app": fmt.Sprintf("app-%d", p)}}
			if p == 19 {
				selector = object{"matchLabels": object{"app": "nobody"}}
			}
			l.Add(object{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": object{"namespace": ns, "name": fmt.Sprint("p", p)}, "spec": object{
				"podSelector": selector, "ingress": []any{object{"from": []any{object{"namespaceSelector": object{"matchLabels": object{"name": "team-9"}}}}}},
			}})
			l.Add(object{"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": object{"namespace": ns, "name": fmt.Sprint("b", p)},
				"spec": object{"selector": selector}, "status": object{"disruptionsAllowed": int64(1), "expectedPods": int64(50)}})
		}
	}
	probe := kube.NewBinds(l, kube.BindsParams{Policies: &kube.PolicyPart{Everywhere: true}, Budgets: &kube.Scope{}})
	for b.Loop() {
		if _, err := probe.Observe(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
