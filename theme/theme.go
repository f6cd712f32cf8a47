// Package theme turns a palette of roles into the styles and glyphs that screens are drawn with. Parts of a screen name a role (what a
// thing means), never a colour. It asks nothing of the terminal: whether the background is dark is told to it.
package theme

import (
	"fmt"
	"image/color"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
)

// Options choose a theme. The zero value is the one that follows the terminal, on a dark background.
type Options struct {
	Name    string // one of [Names]; empty means auto
	Dark    *bool  // whether the terminal's background is dark; nil if it is not known, which counts as dark
	ASCII   bool   // draw with ASCII alone
	NoColor bool   // no colours; bold, faint and reverse remain
}

// Theme is the look of a screen: styles by role, and glyphs. It is a value that nothing changes after [New].
type Theme struct {
	Name   string // the one that was asked for
	Dark   bool
	Glyphs Glyphs

	// Background and Foreground are the colours that the terminal itself should take; nil leaves its own.
	Background, Foreground color.Color

	Text    Style // running text
	Strong  Style // what is read first
	Muted   Style // labels, units, what is fine
	Line    Style // rules and the empty part of bars
	Accent  Style // keys, focus, what can be done
	Heading Style
	Bar     Style // the strip at the top, painted from edge to edge
	Chip    Style // a mode, on the strip

	Pass, Warn, Fail, Blocked, Unknown, NotApplicable, Pending Style // text of a status

	GoBlock, NoGoBlock, UnknownBlock Style // the verdict, as a filled block
	Banner, Notice                   Style // a strip that must not be missed, and one that should be read

	selected func(lipgloss.Style) lipgloss.Style
	barred   func(lipgloss.Style) lipgloss.Style
}

// Names lists the themes in the order in which a key cycles through them.
func Names() []string {
	return []string{"auto", "dark", "light", "high-contrast", "colour-blind", "mono"}
}

// Valid reports whether there is a theme of that name, in words that help to choose one.
func Valid(name string) error {
	if name == "" || slices.Contains(Names(), name) {
		return nil
	}
	return fmt.Errorf("there is no theme %q: choose one of %s", name, strings.Join(Names(), ", "))
}

// Next returns the name that follows in [Names].
func Next(name string) string {
	names := Names()
	return names[(slices.Index(names, normal(name))+1)%len(names)]
}

// New returns the theme that the options describe. An unknown name counts as auto.
func New(o Options) *Theme {
	name := normal(o.Name)
	dark := o.Dark == nil || *o.Dark
	t := &Theme{Name: name, Dark: dark, Glyphs: unicodeGlyphs()}
	if o.ASCII {
		t.Glyphs = asciiGlyphs()
	}
	if o.NoColor || name == "mono" {
		t.mono()
		return t
	}
	p := paletteOf(name, dark)
	t.Dark = p.dark
	if name == "dark" || name == "light" { // asked for by name, whatever the terminal has
		t.Background, t.Foreground = p.background, p.text
	}
	t.colour(p)
	return t
}

// Selected returns the style as it looks in the selected row.
func (t *Theme) Selected(s Style) Style { return newStyle(t.selected(s.lip)) }

// OnBar returns the style as it looks on the strip at the top.
func (t *Theme) OnBar(s Style) Style { return newStyle(t.barred(s.lip)) }

func normal(name string) string {
	if slices.Contains(Names(), name) {
		return name
	}
	return "auto"
}

func (t *Theme) colour(p palette) {
	base := lipgloss.NewStyle()
	on := func(c color.Color) Style { return newStyle(base.Foreground(c)) }
	block := func(c color.Color) Style { return newStyle(base.Background(c).Foreground(p.onBlock).Bold(true)) }

	t.Text, t.Strong = newStyle(base), newStyle(base.Bold(true))
	if t.Foreground != nil || p.paintText {
		t.Text, t.Strong = on(p.text), on(p.text).Bold()
	}
	t.Muted, t.Line, t.Accent = on(p.muted), on(p.line), on(p.accent)
	t.Heading = on(p.accent).Bold()
	t.Pass, t.Warn, t.Fail = on(p.pass), on(p.warn), on(p.fail)
	t.Blocked, t.Unknown = on(p.blocked), on(p.unknown)
	t.NotApplicable, t.Pending = on(p.muted), on(p.muted)
	t.GoBlock, t.NoGoBlock, t.UnknownBlock = block(p.pass), block(p.fail), block(p.unknown)
	t.Banner, t.Notice = block(p.fail), on(p.warn)
	t.Bar = newStyle(base.Background(p.surface).Foreground(p.text))
	t.Chip = newStyle(base.Background(p.selection).Foreground(p.accent))
	t.selected = func(s lipgloss.Style) lipgloss.Style { return s.Background(p.selection) }
	t.barred = func(s lipgloss.Style) lipgloss.Style {
		if _, none := s.GetBackground().(lipgloss.NoColor); !none {
			return s // a chip keeps its own
		}
		return s.Background(p.surface)
	}
}

// mono tells everything apart by words, glyphs and weight alone.
func (t *Theme) mono() {
	base := lipgloss.NewStyle()
	plain, bold, faint, reverse := newStyle(base), newStyle(base.Bold(true)), newStyle(base.Faint(true)), newStyle(base.Reverse(true))
	t.Text, t.Strong, t.Muted, t.Line = plain, bold, faint, faint
	t.Accent, t.Heading = plain, bold
	t.Pass, t.Warn, t.Fail, t.Blocked, t.Unknown = plain, bold, bold, plain, bold
	t.NotApplicable, t.Pending = faint, faint
	t.GoBlock, t.NoGoBlock, t.UnknownBlock = reverse.Bold(), reverse.Bold(), reverse.Bold()
	t.Banner, t.Notice = reverse.Bold(), bold
	t.Bar, t.Chip = plain, reverse
	t.selected = func(s lipgloss.Style) lipgloss.Style { return s.Faint(false).Reverse(true) }
	t.barred = func(s lipgloss.Style) lipgloss.Style { return s }
}
