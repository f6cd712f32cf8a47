package world

import (
	"fmt"
	"strings"
	"time"
)

// kubelets play what happens on the nodes to pods that nobody placed, and to those that wait for their image.
func (c *controllers) kubelets() error {
	if c.pull == nil {
		return nil
	}
	all, err := c.all(pods, "")
	if err != nil {
		return err
	}
	for _, p := range all {
		if p, err = c.schedule(p); err != nil {
			return err
		}
		spec, _ := p["spec"].(object)
		alone := len(list(p, "metadata", "ownerReferences")) == 0 && len(list(p, "status", "containerStatuses")) == 0 && text(p, "spec", "nodeName") != ""
		if !alone && !waits(p) {
			continue
		}
		status := waitingStatus(spec, c.cannotPull(namespace(p), spec), c.now)
		if why := c.cannotPull(namespace(p), spec); why == "" && len(list(p, "metadata", "ownerReferences")) == 0 {
			if status = endedStatus(spec, c.now); text(p, "spec", "restartPolicy") == "Always" {
				status = runningStatus(spec, "10.244.0."+hash(nameOf(p))[:2], c.now)
			}
			if err := c.mount(p); err != nil {
				return err
			}
		} else if why == "" {
			status = runningStatus(spec, "10.244.0."+hash(nameOf(p))[:2], c.now)
		}
		if err := c.edit(pods, p, func(p object) { p["status"] = status }); err != nil {
			return err
		}
	}
	return nil
}

// schedule places a pod of no workload that asks for no node.
func (c *controllers) schedule(p object) (object, error) {
	if len(list(p, "metadata", "ownerReferences")) > 0 || text(p, "spec", "nodeName") != "" {
		return p, nil
	}
	open, err := c.schedulable()
	if err != nil || len(open) == 0 {
		return p, err
	}
	placed := deepCopy(p)
	sub(placed, "spec")["nodeName"] = open[0]
	return placed, c.edit(pods, p, func(p object) { sub(p, "spec")["nodeName"] = open[0] })
}

// bytesOf is where a claim keeps, in this simulation, what is in the volume behind it.
const bytesOf = "simulation.254carbon.com/bytes"

// mount binds the claims of a pod that starts, and fills volumes that are empty, as the pods do that this simulation knows.
func (c *controllers) mount(p object) error {
	for _, item := range list(p, "spec", "volumes") {
		m, _ := item.(object)
		claim, err := c.get(claims, namespace(p), text(m, "persistentVolumeClaim", "claimName"))
		if err != nil || claim == nil {
			return err
		}
		err = c.edit(claims, claim, func(o object) {
			sub(o, "status")["phase"] = "Bound"
			if notes := sub(o, "metadata", "annotations"); notes[bytesOf] == nil {
				notes[bytesOf] = hash(text(o, "metadata", "uid") + stamp(c.now))
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Log is what a pod has logged: what it says of the bytes in its volume, if it has one.
func Log(s Store, pod map[string]any) string {
	var lines strings.Builder
	for _, item := range list(pod, "spec", "volumes") {
		m, _ := item.(object)
		claim, err := s.Get(claims, namespace(pod), text(m, "persistentVolumeClaim", "claimName"))
		if err != nil {
			continue
		}
		sum := strings.TrimPrefix(digest(text(claim, "metadata", "annotations", bytesOf)), "sha256:")
		_, _ = fmt.Fprintf(&lines, "%s  /%s/bytes\n", sum, text(m, "name"))
	}
	return lines.String()
}

// waits reports whether a pod waits for its image, by what [Pull] said; what waits for another reason goes on to.
func waits(p object) bool {
	for _, item := range list(p, "status", "containerStatuses") {
		m, _ := item.(object)
		if waiting, _ := look(m, "state", "waiting").(object); text(waiting, "reason") == pullFailed && strings.HasPrefix(text(waiting, "message"), PullTrouble) {
			return true
		}
	}
	return false
}

const pullFailed = "ImagePullBackOff"

// PullTrouble is how what a [Pull] says begins.
const PullTrouble = "failed to pull and unpack image"

// cannotPull says why an image of a pod cannot be had, or nothing.
func (c *controllers) cannotPull(namespace string, spec object) string {
	if c.pull == nil {
		return ""
	}
	var names []string
	for _, item := range list(spec, "imagePullSecrets") {
		m, _ := item.(object)
		names = append(names, text(m, "name"))
	}
	for _, item := range list(spec, "containers") {
		m, _ := item.(object)
		if why := c.pull(namespace, text(m, "image"), names); why != "" {
			return why
		}
	}
	return ""
}

// waitingStatus is the status of a pod whose images cannot be had.
func waitingStatus(spec object, why string, since time.Time) object {
	var states []any
	for _, item := range list(spec, "containers") {
		m, _ := item.(object)
		states = append(states, object{
			"name": m["name"], "image": m["image"], "imageID": "", "ready": false, "started": false, "restartCount": 0,
			"state": object{"waiting": object{"reason": pullFailed, "message": why}},
		})
	}
	return object{
		"phase": "Pending", "startTime": stamp(since), "containerStatuses": states,
		"conditions": []any{condition("PodScheduled", "True", "", "", since), condition("Ready", "False", "ContainersNotReady", "containers with unready status", since)},
	}
}

// endedStatus is the status of a pod whose containers have done what they had to.
func endedStatus(spec object, since time.Time) object {
	status := runningStatus(spec, "", since)
	delete(status, "podIP")
	status["phase"] = "Succeeded"
	for _, item := range list(status, "containerStatuses") {
		m, _ := item.(object)
		m["ready"], m["started"] = false, false
		m["state"] = object{"terminated": object{"exitCode": 0, "reason": "Completed", "startedAt": stamp(since), "finishedAt": stamp(since)}}
	}
	status["conditions"] = []any{condition("PodScheduled", "True", "", "", since), condition("Ready", "False", "PodCompleted", "", since)}
	return status
}
