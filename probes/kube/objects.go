package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// Collection names objects of one resource.
type Collection struct {
	Resource  string `yaml:"resource" jsonschema:"description=group/version/plural as in apps/v1/deployments or v1/namespaces"`
	Namespace string `yaml:"namespace,omitempty" jsonschema:"description=the namespace to look in; empty for all"`
	Selector  string `yaml:"selector,omitempty" jsonschema:"description=label selector that narrows them"`
}

// ObjectsParams are the parameters of the kind kubernetes. Exactly one of Expr and Each is set.
type ObjectsParams struct {
	Resource   string                `yaml:"resource" jsonschema:"description=group/version/plural as in apps/v1/deployments or v1/namespaces"`
	Namespace  string                `yaml:"namespace,omitempty" jsonschema:"description=the namespace to look in; empty for all"`
	Selector   string                `yaml:"selector,omitempty" jsonschema:"description=label selector that narrows them"`
	With       map[string]Collection `yaml:"with,omitempty" jsonschema:"description=further lists of objects by the name under which expressions see them"`
	Expr       string                `yaml:"expr,omitempty" jsonschema:"description=CEL over the list objects and the time now; yields a bool or the text of the failure"`
	Each       string                `yaml:"each,omitempty" jsonschema:"description=CEL over every single object; yields a bool or the text of the failure"`
	Want       string                `yaml:"want,omitempty" jsonschema:"description=what the expression asks in words"`
	AllowEmpty bool                  `yaml:"allowEmpty,omitempty" jsonschema:"description=whether each may pass without any object"`
}

func (p *ObjectsParams) main() Collection {
	return Collection{Resource: p.Resource, Namespace: p.Namespace, Selector: p.Selector}
}

// Validate reports what is wrong with the parameters, with line and column within an expression.
func (p *ObjectsParams) Validate() error {
	_, err := p.compile()
	return err
}

var identifier = regexp.MustCompile(`^[a-z][A-Za-z0-9_]{0,30}$`)

func (p *ObjectsParams) compile() (*rule, error) {
	if err := p.main().validate(); err != nil {
		return nil, err
	}
	for name, c := range p.With {
		if !identifier.MatchString(name) || slices.Contains([]string{"object", "objects", "now"}, name) {
			return nil, fmt.Errorf("with: %q cannot be the name of a list", name)
		}
		if err := c.validate(); err != nil {
			return nil, fmt.Errorf("with %s: %w", name, err)
		}
	}
	names := slices.Sorted(maps.Keys(p.With))
	switch {
	case (p.Expr == "") == (p.Each == ""):
		return nil, fmt.Errorf("either expr or each must be given")
	case p.Each != "":
		return compile("each", p.Each, names, true)
	case p.AllowEmpty:
		return nil, fmt.Errorf("allowEmpty is for each; expr can ask for size(objects) itself")
	}
	return compile("expr", p.Expr, names, false)
}

func (c Collection) parse() (schema.GroupVersionResource, error) {
	parts := strings.Split(c.Resource, "/")
	if slices.Contains(parts, "") || len(parts) < 2 || len(parts) > 3 {
		return schema.GroupVersionResource{}, fmt.Errorf("resource %q is not of the form group/version/plural, as in apps/v1/deployments or v1/namespaces", c.Resource)
	}
	r := schema.GroupVersionResource{Version: parts[len(parts)-2], Resource: parts[len(parts)-1]}
	if len(parts) == 3 {
		r.Group = parts[0]
	}
	if r.Resource != strings.ToLower(r.Resource) {
		return r, fmt.Errorf("resource %q: want the plural in lower case, as in deployments", c.Resource)
	}
	return r, nil
}

func (c Collection) validate() error {
	r, err := c.parse()
	if err != nil {
		return err
	}
	if r.Group == "" && r.Resource == "secrets" {
		return fmt.Errorf("resource %q: checks do not read secrets", c.Resource)
	}
	if _, err := labels.Parse(c.Selector); err != nil {
		return fmt.Errorf("selector %q: %w", c.Selector, err)
	}
	return nil
}

// String names the collection for people.
func (c Collection) String() string {
	name := c.Resource[strings.LastIndexByte(c.Resource, '/')+1:]
	if c.Selector != "" {
		name += " with " + c.Selector
	}
	if c.Namespace != "" {
		name += " in " + c.Namespace
	}
	return name
}

// ObjectsInfo describes the kind kubernetes.
func ObjectsInfo() probes.KindInfo {
	return probes.KindInfo{
		Name:       "kubernetes",
		About:      "Asks whatever a CEL expression says about objects of the cluster; from a watch of them.",
		Connection: "kubernetes", OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &ObjectsParams{} },
	}
}

// NewObjects returns a probe of the kind kubernetes. now is the clock that expressions see, nil for the machine's.
func NewObjects(objects Objects, p ObjectsParams, now func() time.Time) (probes.Probe, error) {
	compiled, err := p.compile()
	if err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	return objectsProbe{objects: objects, params: p, rule: compiled, now: now}, nil
}

type objectsProbe struct {
	objects Objects
	params  ObjectsParams
	rule    *rule
	now     func() time.Time
}

var _ probes.Watching = objectsProbe{}

func (p objectsProbe) Watch(wake func()) func() {
	var resources []schema.GroupVersionResource
	for _, c := range append(slices.Collect(maps.Values(p.params.With)), p.params.main()) {
		if r, err := c.parse(); err == nil && !slices.Contains(resources, r) {
			resources = append(resources, r)
		}
	}
	return watchAll(p.objects.Watch, wake, resources...)
}

// selection is what one asking saw of a collection.
type selection struct {
	probes.Seen[*unstructured.Unstructured]
	unserved bool // the cluster does not know the resource
}

// blind says what was not seen of a collection, or nothing.
func (s selection) blind(c Collection) string {
	switch {
	case s.unserved:
		return fmt.Sprintf("the cluster does not serve %s: the name may be wrong, or its definition not installed, and what is not there proves nothing", c.Resource)
	case s.Note != "":
		return fmt.Sprintf("not all %s could be seen: %s", c, s.Note)
	}
	return ""
}

func (p objectsProbe) Observe(ctx context.Context) (probes.Observation, error) {
	main, err := p.read(ctx, p.params.main())
	if err != nil {
		return probes.Observation{}, err
	}
	lists, confirmed := map[string][]any{"objects": values(main.Items)}, main.Confirmed
	blind := main.blind(p.params.main())
	beside := ""
	for _, name := range slices.Sorted(maps.Keys(p.params.With)) {
		c := p.params.With[name]
		more, err := p.read(ctx, c)
		if err != nil {
			return probes.Observation{}, err
		}
		lists[name] = values(more.Items)
		confirmed = oldest(confirmed, more.Confirmed)
		if !more.unserved { // which is empty: an expression may know another way
			beside = cmp.Or(beside, more.blind(c))
		}
	}
	vars := variables(p.now(), lists)
	var obs probes.Observation
	switch {
	case len(main.Items) == 0 && p.params.Each != "" && !p.params.AllowEmpty:
		obs = p.none(main)
	case p.params.Each != "":
		obs, err = p.each(ctx, main, vars)
	default:
		obs, err = p.whole(ctx, main, vars)
	}
	if err != nil {
		return probes.Observation{}, err
	}
	// What was not seen may change what an expression says of all, and may not hold itself. One object that does not hold stays one.
	if why := cmp.Or(beside, blind); why != "" && (obs.Status == probes.Pass || beside != "" || p.params.Each == "" && !main.unserved) {
		return probes.Observation{}, errors.New(why)
	}
	if main.Note != "" {
		obs.Summary += " (" + main.Note + ")"
	}
	obs.Confirmed = confirmed
	for i := range obs.Evidence {
		obs.Evidence[i] = obs.Evidence[i].From(main.Request)
	}
	return obs, nil
}

func (p objectsProbe) read(ctx context.Context, c Collection) (selection, error) {
	r, err := c.parse()
	if err != nil {
		return selection{}, err
	}
	seen, err := p.objects.List(ctx, r, c.Namespace)
	if apierrors.IsNotFound(err) {
		return selection{Seen: probes.Seen[*unstructured.Unstructured]{Request: requestOr(seen.Request, r), Confirmed: seen.Confirmed}, unserved: true}, nil
	}
	if err != nil {
		return selection{}, fmt.Errorf("listing %s: %w", c, err)
	}
	selector, err := labels.Parse(c.Selector)
	if err != nil {
		return selection{}, fmt.Errorf("reading the selector of %s: %w", c, err)
	}
	if !selector.Empty() {
		kept := make([]*unstructured.Unstructured, 0, len(seen.Items))
		for _, o := range seen.Items {
			if selector.Matches(labels.Set(o.GetLabels())) {
				kept = append(kept, o)
			}
		}
		seen.Items = kept
	}
	return selection{Seen: seen}, nil
}

// requestOr describes the request for a resource that the source knew nothing of.
func requestOr(have probes.Request, r schema.GroupVersionResource) probes.Request {
	if have.Source != "" && have.Repeat != "" {
		return have
	}
	return probes.Request{Source: "discovery of " + r.GroupVersion().String(), Repeat: "kubectl api-resources --api-group=" + r.Group}
}

func values(items []*unstructured.Unstructured) []any {
	list := make([]any, len(items))
	for i, o := range items {
		list[i] = o.Object
	}
	return list
}

func (p objectsProbe) wanted() string {
	if p.params.Want != "" {
		return p.params.Want
	}
	return p.params.Expr + p.params.Each
}

// none answers when there is no object that could satisfy the claim.
func (p objectsProbe) none(main selection) probes.Observation {
	got := "no objects found"
	if main.unserved {
		got = "the cluster does not serve this resource"
	}
	return probes.Observation{
		Status: probes.Fail, Summary: fmt.Sprintf("%s: %s", p.params.main(), got),
		Evidence: []probes.Evidence{{Subject: p.params.main().String(), Want: p.wanted(), Got: got, Wanting: true}},
	}
}

// whole evaluates expr.
func (p objectsProbe) whole(ctx context.Context, main selection, vars map[string]any) (probes.Observation, error) {
	ok, text, err := p.rule.holds(ctx, vars)
	if err != nil {
		return probes.Observation{}, err
	}
	counted := fmt.Sprintf("%s: %s", p.params.main(), plural(len(main.Items), "object"))
	if main.unserved {
		counted = fmt.Sprintf("%s: the cluster does not serve this resource", p.params.main())
	}
	obs := probes.Observation{Status: probes.Pass, Summary: counted + ", as wanted"}
	if !ok {
		obs.Status, obs.Summary = probes.Fail, text
		if text == "" {
			obs.Summary = fmt.Sprintf("%s; wanted: %s", counted, p.wanted())
		}
	}
	var names []string
	for _, o := range main.Items {
		names = append(names, o.GetName())
	}
	got := counted
	if len(names) > 0 {
		got += " (" + enumerate(names) + ")"
	}
	if text != "" {
		got = text + "; " + got
	}
	obs.Evidence = []probes.Evidence{{Subject: p.params.main().String(), Want: p.wanted(), Got: got, Wanting: !ok}}
	return obs, nil
}

// shownObjects is how many objects that hold are shown one by one; of those that do not, all are handed on.
const shownObjects = 20

// each evaluates each.
func (p objectsProbe) each(ctx context.Context, main selection, vars map[string]any) (probes.Observation, error) {
	var wanting, holding []probes.Evidence
	var names []string
	held := 0
	for _, o := range main.Items {
		vars["object"] = o.Object
		ok, text, err := p.rule.holds(ctx, vars)
		if err != nil {
			return probes.Observation{}, fmt.Errorf("%s: %w", subject(o), err)
		}
		e := probes.Evidence{Subject: subject(o), Want: p.wanted(), Got: "holds", Wanting: !ok}
		if ok {
			if held++; held <= shownObjects {
				holding = append(holding, e)
			}
			continue
		}
		e.Got = text
		names = append(names, o.GetName())
		if text == "" {
			e.Got = "does not hold"
		} else {
			names[len(names)-1] += " " + text
		}
		wanting = append(wanting, e)
	}
	total := probes.Evidence{
		Subject: p.params.main().String(), Want: p.wanted(), Got: fmt.Sprintf("holds for %d of %s", held, plural(len(main.Items), "object")), Wanting: len(wanting) > 0,
	}
	obs := probes.Observation{Status: probes.Pass, Summary: fmt.Sprintf("%s: %s", total.Subject, total.Got)}
	if len(wanting) > 0 {
		obs.Status = probes.Fail
		obs.Summary = fmt.Sprintf("%s (%d of %s)", enumerate(names), len(wanting), plural(len(main.Items), "object"))
		if p.params.Want != "" {
			obs.Summary += "; wanted: " + p.params.Want
		}
	}
	obs.Evidence = slices.Concat([]probes.Evidence{total}, wanting, holding)
	return obs, nil
}

func subject(o *unstructured.Unstructured) string {
	name := o.GetName()
	if ns := o.GetNamespace(); ns != "" {
		name = ns + "/" + name
	}
	return strings.ToLower(o.GetKind()) + " " + name
}
