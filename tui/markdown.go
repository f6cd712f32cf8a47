package tui

import (
	"regexp"
	"strings"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

// markdown draws the Markdown that reports are written in: headings, paragraphs, lists, tables, bold words and code. What it does not know
// is shown as it is.
func markdown(th *theme.Theme, text string, w int) []string {
	var out []string
	var open *mdBlock // the paragraph or list item that the next line may go on with
	flush := func() {
		if open != nil {
			out = append(out, open.draw(th, w)...)
			open = nil
		}
	}
	var rows []string
	table := func() {
		out = append(out, mdTable(th, rows, w)...)
		rows = nil
	}
	for _, raw := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		indent := len(raw) - len(strings.TrimLeft(raw, " "))
		s := probes.Clean(raw, 2000)
		if !strings.HasPrefix(s, "|") && rows != nil {
			table()
		}
		marker := mdMarker.FindString(s)
		switch {
		case s == "":
			flush()
			out = append(out, "")
		case strings.HasPrefix(s, "|"):
			flush()
			rows = append(rows, s)
		case strings.HasPrefix(s, "#"):
			flush()
			out = append(out, wrapped(th.Heading, strings.TrimLeft(s, "# "), "", w)...)
		case marker != "":
			flush()
			open = &mdBlock{indent: indent, marker: marker, text: s[len(marker):]}
		case open != nil:
			open.text += " " + s
		default:
			open = &mdBlock{indent: indent, text: s}
		}
	}
	flush()
	if rows != nil {
		table()
	}
	return out
}

var mdMarker = regexp.MustCompile(`^([-*]|\d{1,3}\.) `)

// mdBlock is a paragraph, or with a marker a list item.
type mdBlock struct {
	indent       int
	marker, text string
}

func (b *mdBlock) draw(th *theme.Theme, w int) []string {
	indent := min(b.indent, max(0, w-20))
	lead, follow := strings.Repeat(" ", indent), strings.Repeat(" ", indent+len(b.marker))
	var out []string
	for n, spans := range wrapSpans(inline(th, b.text), w-len(follow)) {
		before := in(th.Text, follow)
		if n == 0 {
			before = in(th.Muted, lead+b.marker)
		}
		out = append(out, line(th, w, append([]span{before}, spans...), nil, nil))
	}
	return out
}

// inline splits a text into words, bold ones and code apart.
func inline(th *theme.Theme, text string) []span {
	var words []span
	style, bold := th.Text, false
	for text != "" {
		at := strings.IndexAny(text, "*`")
		switch {
		case at < 0:
			return append(words, spanWords(style, text)...)
		case text[at] == '`' && strings.Contains(text[at+1:], "`"):
			words = append(words, spanWords(style, text[:at])...)
			code, rest, _ := strings.Cut(text[at+1:], "`")
			words = append(words, spanWords(th.Accent, code)...)
			text = rest
		case strings.HasPrefix(text[at:], "**") && (bold || strings.Contains(text[at+2:], "**")):
			words = append(words, spanWords(style, text[:at])...)
			if bold = !bold; bold {
				style = th.Strong
			} else {
				style = th.Text
			}
			text = text[at+2:]
		default:
			words = append(words, spanWords(style, text[:at+1])...)
			text = text[at+1:]
		}
	}
	return words
}

// spanWords are the words of a text and, as spans of their own, the blanks between them.
func spanWords(style theme.Style, text string) []span {
	var out []span
	for text != "" {
		at := strings.IndexByte(text, ' ')
		switch {
		case at < 0:
			return append(out, in(style, text))
		case at > 0:
			out = append(out, in(style, text[:at]))
		}
		out = append(out, in(style, " "))
		text = strings.TrimLeft(text[at:], " ")
	}
	return out
}

// wrapSpans breaks words into lines of at most w cells; a word that is longer is broken too.
func wrapSpans(words []span, w int) [][]span {
	var out [][]span
	var current []span
	used := 0
	for _, s := range words {
		for _, part := range chopped(s, w) {
			n := cells(part.text)
			if used+n > w && used > 0 {
				out, current, used = append(out, current), nil, 0
			}
			if used == 0 && part.text == " " {
				continue
			}
			current, used = append(current, part), used+n
		}
	}
	if len(current) > 0 {
		out = append(out, current)
	}
	return out
}

func chopped(s span, w int) []span {
	if cells(s.text) <= w {
		return []span{s}
	}
	var out []span
	for _, part := range chop(s.text, w) {
		out = append(out, in(s.style, part))
	}
	return out
}

// mdTable draws a table with columns as wide as they need; what does not fit is cut off.
func mdTable(th *theme.Theme, rows []string, w int) []string {
	var cellsOf [][]string
	var widths []int
	for _, r := range rows {
		if strings.Trim(r, "|-: ") == "" {
			continue // the rule below the head
		}
		fields := strings.Split(strings.Trim(r, "| "), "|")
		for i, f := range fields {
			fields[i] = strings.ReplaceAll(strings.TrimSpace(f), "**", "")
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], cells(fields[i]))
		}
		cellsOf = append(cellsOf, fields)
	}
	var out []string
	for n, fields := range cellsOf {
		style := th.Text
		if n == 0 {
			style = th.Strong
		}
		var b strings.Builder
		for i, f := range fields {
			b.WriteString(f + strings.Repeat(" ", widths[i]-cells(f)+2))
		}
		out = append(out, line(th, w, []span{in(style, strings.TrimRight(b.String(), " "))}, nil, nil))
	}
	return out
}
