package world

import (
	"fmt"
	"sort"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// controllers are the simulated ones, at one moment.
type controllers struct {
	store Store
	now   time.Time
	since time.Time // what new pods say of their start
	pull  Pull      // nil: every image is there
	cache map[schema.GroupVersionResource][]object
}

// all returns the objects of a resource in a namespace, or everywhere. They are read once in a tick, until something of the resource is
// written, and must not be changed.
func (c *controllers) all(r schema.GroupVersionResource, in string) ([]object, error) {
	known, ok := c.cache[r]
	if !ok {
		var err error
		if known, err = c.store.List(r, "", nil); err != nil {
			return nil, err
		}
		if c.cache == nil {
			c.cache = map[schema.GroupVersionResource][]object{}
		}
		c.cache[r] = known
	}
	if in == "" {
		return known, nil
	}
	var some []object
	for _, o := range known {
		if namespace(o) == in {
			some = append(some, o)
		}
	}
	return some, nil
}

// get returns an object, or nil if there is none.
func (c *controllers) get(r schema.GroupVersionResource, in, called string) (object, error) {
	known, err := c.all(r, "")
	if err != nil {
		return nil, err
	}
	for _, o := range known {
		if name(o) == called && namespace(o) == in {
			return o, nil
		}
	}
	return nil, nil
}

// apply creates or replaces an object.
func (c *controllers) apply(r schema.GroupVersionResource, o object) (object, error) {
	delete(c.cache, r)
	return c.store.Apply(o)
}

// edit changes an object, if the change makes any difference; one that is gone meanwhile needs no change.
func (c *controllers) edit(r schema.GroupVersionResource, o object, change func(object)) error {
	draft := deepCopy(o)
	if change(draft); same(o, draft) {
		return nil
	}
	delete(c.cache, r)
	_, err := c.store.Mutate(r, namespace(o), name(o), change)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (c *controllers) remove(r schema.GroupVersionResource, o object) error {
	delete(c.cache, r)
	err := c.store.Delete(r, namespace(o), name(o))
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// heartbeatEvery and leaseEvery are how often a kubelet reports what has not changed, and that it lives.
const (
	heartbeatEvery = 5 * time.Minute
	leaseEvery     = 10 * time.Second
)

// heartbeats plays the kubelets and the leaders of the control plane. A node that is not Ready is left to whoever made it so.
func (c *controllers) heartbeats() error {
	all, err := c.all(nodes, "")
	if err != nil {
		return err
	}
	for _, n := range all {
		if !conditionIs(n, "Ready", "True") || c.halted("kubelet/"+name(n)) {
			continue
		}
		if err := c.renew("kube-node-lease", name(n)); err != nil {
			return err
		}
		if err := c.beat(n); err != nil {
			return err
		}
	}
	leaders, err := c.all(leases, "kube-system")
	if err != nil {
		return err
	}
	for _, l := range leaders {
		if err := c.renew("kube-system", name(l)); err != nil {
			return err
		}
	}
	return nil
}

func (c *controllers) renew(namespace, name string) error {
	l, err := c.get(leases, namespace, name)
	if err != nil {
		return err
	}
	if l == nil {
		if namespace != "kube-node-lease" {
			return nil
		}
		_, err := c.apply(leases, lease(namespace, name, nil, name, 40, c.now))
		return err
	}
	if c.now.Sub(parseTime(text(l, "spec", "renewTime"))) < leaseEvery {
		return nil
	}
	return c.edit(leases, l, func(l object) { sub(l, "spec")["renewTime"] = microStamp(c.now) })
}

func (c *controllers) beat(n object) error {
	due := false
	for _, item := range list(n, "status", "conditions") {
		m, _ := item.(object)
		due = due || m["type"] == "Ready" && c.now.Sub(parseTime(text(m, "lastHeartbeatTime"))) >= heartbeatEvery
	}
	if !due {
		return nil
	}
	return c.edit(nodes, n, func(n object) {
		for _, item := range list(n, "status", "conditions") {
			if m, ok := item.(object); ok {
				m["lastHeartbeatTime"] = stamp(c.now)
			}
		}
	})
}

// evictAfter is how long pods stay bound to a node that is not Ready.
const evictAfter = 5 * time.Minute

// evictions plays the node lifecycle: pods of a node that is gone are gone, pods of one that is not Ready are not ready, and are replaced
// after a while.
func (c *controllers) evictions() error {
	known, err := c.all(nodes, "")
	if err != nil {
		return err
	}
	byName := map[string]object{}
	for _, n := range known {
		byName[name(n)] = n
	}
	all, err := c.all(pods, "")
	if err != nil {
		return err
	}
	for _, p := range all {
		node := text(p, "spec", "nodeName")
		n := byName[node]
		switch {
		case node == "":
		case n == nil:
			err = c.remove(pods, p)
		case !conditionIs(n, "Ready", "True"):
			err = c.strand(p, n)
		case text(p, "status", "reason") == "NodeLost":
			err = c.edit(pods, p, func(p object) {
				delete(sub(p, "status"), "reason")
				setCondition(p, condition("Ready", "True", "", "", c.now))
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// strand marks a pod whose node does not answer, and removes it in the end unless it belongs there.
func (c *controllers) strand(p, node object) error {
	owner := ownerOf(p)
	lost := c.now
	for _, item := range list(node, "status", "conditions") {
		if m, ok := item.(object); ok && m["type"] == "Ready" {
			lost = parseTime(text(m, "lastTransitionTime"))
		}
	}
	if text(owner, "kind") == "ReplicaSet" && c.now.Sub(lost) >= evictAfter {
		return c.remove(pods, p)
	}
	if !conditionIs(p, "Ready", "True") {
		return nil
	}
	return c.edit(pods, p, func(p object) {
		sub(p, "status")["reason"] = "NodeLost"
		setCondition(p, condition("Ready", "False", "NodeLost", fmt.Sprintf("node %s does not answer", name(node)), c.now))
	})
}

// schedulable returns the names of the nodes that take new pods, sorted.
func (c *controllers) schedulable() ([]string, error) {
	all, err := c.all(nodes, "")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range all {
		if conditionIs(n, "Ready", "True") && look(n, "spec", "unschedulable") != true && len(list(n, "spec", "taints")) == 0 {
			names = append(names, name(n))
		}
	}
	sort.Strings(names)
	return names, nil
}
