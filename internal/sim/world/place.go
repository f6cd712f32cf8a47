package world

import (
	"fmt"
	"strings"
	"time"
)

// place creates a pod, running if it has a node.
func (c *controllers) place(b *board, w object, podName, node, ownerKind, owner string, labels map[string]string) (object, error) {
	template, _ := look(w, "spec", "template").(object)
	spec := deepCopy(sub(deepCopy(template), "spec"))
	all := map[string]string{}
	for k, v := range sub(deepCopy(template), "metadata", "labels") {
		all[k], _ = v.(string)
	}
	for k, v := range labels {
		all[k] = v
	}
	if all["replication"] == "streaming" {
		all["role"] = "standby"
		if strings.HasSuffix(podName, "-0") {
			all["role"] = "primary"
		}
	}
	status := object{"phase": "Pending", "conditions": []any{
		condition("PodScheduled", "False", "Unschedulable", "0 nodes are available", c.now),
	}}
	if node != "" {
		spec["nodeName"] = node
		status = runningStatus(spec, b.address(node, namespace(w)+"/"+podName), c.since)
		if why := c.cannotPull(namespace(w), spec); why != "" {
			status = waitingStatus(spec, why, c.since)
		}
	}
	p := create("v1", "Pod", namespace(w), podName, all, object{"spec": spec, "status": status})
	ref := ownerReference(w)
	if ownerKind == "ReplicaSet" {
		set, err := c.get(replicaSets, namespace(w), owner)
		if err != nil {
			return nil, err
		}
		ref = ownerReference(set)
	}
	sub(p, "metadata")["ownerReferences"] = []any{ref}
	sub(p, "metadata")["creationTimestamp"] = stamp(c.since)
	sub(p, "metadata")["uid"] = uid("Pod", nameOf(p)+" "+stamp(c.since)) // another one of the same name is another one
	b.load[node]++
	return c.apply(pods, p)
}

func deepCopy(o object) object {
	out := make(object, len(o))
	for k, v := range o {
		out[k] = copyValue(v)
	}
	return out
}

func copyValue(v any) any {
	switch v := v.(type) {
	case object:
		return deepCopy(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = copyValue(v[i])
		}
		return out
	}
	return v
}

// address gives a pod an address of its node's range that no other pod has.
func (b *board) address(node, pod string) string {
	prefix := "10.244.0."
	for _, n := range b.nodes {
		if cidr := text(n, "spec", "podCIDR"); name(n) == node && cidr != "" {
			prefix = cidr[:strings.LastIndex(cidr, ".")+1]
		}
	}
	start := int(digest(pod)[7]) * int(digest(pod)[8]) % 250
	for i := range 250 {
		if ip := fmt.Sprintf("%s%d", prefix, 2+(start+i)%250); !b.used[ip] {
			b.used[ip] = true
			return ip
		}
	}
	return prefix + "254"
}

// runningStatus is the status of a pod whose containers all run.
func runningStatus(spec object, ip string, since time.Time) object {
	var states []any
	for _, item := range list(spec, "containers") {
		m, _ := item.(object)
		image, _ := m["image"].(string)
		states = append(states, object{
			"name": m["name"], "image": image, "imageID": imageID(image), "ready": true, "started": true, "restartCount": 0,
			"state": object{"running": object{"startedAt": stamp(since)}},
		})
	}
	return object{
		"phase": "Running", "podIP": ip, "startTime": stamp(since), "containerStatuses": states,
		"conditions": []any{
			condition("PodScheduled", "True", "", "", since), condition("Initialized", "True", "", "", since),
			condition("ContainersReady", "True", "", "", since), condition("Ready", "True", "", "", since),
		},
	}
}
