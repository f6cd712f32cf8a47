// Package catalogue looks at the list of services that a portal shows: is every declared service in it, and does every entry say what a
// person needs to find and open it?
//
// The list is read where the profile says that it is in use: from the portal's own Service, from a ConfigMap, or from a file of the checkout.
// Each of these may be another list, so none stands in for another.
package catalogue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/files"
	"github.com/254carbon/gonogo/probes/web"
)

// Cluster gets a path of the API, no more than limit bytes of it. An answer other than 2xx is an error of apierrors.
type Cluster interface {
	Raw(ctx context.Context, path string, limit int64) ([]byte, probes.Request, error)
}

// Sources are where a list can be read. Those that the parameters do not name may be nil.
type Sources struct {
	Web      web.Fetcher
	Cluster  Cluster
	Checkout files.Checkout
}

// Info describes the kind catalogue.
func Info() probes.KindInfo {
	return probes.KindInfo{
		Name: "catalogue",
		About: "Reads the portal's list of services, from its Service, a ConfigMap or a file of the checkout, and looks whether the declared services are in it and " +
			"every entry has an id, a name, a category, a description, an icon and an https URL of its own.",
		Connection: web.Connection, Every: 5 * time.Minute, Timeout: 15 * time.Second, Confirm: 2,
		Params: func() any { return &Params{Min: 1} },
	}
}

// New returns a probe of the kind catalogue. Parameters must be valid.
func New(s Sources, p Params) probes.Probe { return probe{sources: s, params: p} }

type probe struct {
	sources Sources
	params  Params
}

func (p probe) Observe(ctx context.Context) (probes.Observation, error) {
	if at := p.params.at(); at.Service != "" {
		return at.Observe(ctx, p.sources.Web, "the catalogue", p.ask)
	}
	return p.ask(ctx)
}

func (p probe) ask(ctx context.Context) (probes.Observation, error) {
	text, err := p.read(ctx)
	if err != nil {
		return probes.Observation{}, err
	}
	if text.wrong != "" {
		return p.broken(text, text.wrong), nil
	}
	entries, err := parse(text.body)
	if err != nil {
		return p.broken(text, err.Error()), nil
	}
	faults := p.judge(entries)
	evidence := p.evidence(entries, text.request)
	if p.params.Answers {
		doors := p.knock(ctx, entries)
		if err := ctx.Err(); err != nil {
			return probes.Observation{}, fmt.Errorf("asking the services of the catalogue: %w", err)
		}
		for _, d := range doors {
			evidence = append(evidence, d.evidence)
			if d.wrong != "" {
				faults = append(faults, d.wrong)
			}
		}
	}
	obs := probes.Observation{Status: probes.Pass, Evidence: evidence}
	obs.Summary = fmt.Sprintf("%s, the %d declared ones among them, every field present", plural(len(entries), "service"), len(p.params.wanted))
	if len(faults) > 0 {
		obs.Status, obs.Summary = probes.Fail, strings.Join(faults, "; ")
	}
	return obs, nil
}

// broken is the answer to a list that cannot be used at all.
func (p probe) broken(t text, why string) probes.Observation {
	return probes.Observation{
		Status: probes.Fail, Summary: "the catalogue cannot be used: " + why,
		Evidence: []probes.Evidence{probes.Evidence{
			Subject: "catalogue in " + p.params.place(), Want: "a list of services as JSON", Got: why, Wanting: true,
		}.From(t.request)},
	}
}

// judge says what is wrong with the list, the worst first.
func (p probe) judge(entries []entry) (faults []string) {
	if missing := p.missing(entries); len(missing) > 0 {
		faults = append(faults, "not in the catalogue: "+enumerate(missing))
	}
	if len(entries) < p.params.Min {
		faults = append(faults, fmt.Sprintf("%s, want at least %d", plural(len(entries), "service"), p.params.Min))
	}
	if twice := duplicates(entries); len(twice) > 0 {
		faults = append(faults, "more than one entry is called "+enumerate(twice))
	}
	for _, field := range fields {
		var without []string
		for _, e := range entries {
			if e.values[field] == "" {
				without = append(without, e.name())
			}
		}
		if len(without) > 0 {
			faults = append(faults, fmt.Sprintf("no %s: %s", field, enumerate(without)))
		}
	}
	for _, e := range entries {
		if why := badURL(e.values["url"]); why != "" && e.values["url"] != "" {
			faults = append(faults, fmt.Sprintf("%s has a URL %s", e.name(), why))
		}
	}
	return append(faults, p.misled(entries)...)
}

// missing are the declared services that no entry is about.
func (p probe) missing(entries []entry) (ids []string) {
	for _, w := range p.params.wanted {
		if !slices.ContainsFunc(entries, w.is) {
			ids = append(ids, w.id)
		}
	}
	return ids
}

// misled says which declared services' entries lead to another host than the service's own.
func (p probe) misled(entries []entry) (faults []string) {
	for _, w := range p.params.wanted {
		for _, e := range entries {
			if e.values["id"] == w.id && w.host != "" && badURL(e.values["url"]) == "" && e.host() != w.host {
				faults = append(faults, fmt.Sprintf("%s leads to %s, not to %s", w.id, probes.Clean(e.host(), 100), w.host))
			}
		}
	}
	return faults
}

func duplicates(entries []entry) (twice []string) {
	seen := map[string]int{}
	for _, e := range entries {
		id := e.values["id"]
		if seen[id]++; seen[id] == 2 && id != "" {
			twice = append(twice, e.name())
		}
	}
	return twice
}

// evidence has a line for the list and one for each entry.
func (p probe) evidence(entries []entry, r probes.Request) []probes.Evidence {
	missing := p.missing(entries)
	whole := probes.Evidence{
		Subject: "catalogue in " + p.params.place(), Want: fmt.Sprintf("at least %d services, with the %d declared ones", p.params.Min, len(p.params.wanted)),
		Got: plural(len(entries), "service"), Wanting: len(missing) > 0 || len(entries) < p.params.Min,
	}
	if len(missing) > 0 {
		whole.Got += ", without " + enumerate(missing)
	}
	all := []probes.Evidence{whole.From(r)}
	for _, e := range entries {
		one := probes.Evidence{Subject: "entry " + e.name(), Want: "id, name, category, description, icon and an https URL of its own", Got: "all of them"}
		if faults := p.about(e, entries); len(faults) > 0 {
			one.Got, one.Wanting = strings.Join(faults, ", "), true
		}
		all = append(all, one.From(r))
	}
	return all
}

// about says what is wrong with one entry.
func (p probe) about(e entry, entries []entry) (faults []string) {
	for _, field := range fields {
		if e.values[field] == "" {
			faults = append(faults, "no "+field)
		}
	}
	if why := badURL(e.values["url"]); why != "" && e.values["url"] != "" {
		faults = append(faults, "a URL "+why)
	}
	if slices.Contains(duplicates(entries), e.name()) {
		faults = append(faults, "an id that is there more than once")
	}
	for _, w := range p.params.wanted {
		if e.values["id"] == w.id {
			faults = append(faults, probe{params: Params{wanted: []wanted{w}}}.misled([]entry{e})...)
		}
	}
	return faults
}

// named is how many things a summary names before it counts the rest.
const named = 4

func enumerate(words []string) string {
	if more := len(words) - named; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:named], ", "), more)
	}
	return strings.Join(words, ", ")
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
