package tui

import (
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/254carbon/gonogo/theme"
)

// span is a piece of a line: plain text and the style it is drawn in.
type span struct {
	text  string
	style theme.Style
}

func in(style theme.Style, text string) span { return span{text: text, style: style} }

func spansWidth(spans []span) int {
	w := 0
	for _, s := range spans {
		w += cells(s.text)
	}
	return w
}

// cells is the width of undrawn text.
func cells(s string) int {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return ansi.StringWidth(s)
		}
	}
	return len(s)
}

// look changes the style of everything in a line: the selected row, the strip at the top. Nil leaves it.
type look func(theme.Style) theme.Style

// line draws spans in exactly w cells: left from the left edge, right at the right edge. Left gives way, with an ellipsis; right is left
// out when it alone does not fit.
func line(th *theme.Theme, w int, left, right []span, as look) string {
	if w <= 0 {
		return ""
	}
	if as == nil {
		as = func(s theme.Style) theme.Style { return s }
	}
	rw := spansWidth(right)
	if rw > w {
		right, rw = nil, 0
	}
	room := w - rw
	if rw > 0 && room > 0 {
		room-- // one cell between the two
	}
	var b strings.Builder
	used := 0
	for n, s := range left {
		sw := cells(s.text)
		over := used+sw > room || n < len(left)-1 && used+sw == room && spansWidth(left[n+1:]) > 0
		if over {
			s.text = ansi.Truncate(s.text+"  ", room-used, th.Glyphs.Ellipsis)
			sw = cells(s.text)
		}
		if s.text != "" {
			b.WriteString(as(s.style).Render(s.text))
		}
		used += sw
		if over {
			break
		}
	}
	if gap := w - used - rw; gap > 0 {
		b.WriteString(as(th.Text).Render(strings.Repeat(" ", gap)))
	}
	for _, s := range right {
		b.WriteString(as(s.style).Render(s.text))
	}
	return b.String()
}

// pad makes a drawn line exactly w cells wide.
func pad(s string, w int) string {
	switch sw := ansi.StringWidth(s); {
	case sw < w:
		return s + strings.Repeat(" ", w-sw)
	case sw > w:
		return ansi.Truncate(s, w, "")
	}
	return s
}

// block makes lines exactly h lines of w cells.
func block(lines []string, w, h int) []string {
	out := make([]string, 0, max(h, 0))
	for i := range max(h, 0) {
		s := ""
		if i < len(lines) {
			s = lines[i]
		}
		out = append(out, pad(s, w))
	}
	return out
}

// wrap breaks text between words into lines of at most w cells; a word that is longer is broken too.
func wrap(text string, w int) []string {
	if w <= 0 {
		return nil
	}
	var out []string
	current, used := "", 0
	for _, word := range strings.Fields(text) {
		n := cells(word)
		if used > 0 && used+1+n <= w {
			current, used = current+" "+word, used+1+n
			continue
		}
		if used > 0 {
			out = append(out, current)
		}
		parts := []string{word}
		if n > w {
			parts = chop(word, w)
		}
		out = append(out, parts[:len(parts)-1]...)
		current = parts[len(parts)-1]
		used = cells(current)
	}
	if used > 0 {
		out = append(out, current)
	}
	return out
}

// chop breaks text at the edge, wherever that is: for commands and addresses.
func chop(text string, w int) []string {
	if w <= 0 || text == "" {
		return nil
	}
	return strings.Split(ansi.Hardwrap(text, w, true), "\n")
}

// wrapped draws text in one style over as many lines as it needs, each after an indent.
func wrapped(style theme.Style, text, indent string, w int) []string {
	var out []string
	for _, s := range wrap(text, w-ansi.StringWidth(indent)) {
		out = append(out, indent+style.Render(strings.TrimRight(s, " ")))
	}
	return out
}

// labelled draws a label, and text beside it over as many lines as it needs.
func labelled(th *theme.Theme, label string, style theme.Style, text string, indent, w int, split func(string, int) []string) []string {
	const column = 6
	room := w - indent - column
	if room < 8 {
		return wrapped(style, label+" "+text, "", w)
	}
	var out []string
	for n, s := range split(text, room) {
		if n > 0 {
			label = ""
		}
		out = append(out, strings.Repeat(" ", indent)+th.Muted.Render(fmt.Sprintf("%-*s", column, label))+style.Render(strings.TrimRight(s, " ")))
	}
	return out
}

// fit is the last word on size: no line wider than w, no more than h lines, and nothing but ASCII where that was asked for.
func fit(lines []string, w, h int, ascii bool) string {
	lines = lines[:min(len(lines), max(h, 0))]
	out := make([]string, len(lines))
	for i, s := range lines {
		if ansi.StringWidth(s) > w {
			s = ansi.Truncate(s, w, "")
		}
		if ascii {
			s = toASCII(s)
		}
		out[i] = s
	}
	return strings.Join(out, "\n")
}

// toASCII replaces what is not ASCII by something of the same width.
func toASCII(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		if s[0] < 0x20 { // an escape sequence as a whole
			seq, _, n, _ := ansi.DecodeSequence(s, 0, nil)
			b.WriteString(seq)
			s = s[n:]
			continue
		}
		cluster, w := ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
		if s[0] < 0x80 { // a letter, with what combines with it
			b.WriteByte(s[0])
			b.WriteString(strings.Repeat("?", max(0, w-1)))
		} else {
			b.WriteString(strings.Repeat(asciiFor(cluster), w))
		}
		s = s[len(cluster):]
	}
	return b.String()
}

// asciiFor is the closest ASCII character to one that is not.
func asciiFor(seq string) string {
	const from, to = "…–—−·×→←↑↓≥≤’‘“”█▀▄", ".---|x><^v><''\"\"###"
	if i := strings.Index(from, seq); i >= 0 {
		n := utf8.RuneCountInString(from[:i])
		return to[n : n+1]
	}
	return "?"
}

// age is a duration in the coarsest words that still help, so that a screen changes seldom.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "<1 min"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}

func took(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// moment is a point in time in the zone of now, with no more of the date than is needed.
func moment(t, now time.Time) string {
	t = t.In(now.Location())
	switch {
	case t.YearDay() == now.YearDay() && t.Year() == now.Year():
		return t.Format("15:04")
	case t.Year() == now.Year():
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2 Jan 2006")
}

func day(t, now time.Time) string {
	t = t.In(now.Location())
	if t.Year() == now.Year() {
		return t.Format("2 Jan")
	}
	return t.Format("2 Jan 2006")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// gauge draws a bar of w cells: what is earned, what may be, and the rest. Parts are percentages.
func gauge(th *theme.Theme, w, low, high int, earned theme.Style) []span {
	full := min(w, max(0, w*low/100))
	maybe := min(w, max(full, w*high/100))
	g := th.Glyphs
	return []span{
		in(earned, strings.Repeat(g.Full, full)),
		in(th.Unknown, strings.Repeat(g.Maybe, maybe-full)),
		in(th.Line, strings.Repeat(g.Empty, max(0, w-maybe))),
	}
}

// sparkline draws values, oldest first, in at most w cells; all on one level is drawn in the middle.
func sparkline(g theme.Glyphs, values []int, w int) string {
	if len(values) > w {
		values = values[len(values)-max(w, 0):]
	}
	if len(values) < 2 {
		return ""
	}
	low, high := values[0], values[0]
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	var b strings.Builder
	for _, v := range values {
		level := len(g.Spark) / 2
		if high > low {
			level = (v - low) * (len(g.Spark) - 1) / (high - low)
		}
		b.WriteString(g.Spark[level])
	}
	return b.String()
}

func sub(x, y *big.Rat) *big.Rat { return new(big.Rat).Sub(x, y) }
