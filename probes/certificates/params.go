package certificates

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// Params are the parameters of the kind tls. The hosts are those of the declared services and the ones that are named besides.
type Params struct {
	Hosts    []string      `yaml:"hosts,omitempty" jsonschema:"description=hosts to look at besides those of the declared services; host or host:port"`
	Issuers  []string      `yaml:"issuers,omitempty" jsonschema:"description=organisations that may have signed what is served; empty for any that is trusted"`
	MinDays  int           `yaml:"minDays,omitempty" jsonschema:"description=days for which every chain must stay valid; fewer are a warning,minimum=1"`
	FailDays int           `yaml:"failDays,omitempty" jsonschema:"description=days left at which the warning becomes a failure,minimum=0"`
	Cluster  ClusterParams `yaml:"cluster,omitempty" jsonschema:"description=what cert-manager in the cluster must be like; left out\\, it is not asked about"`

	declared []probes.Service
}

// ClusterParams say who issues certificates in the cluster.
type ClusterParams struct {
	Issuer string `yaml:"issuer,omitempty" jsonschema:"description=the ClusterIssuer that issues for the hosts"`
	Server string `yaml:"server,omitempty" jsonschema:"description=URL of the ACME server that it must ask"`
}

// maxHosts bounds one check.
const maxHosts = 100

// Connections adds the cluster if it is to be looked into.
func (p *Params) Connections() []string {
	if p.Cluster.Issuer == "" {
		return []string{Connection}
	}
	return []string{Connection, "kubernetes"}
}

// Declare takes in the declared services.
func (p *Params) Declare(d probes.Declared) { p.declared = d.Services }

// Validate reports what cannot be asked.
func (p *Params) Validate() error {
	hosts := p.hosts()
	for _, host := range hosts {
		if u, err := url.Parse("https://" + host + "/"); err != nil || u.Host != host || u.Hostname() == "" || strings.ContainsAny(host, "*@") {
			return fmt.Errorf("%q is not the name of a host", host)
		}
	}
	switch n := len(hosts); {
	case n == 0:
		return errors.New("there is no host to look at: no service is declared with one, and none is named")
	case n > maxHosts:
		return fmt.Errorf("%d hosts are more than %d", n, maxHosts)
	case p.MinDays < 1 || p.MinDays > 3650:
		return fmt.Errorf("minDays: %d is not between 1 and 3650", p.MinDays)
	case p.FailDays < 0 || p.FailDays >= p.MinDays:
		return fmt.Errorf("failDays: %d is not between 0 and %d", p.FailDays, p.MinDays-1)
	case (p.Cluster.Issuer == "") != (p.Cluster.Server == ""):
		return errors.New("cluster: name both the issuer and the server that it must ask")
	}
	return nil
}

// hosts are the hosts to look at, each once.
func (p *Params) hosts() []string {
	var all []string
	add := func(host string) {
		if host = strings.ToLower(host); host != "" && !slices.Contains(all, host) {
			all = append(all, host)
		}
	}
	for _, s := range p.declared {
		add(s.Host)
	}
	for _, host := range p.Hosts {
		add(host)
	}
	return all
}
