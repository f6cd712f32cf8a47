package edge

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// Params are the parameters of cloudflare.edge. The hosts are those of the services that the profile declares protected.
type Params struct {
	Team     string      `yaml:"team" jsonschema:"required,description=the team whose login must be asked for: its name\\, or its whole domain"`
	Services []probes.ID `yaml:"services,omitempty" jsonschema:"description=ids of the declared services to look at; by default all that are declared protected"`
	Hosts    []string    `yaml:"hosts,omitempty" jsonschema:"description=hosts to look at besides"`
	Paths    []string    `yaml:"paths,omitempty" jsonschema:"description=paths that must all be protected; an application may cover one and leave another"`
	Origins  []string    `yaml:"origins,omitempty" jsonschema:"description=addresses of the servers behind the edge (address or address:port); none of them may serve the hosts itself"`

	declared []probes.Service
}

// maxHosts bounds one check.
const maxHosts = 64

// Declare takes in the declared services.
func (p *Params) Declare(d probes.Declared) { p.declared = d.Services }

// Validate reports what cannot be asked.
func (p *Params) Validate() error {
	if p.Team == "" || strings.ContainsAny(p.Team, "/: ") {
		return fmt.Errorf("team: %q is neither the name of a team nor its domain", p.Team)
	}
	for _, id := range p.Services {
		if !slices.ContainsFunc(p.declared, func(s probes.Service) bool { return s.ID == id && s.Host != "" }) {
			return fmt.Errorf("services: no service %q with a host is declared", id)
		}
	}
	for _, path := range p.Paths {
		if u, err := url.ParseRequestURI(path); err != nil || u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
			return fmt.Errorf("paths: %q is not a path", path)
		}
	}
	for _, origin := range p.Origins {
		if _, err := parseOrigin(origin); err != nil {
			return fmt.Errorf("origins: %q is not an address", origin)
		}
	}
	targets := p.targets()
	for _, t := range targets {
		if u, err := url.Parse("https://" + t.host + "/"); err != nil || u.Host != t.host || u.Hostname() == "" || strings.ContainsAny(t.host, "*@") {
			return fmt.Errorf("%q is not the name of a host", t.host)
		}
	}
	switch n := len(targets); {
	case n == 0:
		return errors.New("there is no host to look at: no declared service is protected, and none is named")
	case n > maxHosts:
		return fmt.Errorf("%d hosts are more than %d", n, maxHosts)
	}
	return nil
}

// parseOrigin reads an address, with port 443 unless it has one.
func parseOrigin(text string) (netip.AddrPort, error) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at, nil
	}
	addr, err := netip.ParseAddr(text)
	return netip.AddrPortFrom(addr, 443), err
}

// target is a host that must be protected.
type target struct{ name, host string }

func (t target) subject() string {
	if t.name == "" || t.name == t.host {
		return t.host
	}
	return t.name + " (" + t.host + ")"
}

// targets are the hosts to look at, each once.
func (p *Params) targets() []target {
	var all []target
	add := func(t target) {
		if t.host = strings.ToLower(t.host); !slices.ContainsFunc(all, func(known target) bool { return known.host == t.host }) {
			all = append(all, t)
		}
	}
	for _, s := range p.declared {
		if s.Host != "" && (len(p.Services) == 0 && s.Protected || slices.Contains(p.Services, s.ID)) {
			add(target{string(s.ID), s.Host})
		}
	}
	for _, host := range p.Hosts {
		add(target{host, host})
	}
	return all
}

func (p *Params) paths() []string {
	if len(p.Paths) == 0 {
		return []string{"/"}
	}
	return p.Paths
}

// teamDomain is where the team logs in.
func (p *Params) teamDomain() string {
	if strings.Contains(p.Team, ".") {
		return strings.ToLower(p.Team)
	}
	return strings.ToLower(p.Team) + teamSuffix
}

const teamSuffix = ".cloudflareaccess.com"
