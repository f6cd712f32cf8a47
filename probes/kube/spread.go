package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// SpreadParams are the parameters of the kind kubernetes.spread.
type SpreadParams struct {
	Workloads   []WorkloadRef `yaml:"workloads" jsonschema:"description=workloads whose replicas must not all be in one place,minItems=1"`
	TopologyKey string        `yaml:"topologyKey,omitempty" jsonschema:"description=node label whose values are the places; empty for the nodes themselves"`
}

// Validate reports what is wrong with the parameters.
func (p *SpreadParams) Validate() error {
	if len(p.Workloads) == 0 {
		return fmt.Errorf("no workload is named")
	}
	return validRefs(p.Workloads)
}

// SpreadInfo describes the kind kubernetes.spread.
func SpreadInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "kubernetes.spread",
		About: "Asks whether workloads outlive the loss of a node: at least two replicas, and their ready pods on more than one node; from the workloads " +
			"and their pods.",
		Connection: "kubernetes", OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &SpreadParams{} },
	}
}

// NewSpread returns a probe of the kind kubernetes.spread. Parameters must be valid.
func NewSpread(c Cluster, p SpreadParams) probes.Probe { return &spreadProbe{cluster: c, params: p} }

type spreadProbe struct {
	cluster Cluster
	params  SpreadParams
	decoded decodedObjects
}

var _ probes.Watching = &spreadProbe{}

func (p *spreadProbe) Watch(wake func()) func() {
	resources := append(resourcesOf(p.params.Workloads), podsResource())
	if p.params.TopologyKey != "" {
		resources = append(resources, nodesResource())
	}
	return watchAll(p.cluster.Watch, wake, resources...)
}

func (p *spreadProbe) Observe(ctx context.Context) (probes.Observation, error) {
	r, f := newReader(p.cluster, p.decoded), &findings{}
	placeOf, err := p.places(ctx, r)
	if err != nil {
		return probes.Observation{}, err
	}
	together := map[string][]string{} // workloads by the one place of all their replicas
	for _, w := range p.params.Workloads {
		roll, request, err := r.workload(ctx, w)
		if err != nil {
			return probes.Observation{}, err
		}
		e := probes.Evidence{Subject: w.String(), Want: "two replicas or more, ready in more than one place"}.From(request)
		if roll == nil {
			e.Got = "does not exist"
			f.add(e, w.Name+" does not exist")
			continue
		}
		pods, err := r.podsOf(ctx, w)
		if err != nil {
			return probes.Observation{}, err
		}
		got, only, fault := spread(roll, pods, placeOf)
		e.Got = got
		switch {
		case only != "":
			e.Wanting = true
			f.wanting = append(f.wanting, e)
			together[only] = append(together[only], w.Name)
		case fault != "":
			f.add(e, w.Name+" "+fault)
		default:
			f.add(e, "")
		}
	}
	for _, place := range slices.Sorted(maps.Keys(together)) {
		f.faults = append(f.faults, fmt.Sprintf("all replicas on %s: %s", place, enumerate(together[place])))
	}
	f.good = []string{fmt.Sprintf("each of %s is ready in at least two places", plural(len(p.params.Workloads), "workload"))}
	p.decoded = r.decoded
	return r.conclude(f)
}

// places returns how to tell the place of a pod.
func (p *spreadProbe) places(ctx context.Context, r *reader) (func(*Pod) string, error) {
	if p.params.TopologyKey == "" {
		return func(pod *Pod) string { return pod.Node }, nil
	}
	seen, err := r.cluster.Nodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	r.confirmed = oldest(r.confirmed, seen.Confirmed)
	by := map[string]string{}
	for _, n := range seen.Items {
		by[n.Name] = n.Labels[p.params.TopologyKey]
	}
	return func(pod *Pod) string { return by[pod.Node] }, nil
}

// spread says where the ready pods of a workload are, and which place is the only one, or what else is wrong.
func spread(roll *rollout, pods []*Pod, placeOf func(*Pod) string) (got, only, fault string) {
	count := map[string]int{}
	for _, p := range pods {
		if place := placeOf(p); p.Ready && place != "" {
			count[place]++
		}
	}
	var words []string
	for _, place := range slices.Sorted(maps.Keys(count)) {
		words = append(words, fmt.Sprintf("%d on %s", count[place], place))
	}
	got = "ready: " + strings.Join(words, ", ")
	switch {
	case roll.desired < 2:
		fault = fmt.Sprintf("is declared with %s", plural(int(roll.desired), "replica"))
		return fault, "", fault
	case len(count) == 0 && slices.ContainsFunc(pods, func(p *Pod) bool { return p.Ready }):
		fault = "is ready on nodes that do not carry the label"
		return fault, "", fault
	case len(count) == 0:
		fault = "has no ready pod" + ailing(pods)
		return fault, "", fault
	case len(count) == 1:
		place := words[0][strings.LastIndexByte(words[0], ' ')+1:]
		return "all ready replicas are on " + place + ailing(pods), place, ""
	}
	return got, "", ""
}
