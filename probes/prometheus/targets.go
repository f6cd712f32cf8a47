package prometheus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/254carbon/gonogo/probes"
)

// TargetsParams are the parameters of the kind prometheus.targets.
type TargetsParams struct {
	Min  int      `yaml:"min" jsonschema:"description=how many targets must be up,minimum=1"`
	Jobs []string `yaml:"jobs,omitempty" jsonschema:"description=jobs that must each have had a target up in the last 5 minutes"`
}

// Validate reports what is wrong with the parameters.
func (p *TargetsParams) Validate() error {
	if p.Min < 1 {
		return fmt.Errorf("min must be at least 1, not %d", p.Min)
	}
	for i, job := range p.Jobs {
		switch {
		case job == "":
			return fmt.Errorf("a job has no name")
		case slices.Contains(p.Jobs[:i], job):
			return fmt.Errorf("job %s is listed twice", job)
		}
	}
	return nil
}

// TargetsInfo describes the kind prometheus.targets.
func TargetsInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "prometheus.targets",
		About: "Counts the targets that Prometheus scrapes and that are up, and looks whether every expected job had one up in the last 5 minutes, from " +
			"instant queries over the metric up.",
		Connection: Connection, Every: 30 * time.Second, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &TargetsParams{Min: 1} },
	}
}

// NewTargets returns a probe of the kind prometheus.targets. Parameters must be valid.
func NewTargets(q Querier, p TargetsParams) probes.Probe { return targetsProbe{querier: q, params: p} }

type targetsProbe struct {
	querier Querier
	params  TargetsParams
}

// staleAfter is how old the last sample of a target may be. A Prometheus forgets a target after 5 minutes by itself, but one that is told to
// look back further, or a store behind it, goes on showing the last word of a target that nobody scrapes any more.
const staleAfter = 5 * time.Minute

// The questions. Each answers with one number per job, however many targets a job has.
const (
	upQuery     = `count by (job) (up == 1)`
	allQuery    = `count by (job) (up)`
	recentQuery = `max by (job) (max_over_time(up[5m]))`
	staleQuery  = `count by (job) ((up == 1) and (time() - timestamp(up) > 300))`
	downQuery   = `topk(20, up == 0)` // names some; asked only if there are any
)

// tally is what the questions found out.
type tally struct {
	up, all, stale map[string]int // by job
	recent         map[string]bool
	down           []*model.Sample
	notes          []string
	requests       map[string]probes.Request // by question
}

func (p targetsProbe) Observe(ctx context.Context) (probes.Observation, error) {
	t, err := p.ask(ctx)
	if err != nil {
		return probes.Observation{}, err
	}
	return p.judge(t)
}

// ask asks the questions at once, so that their answers are of about the same moment.
func (p targetsProbe) ask(ctx context.Context) (*tally, error) {
	queries := []string{upQuery, allQuery, recentQuery, staleQuery}
	answers := make([]probes.Seen[*model.Sample], len(queries))
	errs := make([]error, len(queries))
	var all sync.WaitGroup
	for i, q := range queries {
		all.Go(func() { answers[i], errs[i] = p.querier.Query(ctx, q) })
	}
	all.Wait()
	t := &tally{recent: map[string]bool{}, requests: map[string]probes.Request{}}
	for i, q := range queries {
		if errs[i] != nil { // one is enough: they fail together
			return nil, errs[i]
		}
		t.heard(q, answers[i])
	}
	for q, into := range map[string]*map[string]int{upQuery: &t.up, allQuery: &t.all, staleQuery: &t.stale} {
		counts, err := countByJob(answers[slices.Index(queries, q)].Items)
		if err != nil {
			return nil, fmt.Errorf("reading the answer to %q: %w", q, err)
		}
		*into = counts
	}
	for _, s := range answers[2].Items {
		t.recent[string(s.Metric[model.JobLabel])] = s.Value >= 1
	}
	if sum(t.up) < sum(t.all) {
		seen, err := p.querier.Query(ctx, downQuery)
		if err != nil {
			return nil, err
		}
		t.heard(downQuery, seen)
		t.down = seen.Items
	}
	return t, nil
}

func (t *tally) heard(query string, seen probes.Seen[*model.Sample]) {
	t.requests[query] = seen.Request
	if seen.Note != "" && !slices.Contains(t.notes, seen.Note) {
		t.notes = append(t.notes, seen.Note)
	}
}

// countByJob reads counts, which are whole numbers; anything else is not the answer to the question.
func countByJob(samples []*model.Sample) (map[string]int, error) {
	counts := make(map[string]int, len(samples))
	for _, s := range samples {
		n := int(s.Value)
		if s.Histogram != nil || model.SampleValue(n) != s.Value || n < 0 {
			return nil, fmt.Errorf("%s is no count", s.Value)
		}
		counts[string(s.Metric[model.JobLabel])] += n
	}
	return counts, nil
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// judge makes an answer of the counts. What a partial answer does not show may be in the part that is missing, so it can satisfy the claim
// by half at most, and it cannot refute it.
func (p targetsProbe) judge(t *tally) (probes.Observation, error) {
	stale, all := sum(t.stale), sum(t.all)
	up := sum(t.up) - stale
	var causes []string
	if all == 0 {
		causes = append(causes, "Prometheus scrapes no target at all")
	} else if up < p.params.Min {
		causes = append(causes, fmt.Sprintf("%d of %s up, want %d", up, plural(all, "target"), p.params.Min))
	}
	jobs, lost := p.jobs(t)
	causes = append(causes, lost...)
	partial := strings.Join(t.notes, "; ")
	if len(causes) > 0 && partial != "" {
		return probes.Observation{}, errors.New(partial + ": what it shows falls short (" + enumerate(causes) + "), which may be for what is missing")
	}
	obs := probes.Observation{Status: probes.Pass, Summary: fmt.Sprintf("%d of %s up", up, plural(all, "target"))}
	switch {
	case len(causes) > 0:
		obs.Status, obs.Summary = probes.Fail, strings.Join(causes, "; ")
		if down := t.nameDown(); down != "" && all > 0 {
			obs.Summary += "; " + down
		}
	case partial != "":
		obs.Status, obs.Ratio = probes.Warn, half()
		obs.Summary += ", but " + partial
	case up < all:
		obs.Summary += "; " + t.nameDown()
	}
	obs.Evidence = p.evidence(t, up, all, obs.Status, partial)
	obs.Evidence = append(obs.Evidence, jobs...)
	obs.Evidence = append(obs.Evidence, t.downEvidence(obs.Status == probes.Fail)...)
	return obs, nil
}

// jobs looks at each expected job.
func (p targetsProbe) jobs(t *tally) (evidence []probes.Evidence, causes []string) {
	var absent, dead, frozen []string
	for _, job := range p.params.Jobs {
		e := probes.Evidence{Subject: "job " + job, Want: "a target up in the last 5 minutes", Wanting: true}
		recent, known := t.recent[job]
		switch {
		case !known && t.all[job] == 0:
			e.Got = "has no target"
			absent = append(absent, job)
		case t.all[job] > 0 && t.stale[job] > 0 && t.stale[job] == t.up[job]:
			e.Got = fmt.Sprintf("no sample in the last %d minutes", int(staleAfter.Minutes()))
			frozen = append(frozen, job)
		case !recent:
			e.Got = fmt.Sprintf("0 of %s up", plural(t.all[job], "target"))
			dead = append(dead, job)
		case t.all[job] == 0:
			e.Got, e.Wanting = "was up in the last 5 minutes, has no target now", false
		default:
			e.Got, e.Wanting = fmt.Sprintf("%d of %s up", t.up[job]-t.stale[job], plural(t.all[job], "target")), false
		}
		evidence = append(evidence, e.From(t.requests[recentQuery]))
	}
	for _, c := range []struct {
		what string
		jobs []string
	}{{"no target of", absent}, {"nothing up of", dead}, {"nothing scraped for 5 minutes of", frozen}} {
		if len(c.jobs) > 0 {
			slices.Sort(c.jobs)
			causes = append(causes, fmt.Sprintf("%s %s %s", c.what, pick(len(c.jobs), "job", "jobs"), enumerate(c.jobs)))
		}
	}
	return evidence, causes
}

func pick(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

func (p targetsProbe) evidence(t *tally, up, all int, status probes.Status, partial string) []probes.Evidence {
	list := []probes.Evidence{
		probes.Evidence{
			Subject: "targets", Want: fmt.Sprintf("at least %d up", p.params.Min), Got: fmt.Sprintf("%d of %d up", up, all),
			Wanting: up < p.params.Min || all == 0,
		}.From(t.requests[upQuery]),
	}
	if stale := sum(t.stale); stale > 0 {
		list = append(list, probes.Evidence{
			Subject: "targets whose last sample says up", Want: "sampled in the last 5 minutes",
			Got: fmt.Sprintf("%d of them not, counted as down", stale), Wanting: status == probes.Fail,
		}.From(t.requests[staleQuery]))
	}
	if partial != "" {
		list = append(list, probes.Evidence{
			Subject: "completeness of the answer", Want: "whole", Got: partial, Wanting: true,
		}.From(t.requests[allQuery]))
	}
	return list
}

// nameDown names targets that are down.
func (t *tally) nameDown() string {
	var words []string
	for _, s := range t.down {
		words = append(words, target(s))
	}
	slices.Sort(words)
	down := sum(t.all) - sum(t.up)
	parts := []string{}
	if down > 0 {
		text := fmt.Sprintf("%d down", down)
		if len(words) > 0 {
			shown := words[:min(len(words), named)]
			text += ": " + strings.Join(shown, ", ")
			if more := down - len(shown); more > 0 {
				text += fmt.Sprintf(" and %d more", more)
			}
		}
		parts = append(parts, text)
	}
	if stale := sum(t.stale); stale > 0 {
		parts = append(parts, fmt.Sprintf("%d without a sample for 5 minutes", stale))
	}
	return strings.Join(parts, ", ")
}

func (t *tally) downEvidence(wanting bool) (list []probes.Evidence) {
	for _, s := range t.down {
		list = append(list, probes.Evidence{Subject: "target " + target(s), Want: "up", Got: "down", Wanting: wanting}.From(t.requests[downQuery]))
	}
	return list
}

// target names a target: the job, and the instance that tells it from others of the job.
func target(s *model.Sample) string {
	return orWord(s.Metric[model.JobLabel], "no job") + " " + orWord(s.Metric[model.InstanceLabel], "no instance")
}
