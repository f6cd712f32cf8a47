// Package alertmanager asks an Alertmanager whether an alert reaches somebody: that it is ready and has its peers, that the alert which
// always fires (the Watchdog) arrives and is routed to a receiver that sends, that no silence mutes everything, over its HTTP API; and that
// it sent and failed to send nothing within a day, from its metrics in Prometheus.
package alertmanager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/prometheus"
	"github.com/254carbon/gonogo/probes/web"
)

// Params are the parameters of the kind alertmanager.
type Params struct {
	web.Place `yaml:",inline"`
	Peers     int           `yaml:"peers,omitempty" jsonschema:"description=how many Alertmanagers the cluster has; 1 for one alone,minimum=1"`
	Watchdog  string        `yaml:"watchdog,omitempty" jsonschema:"description=name of the alert that always fires"`
	Within    time.Duration `yaml:"within,omitempty" jsonschema:"description=how long ago Prometheus may have confirmed it last"`
	Job       string        `yaml:"job,omitempty" jsonschema:"description=job under which Prometheus scrapes it; empty if it scrapes no other Alertmanager"`
}

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	if err := p.Place.Validate(); err != nil {
		return err
	}
	switch {
	case p.Peers < 1:
		return fmt.Errorf("peers must be at least 1, not %d", p.Peers)
	case strings.TrimSpace(p.Watchdog) == "":
		return errors.New("watchdog must be the name of an alert")
	case p.Within < time.Minute:
		return fmt.Errorf("within must be at least 1m, the time after which Prometheus confirms an alert, not %s", p.Within)
	case !model.LabelValue(p.Job).IsValid():
		return errors.New("job is no text")
	}
	return nil
}

// Info describes the kind alertmanager.
func Info() probes.KindInfo {
	return probes.KindInfo{
		Name: "alertmanager",
		About: "Asks Alertmanager for its state, its Watchdog alert and the receiver of that, and its silences, and Prometheus for what it sent and failed to " +
			"send within a day.",
		Connection: web.Connection, Others: []string{prometheus.Connection}, Every: time.Minute, Timeout: 15 * time.Second, Confirm: 2,
		Params: func() any { return &Params{Peers: 1, Watchdog: "Watchdog", Within: 5 * time.Minute} },
	}
}

// New returns a probe of the kind alertmanager. Parameters must be valid. The clock is that of alerts; nil for the machine's.
func New(f web.Fetcher, q prometheus.Querier, p Params, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	return probe{fetcher: f, querier: q, params: p, now: now}
}

type probe struct {
	fetcher web.Fetcher
	querier prometheus.Querier
	params  Params
	now     func() time.Time
}

func (p probe) Observe(ctx context.Context) (probes.Observation, error) {
	return p.params.Observe(ctx, p.fetcher, "Alertmanager", p.ask)
}

// asking is what one asking found out.
type asking struct {
	evidence []probes.Evidence
	wrong    []string // causes of a failure
	words    []string // of the summary if there is none
}

// note adds evidence, which is wanting if there is a cause.
func (a *asking) note(e probes.Evidence, r probes.Request, cause string) {
	if e.Wanting = cause != ""; e.Wanting {
		a.wrong = append(a.wrong, cause)
	}
	a.evidence = append(a.evidence, e.From(r))
}

// ask looks at everything, so that all that is wrong is told at once. What is measured wanting fails the claim, whatever could not be asked.
func (p probe) ask(ctx context.Context) (probes.Observation, error) {
	a := &asking{}
	senders, err := p.status(ctx, a)
	if err != nil {
		return probes.Observation{}, err
	}
	if err := p.watchdog(ctx, a, senders); err != nil {
		return probes.Observation{}, err
	}
	if err := p.silences(ctx, a); err != nil {
		return probes.Observation{}, err
	}
	if err := p.sends(ctx, a); err != nil && len(a.wrong) == 0 {
		return probes.Observation{}, err
	}
	obs := probes.Observation{Status: probes.Pass, Summary: strings.Join(a.words, ", "), Evidence: a.evidence}
	if len(a.wrong) > 0 {
		obs.Status, obs.Summary = probes.Fail, strings.Join(a.wrong, "; ")
	}
	return obs, nil
}

// sends asks Prometheus what was sent within a day.
func (p probe) sends(ctx context.Context, a *asking) error {
	const total, failed = "alertmanager_notifications_total", "alertmanager_notifications_failed_total"
	matchers := ""
	if p.params.Job != "" {
		matchers = fmt.Sprintf("{job=%q}", p.params.Job)
	}
	present, _, err := p.query(ctx, fmt.Sprintf("count by (instance) (%s%s)", total, matchers))
	switch {
	case err != nil:
		return err
	case len(present) < p.params.Peers:
		return fmt.Errorf("prometheus has current samples of %s from %d of %s: whether anything was sent cannot be told", total, len(present), plural(p.params.Peers, "peer"))
	}
	day := func(metric string) string {
		return fmt.Sprintf("sum by (integration) (increase(%s%s[1d]))", metric, matchers)
	}
	sent, request, err := p.query(ctx, day(total))
	if err != nil {
		return err
	}
	n := 0.0
	for _, v := range sent {
		n += v
	}
	e := probes.Evidence{Subject: "sends within a day", Want: "at least 1", Got: fmt.Sprintf("%.0f", n)}
	cause := ""
	if n < 0.5 { // what Prometheus extrapolates is no whole number
		cause = "nothing was sent within a day"
	}
	a.note(e, request, cause)
	lost, request, err := p.query(ctx, day(failed))
	if err != nil {
		return err
	}
	var words []string
	for integration, v := range lost {
		if v > 0 {
			words = append(words, fmt.Sprintf("%.0f by %s", max(1, v), orWord(integration, "an integration")))
		}
	}
	slices.Sort(words)
	e, cause = probes.Evidence{Subject: "failed sends within a day", Want: "none", Got: "none"}, ""
	if len(words) > 0 {
		e.Got = strings.Join(words, ", ")
		cause = "sends failed within a day: " + e.Got
	}
	a.note(e, request, cause)
	a.words = append(a.words, plural(int(n+0.5), "send")+" and no failed one in a day")
	return nil
}

// query returns numbers by the one label of an answer. An answer that may be a part of the whole, or is empty, proves nothing.
func (p probe) query(ctx context.Context, expr string) (map[string]float64, probes.Request, error) {
	seen, err := p.querier.Query(ctx, expr)
	switch {
	case err != nil:
		return nil, seen.Request, err
	case seen.Note != "":
		return nil, seen.Request, fmt.Errorf("asking Prometheus for Alertmanager's metrics: %s", seen.Note)
	case len(seen.Items) == 0:
		return nil, seen.Request, fmt.Errorf("prometheus answers %q with nothing: it has no metrics of this Alertmanager", expr)
	}
	values := map[string]float64{}
	for _, s := range seen.Items {
		v := float64(s.Value)
		if s.Histogram != nil || !(v >= 0 && v < 1e15) {
			return nil, seen.Request, fmt.Errorf("prometheus answers %q with %s, which is no count", expr, s.Value)
		}
		name := ""
		for _, label := range s.Metric {
			name = string(label)
		}
		values[name] += v
	}
	return values, seen.Request, nil
}

// plural writes "1 peer", "2 peers".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func orWord(text, word string) string {
	if strings.TrimSpace(text) == "" {
		return word
	}
	return text
}
