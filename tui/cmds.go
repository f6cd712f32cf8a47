package tui

import (
	"context"
	"maps"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/probes"
)

// How often, how long and how much.
const (
	clockEvery   = 10 * time.Second       // ages are shown in minutes, so nothing is later than that
	listPause    = 200 * time.Millisecond // what comes sooner is drawn together
	pageEvery    = 8 * time.Second        // pages of the wall
	pastEvery    = 2 * time.Minute
	readTimeout  = 5 * time.Second
	toastFor     = 5 * time.Second
	trendPoints  = 24
	stripAnswers = 60
)

type (
	listMsg struct {
		list probes.Checklist
		now  time.Time
		err  error
	}
	clockMsg  time.Time
	noticeMsg Notice
	pastMsg   struct {
		percent int
		at      time.Time
		ok      bool
		trend   []int
		err     error
	}
	stripMsg struct {
		id       probes.ID
		since    time.Time
		statuses []probes.Status
		err      error
	}
	switchesMsg struct {
		switches []Switch
		err      error
	}
	toastEndMsg int
)

// past is what history said.
type past struct {
	ok      bool
	percent int
	at      time.Time
	trend   []int
	readAt  time.Time
	reading bool // the history of a check is being read

	strips map[probes.ID][]probes.Status
	fresh  map[probes.ID]time.Time // since when the check had its status, when its strip was read
}

// nextList waits for the next checklist. Its message re-arms it, so there is one at a time, and whatever came meanwhile is in it.
func (m *Model) nextList() tea.Cmd {
	ctx, d := m.ctx, m.d
	if d.Feed == nil {
		return nil
	}
	next := func() tea.Msg {
		list, err := d.Feed.Next(ctx)
		if err != nil && ctx.Err() != nil {
			return nil // the board is going down
		}
		return listMsg{list: list, now: d.Now(), err: err}
	}
	if !m.have {
		return next
	}
	return m.after(listPause, next)
}

// clock tells the time after a pause.
func (m *Model) clock(after time.Duration) tea.Cmd {
	d := m.d
	return m.after(after, func() tea.Msg { return clockMsg(d.Now()) })
}

// after is a command that runs f after a pause, unless the board ends first.
func (m *Model) after(pause time.Duration, f func() tea.Msg) tea.Cmd {
	ctx := m.ctx
	return func() tea.Msg {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
			return f()
		case <-ctx.Done():
			return nil
		}
	}
}

// takeClock moves the board to a later moment and plans the next one.
func (m *Model) takeClock(msg clockMsg) tea.Cmd {
	m.now = time.Time(msg) // even backwards: a clock may be set right
	m.assess(time.Time(msg))
	for id, since := range m.asking {
		if m.now.Sub(since) > 2*time.Minute {
			m.asking = maps.Clone(m.asking)
			delete(m.asking, id)
		}
	}
	cmds := []tea.Cmd{m.clock(m.nextTick())}
	if m.now.Sub(m.past.readAt) >= pastEvery {
		cmds = append(cmds, m.readPast())
	}
	if m.focus == focusHistory {
		cmds = append(cmds, m.readHistory())
	}
	return tea.Batch(cmds...)
}

// nextTick is how long nothing visible changes by itself.
func (m *Model) nextTick() time.Duration {
	if m.d.Mode.Wall {
		return wallTick(m.now)
	}
	return clockEvery - time.Duration(m.now.UnixNano())%clockEvery
}

func (m *Model) nextNotice() tea.Cmd {
	ctx, notices := m.ctx, m.d.Notices
	if notices == nil {
		return nil
	}
	return func() tea.Msg {
		select {
		case n, ok := <-notices:
			if !ok {
				return nil
			}
			return noticeMsg(n)
		case <-ctx.Done():
			return nil
		}
	}
}

// readPast reads the previous score and the trend.
func (m *Model) readPast() tea.Cmd {
	h := m.d.History
	if h == nil {
		return nil
	}
	m.past.readAt = m.now
	return m.within(func(ctx context.Context) tea.Msg {
		var msg pastMsg
		msg.percent, msg.at, msg.ok, msg.err = h.Previous(ctx)
		if msg.err == nil {
			var scores []Score
			scores, msg.err = h.Scores(ctx, trendPoints)
			for _, s := range scores {
				msg.trend = append(msg.trend, s.Percent)
			}
		}
		return msg
	})
}

func (m *Model) takePast(msg pastMsg) {
	m.historyTrouble(msg.err)
	if msg.err == nil {
		m.past.ok, m.past.percent, m.past.at, m.past.trend = msg.ok, msg.percent, msg.at, msg.trend
	}
}

// historyTrouble puts a banner up when history cannot be read, and takes it down when it can. The board goes on.
func (m *Model) historyTrouble(err error) {
	n := Notice{ID: "tui-history", Level: Warning}
	if err != nil {
		n.Text = "history cannot be read: " + err.Error()
	}
	m.takeNotice(n)
}

// readStrip reads the history of the selected check, unless it is known or another one is being read.
func (m *Model) readStrip() tea.Cmd {
	h := m.d.History
	item, _ := m.selected()
	if h == nil || m.past.reading || item == nil || m.d.Mode.Wall {
		return nil
	}
	id, since := item.Spec.ID, item.Since
	if at, ok := m.past.fresh[id]; ok && at.Equal(since) {
		return nil
	}
	m.past.reading = true
	return m.within(func(ctx context.Context) tea.Msg {
		statuses, err := h.Strip(ctx, id, stripAnswers)
		return stripMsg{id: id, since: since, statuses: statuses, err: err}
	})
}

func (m *Model) takeStrip(msg stripMsg) {
	m.past.reading = false
	m.historyTrouble(msg.err)
	m.past.fresh, m.past.strips = cloneInto(m.past.fresh, msg.id, msg.since), cloneInto(m.past.strips, msg.id, msg.statuses)
}

// cloneInto returns a copy of a map with one more entry.
func cloneInto[V any](all map[probes.ID]V, id probes.ID, v V) map[probes.ID]V {
	all = maps.Clone(all)
	if all == nil {
		all = map[probes.ID]V{}
	}
	all[id] = v
	return all
}

// refresh asks checks again; all of them when none is named.
func (m *Model) refresh(all ...probes.ID) tea.Cmd {
	ask := m.d.Refresh
	return func() tea.Msg {
		ask(all...)
		return nil
	}
}

func (m *Model) endToast(n int) tea.Cmd {
	return m.after(toastFor, func() tea.Msg { return toastEndMsg(n) })
}

// readSwitches reads how the switches of the demo stand.
func (m *Model) readSwitches() tea.Cmd {
	demo := m.d.Demo
	if demo == nil || demo.Switches == nil {
		return nil
	}
	return m.within(func(ctx context.Context) tea.Msg {
		all, err := demo.Switches(ctx)
		return switchesMsg{all, err}
	})
}

// toggle flips a switch of the demo and reads them all again.
func (m *Model) toggle(key string) tea.Cmd {
	demo := m.d.Demo
	return m.within(func(ctx context.Context) tea.Msg {
		if err := demo.Toggle(ctx, key); err != nil {
			return switchesMsg{err: err}
		}
		all, err := demo.Switches(ctx)
		return switchesMsg{all, err}
	})
}

func (m *Model) takeSwitches(msg switchesMsg) {
	n := Notice{ID: "tui-demo", Level: Warning}
	if msg.err != nil {
		n.Text = "the demo: " + msg.err.Error()
	} else {
		m.switches = msg.switches
	}
	m.takeNotice(n)
}

// within is a command that runs f with the board's context and a deadline.
func (m *Model) within(f func(ctx context.Context) tea.Msg) tea.Cmd {
	parent := m.ctx
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, readTimeout)
		defer cancel()
		return f(ctx)
	}
}
