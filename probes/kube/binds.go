package kube

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// BindsParams are the parameters of the kind kubernetes.binds: the parts that are asked. At least one is.
type BindsParams struct {
	Ingresses *IngressPart  `yaml:"ingresses,omitempty" jsonschema:"description=hosts lead over one Ingress to a Service with ready endpoints"`
	Services  *Scope        `yaml:"services,omitempty" jsonschema:"description=every Service with a selector has a ready endpoint"`
	Policies  *PolicyPart   `yaml:"policies,omitempty" jsonschema:"description=NetworkPolicies select pods and namespaces that exist"`
	Workloads []WorkloadRef `yaml:"workloads,omitempty" jsonschema:"description=workloads that are kept apart, guarded by a PodDisruptionBudget that allows a disruption, and fit their quotas"`
	Budgets   *Scope        `yaml:"budgets,omitempty" jsonschema:"description=every PodDisruptionBudget selects pods and allows a disruption"`
	Quotas    *Scope        `yaml:"quotas,omitempty" jsonschema:"description=no ResourceQuota is exceeded"`
	Scalers   *Scope        `yaml:"scalers,omitempty" jsonschema:"description=every HorizontalPodAutoscaler has its target"`
	Monitors  *Scope        `yaml:"monitors,omitempty" jsonschema:"description=every ServiceMonitor and PodMonitor selects something that can be scraped"`
}

// Scope says where a part looks.
type Scope struct {
	Namespaces []string `yaml:"namespaces,omitempty" jsonschema:"description=the namespaces to look in; empty for all"`
}

// Validate reports what is wrong with the parameters.
func (p *BindsParams) Validate() error {
	if len(p.parts()) == 0 {
		return fmt.Errorf("no part is asked: name ingresses, services, policies, workloads, budgets, quotas, scalers or monitors")
	}
	if p.Policies != nil {
		if err := p.Policies.validate(); err != nil {
			return fmt.Errorf("policies: %w", err)
		}
	}
	return validRefs(p.Workloads)
}

// BindsInfo describes the kind kubernetes.binds.
func BindsInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "kubernetes.binds",
		About: "Follows objects to what they are for: an Ingress to ready endpoints, a NetworkPolicy to pods and namespaces, a PodDisruptionBudget to pods " +
			"and an allowed disruption, a quota to its use, a monitor to a Service; from the objects, their pods and EndpointSlices.",
		Connection: "kubernetes", OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &BindsParams{} },
	}
}

// NewBinds returns a probe of the kind kubernetes.binds. Parameters must be valid.
func NewBinds(c Cluster, p BindsParams) probes.Probe {
	return &bindsProbe{cluster: c, parts: p.parts()}
}

// bindsProbe is never asked twice at once, so that what it remembers needs no lock.
type bindsProbe struct {
	cluster Cluster
	parts   []part
	decoded decodedObjects
}

var _ probes.Watching = &bindsProbe{}

// part is one thing that the kind can ask.
type part interface {
	reads() []schema.GroupVersionResource // what it looks at
	ask(ctx context.Context, r *reader, f *findings) error
}

func (p *BindsParams) parts() []part {
	var all []part
	if p.Ingresses != nil {
		all = append(all, p.Ingresses)
	}
	if p.Services != nil {
		all = append(all, servicePart{p.Services})
	}
	if p.Policies != nil {
		all = append(all, p.Policies)
	}
	if len(p.Workloads) > 0 {
		all = append(all, guardPart(p.Workloads))
	}
	if p.Budgets != nil {
		all = append(all, budgetPart{p.Budgets})
	}
	if p.Quotas != nil {
		all = append(all, quotaPart{p.Quotas})
	}
	if p.Scalers != nil {
		all = append(all, scalerPart{p.Scalers})
	}
	if p.Monitors != nil {
		all = append(all, monitorPart{p.Monitors})
	}
	return all
}

func (p *bindsProbe) Watch(wake func()) func() {
	var resources []schema.GroupVersionResource
	seen := map[schema.GroupVersionResource]bool{}
	for _, part := range p.parts {
		for _, r := range part.reads() {
			if !seen[r] {
				seen[r] = true
				resources = append(resources, r)
			}
		}
	}
	return watchAll(p.cluster.Watch, wake, resources...)
}

func (p *bindsProbe) Observe(ctx context.Context) (probes.Observation, error) {
	r, f := newReader(p.cluster, p.decoded), &findings{}
	for _, part := range p.parts {
		if err := part.ask(ctx, r, f); err != nil {
			return probes.Observation{}, err
		}
	}
	p.decoded = r.decoded
	return r.conclude(f)
}
