package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/254carbon/gonogo/probes"
)

// NodesParams are the parameters of the kind kubernetes.nodes.
type NodesParams struct {
	Min     int `yaml:"min" jsonschema:"description=how many nodes must be ready for work,minimum=1"`
	Workers int `yaml:"workers" jsonschema:"description=how many of them must be workers,minimum=0"`
}

// Validate reports what is wrong with the parameters.
func (p *NodesParams) Validate() error {
	switch {
	case p.Min < 1:
		return fmt.Errorf("min must be at least 1, not %d", p.Min)
	case p.Workers < 0:
		return fmt.Errorf("workers must not be negative, it is %d", p.Workers)
	case p.Workers > p.Min:
		return fmt.Errorf("workers (%d) must not be more than min (%d), of which they are part", p.Workers, p.Min)
	}
	return nil
}

// NodesInfo describes the kind kubernetes.nodes.
func NodesInfo() probes.KindInfo {
	return probes.KindInfo{
		Name:       "kubernetes.nodes",
		About:      "Counts the nodes that are ready for work (Ready, not cordoned, not short of anything) and the workers among them, from the node objects.",
		Connection: "kubernetes", OnChange: true, Every: time.Minute, Timeout: 10 * time.Second,
		Confirm: 1, // the control plane has waited already before it says that a kubelet is silent
		Params:  func() any { return &NodesParams{Min: 3, Workers: 2} },
	}
}

// NewNodes returns a probe of the kind kubernetes.nodes. Parameters must be valid.
func NewNodes(nodes Nodes, p NodesParams) probes.Probe { return nodesProbe{nodes: nodes, params: p} }

type nodesProbe struct {
	nodes  Nodes
	params NodesParams
}

var _ probes.Watching = nodesProbe{}

func (p nodesProbe) Watch(wake func()) func() { return watchAll(p.nodes.Watch, wake, nodesResource()) }

// nodeState is what one node amounts to.
type nodeState struct {
	node   *corev1.Node
	worker bool
	ready  bool     // takes new pods
	short  []string // what it is short of, though ready: memory, disk …
	what   string   // in words
}

func (p nodesProbe) Observe(ctx context.Context) (probes.Observation, error) {
	seen, err := p.nodes.Nodes(ctx)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("listing nodes: %w", err)
	}
	if seen.Note != "" { // nodes are in no namespace: some of them is none of them
		return probes.Observation{}, fmt.Errorf("listing nodes: %s", seen.Note)
	}
	states := make([]nodeState, 0, len(seen.Items))
	for _, n := range seen.Items {
		states = append(states, stateOf(n))
	}
	obs := p.judge(states)
	obs.Confirmed = seen.Confirmed
	obs.Evidence = []probes.Evidence{{
		Subject: "nodes", Want: p.wanted(), Got: obs.Summary, Wanting: obs.Status != probes.Pass,
	}}
	slices.SortStableFunc(states, func(a, b nodeState) int { // what is wanting first
		return strings.Compare(fmt.Sprint(a.fine(), a.node.Name), fmt.Sprint(b.fine(), b.node.Name))
	})
	for _, s := range states {
		obs.Evidence = append(obs.Evidence, probes.Evidence{
			Subject: "node " + s.node.Name, Want: "Ready, not cordoned, no pressure",
			Got: fmt.Sprintf("%s (%s)", s.what, roles(s.node)), Wanting: !s.fine(),
		})
	}
	for i := range obs.Evidence {
		obs.Evidence[i] = obs.Evidence[i].From(seen.Request)
	}
	return obs, nil
}

func (s nodeState) fine() bool { return s.ready && len(s.short) == 0 }

func (p nodesProbe) wanted() string {
	if p.params.Workers == 0 {
		return fmt.Sprintf("at least %s ready", plural(p.params.Min, "node"))
	}
	return fmt.Sprintf("at least %s ready, of them %s", plural(p.params.Min, "node"), plural(p.params.Workers, "worker"))
}

// judge counts. Where nodes that are ready but short of something are needed to reach the number, the claim holds by half.
func (p nodesProbe) judge(states []nodeState) probes.Observation {
	var ready, workers, fine, fineWorkers int
	var notReady, short []string
	for _, s := range states {
		switch {
		case !s.ready:
			notReady = append(notReady, s.node.Name+" "+s.what)
		case len(s.short) > 0:
			short = append(short, s.node.Name+" "+s.what)
		}
		if s.ready {
			ready++
			workers += one(s.worker)
			fine += one(len(s.short) == 0)
			fineWorkers += one(len(s.short) == 0 && s.worker)
		}
	}
	obs := probes.Observation{Status: probes.Pass}
	counted := fmt.Sprintf("%s ready of %d, %s", plural(ready, "node"), len(states), plural(workers, "worker"))
	switch min := p.params; {
	case ready < min.Min || workers < min.Workers:
		obs.Status = probes.Fail
		counted = fmt.Sprintf("%s (want %d, %s)", counted, min.Min, plural(min.Workers, "worker"))
	case fine < min.Min || fineWorkers < min.Workers:
		obs.Status = probes.Warn
		obs.Ratio = probes.Part(1, 2)
	}
	causes := slices.Concat(notReady, short)
	switch {
	case len(states) == 0:
		obs.Summary = "the cluster has no nodes"
	case len(causes) == 0:
		obs.Summary = counted
	case obs.Status == probes.Pass:
		obs.Summary = counted + "; besides: " + enumerate(causes)
	default:
		obs.Summary = enumerate(causes) + ": " + counted
	}
	return obs
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

const rolePrefix = "node-role.kubernetes.io/"

// stateOf reads a node's conditions; those it does not know say nothing.
func stateOf(n *corev1.Node) nodeState {
	s := nodeState{node: n, worker: !controlPlane(n)}
	if n.DeletionTimestamp != nil {
		s.what = "is being deleted"
		return s
	}
	var ready *corev1.NodeCondition
	for i, c := range n.Status.Conditions {
		switch {
		case c.Type == corev1.NodeReady:
			ready = &n.Status.Conditions[i]
		case c.Status != corev1.ConditionTrue:
		case c.Type == corev1.NodeMemoryPressure:
			s.short = append(s.short, "memory")
		case c.Type == corev1.NodeDiskPressure:
			s.short = append(s.short, "disk")
		case c.Type == corev1.NodePIDPressure:
			s.short = append(s.short, "process ids")
		case c.Type == corev1.NodeNetworkUnavailable:
			s.short = append(s.short, "network")
		}
	}
	switch {
	case ready == nil:
		s.what = "has reported no Ready condition"
	case ready.Status == corev1.ConditionUnknown:
		s.what = "kubelet silent since " + moment(lastSign(ready))
	case ready.Status != corev1.ConditionTrue:
		s.what = "not ready: " + because(ready.Reason, ready.Message)
	case n.Spec.Unschedulable:
		s.what = "cordoned"
	default:
		s.ready, s.what = true, "Ready"
		if len(s.short) > 0 {
			s.what = "Ready but short of " + strings.Join(s.short, " and ")
		}
	}
	return s
}

// lastSign is the kubelet's last heartbeat, or when the control plane gave up waiting for one.
func lastSign(c *corev1.NodeCondition) time.Time {
	if !c.LastHeartbeatTime.IsZero() {
		return c.LastHeartbeatTime.Time
	}
	return c.LastTransitionTime.Time
}

func controlPlane(n *corev1.Node) bool {
	_, current := n.Labels[rolePrefix+"control-plane"]
	_, before := n.Labels[rolePrefix+"master"]
	return current || before
}

func roles(n *corev1.Node) string {
	var list []string
	for label := range n.Labels {
		if role, ok := strings.CutPrefix(label, rolePrefix); ok && role != "" {
			list = append(list, role)
		}
	}
	if len(list) == 0 {
		return "worker, by having no role label"
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
