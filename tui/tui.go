// Package tui is the board: one Bubble Tea model that shows a checklist as it changes. It sees contracts only; whatever asks, reads or
// writes comes in through [Deps] and runs within commands.
//
// Where messages go:
//
//	size, background colour, clock             the model, which lays everything out anew
//	checklist, notices, history, demo state    the model's state; every part draws from it, on screen or not
//	key, paste                                 exactly one owner: an overlay, else the filter, else the focused pane, else the board
//	mouse                                      the part whose rectangle it is in
//	end of a toast                             the model, if it is the newest toast
//
// Update changes state and returns commands; View only reads. Neither blocks, asks the time, or calls anything of Deps.
package tui

import (
	"context"
	"maps"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

// focus is the pane that has the keys. Where only one pane fits, it is the one that is drawn.
type focus uint8

const (
	focusList focus = iota
	focusDetail
	focusNext
	focusHistory
	focusReport
	focusAction
	focusRuns
)

// page reports whether a pane takes the place of all others while it has the keys.
func (f focus) page() bool { return f >= focusHistory }

type overlay uint8

const (
	noOverlay overlay = iota
	helpOverlay
	demoOverlay
)

// feedNotice is the banner that says that the feed has ended.
const feedNotice = "tui-feed"

// Model is the board. Make one with [New].
type Model struct {
	ctx    context.Context
	d      Deps
	opts   theme.Options
	theme  *theme.Theme
	keys   keyMap
	w, h   int
	now    time.Time
	layout layout

	list    probes.Checklist
	have    bool // whether there is a list
	board   probes.Assessment
	newest  time.Time // of the newest data ever seen
	feedErr string    // why no newer checklist will come

	tree    tree
	focus   focus
	right   focus // what the right pane shows: focusDetail or focusNext
	pane    scroller
	hist    historyPage
	report  reportPage
	action  actionPage
	runs    runsPage
	ticking bool
	overlay overlay
	help    scroller

	asking   map[probes.ID]time.Time // checks that a person asked again, and when
	notices  []Notice
	toast    string
	toasts   int // counts, so that the end of an older toast does not end a newer one
	copied   int // how often the selected check's commands were copied
	past     past
	switches []Switch
}

// New returns the board. It lives until ctx ends or a person quits.
func New(ctx context.Context, d Deps) Model {
	m := Model{ctx: ctx, d: d, opts: d.Theme, keys: newKeyMap(), right: focusDetail}
	m.d.Mode.Platform = probes.Clean(d.Mode.Platform, 60)
	m.d.Mode.Context = probes.Clean(d.Mode.Context, 80)
	m.d.Mode.Who = probes.Clean(d.Mode.Who, 80)
	m.d.Mode.DemoLabel = probes.Clean(d.Mode.DemoLabel, 60)
	if m.d.Copy == nil {
		m.d.Copy = tea.SetClipboard
	}
	m.setTheme()
	return m
}

// Init starts the streams: checklists, the clock, notices, history.
func (m Model) Init() tea.Cmd {
	cmds := []tea.Cmd{m.nextList(), m.clock(0), m.nextNotice(), m.readPast(), m.readSwitches(), m.readOffers(), m.readRuns(0)}
	if m.opts.Dark == nil && !m.opts.NoColor {
		cmds = append(cmds, tea.RequestBackgroundColor)
	}
	return tea.Batch(cmds...)
}

// Update routes a message to its owner.
func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
	case tea.BackgroundColorMsg:
		if dark := msg.IsDark(); m.d.Theme.Dark == nil { // else somebody knew better
			m.opts.Dark = &dark
			m.setTheme()
		}
	case listMsg:
		cmd = m.takeList(msg)
	case clockMsg:
		cmd = m.takeClock(msg)
	case noticeMsg:
		m.takeNotice(Notice(msg))
		cmd = m.nextNotice()
	case pastMsg:
		m.takePast(msg)
	case historyMsg:
		m.takeHistory(msg)
	case reportMsg:
		m.takeReport(msg)
	case stripMsg:
		m.takeStrip(msg)
	case offersMsg:
		m.takeOffers(msg)
	case planMsg:
		m.takePlan(msg)
	case startedMsg:
		cmd = m.takeStarted(msg)
	case runsMsg:
		cmd = m.takeRuns(msg)
	case eventsMsg:
		cmd = m.takeEvents(msg)
	case tickMsg:
		cmd = m.takeTick(msg)
	case toldMsg:
		cmd = tea.Batch(m.say(msg.text), m.readRuns(0))
	case switchesMsg:
		m.takeSwitches(msg)
	case toastEndMsg:
		if int(msg) == m.toasts {
			m.toast = ""
		}
	case tea.KeyPressMsg:
		cmd = m.press(msg)
	case tea.PasteMsg:
		m.paste(msg)
	case tea.MouseClickMsg:
		m.click(tea.Mouse(msg))
	case tea.MouseWheelMsg:
		m.wheel(tea.Mouse(msg))
	default:
		return m, nil
	}
	m.reflow()
	return m, tea.Batch(cmd, m.readStrip())
}

// setTheme makes the theme anew from the options.
func (m *Model) setTheme() { m.theme = theme.New(m.opts) }

// takeList takes in a checklist and waits for the next one.
func (m *Model) takeList(msg listMsg) tea.Cmd {
	if msg.err != nil {
		m.feedErr = probes.Clean(msg.err.Error(), 300)
		m.takeNotice(Notice{ID: feedNotice, Level: Trouble, Text: "no more answers come in: " + m.feedErr})
		return nil
	}
	first := !m.have
	m.list, m.have = msg.list, true
	before, counts := m.board.Percent, m.board.Counts
	m.assess(msg.now)
	cmds := []tea.Cmd{m.nextList(), m.answered()}
	if !first && before != m.board.Percent {
		cmds = append(cmds, m.readPast())
	}
	if m.focus == focusReport && (before != m.board.Percent || !maps.Equal(counts, m.board.Counts)) {
		cmds = append(cmds, m.readReport())
	}
	return tea.Batch(cmds...)
}

// assess scores the checklist as of now.
func (m *Model) assess(now time.Time) {
	if now.After(m.now) {
		m.now = now
	}
	if !m.have {
		return
	}
	m.board = m.list.Assess(m.now)
	for _, i := range m.board.Items() {
		if i.Confirmed.After(m.newest) {
			m.newest = i.Confirmed
		}
	}
}

// answered notices which of the checks that a person asked again have answered.
func (m *Model) answered() tea.Cmd {
	if len(m.asking) == 0 {
		return nil
	}
	left, last := map[probes.ID]time.Time{}, ""
	for id, since := range m.asking {
		s, ok := m.list.Standing(id)
		switch {
		case !ok || m.now.Sub(since) > 2*time.Minute: // will not answer any more
		case s.Asked.Before(since):
			left[id] = since
		default:
			item, _ := m.board.Item(id)
			last = string(id) + ": " + item.Status.String()
		}
	}
	was := len(m.asking)
	m.asking = left
	switch {
	case len(left) > 0 || last == "":
		return nil
	case was == 1:
		return m.say(last)
	}
	return m.say("all have answered")
}

// takeNotice puts a banner up, or takes it down.
func (m *Model) takeNotice(n Notice) {
	n.Text = probes.Clean(n.Text, 400)
	kept := make([]Notice, 0, len(m.notices)+1)
	if n.Text != "" {
		kept = append(kept, n)
	}
	for _, old := range m.notices {
		if old.ID != n.ID && len(kept) < 20 {
			kept = append(kept, old)
		}
	}
	m.notices = kept
}

// say shows a short answer to a key for a few seconds.
func (m *Model) say(text string) tea.Cmd {
	m.toast = probes.Clean(text, 300)
	m.toasts++
	return m.endToast(m.toasts)
}

// reflow lays the board out for its state and size, and computes what panes scroll over.
func (m *Model) reflow() {
	before := m.tree.cursor()
	if !m.have || m.w <= 0 || m.h <= 0 {
		m.layout = newLayout(layoutInput{w: m.w, h: m.h, plain: true, list: true})
		return
	}
	m.tree.build(&m.board)
	if m.d.Mode.Wall {
		return
	}
	plain, inner := m.theme.Glyphs.ASCII, m.w-2
	if m.w >= wideWidth && m.h >= tallHeight && !plain {
		inner -= m.digitsWidth()
	}
	m.layout = newLayout(layoutInput{
		w: m.w, h: m.h, plain: plain, reasons: m.reasonCount(inner), notices: len(m.notices), list: m.focus == focusList,
		next: m.nextHeightNow(), page: m.focus.page(), strip: m.stripped() && m.focus != focusRuns,
	})
	sel := m.tree.sel
	m.tree.settle(&m.board, before, m.layout.list.Dy())
	if m.tree.sel != sel && m.right == focusDetail {
		m.pane.top, m.copied = 0, 0
	}
	if m.overlay == helpOverlay {
		m.help.set(m.helpLines(m.overlayWidth()-4), m.overlayHeight())
	}
	if pane := m.layout.detail; m.focus == focusHistory {
		m.layHistory(pane.Dx(), pane.Dy())
	} else if m.focus == focusReport {
		m.layReport(pane.Dx(), pane.Dy())
	} else if m.focus == focusAction {
		m.action.scroll.set(m.actionLines(pane.Dx()-2), pane.Dy())
	} else if m.focus == focusRuns {
		return
	} else if !pane.Empty() {
		m.pane.set(m.paneLines(pane.Dx()-m.paneInset()), pane.Dy())
	}
}

func (m *Model) nextHeightNow() int {
	if m.right == focusNext {
		return 0
	}
	return m.nextHeight()
}

// paneInset is the empty space beside the lines of the right pane.
func (m *Model) paneInset() int {
	if m.layout.wide {
		return 1
	}
	return 2
}

func (m *Model) paneLines(w int) []string {
	if m.right == focusNext {
		return m.nextLines(w)
	}
	return m.detailLines(w)
}

// View draws the board as it was last laid out.
func (m Model) View() tea.View {
	v := tea.NewView(m.frame())
	v.AltScreen = true
	v.WindowTitle = m.windowTitle()
	v.BackgroundColor, v.ForegroundColor = m.theme.Background, m.theme.Foreground
	if !m.d.Mode.Wall {
		v.MouseMode = tea.MouseModeCellMotion
		v.Cursor = m.filterCursor()
	}
	return v
}

func (m *Model) windowTitle() string {
	if !m.have {
		return m.platform()
	}
	percent, _ := scoreText(&m.board)
	return strings.Join([]string{percent, m.board.Verdict.String(), m.platform()}, " ")
}

func (m *Model) setAsking(all ...probes.ID) {
	m.asking = maps.Clone(m.asking)
	if m.asking == nil {
		m.asking = map[probes.ID]time.Time{}
	}
	for _, id := range all {
		m.asking[id] = m.now
	}
}
