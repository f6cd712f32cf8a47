package kube

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// rollout is what the status of a workload says, in the same terms for all kinds.
type rollout struct {
	desired   int32  // pods that it wants
	ready     int32  // pods that are ready
	kept      int32  // pods that stay available while a rollout is in progress
	moving    bool   // a rollout is in progress
	stuck     string // why it is not getting on
	unseen    bool   // its controller has not looked at the newest change
	template  *corev1.PodTemplateSpec
	objectRef string // kind and name, as pods know their owner
}

// enough is how many ready pods satisfy a declaration.
func (r rollout) enough(w Workload) int32 {
	switch {
	case w.MinReady > 0:
		return w.MinReady
	case r.moving:
		return max(1, r.kept)
	}
	return r.desired
}

func rolloutOf(o *unstructured.Unstructured) (r rollout, err error) {
	switch o.GetKind() {
	case "Deployment":
		var d appsv1.Deployment
		if err = runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &d); err == nil {
			r = deploymentRollout(&d)
		}
	case "StatefulSet":
		var s appsv1.StatefulSet
		if err = runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &s); err == nil {
			r = statefulSetRollout(&s)
		}
	case "DaemonSet":
		var d appsv1.DaemonSet
		if err = runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &d); err == nil {
			r = daemonSetRollout(&d)
		}
	default:
		err = fmt.Errorf("its kind is %q", o.GetKind())
	}
	if err != nil {
		return r, fmt.Errorf("decoding %s %s/%s: %w", o.GetKind(), o.GetNamespace(), o.GetName(), err)
	}
	r.objectRef = o.GetKind() + "/" + o.GetName()
	return r, nil
}

func deploymentRollout(d *appsv1.Deployment) rollout {
	r := rollout{
		desired: replicas(d.Spec.Replicas), ready: d.Status.ReadyReplicas, template: &d.Spec.Template,
		unseen: d.Status.ObservedGeneration < d.Generation,
	}
	r.moving = d.Status.UpdatedReplicas < r.desired || d.Status.Replicas > d.Status.UpdatedReplicas
	quarter := intstr.FromString("25%")
	away := &quarter
	if u := d.Spec.Strategy.RollingUpdate; u != nil && u.MaxUnavailable != nil {
		away = u.MaxUnavailable
	}
	r.kept = r.desired - scaled(away, r.desired)
	for _, c := range d.Status.Conditions {
		switch {
		case c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse,
			c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue:
			r.stuck = because(c.Reason, c.Message)
		}
	}
	return r
}

func statefulSetRollout(s *appsv1.StatefulSet) rollout {
	r := rollout{
		desired: replicas(s.Spec.Replicas), ready: s.Status.ReadyReplicas, template: &s.Spec.Template,
		unseen: s.Status.ObservedGeneration < s.Generation,
	}
	r.moving = s.Status.UpdateRevision != s.Status.CurrentRevision && s.Status.UpdatedReplicas < r.desired
	r.kept = r.desired - 1 // it replaces one pod at a time
	return r
}

func daemonSetRollout(d *appsv1.DaemonSet) rollout {
	r := rollout{
		desired: d.Status.DesiredNumberScheduled, ready: d.Status.NumberReady, template: &d.Spec.Template,
		unseen: d.Status.ObservedGeneration < d.Generation,
	}
	r.moving = d.Status.UpdatedNumberScheduled < r.desired
	single := intstr.FromInt32(1)
	away := &single
	if u := d.Spec.UpdateStrategy.RollingUpdate; u != nil && u.MaxUnavailable != nil {
		away = u.MaxUnavailable
	}
	r.kept = r.desired - scaled(away, r.desired)
	return r
}

func replicas(spec *int32) int32 {
	if spec == nil {
		return 1
	}
	return *spec
}

// scaled is a number of pods given as such or in percent, rounded down; one that cannot be read takes none away.
func scaled(v *intstr.IntOrString, of int32) int32 {
	n, err := intstr.GetScaledValueFromIntOrPercent(v, int(of), false)
	if err != nil || n < 0 || n > int(of) {
		return 0
	}
	return int32(n) //nolint:gosec // at most of
}
