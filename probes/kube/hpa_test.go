package kube_test

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

func hpa(change ...func(object)) object {
	h := object{
		"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
		"metadata": object{"name": "trino-hpa", "namespace": "data-platform", "generation": int64(3)},
		"spec": object{
			"scaleTargetRef": object{"apiVersion": "apps/v1", "kind": "Deployment", "name": "trino"},
			"minReplicas":    int64(2), "maxReplicas": int64(5),
			"metrics": []any{resourceMetric("cpu", "target"), resourceMetric("memory", "target")},
		},
		"status": object{
			"currentReplicas": int64(3), "desiredReplicas": int64(3), "observedGeneration": int64(3),
			"currentMetrics": []any{resourceMetric("cpu", "current"), resourceMetric("memory", "current")},
			"conditions": []any{
				condition("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size"),
				condition("ScalingActive", "True", "ValidMetricFound", "the HPA was able to successfully calculate a replica count"),
				condition("ScalingLimited", "False", "DesiredWithinRange", "the desired count is within the acceptable range"),
			},
		},
	}
	for _, c := range change {
		c(h)
	}
	return h
}

func resourceMetric(name, key string) object {
	value := object{"averageUtilization": int64(41)}
	if key == "target" {
		value["type"] = "Utilization"
	}
	return object{"type": "Resource", "resource": object{"name": name, key: value}}
}

func set(value any, path ...string) func(object) {
	return func(o object) {
		last := len(path) - 1
		sub(o, path[:last]...)[path[last]] = value
	}
}

// replaceCondition exchanges the condition of the same type, or adds it.
func replaceCondition(c object) func(object) {
	return func(o object) {
		status := sub(o, "status")
		list, _ := status["conditions"].([]any)
		kept := []any{c}
		for _, old := range list {
			if old.(object)["type"] != c["type"] {
				kept = append(kept, old)
			}
		}
		status["conditions"] = kept
	}
}

func hpaIn(objects ...object) func(*testing.T) probes.Probe {
	return func(*testing.T) probes.Probe {
		return kube.NewHPA(kubefake.New(objects...), kube.HPAParams{Namespace: "data-platform", Name: "trino-hpa"})
	}
}

func TestHPA(t *testing.T) {
	target := object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": "trino", "namespace": "data-platform"}}
	elsewhere := object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": "trino", "namespace": "other"}}
	one := func(change ...func(object)) func(*testing.T) probes.Probe { return hpaIn(target, hpa(change...)) }
	on := func(c *kubefake.Cluster) func(*testing.T) probes.Probe {
		return func(*testing.T) probes.Probe {
			return kube.NewHPA(c, kube.HPAParams{Targets: []kube.HPATarget{{Namespace: "data-platform", Name: "trino-hpa"}}})
		}
	}
	hpas := schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"}
	deployments := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	limited := condition("ScalingLimited", "True", "TooManyReplicas", "the desired replica count is more than the maximum replica count")
	probetest.Suite{
		New:     one(),
		Hanging: on(kubefake.New().Hang()),
		Worlds: []probetest.World{
			{Name: "absent", New: hpaIn(target), Want: probes.Fail, Says: []string{"trino-hpa does not exist"}},
			{Name: "target is gone", New: hpaIn(hpa()), Want: probes.Fail, Says: []string{"no target", "deployment trino"}},
			{Name: "target in another namespace", New: hpaIn(hpa(), elsewhere), Want: probes.Fail, Says: []string{"no target"}},
			{Name: "target of a kind not served", New: one(set(object{"apiVersion": "ray.io/v1", "kind": "RayCluster", "name": "ray"}, "spec", "scaleTargetRef")),
				Want: probes.Fail, Says: []string{"raycluster ray does not exist"}},
			{Name: "no metrics", Want: probes.Fail, Says: []string{"FailedGetResourceMetric", "unable to get metrics"},
				New: one(set(nil, "status", "currentMetrics"), replaceCondition(condition("ScalingActive", "False", "FailedGetResourceMetric",
					"the HPA was unable to compute the replica count: unable to get metrics for resource cpu")))},
			{Name: "active but no value", New: one(set(nil, "status", "currentMetrics")), Want: probes.Fail, Says: []string{"0 of 2 metrics"}},
			{Name: "one of two values", New: one(set([]any{resourceMetric("cpu", "current"), object{"type": ""}}, "status", "currentMetrics")),
				Want: probes.Fail, Says: []string{"1 of 2 metrics"}},
			{Name: "invalid selector", New: one(replaceCondition(condition("ScalingActive", "False", "InvalidSelector", "the HPA target's scale is missing a selector"))),
				Want: probes.Fail, Says: []string{"InvalidSelector"}},
			{Name: "never looked at", New: one(set(object{}, "status")), Want: probes.Fail, Says: []string{"not looked at it yet"}},
			{Name: "target has no replicas", Want: probes.Fail, Says: []string{"ScalingDisabled"},
				New: one(replaceCondition(condition("ScalingActive", "False", "ScalingDisabled", "scaling is disabled since the replica count of the target is zero")))},
			{Name: "cannot read the scale", Want: probes.Fail, Says: []string{"FailedGetScale"},
				New: one(replaceCondition(condition("AbleToScale", "False", "FailedGetScale", "the HPA controller was unable to get the target's current scale")))},
			{Name: "pausing between two scalings", New: one(replaceCondition(condition("AbleToScale", "False", "BackoffBoth", "wait"))), Want: probes.Pass},
			{Name: "changed since", New: one(set(int64(2), "status", "observedGeneration")), Want: probes.Fail, Says: []string{"changed"}},
			{Name: "a control plane that counts no generations", New: one(set(nil, "status", "observedGeneration")), Want: probes.Pass},
			{Name: "pinned", New: one(set(int64(5), "status", "currentReplicas"), replaceCondition(limited)), Want: probes.Fail,
				Says: []string{"pinned at its maximum", "5 of 5"}},
			{Name: "wants more than it may", New: one(set(int64(4), "status", "currentReplicas"), replaceCondition(limited)), Want: probes.Fail,
				Says: []string{"pinned"}},
			{Name: "at its maximum without a word", New: one(set(int64(5), "status", "currentReplicas")), Want: probes.Fail, Says: []string{"pinned"}},
			{Name: "no room", New: one(set(int64(5), "spec", "minReplicas")), Want: probes.Fail, Says: []string{"minimum is 5 and its maximum 5"}},
			{Name: "resting at its minimum", Want: probes.Pass, New: one(set(int64(2), "status", "currentReplicas"),
				replaceCondition(condition("ScalingLimited", "True", "TooFewReplicas", "the desired replica count is less than the minimum")))},
		},
		Errors: []probetest.Failure{
			{Name: "autoscalers not allowed", New: on(kubefake.New().Forbid(hpas)), Says: []string{"autoscalers in data-platform"}, Is: apierrors.IsForbidden},
			{Name: "targets not allowed", New: on(kubefake.New(hpa()).Forbid(deployments)), Says: []string{"deployments"}, Is: apierrors.IsForbidden},
			{Name: "namespace not seen", New: on(kubefake.New().Narrow("only the namespace a")), Says: []string{"only the namespace a"}},
			{Name: "of another shape", New: on(kubefake.New(target, hpa(set("many", "spec", "maxReplicas")))), Says: []string{"decoding autoscaler"}},
		},
	}.Run(t)
}

func TestHPAParams(t *testing.T) {
	for _, c := range []struct {
		p  kube.HPAParams
		ok bool
	}{
		{kube.HPAParams{Namespace: "a", Name: "b"}, true},
		{kube.HPAParams{Targets: []kube.HPATarget{{Namespace: "a", Name: "b"}}}, true},
		{kube.HPAParams{}, false},
		{kube.HPAParams{Name: "b"}, false},
		{kube.HPAParams{Targets: []kube.HPATarget{{Name: "b"}}}, false},
		{kube.HPAParams{Namespace: "a", Name: "b", Targets: []kube.HPATarget{{Namespace: "a", Name: "b"}}}, false},
	} {
		if err := c.p.Validate(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.p, err)
		}
	}
}
