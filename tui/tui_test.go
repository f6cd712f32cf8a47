package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/254carbon/gonogo/probes"
)

// shown returns a board that has taken in a checklist and its history at a size.
func shown(t *testing.T, d Deps, list probes.Checklist, w, h int) Model {
	t.Helper()
	m := New(t.Context(), d)
	m = send(m, tea.WindowSizeMsg{Width: w, Height: h})
	m = send(m, listMsg{list: list, now: noon()})
	if d.History != nil {
		m = send(m, m.readPast()())
		if cmd := m.readStrip(); cmd != nil {
			m = send(m, cmd())
		}
	}
	return m
}

func send(m Model, msgs ...tea.Msg) Model {
	for _, msg := range msgs {
		next, _ := m.Update(msg)
		m = next.(Model)
	}
	return m
}

func text(m Model) string { return ansi.Strip(m.View().Content) }

func TestLook(t *testing.T) {
	m := shown(t, Deps{History: record{}}, documented(), 120, 36)
	t.Log("\n" + text(m))
	m = shown(t, Deps{History: record{}}, documented(), 80, 24)
	t.Log("\n" + text(m))
	m = shown(t, Deps{History: record{}}, documented(), 40, 12)
	t.Log("\n" + text(m))
	_ = strings.Repeat
}
