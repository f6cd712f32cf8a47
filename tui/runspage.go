package tui

import (
	"fmt"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

// outcomeLook is how the state of a run is drawn.
func outcomeLook(th *theme.Theme, v *runView) look2 {
	g := th.Glyphs
	switch {
	case v.info.Alive:
		return look2{g.Live, "running", th.Accent}
	case v.info.Outcome == actions.Done:
		return look2{g.Pass, "done", th.Pass}
	case v.info.Outcome == actions.Wanting:
		return look2{g.Fail, "failed", th.Fail}
	case v.info.Outcome == actions.Uncertain:
		return look2{g.Unknown, "unknown outcome", th.Unknown}
	}
	return look2{g.Warn, outcomeWord(v.info.Outcome), th.Warn}
}

// look2 is a sign, a word and a style.
type look2 struct {
	sign, word string
	style      theme.Style
}

// stepLook is how the state of a step is drawn.
func stepLook(th *theme.Theme, s actions.StepStatus) look2 {
	g := th.Glyphs
	switch s {
	case actions.StepRunning:
		return look2{g.Live, "running", th.Accent}
	case actions.StepDone:
		return look2{g.Pass, "done", th.Pass}
	case actions.StepAlready:
		return look2{g.Pass, "already", th.Pass}
	case actions.StepFailed:
		return look2{g.Fail, "failed", th.Fail}
	case actions.StepUnclear:
		return look2{g.Unknown, "unclear", th.Unknown}
	case actions.StepLeft:
		return look2{g.NotApplicable, "left out", th.Muted}
	case actions.StepWaiting:
	}
	return look2{g.Pending, "waiting", th.Muted}
}

// runsBindings are the keys that do something on the page.
func (m *Model) runsBindings() []key.Binding {
	k, v := m.keys, m.run()
	name := func(keys, does string) key.Binding {
		return key.NewBinding(key.WithKeys(keys), key.WithHelp(keys, does))
	}
	if m.runs.filter.typing {
		return []key.Binding{described(k.open, "enter", "keep"), described(k.back, "esc", "clear")}
	}
	if m.runs.ask == askName {
		return []key.Binding{described(k.open, "enter", "go on, when the name is typed"), described(k.back, "esc", "leave it")}
	}
	if m.runs.ask != "" {
		return []key.Binding{described(k.back, "esc", "leave it")}
	}
	all := []key.Binding{described(k.up, "↑↓", "scroll"), k.back}
	if v != nil && !m.d.Mode.ReadOnly {
		if v.info.Alive {
			all = append(all, name("x", "cancel"))
		} else if v.info.Outcome.Resumable() {
			all = append(all, name("u", "resume"))
		}
	}
	if len(m.runs.views) > 1 {
		all = append(all, described(k.pane, "[ ]", "other run"))
	}
	return append(all, name("f", "follow"), k.filter, name("e", "errors"), name("w", "wrap"), name("o", "times"), k.copy, k.actions, k.theme, k.help, k.quit)
}

func (m *Model) runsTitle() []span {
	th := m.theme
	title := []span{in(th.Heading, "Runs")}
	for n := range m.runs.views {
		v := &m.runs.views[n]
		look := outcomeLook(th, v)
		style := th.Muted
		name := " " + string(v.info.ID) + " "
		if v.info.ID == m.runs.sel {
			style, name = th.Strong, "["+string(v.info.ID)+"]"
		}
		title = append(title, in(th.Text, " "), in(look.style, look.sign), in(style, name))
	}
	return title
}

// runsView draws the page: how far the run is, its steps as far as there is room, and its log.
func (m *Model) runsView(w, h int) []string {
	th, v := m.theme, m.run()
	inner := w - 2
	if v == nil {
		text := "No runs on this machine yet. a lists what can be done."
		if m.runs.err != "" {
			text = m.runs.err
		}
		return block([]string{" " + line(th, inner, []span{in(th.Muted, text)}, nil, nil)}, w, h)
	}
	head := m.runHead(v, inner)
	steps := m.runSteps(v, inner, max(0, min(h/3, h-len(head)-4)))
	var out []string
	for _, s := range append(head, steps...) {
		out = append(out, " "+s)
	}
	label := []span{in(th.Strong, "Log")}
	if f := m.runs.filter; f.typing || f.text != "" {
		label = append(label, in(th.Accent, "  /"+f.text))
	}
	if m.runs.errors {
		label = append(label, in(th.Warn, "  what went wrong only"))
	}
	right := []span{in(th.Muted, "following ")}
	if m.runs.top >= 0 {
		right = []span{in(th.Accent, "f"), in(th.Muted, " follows ")}
	}
	if path := probes.Clean(v.info.Log, 300); spansWidth(label)+spansWidth(right)+cells(path)+12 <= w {
		right = append([]span{in(th.Muted, "all of it: "+path+"  ")}, right...)
	}
	out = append(out, titled(th, w, label, right, true))
	room := max(0, h-len(out))
	rows := m.logRows(v, inner)
	top := m.runs.top
	if top < 0 || top > len(rows)-room {
		top = max(0, len(rows)-room)
	}
	for _, row := range rows[min(top, len(rows)):min(top+room, len(rows))] {
		out = append(out, " "+m.logLine(row, inner))
	}
	return block(out, w, h)
}

// runHead says how a run stands.
func (m *Model) runHead(v *runView, w int) []string {
	th := m.theme
	look := outcomeLook(th, v)
	t := v.state.Tally(v.info.Plan)
	left := []span{in(look.style.Bold(), look.sign+" "+look.word), in(th.Text, "  "+probes.Clean(v.info.Title, 60)), in(th.Muted, "  by "+probes.Clean(v.info.By, 60))}
	out := []string{line(th, w, left, []span{in(th.Muted, m.runTime(v))}, nil)}
	percent := 0
	if n := len(v.info.Plan.Steps); n > 0 {
		percent = 100 * t.Done / n
	}
	if t.Total.Bytes > 0 && t.Total.Bytes > t.Work.Bytes {
		percent = min(percent, 99)
	}
	words := []span{in(th.Text, fmt.Sprintf(" %d of %s", t.Done, plural(len(v.info.Plan.Steps), "step", "steps")))}
	if t.Failed > 0 {
		words = append(words, in(th.Fail, fmt.Sprintf("  %d failed", t.Failed)))
	}
	if t.Left > 0 {
		words = append(words, in(th.Muted, fmt.Sprintf("  %d left out", t.Left)))
	}
	if t.Total.Bytes > 0 {
		words = append(words, in(th.Muted, fmt.Sprintf("  %s of %s", bytesText(t.Work.Bytes), bytesText(t.Total.Bytes))))
		if rate := m.runRate(v, t); rate != "" {
			words = append(words, in(th.Muted, "  "+rate))
		}
	}
	bar := max(8, min(40, w-spansWidth(words)))
	out = append(out, line(th, w, append(gauge(th, bar, percent, percent, look.style), words...), nil, nil))
	switch {
	case m.runs.ask == "x":
		out = append(out, line(th, w, []span{in(th.Warn, "Cancel "+string(v.info.ID)+"? Its clean-up still happens. "), in(th.Accent, "y"), in(th.Text, " yes, any other key: no")}, nil, nil))
	case m.runs.ask == "u" && len(m.unclear(v)) > 0:
		out = append(out, wrapped(th.Unknown, "Nobody knows whether this was done: "+strings.Join(m.unclear(v), ", "), "", w)...)
		out = append(out, line(th, w, []span{in(th.Accent, "d"), in(th.Text, " it is done   "), in(th.Accent, "a"), in(th.Text, " do it again   any other key: leave it")}, nil, nil))
	case m.runs.ask == askName:
		out = append(out, wrapped(th.Fail, "This deletes or replaces something. Type the platform's name, "+v.info.Plan.Platform+", and press enter to go on.", "", w)...)
		out = append(out, line(th, w, []span{in(th.Accent, th.Glyphs.Cursor+" "), in(th.Strong, m.runs.typed.text+"_")}, nil, nil))
	case m.runs.ask == "u":
		out = append(out, line(th, w, []span{in(th.Text, "Go on with "+string(v.info.ID)+" where it ended? "), in(th.Accent, "y"), in(th.Text, " yes, any other key: no")}, nil, nil))
	case v.info.Text != "" && !v.info.Alive:
		out = append(out, wrapped(look.style, probes.Clean(v.info.Text, 400), "", w)...)
	}
	if p := v.state.Points; p != nil && !v.info.Alive {
		style := th.Muted
		if p.After > p.Before {
			style = th.Pass
		}
		text := p.String()
		if p.After > p.Before {
			text = fmt.Sprintf("+%d: ", p.After-p.Before) + text
		}
		out = append(out, line(th, w, []span{in(style, text)}, nil, nil))
	}
	return out
}

// runTime says since when or for how long a run went on.
func (m *Model) runTime(v *runView) string {
	end := v.state.Ended
	if v.info.Alive || end.IsZero() {
		end = m.now
	}
	if v.state.Started.IsZero() || end.Before(v.state.Started) {
		return ""
	}
	return moment(v.state.Started, m.now) + ", " + end.Sub(v.state.Started).Round(time.Second).String() + " "
}

// runRate says how fast bytes come and how long they will take, by what came since the process that carries the run out began.
func (m *Model) runRate(v *runView, t actions.Tally) string {
	since := v.since
	if since.IsZero() {
		since = v.state.Started
	}
	took := m.now.Sub(since).Seconds()
	if !v.info.Alive || took < 1 || t.Work.Bytes >= t.Total.Bytes {
		return ""
	}
	var came int64
	for _, s := range v.state.Steps {
		if s.Status != actions.StepAlready && !s.Began.Before(since) {
			came += s.Done.Bytes
		}
	}
	rate := float64(came) / took
	if rate < 1 {
		return ""
	}
	text := bytesText(int64(rate)) + "/s"
	if left := float64(t.Total.Bytes-t.Work.Bytes) / rate; left > 1 {
		text += ", " + time.Duration(left*float64(time.Second)).Round(time.Second).String() + " left"
	}
	return text
}

// runSteps are the steps that go on or went wrong, then those that come, as many as there is room for.
func (m *Model) runSteps(v *runView, w, room int) []string {
	th := m.theme
	var out []string
	draw := func(s actions.Step) {
		if len(out) >= room {
			return
		}
		at := v.state.Of(s.ID)
		look := stepLook(th, at.Status)
		right := []span{in(look.style, fmt.Sprintf("%8s", look.word))}
		if total := at.Total; total.Bytes > 0 && at.Status == actions.StepRunning {
			right = append([]span{in(th.Muted, fmt.Sprintf("%s of %s ", bytesText(at.Done.Bytes), bytesText(total.Bytes)))}, right...)
		}
		left := []span{in(look.style, look.sign+" "), in(th.Text, probes.Clean(s.Title, 200))}
		switch {
		case at.Waits != "" && at.Status == actions.StepRunning:
			left = append(left, in(th.Warn, "  waits: "+probes.Clean(at.Waits, 200)+m.waitLeft(at.Until)))
		case at.Text != "" && at.Status != actions.StepDone:
			left = append(left, in(look.style, "  "+probes.Clean(at.Text, 300)))
		}
		out = append(out, line(th, w, left, right, nil))
	}
	for _, wanted := range [][]actions.StepStatus{
		{actions.StepRunning}, {actions.StepFailed, actions.StepUnclear}, {actions.StepWaiting}, {actions.StepLeft}, {actions.StepDone, actions.StepAlready},
	} {
		for _, s := range v.info.Plan.Steps {
			for _, status := range wanted {
				if v.state.Of(s.ID).Status == status {
					draw(s)
				}
			}
		}
	}
	return out
}

// waitLeft says how long a wait still takes.
func (m *Model) waitLeft(until time.Time) string {
	if left := until.Sub(m.now); !until.IsZero() && left > 0 {
		return fmt.Sprintf(", %d s left", int(left.Seconds())+1)
	}
	return ""
}

// runsRoom is how many lines of the log are visible.
func (m *Model) runsRoom() int {
	v := m.run()
	if v == nil {
		return 1
	}
	h := m.layout.detail.Dy()
	head := len(m.runHead(v, m.w-2))
	steps := len(m.runSteps(v, m.w-2, max(0, min(h/3, h-head-4))))
	return max(1, h-head-steps-1)
}

// scrollRuns scrolls the log and reports whether the key was one for that. At its end it is followed again.
func (m *Model) scrollRuns(k tea.KeyPressMsg) bool {
	v := m.run()
	if v == nil {
		return false
	}
	s := scroller{lines: make([]string, len(m.logRows(v, m.w-2))), top: m.runs.top}
	room := m.runsRoom()
	if s.top < 0 {
		s.top = max(0, len(s.lines)-room)
	}
	if !scrollKey(&s, m.keys, k, room) {
		return false
	}
	m.runs.top = s.top
	if s.top >= len(s.lines)-room {
		m.runs.top = -1
	}
	return true
}

// runStrip is the line above the footer that shows the runs that go on, and those that ended before the eyes of this
// board or wait for a person.
func (m *Model) runStrip(w int) string {
	th := m.theme
	left := []span{in(th.Text, " ")}
	for n := range m.runs.views {
		v := &m.runs.views[n]
		if !v.mine && !v.stuck {
			continue
		}
		look := outcomeLook(th, v)
		t := v.state.Tally(v.info.Plan)
		left = append(left, in(look.style, look.sign+" "), in(th.Strong, string(v.info.ID)), in(look.style, " "+look.word))
		if v.info.Alive {
			percent := 0
			if n := len(v.info.Plan.Steps); n > 0 {
				percent = 100 * t.Done / n
			}
			left = append(left, in(th.Text, fmt.Sprintf("  %d/%d ", t.Done, len(v.info.Plan.Steps))))
			left = append(left, gauge(th, 12, percent, percent, look.style)...)
			for _, s := range v.info.Plan.Steps {
				if at := v.state.Of(s.ID); at.Status == actions.StepRunning {
					left = append(left, in(th.Muted, "  "+probes.Clean(s.Title, 100)))
					break
				}
			}
		} else if v.stuck {
			left = append(left, in(th.Text, "  L u goes on with it"))
		} else if p := v.state.Points; p != nil && p.After != p.Before {
			left = append(left, in(th.Pass, fmt.Sprintf("  %d %% → %d %%", p.Before, p.After)))
		}
		left = append(left, in(th.Text, "   "))
	}
	return line(th, w, left, []span{in(th.Accent, "L"), in(th.Muted, " runs ")}, nil)
}

// stripped reports whether there is something for the strip.
func (m *Model) stripped() bool {
	for n := range m.runs.views {
		if m.runs.views[n].mine || m.runs.views[n].stuck {
			return true
		}
	}
	return false
}

// wheelRuns scrolls the log.
func (m *Model) wheelRuns(n int) {
	v := m.run()
	if v == nil {
		return
	}
	room, lines := m.runsRoom(), len(m.logRows(v, m.w-2))
	top := m.runs.top
	if top < 0 {
		top = max(0, lines-room)
	}
	m.runs.top = max(0, min(top+n, lines-room))
	if m.runs.top >= lines-room {
		m.runs.top = -1
	}
}
