package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/theme"
)

// maxCopy is how many bytes of a log are copied: terminals take no more by OSC 52, and it goes over the line.
const maxCopy = 64 << 10

// logRow is a row of the log on screen. Rows are made for all lines, and drawn for those that are visible only.
type logRow struct {
	kind       actions.EventKind
	lead, text string
}

// logRows are the log of a run, as the page shows it.
func (m *Model) logRows(v *runView, w int) []logRow {
	r := &m.runs
	words := r.filter.words()
	out := make([]logRow, 0, len(v.lines))
	for _, l := range v.lines {
		bad := l.kind == actions.Failed || l.kind == actions.Unclear || l.kind == actions.Left
		if r.errors && !bad && l.kind != actions.Ended {
			continue
		}
		if len(words) > 0 && !containsAll(strings.ToLower(l.step+" "+l.text), words) {
			continue
		}
		_, lead := logLook(m.theme, l.kind)
		if r.times {
			lead = l.at.In(m.now.Location()).Format(time.TimeOnly) + " " + lead
		}
		if !r.wrap {
			out = append(out, logRow{l.kind, lead, l.text})
			continue
		}
		for n, part := range chop(l.text, max(8, w-cells(lead))) {
			if n > 0 {
				lead = strings.Repeat(" ", cells(lead))
			}
			out = append(out, logRow{l.kind, lead, part})
		}
	}
	return out
}

// logLine draws a row.
func (m *Model) logLine(row logRow, w int) string {
	style, _ := logLook(m.theme, row.kind)
	return line(m.theme, w, []span{in(style, row.lead+row.text)}, nil, nil)
}

// logLook is how a line of the log is drawn, and what leads it.
func logLook(th *theme.Theme, kind actions.EventKind) (theme.Style, string) {
	g := th.Glyphs
	switch kind {
	case actions.Began:
		return th.Text, g.Closed + " "
	case actions.Finished:
		return th.Pass, g.Pass + " "
	case actions.Failed:
		return th.Fail, g.Fail + " "
	case actions.Unclear:
		return th.Unknown, g.Unknown + " "
	case actions.Waiting:
		return th.Warn, g.Warn + " "
	case actions.Started, actions.Ended, actions.Cancelled, actions.Resolved:
		return th.Strong, "  "
	case actions.Left, actions.Log, actions.Progress:
	}
	return th.Muted, "  "
}

func containsAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// runText is the log of a run to be copied, or its end if that is too much, and which of the two it is.
func runText(v *runView) (text, part string) {
	size, from := 0, len(v.lines)
	lines := make([]string, len(v.lines))
	for i := len(lines) - 1; i >= 0; i-- {
		lines[i] = fmt.Sprintf("%s %s\n", v.lines[i].at.UTC().Format(time.RFC3339), v.lines[i].text)
		if size += len(lines[i]); size > maxCopy {
			break
		}
		from = i
	}
	if from > 0 {
		return strings.Join(lines[from:], ""), "the end of the log"
	}
	return strings.Join(lines, ""), "the log"
}
