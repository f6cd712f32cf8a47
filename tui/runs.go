package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

// How much of runs is kept and shown, and how often it is looked for runs that others started.
const (
	runsEvery   = 3 * time.Second
	maxRunTabs  = 12
	maxRunLines = 5000
	eventBatch  = 512
)

// runLine is a line of a run's log.
type runLine struct {
	at   time.Time
	step string
	text string
	kind actions.EventKind
}

// runView is a run as the board knows it.
type runView struct {
	info      actions.RunInfo
	state     actions.State
	lines     []runLine // the newest
	read      int64     // the event that lines reach to; the state may be ahead of it
	since     time.Time // when the newest process that lines tell of began
	following bool
	mine      bool // it went on while this board was there
	stuck     bool // a crash ended it, and nothing of its action came later: a person has to say how it goes on
}

// runsPage is what is known of runs, and how the page shows it.
type runsPage struct {
	views   []runView // the newest first
	sel     actions.RunID
	want    actions.RunID   // the one to select when it is there
	begun   []actions.RunID // those that this board began or went on with; they may end before they are seen going on
	top     int             // of the log; -1 follows the end
	filter  filterInput
	times   bool
	wrap    bool
	errors  bool                      // only what went wrong
	ask     string                    // what the page asks; the keys of the question are its answers
	typed   filterInput               // the platform's name, while it is asked for
	answers map[string]actions.Answer // kept until the name is typed
	err     string
}

type (
	runsMsg struct {
		all    []actions.RunInfo
		offers []actions.Offer // nil: as before
		err    error
	}
	eventsMsg struct {
		id     actions.RunID
		f      actions.Follower
		events []actions.Event
		err    error
	}
	toldMsg struct{ text string } // the answer of cancelling or resuming
	tickMsg time.Time
)

// readRuns looks which runs there are, after a pause. Its message re-arms it.
func (m *Model) readRuns(after time.Duration) tea.Cmd {
	engine := m.d.Actions
	if engine == nil {
		return nil
	}
	read := m.within(func(ctx context.Context) tea.Msg {
		all, err := engine.Runs(ctx)
		return runsMsg{all, engine.Offers(), err} // a reload of the profile changes what can be done
	})
	if after <= 0 {
		return read
	}
	return m.after(after, func() tea.Msg { return read() })
}

// takeRuns takes in which runs there are, and follows those that go on or are looked at.
func (m *Model) takeRuns(msg runsMsg) tea.Cmd {
	r := &m.runs
	if msg.offers != nil {
		m.takeOffers(msg.offers)
	}
	if len(msg.all) > maxRunTabs {
		msg.all = msg.all[:maxRunTabs]
	}
	if msg.err == nil || len(msg.all) > 0 {
		views := make([]runView, 0, len(msg.all))
		newer := map[probes.ID]bool{}
		for _, info := range msg.all {
			v := runView{info: info, state: info.State}
			if i := slices.IndexFunc(r.views, func(o runView) bool { return o.info.ID == info.ID }); i >= 0 {
				known := r.views[i]
				known.info = info
				v = known
				if info.State.Seq >= v.state.Seq {
					v.state = info.State
				}
			}
			v.mine = v.mine || info.Alive || slices.Contains(r.begun, info.ID)
			v.stuck = !newer[info.Action] && !info.Alive && (info.Outcome == actions.Interrupted || info.Outcome == actions.Uncertain)
			newer[info.Action] = true
			views = append(views, v)
		}
		r.views = views
	}
	if r.want != "" && slices.ContainsFunc(r.views, func(v runView) bool { return v.info.ID == r.want }) {
		r.sel, r.want, r.top = r.want, "", -1
	}
	if r.sel == "" && len(r.views) > 0 {
		r.sel, r.top = r.views[0].info.ID, -1
	}
	return tea.Batch(m.readRuns(runsEvery), m.followRuns(), m.tick())
}

// followRuns reads the events of runs that go on, and of the one that is looked at.
func (m *Model) followRuns() tea.Cmd {
	var cmds []tea.Cmd
	for i := range m.runs.views {
		v := &m.runs.views[i]
		behind := v.info.Alive || v.read < v.info.State.Seq
		if !v.following && behind && (v.mine || m.focus == focusRuns && v.info.ID == m.runs.sel) {
			v.following = true
			cmds = append(cmds, m.readEvents(v.info.ID, nil))
		}
	}
	return tea.Batch(cmds...)
}

// readEvents reads the next events of a run.
func (m *Model) readEvents(id actions.RunID, f actions.Follower) tea.Cmd {
	ctx, engine := m.ctx, m.d.Actions
	return func() tea.Msg {
		if f == nil {
			var err error
			if f, err = engine.Follow(ctx, id); err != nil {
				return eventsMsg{id: id, err: err}
			}
		}
		events, err := f.Read(ctx, eventBatch)
		if err != nil && ctx.Err() != nil {
			_ = f.Close()
			return nil // the board is going down
		}
		return eventsMsg{id, f, events, err}
	}
}

// takeEvents takes in what happened in a run, and reads on.
func (m *Model) takeEvents(msg eventsMsg) tea.Cmd {
	i := slices.IndexFunc(m.runs.views, func(v runView) bool { return v.info.ID == msg.id })
	if i < 0 {
		return closing(msg.f)
	}
	m.runs.views = slices.Clone(m.runs.views)
	v := &m.runs.views[i]
	ended := v.take(msg.events)
	if msg.err != nil {
		v.following = false
		if !errors.Is(msg.err, io.EOF) {
			m.runs.err = probes.Clean(msg.err.Error(), 300)
		}
		return tea.Batch(closing(msg.f), m.ranOut(v, ended))
	}
	return tea.Batch(m.readEvents(msg.id, msg.f), m.ranOut(v, ended))
}

func closing(f actions.Follower) tea.Cmd {
	if f == nil {
		return nil
	}
	return func() tea.Msg {
		_ = f.Close()
		return nil
	}
}

// take takes events into the state and the log, of which either may have seen some, and returns the one that ended the run as it stands.
func (v *runView) take(events []actions.Event) *actions.Event {
	var ended *actions.Event
	v.state.Steps = maps.Clone(v.state.Steps)
	for _, e := range events {
		if e.Seq > v.state.Seq {
			v.state.Apply(e)
		}
		if e.Seq <= v.read {
			continue
		}
		v.read = e.Seq
		v.add(e)
		switch e.Kind {
		case actions.Started:
			v.since = e.At
		case actions.Ended:
			ended = &e
		}
	}
	if over := len(v.lines) - maxRunLines; over > 0 {
		v.lines = slices.Clone(v.lines[over:])
	}
	if ended != nil && !v.state.Ended.Equal(ended.At) {
		return nil // it was resumed since
	}
	return ended
}

// ranOut asks the checks again that a run was about, once it has ended before the eyes of this board.
func (m *Model) ranOut(v *runView, ended *actions.Event) tea.Cmd {
	if ended == nil || !v.mine {
		return nil
	}
	v.info.Alive, v.info.Outcome, v.info.Text = false, ended.Outcome, ended.Text
	text := string(v.info.ID) + " " + outcomeWord(ended.Outcome)
	if ended.Points != nil && ended.Points.After != ended.Points.Before {
		text += fmt.Sprintf(": %d %% → %d %%", ended.Points.Before, ended.Points.After)
	}
	cmds := []tea.Cmd{m.say(text), m.readRuns(0), m.readPast()}
	if m.d.Refresh != nil {
		cmds = append(cmds, m.refresh(v.info.Plan.Mends...))
	}
	return tea.Batch(cmds...)
}

// add keeps an event as a line of the log, if it is one.
func (v *runView) add(e actions.Event) {
	l := runLine{at: e.At, step: e.Step, kind: e.Kind, text: probes.Clean(e.Text, 2000)}
	title := e.Step
	if s, ok := v.info.Plan.Step(e.Step); ok {
		title = s.Title
	}
	title = probes.Clean(title, 200)
	switch e.Kind {
	case actions.Log:
	case actions.Started:
		l.text = "started by " + probes.Clean(e.By, 80)
	case actions.Began:
		l.text = title
	case actions.Finished:
		l.text = title
		if e.Already {
			l.text += ": already done"
		}
	case actions.Failed, actions.Unclear, actions.Left:
		l.text = title + ": " + l.text
	case actions.Resolved, actions.Cancelled:
		l.text = strings.TrimSpace(string(e.Kind) + " by " + probes.Clean(e.By, 80) + " " + title)
	case actions.Waiting:
		if e.Text == "" {
			return
		}
		l.text = title + " waits: " + l.text
	case actions.Ended:
		l.text = strings.TrimSuffix(outcomeWord(e.Outcome)+": "+l.text, ": ")
		if e.Points != nil {
			l.text += "; " + e.Points.String()
		}
	case actions.Progress:
		return
	}
	v.lines = append(v.lines, l)
}

// outcomeWord is how a run ended, for people.
func outcomeWord(o actions.Outcome) string {
	switch o {
	case actions.Running:
		return "running"
	case actions.Uncertain:
		return "unknown outcome"
	case actions.Done, actions.Wanting, actions.Stopped, actions.Interrupted, actions.Refused:
	}
	return string(o)
}

// busy reports whether seconds are on screen.
func (m *Model) busy() bool {
	if m.focus == focusAction {
		return m.action.stage == stagePlanning || m.action.stage == stageStarting
	}
	v := m.run()
	return m.focus == focusRuns && v != nil && v.info.Alive
}

// tick tells the time every second for as long as seconds are on screen. There is one at a time.
func (m *Model) tick() tea.Cmd {
	if m.ticking || !m.busy() {
		return nil
	}
	m.ticking = true
	d := m.d
	return m.after(time.Second, func() tea.Msg { return tickMsg(d.Now()) })
}

func (m *Model) takeTick(msg tickMsg) tea.Cmd {
	m.ticking = false
	if now := time.Time(msg); now.After(m.now) {
		m.now = now
	}
	return m.tick()
}

// openRuns shows the page.
func (m *Model) openRuns() tea.Cmd {
	m.focus = focusRuns
	m.runs.top, m.runs.ask = -1, ""
	return tea.Batch(m.readRuns(0), m.followRuns(), m.tick())
}

// run is the selected run.
func (m *Model) run() *runView {
	i := slices.IndexFunc(m.runs.views, func(v runView) bool { return v.info.ID == m.runs.sel })
	if i < 0 {
		return nil
	}
	return &m.runs.views[i]
}

// pressRuns handles the keys of the page.
func (m *Model) pressRuns(k tea.KeyPressMsg) tea.Cmd {
	r, v := &m.runs, m.run()
	if r.ask != "" {
		return m.pressAnswer(k)
	}
	switch s := k.String(); {
	case key.Matches(k, m.keys.back), key.Matches(k, m.keys.runs):
		m.focus = focusList
	case s == "]" || s == "right" || s == "tab":
		return m.selectRun(1)
	case s == "[" || s == "left" || s == "shift+tab":
		return m.selectRun(-1)
	case s == "f":
		r.top = -1
	case s == "w":
		r.wrap = !r.wrap
	case s == "o":
		r.times = !r.times
	case s == "e":
		r.errors, r.top = !r.errors, -1
	case key.Matches(k, m.keys.filter):
		r.filter.typing = true
	case key.Matches(k, m.keys.copy) && v != nil:
		text, part := runText(v)
		return tea.Batch(m.d.Copy(text), m.say("copied "+part+"; all of it is in "+v.info.Log))
	case s == "x" && v != nil && v.info.Alive && !m.d.Mode.ReadOnly:
		r.ask = "x"
	case s == "u" && v != nil && !v.info.Alive && v.info.Outcome.Resumable() && !m.d.Mode.ReadOnly:
		r.ask = "u"
	case m.scrollRuns(k):
	default:
		return m.pressBoard(k)
	}
	return nil
}

// selectRun goes to another run.
func (m *Model) selectRun(by int) tea.Cmd {
	r := &m.runs
	n := len(r.views)
	if n == 0 {
		return nil
	}
	at := slices.IndexFunc(r.views, func(v runView) bool { return v.info.ID == r.sel })
	r.sel, r.top = r.views[(max(at, 0)+by+n)%n].info.ID, -1
	return m.followRuns()
}

// pressRunFilter handles keys while the filter of the log is typed.
func (m *Model) pressRunFilter(k tea.KeyPressMsg) {
	r := &m.runs
	switch k.String() {
	case "enter":
		r.filter.typing = false
	case "esc":
		r.filter = filterInput{}
	default:
		r.filter.edit(k)
	}
	r.top = -1
}
