package certificates

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// conclude makes the observation. What was measured wanting fails the claim, whatever could not be looked at; what could not be looked at
// leaves it unknown; what ends soon is a warning.
func (p *probe) conclude(served, cluster []finding, confirmed time.Time, clusterErr error) (probes.Observation, error) {
	obs := probes.Observation{Confirmed: confirmed}
	var wrong, short, blind []string
	var first error
	var next finding
	for _, f := range slices.Concat(cluster[:min(1, len(cluster))], served, cluster[min(1, len(cluster)):]) { // the issuer is the cause of much

		e := f.evidence
		switch {
		case f.err != nil:
			blind = append(blind, f.host+": "+f.err.Error())
			e.Got = "could not be looked at: " + f.err.Error()
			if first == nil {
				first = f.err
			}
		case f.wrong != "":
			wrong = append(wrong, f.host+": "+f.wrong)
			e.Wanting = true
		case f.short != "":
			short = append(short, f.host+": "+f.short)
			e.Wanting = true
		}
		if f.served && f.err == nil && (next.host == "" || f.until.Before(next.until)) {
			next = f
		}
		obs.Evidence = append(obs.Evidence, e)
	}
	if clusterErr != nil {
		blind = append(blind, clusterErr.Error())
		if first == nil {
			first = clusterErr
		}
	}
	switch {
	case len(wrong) > 0:
		obs.Status, obs.Summary = probes.Fail, phrases(wrong)
		if len(blind) > 0 {
			obs.Summary += fmt.Sprintf("; besides, %d could not be looked at", len(blind))
		}
	case len(blind) > 0:
		return probes.Observation{}, blindError{text: phrases(blind), first: first}
	case len(short) > 0:
		obs.Status, obs.Ratio, obs.Summary = probes.Warn, probes.Part(1, 2), phrases(short)
	default:
		obs.Status = probes.Pass
		obs.Summary = fmt.Sprintf("%d of %d chains valid, the first ends in %s (%s)", len(served), len(served), days(next.until.Sub(p.now())), next.host)
	}
	return obs, nil
}

// blindError names everything that could not be looked at, and is the error of the first.
type blindError struct {
	text  string
	first error
}

func (e blindError) Error() string { return e.text }
func (e blindError) Unwrap() error { return e.first }

// named is how many things a summary names before it counts the rest.
const named = 3

// phrases joins findings, which hold commas themselves.
func phrases(all []string) string {
	if more := len(all) - named; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(all[:named], "; "), more)
	}
	return strings.Join(all, "; ")
}

// enumerate joins names that somebody else wrote.
func enumerate(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	shown := make([]string, 0, named)
	for _, n := range names[:min(len(names), named)] {
		shown = append(shown, probes.Clean(n, 100))
	}
	text := strings.Join(shown, ", ")
	if more := len(names) - named; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// days says how long in days, rounded down.
func days(d time.Duration) string {
	switch n := int(d / (24 * time.Hour)); {
	case d <= 0:
		return "no time"
	case n == 0:
		return "less than a day"
	case n == 1:
		return "1 day"
	default:
		return fmt.Sprintf("%d days", n)
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
