package tui

import (
	"context"
	"errors"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

// board returns a board that has taken in a checklist and its history at a size.
func board(t testing.TB, d Deps, list probes.Checklist, w, h int) Model {
	t.Helper()
	m := New(t.Context(), d)
	m = send(m, tea.WindowSizeMsg{Width: w, Height: h})
	m = send(m, listMsg{list: list, now: noon()})
	if d.History != nil {
		m = send(m, m.readPast()())
		m.past.reading = false
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

// sendAll presses keys, by name.
func sendAll(m Model, keys ...string) Model {
	for _, k := range keys {
		m = send(m, press(k))
	}
	return m
}

func text(m Model) string { return ansi.Strip(m.View().Content) }

// switches are demo controls that record what was toggled.
func switches(toggled *[]string) *DemoControls {
	return &DemoControls{
		Switches: func(context.Context) ([]Switch, error) { return someSwitches(), nil },
		Toggle: func(_ context.Context, key string) error {
			if toggled == nil {
				return errors.New("nothing can be toggled here")
			}
			*toggled = append(*toggled, key)
			return nil
		},
	}
}

// impatient is the board after its end: commands that would wait return at once.
func impatient(m Model) Model {
	ctx, cancel := context.WithCancel(m.ctx)
	cancel()
	m.ctx = ctx
	return m
}

// messages runs a command, and the commands it is made of, and returns the messages.
func messages(cmd tea.Cmd) []tea.Msg {
	if cmd == nil {
		return nil
	}
	msg := cmd()
	if batch, ok := msg.(tea.BatchMsg); ok {
		var all []tea.Msg
		for _, c := range batch {
			all = append(all, messages(c)...)
		}
		return all
	}
	if msg == nil {
		return nil
	}
	return []tea.Msg{msg}
}

func darkTheme() theme.Options {
	dark := true
	return theme.Options{Dark: &dark}
}
