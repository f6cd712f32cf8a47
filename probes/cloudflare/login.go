package cloudflare

import (
	"fmt"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// login asks whether an identity provider exists and whether the applications allow it.
func (p *accessProbe) login(apps Applications, providers Providers) probes.Observation {
	what := loginName(p.params.Login)
	e := probes.Evidence{Subject: "identity provider " + p.params.Login, Want: "exists"}.From(providers.Request)
	var ids, others []string
	for _, provider := range providers.Items {
		if provider.Type == p.params.Login {
			ids = append(ids, provider.ID)
		} else {
			others = append(others, provider.Type)
		}
	}
	if len(ids) == 0 {
		e.Got = "does not exist; the account has " + orNothing(strings.Join(others, ", "))
		return fail(e, "no identity provider for %s in the account", what)
	}
	e.Got = "exists"
	t := tally{evidence: []probes.Evidence{e}}
	for _, want := range p.params.Apps {
		e := probes.Evidence{Subject: "application of " + want.Host, Want: "allows logins by " + what}.From(apps.Request)
		app, elsewhere := want.find(apps.Items)
		if app == nil {
			t.add(want.Host, want.missing(elsewhere), elsewhere == "", e)
			continue
		}
		e.Got = "allows every identity provider"
		if n := len(app.Logins); n > 0 {
			e.Got = "allows " + plural(n, "identity provider")
		}
		cause := ""
		switch {
		case len(app.Logins) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(app.Logins, id) }):
			cause = "does not allow " + what
		case !slices.ContainsFunc(app.Policies, func(policy Policy) bool { return policy.Decision == "allow" && policy.accepts(ids) }):
			cause = fmt.Sprintf("no policy lets anybody in who logs in by %s", what)
		}
		t.add(want.Host, cause, false, e)
	}
	return t.conclude(len(p.params.Apps), "allow "+what)
}

func loginName(kind string) string {
	if kind == "onetimepin" {
		return "one-time PIN"
	}
	return kind
}

// accepts reports whether somebody who logged in by one of these providers can satisfy the policy.
func (p Policy) accepts(ids []string) bool {
	for _, r := range p.Require {
		if r.Kind == "login_method" && !slices.Contains(ids, r.Value) {
			return false
		}
	}
	return !slices.ContainsFunc(p.Exclude, func(r Rule) bool { return r.Kind == "login_method" && slices.Contains(ids, r.Value) })
}

// named is how many findings a summary names before it counts the rest.
const named = 3

// tally gathers what was found of several things.
type tally struct {
	evidence []probes.Evidence
	missing  []string
	wrong    []string
}

// add takes in what was found of one thing: a cause if it falls short, and whether that is because it is not there.
func (t *tally) add(what, cause string, absent bool, e probes.Evidence) {
	if e.Wanting = cause != ""; e.Wanting {
		if e.Got == "" {
			e.Got = cause
		}
		if absent {
			t.missing = append(t.missing, what)
		} else {
			t.wrong = append(t.wrong, what+": "+cause)
		}
	}
	t.evidence = append(t.evidence, e)
}

// conclude makes the observation about n applications.
func (t *tally) conclude(n int, do string) probes.Observation {
	obs := probes.Observation{Status: probes.Pass, Evidence: t.evidence, Summary: fmt.Sprintf("%d of %s %s", n, plural(n, "application"), do)}
	var causes []string
	if len(t.wrong) > 0 {
		causes = append(causes, enumerate(t.wrong, "; "))
	}
	if gone := len(t.missing); gone > 0 {
		verb := "do not exist"
		if gone == 1 {
			verb = "does not exist"
		}
		causes = append(causes, fmt.Sprintf("%d of %s %s: %s", gone, plural(n, "application"), verb, enumerate(t.missing, ", ")))
	}
	if len(causes) > 0 {
		obs.Status, obs.Summary = probes.Fail, strings.Join(causes, "; ")
	}
	return obs
}

// enumerate joins words and counts those beyond what a line can name.
func enumerate(words []string, separator string) string {
	if more := len(words) - named; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:named], separator), more)
	}
	return strings.Join(words, separator)
}
