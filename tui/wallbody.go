package tui

import (
	"fmt"

	"github.com/254carbon/gonogo/probes"
)

// wallBody draws what fails, page by page; where components have no place of their own they take turns with it.
func (m *Model) wallBody(l wallLayout) []string {
	w, h := l.right.Dx(), l.right.Dy()
	if h <= 0 {
		return nil
	}
	turn := int(m.now.UnixNano() / int64(pageEvery))
	side := !l.left.Empty() && l.left.Min.Y == l.right.Min.Y
	open := m.notPassing()
	per := max(1, (h-1)/2)
	pages := (len(open) + per - 1) / per
	per = (len(open) + max(1, pages) - 1) / max(1, pages) // pages of about one length
	if l.left.Empty() {
		turns := max(1, (len(m.board.Components)+h-1)/h)
		if at := turn % (pages + turns); at >= pages {
			return m.wallComponents(w, h, (at-pages)*h)
		} else if pages > 0 {
			return m.wallOpen(open, w, per, at, pages)
		}
		return nil
	}
	right := m.wallOpen(open, w, per, turn%max(1, pages), pages)
	if !side {
		return right
	}
	left := block(m.wallComponents(l.left.Dx(), h, 0), l.right.Min.X, h)
	right = block(right, w, h)
	for i := range right {
		right[i] = left[i] + right[i]
	}
	return right
}

// notPassing are the checks that need someone, those of gates first.
func (m *Model) notPassing() []probes.Item {
	var gates, rest []probes.Item
	for _, i := range m.board.Items() {
		switch {
		case i.Status == probes.Pass || i.Status == probes.NotApplicable || i.Status == probes.Pending:
		case i.Spec.Gate:
			gates = append(gates, i)
		default:
			rest = append(rest, i)
		}
	}
	return append(gates, rest...)
}

// wallOpen is one page of what does not pass: two lines for each check.
func (m *Model) wallOpen(open []probes.Item, w, per, page, pages int) []string {
	th := m.theme
	if len(open) == 0 {
		return []string{line(th, w, []span{in(th.Pass, " "+th.Glyphs.Pass+" "), in(th.Text, "everything that was asked passes")}, nil, nil)}
	}
	from := min(page*per, len(open)-1)
	to := min(from+per, len(open))
	var right []span
	switch {
	case pages > 1 && per > 1:
		right = []span{in(th.Muted, fmt.Sprintf("%d–%d of %d ", from+1, to, len(open)))}
	case pages > 1:
		right = []span{in(th.Muted, fmt.Sprintf("%d of %d ", to, len(open)))}
	}
	out := []string{line(th, w, []span{in(th.Heading, " Does not pass")}, right, nil)}
	for n := from; n < to; n++ {
		i := &open[n]
		k := lookOf(th, i.Status)
		mark := []span{in(k.style, k.word+" ")}
		if i.Spec.Gate {
			mark = append([]span{gateSpan(th, i), in(th.Text, "  ")}, mark...)
		}
		out = append(out,
			line(th, w, []span{in(k.style, " "+k.glyph+" "), in(th.Strong, string(i.Spec.ID))}, mark, nil),
			line(th, w, []span{in(th.Muted, "   "+summary(i))}, nil, nil))
	}
	return out
}

// wallComponents draws components as bars, from one on.
func (m *Model) wallComponents(w, h, from int) []string {
	th := m.theme
	var out []string
	for n := from; n < min(len(m.board.Components), from+h); n++ {
		c := &m.board.Components[n]
		k := lookOf(th, c.Status)
		bar := max(6, min(w-49, 48))
		right := append(gauge(th, bar, c.Percent, c.Percent, th.Pass),
			in(th.Text, fmt.Sprintf(" %3d %%", c.Percent)), in(k.style, fmt.Sprintf("  %-7s ", k.word)))
		left := []span{in(k.style, " "+k.glyph+" "), in(th.Strong, probes.Clean(c.Component.Title, 200))}
		if d := driftSpan(th, c, w-spansWidth(left)-spansWidth(right)-3); d != nil {
			left = append(left, in(th.Text, "  "), *d)
		}
		out = append(out, line(th, w, left, right, nil))
		if h >= 2*len(m.board.Components) {
			out = append(out, "")
		}
	}
	return out
}
