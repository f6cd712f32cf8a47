// Package grafana asks a Grafana whether its database is well and whether it has the dashboards that a platform declares, over its HTTP API.
// That ConfigMaps with dashboards exist proves nothing: only what Grafana itself finds can be opened by a person.
package grafana

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/web"
)

// Params are the parameters of the kind grafana.
type Params struct {
	web.Place  `yaml:",inline"`
	Dashboards []string         `yaml:"dashboards" jsonschema:"description=uids or titles of the dashboards that must be there,required"`
	Token      probes.SecretRef `yaml:"token,omitempty" jsonschema:"description=token of a service account with the role Viewer; asked with where Grafana does not show everything without"`
	Username   probes.SecretRef `yaml:"username,omitempty" jsonschema:"description=name of a user instead of a token"`
	Password   probes.SecretRef `yaml:"password,omitempty" jsonschema:"description=password of the user"`
}

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	if err := p.Place.Validate(); err != nil {
		return err
	}
	switch {
	case len(p.Dashboards) == 0:
		return errors.New("dashboards must name at least one")
	case !p.Token.IsZero() && !p.Username.IsZero():
		return errors.New("token or username must be given, not both")
	case p.Username.IsZero() != p.Password.IsZero():
		return errors.New("username and password must be given together")
	}
	for i, d := range p.Dashboards {
		switch {
		case strings.TrimSpace(d) == "":
			return errors.New("dashboards has one without a name")
		case slices.Contains(p.Dashboards[:i], d):
			return fmt.Errorf("dashboards names %q twice", d)
		}
	}
	return nil
}

// Secrets resolves references to secrets. The error wraps [probes.ErrNoSecret] if the secret is not there.
type Secrets interface {
	Resolve(ctx context.Context, ref probes.SecretRef) (string, error)
	// Name resolves a reference to what may be shown: the name of a user.
	Name(ctx context.Context, ref probes.SecretRef) (string, error)
}

// Info describes the kind grafana.
func Info() probes.KindInfo {
	return probes.KindInfo{
		Name: "grafana",
		About: "Asks Grafana for the health of its database and looks for the declared dashboards among those that it finds, without a credential where " +
			"that shows them, else with the one that is named.",
		Connection: web.Connection, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &Params{} },
	}
}

// New returns a probe of the kind grafana. Parameters must be valid.
func New(f web.Fetcher, s Secrets, p Params) probes.Probe {
	return probe{fetcher: f, secrets: s, params: p}
}

type probe struct {
	fetcher web.Fetcher
	secrets Secrets
	params  Params
}

func (p probe) Observe(ctx context.Context) (probes.Observation, error) {
	return p.params.Observe(ctx, p.fetcher, "Grafana", p.ask)
}

func (p probe) ask(ctx context.Context) (probes.Observation, error) {
	health, sick, err := p.health(ctx)
	if err != nil {
		return probes.Observation{}, err
	}
	if sick != "" {
		return probes.Observation{Status: probes.Fail, Summary: sick, Evidence: []probes.Evidence{health}}, nil
	}
	found, err := p.dashboards(ctx)
	if err != nil {
		return probes.Observation{}, err
	}
	obs := probes.Observation{Status: probes.Pass, Evidence: []probes.Evidence{health}}
	var missing []string
	for _, d := range p.params.Dashboards {
		e := probes.Evidence{Subject: "dashboard " + d, Want: "is there", Got: "not found"}
		if where := found.find(d); where != nil {
			e.Got = where.String()
		} else {
			e.Wanting = true
			missing = append(missing, d)
		}
		obs.Evidence = append(obs.Evidence, e.From(found.request))
	}
	all := len(p.params.Dashboards)
	obs.Summary = fmt.Sprintf("database ok, %d of %d dashboards there", all-len(missing), all)
	if len(missing) > 0 && found.short != "" {
		return probes.Observation{}, fmt.Errorf("%d of %d dashboards not seen: %s (%s)", len(missing), all, enumerate(missing), found.short)
	}
	if len(missing) > 0 {
		obs.Status = probes.Fail
		obs.Summary = fmt.Sprintf("%d of %d dashboards missing: %s", len(missing), all, enumerate(missing))
		if len(found.list) == 0 {
			obs.Summary = "Grafana has no dashboard at all"
		}
	}
	return obs, nil
}

// health asks whether the database is well; what is wrong with it is empty if it is.
func (p probe) health(ctx context.Context) (e probes.Evidence, sick string, err error) {
	page, err := p.params.Get(ctx, p.fetcher, "/api/health", nil)
	if err != nil {
		return e, "", err
	}
	var health struct{ Database, Version string }
	const want = "database ok"
	if err := page.JSON(&health); err != nil || health.Database == "" {
		return e, "", page.Foreign("Grafana's health", err)
	}
	e = probes.Evidence{Subject: "health of Grafana", Want: want, Got: "database " + health.Database}.From(page.Request)
	if health.Version != "" {
		e.Got += ", version " + health.Version
	}
	if health.Database != "ok" || page.Status != http.StatusOK {
		e.Wanting = true
		return e, fmt.Sprintf("Grafana's database is %s (%s)", health.Database, page), nil
	}
	return e, "", nil
}

// named is how many dashboards a summary names before it counts the rest.
const named = 5

func enumerate(words []string) string {
	if more := len(words) - named; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:named], ", "), more)
	}
	return strings.Join(words, ", ")
}
