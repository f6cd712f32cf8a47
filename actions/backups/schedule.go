package backups

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/kube"
	"github.com/254carbon/gonogo/probes"
)

const manager = "gonogo"

// Plan implements [actions.Action].
func (a action) Plan(ctx context.Context, _ actions.Inputs) (actions.Plan, error) {
	p := actions.Plan{Parallel: 1}
	known, err := a.Cluster.List(ctx, schedules, a.Namespace)
	if apierrors.IsNotFound(err) {
		return p, actions.Refuse("Velero is not installed: the cluster does not serve schedules.velero.io")
	}
	if err != nil {
		return p, fmt.Errorf("listing the schedules in %s: %w", a.Namespace, err)
	}
	for _, s := range a.Schedules {
		data, err := json.Marshal(s)
		if err != nil {
			return p, fmt.Errorf("planning schedule %s: %w", s.Name, err)
		}
		step := actions.Step{ID: "schedule " + s.Name, Title: "Create schedule " + s.Name, Target: a.Namespace + "/" + s.Name, Effect: actions.Creates, Lenient: true, Data: data}
		i := slices.IndexFunc(known, func(o *unstructured.Unstructured) bool { return o.GetName() == s.Name })
		if i < 0 {
			step.Detail = s.lines(nil)
			p.Steps = append(p.Steps, step)
			continue
		}
		p.Notes = append(p.Notes, s.notes(known[i])...)
		if step.Detail = s.lines(known[i]); len(step.Detail) == 0 {
			p.Already++
			continue
		}
		if by := kube.ManagedBy(known[i]); by != "" {
			p.Notes = append(p.Notes, fmt.Sprintf("%s is left as it is (%s): %s", s.Name, strings.Join(step.Detail, ", "), by))
			continue
		}
		step.Title, step.Effect = "Mend schedule "+s.Name, actions.Updates
		p.Steps = append(p.Steps, step)
	}
	p.Summary = fmt.Sprintf("%d of %d schedules to create or mend", len(p.Steps), len(a.Schedules))
	if len(p.Steps) == 0 {
		return p, nil
	}
	if err := a.stored(ctx, &p); err != nil {
		return p, err
	}
	return p, a.allowed(ctx, &p)
}

// stored notes storage locations that cannot take what the schedules make.
func (a action) stored(ctx context.Context, p *actions.Plan) error {
	known, err := a.Cluster.List(ctx, locations, a.Namespace)
	if err != nil {
		return fmt.Errorf("listing the storage locations in %s: %w", a.Namespace, err)
	}
	for _, s := range a.Schedules {
		i := slices.IndexFunc(known, func(o *unstructured.Unstructured) bool {
			usual, _, _ := unstructured.NestedBool(o.Object, "spec", "default")
			return o.GetName() == s.Location || s.Location == "" && usual
		})
		note := ""
		switch {
		case i < 0 && s.Location == "":
			note = "there is no default storage location: backups of schedules that name none will fail"
		case i < 0:
			note = fmt.Sprintf("there is no storage location %s: backups of %s will fail", s.Location, s.Name)
		default:
			if phase := probes.Clean(kube.Text(known[i], "status", "phase"), 40); phase != "Available" {
				note = fmt.Sprintf("the storage location %s is %s, not Available: backups will fail until it is", known[i].GetName(), orNothing(phase))
			}
		}
		if note != "" && !slices.Contains(p.Notes, note) {
			p.Notes = append(p.Notes, note)
		}
	}
	return nil
}

// allowed names what is missing of the rights that the steps need.
func (a action) allowed(ctx context.Context, p *actions.Plan) error {
	verbs := []string{"get", "patch"}
	if slices.ContainsFunc(p.Steps, func(s actions.Step) bool { return s.Effect == actions.Creates }) {
		verbs = append(verbs, "create")
	}
	var rights []kube.Right
	for _, verb := range verbs {
		rights = append(rights, kube.Right{Verb: verb, Resource: schedules.GroupResource(), Namespace: a.Namespace})
	}
	var err error
	p.Missing, err = kube.Missing(ctx, a.Cluster, rights...)
	return err
}

// lines say how a schedule differs from what is declared, or all that it will be if there is none.
func (s Schedule) lines(o *unstructured.Unstructured) []string {
	var all []string
	line := func(field, before, after string, equal bool) {
		switch {
		case o == nil && after != "":
			all = append(all, field+": "+after)
		case o != nil && !equal:
			all = append(all, fmt.Sprintf("%s: %s → %s", field, orNothing(probes.Clean(before, 200)), after))
		}
	}
	before := kube.Text(o, "spec", "schedule")
	line("schedule", before, s.Cron, before == s.Cron)
	if paused, _, _ := unstructured.NestedBool(content(o), "spec", "paused"); paused {
		line("paused", "true", "false", false)
	}
	names, _, _ := unstructured.NestedStringSlice(content(o), "spec", "template", "includedNamespaces")
	line("namespaces", strings.Join(names, ", "), strings.Join(s.Namespaces, ", "), same(names, s.Namespaces))
	if len(s.Labels) > 0 {
		labels, _, _ := unstructured.NestedStringMap(content(o), "spec", "template", "labelSelector", "matchLabels")
		line("labels", pairs(labels), pairs(s.Labels), maps.Equal(labels, s.Labels))
	}
	if s.TTL > 0 {
		ttl := kube.Text(o, "spec", "template", "ttl")
		kept, err := time.ParseDuration(ttl)
		line("kept for", ttl, s.TTL.String(), err == nil && kept == s.TTL)
	}
	if s.Location != "" {
		location := kube.Text(o, "spec", "template", "storageLocation")
		line("storage location", location, s.Location, location == s.Location)
	}
	if s.Volumes != nil {
		volumes, found, _ := unstructured.NestedBool(content(o), "spec", "template", "snapshotVolumes")
		was := ""
		if found {
			was = fmt.Sprint(volumes)
		}
		line("snapshots of volumes", was, fmt.Sprint(*s.Volumes), found && volumes == *s.Volumes)
	}
	return all
}

// notes say what of a schedule is not declared and makes its backups smaller, and what Velero has against it.
func (s Schedule) notes(o *unstructured.Unstructured) []string {
	var all []string
	for field, name := range map[string]string{"excludedNamespaces": "namespaces", "excludedResources": "kinds", "includedResources": "all kinds but some"} {
		if list, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "template", field); len(list) > 0 && !slices.Equal(list, []string{"*"}) {
			all = append(all, fmt.Sprintf("%s leaves out %s (%s: %s), which the profile does not declare; that stays", s.Name, name, field, probes.Clean(strings.Join(list, ", "), 200)))
		}
	}
	if labels, _, _ := unstructured.NestedStringMap(o.Object, "spec", "template", "labelSelector", "matchLabels"); len(labels) > 0 && len(s.Labels) == 0 {
		all = append(all, fmt.Sprintf("%s backs up only what is labelled %s, which the profile does not declare; that stays", s.Name, probes.Clean(pairs(labels), 200)))
	}
	if why := refusedBy(o); why != "" && len(s.lines(o)) == 0 {
		all = append(all, fmt.Sprintf("%s is as declared, and Velero refuses it all the same: %s", s.Name, why))
	}
	slices.Sort(all)
	return all
}

// object is the schedule with the fields that are declared, and no other.
func (s Schedule) object(namespace string) *unstructured.Unstructured {
	template := map[string]any{"includedNamespaces": anys(s.Namespaces)}
	if len(s.Labels) > 0 {
		labels := map[string]any{}
		for k, v := range s.Labels {
			labels[k] = v
		}
		template["labelSelector"] = map[string]any{"matchLabels": labels}
	}
	if s.TTL > 0 {
		template["ttl"] = s.TTL.String()
	}
	if s.Location != "" {
		template["storageLocation"] = s.Location
	}
	if s.Volumes != nil {
		template["snapshotVolumes"] = *s.Volumes
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": map[string]any{"namespace": namespace, "name": s.Name},
		"spec": map[string]any{"schedule": s.Cron, "paused": false, "template": template},
	}}
}

// Open implements [actions.Action].
func (a action) Open(context.Context, actions.Plan, string) (actions.Doer, error) {
	return doer{a}, nil
}

type doer struct{ action }

// Close implements [actions.Doer].
func (doer) Close() error { return nil }

func (d doer) read(ctx context.Context, step actions.Step) (Schedule, *unstructured.Unstructured, error) {
	var s Schedule
	if err := json.Unmarshal(step.Data, &s); err != nil {
		return s, nil, fmt.Errorf("reading the step %s: %w", step.ID, err)
	}
	o, err := d.Cluster.Get(ctx, schedules, d.Namespace, s.Name)
	return s, o, err
}

// Done implements [actions.Doer].
func (d doer) Done(ctx context.Context, step actions.Step) (bool, error) {
	s, o, err := d.read(ctx, step)
	return err == nil && o != nil && len(s.lines(o)) == 0 && kube.Text(o, "status", "phase") == "Enabled", err
}

// Do implements [actions.Doer].
func (d doer) Do(ctx context.Context, step actions.Step, r actions.Reporter) error {
	s, o, err := d.read(ctx, step)
	if err != nil {
		return err
	}
	for _, line := range s.lines(o) {
		r.Log(line)
	}
	if o == nil || len(s.lines(o)) > 0 {
		if o, err = d.Cluster.Apply(ctx, schedules, s.object(d.Namespace), manager); err != nil {
			return err
		}
	}
	return d.await(ctx, s, o, r)
}

var errLate = errors.New("too late")

// refusals is how many looks Velero has to change its mind about a schedule that was mended.
const refusals = 10

// await waits until Velero has accepted a schedule in the form in which it is now.
func (d doer) await(ctx context.Context, s Schedule, o *unstructured.Unstructured, r actions.Reporter) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.Patience, errLate)
	defer cancel()
	r.Waiting("Velero has not looked at "+s.Name+" yet", time.Time{})
	var blind error
	for refused := 0; ; {
		switch {
		case blind != nil || o == nil:
		case kube.Text(o, "status", "phase") == "Enabled":
			r.Waiting("", time.Time{})
			if lines := s.lines(o); len(lines) > 0 {
				return fmt.Errorf("schedule %s was changed by somebody else meanwhile (%s)", s.Name, strings.Join(lines, ", "))
			}
			return nil
		case refusedBy(o) != "":
			if refused++; refused > refusals { // before, it may be what Velero said of the schedule as it was
				return fmt.Errorf("schedule %s: Velero refuses it: %s", s.Name, refusedBy(o))
			}
		}
		if err := d.Pause(ctx, time.Second); err != nil {
			break
		}
		seen, err := d.Cluster.Get(ctx, schedules, d.Namespace, s.Name)
		if ctx.Err() == nil {
			o, blind = seen, err
		}
	}
	switch {
	case !errors.Is(context.Cause(ctx), errLate):
		return fmt.Errorf("schedule %s is written, and resuming waits for Velero's word: %w", s.Name, ctx.Err())
	case blind != nil:
		return fmt.Errorf("schedule %s is written, and whether Velero accepts it cannot be seen: %w", s.Name, blind)
	}
	return fmt.Errorf("schedule %s is written, and Velero has not looked at it within %s: see whether its server runs (kubectl -n %s get deployment velero)", s.Name, d.Patience, d.Namespace)
}

// refusedBy says what Velero has against a schedule, or nothing.
func refusedBy(o *unstructured.Unstructured) string {
	if kube.Text(o, "status", "phase") != "FailedValidation" {
		return ""
	}
	why, _, _ := unstructured.NestedStringSlice(o.Object, "status", "validationErrors")
	if len(why) == 0 {
		return "FailedValidation"
	}
	return probes.Clean(strings.Join(why, "; "), 300)
}

func content(o *unstructured.Unstructured) map[string]any {
	if o == nil {
		return nil
	}
	return o.Object
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

func anys(texts []string) []any {
	all := make([]any, len(texts))
	for i, text := range texts {
		all[i] = text
	}
	return all
}

// pairs writes labels as a selector does.
func pairs(labels map[string]string) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, k+"="+labels[k])
	}
	return strings.Join(all, ",")
}
