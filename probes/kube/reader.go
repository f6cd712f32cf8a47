package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

func coreResource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: plural}
}

func groupResource(group, plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group, Version: "v1", Resource: plural}
}

// listing is a collection as it is asked for.
type listing struct {
	resource  schema.GroupVersionResource
	namespace string
}

// decodedObjects are typed forms of objects. An object that has not changed is the same pointer in the next asking, so that it need not be
// decoded again.
type decodedObjects map[*unstructured.Unstructured]any

// reader reads each collection once in one asking.
type reader struct {
	cluster   Cluster
	lists     map[listing]probes.Seen[*unstructured.Unstructured]
	pods      map[string][]*Pod // by namespace
	alike     map[string][]alike
	slices    map[string]map[string][]*unstructured.Unstructured
	before    decodedObjects // of the last asking
	decoded   decodedObjects
	confirmed time.Time
	unseen    []string // what of the collections could not be seen, each once
}

func newReader(c Cluster, before decodedObjects) *reader {
	return &reader{
		cluster: c, lists: map[listing]probes.Seen[*unstructured.Unstructured]{}, pods: map[string][]*Pod{}, alike: map[string][]alike{},
		slices: map[string]map[string][]*unstructured.Unstructured{}, before: before, decoded: decodedObjects{},
	}
}

// list returns a collection; all namespaces if none is given.
func (r *reader) list(ctx context.Context, resource schema.GroupVersionResource, namespace string) (probes.Seen[*unstructured.Unstructured], error) {
	key := listing{resource, namespace}
	if seen, ok := r.lists[key]; ok {
		return seen, nil
	}
	seen, err := r.cluster.List(ctx, resource, namespace)
	if err != nil {
		return seen, fmt.Errorf("listing %s: %w", placed(resource.Resource, namespace), err)
	}
	r.lists[key] = seen
	if seen.Note != "" && !slices.Contains(r.unseen, seen.Note) {
		r.unseen = append(r.unseen, seen.Note)
	}
	r.confirmed = oldest(r.confirmed, seen.Confirmed)
	return seen, nil
}

// in lists the objects of the given namespaces, or of all if none are given. The note says what of them could not be seen.
func (r *reader) in(ctx context.Context, resource schema.GroupVersionResource, namespaces []string) (probes.Seen[*unstructured.Unstructured], error) {
	if len(namespaces) == 0 {
		return r.list(ctx, resource, "")
	}
	var all probes.Seen[*unstructured.Unstructured]
	for _, ns := range namespaces {
		seen, err := r.list(ctx, resource, ns)
		if err != nil {
			return all, err
		}
		all.Items = append(all.Items, seen.Items...)
		all.Request = seen.Request
		if seen.Note != "" {
			all.Note = seen.Note
		}
	}
	return all, nil
}

func placed(what, namespace string) string {
	if namespace == "" {
		return what
	}
	return what + " in " + namespace
}

// podsIn returns the pods of a namespace.
func (r *reader) podsIn(ctx context.Context, namespace string) ([]*Pod, error) {
	if known, ok := r.pods[namespace]; ok {
		return known, nil
	}
	seen, err := r.cluster.Pods(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("listing pods in %s: %w", namespace, err)
	}
	r.pods[namespace] = seen.Items
	r.confirmed = oldest(r.confirmed, seen.Confirmed)
	return seen.Items, nil
}

// labelsIn returns the pods of a namespace by their labels.
func (r *reader) labelsIn(ctx context.Context, namespace string) ([]alike, error) {
	if known, ok := r.alike[namespace]; ok {
		return known, nil
	}
	pods, err := r.podsIn(ctx, namespace)
	if err != nil {
		return nil, err
	}
	r.alike[namespace] = groupAlike(pods)
	return r.alike[namespace], nil
}

// podsOf returns the pods of a workload that are there to stay.
func (r *reader) podsOf(ctx context.Context, w WorkloadRef) ([]*Pod, error) {
	all, err := r.podsIn(ctx, w.Namespace)
	if err != nil {
		return nil, err
	}
	var own []*Pod
	for _, p := range all {
		if kind, name := p.Workload(); kind == w.Kind && name == w.Name && p.living() {
			own = append(own, p)
		}
	}
	return own, nil
}

// living reports whether a pod does its work, or is about to.
func (p *Pod) living() bool { return !p.Deleting && !p.Finished() }

// slicesOf returns the EndpointSlices of a Service.
func (r *reader) slicesOf(ctx context.Context, namespace, service string) ([]*unstructured.Unstructured, error) {
	by, ok := r.slices[namespace]
	if !ok {
		seen, err := r.list(ctx, groupResource("discovery.k8s.io", "endpointslices"), namespace)
		if err != nil {
			return nil, err
		}
		by = map[string][]*unstructured.Unstructured{}
		for _, o := range seen.Items {
			name := labelOf(o, "kubernetes.io/service-name")
			by[name] = append(by[name], o)
		}
		r.slices[namespace] = by
	}
	return by[service], nil
}

// labelOf reads one label without copying the others.
func labelOf(o *unstructured.Unstructured, key string) string {
	about, _ := o.Object["metadata"].(map[string]any)
	labels, _ := about["labels"].(map[string]any)
	value, _ := labels[key].(string)
	return value
}

// typed returns the typed form of an object, which is shared and must not be changed.
func typed[T any](r *reader, o *unstructured.Unstructured) (*T, error) {
	known, ok := r.before[o].(*T)
	if !ok {
		known, ok = r.decoded[o].(*T)
	}
	if !ok {
		known = new(T)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, known); err != nil {
			return nil, fmt.Errorf("decoding %s: %w", subject(o), err)
		}
	}
	r.decoded[o] = known
	return known, nil
}

// rollout returns what is to run and what does, of a workload.
func (r *reader) rollout(o *unstructured.Unstructured) (*rollout, error) {
	known, ok := r.before[o].(*rollout)
	if !ok {
		fresh, err := rolloutOf(o)
		if err != nil {
			return nil, err
		}
		known = &fresh
	}
	r.decoded[o] = known
	return known, nil
}

// findings gathers what was looked at.
type findings struct {
	wanting, holding []probes.Evidence
	faults           []string // of what is wanting, for the summary
	good             []string // for the summary when nothing is wanting
}

// add takes up one thing that was looked at; what is wrong with it is empty if nothing is.
func (f *findings) add(e probes.Evidence, fault string) {
	if e.Wanting = fault != ""; e.Wanting {
		f.wanting, f.faults = append(f.wanting, e), append(f.faults, fault)
		return
	}
	f.holding = append(f.holding, e)
}

// observation is what all of it amounts to. Of what holds, as much is shown as a person may want to read.
func (f *findings) observation(confirmed time.Time) probes.Observation {
	obs := probes.Observation{Status: probes.Pass, Summary: strings.Join(f.good, "; "), Confirmed: confirmed}
	if len(f.faults) > 0 {
		obs.Status, obs.Summary = probes.Fail, enumerateFaults(f.faults)
	}
	obs.Evidence = append(f.wanting, f.holding[:min(len(f.holding), 2*shownObjects)]...)
	return obs
}

// conclude is what all of it amounts to, unless nothing is wanting of what was seen and not all of it was: that proves nothing.
func (r *reader) conclude(f *findings) (probes.Observation, error) {
	if len(f.faults) == 0 && len(r.unseen) > 0 {
		return probes.Observation{}, fmt.Errorf("only a part could be seen: %s", strings.Join(r.unseen, "; "))
	}
	return f.observation(r.confirmed), nil
}

// enumerateFaults joins sentences, each once, and counts those beyond what a line can hold.
func enumerateFaults(faults []string) string {
	const most = 4
	var distinct []string
	seen := map[string]bool{}
	for _, f := range faults {
		if !seen[f] {
			seen[f] = true
			distinct = append(distinct, f)
		}
	}
	if more := len(distinct) - most; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(distinct[:most], "; "), more)
	}
	return strings.Join(distinct, "; ")
}

// WorkloadRef names a workload whose pods are replicas of each other.
type WorkloadRef struct {
	Kind      string `yaml:"kind" jsonschema:"description=what controls its pods,enum=Deployment,enum=StatefulSet"`
	Namespace string `yaml:"namespace" jsonschema:"description=the namespace it is in"`
	Name      string `yaml:"name" jsonschema:"description=its name"`
}

// String names the workload for people.
func (w WorkloadRef) String() string {
	return fmt.Sprintf("%s %s/%s", strings.ToLower(w.Kind), w.Namespace, w.Name)
}

func (w WorkloadRef) resource() schema.GroupVersionResource {
	return appsResource(strings.ToLower(w.Kind) + "s")
}

// validRefs checks a list of workloads.
func validRefs(list []WorkloadRef) error {
	seen := map[WorkloadRef]bool{}
	for _, w := range list {
		switch {
		case w.Kind != "Deployment" && w.Kind != "StatefulSet":
			return fmt.Errorf("kind must be Deployment or StatefulSet, not %q", w.Kind)
		case w.Namespace == "" || w.Name == "":
			return fmt.Errorf("a workload needs a namespace and a name, not %q and %q", w.Namespace, w.Name)
		case seen[w]:
			return fmt.Errorf("%s is named twice", w)
		}
		seen[w] = true
	}
	return nil
}

// resourcesOf are the resources of workloads, each once.
func resourcesOf(list []WorkloadRef) []schema.GroupVersionResource {
	var all []schema.GroupVersionResource
	seen := map[string]bool{}
	for _, w := range list {
		if !seen[w.Kind] {
			seen[w.Kind] = true
			all = append(all, w.resource())
		}
	}
	return all
}

// workload returns a workload and its rollout; nil if there is none.
func (r *reader) workload(ctx context.Context, w WorkloadRef) (*rollout, probes.Request, error) {
	seen, err := r.list(ctx, w.resource(), w.Namespace)
	if err != nil {
		return nil, probes.Request{}, err
	}
	o, err := find(seen, w.Namespace, w.Name)
	if o == nil || err != nil {
		return nil, seen.Request, err
	}
	roll, err := r.rollout(o)
	return roll, seen.Request, err
}
