package alertmanager

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// silence is what is read of a silence.
type silence struct {
	ID        string
	CreatedBy string
	Comment   string
	EndsAt    time.Time
	Matchers  []matcher
	Status    struct{ State string }
}

// matcher is one condition of a silence; all of them must hold for an alert to be silenced.
type matcher struct {
	Name, Value string
	IsRegex     bool
	IsEqual     *bool // older versions leave it out, which means true
}

func (m matcher) equal() bool { return m.IsEqual == nil || *m.IsEqual }

func (m matcher) String() string {
	op := map[[2]bool]string{{false, true}: "=", {true, true}: "=~", {false, false}: "!=", {true, false}: "!~"}[[2]bool{m.IsRegex, m.equal()}]
	return fmt.Sprintf("%s%s%q", m.Name, op, m.Value)
}

// matches reports whether a label of that value satisfies the matcher. A pattern that cannot be read matches nothing.
func (m matcher) matches(value string) bool {
	found := m.Value == value
	if m.IsRegex {
		pattern, err := regexp.Compile("^(?:" + m.Value + ")$")
		if err != nil {
			return false
		}
		found = pattern.MatchString(value)
	}
	return found == m.equal()
}

// unheard are values that no alert has: what they satisfy, whatever may come satisfies.
var unheard = []string{"Xq7-unheard-of_value.254", "zWatchdog0unheardOf9"}

// any reports whether a matcher is satisfied by whatever alert may come.
func (m matcher) any() bool {
	return !slices.ContainsFunc(unheard, func(v string) bool { return !m.matches(v) })
}

// mutes says what a silence mutes that nobody may want muted, or nothing: every alert, or every critical one. One that excepts single
// alerts ("alertname!=Watchdog") mutes all others.
func (s silence) mutes() string {
	narrow := func(m matcher) bool {
		return m.Name != "severity" && !m.any() || m.Name == "severity" && !m.matches("critical")
	}
	switch {
	case len(s.Matchers) == 0 || slices.ContainsFunc(s.Matchers, narrow):
		return ""
	case slices.ContainsFunc(s.Matchers, func(m matcher) bool { return !m.any() }):
		return "every critical alert"
	}
	return "every alert"
}

func (s silence) String() string {
	words := make([]string, 0, len(s.Matchers))
	for _, m := range s.Matchers {
		words = append(words, m.String())
	}
	return fmt.Sprintf("{%s} by %s until %s", strings.Join(words, ", "), orWord(s.CreatedBy, "somebody"), moment(s.EndsAt))
}

// silences looks for one that mutes more than anybody may want.
func (p probe) silences(ctx context.Context, a *asking) error {
	var all []silence
	page, err := p.get(ctx, "/api/v2/silences", &all)
	if err != nil {
		return err
	}
	if all == nil {
		return page.Foreign("Alertmanager's silences", errors.New("another form of JSON"))
	}
	active := 0
	for _, s := range all {
		if s.Status.State != "active" {
			continue
		}
		active++
		if what := s.mutes(); what != "" {
			a.note(probes.Evidence{Subject: "silence " + s.ID, Want: "mutes single alerts", Got: "mutes " + what + ": " + s.String()}, page.Request,
				fmt.Sprintf("a silence mutes %s: %s", what, s))
		}
	}
	a.note(probes.Evidence{Subject: "silences", Want: "none that mutes everything", Got: plural(active, "active one")}, page.Request, "")
	return nil
}
