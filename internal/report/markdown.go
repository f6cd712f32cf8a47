package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"

	"github.com/254carbon/gonogo/probes"
)

// WriteMarkdown writes the result of a check for a comment on a pull request: the verdict, what does not pass, and what to do next.
func WriteMarkdown(w io.Writer, a probes.Assessment, m Meta) error {
	p := &printer{w: w}
	p.line("<!-- %s -->", SchemaName) // by which a robot finds its comment again
	title := mdText(a.Outline.Platform)
	if m.Only != nil {
		p.line("## %s: %s", title, count(len(m.Only), "check"))
	} else {
		p.line("## %s: %s, %s", title, a.Verdict, Headline(a))
		p.line("")
		p.line("%s", mdWrap("", "", markdownSummary(a, m)))
	}
	var rows [][]string
	passing := 0
	for _, i := range a.Items() {
		switch {
		case m.Only != nil && !m.Only[i.Spec.ID]:
		case m.Only == nil && (i.Status == probes.Pass || i.Status == probes.NotApplicable):
			passing++
		default:
			rows = append(rows, []string{mdCode(string(i.Spec.ID)), statusText(i.Status), gateText(i), mdText(i.Summary)})
		}
	}
	if len(rows) > 0 {
		p.line("")
		p.markdownTable([]string{"Check", "Status", "Gate", "Found"}, rows)
	}
	if m.Only != nil {
		return p.err
	}
	if len(a.Next) > 0 {
		p.line("")
		p.line("**Next, best first**")
		p.line("")
	}
	for n, s := range a.Next {
		p.line("%d. %s: %s", n+1, mdText(s.Title), gain(s))
	}
	if left := a.RemainingText(); left != "" {
		p.line("")
		p.line("Left, as an estimate: %s.", left)
	}
	return p.err
}

// markdownSummary is what stands under the headline: the score to compare with, the counts and the reasons.
func markdownSummary(a probes.Assessment, m Meta) string {
	var parts []string
	if m.Previous != nil {
		parts = append(parts, fmt.Sprintf("Previous: %d %% on %s.", m.Previous.Percent, day(m.Previous.TakenAt)))
	}
	parts = append(parts, counts(a.Counts)+".")
	if len(a.Reasons) > 0 {
		reasons := make([]string, len(a.Reasons))
		for n, r := range a.Reasons {
			reasons[n] = mdText(r.Text)
		}
		parts = append(parts, fmt.Sprintf("Why not GO: %s.", strings.Join(reasons, "; ")))
	}
	return strings.Join(parts, " ")
}

// counts says how many checks have each status, those that none has left out.
func counts(of map[probes.Status]int) string {
	var parts []string
	for _, s := range probes.Statuses() {
		if n := of[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if parts == nil {
		return "no checks"
	}
	return strings.Join(parts, ", ")
}

// statusText is the glyph and the word of a status.
func statusText(s probes.Status) string { return glyphs[s] + " " + s.String() }

// gateText marks a gate, and whether it is waived.
func gateText(i probes.Item) string {
	switch {
	case i.Waiver != nil:
		return "waived"
	case i.Spec.Gate:
		return "gate"
	}
	return ""
}

// gain says what a step is worth: "+4 points, 2 gates, 1–2 h".
func gain(s probes.Step) string {
	parts := []string{"+" + points(probes.ShortRat(s.Points))}
	if len(s.Gates) > 0 {
		parts = append(parts, count(len(s.Gates), "gate"))
	}
	if !s.Effort.IsZero() {
		parts = append(parts, s.Effort.String())
	}
	return strings.Join(parts, ", ")
}

func points(number string) string {
	if number == "1" {
		return "1 point"
	}
	return number + " points"
}

// mdColumns is how wide the lines of Markdown are, where text allows it.
const mdColumns = 100

// mdText makes foreign text literal in Markdown, in a paragraph as in the cell of a table. What means nothing where it stands is left as it
// is, so that the source can be read too.
func mdText(text string) string {
	runes := []rune(probes.Clean(text, maxText))
	var b strings.Builder
	word := func(n int) bool {
		return n >= 0 && n < len(runes) && (unicode.IsLetter(runes[n]) || unicode.IsDigit(runes[n]))
	}
	for n, r := range runes {
		switch {
		case strings.ContainsRune("\\`*[]<>|~", r), r == '_' && !(word(n-1) && word(n+1)):
			b.WriteByte('\\')
		case r == '&' && n+1 < len(runes) && (word(n+1) || runes[n+1] == '#'): // else an entity
			b.WriteString("&amp;")
			continue
		case r == '@' && !word(n-1) && word(n+1): // else it would call a person
			b.WriteString("@<!-- -->")
			continue
		case n == 0 && strings.ContainsRune("#+-=", r) && mdMarker(strings.SplitN(string(runes), " ", 2)[0]):
			b.WriteByte('\\')
		case n > 0 && (r == '.' || r == ')') && strings.Trim(string(runes[:n]), "0123456789") == "": // else a numbered list
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// maxText bounds one text of a report.
const maxText = 2000

// mdCode makes text a code span, whatever backticks are in it.
func mdCode(text string) string {
	text = strings.ReplaceAll(probes.Clean(text, maxText), "|", "¦") // the cell of a table ends at one, even here
	if text == "" {
		return ""
	}
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// mdWrap breaks text into lines of at most mdColumns, the first after first, the others after rest. It breaks only before a word that means
// nothing at the beginning of a line, and never within a code span.
func mdWrap(first, rest, text string) string {
	var b strings.Builder
	b.WriteString(first)
	column, empty := ansi.StringWidth(first), true
	for _, word := range mdWords(text) {
		width := ansi.StringWidth(word)
		switch {
		case empty:
		case column+1+width > mdColumns && !mdMarker(word):
			b.WriteString("\n" + rest)
			column = ansi.StringWidth(rest)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += width
		empty = false
	}
	return b.String()
}

// mdWords splits text at spaces, those within code spans apart.
func mdWords(text string) []string {
	var words []string
	open := false
	for _, piece := range strings.Split(text, " ") {
		if open {
			words[len(words)-1] += " " + piece
		} else {
			words = append(words, piece)
		}
		if strings.Count(strings.ReplaceAll(piece, "\\`", ""), "`")%2 == 1 {
			open = !open
		}
	}
	return words
}

// mdMarker reports whether a word at the beginning of a line could begin something else than text.
func mdMarker(word string) bool {
	bare := strings.TrimLeft(word, "0123456789")
	return strings.Trim(word, "#+-*=_") == "" || strings.HasPrefix(word, ">") || strings.HasPrefix(word, "```") || strings.HasPrefix(word, "<") ||
		len(bare) < len(word) && (bare == "." || bare == ")")
}

// markdownTable writes a table whose columns stand under each other in the source too; the last column is as wide as it is.
func (p *printer) markdownTable(header []string, rows [][]string) {
	widths := make([]int, len(header))
	for _, row := range append([][]string{header}, rows...) {
		for n, cell := range row {
			widths[n] = max(widths[n], ansi.StringWidth(cell), 3)
		}
	}
	last := len(header) - 1
	rule := make([]string, len(header))
	for n := range header {
		rule[n] = strings.Repeat("-", widths[n])
	}
	rule[last] = strings.Repeat("-", max(3, ansi.StringWidth(header[last])))
	for _, row := range append([][]string{header, rule}, rows...) {
		var b strings.Builder
		for n, cell := range row {
			if n < last {
				cell = fill(cell, widths[n])
			}
			b.WriteString("| " + cell + " ")
		}
		p.line("%s|", b.String())
	}
}
