// Package loki asks a Loki whether it takes in log lines: that it is ready, and from how many namespaces lines with fresh timestamps have
// arrived. That it runs, or that a log shipper does, proves neither.
package loki

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/web"
)

// Params are the parameters of the kind loki.
type Params struct {
	web.Place     `yaml:",inline"`
	Tenant        string        `yaml:"tenant,omitempty" jsonschema:"description=tenant whose lines are asked for where Loki has several (header X-Scope-OrgID)"`
	Label         string        `yaml:"label,omitempty" jsonschema:"description=label that says which namespace a line is from"`
	MinNamespaces int           `yaml:"minNamespaces,omitempty" jsonschema:"description=how many namespaces lines must come from,minimum=1"`
	Within        time.Duration `yaml:"within,omitempty" jsonschema:"description=how old a line may be"`
}

var (
	labelName  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	tenantName = regexp.MustCompile(`^[a-zA-Z0-9!_.*'()|-]{1,150}$`)
)

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	if err := p.Place.Validate(); err != nil {
		return err
	}
	switch {
	case !labelName.MatchString(p.Label):
		return fmt.Errorf("label %q is no name of a label", p.Label)
	case p.Tenant != "" && !tenantName.MatchString(p.Tenant):
		return fmt.Errorf("tenant %q is no name of a tenant", p.Tenant)
	case p.MinNamespaces < 1:
		return fmt.Errorf("minNamespaces must be at least 1, not %d", p.MinNamespaces)
	case p.Within < time.Second || p.Within > 24*time.Hour:
		return fmt.Errorf("within must be from 1s to 24h, not %s", p.Within)
	}
	return nil
}

// Info describes the kind loki.
func Info() probes.KindInfo {
	return probes.KindInfo{
		Name:       "loki",
		About:      "Asks Loki whether it is ready, and counts the namespaces that lines of the last minutes came from with an instant query over all streams.",
		Connection: web.Connection, Every: time.Minute, Timeout: 15 * time.Second, Confirm: 2,
		Params: func() any { return &Params{Label: "namespace", MinNamespaces: 2, Within: 5 * time.Minute} },
	}
}

// New returns a probe of the kind loki. Parameters must be valid.
func New(f web.Fetcher, p Params) probes.Probe { return probe{fetcher: f, params: p} }

type probe struct {
	fetcher web.Fetcher
	params  Params
}

func (p probe) Observe(ctx context.Context) (probes.Observation, error) {
	return p.params.Observe(ctx, p.fetcher, "Loki", p.ask)
}

func (p probe) ask(ctx context.Context) (probes.Observation, error) {
	ready, unready, err := p.ready(ctx)
	if err != nil {
		return probes.Observation{}, err
	}
	if unready != "" {
		return probes.Observation{Status: probes.Fail, Summary: unready, Evidence: []probes.Evidence{ready}}, nil
	}
	page, err := p.query(ctx)
	if err != nil {
		return probes.Observation{}, err
	}
	lines, partial, err := read(page, p.params.Label)
	if err != nil {
		return probes.Observation{}, err
	}
	if partial != "" && len(lines) < p.params.MinNamespaces {
		return probes.Observation{}, fmt.Errorf("the answer is partial: %s", partial)
	}
	return p.judge(ready, lines, page.Request), nil
}

// judge compares the namespaces with how many there must be.
func (p probe) judge(ready probes.Evidence, lines map[string]int, r probes.Request) probes.Observation {
	within := span(p.params.Within)
	var names []string
	for name := range lines {
		names = append(names, name)
	}
	slices.Sort(names)
	total := probes.Evidence{
		Subject: "namespaces with lines in the last " + within, Want: fmt.Sprintf("at least %d", p.params.MinNamespaces), Got: strconv.Itoa(len(names)),
		Wanting: len(names) < p.params.MinNamespaces,
	}.From(r)
	obs := probes.Observation{Status: probes.Pass, Evidence: []probes.Evidence{ready, total}}
	for _, name := range names {
		obs.Evidence = append(obs.Evidence, probes.Evidence{
			Subject: "namespace " + name, Want: "lines in the last " + within, Got: plural(lines[name], "line"),
		}.From(r))
	}
	obs.Summary = fmt.Sprintf("lines from %s in the last %s: %s", plural(len(names), "namespace"), within, enumerate(names))
	if total.Wanting {
		obs.Status = probes.Fail
		switch len(names) {
		case 0:
			obs.Summary = "Loki is ready, but took in no line in the last " + within
		default:
			obs.Summary = fmt.Sprintf("Loki took in lines from only %s in the last %s, %s; want %d",
				plural(len(names), "namespace"), within, enumerate(names), p.params.MinNamespaces)
		}
	}
	return obs
}

// get asks as the tenant, if there is one.
func (p probe) get(ctx context.Context, path string) (web.Page, error) {
	if p.params.Tenant == "" {
		return p.params.Get(ctx, p.fetcher, path, nil)
	}
	const name = "X-Scope-OrgID"
	return p.params.Get(ctx, p.fetcher, path, http.Header{http.CanonicalHeaderKey(name): {p.params.Tenant}}, "-H "+probes.ShellWord(name+": "+p.params.Tenant))
}

// ready asks whether Loki is ready; why not is empty if it is. Something that is not Loki is an error.
func (p probe) ready(ctx context.Context) (e probes.Evidence, unready string, err error) {
	page, err := p.get(ctx, "/ready")
	if err != nil {
		return e, "", err
	}
	said := probes.Clean(strings.TrimSpace(string(page.Body[:min(len(page.Body), 1000)])), 120)
	e = probes.Evidence{Subject: "readiness of Loki", Want: "200 ready", Got: strings.TrimSpace(fmt.Sprintf("%d %s", page.Status, said))}.From(page.Request)
	switch {
	case page.Status == http.StatusOK && said == "ready":
		return e, "", nil
	case page.Status == http.StatusServiceUnavailable && !strings.HasPrefix(said, "<"):
		e.Wanting = true
		return e, "Loki is not ready: " + orNothing(said), nil
	case refused(page.Status):
		return e, "", refusal(page)
	}
	return e, "", page.Foreign("Loki's word that it is ready", nil)
}

func refused(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// refusal explains a refusal. Loki itself knows no credentials, but wants a tenant where it has several.
func refusal(page web.Page) error {
	if strings.Contains(string(page.Body), "no org id") {
		return fmt.Errorf("it has several tenants and was not told which (%s): name one as tenant", page)
	}
	return fmt.Errorf("what stands before it refused gonogo (%s): it needs a url that lets its readers in", page)
}

func (p probe) query(ctx context.Context) (web.Page, error) {
	expr := fmt.Sprintf(`sum by (%s) (count_over_time({%s=~".+"}[%ds]))`, p.params.Label, p.params.Label, int(p.params.Within.Seconds()))
	page, err := p.get(ctx, "/loki/api/v1/query?"+url.Values{"query": {expr}}.Encode())
	switch {
	case err != nil:
		return page, err
	case page.Status == http.StatusOK || page.Status == http.StatusNotFound:
		return page, nil
	case refused(page.Status):
		return page, refusal(page)
	}
	return page, fmt.Errorf("it answers the query with %s: %s", page, orNothing(probes.Clean(string(page.Body[:min(len(page.Body), 1000)]), 200)))
}

// read takes the number of lines of each namespace out of the answer to the query, and what was said of its completeness.
func read(page web.Page, label string) (lines map[string]int, partial string, err error) {
	const want = "the vector that Loki answers a query with"
	var answer struct {
		Status string
		Data   struct {
			ResultType string
			Result     []struct {
				Metric map[string]string
				Value  []any
			}
		}
		Warnings []string
	}
	if err := page.JSON(&answer); err != nil {
		return nil, "", page.Foreign(want, err)
	}
	if page.Status != http.StatusOK || answer.Status != "success" || answer.Data.ResultType != "vector" || answer.Data.Result == nil {
		return nil, "", page.Foreign(want, errors.New("another form of JSON"))
	}
	lines = map[string]int{}
	for _, s := range answer.Data.Result {
		if len(s.Value) != 2 {
			return nil, "", page.Foreign(want, errors.New("a sample without a value"))
		}
		text, _ := s.Value[1].(string)
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) || n < 0 {
			return nil, "", page.Foreign(want, errors.New("a value that is no count"))
		}
		if name := s.Metric[label]; name != "" && n >= 1 {
			lines[name] += int(min(n, 1e15))
		}
	}
	return lines, probes.Clean(strings.Join(answer.Warnings, "; "), 200), nil
}
