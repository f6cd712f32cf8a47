package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

// The action page leads from the list of actions over what a person decides and the plan to a run. Nothing changes before the plan was seen
// and agreed to.

// stage is how far the page is.
type stage uint8

const (
	stageMenu stage = iota
	stageForm
	stagePlanning
	stagePlan
	stageStarting
)

// actionPage is what the page shows.
type actionPage struct {
	stage  stage
	offers []actions.Offer
	sel    int // of offers
	offer  actions.Offer
	values actions.Inputs
	field  int // of the offer's inputs
	text   filterInput
	since  time.Time // since when it plans or starts
	asked  int       // counts plans, so that the answer to one that was left is dropped
	leave  context.CancelFunc
	plan   actions.Plan
	typed  filterInput // the platform's name
	err    string
	scroll scroller
}

type (
	offersMsg []actions.Offer
	planMsg   struct {
		asked int
		plan  actions.Plan
		err   error
	}
	startedMsg struct {
		asked int
		id    actions.RunID
		err   error
	}
)

// Limits of planning and starting.
const (
	planTimeout  = 10 * time.Minute
	startTimeout = 3 * time.Minute
)

// readOffers asks what can be done.
func (m *Model) readOffers() tea.Cmd {
	engine := m.d.Actions
	if engine == nil {
		return nil
	}
	return func() tea.Msg { return offersMsg(engine.Offers()) }
}

// takeOffers takes in what can be done. A key that the board or an earlier action has is no action's: that one is reached from the list.
func (m *Model) takeOffers(offers []actions.Offer) {
	a := &m.action
	a.offers = slices.Clone(offers)
	seen := map[string]bool{}
	for i := range a.offers {
		o := &a.offers[i]
		if seen[o.Key] || m.keys.taken(o.Key) {
			o.Key = ""
		}
		seen[o.Key] = true
	}
	a.sel = max(0, min(a.sel, len(offers)-1))
}

// offerOf is the action with an ID, if there is one.
func (m *Model) offerOf(id probes.ID) (actions.Offer, bool) {
	i := slices.IndexFunc(m.action.offers, func(o actions.Offer) bool { return o.ID == id })
	if i < 0 || id == "" {
		return actions.Offer{}, false
	}
	return m.action.offers[i], true
}

// offerByKey is the action that a key starts.
func (m *Model) offerByKey(k tea.KeyPressMsg) (actions.Offer, bool) {
	i := slices.IndexFunc(m.action.offers, func(o actions.Offer) bool { return o.Key != "" && o.Key == k.String() })
	if i < 0 {
		return actions.Offer{}, false
	}
	return m.action.offers[i], true
}

// ready reports whether an action can be planned.
func planable(o actions.Offer) bool {
	return len(o.Inputs) > 0 || o.Refused == "" || o.Kind == "script"
}

// openActions shows the list of actions.
func (m *Model) openActions() tea.Cmd {
	m.focus = focusAction
	m.action.stage, m.action.err, m.action.scroll.top = stageMenu, "", 0
	return m.readOffers()
}

// choose begins with an action: with its form, or if it has none, with its plan.
func (m *Model) choose(o actions.Offer) tea.Cmd {
	m.focus = focusAction
	a := &m.action
	a.offer, a.err, a.field, a.scroll.top, a.values = o, "", 0, 0, actions.Inputs{}
	for _, in := range o.Inputs {
		a.values[in.Name] = in.Default
	}
	if len(o.Inputs) == 0 {
		return m.makePlan()
	}
	a.stage = stageForm
	m.editField()
	return nil
}

// editField puts the value of the current input into the line that is typed.
func (m *Model) editField() {
	a := &m.action
	a.text = filterInput{}
	if in := a.offer.Inputs[a.field]; len(in.Options) == 0 {
		a.text = filterInput{text: a.values[in.Name], typing: true}
	}
}

// makePlan has the action planned.
func (m *Model) makePlan() tea.Cmd {
	a := &m.action
	a.stage, a.since, a.err, a.scroll.top = stagePlanning, m.now, "", 0
	a.asked++
	asked, engine, id, in := a.asked, m.d.Actions, a.offer.ID, a.values
	ctx, cancel := context.WithTimeout(m.ctx, planTimeout)
	a.leave = cancel
	return tea.Batch(m.tick(), func() tea.Msg {
		defer cancel()
		p, err := engine.Plan(ctx, id, in)
		return planMsg{asked, p, err}
	})
}

func (m *Model) takePlan(msg planMsg) {
	a := &m.action
	if msg.asked != a.asked || a.stage != stagePlanning {
		return // it was left
	}
	a.typed, a.scroll.top = filterInput{}, 0
	if msg.err != nil {
		a.stage, a.err = stageForm, probes.Clean(msg.err.Error(), 600)
		if len(a.offer.Inputs) == 0 {
			a.stage = stageMenu
		}
		return
	}
	a.stage, a.plan = stagePlan, msg.plan
	a.typed.typing = m.mayStart() && msg.plan.Worst() == actions.Deletes
}

// mayStart reports whether the plan can be carried out.
func (m *Model) mayStart() bool {
	a := &m.action
	return a.offer.Refused == "" && len(a.plan.Missing) == 0 && len(a.plan.Steps) > 0 && !m.d.Mode.ReadOnly
}

// startRun has the plan carried out.
func (m *Model) startRun() tea.Cmd {
	a := &m.action
	a.stage, a.since = stageStarting, m.now
	a.asked++
	asked, engine, plan, typed := a.asked, m.d.Actions, a.plan, a.typed.text
	parent := m.ctx
	return tea.Batch(m.tick(), func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, startTimeout)
		defer cancel()
		id, err := engine.Start(ctx, plan, typed)
		return startedMsg{asked, id, err}
	})
}

func (m *Model) takeStarted(msg startedMsg) tea.Cmd {
	a := &m.action
	if msg.err != nil {
		if msg.asked == a.asked && a.stage == stageStarting {
			a.stage, a.err = stagePlan, probes.Clean(msg.err.Error(), 600)
		}
		if m.focus != focusAction { // the page was left meanwhile
			return m.say(a.offer.Title + " was not started: " + msg.err.Error())
		}
		return nil
	}
	if m.focus == focusAction {
		m.focus = focusRuns
	}
	a.stage = stageMenu
	m.runs.want, m.runs.begun = msg.id, append(slices.Clip(m.runs.begun), msg.id)
	return tea.Batch(m.readRuns(0), m.say(string(msg.id)+" has started"))
}

// pressAction handles the keys of the page.
func (m *Model) pressAction(k tea.KeyPressMsg) tea.Cmd {
	a := &m.action
	switch {
	case a.stage == stageForm:
		return m.pressForm(k)
	case a.stage == stagePlan && a.typed.typing:
		return m.pressTyped(k)
	case key.Matches(k, m.keys.back):
		return m.leaveAction()
	case a.stage == stageMenu:
		return m.pressMenu(k)
	case a.stage == stagePlan && (k.String() == "enter" || k.String() == "y") && m.mayStart():
		return m.startRun()
	case a.stage == stagePlan && key.Matches(k, m.keys.refresh):
		return m.makePlan()
	case scrollKey(&a.scroll, m.keys, k, m.layout.detail.Dy()):
	case a.stage == stagePlan:
		return m.pressBoard(k)
	}
	return nil
}

// leaveAction goes one stage back.
func (m *Model) leaveAction() tea.Cmd {
	a := &m.action
	switch a.stage {
	case stagePlanning:
		a.leave()
		a.asked++
		a.stage = stageMenu
		if len(a.offer.Inputs) > 0 {
			a.stage = stageForm
			m.editField()
		}
	case stagePlan:
		a.stage, a.err = stageMenu, ""
		if len(a.offer.Inputs) > 0 {
			a.stage = stageForm
			m.editField()
		}
	case stageMenu, stageForm, stageStarting:
		m.focus = focusList
	}
	a.scroll.top = 0
	return nil
}

func (m *Model) pressMenu(k tea.KeyPressMsg) tea.Cmd {
	a := &m.action
	switch {
	case key.Matches(k, m.keys.actions):
		m.focus = focusList
	case key.Matches(k, m.keys.up):
		a.sel = max(0, a.sel-1)
	case key.Matches(k, m.keys.down):
		a.sel = min(a.sel+1, len(a.offers)-1)
	case key.Matches(k, m.keys.open) && a.sel < len(a.offers):
		if o := a.offers[a.sel]; planable(o) {
			return m.choose(o)
		}
	default:
		if o, ok := m.offerByKey(k); ok && planable(o) {
			return m.choose(o)
		}
		return m.pressBoard(k)
	}
	return nil
}

func (m *Model) pressForm(k tea.KeyPressMsg) tea.Cmd {
	a := &m.action
	in := a.offer.Inputs[a.field]
	keep := func() {
		if len(in.Options) == 0 {
			a.values = cloneValues(a.values, in.Name, strings.TrimSpace(a.text.text))
		}
	}
	turn := func(by int) {
		if n := len(in.Options); n > 0 {
			at := slices.Index(in.Options, a.values[in.Name])
			a.values = cloneValues(a.values, in.Name, in.Options[(at+by+n)%n])
		}
	}
	move := func(by int) {
		keep()
		n := len(a.offer.Inputs)
		a.field = (a.field + by + n) % n
		m.editField()
	}
	switch k.String() {
	case "esc":
		m.action.stage, m.action.err = stageMenu, ""
	case "enter":
		keep()
		return m.makePlan()
	case "up", "shift+tab":
		move(-1)
	case "down", "tab":
		move(1)
	case "left":
		turn(-1)
	case "right":
		turn(1)
	case "space":
		turn(1)
		if len(in.Options) == 0 {
			a.text.add(" ")
		}
	default:
		if len(in.Options) == 0 {
			a.text.edit(k)
		}
	}
	return nil
}

func cloneValues(all actions.Inputs, name, value string) actions.Inputs {
	out := actions.Inputs{}
	for k, v := range all {
		out[k] = v
	}
	out[name] = value
	return out
}

// pressTyped handles keys while the platform's name is typed.
func (m *Model) pressTyped(k tea.KeyPressMsg) tea.Cmd {
	a := &m.action
	switch k.String() {
	case "esc":
		return m.leaveAction()
	case "enter":
		if a.typed.text == a.plan.Platform {
			return m.startRun()
		}
		return m.say("that is not the platform's name, " + a.plan.Platform)
	case "up", "down", "pgup", "pgdown":
		scrollKey(&a.scroll, m.keys, k, m.layout.detail.Dy())
	default:
		a.typed.edit(k)
	}
	return nil
}

// actionBindings are the keys that do something on the page.
func (m *Model) actionBindings() []key.Binding {
	k, a := m.keys, &m.action
	switch a.stage {
	case stageMenu:
		all := []key.Binding{described(k.up, "↑↓", "move"), described(k.open, "enter", "plan"), k.back}
		return append(all, k.runs, k.theme, k.help, k.quit)
	case stageForm:
		return []key.Binding{described(k.open, "enter", "plan"), described(k.up, "↑↓", "field"), described(k.fold, "←→", "change"), described(k.back, "esc", "back")}
	case stagePlan:
		if a.typed.typing {
			return []key.Binding{described(k.open, "enter", "start, when the name is typed"), described(k.up, "↑↓", "scroll"), described(k.back, "esc", "back")}
		}
		var all []key.Binding
		if m.mayStart() {
			all = append(all, described(k.open, "enter", "start"))
		}
		return append(all, described(k.up, "↑↓", "scroll"), described(k.refresh, "r", "plan again"), k.back, k.theme, k.help, k.quit)
	case stagePlanning, stageStarting:
	}
	return []key.Binding{k.back, k.theme, k.quit}
}

// actionTitle is the title of the page.
func (m *Model) actionTitle() []span {
	th, a := m.theme, &m.action
	switch a.stage {
	case stageForm:
		return []span{in(th.Heading, a.offer.Title), in(th.Muted, "  what to decide")}
	case stagePlanning:
		return []span{in(th.Heading, a.offer.Title), in(th.Muted, "  planning, which only reads")}
	case stagePlan:
		return []span{in(th.Heading, a.offer.Title), in(th.Muted, "  the plan")}
	case stageStarting:
		return []span{in(th.Heading, a.offer.Title), in(th.Muted, "  starting")}
	case stageMenu:
	}
	return []span{in(th.Heading, "Actions"), in(th.Muted, "  what gonogo can do to the platform")}
}

// actionLines are the lines of the page.
func (m *Model) actionLines(w int) []string {
	th, a := m.theme, &m.action
	var out []string
	if a.err != "" {
		out = append(out, wrapped(th.Fail, th.Glyphs.Fail+" "+a.err, "", w)...)
		out = append(out, "")
	}
	switch a.stage {
	case stageMenu:
		return append(out, m.menuLines(w)...)
	case stageForm:
		return append(out, m.formLines(w)...)
	case stagePlan:
		return append(out, m.planLines(w)...)
	case stagePlanning, stageStarting:
	}
	doing := "Planning: looking at what is there and what is missing"
	if a.stage == stageStarting {
		doing = "Starting a process for the run"
	}
	return append(out, line(th, w, []span{in(th.Accent, th.Glyphs.Live+" "), in(th.Text, fmt.Sprintf("%s, %d s", doing, int(m.now.Sub(a.since).Seconds())))}, nil, nil))
}

func (m *Model) menuLines(w int) []string {
	th, a := m.theme, &m.action
	if len(a.offers) == 0 {
		return wrapped(th.Muted, "The profile declares no actions.", "", w)
	}
	var out []string
	for n, o := range a.offers {
		var as look
		mark := "  "
		if n == a.sel {
			as, mark = th.Selected, th.Glyphs.Cursor+" "
		}
		name := in(th.Text, probes.Clean(o.Title, 60))
		if !planable(o) {
			name.style = th.Muted
		}
		keyText := "   "
		if o.Key != "" {
			keyText = fmt.Sprintf("%-3s", o.Key)
		}
		right := []span{in(th.Muted, "est. "+o.Estimate.String()+" ")}
		if o.Estimate.String() == "" {
			right = nil
		}
		out = append(out, line(th, w, []span{in(th.Accent, mark), in(th.Accent, keyText), name}, right, as))
		if text := o.About; n == a.sel {
			if o.Refused != "" {
				text = o.Refused
			}
			out = append(out, wrapped(th.Muted, probes.Clean(text, 400), "     ", w)...)
		}
	}
	return out
}

func (m *Model) formLines(w int) []string {
	th, a := m.theme, &m.action
	room := min(32, max(10, w/2-6))
	var out []string
	for n, in1 := range a.offer.Inputs {
		var as look
		mark := "  "
		if n == a.field {
			as, mark = th.Selected, th.Glyphs.Cursor+" "
		}
		value := a.values[in1.Name]
		if n == a.field && len(in1.Options) == 0 {
			value = a.text.text + "_"
		}
		shown := []span{in(th.Strong, value)}
		if len(in1.Options) > 0 {
			shown = nil
			for _, o := range in1.Options {
				style := th.Muted
				text := " " + o + " "
				if o == a.values[in1.Name] {
					style, text = th.Strong, "["+o+"]"
				}
				shown = append(shown, in(style, text))
			}
		}
		left := append([]span{in(th.Accent, mark), in(th.Text, fmt.Sprintf("%-*s ", room, probes.Clean(in1.Title, room)))}, shown...)
		out = append(out, line(th, w, left, nil, as))
		if n == a.field && in1.About != "" {
			out = append(out, wrapped(th.Muted, probes.Clean(in1.About, 300), "    ", w)...)
		}
	}
	return append(out, "", line(th, w, []span{in(th.Accent, "  enter"), in(th.Muted, " makes a plan, which only reads; nothing changes before you have seen it")}, nil, nil))
}
