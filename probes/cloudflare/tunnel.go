package cloudflare

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

	"github.com/254carbon/gonogo/probes"
)

// TunnelParams are the parameters of cloudflare.tunnel; one of ID and Name is set.
type TunnelParams struct {
	ID             string `yaml:"id,omitempty" jsonschema:"description=the tunnel's id"`
	Name           string `yaml:"name,omitempty" jsonschema:"description=the tunnel's name, if its id is not given"`
	MinConnections int    `yaml:"minConnections,omitempty" jsonschema:"description=connections to Cloudflare's edge that there must be,minimum=1"`
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// Validate reports a tunnel without a name and an id that is none.
func (p TunnelParams) Validate() error {
	switch {
	case (p.ID == "") == (p.Name == ""):
		return errors.New("a tunnel is named by its id or by its name")
	case p.ID != "" && !uuid.MatchString(p.ID):
		return fmt.Errorf("id: %q is not the id of a tunnel", p.ID)
	case p.MinConnections < 1:
		return errors.New("minConnections must be at least 1")
	}
	return nil
}

// TunnelKind describes cloudflare.tunnel.
func TunnelKind() probes.KindInfo {
	return probes.KindInfo{
		Name:       "cloudflare.tunnel",
		About:      "Asks Cloudflare for the tunnel's status and counts the connections that are up; those awaiting their return do not count.",
		Connection: Connection,
		Every:      time.Minute,
		Timeout:    15 * time.Second,
		Confirm:    2,
		Params:     func() any { return &TunnelParams{MinConnections: 2} },
	}
}

// NewTunnel returns a probe that passes if the tunnel is healthy and has enough connections.
func NewTunnel(client Tunnels, p TunnelParams) probes.Probe {
	return &tunnelProbe{client: client, params: p}
}

type tunnelProbe struct {
	client Tunnels
	params TunnelParams
}

// Observe asks once.
func (p *tunnelProbe) Observe(ctx context.Context) (probes.Observation, error) {
	label := "tunnel " + cmp.Or(p.params.Name, p.params.ID)
	t, err := p.client.Tunnel(ctx, p.params.ID, p.params.Name)
	switch {
	case errors.Is(err, ErrNotFound):
		return fail(probes.Evidence{Subject: label, Want: "exists", Got: "does not exist in the account"}.From(t.Request),
			"%s does not exist in the account", label), nil
	case err != nil:
		return probes.Observation{}, fmt.Errorf("looking for %s: %w", label, err)
	}
	status := probes.Evidence{Subject: label, Want: "healthy", Got: t.Status}.From(t.Request)
	switch {
	case t.Deleted:
		status.Got = "deleted"
		return fail(status, "%s was deleted", label), nil
	case t.Status == "down":
		return fail(status, "%s is down: it has no connection to Cloudflare", label), nil
	case t.Status == "inactive":
		return fail(status, "%s is inactive: it has never run", label), nil
	case t.Status != "healthy" && t.Status != "degraded":
		return probes.Observation{}, fmt.Errorf("looking at %s: its status is %q, which is not known", label, t.Status)
	}
	list, err := p.client.Connections(ctx, t.ID)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("looking at the connections of %s: %w", label, err)
	}
	return p.judge(label, status, t.Status, list), nil
}

// judge counts the connections; the status alone is minutes behind them.
func (p *tunnelProbe) judge(label string, status probes.Evidence, word string, list Connections) probes.Observation {
	up, pending, colos := 0, 0, map[string]int{}
	for _, c := range list.Items {
		if c.Pending {
			pending++
			continue
		}
		up++
		colos[cmp.Or(c.Colo, "an unnamed place")]++
	}
	var where []string
	for _, colo := range slices.Sorted(maps.Keys(colos)) {
		where = append(where, fmt.Sprintf("%s (%d)", colo, colos[colo]))
	}
	got := plural(up, "connection") + " up"
	if len(where) > 0 {
		got += " in " + strings.Join(where, ", ")
	}
	if pending > 0 {
		got += fmt.Sprintf(", %d awaiting return", pending)
	}
	counted := probes.Evidence{
		Subject: "connections of " + label, Want: fmt.Sprintf("at least %d", p.params.MinConnections), Got: got, Wanting: up < p.params.MinConnections,
	}.From(list.Request)
	status.Wanting = word != "healthy"
	obs := probes.Observation{Status: probes.Pass, Summary: fmt.Sprintf("%s is %s: %s", label, word, got), Evidence: []probes.Evidence{status, counted}}
	switch {
	case counted.Wanting:
		obs.Status = probes.Fail
		obs.Summary = fmt.Sprintf("%s has %s, fewer than %d", label, got, p.params.MinConnections)
	case status.Wanting:
		obs.Status, obs.Ratio = probes.Warn, probes.Part(1, 2)
	}
	return obs
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
