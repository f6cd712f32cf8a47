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
