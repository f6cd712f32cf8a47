package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

// pullLimit bounds how long the nodes may take for the pull that is tried.
const pullLimit = 5 * time.Minute

// tryPull is the data of the step that tries a pull.
type tryPull struct {
	Image string `json:"image"`
	Label string `json:"label"`
}

const canaryLabel = "gonogo.254carbon.com/canary"

// canary plans a pull of one image, the smallest that the workloads want, on every node, and what removes its pods again.
func (p *planner) canary(todo []Rewrite, needs map[string][]string) (cleanup actions.Step, err error) {
	best, size := "", int64(-1)
	var needed []string
	for _, r := range todo {
		for _, c := range r.Changes {
			copied, ok := p.copied(c.From)
			if !ok {
				continue
			}
			if n := p.sizes[copied.Key]; size < 0 || n < size || n == size && c.To < best {
				best, size = c.To, n
				needed = nil
				if slices.Contains(needs[r.place()], key("copy", copied.Key)) {
					needed = []string{key("copy", copied.Key)}
				}
			}
		}
	}
	if _, ok := p.plan.Step(key("pull-secret", p.Canary)); ok {
		needed = append(needed, key("pull-secret", p.Canary))
	}
	data, err := json.Marshal(tryPull{Image: best, Label: "mirror"})
	if err != nil {
		return cleanup, err
	}
	p.step(actions.Step{
		ID: "canary", Title: "Try a pull of " + best + " on every node", Target: "pods in " + p.Canary, Effect: actions.Creates, Needs: needed,
		Detail: []string{"before any workload is touched; the pods do nothing and are removed again"}, Data: data,
	})
	return actions.Step{
		ID: "canary-cleanup", Title: "Remove the pods of that try", Target: "pods in " + p.Canary, Effect: actions.Updates, Needs: []string{"canary"}, Cleanup: true, Data: data,
	}, nil
}

// tryNodes creates a pod on every node that takes pods, and waits until each has pulled the image.
func (d *doer) tryNodes(ctx context.Context, t tryPull, r actions.Reporter) error {
	ctx, cancel := context.WithTimeoutCause(ctx, pullLimit, fmt.Errorf("not every node has pulled it within %s", pullLimit))
	defer cancel()
	all, err := d.Cluster.List(ctx, nodes, "")
	if err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	waiting := map[string]string{} // pods, by node
	for _, n := range all {
		if !takesPods(n) {
			continue
		}
		pod := d.canaryPod(n.GetName(), t)
		if known, err := d.Cluster.Get(ctx, pods, d.Canary, pod.GetName()); err != nil {
			return err
		} else if known == nil {
			if _, err := d.Cluster.Create(ctx, pods, pod); err != nil {
				return fmt.Errorf("creating a pod on %s: %w", n.GetName(), err)
			}
		}
		waiting[n.GetName()] = pod.GetName()
	}
	if len(waiting) == 0 {
		return errors.New("no node takes pods")
	}
	total := int64(len(waiting))
	for len(waiting) > 0 {
		if err := d.Pause(ctx, lookAgain); err != nil {
			return context.Cause(ctx)
		}
		for node, pod := range waiting {
			o, err := d.Cluster.Get(ctx, pods, d.Canary, pod)
			if err != nil {
				return err
			}
			pulled, why := pullOf(o)
			if why != "" {
				return fmt.Errorf("%s cannot pull %s: %s", node, t.Image, probes.Clean(why, 400))
			}
			if pulled {
				delete(waiting, node)
				r.Log(node + " has pulled " + t.Image)
				r.Progress(actions.Amount{Units: total - int64(len(waiting))}, actions.Amount{Units: total})
			}
		}
	}
	return nil
}

// takesPods reports whether a node is ready, not cordoned, and without taints that keep pods away.
func takesPods(n *unstructured.Unstructured) bool {
	if cordoned, _, _ := unstructured.NestedBool(n.Object, "spec", "unschedulable"); cordoned {
		return false
	}
	taints, _, _ := unstructured.NestedSlice(n.Object, "spec", "taints")
	for _, item := range taints {
		if m, ok := item.(map[string]any); ok && m["effect"] != "PreferNoSchedule" {
			return false
		}
	}
	conditions, _, _ := unstructured.NestedSlice(n.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(item any) bool {
		m, ok := item.(map[string]any)
		return ok && m["type"] == "Ready" && m["status"] == "True"
	})
}

// canaryPod is a pod that is put on a node to have it pull an image.
func (d *doer) canaryPod(node string, t tryPull) *unstructured.Unstructured {
	name := "gonogo-pull-" + d.run + "-" + strings.ToLower(strings.ReplaceAll(node, "_", "-"))
	if len(name) > 200 {
		name = name[:200]
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"namespace": d.Canary, "name": name, "labels": map[string]any{canaryLabel: t.Label, "app.kubernetes.io/managed-by": "gonogo"}},
		"spec": map[string]any{
			"nodeName": node, "restartPolicy": "Never", "automountServiceAccountToken": false, "activeDeadlineSeconds": int64(pullLimit / time.Second),
			"terminationGracePeriodSeconds": int64(0), "imagePullSecrets": []any{map[string]any{"name": d.PullSecret}},
			"containers": []any{map[string]any{
				"name": "pull", "image": t.Image, "imagePullPolicy": "Always", "command": []any{"true"},
				"resources":       map[string]any{"requests": map[string]any{"cpu": "1m", "memory": "8Mi"}, "limits": map[string]any{"cpu": "100m", "memory": "64Mi"}},
				"securityContext": map[string]any{"allowPrivilegeEscalation": false, "capabilities": map[string]any{"drop": []any{"ALL"}}},
			}},
		},
	}}
}

// pullOf tells whether a pod's image was pulled, or why it cannot be. What the container does then does not matter.
func pullOf(pod *unstructured.Unstructured) (pulled bool, why string) {
	if pod == nil {
		return false, "somebody removed its pod"
	}
	states, _, _ := unstructured.NestedSlice(pod.Object, "status", "containerStatuses")
	for _, item := range states {
		m, _ := item.(map[string]any)
		reason, _, _ := unstructured.NestedString(m, "state", "waiting", "reason")
		message, _, _ := unstructured.NestedString(m, "state", "waiting", "message")
		_, running, _ := unstructured.NestedMap(m, "state", "running")
		_, ended, _ := unstructured.NestedMap(m, "state", "terminated")
		switch {
		case running || ended:
			return true, ""
		case reason == "ImagePullBackOff" || reason == "ErrImagePull" || reason == "InvalidImageName" || reason == "ErrImageNeverPull":
			return false, strings.TrimSuffix(reason+": "+message, ": ")
		case reason != "" && reason != "ContainerCreating" && reason != "PodInitializing":
			return true, "" // it failed at something that comes after the pull
		}
	}
	phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
	if phase == "Failed" {
		reason, _, _ := unstructured.NestedString(pod.Object, "status", "reason")
		message, _, _ := unstructured.NestedString(pod.Object, "status", "message")
		return false, "its pod failed: " + reason + " " + message
	}
	return phase == "Running" || phase == "Succeeded", ""
}

// removePods removes the pods of a try, and returns when they are gone.
func (d *doer) removePods(ctx context.Context, t tryPull) error {
	for {
		left, err := d.canaryPods(ctx, t)
		if err != nil || len(left) == 0 {
			return err
		}
		for _, o := range left {
			if err := d.Cluster.Delete(ctx, pods, d.Canary, o.GetName()); err != nil {
				return fmt.Errorf("removing the pod %s: %w", o.GetName(), err)
			}
		}
		if err := d.Pause(ctx, lookAgain); err != nil {
			return context.Cause(ctx)
		}
	}
}

func (d *doer) canaryPods(ctx context.Context, t tryPull) ([]*unstructured.Unstructured, error) {
	all, err := d.Cluster.List(ctx, pods, d.Canary)
	if err != nil {
		return nil, fmt.Errorf("listing pods in %s: %w", d.Canary, err)
	}
	return slices.DeleteFunc(slices.Clone(all), func(o *unstructured.Unstructured) bool { return o.GetLabels()[canaryLabel] != t.Label }), nil
}
