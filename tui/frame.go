package tui

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

// frame draws the whole screen: at most h lines of at most w cells.
func (m *Model) frame() string {
	if m.w <= 0 || m.h <= 0 {
		return ""
	}
	ascii := m.theme.Glyphs.ASCII
	switch {
	case m.d.Mode.Wall:
		return fit(m.wallView(), m.w, m.h, ascii)
	case m.layout.tiny:
		return fit(m.tinyView(), m.w, m.h, ascii)
	}
	base := fit(m.boardView(), m.w, m.h, ascii)
	if m.overlay == noOverlay {
		return base
	}
	box := m.overlayView()
	x, y := max(0, (m.w-lipgloss.Width(box))/2), max(0, (m.h-lipgloss.Height(box))/2)
	drawn := lipgloss.NewCompositor(lipgloss.NewLayer(base), lipgloss.NewLayer(box).X(x).Y(y).Z(1)).Render()
	return fit(strings.Split(drawn, "\n"), m.w, m.h, ascii)
}

// tinyView is all that fits where hardly anything does.
func (m *Model) tinyView() []string {
	th := m.theme
	if !m.have {
		return []string{line(th, m.w, []span{in(th.Muted, "waiting for the first answers")}, nil, nil)}
	}
	filled, text := verdictLook(th, m.board.Verdict)
	verdict := m.board.Verdict.String()
	percent, rest := scoreText(&m.board)
	if m.w < len(verdict)+2 {
		return []string{
			line(th, m.w, []span{in(text.Bold(), verdict)}, nil, nil),
			line(th, m.w, []span{in(text, percent)}, nil, nil),
		}
	}
	score := []span{in(text.Bold(), percent)}
	lines := []string{line(th, m.w, []span{in(filled, " "+verdict+" ")}, nil, nil), line(th, m.w, score, nil, nil)}
	if both := len(verdict) + 3 + len(percent); both <= m.w {
		score = []span{in(filled, " "+verdict+" "), in(th.Text, " "), in(text.Bold(), percent)}
		if both+len(rest) <= m.w {
			score = append(score, in(th.Text, rest))
		}
		lines = []string{line(th, m.w, score, nil, nil)}
	}
	if m.w > 8 {
		lines = append(lines, line(th, m.w, countSpans(th, &m.board, m.w), nil, nil))
		lines = append(lines, line(th, m.w, m.scoreBar(m.w), nil, nil))
		lines = append(lines, m.reasonLines(m.w, max(0, min(2, m.h-len(lines))))...)
	}
	return lines
}

// boardView draws every part of the layout, top to bottom.
func (m *Model) boardView() []string {
	l := m.layout
	lines := make([]string, m.h)
	put := func(y int, drawn []string) {
		for i, s := range drawn {
			if y+i < len(lines) {
				lines[y+i] = s
			}
		}
	}
	put(l.title.Min.Y, []string{m.titleView(m.w)})
	put(l.summary.Min.Y, m.summaryView(l))
	if !l.rule.Empty() {
		put(l.rule.Min.Y, []string{m.ruleView(l)})
	}
	put(l.rule.Max.Y, m.panesView(l))
	put(l.notices.Min.Y, m.noticesView(l.notices.Dy()))
	if !l.strip.Empty() {
		put(l.strip.Min.Y, []string{m.runStrip(m.w)})
	}
	put(l.footer.Min.Y, []string{m.footerView(m.w)})
	return lines
}

// panesView draws the panes below the rule, side by side where both are shown.
func (m *Model) panesView(l layout) []string {
	switch m.focus {
	case focusHistory:
		return m.historyView(l.detail.Dx(), l.detail.Dy())
	case focusReport:
		return m.reportView(l.detail.Dx(), l.detail.Dy())
	case focusAction:
		return inset(m.action.scroll.view(m.theme, l.detail.Dx()-2, l.detail.Dy()), l.detail.Dx(), l.detail.Dy())
	case focusRuns:
		return m.runsView(l.detail.Dx(), l.detail.Dy())
	case focusList, focusDetail, focusNext:
	}
	if !l.wide {
		if l.list.Empty() {
			return m.paneView(l.detail.Dx(), l.detail.Dy())
		}
		return m.listView(l.list.Dx(), l.list.Dy())
	}
	left := m.listView(l.list.Dx(), l.list.Dy())
	right := m.paneView(l.detail.Dx(), l.detail.Dy())
	if !l.next.Empty() {
		right = append(right, m.nextShort(l.next.Dx(), l.next.Dy())...)
	}
	th := m.theme
	upright := th.Text.Render(" ") + th.Line.Render(th.Glyphs.Upright) + th.Text.Render(" ")
	tee := th.Text.Render(" ") + th.Line.Render(th.Glyphs.TeeRight+th.Glyphs.Across)
	out := make([]string, len(left))
	for i := range out {
		divider := upright
		if !l.next.Empty() && l.list.Min.Y+i == l.next.Min.Y {
			divider = tee
		}
		out[i] = left[i] + divider + right[i]
	}
	return out
}

// inset draws lines a cell from the left edge.
func inset(lines []string, w, h int) []string {
	out := make([]string, len(lines))
	for i := range lines {
		out[i] = " " + lines[i]
	}
	return block(out, w, h)
}

// paneView draws the pane beside the checklist, or instead of it.
func (m *Model) paneView(w, h int) []string {
	inset := m.paneInset()
	lines := m.pane.view(m.theme, w-inset, h)
	if !m.layout.wide {
		for i := range lines {
			lines[i] = " " + lines[i]
		}
	}
	return block(lines, w, h)
}

// noticesView draws the banners, newest first.
func (m *Model) noticesView(h int) []string {
	th := m.theme
	out := make([]string, 0, h)
	for n := range min(h, len(m.notices)) {
		notice := m.notices[n]
		style, mark := th.Notice, "!"
		switch notice.Level {
		case Info:
			style, mark = th.Muted, "i"
		case Trouble:
			style = th.Banner
		}
		var right []span
		if more := len(m.notices) - h; more > 0 && n == h-1 {
			right = []span{in(th.Muted, fmt.Sprintf("and %d more ", more))}
		}
		out = append(out, line(th, m.w, []span{in(style, " "+mark+" "+notice.Text+" ")}, right, nil))
	}
	return out
}

// footerView shows the answer to the last key, or the keys that work now.
func (m *Model) footerView(w int) string {
	th := m.theme
	if m.toast != "" {
		return line(th, w, []span{in(th.Text, " "), in(th.Accent, m.toast)}, nil, nil)
	}
	all := m.bindings()
	var tail []span // how to learn more and how to leave are never left out
	for _, b := range all {
		if key.Matches(keyName("?"), b) || key.Matches(keyName("q"), b) {
			tail = append(tail, hint(m, b)...)
		}
	}
	spans := []span{in(th.Text, " ")}
	for _, b := range all {
		if key.Matches(keyName("?"), b) || key.Matches(keyName("q"), b) {
			continue
		}
		if h := hint(m, b); spansWidth(spans)+spansWidth(h)+spansWidth(tail) <= w {
			spans = append(spans, h...)
		}
	}
	return line(th, w, append(spans, tail...), nil, nil)
}

// keyName is a key by its name, to look for it in a binding.
type keyName string

func (k keyName) String() string { return string(k) }

func hint(m *Model, b key.Binding) []span {
	h := b.Help()
	return []span{in(m.theme.Accent, h.Key), in(m.theme.Muted, " "+h.Desc+"  ")}
}

// filterCursor is where the terminal's cursor stands while the filter is typed.
func (m *Model) filterCursor() *tea.Cursor {
	l := m.layout
	switch f := m.typing(); {
	case f == nil || l.rule.Empty():
	case f == &m.hist.filter && !l.detail.Empty():
		y := l.detail.Min.Y + len(m.historyHead(l.detail.Dx(), l.detail.Dy())) - 1
		return tea.NewCursor(min(lipgloss.Width("─ Changes  /"+f.text), m.w-1), max(y, l.rule.Min.Y))
	case f == &m.tree.filter && !l.list.Empty():
		return tea.NewCursor(min(lipgloss.Width("─ Checklist  /"+f.text), m.w-1), l.rule.Min.Y)
	}
	return nil
}
