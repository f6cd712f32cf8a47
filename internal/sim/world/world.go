// Package world holds what the simulated platform's cluster is made of, and the small controllers that keep it alive: workloads get pods,
// services get endpoints, nodes send heartbeats, autoscalers read metrics, Velero validates its location and runs its schedules. What is
// derived in a cluster is derived here too, so that one change (a node gone, a template with another image) has all its consequences.
//
// [Mutations] is the table of single changes, bad and harmless, that a reader of the platform must tell apart.
package world

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

type object = map[string]any

// Store is what the world needs of the simulated API; its methods write status and spec alike. kubeapi's Store is one.
type Store interface {
	Apply(object any) (map[string]any, error)
	Mutate(r schema.GroupVersionResource, namespace, name string, edit func(map[string]any)) (map[string]any, error)
	Delete(r schema.GroupVersionResource, namespace, name string) error
	Get(r schema.GroupVersionResource, namespace, name string) (map[string]any, error)
	List(r schema.GroupVersionResource, namespace string, match labels.Selector) ([]map[string]any, error)
}

// Scenario names a state of the platform.
type Scenario string

// The scenarios.
const (
	Documented Scenario = "documented" // what the status document of 20 October 2025 claims
	Ready      Scenario = "ready"      // what it would take to be ready
	AsFound    Scenario = "as-found"   // what the evidence of the same day shows
)

// built is when the cluster was made.
func (s Scenario) built(now time.Time) time.Time {
	age := clusterAge
	if s == AsFound {
		age = foundAge
	}
	return now.Add(-age).Truncate(time.Hour)
}

// Scenarios lists them.
func Scenarios() []Scenario { return []Scenario{Documented, Ready, AsFound} }

// Seed fills an empty store with a scenario as it is at that time, consequences included.
func Seed(s Store, scenario Scenario, now time.Time) error {
	objects, err := Objects(scenario, now)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if _, err := s.Apply(o); err != nil {
			return fmt.Errorf("seeding %s %s: %w", o["kind"], nameOf(o), err)
		}
	}
	err = (&controllers{store: s, now: now, since: scenario.built(now)}).tick()
	if err == nil && scenario == AsFound {
		err = breakDown(s, now)
	}
	return err
}

// Objects returns what an operator would have put into the cluster: no pods of workloads, no endpoints, no statuses that a controller
// writes. Seed adds those.
func Objects(scenario Scenario, now time.Time) ([]map[string]any, error) {
	p, err := planOf(scenario, now)
	if err != nil {
		return nil, err
	}
	var all []object
	for _, part := range []func() []object{
		p.namespaces, p.nodes, p.systemPods, p.workloads, p.services, p.ingresses, p.monitoring, p.guards, p.autoscalers, p.rights, p.policies, p.metricsAPI,
		p.certificates, p.velero, p.volumes, p.proved,
	} {
		all = append(all, part()...)
	}
	if scenario == AsFound {
		all = p.found(all)
	}
	for _, o := range all {
		if m := sub(o, "metadata"); m["creationTimestamp"] == nil {
			m["creationTimestamp"] = stamp(p.built)
		}
	}
	return all, nil
}

// Pull says why a node cannot pull an image with the pull secrets of a pod, or nothing.
type Pull func(namespace, image string, pullSecrets []string) string

// Serve is Tick on nodes that pull images: a pod whose image cannot be had waits for it.
func Serve(s Store, now time.Time, pull Pull) error {
	return (&controllers{store: s, now: now, since: now, pull: pull}).tick()
}

// Tick lets every controller look once. It changes nothing when there is nothing to do, so it may be called as often as wanted.
func Tick(s Store, now time.Time) error {
	return (&controllers{store: s, now: now, since: now}).tick()
}

func (c *controllers) tick() error {
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"nodes", c.heartbeats}, {"pods", c.evictions}, {"kubelets", c.kubelets}, {"workloads", c.workloads}, {"endpoints", c.endpoints}, {"disruption budgets", c.budgets},
		{"quotas", c.quotas}, {"metrics", c.metrics}, {"autoscalers", c.autoscalers}, {"operator", c.operator}, {"velero", c.velero},
	} {
		if err := step.run(); err != nil {
			return fmt.Errorf("simulating %s: %w", step.name, err)
		}
	}
	return nil
}

// Halt stops a controller of the simulation, by the name of what it plays: "velero", "operator" or "kubelet/<node>". It stands in for a
// process that hangs while everything about it still looks well.
func Halt(s Store, what string) error {
	_, err := s.Apply(object{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"namespace": "kube-system", "name": haltName(what)}, "data": object{"halted": what},
	})
	return err
}

func haltName(what string) string { return "simulation-halts-" + hash(what) }

func (c *controllers) halted(what string) bool {
	o, err := c.get(configMaps, "kube-system", haltName(what))
	return err == nil && o != nil
}
