package theme

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// Style draws pieces of one line. It is a Lip Gloss style whose escape sequences were worked out once: a frame has hundreds of pieces, and
// there is nothing to measure, align or border in any of them. The zero value draws plainly.
type Style struct {
	lip         lipgloss.Style
	open, close string
}

func newStyle(s lipgloss.Style) Style {
	open, end, _ := strings.Cut(s.Render("x"), "x")
	return Style{lip: s, open: open, close: end}
}

// Render draws text, which must not hold line breaks.
func (s Style) Render(text string) string {
	if text == "" || s.open == "" {
		return text
	}
	return s.open + text + s.close
}

// Bold returns the style in bold.
func (s Style) Bold() Style { return newStyle(s.lip.Bold(true)) }

// Lipgloss returns the style for what Lip Gloss itself lays out.
func (s Style) Lipgloss() lipgloss.Style { return s.lip }
