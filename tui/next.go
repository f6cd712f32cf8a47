package tui

import (
	"fmt"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// nextShort is the panel below the detail: its titled line, a line for each step, and how much is blocked.
func (m *Model) nextShort(w, h int) []string {
	th := m.theme
	out := []string{titled(th, w, []span{in(th.Strong, "Next, best first")}, []span{in(th.Accent, "n"), in(th.Muted, " all")}, true)}
	room := h - 1
	if len(m.board.Blocked) > 0 {
		room--
	}
	for n, s := range m.board.Next[:min(len(m.board.Next), max(room, 0))] {
		out = append(out, m.stepLine(n, &s, w))
	}
	if n := len(m.board.Blocked); n > 0 && h > 2 {
		k := lookOf(th, probes.Blocked)
		out = append(out, line(th, w, []span{in(k.style, k.glyph+" "), in(th.Muted, plural(n, "check is", "checks are")+" blocked until then")}, nil, nil))
	}
	return block(out, w, h)
}

// nextHeight is how many lines nextShort would like.
func (m *Model) nextHeight() int {
	n := len(m.board.Next)
	if n == 0 {
		return 0
	}
	if len(m.board.Blocked) > 0 {
		n++
	}
	return n + 1
}

func (m *Model) stepLine(n int, s *probes.Step, w int) string {
	th := m.theme
	left := []span{in(th.Accent, fmt.Sprintf("%d ", n+1)), in(th.Text, probes.Clean(s.Title, 100))}
	if o, ok := m.offerOf(s.Action); ok && planable(o) && o.Key != "" {
		left = append(left, in(th.Text, "  "), in(th.Accent, o.Key))
	}
	var right []span
	if len(s.Gates) > 0 {
		right = append(right, in(th.Text, plural(len(s.Gates), "gate", "gates")+"  "))
	}
	right = append(right, in(th.Pass, fmt.Sprintf("%5s", "+"+probes.ShortRat(s.Points))))
	if e := s.Effort.String(); e != "" {
		right = append(right, in(th.Muted, fmt.Sprintf("  est. %-7s", e)))
	} else {
		right = append(right, in(th.Muted, strings.Repeat(" ", 14)))
	}
	if w < 44 {
		right = right[len(right)-2:]
	}
	return line(th, w, left, right, nil)
}

// nextLines are the whole list of what can be done now, and apart from it what is blocked.
func (m *Model) nextLines(w int) []string {
	th := m.theme
	if w <= 0 {
		return nil
	}
	var out []string
	for n := range m.board.Next {
		s := &m.board.Next[n]
		out = append(out, m.stepLine(n, s, w))
		out = append(out, wrapped(th.Muted, s.Why, "  ", w)...)
		out = append(out, "")
	}
	if len(m.board.Next) == 0 {
		text := "Nothing is left to do."
		if m.board.Verdict != probes.Go || len(m.board.Blocked) > 0 {
			text = "Nothing can be done before more is known."
		}
		out = append(out, wrapped(th.Text, text, "", w)...)
		out = append(out, "")
	}
	if e := m.estimate(); e != "" {
		out = append(out, wrapped(th.Muted, "Estimate of all that is left: "+e, "", w)...)
		out = append(out, "")
	}
	if len(m.board.Blocked) > 0 {
		out = append(out, th.Heading.Render("Blocked"))
		for n := range m.board.Blocked {
			i := &m.board.Blocked[n]
			k := lookOf(th, i.Status)
			left := []span{in(k.style, k.glyph+" "), in(th.Text, string(i.Spec.ID))}
			if i.Spec.Gate {
				left = append(left, in(th.Text, " "), gateSpan(th, i))
			}
			out = append(out, line(th, w, append(left, in(th.Muted, "  after "+ids(i.BlockedBy))), nil, nil))
		}
	}
	return out
}

func ids(all []probes.ID) string {
	words := make([]string, len(all))
	for i, id := range all {
		words[i] = string(id)
	}
	return strings.Join(words, ", ")
}
