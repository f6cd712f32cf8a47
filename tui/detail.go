package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

// scroller is a pane of lines of which a part is visible.
type scroller struct {
	lines []string
	top   int
}

func (s *scroller) set(lines []string, height int) {
	s.lines = lines
	s.top = max(0, min(s.top, len(lines)-height))
}

func (s *scroller) scroll(n, height int) {
	s.top = max(0, min(s.top+n, len(s.lines)-height))
}

// view draws the visible lines; the last one says how many are below.
func (s *scroller) view(th *theme.Theme, w, h int) []string {
	out := block(s.lines[min(s.top, len(s.lines)):], w, h)
	if below := len(s.lines) - s.top - h; below > 0 && h > 2 {
		note := fmt.Sprintf("%s %s more", th.Glyphs.More, plural(below+1, "line", "lines"))
		out[h-1] = line(th, w, nil, []span{in(th.Muted, note+" ")}, nil)
	}
	return out
}

// selected returns the check or the component that is selected.
func (m *Model) selected() (*probes.Item, *probes.ComponentScore) {
	at := m.tree.cursor()
	if at < 0 {
		return nil, nil
	}
	r := m.tree.rows[at]
	c := &m.board.Components[r.comp]
	if r.item < 0 {
		return nil, c
	}
	return &c.Items[r.item], c
}

func (m *Model) detailTitle() []span {
	th := m.theme
	if m.focus == focusHistory {
		return m.historyTitle()
	}
	if m.focus == focusReport {
		return []span{in(th.Heading, "Report"), in(th.Muted, "  as `gonogo report` would write it now")}
	}
	if m.focus == focusAction {
		return m.actionTitle()
	}
	if m.focus == focusRuns {
		return m.runsTitle()
	}
	if m.right == focusNext {
		return []span{in(th.Heading, "Next, best first")}
	}
	item, comp := m.selected()
	switch {
	case item != nil:
		return []span{in(th.Heading, string(item.Spec.ID))}
	case comp != nil:
		return []span{in(th.Heading, string(comp.Component.ID))}
	}
	return []span{in(th.Heading, "Detail")}
}

// detailLines are the lines of the detail pane at a width.
func (m *Model) detailLines(w int) []string {
	item, comp := m.selected()
	switch {
	case w <= 0:
		return nil
	case item != nil:
		return m.itemLines(item, w)
	case comp != nil:
		return m.componentLines(comp, w)
	}
	return nil
}

func (m *Model) itemLines(i *probes.Item, w int) []string {
	th, k := m.theme, lookOf(m.theme, i.Status)
	word := i.Status.String()
	head := []span{in(k.style.Bold(), k.glyph+" "+word)}
	if i.Spec.Gate {
		head = append(head, in(th.Text, "  "), gateSpan(th, i))
	}
	worth := probes.ShortRat(i.Points) + " of " + probes.ShortRat(i.Worth) + " points"
	if i.Worth.Sign() == 0 {
		worth = "no points"
	}
	out := []string{line(th, w, head, []span{in(th.Muted, worth)}, nil)}
	out = append(out, wrapped(th.Strong, probes.Clean(i.Spec.Title, 400), "", w)...)
	out = append(out, "")
	out = append(out, wrapped(k.style, summary(i), "", w)...)
	if i.Error != "" && i.Status != probes.Unknown {
		out = append(out, wrapped(th.Unknown, "could not be asked since: "+i.Error, "", w)...)
	} else if i.Trouble != "" && (i.Status == probes.Pass || i.Status == probes.Warn) {
		out = append(out, wrapped(th.Warn, fmt.Sprintf("%d of %d, asking again: %s", i.Failures, i.Spec.Confirm, i.Trouble), "", w)...)
	}
	out = append(out, wrapped(th.Muted, m.provenance(i), "", w)...)
	for _, part := range [][]string{
		m.blockedLines(i, w), m.waiverLines(i, w), m.evidenceLines(i, w), m.commandLines(i, w), m.remedyLines(i, w), m.stripLines(i, w),
	} {
		if len(part) > 0 {
			out = append(append(out, ""), part...)
		}
	}
	return out
}

// summary is what was found, or why nothing could be. An age in it is as coarse as every age, so that it changes seldom.
func summary(i *probes.Item) string {
	if i.Status != probes.Unknown || i.Confirmed.IsZero() {
		return i.Summary
	}
	text := "last confirmed " + age(i.Age) + " ago, which is too old"
	if i.Trouble != "" {
		text += ": " + i.Trouble
	}
	return text
}

// provenance says when and how the answer came to be.
func (m *Model) provenance(i *probes.Item) string {
	var parts []string
	if i.Word != "" {
		parts = append(parts, "on the word of "+i.Word)
	}
	if !i.Confirmed.IsZero() {
		parts = append(parts, fmt.Sprintf("measured %s ago in %s", age(i.Age), took(i.Took)))
	} else if !i.TakenAt.IsZero() && i.Status != probes.Blocked {
		parts = append(parts, fmt.Sprintf("asked %s ago, gave up after %s", age(m.now.Sub(i.TakenAt)), took(i.Took)))
	}
	if i.Status != probes.NotApplicable && i.Status != probes.Blocked {
		parts = append(parts, i.Attempts())
	}
	if !i.Since.IsZero() {
		parts = append(parts, "since "+moment(i.Since, m.now))
	}
	if i.Spec.OnChange {
		parts = append(parts, "watched")
	} else if i.Spec.Every > 0 {
		parts = append(parts, "every "+shortDuration(i.Spec.Every))
	}
	return strings.Join(parts, " "+m.theme.Glyphs.Dot+" ")
}

func shortDuration(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}

func (m *Model) blockedLines(i *probes.Item, w int) []string {
	if len(i.BlockedBy) == 0 {
		return nil
	}
	th := m.theme
	out := []string{th.Heading.Render("Blocked by")}
	for _, id := range i.BlockedBy {
		by, _ := m.board.Item(id)
		k := lookOf(th, by.Status)
		out = append(out, line(th, w, []span{in(k.style, k.glyph+" "), in(th.Text, string(id)), in(th.Muted, "  "+summary(&by))}, []span{in(k.style, k.word)}, nil))
	}
	return out
}

func (m *Model) waiverLines(i *probes.Item, w int) []string {
	if i.Waiver == nil {
		return nil
	}
	th := m.theme
	text := fmt.Sprintf("by %s until %s: %s", i.Waiver.Owner, day(i.Waiver.Expires.Add(-time.Nanosecond), m.now), i.Waiver.Reason)
	return append([]string{th.Heading.Render("Waived")}, wrapped(th.Warn, probes.Clean(text, 600), "", w)...)
}

// evidenceLines show what was looked at, what falls short first, and name each source once.
func (m *Model) evidenceLines(i *probes.Item, w int) []string {
	if len(i.Evidence) == 0 {
		return nil
	}
	th := m.theme
	short := 0
	for _, e := range i.Evidence {
		if e.Wanting {
			short++
		}
	}
	note := fmt.Sprintf("  %d", len(i.Evidence))
	if short > 0 {
		note = fmt.Sprintf("  %d of %d fall short", short, len(i.Evidence))
		if short == 1 {
			note = fmt.Sprintf("  1 of %d falls short", len(i.Evidence))
		}
	}
	out := []string{line(th, w, []span{in(th.Heading, "Evidence"), in(th.Muted, note)}, nil, nil)}
	for _, group := range bySource(i.Evidence) {
		for _, e := range group {
			out = append(out, evidence(th, e, w)...)
		}
		if s := group[0].Source; s != "" {
			out = append(out, labelled(th, "from", th.Muted, s, 2, w, chop)...)
		}
	}
	return out
}

// bySource groups evidence by where it came from, groups with something that falls short first, and the same within a group.
func bySource(all []probes.Evidence) [][]probes.Evidence {
	var groups [][]probes.Evidence
	at := map[string]int{}
	for _, e := range all {
		n, ok := at[e.Source]
		if !ok {
			n = len(groups)
			at[e.Source] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], e)
	}
	wantingFirst := func(a, b probes.Evidence) int {
		switch {
		case a.Wanting == b.Wanting:
			return 0
		case a.Wanting:
			return -1
		}
		return 1
	}
	for _, g := range groups {
		slices.SortStableFunc(g, wantingFirst)
	}
	slices.SortStableFunc(groups, func(a, b []probes.Evidence) int { return wantingFirst(a[0], b[0]) })
	return groups
}

// evidence draws one piece: in full where it falls short, on a line where it is fine.
func evidence(th *theme.Theme, e probes.Evidence, w int) []string {
	if !e.Wanting {
		got := e.Got
		if got == "" {
			got = e.Want
		}
		return []string{line(th, w, []span{in(th.Pass, th.Glyphs.Pass+" "), in(th.Muted, e.Subject+"  "), in(th.Text, got)}, nil, nil)}
	}
	out := wrapped(th.Text, e.Subject, "  ", w)
	if len(out) == 0 {
		out = []string{""}
	} else {
		out[0] = th.Fail.Render(th.Glyphs.Fail+" ") + strings.TrimPrefix(out[0], "  ")
	}
	if e.Want != "" {
		out = append(out, labelled(th, "want", th.Text, e.Want, 2, w, wrap)...)
	}
	if e.Got != "" {
		out = append(out, labelled(th, "got", th.Fail, e.Got, 2, w, wrap)...)
	}
	return out
}

// commands are the distinct commands that repeat what was asked, those of evidence that falls short first.
func commands(i *probes.Item) []string {
	var out []string
	for _, wanting := range []bool{true, false} {
		for _, e := range i.Evidence {
			if e.Wanting == wanting && e.Repeat != "" && !slices.Contains(out, e.Repeat) {
				out = append(out, e.Repeat)
			}
		}
	}
	return out
}

func (m *Model) commandLines(i *probes.Item, w int) []string {
	all := commands(i)
	if len(all) == 0 {
		return nil
	}
	th := m.theme
	out := []string{line(th, w, []span{in(th.Heading, "Ask again by hand")}, []span{in(th.Accent, "y"), in(th.Muted, " copies")}, nil)}
	for _, c := range all {
		for n, s := range chop(c, w-2) {
			lead := "  "
			if n == 0 {
				lead = th.Muted.Render(th.Glyphs.Prompt + " ")
			}
			out = append(out, lead+th.Text.Render(strings.TrimRight(s, " ")))
		}
	}
	return out
}

func (m *Model) remedyLines(i *probes.Item, w int) []string {
	if i.Spec.Remedy == "" || i.Status == probes.Pass || i.Status == probes.NotApplicable {
		return nil
	}
	th := m.theme
	out := append([]string{th.Heading.Render("What to do")}, wrapped(th.Text, probes.Clean(i.Spec.Remedy, 1200), "", w)...)
	if o, ok := m.offerOf(i.Spec.Action); ok && planable(o) {
		hint := in(th.Accent, "a")
		if o.Key != "" {
			hint.text = o.Key
		}
		out = append(out, line(th, w, []span{hint, in(th.Text, " "+probes.Clean(o.Title, 60)), in(th.Muted, ": gonogo can do this; it shows a plan first")}, nil, nil))
	}
	return out
}

// stripLines draw the last statuses of the check, oldest first.
func (m *Model) stripLines(i *probes.Item, w int) []string {
	strip := m.past.strips[i.Spec.ID]
	if len(strip) == 0 {
		return nil
	}
	th := m.theme
	strip = strip[max(0, len(strip)-max(1, w-2)):]
	var b strings.Builder
	for _, s := range strip {
		k := lookOf(th, s)
		b.WriteString(k.style.Render(k.glyph))
	}
	last := lookOf(th, i.Status)
	head := line(th, w, []span{in(th.Heading, "History"), in(th.Muted, "  oldest first, now ")}, nil, nil)
	return []string{strings.TrimRight(head, " ") + " " + last.style.Render(last.word), b.String()}
}

func (m *Model) componentLines(c *probes.ComponentScore, w int) []string {
	th, k := m.theme, lookOf(m.theme, c.Status)
	out := []string{line(th, w, []span{in(k.style.Bold(), k.glyph+" "+c.Status.String())}, []span{in(th.Muted, probes.ShortRat(c.Earned)+" of "+probes.ShortRat(c.Possible)+" points")}, nil)}
	out = append(out, wrapped(th.Strong, probes.Clean(c.Component.Title, 200), "", w)...)
	bar := gauge(th, max(4, w-7), c.Percent, c.Percent, th.Pass)
	out = append(out, line(th, w, append(bar, in(th.Text, fmt.Sprintf(" %d %%", c.Percent))), nil, nil), "")
	out = append(out, driftLines(th, c, w)...)
	out = append(out, effortLines(th, c, w)...)
	out = append(out, "")
	for n := range c.Items {
		i := &c.Items[n]
		k := lookOf(th, i.Status)
		right := []span{in(k.style, fmt.Sprintf(" %-7s", k.word))}
		if i.Spec.Gate {
			right = append([]span{gateSpan(th, i)}, right...)
		}
		out = append(out, line(th, w, []span{in(k.style, k.glyph+" "), in(th.Text, string(i.Spec.ID))}, right, nil))
		if i.Status != probes.Pass && i.Status != probes.NotApplicable {
			out = append(out, wrapped(th.Muted, summary(i), "  ", w)...)
		}
	}
	return out
}

// effortLines say what went into a component and what is left to do, as far as either was estimated.
func effortLines(th *theme.Theme, c *probes.ComponentScore, w int) []string {
	var parts []string
	if e := c.Component.Invested.String(); e != "" {
		parts = append(parts, e+" invested")
	}
	if e := c.Remaining.String(); e != "" {
		parts = append(parts, "est. "+e+" left")
	}
	if len(parts) == 0 {
		return nil
	}
	return wrapped(th.Muted, "effort: "+strings.Join(parts, ", "), "", w)
}
