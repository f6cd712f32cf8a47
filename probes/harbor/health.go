package harbor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// HealthParams are the parameters of harbor.health.
type HealthParams struct {
	Components []string `yaml:"components,omitempty" jsonschema:"description=components that Harbor must list and call healthy; others that it lists must be healthy too"`
}

// Validate reports components without a name.
func (p HealthParams) Validate() error {
	if slices.Contains(p.Components, "") {
		return errors.New("components: a name is empty")
	}
	return nil
}

// HealthKind describes harbor.health.
func HealthKind() probes.KindInfo {
	return probes.KindInfo{
		Name:       "harbor.health",
		About:      "Asks Harbor how its components are, and reads the answer rather than its status code, which is 200 either way.",
		Connection: Connection,
		Every:      30 * time.Second,
		Timeout:    15 * time.Second, // Harbor itself allows its components up to a minute
		Confirm:    2,
		Params: func() any {
			return &HealthParams{Components: []string{"core", "portal", "jobservice", "registry", "registryctl", "database", "redis"}}
		},
	}
}

// NewHealth returns a probe that passes if every component of Harbor is there and healthy.
func NewHealth(client Components, p HealthParams) probes.Probe {
	return &healthProbe{client: client, params: p}
}

type healthProbe struct {
	client Components
	params HealthParams
}

const (
	healthy    = "healthy"
	notChecked = "unknown status" // what Harbor says of a component in the seconds before it first looked
)

// Observe asks once.
func (p *healthProbe) Observe(ctx context.Context) (probes.Observation, error) {
	h, err := p.client.Health(ctx)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("asking Harbor for its health: %w", err)
	}
	if h.Status == "" && len(h.Components) == 0 {
		return probes.Observation{}, errors.New("the answer about Harbor's health names neither a status nor a component")
	}
	var evidence []probes.Evidence
	var ill, unlooked, missing []string
	listed := map[string]bool{}
	for _, c := range h.Components {
		listed[c.Name] = true
		got := c.Status
		if c.Error != "" {
			got += ": " + c.Error
		}
		e := probes.Evidence{Subject: "component " + c.Name, Want: healthy, Got: orNothing(got), Wanting: c.Status != healthy}.From(h.Request)
		evidence = append(evidence, e)
		switch {
		case !e.Wanting:
		case c.Error == notChecked || c.Status == notChecked:
			unlooked = append(unlooked, c.Name)
		default:
			ill = append(ill, fmt.Sprintf("%s is %s", c.Name, orNothing(got)))
		}
	}
	for _, name := range p.params.Components {
		if !listed[name] {
			missing = append(missing, name+" is not listed")
			evidence = append(evidence, probes.Evidence{Subject: "component " + name, Want: healthy, Got: "not listed", Wanting: true}.From(h.Request))
		}
	}
	bad := slices.Concat(ill, missing)
	switch {
	case len(bad) > 0:
		return probes.Observation{Status: probes.Fail, Summary: strings.Join(bad, "; "), Evidence: evidence}, nil
	case len(unlooked) > 0:
		return probes.Observation{}, fmt.Errorf("asking Harbor for its health: it has just started and has not looked at %s yet", strings.Join(unlooked, ", "))
	case h.Status != healthy:
		evidence = append(evidence, probes.Evidence{Subject: "Harbor as a whole", Want: healthy, Got: orNothing(h.Status), Wanting: true}.From(h.Request))
		return probes.Observation{
			Status: probes.Fail, Evidence: evidence,
			Summary: fmt.Sprintf("Harbor calls itself %s although it calls every component healthy", orNothing(h.Status)),
		}, nil
	}
	return probes.Observation{Status: probes.Pass, Summary: fmt.Sprintf("%d of %d components healthy", len(h.Components), len(h.Components)), Evidence: evidence}, nil
}

// orNothing keeps evidence from being empty where a server said nothing.
func orNothing(text string) string {
	if strings.TrimSpace(text) == "" {
		return "nothing"
	}
	return text
}
