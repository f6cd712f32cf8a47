package world

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// podsMatching returns the living pods of a namespace that carry the labels of a selector.
func (c *controllers) podsMatching(namespace string, selector object) ([]object, error) {
	all, err := c.all(pods, namespace)
	if err != nil {
		return nil, err
	}
	var found []object
	for _, p := range all {
		if phase := text(p, "status", "phase"); matches(p, selector) && phase != "Succeeded" && phase != "Failed" {
			found = append(found, p)
		}
	}
	return found, nil
}

// endpoints writes one EndpointSlice for every Service with a selector.
func (c *controllers) endpoints() error {
	all, err := c.all(services, "")
	if err != nil {
		return err
	}
	for _, s := range all {
		selector, _ := look(s, "spec", "selector").(object)
		if len(selector) == 0 {
			continue
		}
		found, err := c.podsMatching(namespace(s), selector)
		if err != nil {
			return err
		}
		if err := c.slice(s, found); err != nil {
			return err
		}
	}
	return c.strayed()
}

func (c *controllers) slice(s object, found []object) error {
	endpoints := []any{}
	for _, p := range found {
		if text(p, "status", "podIP") == "" {
			continue
		}
		ready := conditionIs(p, "Ready", "True")
		endpoints = append(endpoints, object{
			"addresses": []any{text(p, "status", "podIP")}, "nodeName": text(p, "spec", "nodeName"),
			"conditions": object{"ready": ready, "serving": ready, "terminating": false},
			"targetRef":  object{"kind": "Pod", "namespace": namespace(p), "name": name(p), "uid": text(p, "metadata", "uid")},
		})
	}
	var ports []any
	for _, item := range list(s, "spec", "ports") {
		m, _ := item.(object)
		if target, named := m["targetPort"].(string); named && !slices.ContainsFunc(found, func(p object) bool { return hasPort(p, target) }) {
			continue
		}
		ports = append(ports, object{"name": m["name"], "port": m["port"], "protocol": m["protocol"]})
	}
	wanted := create("discovery.k8s.io/v1", "EndpointSlice", namespace(s), name(s)+"-"+hash(nameOf(s))[:5], map[string]string{
		"kubernetes.io/service-name": name(s), "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
	}, object{"addressType": "IPv4", "endpoints": endpoints, "ports": ports})
	sub(wanted, "metadata")["ownerReferences"] = []any{ownerReference(s)}
	return c.keep(endpointSlices, wanted, "endpoints", "ports")
}

// hasPort reports whether a container of a pod has a port of that name.
func hasPort(p object, name string) bool {
	for _, item := range list(p, "spec", "containers") {
		container, _ := item.(object)
		for _, item := range list(container, "ports") {
			if port, _ := item.(object); port["name"] == name {
				return true
			}
		}
	}
	return false
}

// keep creates an object, or writes the given fields of it into the one that is there.
func (c *controllers) keep(r schema.GroupVersionResource, wanted object, fields ...string) error {
	old, err := c.get(r, namespace(wanted), name(wanted))
	if err != nil {
		return err
	}
	if old == nil {
		_, err := c.apply(r, wanted)
		return err
	}
	return c.edit(r, old, func(o object) {
		for _, f := range fields {
			o[f] = copyValue(wanted[f])
		}
	})
}

// strayed removes the slices of Services that are gone.
func (c *controllers) strayed() error {
	all, err := c.all(endpointSlices, "")
	if err != nil {
		return err
	}
	for _, s := range all {
		owner, err := c.get(services, namespace(s), text(s, "metadata", "labels", "kubernetes.io/service-name"))
		if err == nil && owner == nil {
			err = c.remove(endpointSlices, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// budgets writes the status of disruption budgets with a number as minAvailable or maxUnavailable.
func (c *controllers) budgets() error {
	all, err := c.all(budgets, "")
	if err != nil {
		return err
	}
	for _, b := range all {
		selector, _ := look(b, "spec", "selector", "matchLabels").(object)
		found, err := c.podsMatching(namespace(b), selector)
		if err != nil {
			return err
		}
		if look(b, "spec", "selector") == nil {
			found = nil
		}
		healthy, needed := readyCount(found), number(b, "spec", "minAvailable")
		if look(b, "spec", "maxUnavailable") != nil {
			needed = max(0, len(found)-number(b, "spec", "maxUnavailable"))
		}
		err = c.edit(budgets, b, func(b object) {
			sub(b)["status"] = object{
				"observedGeneration": number(b, "metadata", "generation"), "expectedPods": len(found), "currentHealthy": healthy, "desiredHealthy": needed,
				"disruptionsAllowed": max(0, healthy-needed),
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// requests sums what the containers of pods request.
func requests(from []object, what string) resource.Quantity {
	total := resource.Quantity{}
	for _, p := range from {
		for _, item := range list(p, "spec", "containers") {
			m, _ := item.(object)
			if q, err := resource.ParseQuantity(text(m, "resources", "requests", what)); err == nil {
				total.Add(q)
			}
		}
	}
	return total
}

func (c *controllers) quotas() error {
	all, err := c.all(quotas, "")
	if err != nil {
		return err
	}
	for _, q := range all {
		found, err := c.podsMatching(namespace(q), nil)
		if err != nil {
			return err
		}
		cpu, memory := requests(found, "cpu"), requests(found, "memory")
		err = c.edit(quotas, q, func(q object) {
			hard, _ := look(q, "spec", "hard").(object)
			sub(q)["status"] = object{"hard": deepCopy(hard), "used": object{
				"requests.cpu": cpu.String(), "requests.memory": memory.String(), "pods": fmt.Sprint(len(found)),
			}}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// metricsEvery is how often metrics-server scrapes.
const metricsEvery = time.Minute

// usedShare is which part of its requests a pod uses, in percent.
const usedShare = 41

// metrics plays metrics-server: the APIService follows its pods, and what it serves follows the pods of the cluster.
func (c *controllers) metrics() error {
	server, err := c.get(deployments, "kube-system", "metrics-server")
	if err != nil {
		return err
	}
	api, err := c.get(apiServices, "", "v1beta1.metrics.k8s.io")
	if err != nil {
		return err
	}
	if api == nil {
		return c.dropMetrics()
	}
	up := server != nil && number(server, "status", "readyReplicas") > 0
	state := condition("Available", "True", "Passed", "all checks passed", c.now)
	if !up {
		state = condition("Available", "False", "MissingEndpoints", `endpoints for service/metrics-server in "kube-system" have no addresses with port name "https"`, c.now)
	}
	if err := c.edit(apiServices, api, func(o object) { setCondition(o, state) }); err != nil {
		return err
	}
	if !up {
		return c.dropMetrics()
	}
	if c.halted("metrics-server") {
		return nil
	}
	return c.scrape()
}

func (c *controllers) dropMetrics() error {
	for _, r := range []schema.GroupVersionResource{podMetrics, nodeMetrics} {
		all, err := c.all(r, "")
		if err != nil {
			return err
		}
		for _, o := range all {
			if err := c.remove(r, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// scrape replaces what is older than a minute and what is of pods or nodes that are gone.
func (c *controllers) scrape() error {
	running, err := c.all(pods, "")
	if err != nil {
		return err
	}
	perNode := map[string][]object{}
	samples := map[string]object{}
	for _, p := range running {
		if text(p, "status", "phase") != "Running" {
			continue
		}
		perNode[text(p, "spec", "nodeName")] = append(perNode[text(p, "spec", "nodeName")], p)
		samples[nameOf(p)] = create("metrics.k8s.io/v1beta1", "PodMetrics", namespace(p), name(p), nil, object{
			"timestamp": stamp(c.now), "window": "30s", "containers": []any{object{"name": "main", "usage": usage([]object{p})}},
		})
	}
	if err := c.sampled(podMetrics, samples); err != nil {
		return err
	}
	known, err := c.all(nodes, "")
	if err != nil {
		return err
	}
	samples = map[string]object{}
	for _, n := range known {
		if conditionIs(n, "Ready", "True") {
			samples[name(n)] = create("metrics.k8s.io/v1beta1", "NodeMetrics", "", name(n), nil, object{
				"timestamp": stamp(c.now), "window": "30s", "usage": usage(perNode[name(n)]),
			})
		}
	}
	return c.sampled(nodeMetrics, samples)
}

// sampled makes the samples of a resource those given, but leaves what is fresh enough.
func (c *controllers) sampled(r schema.GroupVersionResource, samples map[string]object) error {
	known, err := c.all(r, "")
	if err != nil {
		return err
	}
	for _, old := range known {
		_, wanted := samples[nameOf(old)]
		if fresh := c.now.Sub(parseTime(text(old, "timestamp"))) < metricsEvery; wanted && fresh {
			delete(samples, nameOf(old))
		} else if !wanted {
			if err := c.remove(r, old); err != nil {
				return err
			}
		}
	}
	for _, key := range sortedKeys(samples) {
		if _, err := c.apply(r, samples[key]); err != nil {
			return err
		}
	}
	return nil
}

func usage(list []object) object {
	cpu, memory := requests(list, "cpu"), requests(list, "memory")
	return object{
		"cpu": fmt.Sprintf("%dm", cpu.MilliValue()*usedShare/100), "memory": fmt.Sprintf("%dKi", memory.Value()/1024*usedShare/100),
	}
}
