package tui

import (
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

// statusLook is the one place that says how a status is drawn: never without both glyph and word.
type statusLook struct {
	glyph, word string
	style       theme.Style
}

func lookOf(th *theme.Theme, s probes.Status) statusLook {
	g := th.Glyphs
	switch s {
	case probes.Pass:
		return statusLook{g.Pass, "pass", th.Pass}
	case probes.Warn:
		return statusLook{g.Warn, "warn", th.Warn}
	case probes.Fail:
		return statusLook{g.Fail, "fail", th.Fail}
	case probes.Blocked:
		return statusLook{g.Blocked, "blocked", th.Blocked}
	case probes.NotApplicable:
		return statusLook{g.NotApplicable, "n/a", th.NotApplicable}
	case probes.Pending:
		return statusLook{g.Pending, "pending", th.Pending}
	}
	return statusLook{g.Unknown, "unknown", th.Unknown}
}

// verdictLook is how a verdict is drawn as a filled block, and as text.
func verdictLook(th *theme.Theme, v probes.Verdict) (filled, text theme.Style) {
	switch v {
	case probes.Go:
		return th.GoBlock, th.Pass
	case probes.NoGo:
		return th.NoGoBlock, th.Fail
	}
	return th.UnknownBlock, th.Unknown
}

// rank orders statuses by how much they need a person.
func rank(s probes.Status) int {
	for n, one := range []probes.Status{
		probes.Fail, probes.Blocked, probes.Unknown, probes.Pending, probes.Warn, probes.Pass, probes.NotApplicable,
	} {
		if one == s {
			return n
		}
	}
	return 0
}
