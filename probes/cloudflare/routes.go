package cloudflare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// RoutesParams are the parameters of cloudflare.routes; one of Tunnel and TunnelID is set.
type RoutesParams struct {
	Tunnel   string   `yaml:"tunnel,omitempty" jsonschema:"description=the tunnel's name"`
	TunnelID string   `yaml:"tunnelID,omitempty" jsonschema:"description=the tunnel's id\\, in place of its name"`
	Public   []string `yaml:"public,omitempty" jsonschema:"description=hosts that are declared public: they need no application"`
}

// Validate reports a tunnel without a name, and hosts that are none.
func (p RoutesParams) Validate() error {
	switch {
	case (p.Tunnel == "") == (p.TunnelID == ""):
		return errors.New("a tunnel is named by tunnel or by tunnelID")
	case p.TunnelID != "" && !uuid.MatchString(p.TunnelID):
		return fmt.Errorf("tunnelID: %q is not the id of a tunnel", p.TunnelID)
	}
	for _, host := range p.Public {
		if !IsHost(host) {
			return fmt.Errorf("public: %q is not the name of a host", host)
		}
	}
	return nil
}

// RoutesKind describes cloudflare.routes.
func RoutesKind() probes.KindInfo {
	return probes.KindInfo{
		Name:       "cloudflare.routes",
		About:      "Reads what the tunnel routes and asks of every host whether an Access application covers it as a whole or it is declared public.",
		Connection: Connection, Every: 5 * time.Minute, Timeout: 20 * time.Second, Confirm: 2,
		Params: func() any { return &RoutesParams{} },
	}
}

// NewRoutes returns a probe of the kind cloudflare.routes. Parameters must be valid.
func NewRoutes(client Routing, p RoutesParams) probes.Probe {
	return &routesProbe{client: client, params: p}
}

type routesProbe struct {
	client Routing
	params RoutesParams
}

// Observe asks once.
func (p *routesProbe) Observe(ctx context.Context) (probes.Observation, error) {
	label := "tunnel " + cmp.Or(p.params.Tunnel, p.params.TunnelID)
	t, err := p.client.Tunnel(ctx, p.params.TunnelID, p.params.Tunnel)
	switch {
	case errors.Is(err, ErrNotFound):
		return fail(probes.Evidence{Subject: label, Want: "exists", Got: "does not exist in the account"}.From(t.Request),
			"%s does not exist in the account, so that nobody knows what is routed", label), nil
	case err != nil:
		return probes.Observation{}, fmt.Errorf("looking for %s: %w", label, err)
	}
	routes, err := p.client.Routes(ctx, t.ID)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("reading what %s routes: %w", label, err)
	}
	apps, err := p.client.Applications(ctx)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("listing the Access applications: %w", err)
	}
	return p.judge(label, routes, apps), nil
}

// judge looks at every host once, and at where everything else is led.
func (p *routesProbe) judge(label string, routes Routes, apps Applications) probes.Observation {
	obs := probes.Observation{Status: probes.Pass}
	var bare []string
	covered, public := 0, 0
	seen := map[string]bool{}
	for _, r := range routes.Items {
		host := r.Host
		if seen[host] || host == "" && strings.HasPrefix(r.Service, "http_status:") { // the rule that ends every configuration
			continue
		}
		seen[host] = true
		e := probes.Evidence{Subject: "route of " + cmp.Or(host, "every other host"), Want: "an Access application, or declared public"}.From(routes.Request)
		app := covering(apps.Items, cmp.Or(host, "*"))
		switch {
		case app != nil:
			e.Got = fmt.Sprintf("application %q for %s", app.Name, strings.Join(app.Domains, ", "))
			covered++
		case slices.Contains(p.params.Public, host):
			e.Got = "declared public"
			public++
		default:
			e.Got, e.Wanting = "no application, leads to "+orNothing(r.Service), true
			bare = append(bare, cmp.Or(host, "every other host"))
		}
		obs.Evidence = append(obs.Evidence, e)
	}
	switch n := len(seen); {
	case n == 0:
		return fail(probes.Evidence{Subject: label, Want: "routes hosts", Got: "routes none"}.From(routes.Request), "%s routes no host at all", label)
	case len(bare) > 0:
		obs.Status = probes.Fail
		obs.Summary = fmt.Sprintf("%d of %s routed without an Access application: %s", len(bare), plural(n, "host"), enumerate(bare, ", "))
	default:
		obs.Summary = fmt.Sprintf("%s routed: %d covered by an application, %d declared public", plural(n, "host"), covered, public)
	}
	return obs
}

// covering returns the application that covers a host as a whole. One with a bypass covers nothing, nor does one for a path.
func covering(apps []Application, host string) *Application {
	for i, app := range apps {
		if app.selfHosted() && app.bypassed() == "" && slices.ContainsFunc(app.Domains, func(domain string) bool { return Covers(domain, host) }) {
			return &apps[i]
		}
	}
	return nil
}

// Covers reports whether the host of an application takes in another one, which may itself have wildcards. A * stands for any text without
// a dot.
func Covers(domain, host string) bool {
	if strings.Contains(domain, "/") {
		return false
	}
	wide, narrow := strings.Split(domain, "."), strings.Split(host, ".")
	if len(wide) != len(narrow) {
		return false
	}
	for i, pattern := range wide {
		before, after, wild := strings.Cut(pattern, "*")
		label := narrow[i]
		if !wild && pattern != label || wild && (len(label) < len(before)+len(after) || !strings.HasPrefix(label, before) || !strings.HasSuffix(label, after)) {
			return false
		}
	}
	return true
}
