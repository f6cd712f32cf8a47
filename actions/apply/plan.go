package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/kube"
	"github.com/254carbon/gonogo/probes"
)

// item is the data of a step. The object of a Secret is not in it: it is read again.
type item struct {
	Resource schema.GroupVersionResource `json:"resource"`
	Object   map[string]any              `json:"object,omitempty"`
	Name     string                      `json:"name"`
	Space    string                      `json:"namespace,omitempty"`
	Kind     string                      `json:"kind"`
}

// Plan implements [actions.Action].
func (a action) Plan(ctx context.Context, in actions.Inputs) (actions.Plan, error) {
	p := actions.Plan{Parallel: 1}
	all, err := a.objects(in)
	if err != nil {
		return p, err
	}
	if len(all) == 0 {
		return p, actions.Refuse("there is nothing to apply: name manifests of the checkout (--set files=k8s/…/*.yaml), or objects in the profile")
	}
	var rights []kube.Right
	var would []*unstructured.Unstructured // what would come of them
	for _, o := range all {
		right, merged, err := a.one(ctx, o, all, &p)
		if err != nil {
			return p, err
		}
		rights, would = append(rights, right...), append(would, merged)
	}
	if err := a.harmful(ctx, would); err != nil {
		return p, err
	}
	p.Summary = fmt.Sprintf("%d of %d objects to apply", p.Changes(), len(all))
	if len(p.Steps) == 0 {
		return p, nil
	}
	slices.SortFunc(rights, func(x, y kube.Right) int { return strings.Compare(fmt.Sprint(x), fmt.Sprint(y)) })
	missing, err := kube.Missing(ctx, a.Cluster, slices.Compact(rights)...)
	p.Missing = append(p.Missing, missing...)
	return p, err
}

// objects are what is to be applied, in the order in which it is.
func (a action) objects(in actions.Inputs) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, o := range a.Objects {
		u, err := whole(&unstructured.Unstructured{Object: o}) // validated
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	var patterns []string
	for pattern := range strings.SplitSeq(in[inputFiles], ",") {
		if pattern = strings.TrimSpace(pattern); pattern == "" {
			continue
		}
		if err := checkPattern(pattern); err != nil {
			return nil, &actions.InputError{Name: inputFiles, Err: err}
		}
		patterns = append(patterns, pattern)
	}
	if len(patterns) > 0 {
		if a.Folder == nil {
			return nil, &actions.InputError{Name: inputFiles, Err: errors.New("the profile has no connection to a checkout (connections.checkout)")}
		}
		folder, err := a.Folder()
		if err != nil {
			return nil, fmt.Errorf("looking for the checkout: %w", err)
		}
		found, err := read(folder, patterns)
		if err != nil {
			return nil, &actions.InputError{Name: inputFiles, Err: err}
		}
		all = append(all, found...)
	}
	seen := map[string]bool{}
	for _, o := range all {
		if key := o.GetAPIVersion() + " " + named(o); seen[key] {
			return nil, fmt.Errorf("%s is there twice: which is meant cannot be told", named(o))
		} else {
			seen[key] = true
		}
	}
	slices.SortStableFunc(all, func(x, y *unstructured.Unstructured) int { return before(x) - before(y) })
	return all, nil
}

// one plans one object, and says which rights it takes and what would come of it.
func (a action) one(ctx context.Context, o *unstructured.Unstructured, all []*unstructured.Unstructured, p *actions.Plan) ([]kube.Right, *unstructured.Unstructured, error) {
	r, namespaced, found, err := a.Cluster.Resource(ctx, o.GroupVersionKind())
	switch {
	case err != nil:
		return nil, nil, err
	case !found:
		p.Missing = append(p.Missing, fmt.Sprintf("an API for %s: the cluster serves no %s of %s", named(o), o.GetKind(), o.GetAPIVersion()))
		return nil, o, nil
	case !namespaced:
		o.SetNamespace("")
	case o.GetNamespace() == "":
		o.SetNamespace(a.Namespace)
	}
	if namespaced && o.GetNamespace() == "" {
		return nil, nil, fmt.Errorf("%s names no namespace: write one, or namespace in the profile's action", named(o))
	}
	live, err := a.Cluster.Get(ctx, r, o.GetNamespace(), o.GetName())
	if err != nil {
		return nil, nil, err
	}
	lines, merged, err := a.difference(ctx, r, o, live, all, p)
	if err != nil {
		return nil, nil, err
	}
	if live != nil && len(lines) == 0 {
		p.Already++
		return nil, merged, nil
	}
	if live != nil {
		if by := kube.ManagedBy(live); by != "" {
			p.Notes = append(p.Notes, fmt.Sprintf("%s is left as it is (%s): %s", named(o), strings.Join(lines, ", "), by))
			return nil, live, nil
		}
	}
	data := item{Resource: r, Name: o.GetName(), Space: o.GetNamespace(), Kind: o.GetKind()}
	if o.GetKind() != "Secret" {
		data.Object = o.Object
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, nil, fmt.Errorf("planning %s: %w", named(o), err)
	}
	step := actions.Step{ID: "apply " + r.GroupResource().String() + " " + o.GetNamespace() + "/" + o.GetName(), Title: "Create " + named(o),
		Target: strings.Trim(o.GetNamespace()+"/"+o.GetName(), "/"), Effect: actions.Creates, Detail: lines, Data: raw}
	rights := []kube.Right{{Verb: "get", Resource: r.GroupResource(), Namespace: o.GetNamespace()}, {Verb: "patch", Resource: r.GroupResource(), Namespace: o.GetNamespace()}}
	if live != nil {
		step.Title, step.Effect = "Change "+named(o), actions.Updates
	} else {
		rights = append(rights, kube.Right{Verb: "create", Resource: r.GroupResource(), Namespace: o.GetNamespace()})
	}
	p.Steps = append(p.Steps, step)
	return rights, merged, nil
}

// difference says what applying an object would change and what would come of it, by the API server's own dry run if that may be asked. What
// the API server would refuse is noted as missing.
func (a action) difference(ctx context.Context, r schema.GroupVersionResource, o, live *unstructured.Unstructured, all []*unstructured.Unstructured, p *actions.Plan) ([]string, *unstructured.Unstructured, error) {
	secret := o.GetKind() == "Secret"
	laid := &unstructured.Unstructured{Object: lay(content(live), o.Object)}
	if a.ReadOnly {
		p.Notes = append(p.Notes, named(o)+": in read-only mode the API server was not asked to try it")
		return compare(content(live), laid.Object, secret), laid, nil
	}
	after, err := a.Cluster.DryApply(ctx, r, o, manager)
	if err == nil {
		return compare(content(live), after.Object, secret), after, nil
	}
	if ctx.Err() != nil {
		return nil, nil, err
	}
	said := named(o) + ": the API server says of a dry run: " + probes.Clean(telling(o, err).Error(), 300)
	comes := slices.ContainsFunc(all, func(n *unstructured.Unstructured) bool { // with an earlier step
		return n.GetKind() == "Namespace" && n.GetName() == o.GetNamespace() || n.GetKind() == "CustomResourceDefinition"
	})
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) && comes { // a right that is named below, or that a webhook refuses
		p.Notes = append(p.Notes, said)
	} else {
		p.Missing = append(p.Missing, said)
	}
	return compare(content(live), laid.Object, secret), laid, nil
}

// telling is what may be said of an error about an object: those about a Secret may quote what it holds.
func telling(o *unstructured.Unstructured, err error) error {
	if o.GetKind() != "Secret" {
		return err
	}
	reason := apierrors.ReasonForError(err)
	if reason == "" {
		reason = "it could not be asked"
	}
	return fmt.Errorf("%s is not taken (%s); the words for it are left out, since they may quote it", named(o), reason)
}

// lay lays what a manifest names over what there is, as far as that can be told without the API server: lists are those of the manifest.
func lay(live, manifest map[string]any) map[string]any {
	merged := map[string]any{}
	maps.Copy(merged, live)
	for k, v := range manifest {
		was, isMap := merged[k].(map[string]any)
		if is, ok := v.(map[string]any); ok && isMap {
			merged[k] = lay(was, is)
			continue
		}
		merged[k] = v
	}
	return merged
}

func content(o *unstructured.Unstructured) map[string]any {
	if o == nil {
		return nil
	}
	return o.Object
}

// maxLines bounds what is shown of one object, and maxValue one value.
const (
	maxLines = 40
	maxValue = 120
)

// compare says in which fields an object would be another: path: before → after. What only the API server keeps is left out; of a Secret no
// value is shown.
func compare(live, after map[string]any, secret bool) []string {
	var lines []string
	skip := func(path string) bool {
		switch path {
		case "status", "metadata.managedFields", "metadata.resourceVersion", "metadata.generation", "metadata.uid", "metadata.creationTimestamp":
			return true
		}
		return live == nil && (path == "apiVersion" || path == "kind" || path == "metadata.name" || path == "metadata.namespace")
	}
	show := func(path string, v any) string {
		if secret && !strings.HasPrefix(path, "metadata.labels") && path != "type" {
			return "(secret)"
		}
		if s, ok := v.(string); ok {
			return probes.Clean(s, maxValue)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			return "?"
		}
		return probes.Clean(string(raw), maxValue)
	}
	var walk func(path string, before, now any)
	walk = func(path string, before, now any) {
		was, wasMap := before.(map[string]any)
		is, isMap := now.(map[string]any)
		switch {
		case skip(path) || reflect.DeepEqual(before, now):
		case isMap && (wasMap || before == nil):
			for _, k := range slices.Sorted(maps.Keys(is)) {
				walk(strings.TrimPrefix(path+"."+k, "."), was[k], is[k])
			}
			for _, k := range slices.Sorted(maps.Keys(was)) {
				if _, stays := is[k]; !stays && live != nil && !skip(strings.TrimPrefix(path+"."+k, ".")) {
					walk(strings.TrimPrefix(path+"."+k, "."), was[k], nil)
				}
			}
		case before == nil:
			lines = append(lines, path+": "+show(path, now))
		case now == nil:
			lines = append(lines, path+": "+show(path, before)+" → (gone)")
		default:
			lines = append(lines, path+": "+show(path, before)+" → "+show(path, now))
		}
	}
	walk("", live, after)
	if more := len(lines) - maxLines; more > 0 {
		lines = append(lines[:maxLines], fmt.Sprintf("… and %d fields more", more))
	}
	return lines
}

// Open implements [actions.Action].
func (a action) Open(_ context.Context, p actions.Plan, _ string) (actions.Doer, error) {
	return doer{action: a, inputs: p.Inputs}, nil
}

type doer struct {
	action
	inputs actions.Inputs
}

// Close implements [actions.Doer].
func (doer) Close() error { return nil }

// read returns what a step applies.
func (d doer) read(step actions.Step) (item, *unstructured.Unstructured, error) {
	var i item
	if err := json.Unmarshal(step.Data, &i); err != nil {
		return i, nil, fmt.Errorf("reading the step %s: %w", step.ID, err)
	}
	if i.Object != nil {
		o, err := whole(&unstructured.Unstructured{Object: i.Object})
		return i, o, err
	}
	all, err := d.objects(d.inputs)
	if err != nil {
		return i, nil, err
	}
	for _, o := range all {
		if o.GetKind() == i.Kind && o.GetName() == i.Name && (o.GetNamespace() == i.Space || o.GetNamespace() == "") {
			o.SetNamespace(i.Space)
			return i, o, nil
		}
	}
	return i, nil, fmt.Errorf("%s %s is not among the manifests any more: plan again", i.Kind, i.Name)
}

// Done implements [actions.Doer]: nothing is left that applying would change.
func (d doer) Done(ctx context.Context, step actions.Step) (bool, error) {
	i, o, err := d.read(step)
	if err != nil {
		return false, err
	}
	live, err := d.Cluster.Get(ctx, i.Resource, i.Space, i.Name)
	if err != nil || live == nil {
		return false, err
	}
	after, err := d.Cluster.DryApply(ctx, i.Resource, o, manager)
	if err != nil {
		return false, err
	}
	return len(compare(live.Object, after.Object, true)) == 0 && (i.Kind != autoscaler || waiting(live) == ""), nil
}

// Do implements [actions.Doer].
func (d doer) Do(ctx context.Context, step actions.Step, r actions.Reporter) error {
	i, o, err := d.read(step)
	if err != nil {
		return err
	}
	for _, line := range step.Detail {
		r.Log(line)
	}
	if _, err := d.Cluster.Apply(ctx, i.Resource, o, manager); err != nil {
		return telling(o, err)
	}
	if i.Kind != autoscaler {
		return nil
	}
	return d.await(ctx, i, r)
}

const autoscaler = "HorizontalPodAutoscaler"

// await waits until an autoscaler has a target and its metrics.
func (d doer) await(ctx context.Context, i item, r actions.Reporter) error {
	err := actions.Await(ctx, d.Patience, d.Pause, r, func(ctx context.Context) (bool, string, error) {
		o, err := d.Cluster.Get(ctx, i.Resource, i.Space, i.Name)
		if err == nil && o == nil {
			err = actions.Final(errors.New("it is gone again"))
		}
		if err != nil {
			return false, "", err
		}
		why := waiting(o)
		return why == "", why, nil
	})
	if err != nil {
		return fmt.Errorf("%s %s/%s is applied, and does not scale: %w", i.Kind, i.Space, i.Name, err)
	}
	return nil
}

// waiting says why an autoscaler does not scale, or nothing if it does.
func waiting(o *unstructured.Unstructured) string {
	if seen, found, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration"); found && seen < o.GetGeneration() {
		return "the controller has not looked at it since it was changed"
	}
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	state := map[string]map[string]any{}
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok {
			kind, _ := m["type"].(string)
			state[kind] = m
		}
	}
	for _, kind := range []string{"AbleToScale", "ScalingActive"} {
		c := state[kind]
		if c == nil {
			return "the controller has not looked at it"
		}
		if c["status"] != "True" {
			return probes.Clean(strings.TrimSpace(fmt.Sprintf("%v: %v", c["reason"], c["message"])), 300)
		}
	}
	return ""
}
