package tui

import (
	"fmt"
	"strings"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

// columns are the widths of the columns of the checklist at one width; 0 leaves a column out. The title takes what remains.
type columns struct{ bar, points, word int }

func columnsFor(w int) columns {
	switch {
	case w >= 60:
		return columns{bar: 10, points: 7, word: 7}
	case w >= 44:
		return columns{bar: 6, points: 7, word: 7}
	case w >= 30:
		return columns{word: 7}
	}
	return columns{}
}

// listView draws the visible rows of the checklist.
func (m *Model) listView(w, h int) []string {
	t := &m.tree
	if len(t.rows) == 0 {
		text := "nothing to show yet"
		if t.filter.text != "" {
			text = "no check matches the filter"
		}
		return block([]string{"", m.theme.Muted.Render("  " + text)}, w, h)
	}
	cols := columnsFor(w)
	out := make([]string, 0, h)
	for n := t.top; n < min(len(t.rows), t.top+h); n++ {
		r := t.rows[n]
		var as look
		if r.rowID == t.sel {
			as = m.theme.Selected
		}
		if c := &m.board.Components[r.comp]; r.item < 0 {
			out = append(out, componentRow(m.theme, c, r.open, as, w, cols))
		} else {
			out = append(out, m.checkRow(&c.Items[r.item], as, w, cols))
		}
	}
	return block(out, w, h)
}

func cursorSpan(th *theme.Theme, as look) span {
	if as == nil {
		return in(th.Text, " ")
	}
	return in(th.Accent, th.Glyphs.Cursor)
}

func componentRow(th *theme.Theme, c *probes.ComponentScore, open bool, as look, w int, cols columns) string {
	k := lookOf(th, c.Status)
	fold := th.Glyphs.Closed
	if open {
		fold = th.Glyphs.Open
	}
	var right []span
	if cols.points > 0 {
		got := probes.ShortRat(c.Earned) + "/" + probes.ShortRat(c.Possible)
		right = append(right, in(th.Text, fmt.Sprintf(" %*s", cols.points, got)))
	}
	if cols.word > 0 {
		right = append(right, in(k.style, fmt.Sprintf("  %-*s ", cols.word, k.word)))
	}
	mark := k.glyph + " "
	if cols.word == 0 {
		mark += k.word + " "
	}
	left := []span{cursorSpan(th, as), in(th.Muted, fold+" "), in(k.style, mark), in(th.Strong, probes.Clean(c.Component.Title, 200))}
	room := w - spansWidth(left) - spansWidth(right) - 3
	d := driftSpan(th, c, room-cols.bar)
	if long := driftSpan(th, c, room); d != nil && cells(long.text) > cells(d.text) && strings.Contains(long.text, driftWords(c)[0]) {
		d, cols.bar = long, 0 // in full, the words say what the bar shows
	}
	if cols.bar > 0 {
		right = append(gauge(th, cols.bar, c.Percent, c.Percent, th.Pass), right...)
	}
	if d != nil {
		left = append(left, in(th.Text, "  "), *d)
	}
	return line(th, w, left, right, as)
}

func (m *Model) checkRow(i *probes.Item, as look, w int, cols columns) string {
	th, k := m.theme, lookOf(m.theme, i.Status)
	text := th.Text
	if i.Status == probes.Pass || i.Status == probes.NotApplicable || i.Status == probes.Pending {
		text = th.Muted
	}
	left := []span{cursorSpan(th, as), in(th.Text, "    "), in(k.style, k.glyph+" "), in(text, probes.Clean(i.Spec.Title, 400))}
	if cols.word == 0 {
		left = []span{cursorSpan(th, as), in(k.style, k.glyph+" "+k.word+" "), in(text, string(i.Spec.ID))}
	}
	var right []span
	if mark := m.attempts(i); mark != "" {
		right = append(right, in(th.Warn, mark+" "))
	}
	if i.Spec.Gate {
		right = append(right, gateSpan(th, i))
	}
	if cols.points > 0 {
		got := probes.ShortRat(i.Points) + "/" + probes.ShortRat(i.Worth)
		if i.Worth.Sign() == 0 {
			got = th.Glyphs.NotApplicable
		}
		right = append(right, in(th.Muted, fmt.Sprintf(" %*s", cols.points, got)))
	}
	if cols.word > 0 {
		right = append(right, in(k.style, fmt.Sprintf("  %-*s ", cols.word, k.word)))
	}
	return line(th, w, left, right, as)
}

// gateSpan is the mark of a gate: loud while it is open.
func gateSpan(th *theme.Theme, i *probes.Item) span {
	switch {
	case i.Waiver != nil:
		return in(th.Warn, "waived")
	case i.Satisfied():
		return in(th.Muted, "gate")
	case i.Status == probes.Unknown || i.Status == probes.Pending:
		return in(th.Unknown, "gate")
	}
	return in(th.Fail.Bold(), "gate")
}

// attempts marks a check whose newest answer does not stand yet, or that is being asked again.
func (m *Model) attempts(i *probes.Item) string {
	g := m.theme.Glyphs
	if i.Trouble != "" && i.Failures < i.Spec.Confirm {
		return fmt.Sprintf("%s %d of %d", g.Again, i.Failures, i.Spec.Confirm)
	}
	if _, ok := m.asking[i.Spec.ID]; ok {
		return g.Again
	}
	return ""
}

// ruleView is the line above the panes, which carries their titles.
func (m *Model) ruleView(l layout) string {
	th, w := m.theme, l.rule.Dx()
	if !l.wide {
		if l.list.Empty() {
			return titled(th, w, m.detailTitle(), nil, true)
		}
		return titled(th, w, m.listTitle(w), m.listColumns(w), m.focus == focusList)
	}
	lw := l.list.Dx()
	return titled(th, lw, m.listTitle(lw), m.listColumns(lw), m.focus == focusList) +
		th.Line.Render(th.Glyphs.Across+th.Glyphs.TeeDown) +
		titled(th, w-lw-2, m.detailTitle(), nil, m.focus != focusList)
}

// titled is a rule with a title near its left end and notes at its right end.
func titled(th *theme.Theme, w int, title, right []span, focused bool) string {
	g := th.Glyphs.Across
	if !focused && len(title) > 0 {
		title[0].style = th.Strong
	}
	left := append([]span{in(th.Line, g+" ")}, title...)
	left = append(left, in(th.Line, " "))
	room := w - spansWidth(left)
	rw := spansWidth(right)
	if rw > 0 && rw+4 <= room {
		right = append([]span{in(th.Line, " ")}, right...)
		right = append(right, in(th.Line, " "))
		rw += 2
	} else {
		right, rw = nil, 0
	}
	if fillers := room - rw; fillers > 0 {
		left = append(left, in(th.Line, strings.Repeat(g, fillers)))
	}
	return line(th, w, append(left, right...), nil, nil)
}

func (m *Model) listTitle(w int) []span {
	th, t := m.theme, &m.tree
	spans := []span{in(th.Heading, "Checklist")}
	if t.filter.typing || t.filter.text != "" {
		return append(spans, in(th.Accent, "  /"+t.filter.text), in(th.Muted, fmt.Sprintf("  %d of %d", t.matched, len(m.board.Items()))))
	}
	if m.layout.counts || !m.have {
		return spans
	}
	room := w - 14 - spansWidth(m.listColumns(w))
	return append(append(spans, in(th.Text, "  ")), countSpans(th, &m.board, room)...)
}

// listColumns heads the columns at the right, and says how the rows are sorted when that is not the profile's order.
func (m *Model) listColumns(w int) []span {
	th := m.theme
	var spans []span
	if m.tree.order != byProfile {
		spans = append(spans, in(th.Accent, m.tree.order.String()+" "))
	}
	if cols := columnsFor(w); cols.points > 0 {
		spans = append(spans, in(th.Muted, "points  status "))
	}
	return spans
}
