package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/254carbon/gonogo/internal/report"
	"github.com/254carbon/gonogo/probes"
)

// WriteJSON writes the report as indented JSON.
func WriteJSON(w io.Writer, r Report) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// look is how a state is drawn: never without both glyph and word.
type look struct{ glyph, plain, sgr string }

var looks = map[State]look{OK: {"✓", "+", "32"}, Wrong: {"✗", "x", "31"}, Missing: {"✗", "x", "31"}, Note: {"·", ".", "2"}}

// WriteText writes the report for a person: a line for each finding, and below it what to do.
func WriteText(w io.Writer, r Report, s report.Style) error {
	t := &text{w: w, style: s}
	t.line("%s", t.paint("1", r.Platform)+", profile "+r.Profile)
	area := ""
	for _, f := range r.Findings {
		if f.Area != area {
			area = f.Area
			t.line("")
			t.line("%s", t.paint("1", area))
		}
		t.finding(f)
	}
	t.line("")
	t.line("%s", t.sum(r))
	return t.err
}

// sum says in a sentence whether gonogo can do its work.
func (t *text) sum(r Report) string {
	bad, checks := 0, map[probes.ID]bool{}
	for _, f := range r.Findings {
		if f.State == Wrong || f.State == Missing {
			bad++
			for _, id := range f.Checks {
				checks[id] = true
			}
		}
	}
	if bad == 0 {
		return t.paint("32", "Everything that the profile relies on works.")
	}
	text := fmt.Sprintf("%s not work", count(bad, "thing does", "things do"))
	if len(checks) > 0 {
		text += fmt.Sprintf("; %s cannot be asked until then", count(len(checks), "check", "checks"))
	}
	return t.paint("31", text+".")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// text writes lines and keeps the first error.
type text struct {
	w     io.Writer
	style report.Style
	err   error
}

func (t *text) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintln(t.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

func (t *text) paint(sgr, s string) string {
	if !t.style.Color {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

const (
	indent  = 12 // before a continued line
	subject = 26
)

func (t *text) finding(f Finding) {
	l := looks[f.State]
	if t.style.ASCII {
		l.glyph = l.plain
	}
	head := fmt.Sprintf("  %s  %s  ", t.paint(l.sgr, fmt.Sprintf("%s %-7s", l.glyph, f.State)), fmt.Sprintf("%-*s", subject, f.Subject))
	room := 0
	if t.style.Width > 0 {
		room = max(30, t.style.Width-ansi.StringWidth(head))
	}
	for n, s := range t.wrap(f.Text, room) {
		if n > 0 {
			head = strings.Repeat(" ", ansi.StringWidth(head))
		}
		t.line("%s%s", head, s)
	}
	if f.Do == "" || f.State == OK {
		return
	}
	if t.style.Width > 0 {
		room = max(30, t.style.Width-indent-2)
	}
	arrow := "→ "
	if t.style.ASCII {
		arrow = "> "
	}
	for _, s := range t.wrap(f.Do, room) {
		t.line("%s%s%s", strings.Repeat(" ", indent), arrow, s)
		arrow = "  "
	}
	if ids := f.Checks; len(ids) > 0 {
		const most = 4
		words := make([]string, 0, most)
		for _, id := range ids[:min(len(ids), most)] {
			words = append(words, string(id))
		}
		rest := ""
		if len(ids) > most {
			rest = fmt.Sprintf(" and %d more", len(ids)-most)
		}
		t.line("%s  %s", strings.Repeat(" ", indent), t.paint("2", "not asked: "+strings.Join(words, ", ")+rest))
	}
}

// wrap breaks a text between words; room 0 leaves it whole.
func (t *text) wrap(s string, room int) []string {
	if t.style.ASCII {
		s = asciiOnly.Replace(s)
	}
	if room <= 0 {
		return []string{s}
	}
	return strings.Split(ansi.Wrap(s, room, ""), "\n")
}

var asciiOnly = strings.NewReplacer("…", "~", "×", "x", "–", "-", "→", ">")
