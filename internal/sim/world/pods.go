package world

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// board is what the workload controllers know of the cluster while they go through the workloads.
type board struct {
	byOwner map[string][]object // living pods by namespace, owner kind and name
	load    map[string]int      // pods on each node
	used    map[string]bool     // pod addresses
	open    []string            // nodes that take pods
	nodes   []object
}

func ownerOf(o object) object {
	for _, item := range list(o, "metadata", "ownerReferences") {
		if m, ok := item.(object); ok && m["controller"] == true {
			return m
		}
	}
	return object{}
}

func ownerKey(namespace, kind, name string) string { return namespace + "/" + kind + "/" + name }

func (c *controllers) board() (*board, error) {
	b := &board{byOwner: map[string][]object{}, load: map[string]int{}, used: map[string]bool{}}
	all, err := c.all(pods, "")
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		o := ownerOf(p)
		key := ownerKey(namespace(p), text(o, "kind"), text(o, "name"))
		b.byOwner[key] = append(b.byOwner[key], p)
		b.load[text(p, "spec", "nodeName")]++
		b.used[text(p, "status", "podIP")] = true
	}
	if b.open, err = c.schedulable(); err != nil {
		return nil, err
	}
	b.nodes, err = c.all(nodes, "")
	return b, err
}

// workloads gives every workload its pods and its status.
func (c *controllers) workloads() error {
	b, err := c.board()
	if err != nil {
		return err
	}
	for _, kind := range []struct {
		resource schema.GroupVersionResource
		run      func(*board, object) error
	}{{deployments, c.deployment}, {statefulSets, c.statefulSet}, {daemonSets, c.daemonSet}} {
		all, err := c.all(kind.resource, "")
		if err != nil {
			return err
		}
		for _, w := range all {
			if err := kind.run(b, w); err != nil {
				return fmt.Errorf("%s %s: %w", w["kind"], nameOf(w), err)
			}
		}
	}
	return c.orphans(b)
}

// orphans removes the ReplicaSets and pods of workloads that are gone.
func (c *controllers) orphans(b *board) error {
	sets, err := c.all(replicaSets, "")
	if err != nil {
		return err
	}
	for _, set := range sets {
		owner := text(ownerOf(set), "name")
		d, err := c.get(deployments, namespace(set), owner)
		if d == nil && owner != "" && err == nil {
			err = c.remove(replicaSets, set)
		}
		if err != nil {
			return err
		}
	}
	for _, key := range sortedKeys(b.byOwner) {
		ns, rest, _ := strings.Cut(key, "/")
		kind, owner, _ := strings.Cut(rest, "/")
		r, known := map[string]schema.GroupVersionResource{"ReplicaSet": replicaSets, statefulSet: statefulSets, daemonSet: daemonSets}[kind]
		if !known {
			continue
		}
		o, err := c.get(r, ns, owner)
		if o == nil && err == nil {
			err = c.removeAll(b.byOwner[key])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *controllers) removeAll(list []object) error {
	for _, p := range list {
		if err := c.remove(pods, p); err != nil {
			return err
		}
	}
	return nil
}

// templateHash names a pod template.
func templateHash(w object) string {
	raw, err := json.Marshal(look(w, "spec", "template"))
	if err != nil {
		return "unknown"
	}
	return hash(string(raw))
}

func desired(w object) int {
	if look(w, "spec", "replicas") == nil {
		return 1
	}
	return number(w, "spec", "replicas")
}

// deployment keeps one ReplicaSet for the newest template and, unless the rollout is paused, no pod of an older one.
func (c *controllers) deployment(b *board, d object) error {
	current := templateHash(d)
	set := name(d) + "-" + current
	olds, err := c.oldSets(d, set)
	if err != nil {
		return err
	}
	paused := look(d, "spec", "paused") == true && len(olds) > 0
	mine := b.byOwner[ownerKey(namespace(d), "ReplicaSet", set)]
	var before []object
	for _, old := range olds {
		before = append(before, b.byOwner[ownerKey(namespace(d), "ReplicaSet", name(old))]...)
	}
	if !paused {
		if err := c.ensureSet(d, set, current); err != nil {
			return err
		}
		if mine, err = c.scale(b, d, mine, "ReplicaSet", set, map[string]string{"pod-template-hash": current}); err != nil {
			return err
		}
		for _, old := range olds {
			if err := c.remove(replicaSets, old); err != nil {
				return err
			}
		}
		if err := c.removeAll(before); err != nil {
			return err
		}
		before = nil
	}
	return c.deploymentStatus(d, mine, before)
}

func (c *controllers) oldSets(d object, current string) ([]object, error) {
	all, err := c.all(replicaSets, namespace(d))
	if err != nil {
		return nil, err
	}
	var olds []object
	for _, s := range all {
		if text(ownerOf(s), "name") == name(d) && name(s) != current {
			olds = append(olds, s)
		}
	}
	return olds, nil
}

func (c *controllers) ensureSet(d object, set, current string) error {
	n := desired(d)
	old, err := c.get(replicaSets, namespace(d), set)
	if err != nil || old != nil && number(old, "spec", "replicas") == n {
		return err
	}
	template, _ := look(d, "spec", "template").(object)
	labels := map[string]string{"pod-template-hash": current}
	for k, v := range sub(template, "metadata", "labels") {
		labels[k], _ = v.(string)
	}
	rs := create("apps/v1", "ReplicaSet", namespace(d), set, labels, object{
		"spec":   object{"replicas": n, "selector": object{"matchLabels": anyMap(labels)}, "template": template},
		"status": object{"replicas": n, "readyReplicas": n, "availableReplicas": n, "observedGeneration": 1},
	})
	sub(rs, "metadata")["ownerReferences"] = []any{ownerReference(d)}
	_, err = c.apply(replicaSets, rs)
	return err
}

func ownerReference(o object) object {
	return object{"apiVersion": o["apiVersion"], "kind": o["kind"], "name": name(o), "uid": text(o, "metadata", "uid"), "controller": true, "blockOwnerDeletion": true}
}

// scale makes the number of pods what is desired: missing ones are placed, the last of too many are removed.
func (c *controllers) scale(b *board, w object, mine []object, ownerKind, owner string, labels map[string]string) ([]object, error) {
	var living []object
	for _, p := range mine {
		if phase := text(p, "status", "phase"); phase != "Succeeded" && phase != "Failed" {
			living = append(living, p)
		}
	}
	n := desired(w)
	for len(living) > n {
		last := living[len(living)-1]
		if err := c.remove(pods, last); err != nil {
			return nil, err
		}
		living = living[:len(living)-1]
	}
	taken := map[string]bool{}
	for _, p := range living {
		taken[name(p)] = true
	}
	for i := 0; len(living) < n; i++ {
		podName := owner + "-" + hash(fmt.Sprintf("%s/%s/%d", namespace(w), owner, i))[:5]
		if ownerKind == statefulSet {
			podName = fmt.Sprintf("%s-%d", owner, i)
		}
		if taken[podName] {
			continue
		}
		p, err := c.place(b, w, podName, b.pick(living), ownerKind, owner, labels)
		if err != nil {
			return nil, err
		}
		living = append(living, p)
	}
	return living, nil
}

// pick chooses a node: the one with the fewest pods of the same workload, then with the fewest pods; none if no node takes pods.
func (b *board) pick(siblings []object) string {
	same := map[string]int{}
	for _, p := range siblings {
		same[text(p, "spec", "nodeName")]++
	}
	best := ""
	for _, n := range b.open {
		if best == "" || same[n] < same[best] || same[n] == same[best] && b.load[n] < b.load[best] {
			best = n
		}
	}
	return best
}

func readyCount(list []object) int {
	n := 0
	for _, p := range list {
		if conditionIs(p, "Ready", "True") {
			n++
		}
	}
	return n
}

func (c *controllers) deploymentStatus(d object, current, before []object) error {
	total, ready := len(current)+len(before), readyCount(current)+readyCount(before)
	return c.edit(deployments, d, func(d object) {
		s := sub(d, "status")
		s["observedGeneration"], s["replicas"], s["updatedReplicas"] = number(d, "metadata", "generation"), total, len(current)
		s["readyReplicas"], s["availableReplicas"] = ready, ready
		delete(s, "unavailableReplicas")
		available := condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", c.now)
		if missing := desired(d) - ready; missing > 0 {
			s["unavailableReplicas"] = missing
			if missing > desired(d)/4 {
				available = condition("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.", c.now)
			}
		}
		setCondition(d, available)
		if !conditionIs(d, "Progressing", "False") {
			setCondition(d, condition("Progressing", "True", "NewReplicaSetAvailable", fmt.Sprintf("ReplicaSet %q has successfully progressed.", name(d)+"-"+templateHash(d)), c.now))
		}
	})
}

// statefulSet keeps pods of the newest template, with stable names.
func (c *controllers) statefulSet(b *board, s object) error {
	revision := name(s) + "-" + templateHash(s)
	mine := b.byOwner[ownerKey(namespace(s), statefulSet, name(s))]
	sort.Slice(mine, func(i, j int) bool { return name(mine[i]) < name(mine[j]) })
	var current []object
	for _, p := range mine {
		if text(p, "metadata", "labels", "controller-revision-hash") == revision {
			current = append(current, p)
		} else if err := c.remove(pods, p); err != nil {
			return err
		}
	}
	current, err := c.scale(b, s, current, statefulSet, name(s), map[string]string{"controller-revision-hash": revision})
	if err != nil {
		return err
	}
	return c.edit(statefulSets, s, func(s object) {
		status := sub(s, "status")
		n, ready := len(current), readyCount(current)
		status["observedGeneration"], status["replicas"], status["readyReplicas"] = number(s, "metadata", "generation"), n, ready
		status["availableReplicas"], status["currentReplicas"], status["updatedReplicas"] = ready, n, n
		status["currentRevision"], status["updateRevision"] = revision, revision
	})
}

// daemonSet keeps one pod on every node that its selector allows and that has no taint, cordoned or not.
func (c *controllers) daemonSet(b *board, d object) error {
	revision := name(d) + "-" + templateHash(d)
	on := map[string]object{}
	for _, p := range b.byOwner[ownerKey(namespace(d), daemonSet, name(d))] {
		on[text(p, "spec", "nodeName")] = p
	}
	selector, _ := look(d, "spec", "template", "spec", "nodeSelector").(object)
	var current []object
	for _, n := range b.nodes {
		tolerated := len(list(n, "spec", "taints")) == 0 || namespace(d) == "kube-system"
		if !tolerated || !matches(n, selector) {
			continue
		}
		p := on[name(n)]
		delete(on, name(n))
		if p != nil && text(p, "metadata", "labels", "controller-revision-hash") != revision {
			if err := c.remove(pods, p); err != nil {
				return err
			}
			p = nil
		}
		if p == nil {
			var err error
			podName := name(d) + "-" + hash(nameOf(d) + "/" + name(n))[:5]
			if p, err = c.place(b, d, podName, name(n), daemonSet, name(d), map[string]string{"controller-revision-hash": revision}); err != nil {
				return err
			}
		}
		current = append(current, p)
	}
	for _, node := range sortedKeys(on) { // of nodes that are not its own any more
		if err := c.remove(pods, on[node]); err != nil {
			return err
		}
	}
	return c.edit(daemonSets, d, func(d object) {
		s := sub(d, "status")
		n, ready := len(current), readyCount(current)
		s["observedGeneration"], s["desiredNumberScheduled"], s["currentNumberScheduled"] = number(d, "metadata", "generation"), n, n
		s["updatedNumberScheduled"], s["numberReady"], s["numberAvailable"], s["numberMisscheduled"] = n, ready, ready, 0
	})
}
