package tui

import (
	"fmt"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

// What a status document declares and what was measured are two things; where they differ the board says so, both ways.

// driftWords are the words for a component that differs from what is declared, the longest first.
func driftWords(c *probes.ComponentScore) []string {
	declared := *c.Component.Declared
	return []string{
		fmt.Sprintf("measured %d, declared %d", c.Percent, declared), fmt.Sprintf("%d, declared %d", c.Percent, declared),
		fmt.Sprintf("declared %d", declared), fmt.Sprintf("said %d", declared),
	}
}

// driftLook is how a difference is drawn: more than declared is good news, but news.
func driftLook(th *theme.Theme, drift int) (string, theme.Style) {
	if drift > 0 {
		return th.Glyphs.Up, th.Accent
	}
	return th.Glyphs.Down, th.Warn
}

// driftSpan marks a component that differs from what is declared, in as many words as there is room for; nil if it does not.
func driftSpan(th *theme.Theme, c *probes.ComponentScore, room int) *span {
	drift := c.Drift()
	if drift == 0 {
		return nil
	}
	glyph, style := driftLook(th, drift)
	s := in(style, glyph)
	for _, words := range driftWords(c) {
		if long := glyph + " " + words; cells(long) <= room {
			s.text = long
			break
		}
	}
	return &s
}

// driftLines say in a component's detail how it stands to what is declared.
func driftLines(th *theme.Theme, c *probes.ComponentScore, w int) []string {
	if c.Component.Declared == nil {
		return nil
	}
	switch drift := c.Drift(); {
	case drift != 0:
		glyph, style := driftLook(th, drift)
		words := "more than the status document says"
		if drift < 0 {
			words = "less than the status document says"
		}
		out := wrapped(style, glyph+" "+driftWords(c)[0], "", w)
		return append(out, wrapped(th.Muted, words, "  ", w)...)
	case *c.Component.Declared != c.Percent:
		return wrapped(th.Muted, fmt.Sprintf("declared %d %%, not all of it could be measured", *c.Component.Declared), "", w)
	}
	return wrapped(th.Muted, fmt.Sprintf("declared %d %%, as measured", *c.Component.Declared), "", w)
}

// driftHeadline says in one short phrase that the platform is not as declared: which component, or how many; nil if nothing differs.
func (m *Model) driftHeadline(room int) []span {
	th := m.theme
	var drifting []*probes.ComponentScore
	above, below := 0, 0
	for n := range m.board.Components {
		c := &m.board.Components[n]
		switch drift := c.Drift(); {
		case drift > 0:
			above++
		case drift < 0:
			below++
		default:
			continue
		}
		drifting = append(drifting, c)
	}
	if len(drifting) == 0 {
		return nil
	}
	if c := drifting[0]; len(drifting) == 1 {
		glyph, style := driftLook(th, c.Drift())
		for _, words := range []string{string(c.Component.ID) + " " + driftWords(c)[0], string(c.Component.ID) + " " + driftWords(c)[2]} {
			if spans := []span{in(style, glyph+" "), in(th.Text, words)}; spansWidth(spans) <= room {
				return spans
			}
		}
	}
	counts := driftCounts(th, above, below)
	if long := append(counts, in(th.Text, " declared")); spansWidth(long) <= room {
		return long
	}
	short := []span{in(th.Muted, "drift ")}
	for _, n := range []struct{ drift, count int }{{1, above}, {-1, below}} {
		if n.count > 0 {
			glyph, style := driftLook(th, n.drift)
			short = append(short, in(style, fmt.Sprintf("%s%d", glyph, n.count)))
		}
	}
	return short
}

// driftCounts say how many components are above and below what is declared.
func driftCounts(th *theme.Theme, above, below int) []span {
	var spans []span
	up, upStyle := driftLook(th, 1)
	down, downStyle := driftLook(th, -1)
	if above > 0 {
		spans = append(spans, in(upStyle, up), in(th.Text, fmt.Sprintf(" %d above", above)))
	}
	if above > 0 && below > 0 {
		spans = append(spans, in(th.Text, ", "))
	}
	if below > 0 {
		spans = append(spans, in(downStyle, down), in(th.Text, fmt.Sprintf(" %d below", below)))
	}
	return spans
}
