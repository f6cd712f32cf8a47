package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// These say parts of a report in words; both Markdown and HTML use them.

// moment writes a time for people, to the minute.
func moment(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// Ready says the score and the verdict as the heading of a report.
func (s Status) Ready() string {
	text := fmt.Sprintf("%d %% production ready", s.Score.Percent)
	if s.Score.High != s.Score.Percent {
		text = fmt.Sprintf("%d %% production ready (up to %d %%)", s.Score.Percent, s.Score.High)
	}
	return text
}

// PreviousText says the score before: "85 % on 19 October 2025".
func (s Status) PreviousText() string {
	if s.Score.Previous == nil {
		return "none is known"
	}
	return fmt.Sprintf("%d %% on %s", s.Score.Previous.Percent, day(s.Score.Previous.TakenAt))
}

// AdvanceText says what was gained since: "+2 %".
func (s Status) AdvanceText() string {
	if s.Score.Advance == nil {
		return ""
	}
	return fmt.Sprintf("%+d %%", *s.Score.Advance)
}

// CountsText says how many checks have each status.
func (s Status) CountsText() string {
	c := s.Counts
	return counts(map[probes.Status]int{
		probes.Pass: c.Pass, probes.Warn: c.Warn, probes.Fail: c.Fail, probes.Blocked: c.Blocked, probes.Unknown: c.Unknown,
		probes.NotApplicable: c.NotApplicable, probes.Pending: c.Pending,
	})
}

// DoneText says how much of the platform is complete: "87 % of the platform".
func (s Status) DoneText() string { return fmt.Sprintf("%d %% of the platform", s.Score.Percent) }

// EvidenceText says how fresh the evidence of what is complete is.
func (s Status) EvidenceText() string {
	if len(s.Completed) == 0 {
		return "No component is complete; what points there are come from parts of them."
	}
	if s.Measured.Polled {
		return "The answers are those that the board has. Where a source confirmed one more than a minute ago, the age stands beside it."
	}
	return "Each check below was asked for this report. Where its source confirmed the answer more than a minute before, the age stands beside it."
}

// LeftText says how much is left, which with what is done makes 100.
func (s Status) LeftText() string { return fmt.Sprintf("%d %% of the platform", 100-s.Score.Percent) }

// NoDrift says that what is declared is what is measured.
func (d Declared) NoDrift() string {
	switch {
	case len(d.Drift) > 0:
		return ""
	case d.Components == 0:
		return "The profile declares no percentages to compare with."
	case len(d.Unclear) > 0:
		return "Nothing that could be measured drifts."
	}
	return fmt.Sprintf("Nothing drifts: what is declared of %s is what is measured.", count(d.Components, "component"))
}

// TotalText compares what the declared percentages add up to with the score.
func (d Declared) TotalText(percent int) string {
	if d.Total == nil {
		return ""
	}
	return fmt.Sprintf("Added up, %d %% are declared and %d %% measured.", *d.Total, percent)
}

// Verb says on which side of the declared percentage the measured one is.
func (d Drift) Verb() string {
	switch {
	case d.Measured > d.Declared:
		return fmt.Sprintf("%d percentage points better", d.size())
	case d.Declared <= d.High:
		return "the rest could not be measured"
	}
	return fmt.Sprintf("%d percentage points worse", d.size())
}

// FilesText says why no file is listed, or nothing.
func (s Status) FilesText() string {
	switch {
	case len(s.Files) > 0:
		return ""
	case s.checkout:
		return "No file was seen: the checkout could not be read."
	}
	return "No check of this report looks at files of a checkout."
}

// AgeText says how old the answer was when the report was written, unless it was asked for it.
func (c Claim) AgeText() string {
	switch m := c.AgeMinutes; {
	case m == 0:
		return ""
	case m < 120:
		return fmt.Sprintf("%d min old", m)
	case m < 48*60:
		return fmt.Sprintf("%d h old", m/60)
	default:
		return fmt.Sprintf("%d days old", m/(24*60))
	}
}

// Seen is where a check was seen: a source, and in words how many others there are.
type Seen struct{ Source, Others string }

// SeenAt returns the first source of the evidence, or nil.
func (c Claim) SeenAt() *Seen {
	var all []string
	for _, e := range c.Evidence {
		all = appendNew(all, e.Source)
	}
	if all == nil {
		return nil
	}
	seen := &Seen{Source: all[0]}
	if more := len(all) - 1; more > 0 {
		seen.Others = fmt.Sprintf(" and %d more", more)
	}
	return seen
}

// Glyph is the glyph of the status.
func (c Claim) Glyph() string { return wordGlyph(c.Status) }

// wordGlyph is the glyph of a status by its word.
func wordGlyph(word string) string {
	s, err := probes.ParseStatus(word)
	if err != nil {
		return ""
	}
	return glyphs[s]
}

// StateText says whether something can be done about the task now.
func (t Task) StateText() string {
	passing := fmt.Sprintf("%d %% done", t.Percent)
	switch t.State {
	case "ready":
		return "can be worked on now, " + passing
	case "blocked":
		return "blocked, " + passing
	}
	return "could not be measured, " + passing
}

// Word says how far a component is, as status documents put it.
func (r ProgressRow) Word() string {
	switch r.Status {
	case "pass":
		return "complete"
	case "fail", "warn":
		return "to do"
	}
	return r.Status
}

// Glyph is the glyph of the status.
func (r ProgressRow) Glyph() string { return wordGlyph(r.Status) }

// Impact says what is gained by it.
func (t Task) Impact() string {
	text := points(t.Points.String()) + " to gain"
	if len(t.Gates) > 0 {
		text += ", and " + gateWords(t.Gates) + " to satisfy"
	}
	return text
}

// BlockedText says what its blocked checks wait for, or nothing.
func (t Task) BlockedText() string {
	waiting := 0
	for _, c := range t.Issues {
		if c.Status == "blocked" {
			waiting++
		}
	}
	if waiting == 0 {
		return ""
	}
	return fmt.Sprintf("%s for %s", map[bool]string{true: "1 check waits", false: fmt.Sprintf("%d checks wait", waiting)}[waiting == 1], strings.Join(t.BlockedBy, ", "))
}

func gateWords(ids []string) string {
	if len(ids) == 1 {
		return "gate " + ids[0]
	}
	return "gates " + strings.Join(ids[:len(ids)-1], ", ") + " and " + ids[len(ids)-1]
}

// Heading says what the changes are counted from.
func (c Changes) Heading() string {
	what := "the score of "
	if c.Reported {
		what = "the report of "
	}
	text := fmt.Sprintf("Since %s%s: %d %% and %s then", what, moment(c.Since), c.Percent, c.Verdict)
	switch c.Points.rat.Sign() {
	case 0:
		return text + ", the same points now."
	case 1:
		return text + fmt.Sprintf(", %s gained.", points(c.Points.String()))
	}
	return text + fmt.Sprintf(", %s lost.", points(strings.TrimPrefix(c.Points.String(), "-")))
}

// Nothing says why no check is listed as changed, or is empty.
func (c Changes) Nothing() string {
	switch {
	case !c.Known:
		return "How each check stood then is not recorded; from this report on it is."
	case len(c.Better)+len(c.Worse)+len(c.Other) == 0:
		return "No check stands otherwise."
	}
	return ""
}

// Way says from where to where a check went: "fail → pass".
func (f Flip) Way() string {
	from, to := f.From, f.To
	if from == "" {
		from = "new"
	}
	if to == "" {
		to = "gone"
	}
	return from + " → " + to
}

// When says when, to the minute, or nothing.
func (f Flip) When() string {
	if f.At == nil {
		return ""
	}
	return moment(*f.At)
}

// Signed writes the points with their sign.
func (c ComponentChange) Signed() string {
	if c.Points.rat.Sign() > 0 {
		return "+" + c.Points.String()
	}
	return c.Points.String()
}

// SatisfiedText says whether the gate is satisfied, and by what.
func (g Gate) SatisfiedText() string {
	switch {
	case g.Waiver != nil:
		return "waived"
	case g.Satisfied:
		return "satisfied"
	}
	return "open"
}

// NoJudgement says that nothing rests on a person's judgement, if so.
func (s Status) NoJudgement() string {
	if len(s.Waivers)+len(s.Words) > 0 {
		return ""
	}
	return "There is no waiver, and nothing rests on anybody's word."
}

// SatisfiedGates counts the gates that are satisfied.
func (s Status) SatisfiedGates() int {
	n := 0
	for _, g := range s.Gates {
		if g.Satisfied {
			n++
		}
	}
	return n
}

// DeliveredText sums up what is in place.
func (s Status) DeliveredText() string {
	return fmt.Sprintf("%d of %s pass, %d of %s are satisfied, %d of %s are complete.",
		s.Counts.Pass, count(s.Measured.Checks, "check"), s.SatisfiedGates(), count(len(s.Gates), "gate"), len(s.Completed), count(len(s.Progress.Rows), "component"))
}

// Ways says how the report came about, a line each.
func (s Status) Ways() []string {
	m := s.Measured
	lines := []string{fmt.Sprintf("Profile: %s, threshold %s %%, SHA-256 %s", m.Profile, s.Score.Threshold, m.Digest)}
	if m.Simulated != "" {
		lines = append(lines, "Platform: the simulated one, scenario "+m.Simulated)
	} else {
		lines = append(lines, "Cluster: "+m.Cluster)
	}
	asked := fmt.Sprintf("Asked: %s, once each, for this report, on %s", count(m.Checks, "check"), moment(s.TakenAt))
	if m.Polled {
		asked = fmt.Sprintf("Asked: %s, by the board, as often as the profile says; as they stood on %s", count(m.Checks, "check"), moment(s.TakenAt))
	}
	return append(lines, asked,
		"Rules: what fails, is blocked or could not be measured earns nothing; percentages are rounded down; GO needs every gate and the threshold",
		"Estimates: from the profile, in hours and days of work",
		"Written by gonogo "+m.Version+" from the answers alone",
	)
}
