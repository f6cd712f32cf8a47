package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

// settled reports whether a workload has its new images and is ready with them.
func (d *doer) settled(ctx context.Context, r Rewrite) (bool, error) {
	o, err := d.Cluster.Get(ctx, resourceOf(r.Kind), r.Namespace, r.Name)
	if err != nil || o == nil {
		return false, err
	}
	ready, _ := rolledOut(r.Kind, o)
	return r.rewritten(o, d.PullSecret) && ready, nil
}

// rewriteWorkload gives a workload its new images, waits until it is ready with them, and takes them back if it does not become so.
func (d *doer) rewriteWorkload(ctx context.Context, r Rewrite, report actions.Reporter) error {
	resource := resourceOf(r.Kind)
	o, err := d.Cluster.Get(ctx, resource, r.Namespace, r.Name)
	switch {
	case err != nil:
		return err
	case o == nil:
		report.Log(r.place() + " is gone by now: nothing to point anywhere")
		return nil
	case !r.rewritten(o, d.PullSecret):
		if err := r.unchanged(o); err != nil {
			return err
		}
		if _, err := d.Cluster.Apply(ctx, resource, r.object(d.PullSecret, func(c Change) string { return c.To }), manager); err != nil {
			return fmt.Errorf("changing the images of %s: %w", r.place(), err)
		}
	}
	for _, line := range r.lines() {
		report.Log(line)
	}
	why := d.await(ctx, r, report)
	if !errors.Is(why, errLate) {
		return why // nobody said that it is not ready
	}
	return d.takeBack(ctx, r, why, report)
}

// unchanged refuses a workload that somebody has changed since it was planned.
func (r Rewrite) unchanged(o *unstructured.Unstructured) error {
	now := map[string]string{}
	for _, c := range containersOf(templateOf(r.Kind, o)) {
		now[c.Name] = c.Image
	}
	for _, c := range r.Changes {
		if image := now[c.Container]; image != c.From && image != c.To {
			return fmt.Errorf("the container %s of %s runs %s by now, not %s: plan again", c.Container, r.place(), probes.Clean(image, 200), c.From)
		}
	}
	return nil
}

// await waits until a workload is ready. Its error is errLate if the cluster says to the end that it is not.
func (d *doer) await(ctx context.Context, r Rewrite, report actions.Reporter) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.Rollout, errLate)
	defer cancel()
	said := ""
	var blind error // why the last look saw nothing
	for {
		o, err := d.Cluster.Get(ctx, resourceOf(r.Kind), r.Namespace, r.Name)
		if ctx.Err() == nil {
			blind = err
		}
		if err == nil && o != nil {
			ready, text := rolledOut(r.Kind, o)
			if ready {
				return nil
			}
			if text != said {
				said = text
				report.Waiting(text, time.Time{})
			}
		}
		if err := d.Pause(ctx, lookAgain); err == nil {
			continue
		}
		switch late := errors.Is(context.Cause(ctx), errLate); {
		case late && (blind == nil || said != ""):
			return &lateError{fmt.Sprintf("%s did not become ready within %s: %s", r.place(), d.Rollout, strings.TrimSpace(said+d.podTrouble(context.WithoutCancel(ctx), r)))}
		case late:
			return fmt.Errorf("%s has its new images, and whether it is ready with them cannot be seen: %w", r.place(), blind)
		}
		return fmt.Errorf("%s has its new images, and resuming goes on waiting for it: %w", r.place(), ctx.Err())
	}
}

var errLate = errors.New("too late")

// lateError is errLate in words.
type lateError struct{ text string }

func (e *lateError) Error() string        { return e.text }
func (e *lateError) Is(target error) bool { return target == errLate }

// rolledOut reports whether a workload runs what it should, as kubectl rollout status does, and how far it is.
func rolledOut(kind string, o *unstructured.Unstructured) (bool, string) {
	number := func(fields ...string) int64 {
		n, _, _ := unstructured.NestedInt64(o.Object, fields...)
		return n
	}
	if kind == "CronJob" {
		return true, ""
	}
	if number("status", "observedGeneration") < o.GetGeneration() {
		return false, "the change is not seen yet"
	}
	want, found, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
	if !found {
		want = 1
	}
	updated, available := number("status", "updatedReplicas"), number("status", "availableReplicas")
	switch kind {
	case "DaemonSet":
		want, updated, available = number("status", "desiredNumberScheduled"), number("status", "updatedNumberScheduled"), number("status", "numberAvailable")
	case "StatefulSet":
		current, _, _ := unstructured.NestedString(o.Object, "status", "currentRevision")
		update, _, _ := unstructured.NestedString(o.Object, "status", "updateRevision")
		if ready := number("status", "readyReplicas"); available > ready {
			available = ready
		}
		if current != update {
			return false, fmt.Sprintf("%d of %d pods run the new images", updated, want)
		}
		updated = want
	case "Deployment":
		if number("status", "replicas") > updated {
			return false, fmt.Sprintf("%d old pods are still there", number("status", "replicas")-updated)
		}
	}
	if updated < want {
		return false, fmt.Sprintf("%d of %d pods run the new images", updated, want)
	}
	if available < want {
		return false, fmt.Sprintf("%d of %d pods are ready", available, want)
	}
	return true, ""
}

// podTrouble says what keeps a pod of a workload from running, if the cluster says it.
func (d *doer) podTrouble(ctx context.Context, r Rewrite) string {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	all, err := d.Cluster.List(ctx, pods, r.Namespace)
	if err != nil {
		return ""
	}
	for _, p := range all {
		if !strings.HasPrefix(p.GetName(), r.Name+"-") {
			continue
		}
		states, _, _ := unstructured.NestedSlice(p.Object, "status", "containerStatuses")
		for _, item := range states {
			m, _ := item.(map[string]any)
			reason, _, _ := unstructured.NestedString(m, "state", "waiting", "reason")
			message, _, _ := unstructured.NestedString(m, "state", "waiting", "message")
			if reason != "" && reason != "ContainerCreating" && reason != "PodInitializing" {
				return probes.Clean(fmt.Sprintf("; pod %s: %s %s", p.GetName(), reason, message), 300)
			}
		}
	}
	return ""
}

// takeBack gives a workload its old images again, and waits until it is ready with them.
func (d *doer) takeBack(ctx context.Context, r Rewrite, why error, report actions.Reporter) error {
	report.Waiting("", time.Time{})
	report.Log("taking the images of " + r.place() + " back: " + why.Error())
	before := "" // the pull secret, if it was there
	if slices.Contains(r.Secrets, d.PullSecret) {
		before = d.PullSecret
	}
	if _, err := d.Cluster.Apply(ctx, resourceOf(r.Kind), r.object(before, func(c Change) string { return c.From }), manager); err != nil {
		return fmt.Errorf("%w; and its images could not be taken back: %w", why, err)
	}
	if err := d.await(ctx, r, report); err != nil {
		return fmt.Errorf("%w; its images were taken back, and it is not ready with them either: %w", why, err)
	}
	return fmt.Errorf("%w; its images were taken back, and it is ready with them", why)
}
