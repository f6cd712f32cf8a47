package tui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

// keyMap are the keys of the board. The help shows those that work at the moment, see [Model.bindings].
type keyMap struct {
	up, down, pageUp, pageDown, home, end  key.Binding
	open, unfold, fold, pane, back         key.Binding
	filter, sort, foldAll                  key.Binding
	refresh, refreshAll, copy, next, theme key.Binding
	history, zoom, report                  key.Binding
	actions, runs                          key.Binding
	demo, help, quit, interrupt, suspend   key.Binding
}

func newKeyMap() keyMap {
	bind := func(help, does string, keys ...string) key.Binding {
		return key.NewBinding(key.WithKeys(keys...), key.WithHelp(help, does))
	}
	return keyMap{
		up:         bind("↑ k", "up", "up", "k"),
		down:       bind("↓ j", "down", "down", "j"),
		pageUp:     bind("pgup", "page up", "pgup", "ctrl+b"),
		pageDown:   bind("pgdn", "page down", "pgdown", "ctrl+f"),
		home:       bind("home", "first", "home", "g"),
		end:        bind("end", "last", "end", "G"),
		open:       bind("enter", "open", "enter", "space"),
		unfold:     bind("→ l", "unfold", "right", "l"),
		fold:       bind("← h", "fold", "left", "h"),
		pane:       bind("tab", "other pane", "tab", "shift+tab"),
		back:       bind("esc", "back", "esc"),
		filter:     bind("/", "filter", "/"),
		sort:       bind("s", "sort", "s"),
		foldAll:    bind("c", "fold", "c"),
		refresh:    bind("r", "ask again", "r"),
		refreshAll: bind("R", "ask all again", "R"),
		copy:       bind("y", "copy", "y"),
		next:       bind("n", "next", "n"),
		history:    bind("H", "history", "H"),
		report:     bind("p", "report", "p"),
		actions:    bind("a", "actions", "a"),
		runs:       bind("L", "runs", "L"),
		zoom:       bind("z", "zoom", "z"),
		theme:      bind("t", "theme", "t"),
		demo:       bind("d", "demo switches", "d"),
		help:       bind("?", "help", "?"),
		quit:       bind("q", "quit", "q"),
		suspend:    bind("ctrl+z", "suspend", "ctrl+z"),
		interrupt:  bind("ctrl+c", "quit", "ctrl+c"),
	}
}

// taken reports whether a key does something on the board already.
func (k keyMap) taken(name string) bool {
	for _, b := range []key.Binding{
		k.up, k.down, k.pageUp, k.pageDown, k.home, k.end, k.open, k.unfold, k.fold, k.pane, k.back, k.filter, k.sort, k.foldAll, k.refresh,
		k.refreshAll, k.copy, k.next, k.theme, k.history, k.zoom, k.report, k.actions, k.runs, k.demo, k.help, k.quit, k.interrupt, k.suspend,
	} {
		if slices.Contains(b.Keys(), name) {
			return true
		}
	}
	return false
}

// bindings are the keys that do something here and now, the most useful first.
func (m *Model) bindings() []key.Binding {
	k := m.keys
	if m.typing() != nil && m.focus != focusAction && m.focus != focusRuns {
		return []key.Binding{described(k.open, "enter", "keep"), described(k.back, "esc", "clear"), described(k.up, "↑↓", "move")}
	}
	if m.overlay != noOverlay {
		all := []key.Binding{described(k.back, "esc", "close")}
		if m.overlay == helpOverlay && len(m.help.lines) > m.overlayHeight() {
			all = append(all, described(k.up, "↑↓", "scroll"))
		}
		if m.overlay == demoOverlay && len(m.switches) > 0 {
			all = append(all, described(k.demo, m.switches[0].Key+"…", "switch"))
		}
		return all
	}
	if !m.have || m.layout.tiny {
		return []key.Binding{k.theme, k.quit}
	}
	switch m.focus {
	case focusHistory:
		return m.historyBindings()
	case focusAction:
		return m.actionBindings()
	case focusRuns:
		return m.runsBindings()
	case focusList, focusDetail, focusNext, focusReport:
	}
	if m.focus == focusReport {
		return m.reportBindings()
	}
	all := []key.Binding{described(k.up, "↑↓", "scroll"), k.back}
	item, comp := m.selected()
	if m.focus == focusList {
		all = []key.Binding{described(k.up, "↑↓", "move")}
		if comp != nil {
			all = append(all, k.open)
		}
		all = append(all, k.filter)
	}
	if m.d.Refresh != nil && comp != nil && m.focus != focusNext {
		all = append(all, k.refresh)
	}
	if item != nil && len(commands(item)) > 0 && m.focus != focusNext {
		all = append(all, k.copy)
	}
	all = append(all, k.next)
	if m.d.Actions != nil {
		if item != nil {
			if o, ok := m.offerOf(item.Spec.Action); ok && planable(o) && o.Key != "" {
				all = append(all, key.NewBinding(key.WithKeys(o.Key), key.WithHelp(o.Key, probes.Clean(strings.ToLower(o.Title), 30))))
			}
		}
		all = append(all, k.actions, k.runs)
	}
	if m.d.History != nil {
		all = append(all, k.history)
	}
	if m.d.Report != nil {
		all = append(all, k.report)
	}
	if m.focus == focusList {
		all = append(all, k.sort, k.foldAll)
	}
	all = append(all, k.pane)
	if m.d.Refresh != nil {
		all = append(all, k.refreshAll)
	}
	if m.d.Demo != nil {
		all = append(all, k.demo)
	}
	all = append(all, k.theme, k.help, k.quit)
	if m.focus == focusList && m.tree.filter.text != "" {
		all = append([]key.Binding{described(k.back, "esc", "clear filter")}, all...)
	}
	return all
}

// described is the binding with other words for what it does here.
func described(b key.Binding, keys, does string) key.Binding {
	b.SetHelp(keys, does)
	return b
}

// press gives a key to its one owner.
func (m *Model) press(k tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(k, m.keys.interrupt):
		return tea.Quit
	case m.d.Mode.Wall:
		return nil
	case key.Matches(k, m.keys.suspend):
		return tea.Suspend
	case m.overlay != noOverlay:
		return m.pressOverlay(k)
	case m.tree.filter.typing:
		m.pressFilter(k)
	case m.focus == focusHistory && m.hist.filter.typing:
		m.pressHistoryFilter(k)
	case m.focus == focusRuns && m.runs.filter.typing:
		m.pressRunFilter(k)
	case m.focus == focusRuns && m.runs.typed.typing:
		return m.pressName(k)
	case m.typing() != nil || m.focus == focusAction && m.action.stage == stageForm:
		return m.pressAction(k)
	case key.Matches(k, m.keys.quit):
		return tea.Quit
	case key.Matches(k, m.keys.theme):
		m.opts.Name = theme.Next(m.opts.Name)
		m.setTheme()
		return m.say("theme: " + m.theme.Name)
	case !m.have || m.layout.tiny:
		return nil
	case key.Matches(k, m.keys.help):
		m.overlay, m.help.top = helpOverlay, 0
	case m.d.Demo != nil && key.Matches(k, m.keys.demo):
		m.overlay = demoOverlay
		return m.readSwitches()
	case m.focus == focusReport:
		return m.pressReport(k)
	case m.focus == focusAction:
		return m.pressAction(k)
	case m.focus == focusRuns:
		return m.pressRuns(k)
	case m.focus == focusHistory:
		if m.pressHistory(k) {
			return nil
		}
		return m.pressBoard(k)
	case m.focus == focusList:
		if m.pressList(k) {
			return nil
		}
		return m.pressBoard(k)
	default:
		if m.pressPane(k) {
			return nil
		}
		return m.pressBoard(k)
	}
	return nil
}

// pressList handles the keys of the checklist and reports whether it was one of them.
func (m *Model) pressList(k tea.KeyPressMsg) bool {
	t := &m.tree
	height := m.layout.list.Dy()
	switch {
	case key.Matches(k, m.keys.up):
		m.selectBy(-1)
	case key.Matches(k, m.keys.down):
		m.selectBy(1)
	case key.Matches(k, m.keys.pageUp):
		m.selectBy(1 - height)
	case key.Matches(k, m.keys.pageDown):
		m.selectBy(height - 1)
	case key.Matches(k, m.keys.home):
		m.selectBy(-len(t.rows))
	case key.Matches(k, m.keys.end):
		m.selectBy(len(t.rows))
	case key.Matches(k, m.keys.open), key.Matches(k, m.keys.unfold):
		m.openRow(key.Matches(k, m.keys.open))
	case key.Matches(k, m.keys.fold):
		m.foldRow()
	case key.Matches(k, m.keys.filter):
		t.filter.typing = true
	case key.Matches(k, m.keys.sort):
		t.order = (t.order + 1) % orders
	case key.Matches(k, m.keys.foldAll):
		t.foldAll(&m.board)
	case key.Matches(k, m.keys.back) && t.filter.text != "":
		t.filter.text = ""
	default:
		return false
	}
	return true
}

// selectBy moves the selection and shows the new one's detail from its top.
func (m *Model) selectBy(n int) {
	m.tree.move(n)
	m.pane.top, m.copied = 0, 0
}

// openRow unfolds a component, or shows a check's detail; toggling folds an open component again.
func (m *Model) openRow(toggle bool) {
	item, comp := m.selected()
	m.tree.touched = true
	switch {
	case item != nil:
		m.focus, m.right = focusDetail, focusDetail
	case comp != nil && m.tree.filter.text == "":
		m.tree.fold(comp.Component.ID, toggle && !m.tree.folded(comp))
	}
}

// foldRow folds the component that the selected row belongs to, and selects it.
func (m *Model) foldRow() {
	_, comp := m.selected()
	if comp == nil || m.tree.filter.text != "" {
		return
	}
	m.tree.sel, m.tree.touched = rowID{id: comp.Component.ID}, true
	m.tree.fold(comp.Component.ID, true)
	m.pane.top, m.copied = 0, 0
}

// pressPane handles the keys of the pane beside the checklist.
func (m *Model) pressPane(k tea.KeyPressMsg) bool {
	height := m.layout.detail.Dy()
	switch {
	case key.Matches(k, m.keys.back), key.Matches(k, m.keys.fold):
		m.focus, m.right = focusList, focusDetail
		m.pane.top = 0
	case scrollKey(&m.pane, m.keys, k, height):
	default:
		return false
	}
	return true
}

// scrollKey scrolls and reports whether the key was one for that.
func scrollKey(s *scroller, keys keyMap, k tea.KeyPressMsg, height int) bool {
	switch {
	case key.Matches(k, keys.up):
		s.scroll(-1, height)
	case key.Matches(k, keys.down):
		s.scroll(1, height)
	case key.Matches(k, keys.pageUp):
		s.scroll(1-height, height)
	case key.Matches(k, keys.pageDown):
		s.scroll(height-1, height)
	case key.Matches(k, keys.home):
		s.scroll(-len(s.lines), height)
	case key.Matches(k, keys.end):
		s.scroll(len(s.lines), height)
	default:
		return false
	}
	return true
}

// pressBoard handles the keys that work in every pane.
func (m *Model) pressBoard(k tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(k, m.keys.pane):
		m.switchPane()
	case key.Matches(k, m.keys.next):
		m.pane.top = 0
		if m.right == focusNext {
			m.focus, m.right = focusList, focusDetail
		} else {
			m.focus, m.right = focusNext, focusNext
		}
	case key.Matches(k, m.keys.history) && m.d.History != nil:
		return m.openHistory()
	case key.Matches(k, m.keys.report) && m.d.Report != nil:
		return m.openReport()
	case m.d.Actions != nil && key.Matches(k, m.keys.actions):
		return m.openActions()
	case m.d.Actions != nil && key.Matches(k, m.keys.runs):
		return m.openRuns()
	case m.focus.page(): // the keys below are about the selected check, which is not on screen
	case key.Matches(k, m.keys.refresh):
		return m.refreshSelected()
	case key.Matches(k, m.keys.refreshAll) && m.d.Refresh != nil:
		return tea.Batch(m.refresh(), m.say("asking every check again"))
	case key.Matches(k, m.keys.copy):
		return m.copyCommand()
	default:
		if o, ok := m.offerByKey(k); ok && m.d.Actions != nil && planable(o) {
			return m.choose(o)
		}
	}
	return nil
}

func (m *Model) switchPane() {
	if m.focus == focusList {
		m.focus = m.right
	} else {
		m.focus = focusList
	}
}

func (m *Model) refreshSelected() tea.Cmd {
	item, comp := m.selected()
	if m.d.Refresh == nil || comp == nil {
		return nil
	}
	if item != nil {
		m.setAsking(item.Spec.ID)
		return tea.Batch(m.refresh(item.Spec.ID), m.say("asking "+string(item.Spec.ID)+" again"))
	}
	all := make([]probes.ID, 0, len(comp.Items))
	for _, i := range comp.Items {
		all = append(all, i.Spec.ID)
	}
	if len(all) == 0 {
		return nil
	}
	m.setAsking(all...)
	return tea.Batch(m.refresh(all...), m.say("asking "+plural(len(all), "check", "checks")+" again"))
}

// copyCommand copies the command that repeats what was asked; pressed again, the next one.
func (m *Model) copyCommand() tea.Cmd {
	item, _ := m.selected()
	if item == nil {
		return nil
	}
	all := commands(item)
	if len(all) == 0 {
		return m.say("there is no command to copy here")
	}
	text := all[m.copied%len(all)]
	m.copied++
	return tea.Batch(m.d.Copy(text), m.say("copied: "+text))
}
