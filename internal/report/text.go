package report

import (
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/254carbon/gonogo/probes"
)

// Style says how text is dressed.
type Style struct {
	Color   bool // SGR colours; never the only carrier of a meaning
	ASCII   bool // no characters beyond ASCII in what gonogo itself writes
	Verbose bool // every check, not only those that do not pass
	Width   int  // columns; 0 for no limit
}

// printer collects the first error of writing, so that renderers need not look after each line.
type printer struct {
	w   io.Writer
	s   Style
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err != nil {
		return
	}
	text := strings.TrimRight(fmt.Sprintf(format, args...), " ")
	if p.s.Width > 0 {
		text = ansi.Truncate(text, p.s.Width, "…")
	}
	if p.s.ASCII {
		text = toASCII.Replace(text)
	}
	_, p.err = fmt.Fprintln(p.w, text)
}

// toASCII is for the characters that gonogo itself writes, glyphs apart; each takes one column, as what stands for it.
var toASCII = strings.NewReplacer("…", "~", "•", "-", "–", "-", "×", "x", "→", ">")

var (
	glyphs = map[probes.Status]string{
		probes.Pass: "✓", probes.Warn: "▲", probes.Fail: "✗", probes.Blocked: "◌", probes.Unknown: "?", probes.NotApplicable: "–", probes.Pending: "·",
	}
	plain = map[probes.Status]string{
		probes.Pass: "+", probes.Warn: "!", probes.Fail: "x", probes.Blocked: "o", probes.Unknown: "?", probes.NotApplicable: "-", probes.Pending: ".",
	}
	colors = map[probes.Status]string{
		probes.Pass: "32", probes.Warn: "33", probes.Fail: "31", probes.Blocked: "35", probes.Unknown: "36", probes.NotApplicable: "2", probes.Pending: "2",
	}
)

// glyph draws a status; the word always stands beside it.
func (p *printer) glyph(s probes.Status) string {
	g := glyphs[s]
	if p.s.ASCII {
		g = plain[s]
	}
	return p.paint(colors[s], g)
}

func (p *printer) paint(sgr, text string) string {
	if !p.s.Color {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

func (p *printer) verdict(v probes.Verdict) string {
	sgr := map[probes.Verdict]string{probes.Go: "1;30;42", probes.NoGo: "1;37;41", probes.VerdictUnknown: "1;30;46"}[v]
	if !p.s.Color {
		return v.String()
	}
	return p.paint(sgr, " "+v.String()+" ")
}

// pad fills text up to a number of columns, or cuts it.
func pad(text string, columns int) string { return fill(ansi.Truncate(text, columns, "…"), columns) }

// fill fills text up to a number of columns; what is longer, such as a number, is never cut.
func fill(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-ansi.StringWidth(text)))
}

// Headline says the score in one line: "87 % (up to 91 %), 2 unknown".
func Headline(a probes.Assessment) string {
	text := fmt.Sprintf("%d %%", a.Percent)
	if a.HighPct != a.Percent {
		text += fmt.Sprintf(" (up to %d %%)", a.HighPct)
	}
	if n := a.Counts[probes.Unknown]; n > 0 {
		text += fmt.Sprintf(", %d unknown", n)
	}
	if n := a.Counts[probes.Pending]; n > 0 {
		text += fmt.Sprintf(", %d pending", n)
	}
	return text
}

// WriteTable writes the result of a check for a terminal.
func WriteTable(w io.Writer, a probes.Assessment, m Meta, s Style) error {
	p := &printer{w: w, s: s}
	if m.Only == nil {
		p.headline(a, m)
	}
	passing := 0
	for _, c := range a.Components {
		passing += p.component(c, m.Only)
	}
	if passing > 0 {
		p.line("")
		p.line("  %s; -v lists them.", passes(passing))
	}
	if m.Only == nil {
		p.steps(a)
	}
	return p.err
}

func (p *printer) headline(a probes.Assessment, m Meta) {
	since := ""
	if m.Previous != nil {
		since = fmt.Sprintf("   previous %d %% on %s", m.Previous.Percent, m.Previous.TakenAt.UTC().Format("2 January 2006"))
	}
	p.line("%s   %s   %s%s", p.paint("1", a.Outline.Platform), p.paint("1", Headline(a)), p.verdict(a.Verdict), since)
	for _, r := range a.Reasons {
		p.line("  • %s", r.Text)
	}
	p.line("")
}

// component writes a component with the checks that want attention and returns how many passing ones it left out.
func (p *printer) component(c probes.ComponentScore, only map[probes.ID]bool) int {
	left := 0
	var lines []func()
	for _, i := range c.Items {
		if only != nil && !only[i.Spec.ID] {
			continue
		}
		if only == nil && !p.s.Verbose && i.Status == probes.Pass {
			left++
			continue
		}
		lines = append(lines, func() { p.check(i) })
	}
	if only != nil && len(lines) == 0 {
		return 0
	}
	if only == nil {
		drift := ""
		if d := c.Component.Declared; d != nil && *d != c.Percent {
			drift = fmt.Sprintf("   declared %d %%, measured %d %%", *d, c.Percent)
		}
		points := probes.ShortRat(c.Earned) + "/" + probes.ShortRat(c.Component.Weight)
		if c.Possible.Sign() == 0 {
			points = "no points"
		}
		p.line("%s %s %s  %s%s", p.glyph(c.Status), pad(c.Component.Title, 32), fill(points, 9), fill(c.Status.String(), 8), drift)
	}
	for _, line := range lines {
		line()
	}
	return left
}

func (p *printer) check(i probes.Item) {
	gate := ""
	if i.Spec.Gate {
		gate = "gate"
	}
	summary := i.Summary
	if i.Waiver != nil {
		summary = fmt.Sprintf("waived by %s until %s: %s", i.Waiver.Owner, i.Waiver.Until(), summary)
	}
	p.line("    %s %s %s %s %s", p.glyph(i.Status), pad(string(i.Spec.ID), 24), fill(i.Status.String(), 8), pad(gate, 5), summary)
}

func (p *printer) steps(a probes.Assessment) {
	if len(a.Next) > 0 {
		p.line("")
		p.line("%s", p.paint("1", "Next, best first"))
	}
	for n, s := range a.Next {
		gates := ""
		if len(s.Gates) > 0 {
			gates = count(len(s.Gates), "gate")
		}
		p.line("  %d %s %s %s %s", n+1, pad(s.Title, 24), fill("+"+probes.ShortRat(s.Points), 6), pad(s.Effort.String(), 10), gates)
	}
	if !a.Remaining.IsZero() {
		p.line("  left, as an estimate: %s", a.RemainingText())
	}
	for _, i := range a.Blocked {
		p.line("  %s %s waits for %s", p.glyph(probes.Blocked), i.Spec.ID, strings.Join(words(i.BlockedBy), ", "))
	}
}

func passes(n int) string {
	if n == 1 {
		return "1 check passes"
	}
	return fmt.Sprintf("%d checks pass", n)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// WriteScore explains the score: a line for each check, which add up exactly to the headline.
func WriteScore(w io.Writer, a probes.Assessment, s Style) error {
	p := &printer{w: w, s: s}
	p.line("%s %s %s %s %s", pad("check", 26), pad("status", 15), pad("earns", 10), pad("of", 8), "because")
	for _, c := range a.Components {
		p.line("")
		p.line("%s", p.paint("1", fmt.Sprintf("%s, weight %s", c.Component.Title, probes.FormatRat(c.Component.Weight))))
		sum := new(big.Rat)
		for _, i := range c.Items {
			if i.Status != probes.NotApplicable && i.Spec.Weight != nil {
				sum.Add(sum, i.Spec.Weight)
			}
		}
		for _, i := range c.Items {
			p.scoreLine(c, i, sum)
		}
		p.line("  %s %s %s %s", pad("", 24), pad("", 15), fill("= "+probes.FormatRat(c.Earned), 10), probes.FormatRat(c.Possible))
	}
	p.line("")
	p.line("%s / %s points = %d %%, rounded down", probes.FormatRat(a.Earned), probes.FormatRat(a.Possible), a.Percent)
	if a.HighPct != a.Percent {
		p.line("%s / %s points = %d %%, if everything that could not be measured passed", probes.FormatRat(a.High), probes.FormatRat(a.Possible), a.HighPct)
	}
	p.line("verdict %s at a threshold of %s %%", p.verdict(a.Verdict), probes.FormatRat(a.Outline.Threshold))
	for _, r := range a.Reasons {
		p.line("  • %s", r.Text)
	}
	return p.err
}

func (p *printer) scoreLine(c probes.ComponentScore, i probes.Item, sum *big.Rat) {
	because := "weighs nothing"
	switch {
	case i.Status == probes.NotApplicable:
		because = "does not apply: " + i.Summary
	case sum.Sign() > 0 && i.Spec.Weight != nil && i.Spec.Weight.Sign() > 0:
		because = fmt.Sprintf("%s × %s/%s × %s", probes.FormatRat(c.Component.Weight), probes.FormatRat(i.Spec.Weight), probes.FormatRat(sum), probes.FormatRat(i.Ratio))
	}
	if i.Spec.Gate {
		because += ", gate"
	}
	if i.Waiver != nil {
		because += fmt.Sprintf(", waived by %s until %s", i.Waiver.Owner, i.Waiver.Until())
	}
	if i.Word != "" {
		because += ", on the word of " + i.Word
	}
	p.line("%s %s %s %s %s %s", p.glyph(i.Status), pad(string(i.Spec.ID), 24), fill(i.Status.String(), 15), fill(probes.FormatRat(i.Points), 10), fill(probes.FormatRat(i.Worth), 8), because)
}

// WriteCheck explains one check: the claim, what was found, the evidence and what to do.
func WriteCheck(w io.Writer, a probes.Assessment, i probes.Item, s Style) error {
	p := &printer{w: w, s: s}
	p.line("%s %s   %s", p.glyph(i.Status), p.paint("1", i.Spec.Title), i.Status)
	p.line("  %s", i.Summary)
	p.line("")
	field := func(name, text string) {
		if text != "" {
			p.line("  %s %s", pad(name, 10), text)
		}
	}
	field("check", fmt.Sprintf("%s, of component %s", i.Spec.ID, i.Spec.Component))
	field("worth", fmt.Sprintf("%s of %s points", probes.FormatRat(i.Points), probes.FormatRat(i.Worth)))
	if i.Spec.Gate {
		field("gate", "without a pass the verdict is never GO")
	}
	field("probe", i.Spec.Probe)
	field("asked", asked(i.Spec))
	if !i.TakenAt.IsZero() {
		field("measured", fmt.Sprintf("%s, in %s, %s", i.TakenAt.UTC().Format("2006-01-02 15:04:05 UTC"), i.Took.Round(time.Millisecond), i.Attempts()))
	}
	if !i.Since.IsZero() {
		field("since", i.Since.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	field("error", i.Error)
	if len(i.BlockedBy) > 0 {
		field("blocked by", strings.Join(words(i.BlockedBy), ", "))
	}
	if i.Waiver != nil {
		field("waived", fmt.Sprintf("by %s until %s%s: %s", i.Waiver.Owner, i.Waiver.Until(), within(i.Waiver.Where), i.Waiver.Reason))
	}
	if i.Word != "" {
		field("word", "of "+i.Word+"; it earns half at most")
	}
	for _, e := range i.Evidence {
		p.line("")
		p.line("  %s", p.paint("1", e.Subject))
		field("want", e.Want)
		field("got", e.Got)
		field("source", e.Source)
		field("repeat", e.Repeat)
	}
	if i.Status != probes.Pass && i.Spec.Remedy != "" {
		p.line("")
		p.line("  %s", p.paint("1", "What to do"))
		p.line("  %s", i.Spec.Remedy)
	}
	return p.err
}

// within says where a waiver was given, if not in the profile.
func within(where string) string {
	if where == "" {
		return ""
	}
	return " (" + where + ")"
}

// WriteNote writes a sentence below what was explained.
func WriteNote(w io.Writer, text string, s Style) error {
	p := &printer{w: w, s: s}
	p.line("")
	p.line("  %s", probes.Clean(text, 1000))
	return p.err
}

// WriteLine writes one check in a line, as the table of a check does.
func WriteLine(w io.Writer, i probes.Item, s Style) error {
	p := &printer{w: w, s: s}
	p.check(i)
	return p.err
}

func asked(s probes.Spec) string {
	how := "every " + FormatInterval(s.Every)
	if s.OnChange {
		how = "on every change"
	}
	makes := "a failure counts at once"
	if s.Confirm > 1 {
		makes = fmt.Sprintf("%d failures in a row count", s.Confirm)
	}
	return fmt.Sprintf("%s, for at most %s; %s", how, FormatInterval(s.Timeout), makes)
}
