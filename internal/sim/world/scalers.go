package world

import (
	"fmt"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// autoscalers writes the status of every HorizontalPodAutoscaler from its target and from what metrics-server serves. It does not scale:
// the load of a simulated pod does not change by itself.
func (c *controllers) autoscalers() error {
	all, err := c.all(scalers, "")
	if err != nil {
		return err
	}
	for _, h := range all {
		if err := c.autoscaler(h); err != nil {
			return err
		}
	}
	return nil
}

func (c *controllers) autoscaler(h object) error {
	kind, targetName := text(h, "spec", "scaleTargetRef", "kind"), text(h, "spec", "scaleTargetRef", "name")
	r := deployments
	if kind == statefulSet {
		r = statefulSets
	}
	target, err := c.get(r, namespace(h), targetName)
	if err != nil {
		return err
	}
	if target == nil {
		return c.edit(scalers, h, func(h object) {
			setCondition(h, condition("AbleToScale", "False", "FailedGetScale", fmt.Sprintf(
				"the HPA controller was unable to get the target's current scale: %ss.apps %q not found", strings.ToLower(kind), targetName), c.now))
		})
	}
	selector, _ := look(target, "spec", "selector", "matchLabels").(object)
	found, err := c.podsMatching(namespace(h), selector)
	if err != nil {
		return err
	}
	used, missing, err := c.used(found)
	if err != nil {
		return err
	}
	return c.edit(scalers, h, func(h object) { c.scalerStatus(h, target, found, used, missing) })
}

// used sums what the pods use, by resource; missing names a pod without metrics.
func (c *controllers) used(found []object) (used map[string]resource.Quantity, missing string, err error) {
	used = map[string]resource.Quantity{}
	for _, p := range found {
		m, err := c.get(podMetrics, namespace(p), name(p))
		if err != nil {
			return nil, "", err
		}
		if m == nil {
			missing = name(p)
			continue
		}
		for _, item := range list(m, "containers") {
			container, _ := item.(object)
			for _, what := range []string{"cpu", "memory"} {
				if q, err := resource.ParseQuantity(text(container, "usage", what)); err == nil {
					total := used[what]
					total.Add(q)
					used[what] = total
				}
			}
		}
	}
	return used, missing, nil
}

func (c *controllers) scalerStatus(h, target object, found []object, used map[string]resource.Quantity, missing string) {
	status := sub(h, "status")
	current, lowest, highest := number(target, "status", "replicas"), number(h, "spec", "minReplicas"), number(h, "spec", "maxReplicas")
	status["observedGeneration"], status["currentReplicas"], status["desiredReplicas"] = number(h, "metadata", "generation"), current, current
	setCondition(h, condition("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size", c.now))
	switch {
	case desired(target) == 0:
		delete(status, "currentMetrics")
		setCondition(h, condition("ScalingActive", "False", "ScalingDisabled", "scaling is disabled since the replica count of the target is zero", c.now))
		return
	case missing != "" || len(found) == 0:
		delete(status, "currentMetrics")
		setCondition(h, condition("ScalingActive", "False", "FailedGetResourceMetric",
			"the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API", c.now))
		return
	}
	setCondition(h, condition("ScalingActive", "True", "ValidMetricFound", "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)", c.now))
	limited := condition("ScalingLimited", "False", "DesiredWithinRange", "the desired count is within the acceptable range", c.now)
	switch {
	case current >= highest:
		limited = condition("ScalingLimited", "True", "TooManyReplicas", "the desired replica count is more than the maximum replica count", c.now)
	case current <= lowest:
		limited = condition("ScalingLimited", "True", "TooFewReplicas", "the desired replica count is less than the minimum replica count", c.now)
	}
	setCondition(h, limited)
	status["currentMetrics"] = currentMetrics(h, found, used)
}

func currentMetrics(h object, found []object, used map[string]resource.Quantity) []any {
	var all []any
	for _, item := range list(h, "spec", "metrics") {
		m, _ := item.(object)
		what := text(m, "resource", "name")
		wanted, have := requests(found, what), used[what]
		if wanted.IsZero() || len(found) == 0 {
			all = append(all, object{"type": ""})
			continue
		}
		average := resource.NewMilliQuantity(have.MilliValue()/int64(len(found)), have.Format)
		all = append(all, object{"type": "Resource", "resource": object{"name": what, "current": object{
			"averageUtilization": int(have.MilliValue() * 100 / wanted.MilliValue()), "averageValue": average.String(),
		}}})
	}
	return all
}

// operator plays the Prometheus Operator: the status of a Prometheus or Alertmanager follows its StatefulSet.
func (c *controllers) operator() error {
	op, err := c.get(deployments, "monitoring", "kube-prometheus-stack-operator")
	if err != nil || op == nil || number(op, "status", "readyReplicas") < 1 || c.halted("operator") {
		return err
	}
	for _, kind := range []struct{ prefix, kind string }{{"prometheus", "Prometheus"}, {"alertmanager", "Alertmanager"}} {
		r := prometheuses
		if kind.kind == "Alertmanager" {
			r = alertmanagers
		}
		all, err := c.all(r, "")
		if err != nil {
			return err
		}
		for _, o := range all {
			set, err := c.get(statefulSets, namespace(o), kind.prefix+"-"+name(o))
			if err != nil {
				return err
			}
			if err := c.edit(r, o, func(o object) { c.operated(o, set) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *controllers) operated(o, set object) {
	status := sub(o, "status")
	want, ready := number(o, "spec", "replicas"), number(set, "status", "readyReplicas")
	status["replicas"], status["availableReplicas"], status["updatedReplicas"] = number(set, "status", "replicas"), ready, number(set, "status", "updatedReplicas")
	status["unavailableReplicas"], status["paused"] = max(0, want-ready), false
	available := condition("Available", "True", "", "", c.now)
	switch {
	case set == nil:
		available = condition("Available", "False", "StatefulSetNotFound", "the StatefulSet does not exist", c.now)
	case ready == 0:
		available = condition("Available", "False", "NoPodReady", "no pod is ready", c.now)
	case ready < want:
		available = condition("Available", "Degraded", "SomePodsNotReady", fmt.Sprintf("%d of %d pods are ready", ready, want), c.now)
	}
	reconciled := condition("Reconciled", "True", "", "", c.now)
	for _, cond := range []object{available, reconciled} {
		cond["observedGeneration"] = number(o, "metadata", "generation")
		setCondition(o, cond)
	}
}

// sortedKeys lists the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
