package kube

import (
	"context"
	"fmt"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// HPATarget names one HorizontalPodAutoscaler.
type HPATarget struct {
	Namespace string `yaml:"namespace" jsonschema:"description=namespace of the HorizontalPodAutoscaler"`
	Name      string `yaml:"name" jsonschema:"description=its name"`
}

func (t HPATarget) String() string { return t.Namespace + "/" + t.Name }

// HPAParams are the parameters of the kind kubernetes.hpa: one autoscaler, or a list of them.
type HPAParams struct {
	Namespace string      `yaml:"namespace,omitempty" jsonschema:"description=namespace of the HorizontalPodAutoscaler"`
	Name      string      `yaml:"name,omitempty" jsonschema:"description=its name"`
	Targets   []HPATarget `yaml:"targets,omitempty" jsonschema:"description=several of them instead of one"`
}

// Validate reports what is wrong with the parameters.
func (p *HPAParams) Validate() error {
	single := p.Namespace != "" || p.Name != ""
	if single == (len(p.Targets) > 0) {
		return fmt.Errorf("name either one autoscaler by namespace and name, or several under targets")
	}
	for _, t := range p.all() {
		if t.Namespace == "" || t.Name == "" {
			return fmt.Errorf("an autoscaler needs a namespace and a name, not %q and %q", t.Namespace, t.Name)
		}
	}
	return nil
}

func (p *HPAParams) all() []HPATarget {
	if len(p.Targets) > 0 {
		return p.Targets
	}
	return []HPATarget{{Namespace: p.Namespace, Name: p.Name}}
}

// HPAInfo describes the kind kubernetes.hpa.
func HPAInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "kubernetes.hpa",
		About: "Asks whether autoscalers can do their work: the target exists, every metric has a current value, the controller is content, " +
			"and there is room to grow; from the HorizontalPodAutoscaler and its target.",
		Connection: "kubernetes", OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &HPAParams{} },
	}
}

// NewHPA returns a probe of the kind kubernetes.hpa. Parameters must be valid.
func NewHPA(objects Objects, p HPAParams) probes.Probe {
	return hpaProbe{objects: objects, targets: p.all()}
}

type hpaProbe struct {
	objects Objects
	targets []HPATarget
}

var _ probes.Watching = hpaProbe{}

func hpaResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"}
}

func (p hpaProbe) Watch(wake func()) func() {
	return watchAll(p.objects.Watch, wake, hpaResource(), appsResource("deployments"))
}

func (p hpaProbe) Observe(ctx context.Context) (probes.Observation, error) {
	obs := probes.Observation{Status: probes.Pass}
	var good, bad []string
	for i, t := range p.targets {
		e, confirmed, err := p.observe(ctx, t)
		if err != nil {
			return probes.Observation{}, err
		}
		if i == 0 {
			obs.Confirmed = confirmed
		}
		obs.Confirmed = oldest(obs.Confirmed, confirmed)
		obs.Evidence = append(obs.Evidence, e)
		if e.Wanting {
			obs.Status = probes.Fail
			bad = append(bad, t.Name+" "+e.Got)
		} else {
			good = append(good, t.Name+" "+e.Got)
		}
	}
	obs.Summary = enumerate(append(bad, good...))
	if obs.Status == probes.Fail {
		obs.Summary = enumerate(bad)
	}
	return obs, nil
}

// observe judges one autoscaler.
func (p hpaProbe) observe(ctx context.Context, t HPATarget) (probes.Evidence, time.Time, error) {
	e := probes.Evidence{
		Subject: "autoscaler " + t.String(), Wanting: true,
		Want: "target exists, metrics current, able to scale, below its maximum",
	}
	seen, err := p.objects.List(ctx, hpaResource(), t.Namespace)
	if err != nil {
		return e, time.Time{}, fmt.Errorf("listing autoscalers in %s: %w", t.Namespace, err)
	}
	e = e.From(seen.Request)
	found, err := find(seen, t.Namespace, t.Name)
	if err != nil || found == nil {
		e.Got = "does not exist"
		return e, seen.Confirmed, err
	}
	var h autoscalingv2.HorizontalPodAutoscaler
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found.Object, &h); err != nil {
		return e, time.Time{}, fmt.Errorf("decoding autoscaler %s: %w", t, err)
	}
	if e.Got, err = p.missingTarget(ctx, &h); err != nil {
		return e, time.Time{}, err
	}
	if e.Got == "" {
		e.Got = hpaFault(&h)
	}
	if e.Got == "" {
		e.Got, e.Wanting = hpaState(&h), false
	}
	return e, seen.Confirmed, nil
}

// find returns the object of that name, or nil if there is none. Where not everything could be seen, nothing is missing.
func find(seen probes.Seen[*unstructured.Unstructured], namespace, name string) (*unstructured.Unstructured, error) {
	for _, o := range seen.Items {
		if o.GetName() == name && o.GetNamespace() == namespace {
			return o, nil
		}
	}
	if seen.Note != "" {
		return nil, fmt.Errorf("looking for %s/%s: %s", namespace, name, seen.Note)
	}
	return nil, nil
}

// missingTarget says that what the autoscaler scales does not exist, or nothing.
func (p hpaProbe) missingTarget(ctx context.Context, h *autoscalingv2.HorizontalPodAutoscaler) (string, error) {
	ref := h.Spec.ScaleTargetRef
	missing := fmt.Sprintf("has no target: %s %s does not exist", strings.ToLower(ref.Kind), ref.Name)
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil {
		return missing + " (" + err.Error() + ")", nil
	}
	resource, _ := meta.UnsafeGuessKindToResource(gv.WithKind(ref.Kind))
	seen, err := p.objects.List(ctx, resource, h.Namespace)
	if apierrors.IsNotFound(err) {
		return missing, nil
	}
	if err != nil {
		return "", fmt.Errorf("listing %s in %s: %w", resource.Resource, h.Namespace, err)
	}
	target, err := find(seen, h.Namespace, ref.Name)
	if target == nil && err == nil {
		return missing, nil
	}
	return "", err
}

// hpaFault says why the autoscaler does not do its work, or nothing.
func hpaFault(h *autoscalingv2.HorizontalPodAutoscaler) string {
	active, able := hpaCondition(h, autoscalingv2.ScalingActive), hpaCondition(h, autoscalingv2.AbleToScale)
	observed := h.Status.ObservedGeneration
	switch {
	case able != nil && able.Status == corev1.ConditionFalse && !strings.HasPrefix(able.Reason, "Backoff"):
		return "cannot scale: " + because(able.Reason, able.Message)
	case active == nil && len(h.Status.CurrentMetrics) == 0:
		return "has no metrics: its controller has not looked at it yet"
	case active != nil && active.Reason == "ScalingDisabled":
		return "does nothing: " + because(active.Reason, active.Message)
	case active != nil && active.Status != corev1.ConditionTrue:
		return "is not scaling: " + because(active.Reason, active.Message)
	case observed != nil && *observed < h.Generation: // many control planes never fill it in
		return "was changed and its controller has not looked at it since"
	}
	if missing := missingMetrics(h); missing != "" {
		return missing
	}
	return hpaRoom(h)
}

// hpaRoom says that the autoscaler has no room to scale in, or nothing. At its minimum it rests, which is well.
func hpaRoom(h *autoscalingv2.HorizontalPodAutoscaler) string {
	lowest, highest, current := hpaBounds(h)
	limited := hpaCondition(h, autoscalingv2.ScalingLimited)
	switch {
	case lowest >= highest:
		return fmt.Sprintf("cannot scale: its minimum is %d and its maximum %d", lowest, highest)
	case current >= highest:
		return fmt.Sprintf("is pinned at its maximum, %d of %d", current, highest)
	case limited != nil && limited.Status == corev1.ConditionTrue && limited.Reason == "TooManyReplicas":
		return fmt.Sprintf("is pinned at its maximum, %d of %d: %s", current, highest, limited.Message)
	case current == 0:
		return "does nothing: its target has no replicas"
	}
	return ""
}

func hpaBounds(h *autoscalingv2.HorizontalPodAutoscaler) (lowest, highest, current int32) {
	lowest = 1
	if h.Spec.MinReplicas != nil {
		lowest = *h.Spec.MinReplicas
	}
	return lowest, h.Spec.MaxReplicas, h.Status.CurrentReplicas
}

func hpaState(h *autoscalingv2.HorizontalPodAutoscaler) string {
	lowest, highest, current := hpaBounds(h)
	return fmt.Sprintf("at %d of %d to %d replicas, %s current", current, lowest, highest, plural(countMetrics(h), "metric"))
}

func hpaCondition(h *autoscalingv2.HorizontalPodAutoscaler, kind autoscalingv2.HorizontalPodAutoscalerConditionType) *autoscalingv2.HorizontalPodAutoscalerCondition {
	for i := range h.Status.Conditions {
		if h.Status.Conditions[i].Type == kind {
			return &h.Status.Conditions[i]
		}
	}
	return nil
}

// countMetrics counts the metrics that have a value: the controller leaves an empty entry for one that it could not read.
func countMetrics(h *autoscalingv2.HorizontalPodAutoscaler) int {
	count := 0
	for _, m := range h.Status.CurrentMetrics {
		var v *autoscalingv2.MetricValueStatus
		switch {
		case m.Resource != nil:
			v = &m.Resource.Current
		case m.ContainerResource != nil:
			v = &m.ContainerResource.Current
		case m.Pods != nil:
			v = &m.Pods.Current
		case m.Object != nil:
			v = &m.Object.Current
		case m.External != nil:
			v = &m.External.Current
		}
		if v != nil && (v.Value != nil || v.AverageValue != nil || v.AverageUtilization != nil) {
			count++
		}
	}
	return count
}

func missingMetrics(h *autoscalingv2.HorizontalPodAutoscaler) string {
	want, got := max(1, len(h.Spec.Metrics)), countMetrics(h)
	if got >= want {
		return ""
	}
	return fmt.Sprintf("has a current value for %d of %s", got, plural(want, "metric"))
}
