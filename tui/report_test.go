package tui

import (
	"context"
	"errors"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

const someReport = `# 254Carbon: 87 %, NO-GO

Measured on 20 October 2025 at 12:00 UTC by gonogo, from evidence. This line is so long that it has to be wrapped at the width of a small terminal.

## Declared against measured

| Component | Declared | Measured |
|---|---:|---:|
| Enhanced monitoring | 60 % | 100 % |
| Image mirroring | 75 % | 0 % |

## What is left

- **harbor-credentials** fails: anonymous: Harbor does not know this user or password of robot$gonogo
  - create a robot account
`

func writeReport(context.Context) (string, error) { return someReport, nil }

func TestTheReportPage(t *testing.T) {
	var copied string
	d := Deps{Report: writeReport, Copy: func(text string) tea.Cmd { copied = text; return nil }}
	m := send(board(t, d, documented(), 80, 24), press("p"))
	if frame := text(m); !strings.Contains(frame, "Writing the report") {
		t.Errorf("before there is one it shows:\n%s", frame)
	}
	for _, msg := range messages(m.openReport()) {
		m = send(m, msg)
	}
	m = send(m, reportMsg{text: someReport})
	frame := text(m)
	for _, want := range []string{"254Carbon: 87 %, NO-GO", "Enhanced monitoring  60 %      100 %", "- harbor-credentials fails", "as `gonogo report` would write it now", "esc back"} {
		if !strings.Contains(frame, want) {
			t.Errorf("it does not show %q:\n%s", want, frame)
		}
	}
	asks := func(list probes.Checklist) (found bool) {
		_, cmd := m.Update(listMsg{list: list, now: noon()})
		for _, msg := range messages(cmd) {
			_, is := msg.(reportMsg)
			found = found || is
		}
		return found
	}
	if asks(documented()) || !asks(ready()) {
		t.Error("it is not written again when something changed, and only then")
	}
	if m = send(m, press("y")); copied != someReport {
		t.Errorf("y copies %q", copied)
	}
	m = send(m, reportMsg{err: errors.New("no history")})
	if frame := text(m); !strings.Contains(frame, "The report cannot be written: no history") {
		t.Errorf("it does not say why there is none:\n%s", frame)
	}
	if m = send(m, press("esc")); m.focus != focusList {
		t.Error("esc does not close it")
	}
	if m = send(board(t, Deps{}, documented(), 80, 24), press("p")); m.focus != focusList {
		t.Error("there is a page of a report that nobody writes")
	}
}

func TestMarkdownKeepsWordsAndWidth(t *testing.T) {
	th := theme.New(theme.Options{NoColor: true})
	text := "A **bold `x` word** and `code` that goes on\nover lines, 2 * 3 = 6 and a lone ` tick.\n\n1. first\n2. https://example.org/" + strings.Repeat("long", 30) + "\n\n| a | b |\n|---|---|\n| one | **two** |\n"
	for w := 1; w < 90; w++ {
		lines := markdown(th, text, w)
		for _, l := range lines {
			if got := ansi.StringWidth(l); got > w {
				t.Fatalf("at width %d a line is %d wide: %q", w, got, l)
			}
		}
	}
	got := ansi.Strip(strings.Join(markdown(th, text, 200), "\n"))
	for _, want := range []string{"A bold x word and code that goes on over lines, 2 * 3 = 6 and a lone ` tick.", "1. first", "a    b", "one  two"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
}
