package report

import (
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

//go:embed status.html.tmpl
var statusPage string

//go:embed status.css
var statusStyle string

var statusTemplate = template.Must(template.New("status").Funcs(template.FuncMap{
	"style": func() template.CSS { return template.CSS(statusStyle) }, // it is ours
	"glyph": wordGlyph, "moment": moment, "until": probes.Until, "none": none, "count": count, "points": points,
	"inc":  func(n int) int { return n + 1 },
	"tone": tone, "join": func(words []string) string { return strings.Join(words, ", ") },
	"signed": func(n int) string { return fmt.Sprintf("%+d", n) },
}).Parse(statusPage))

// WriteStatusHTML writes the report as one page that needs nothing else: no script, no picture, nothing from a network. Its own policy forbids
// them, should foreign text ever get through the escaping.
func WriteStatusHTML(w io.Writer, s Status) error { return statusTemplate.Execute(w, s) }

// tone is the class of a verdict, a status or a word for one; each has a glyph or a word besides.
func tone(word string) string {
	switch word {
	case "GO", "pass", "satisfied", "ready", "holds":
		return "good"
	case "NO-GO", "fail", "open", "expired":
		return "bad"
	case "warn", "waived", "not needed":
		return "fair"
	}
	return "dim"
}

// Tone is the class of the drift.
func (d Drift) Tone() string {
	switch d.Mark() {
	case "▲":
		return "good"
	case "▼":
		return "bad"
	}
	return "dim"
}

// Mark points to the side of the declared percentage on which the measured one is.
func (d Drift) Mark() string {
	switch {
	case d.Measured > d.Declared:
		return "▲"
	case d.Declared <= d.High:
		return "?"
	}
	return "▼"
}
