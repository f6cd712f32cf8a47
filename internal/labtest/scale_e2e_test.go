//go:build e2e

package labtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/254carbon/gonogo/internal/labtest"
)

// TestScale brings up a large cluster, and wants its nodes to stay Ready: a lab in
// which heartbeats come too late would fail tests that have no fault.
func TestScale(t *testing.T) {
	ctx := t.Context()
	const nodes, pods = 1000, 10000
	lab := labtest.Start(t, labtest.Options{KWOK: true})
	took, err := lab.Scale(ctx, nodes, pods)
	check(t, err)
	t.Logf("%d nodes Ready in %v, then %d pods Running in %v", nodes, took.Nodes.Round(time.Second), pods, took.Pods.Round(time.Second))
	list, err := lab.Kube().CoreV1().Pods("scale").List(ctx, metav1.ListOptions{})
	check(t, err)
	if len(list.Items) != pods {
		t.Errorf("got %d pods, want %d", len(list.Items), pods)
	}
	addresses := make(map[string]bool)
	for _, pod := range list.Items {
		addresses[pod.Status.PodIP] = true
	}
	if len(addresses) != pods {
		t.Errorf("the pods have %d addresses", len(addresses))
	}
	// Each node became Ready once, and the grace period passes once more without
	// one that is late.
	for range 2 {
		check(t, readyOnce(ctx, lab))
		select {
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		case <-time.After(25 * time.Second):
		}
	}
	check(t, readyOnce(ctx, lab))
}

// readyOnce is an error when a node is not Ready, or was not all the time since it
// became so.
func readyOnce(ctx context.Context, lab *labtest.Lab) error {
	list, err := lab.Kube().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	const patience = 15 * time.Second // from creation to the first Ready
	var late []error
	for _, node := range list.Items {
		for _, condition := range node.Status.Conditions {
			if condition.Type != corev1.NodeReady {
				continue
			}
			after := condition.LastTransitionTime.Sub(node.CreationTimestamp.Time)
			if condition.Status != corev1.ConditionTrue || after > patience {
				late = append(late, fmt.Errorf("%s is %s since %v after its creation", node.Name, condition.Status, after))
			}
		}
	}
	return errors.Join(late...)
}
