package tui

import (
	"context"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/probes"
)

// The report page shows the status report as it would be written now.

// maxReport is how many lines of a report are shown.
const maxReport = 5000

// reportPage is what the page shows and how.
type reportPage struct {
	text    string
	read    bool // whether there was an answer
	reading bool
	err     string
	scroll  scroller
}

type reportMsg struct {
	text string
	err  error
}

// openReport shows the page and has the report written.
func (m *Model) openReport() tea.Cmd {
	m.focus = focusReport
	m.report.scroll.top = 0
	return m.readReport()
}

func (m *Model) readReport() tea.Cmd {
	write := m.d.Report
	if write == nil || m.report.reading {
		return nil
	}
	m.report.reading = true
	return m.within(func(ctx context.Context) tea.Msg {
		text, err := write(ctx)
		return reportMsg{text: text, err: err}
	})
}

func (m *Model) takeReport(msg reportMsg) {
	m.report.reading, m.report.read, m.report.err = false, true, ""
	if msg.err != nil {
		m.report.err = probes.Clean(msg.err.Error(), 300)
		return
	}
	m.report.text = msg.text
}

// pressReport handles the keys of the page.
func (m *Model) pressReport(k tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(k, m.keys.back), key.Matches(k, m.keys.report), key.Matches(k, m.keys.pane):
		m.focus = focusList
	case key.Matches(k, m.keys.refresh):
		return m.readReport()
	case key.Matches(k, m.keys.copy) && m.report.text != "":
		return tea.Batch(m.d.Copy(m.report.text), m.say("copied the report"))
	case scrollKey(&m.report.scroll, m.keys, k, m.layout.detail.Dy()):
	default:
		return m.pressBoard(k)
	}
	return nil
}

// reportBindings are the keys that do something on the page.
func (m *Model) reportBindings() []key.Binding {
	k := m.keys
	all := []key.Binding{described(k.up, "↑↓", "scroll"), k.back, described(k.refresh, "r", "write again")}
	if m.report.text != "" {
		all = append(all, described(k.copy, "y", "copy"))
	}
	all = append(all, k.next)
	if m.d.History != nil {
		all = append(all, k.history)
	}
	return append(all, k.theme, k.help, k.quit)
}

// layReport works out the lines of the page at a width.
func (m *Model) layReport(w, h int) {
	m.report.scroll.set(m.reportLines(w-1), h)
}

// reportLines are the report, or why there is none.
func (m *Model) reportLines(w int) []string {
	th, r := m.theme, &m.report
	switch {
	case r.err != "":
		return wrapped(th.Warn, "The report cannot be written: "+r.err, "", w)
	case !r.read:
		return wrapped(th.Muted, "Writing the report.", "", w)
	}
	out := markdown(th, r.text, w)
	if len(out) > maxReport {
		out = append(out[:maxReport], "", th.Muted.Render("There is more; gonogo report writes all of it."))
	}
	return out
}

// reportView draws the page.
func (m *Model) reportView(w, h int) []string {
	lines := m.report.scroll.view(m.theme, w-1, h)
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	return block(lines, w, h)
}
