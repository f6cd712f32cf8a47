package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/254carbon/gonogo/probes"
)

// Raw gets a path of the API, no more than limit bytes of it. An answer other than 2xx is an error of apierrors, with which the body is
// returned too.
type Raw interface {
	Raw(ctx context.Context, path string, limit int64) ([]byte, probes.Request, error)
}

// ControlPlaneParams are the parameters of the kind kubernetes.controlplane. What is zero is not asked.
type ControlPlaneParams struct {
	Nodes      int           `yaml:"nodes" jsonschema:"description=how many control-plane nodes must be ready; 0 where they are no nodes of the cluster,minimum=0"`
	APIServers int           `yaml:"apiServers" jsonschema:"description=how many API servers must renew the lease of their identity,minimum=0"`
	MaxAge     time.Duration `yaml:"maxAge" jsonschema:"description=how old the last renewal of such a lease may be"`
	Etcd       bool          `yaml:"etcd" jsonschema:"description=whether the API server must reach a healthy etcd"`
}

// Validate reports what is wrong with the parameters.
func (p *ControlPlaneParams) Validate() error {
	switch {
	case p.Nodes < 0 || p.APIServers < 0:
		return fmt.Errorf("nodes and apiServers must not be negative")
	case p.Nodes == 0 && p.APIServers == 0 && !p.Etcd:
		return fmt.Errorf("nothing is asked: give nodes, apiServers or etcd")
	case p.APIServers > 0 && p.MaxAge <= 0:
		return fmt.Errorf("maxAge must be positive, not %s", p.MaxAge)
	}
	return nil
}

// ControlPlaneInfo describes the kind kubernetes.controlplane.
func ControlPlaneInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "kubernetes.controlplane",
		About: "Asks whether the control plane outlives the loss of a node: control-plane nodes, API servers that renew the leases of their identity, and an " +
			"etcd that answers; from nodes, leases in kube-system and the API server's own readiness.",
		Connection: "kubernetes", Every: 30 * time.Second, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &ControlPlaneParams{Nodes: 3, APIServers: 2, MaxAge: time.Minute, Etcd: true} },
	}
}

// NewControlPlane returns a probe of the kind kubernetes.controlplane. Parameters must be valid. The clock is that of ages; nil for the
// machine's.
func NewControlPlane(nodes Nodes, raw Raw, p ControlPlaneParams, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	return controlPlaneProbe{nodes: nodes, raw: raw, params: p, now: now}
}

type controlPlaneProbe struct {
	nodes  Nodes
	raw    Raw
	params ControlPlaneParams
	now    func() time.Time
}

func (p controlPlaneProbe) Observe(ctx context.Context) (probes.Observation, error) {
	f := &findings{}
	var confirmed time.Time
	if p.params.Nodes > 0 {
		seen, err := p.nodes.Nodes(ctx)
		if err != nil {
			return probes.Observation{}, fmt.Errorf("listing nodes: %w", err)
		}
		confirmed = seen.Confirmed
		p.count(f, seen)
	}
	if p.params.APIServers > 0 {
		if err := p.leases(ctx, f); err != nil {
			return probes.Observation{}, err
		}
	}
	if p.params.Etcd {
		if err := p.etcd(ctx, f); err != nil {
			return probes.Observation{}, err
		}
	}
	return f.observation(confirmed), nil
}

func (p controlPlaneProbe) count(f *findings, seen probes.Seen[*corev1.Node]) {
	ready := 0
	var down []string
	for _, n := range seen.Items {
		if !controlPlane(n) {
			continue
		}
		if s := stateOf(n); s.ready || n.Spec.Unschedulable && s.what == "cordoned" {
			ready++
		} else {
			down = append(down, n.Name+" "+s.what)
		}
	}
	e := probes.Evidence{
		Subject: "control-plane nodes", Want: fmt.Sprintf("at least %d ready", p.params.Nodes), Got: fmt.Sprintf("%d ready", ready),
	}.From(seen.Request)
	fault := ""
	if ready < p.params.Nodes {
		fault = fmt.Sprintf("%s ready, want %d", plural(ready, "control-plane node"), p.params.Nodes)
		if len(down) > 0 {
			fault = enumerate(down) + ": " + fault
		}
		e.Got = fault
	}
	f.add(e, fault)
	f.good = append(f.good, plural(ready, "control-plane node")+" ready")
}

// identityLeases are renewed by each API server every ten seconds.
const identityLeases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases?labelSelector=apiserver.kubernetes.io%2Fidentity%3Dkube-apiserver"

const (
	maxLeases = 1 << 20
	maxHealth = 1 << 16
)

func (p controlPlaneProbe) leases(ctx context.Context, f *findings) error {
	body, request, err := p.raw.Raw(ctx, identityLeases, maxLeases)
	if err != nil {
		return fmt.Errorf("listing the leases of API servers: %w", err)
	}
	var list struct {
		Kind  string `json:"kind"`
		Items []struct {
			metav1.ObjectMeta `json:"metadata"`
			Spec              struct {
				RenewTime *metav1.MicroTime `json:"renewTime"`
			} `json:"spec"`
		} `json:"items"`
	}
	if err := json.Unmarshal(body, &list); err != nil || list.Kind != "LeaseList" {
		return fmt.Errorf("listing the leases of API servers: the answer is no list of leases")
	}
	fresh := 0
	var old []string
	for _, l := range list.Items {
		switch age := p.age(l.Spec.RenewTime); {
		case age < -2*time.Minute:
			return fmt.Errorf("lease %s was renewed in the future: the clocks of the cluster and of this machine differ", l.Name)
		case age > p.params.MaxAge:
			old = append(old, l.Name)
		default:
			fresh++
		}
	}
	e := probes.Evidence{
		Subject: "leases of API servers", Want: fmt.Sprintf("at least %d renewed within %s", p.params.APIServers, p.params.MaxAge),
		Got: fmt.Sprintf("%d of %d", fresh, len(list.Items)),
	}.From(request)
	fault := ""
	if fresh < p.params.APIServers {
		fault = fmt.Sprintf("%s alive, want %d", plural(fresh, "API server"), p.params.APIServers)
		if len(old) > 0 {
			fault += " (silent: " + enumerate(old) + ")"
		}
	}
	f.add(e, fault)
	f.good = append(f.good, plural(fresh, "API server")+" alive")
	return nil
}

// age is how long ago something was renewed; what never was is as old as can be.
func (p controlPlaneProbe) age(at *metav1.MicroTime) time.Duration {
	if at == nil {
		return 1<<63 - 1
	}
	return p.now().Sub(at.Time)
}

// badCheck is a line of what an API server says of its readiness: "[-]etcd failed: reason withheld".
var badCheck = regexp.MustCompile(`(?m)^\[-\](\S+)`)

// etcd asks the API server for its own look at etcd. An answer that is no word of it is no answer.
func (p controlPlaneProbe) etcd(ctx context.Context, f *findings) error {
	body, request, err := p.raw.Raw(ctx, "/readyz/etcd?verbose", maxHealth)
	e := probes.Evidence{Subject: "etcd", Want: "ok, says the API server", Got: "ok"}.From(request)
	text := strings.TrimSpace(string(body))
	failed := badCheck.FindStringSubmatch(text)
	switch {
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err), apierrors.IsNotFound(err):
		return fmt.Errorf("asking the API server for etcd: %w", err)
	case failed != nil || apierrors.IsInternalError(err) && strings.Contains(text, "etcd"):
		e.Got = "failed"
		f.add(e, "the API server says that etcd fails")
		return nil
	case err != nil:
		return fmt.Errorf("asking the API server for etcd: %w", err)
	case text != "ok" && !strings.Contains(text, "[+]etcd ok"):
		return fmt.Errorf("asking the API server for etcd: the answer is neither ok nor not")
	}
	f.add(e, "")
	f.good = append(f.good, "etcd is healthy")
	return nil
}
