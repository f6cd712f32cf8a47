package cluster

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/254carbon/gonogo/internal/sim/kubeapi"
)

func node(name string) *corev1.Node {
	return &corev1.Node{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{"kubernetes.io/hostname": name}, Annotations: map[string]string{"a": "b"},
		},
		Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
			Images:     []corev1.ContainerImage{{Names: []string{"a/b:c"}, SizeBytes: 1}},
		},
	}
}

func TestNodesFollowTheCluster(t *testing.T) {
	a := newAPI(t, kubeapi.Options{})
	a.add(t, node("b"), node("a"))
	c := connect(t, a.URL, quick())
	woken := make(chan struct{}, 100)
	stop := c.Watch(nodesResource, func() { woken <- struct{}{} })
	seen, err := c.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(seen.Items) != 2 || seen.Items[0].Name != "a" || seen.Items[1].Name != "b" || seen.Note != "" || seen.Confirmed.IsZero() {
		t.Fatalf("saw %+v", seen)
	}
	if n := seen.Items[0]; n.Status.Images != nil || n.Annotations != nil || n.ManagedFields != nil || n.Labels["kubernetes.io/hostname"] != "a" {
		t.Errorf("the node is not stripped, or too much: %+v", n)
	}
	<-woken
	first := seen.Confirmed
	a.add(t, node("c"))
	<-woken
	if seen, err = c.Nodes(t.Context()); err != nil || len(seen.Items) != 3 || !seen.Confirmed.After(first) {
		t.Errorf("after a node was added: %d nodes, confirmed %v after %v, %v", len(seen.Items), seen.Confirmed, first, err)
	}
	if err := a.sim.Store().Delete(nodesResource, "", "a"); err != nil {
		t.Fatal(err)
	}
	<-woken
	if seen, err = c.Nodes(t.Context()); err != nil || len(seen.Items) != 2 || seen.Items[0].Name != "b" {
		t.Errorf("after a node was deleted: %+v, %v", seen.Items, err)
	}
	stop()
	lists := 0
	for _, r := range a.requests() {
		if !strings.Contains(r.Query, "watch=true") {
			lists++
		}
	}
	if lists != 0 {
		t.Errorf("%d list requests beside the watch", lists)
	}
}
