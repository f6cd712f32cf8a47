package tui

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/probes"
)

// pressOverlay handles keys while something lies over the board.
func (m *Model) pressOverlay(k tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(k, m.keys.back), key.Matches(k, m.keys.quit), m.overlay == helpOverlay && key.Matches(k, m.keys.help), m.overlay == demoOverlay && key.Matches(k, m.keys.demo):
		m.overlay = noOverlay
	case m.overlay == helpOverlay:
		scrollKey(&m.help, m.keys, k, m.overlayHeight())
	case m.overlay == demoOverlay:
		for _, s := range m.switches {
			if s.Key == k.String() {
				return tea.Batch(m.toggle(s.Key), m.say(s.Label))
			}
		}
	}
	return nil
}

// overlayHeight is how many lines the inside of an overlay has at most.
func (m *Model) overlayHeight() int { return max(1, m.h-4) }

func (m *Model) overlayWidth() int { return min(m.w-4, 72) }

// overlayView draws the box that lies over the board.
func (m *Model) overlayView() string {
	w := m.overlayWidth()
	title, lines, top := "Keys that work here", m.help.lines, m.help.top
	if m.overlay == demoOverlay {
		title, lines, top = "Switches of the simulated platform", m.switchLines(w-4), 0
	}
	h := min(len(lines), m.overlayHeight())
	top = max(0, min(top, len(lines)-h))
	return m.box(title, lines[top:top+h], w, len(lines)-top-h)
}

// box frames lines; below is how many more there are.
func (m *Model) box(title string, lines []string, w, below int) string {
	th, g := m.theme, m.theme.Glyphs
	inner := max(0, w-4)
	out := []string{th.Line.Render(g.Corners[0]) + titled(th, max(0, w-2), []span{in(th.Heading, title)}, nil, true) + th.Line.Render(g.Corners[1])}
	for _, s := range lines {
		out = append(out, th.Line.Render(g.Upright)+th.Text.Render(" ")+pad(s, inner)+th.Text.Render(" ")+th.Line.Render(g.Upright))
	}
	foot := strings.Repeat(g.Across, inner)
	if below > 0 {
		note := fmt.Sprintf(" %s %d more ", g.More, below)
		foot = strings.Repeat(g.Across, max(0, inner-len([]rune(note)))) + note
	}
	out = append(out, th.Line.Render(g.Corners[2]+g.Across+foot+g.Across+g.Corners[3]))
	return strings.Join(out, "\n")
}

// helpLines list the keys that work where the board stands now, and what the signs mean.
func (m *Model) helpLines(w int) []string {
	th := m.theme
	under := *m
	under.overlay = noOverlay
	var out []string
	for _, b := range under.bindings() {
		h := b.Help()
		out = append(out, line(th, w, []span{in(th.Accent, fmt.Sprintf("%-8s", h.Key)), in(th.Text, longHelp(b, m.keys))}, nil, nil))
	}
	out = append(out, "", line(th, w, []span{in(th.Heading, "Signs")}, nil, nil))
	for _, s := range probes.Statuses() {
		k := lookOf(th, s)
		out = append(out, line(th, w, []span{in(k.style, fmt.Sprintf("%s %-8s", k.glyph, k.word)), in(th.Muted, meaning(s))}, nil, nil))
	}
	out = append(out, line(th, w, []span{in(th.Fail.Bold(), "gate      "), in(th.Muted, "without it the verdict is never GO")}, nil, nil))
	out = append(out, line(th, w, []span{in(th.Warn, th.Glyphs.Again+" 1 of 2  "), in(th.Muted, "one bad answer; it is asked again before it counts")}, nil, nil))
	out = append(out, "", line(th, w, []span{in(th.Muted, "The mouse works too; hold shift to select text.")}, nil, nil))
	return out
}

// longHelp says in a few words more what a key does.
func longHelp(b key.Binding, k keyMap) string {
	for _, long := range []struct {
		b    key.Binding
		text string
	}{
		{k.open, "open a check, or fold and unfold a component"},
		{k.filter, "show only checks with these words anywhere"},
		{k.sort, "sort: profile order, worst first, most points first"},
		{k.foldAll, "fold or unfold all components"},
		{k.refresh, "ask what is selected again, now"},
		{k.refreshAll, "ask every check again, now"},
		{k.copy, "copy the command that asks by hand; again: the next one"},
		{k.history, "the score over time, and every change of a check"},
		{k.report, "the status report as it would be written now"},
		{k.actions, "what gonogo can do to the platform; every action shows a plan first"},
		{k.runs, "what is being done, and what was done, with its log"},
		{k.zoom, "how far back: all, 30 days, 7 days, 24 hours, 1 hour"},
		{k.next, "what to do next, and what is blocked"},
		{k.pane, "give the keys to the other pane"},
		{k.theme, "next theme"},
		{k.demo, "faults and scenarios of the simulated platform"},
		{k.help, "this help"},
	} {
		if len(b.Keys()) > 0 && key.Matches(keyName(b.Keys()[0]), long.b) {
			return long.text
		}
	}
	return b.Help().Desc
}

func meaning(s probes.Status) string {
	switch s {
	case probes.Pass:
		return "the claim was measured and holds"
	case probes.Warn:
		return "it holds in part, or is near its limit"
	case probes.Fail:
		return "it was measured and does not hold"
	case probes.Blocked:
		return "it cannot pass before another check does"
	case probes.NotApplicable:
		return "the profile says that it does not apply here"
	case probes.Pending:
		return "it was not asked yet"
	}
	return "it could not be measured, or too long ago"
}

// switchLines list the switches of the demo with their keys.
func (m *Model) switchLines(w int) []string {
	th := m.theme
	if len(m.switches) == 0 {
		return []string{line(th, w, []span{in(th.Muted, "there are none")}, nil, nil)}
	}
	out := make([]string, 0, len(m.switches))
	for _, s := range m.switches {
		style := th.Muted
		if s.On {
			style = th.Warn
		}
		left := []span{in(th.Accent, fmt.Sprintf("%-3s", probes.Clean(s.Key, 12))), in(th.Text, probes.Clean(s.Label, 100))}
		out = append(out, line(th, w, left, []span{in(style, probes.Clean(s.State, 40))}, nil))
	}
	return out
}
