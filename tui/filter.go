package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/254carbon/gonogo/probes"
)

// filterInput is the one line that is typed on the board. It is not the text input of bubbles because that one looks for clipboard
// programs on this machine as soon as it is linked in, which is the wrong machine over SSH.
type filterInput struct {
	text   string
	typing bool
}

const filterLimit = 60

// words are what a check must contain.
func (f *filterInput) words() []string { return strings.Fields(strings.ToLower(f.text)) }

// edit changes the text by a key.
func (f *filterInput) edit(k tea.KeyPressMsg) {
	switch k.String() {
	case "backspace", "ctrl+h":
		if f.text != "" {
			runes := []rune(f.text)
			f.text = string(runes[:len(runes)-1])
		}
	case "ctrl+u":
		f.text = ""
	case "ctrl+w", "alt+backspace":
		f.text = f.text[:strings.LastIndex(strings.TrimRight(f.text, " "), " ")+1]
	default:
		f.add(k.Text)
	}
}

// add appends text as far as there is room.
func (f *filterInput) add(text string) {
	if text == " " && f.text != "" {
		f.text += " "
		return
	}
	f.text += probes.Clean(text, max(0, filterLimit-ansi.StringWidth(f.text)))
}

// pressFilter handles keys while the filter is typed.
func (m *Model) pressFilter(k tea.KeyPressMsg) {
	t := &m.tree
	switch k.String() {
	case "enter":
		t.filter.typing = false
	case "esc":
		t.filter = filterInput{}
	case "up":
		m.selectBy(-1)
	case "down":
		m.selectBy(1)
	default:
		t.filter.edit(k)
	}
}

// typing is the filter that is being typed, nil if none is.
func (m *Model) typing() *filterInput {
	switch {
	case m.overlay != noOverlay || m.d.Mode.Wall:
	case m.focus == focusHistory && m.hist.filter.typing:
		return &m.hist.filter
	case m.focus == focusRuns && m.runs.filter.typing:
		return &m.runs.filter
	case m.focus == focusRuns && m.runs.typed.typing:
		return &m.runs.typed
	case m.focus == focusAction && m.action.stage == stageForm && m.action.text.typing:
		return &m.action.text
	case m.focus == focusAction && m.action.stage == stagePlan && m.action.typed.typing:
		return &m.action.typed
	case m.tree.filter.typing:
		return &m.tree.filter
	}
	return nil
}

// paste goes into the filter while it is typed, and nowhere else.
func (m *Model) paste(msg tea.PasteMsg) {
	if f := m.typing(); f != nil {
		f.add(msg.Content)
	}
}
