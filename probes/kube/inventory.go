package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// InventoryService is a service and the workloads that make it up.
type InventoryService struct {
	Name      string     `yaml:"name" jsonschema:"description=name of the service, for people"`
	Workloads []Workload `yaml:"workloads" jsonschema:"description=every workload that the service needs"`
}

// InventoryParams are the parameters of the kind kubernetes.inventory.
type InventoryParams struct {
	Services    []InventoryService `yaml:"services" jsonschema:"description=every service that is to be there"`
	Mirrors     []string           `yaml:"mirrors,omitempty" jsonschema:"description=registries and projects that mirror the declared repositories; a segment * is any one"`
	MirrorNames `yaml:",inline"`
}

// Validate reports what is wrong with the parameters.
func (p *InventoryParams) Validate() error {
	if len(p.Services) == 0 {
		return fmt.Errorf("no service is declared")
	}
	seen := map[string]string{}
	for _, s := range p.Services {
		if s.Name == "" {
			return fmt.Errorf("a service has no name")
		}
		if len(s.Workloads) == 0 {
			return fmt.Errorf("service %s declares no workload", s.Name)
		}
		if err := validWorkloads(s.Workloads, p.Mirrors); err != nil {
			return fmt.Errorf("service %s: %w", s.Name, err)
		}
		for _, w := range s.Workloads {
			if other, twice := seen[w.String()]; twice {
				return fmt.Errorf("%s is declared twice, by %s and %s", w, other, s.Name)
			}
			seen[w.String()] = s.Name
		}
	}
	return nil
}

func (p *InventoryParams) workloads() []Workload {
	var all []Workload
	for _, s := range p.Services {
		all = append(all, s.Workloads...)
	}
	return all
}

// InventoryInfo describes the kind kubernetes.inventory.
func InventoryInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "kubernetes.inventory",
		About: "Compares what is there with what is declared to be: a workload that is gone, scaled to zero, not ready, or stood in for by another " +
			"image is a failure; from the workloads and their pods.",
		Connection: "kubernetes", OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &InventoryParams{} },
	}
}

// NewInventory returns a probe of the kind kubernetes.inventory. Parameters must be valid.
func NewInventory(c Cluster, p InventoryParams) probes.Probe {
	return inventoryProbe{cluster: c, params: p}
}

type inventoryProbe struct {
	cluster Cluster
	params  InventoryParams
}

var _ probes.Watching = inventoryProbe{}

func (p inventoryProbe) Watch(wake func()) func() {
	return watchWorkloads(p.cluster, p.params.workloads(), wake)
}

func (p inventoryProbe) Observe(ctx context.Context) (probes.Observation, error) {
	j := newJudge(p.cluster, mirrored{p.params.Mirrors, p.params.Names})
	troubles := map[trouble][]string{}
	obs := probes.Observation{Status: probes.Pass}
	total, wanting := 0, 0
	for _, s := range p.params.Services {
		for _, w := range s.Workloads {
			f, e, err := j.look(ctx, w)
			if err != nil {
				return probes.Observation{}, err
			}
			e.Subject = s.Name + ": " + e.Subject
			obs.Evidence = append(obs.Evidence, e)
			total++
			if f.trouble == fine {
				continue
			}
			wanting++
			words := f.name
			if f.trouble == unready || f.trouble == placeholder {
				words += " " + f.detail
			}
			troubles[f.trouble] = append(troubles[f.trouble], words)
		}
	}
	obs.Confirmed = j.confirmed
	slices.SortStableFunc(obs.Evidence, func(a, b probes.Evidence) int { return one(b.Wanting) - one(a.Wanting) })
	obs.Summary = fmt.Sprintf("all %s of %s are ready and run what is declared", plural(total, "workload"), plural(len(p.params.Services), "service"))
	if wanting > 0 {
		obs.Status = probes.Fail
		obs.Summary = fmt.Sprintf("%s (%d of %s)", troublesInWords(troubles), wanting, plural(total, "workload"))
	}
	return obs, nil
}

// troublesInWords lists what is wrong, the worst first.
func troublesInWords(troubles map[trouble][]string) string {
	var parts []string
	for _, t := range []trouble{gone, stopped, placeholder, unready} {
		if names := troubles[t]; len(names) > 0 {
			parts = append(parts, string(t)+": "+enumerate(names))
		}
	}
	return strings.Join(parts, "; ")
}
