package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// WorkloadsParams are the parameters of the kind kubernetes.workloads.
type WorkloadsParams struct {
	Workloads   []Workload `yaml:"workloads,omitempty" jsonschema:"description=workloads of which every one must be as declared"`
	AnyOf       []Workload `yaml:"anyOf,omitempty" jsonschema:"description=workloads of which at least one must be as declared"`
	Mirrors     []string   `yaml:"mirrors,omitempty" jsonschema:"description=registries and projects that mirror the declared repositories; a segment * is any one"`
	MirrorNames `yaml:",inline"`
}

// Validate reports what is wrong with the parameters.
func (p *WorkloadsParams) Validate() error {
	if len(p.Workloads)+len(p.AnyOf) == 0 {
		return fmt.Errorf("no workload is named, neither under workloads nor under anyOf")
	}
	return validWorkloads(slices.Concat(p.Workloads, p.AnyOf), p.Mirrors)
}

// WorkloadsInfo describes the kind kubernetes.workloads.
func WorkloadsInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "kubernetes.workloads",
		About: "Asks whether workloads are what they are declared to be: rolled out, ready, on the nodes they belong on, and with pods that run the " +
			"declared image; from the workloads, their pods and the nodes.",
		Connection: "kubernetes", OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &WorkloadsParams{} },
	}
}

// NewWorkloads returns a probe of the kind kubernetes.workloads. Parameters must be valid.
func NewWorkloads(c Cluster, p WorkloadsParams) probes.Probe {
	return workloadsProbe{cluster: c, params: p}
}

type workloadsProbe struct {
	cluster Cluster
	params  WorkloadsParams
}

var _ probes.Watching = workloadsProbe{}

func (p workloadsProbe) Watch(wake func()) func() {
	return watchWorkloads(p.cluster, slices.Concat(p.params.Workloads, p.params.AnyOf), wake)
}

// watchWorkloads watches what judging the declared workloads reads.
func watchWorkloads(c Cluster, list []Workload, wake func()) func() {
	resources := []schema.GroupVersionResource{podsResource()}
	for _, kind := range kinds(list) {
		resources = append(resources, appsResource(kind))
	}
	if slices.ContainsFunc(list, func(w Workload) bool { return w.EverySchedulableNode }) {
		resources = append(resources, nodesResource())
	}
	return watchAll(c.Watch, wake, resources...)
}

func (p workloadsProbe) Observe(ctx context.Context) (probes.Observation, error) {
	j := newJudge(p.cluster, mirrored{p.params.Mirrors, p.params.Names})
	obs := probes.Observation{Status: probes.Pass}
	var good, bad []string
	for _, w := range p.params.Workloads {
		f, e, err := j.look(ctx, w)
		if err != nil {
			return probes.Observation{}, err
		}
		obs.Evidence = append(obs.Evidence, e)
		if f.trouble != fine {
			bad = append(bad, f.name+" "+f.detail)
		} else {
			good = append(good, f.name+" "+f.detail)
		}
	}
	if len(p.params.AnyOf) > 0 {
		words, ok, evidence, err := j.any(ctx, p.params.AnyOf)
		if err != nil {
			return probes.Observation{}, err
		}
		obs.Evidence = append(obs.Evidence, evidence...)
		if ok {
			good = append(good, words)
		} else {
			bad = append(bad, words)
		}
	}
	obs.Summary, obs.Confirmed = enumerate(good), j.confirmed
	if len(bad) > 0 {
		obs.Status, obs.Summary = probes.Fail, enumerate(bad)
	}
	return obs, nil
}

// any judges alternatives. Only where none of them is as declared do they count as wanting.
func (j *judge) any(ctx context.Context, list []Workload) (words string, ok bool, evidence []probes.Evidence, err error) {
	var names, present []string
	for _, w := range list {
		f, e, err := j.look(ctx, w)
		if err != nil {
			return "", false, nil, err
		}
		evidence = append(evidence, e)
		names = append(names, f.name)
		switch f.trouble {
		case fine:
			if !ok {
				words, ok = f.name+" "+f.detail, true
			}
		case gone:
		default:
			present = append(present, f.name+" "+f.detail)
		}
	}
	if ok {
		for i := range evidence {
			evidence[i].Wanting = false
		}
		return words, true, evidence, nil
	}
	if len(present) > 0 {
		return enumerate(present), false, evidence, nil
	}
	return "none of these exists: " + strings.Join(names, ", "), false, evidence, nil
}
