package prometheus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/254carbon/gonogo/probes"
)

// PromQLParams are the parameters of the kind promql.
type PromQLParams struct {
	Query     string    `yaml:"query" jsonschema:"description=an instant query that yields a vector or a scalar"`
	Condition Condition `yaml:"condition" jsonschema:"description=what the numbers must satisfy"`
	Series    string    `yaml:"series,omitempty" jsonschema:"description=whether every series must satisfy the condition or any one,enum=every,enum=any"`
	Empty     string    `yaml:"empty,omitempty" jsonschema:"description=what it means when the query yields nothing,enum=fail,enum=pass"`
}

// Condition compares a number.
type Condition struct {
	Op    string  `yaml:"op" jsonschema:"description=comparison,enum=>=,enum=<=,enum===,enum=!=,enum=>,enum=<"`
	Value float64 `yaml:"value" jsonschema:"description=what the number is compared with"`
}

// holds reports whether a number satisfies the condition. NaN satisfies none, not even being different.
func (c Condition) holds(v float64) bool {
	if math.IsNaN(v) {
		return false
	}
	switch c.Op {
	case ">=":
		return v >= c.Value
	case "<=":
		return v <= c.Value
	case "==":
		return v == c.Value
	case "!=":
		return v != c.Value
	case ">":
		return v > c.Value
	case "<":
		return v < c.Value
	}
	return false
}

func (c Condition) String() string { return c.Op + " " + number(c.Value) }

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// Validate reports what is wrong with the parameters.
func (p *PromQLParams) Validate() error {
	switch {
	case strings.TrimSpace(p.Query) == "":
		return errors.New("query must not be empty")
	case len(p.Query) > 4096:
		return errors.New("query is longer than 4096 bytes, which is more than a GET should carry")
	case !slices.Contains([]string{">=", "<=", "==", "!=", ">", "<"}, p.Condition.Op):
		return fmt.Errorf("condition.op must be one of >=, <=, ==, !=, >, <, not %q", p.Condition.Op)
	case math.IsNaN(p.Condition.Value):
		return errors.New("condition.value must be a number")
	case p.Series != "every" && p.Series != "any":
		return fmt.Errorf("series must be every or any, not %q", p.Series)
	case p.Empty != "fail" && p.Empty != "pass":
		return fmt.Errorf("empty must be fail or pass, not %q", p.Empty)
	}
	return nil
}

// PromQLInfo describes the kind promql.
func PromQLInfo() probes.KindInfo {
	return probes.KindInfo{
		Name:       "promql",
		About:      "Compares the numbers that a PromQL query yields with a condition, one instant query a time.",
		Connection: Connection, Every: 30 * time.Second, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &PromQLParams{Series: "every", Empty: "fail"} },
	}
}

// NewPromQL returns a probe of the kind promql. Parameters must be valid.
func NewPromQL(q Querier, p PromQLParams) probes.Probe { return promqlProbe{querier: q, params: p} }

type promqlProbe struct {
	querier Querier
	params  PromQLParams
}

func (p promqlProbe) Observe(ctx context.Context) (probes.Observation, error) {
	seen, err := p.querier.Query(ctx, p.params.Query)
	if err != nil {
		return probes.Observation{}, err
	}
	if len(seen.Items) == 0 {
		return p.empty(seen)
	}
	var fine, wrong []reading
	for _, s := range seen.Items {
		if s.Histogram != nil {
			return probes.Observation{}, fmt.Errorf("the query yields histograms, such as %s, not numbers", series(s))
		}
		if r := p.read(s); r.holds {
			fine = append(fine, r)
		} else {
			wrong = append(wrong, r)
		}
	}
	obs := p.judge(fine, wrong)
	if seen.Note != "" {
		if obs, err = qualify(obs, seen.Note); err != nil {
			return probes.Observation{}, err
		}
		obs.Evidence = append(obs.Evidence, probes.Evidence{Subject: "completeness of the answer", Want: "whole", Got: seen.Note, Wanting: true})
	}
	for i := range obs.Evidence {
		obs.Evidence[i] = obs.Evidence[i].From(seen.Request)
	}
	return obs, nil
}

// empty is the answer to a query that yields nothing. Of a partial answer nothing follows.
func (p promqlProbe) empty(seen probes.Seen[*model.Sample]) (probes.Observation, error) {
	if seen.Note != "" {
		return probes.Observation{}, errors.New("the query yields nothing, and " + seen.Note)
	}
	e := probes.Evidence{Subject: "query", Want: "at least one series " + p.params.Condition.String(), Got: "no series", Wanting: true}
	obs := probes.Observation{Status: probes.Fail, Summary: "the query yields nothing: " + p.params.Query}
	if p.params.Empty == "pass" {
		e.Want, e.Wanting = "no series, or "+p.params.Condition.String(), false
		obs = probes.Observation{Status: probes.Pass, Summary: "the query yields nothing, as it should"}
	}
	obs.Evidence = []probes.Evidence{e.From(seen.Request)}
	return obs, nil
}

// reading is one series, compared.
type reading struct {
	name  string
	value string
	at    time.Time
	holds bool
}

func (p promqlProbe) read(s *model.Sample) reading {
	v := float64(s.Value)
	r := reading{name: series(s), value: number(v), at: s.Timestamp.Time(), holds: p.params.Condition.holds(v)}
	if math.IsNaN(v) {
		r.value = "NaN, which is no number"
	}
	return r
}

// series names a series by its labels.
func series(s *model.Sample) string {
	if len(s.Metric) == 0 {
		return "result"
	}
	return s.Metric.String()
}

func (p promqlProbe) judge(fine, wrong []reading) probes.Observation {
	want := p.params.Condition.String()
	holds := len(wrong) == 0
	if p.params.Series == "any" {
		holds = len(fine) > 0
		want = "any " + want
	}
	obs := probes.Observation{Status: probes.Pass}
	total := len(fine) + len(wrong)
	switch {
	case holds && total == 1:
		obs.Summary = fmt.Sprintf("%s is %s, want %s", fine[0].name, fine[0].value, want)
	case holds:
		obs.Summary = fmt.Sprintf("%d of %d series %s", len(fine), total, want)
	default:
		var words []string
		for _, r := range wrong {
			words = append(words, r.name+" is "+r.value)
		}
		obs.Status, obs.Summary = probes.Fail, enumerate(words)+", want "+want
	}
	for _, r := range slices.Concat(wrong, fine) {
		obs.Evidence = append(obs.Evidence, probes.Evidence{Subject: r.name, Want: want, Got: r.value, Wanting: !holds && !r.holds, TakenAt: r.at})
	}
	return obs
}

// qualify makes of an answer what a part of the whole can prove: a pass is worth half, since a series that is missing may not satisfy the
// condition; a failure proves nothing, since the missing ones may be those that would.
func qualify(obs probes.Observation, note string) (probes.Observation, error) {
	if obs.Status == probes.Fail {
		return obs, errors.New(note + ": what it shows falls short: " + obs.Summary)
	}
	obs.Status, obs.Ratio, obs.Summary = probes.Warn, half(), obs.Summary+", but "+note
	return obs, nil
}
