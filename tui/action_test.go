package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

// fakeEngine is an engine that plays what a test wants.
type fakeEngine struct {
	offers []actions.Offer
	plan   actions.Plan
	err    error

	mu      sync.Mutex
	runs    []actions.RunInfo
	events  map[actions.RunID][]actions.Event
	typed   string
	given   actions.Inputs
	answers map[string]actions.Answer
	calls   []string
}

func (e *fakeEngine) note(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, fmt.Sprintf(format, args...))
}

func (e *fakeEngine) Offers() []actions.Offer { return e.offers }
func (e *fakeEngine) Plan(_ context.Context, id probes.ID, in actions.Inputs) (actions.Plan, error) {
	e.note("plan %s", id)
	e.given = in
	return e.plan, e.err
}
func (e *fakeEngine) Start(_ context.Context, p actions.Plan, typed string) (actions.RunID, error) {
	e.note("start %s", p.Action)
	e.typed = typed
	return "mirror-12", e.err
}
func (e *fakeEngine) Runs(context.Context) ([]actions.RunInfo, error) { return e.runs, nil }
func (e *fakeEngine) Follow(_ context.Context, id actions.RunID) (actions.Follower, error) {
	return &fakeFollower{events: e.events[id]}, nil
}
func (e *fakeEngine) Resume(_ context.Context, id actions.RunID, answers map[string]actions.Answer, typed string) error {
	e.note("resume %s", id)
	e.answers, e.typed = answers, typed
	return nil
}
func (e *fakeEngine) Cancel(_ context.Context, id actions.RunID) error {
	e.note("cancel %s", id)
	return nil
}

// fakeFollower has all its events at once.
type fakeFollower struct {
	events []actions.Event
	closed bool
}

func (f *fakeFollower) Read(_ context.Context, limit int) ([]actions.Event, error) {
	if len(f.events) == 0 {
		return nil, io.EOF
	}
	n := min(limit, len(f.events))
	some := f.events[:n]
	f.events = f.events[n:]
	return some, nil
}
func (f *fakeFollower) Close() error { f.closed = true; return nil }

// somePlan is a plan of three copies and a script.
func somePlan(worst actions.Effect) actions.Plan {
	return actions.Plan{
		Action: "mirror", Kind: "mirror", Title: "Mirror images", Platform: "254Carbon", Summary: "3 of 33 images to copy", Already: 30,
		Notes: []string{"25 images are pulled from Docker Hub, which allows 76 more of 100 in 6h0m0s."}, Mends: []probes.ID{"images-mirrored"},
		Steps: []actions.Step{
			{ID: "robot", Title: "Make the robot account robot$254carbon+mirror", Target: "harbor.254carbon.com", Effect: actions.Creates, Detail: []string{"may push and pull in 254carbon, for 365 days"}},
			{ID: "copy trino", Title: "Copy trinodb/trino:424", Target: "harbor.254carbon.com/254carbon/trino:424", Effect: actions.Creates, Group: "copy", Size: actions.Amount{Units: 1, Bytes: 1_200_000_000}},
			{ID: "copy redis", Title: "Copy redis:7.2", Target: "harbor.254carbon.com/254carbon/redis:7.2", Effect: actions.Creates, Group: "copy", Size: actions.Amount{Units: 1, Bytes: 45_000_000}},
			{ID: "script", Title: "Run scripts/last.sh", Effect: worst, Unrepeatable: true},
		},
	}
}

func someOffers() []actions.Offer {
	inputs := []actions.Input{
		{Name: "apply", Title: "Point workloads to the copies", About: "true changes the cluster; false writes patch files", Default: "false", Options: []string{"false", "true"}},
		{Name: "platforms", Title: "Platforms", About: "empty keeps all"},
	}
	return []actions.Offer{
		{Spec: actions.Spec{ID: "mirror", Kind: "mirror", Title: "Mirror images", About: "Copies the platform's images to its own Harbor.", Key: "m", Estimate: probes.Effort{Min: 2 * time.Hour, Max: 3 * time.Hour}, Inputs: inputs}},
		{Spec: actions.Spec{ID: "sso-script", Kind: "script", Title: "Run the SSO script", About: "Runs a script."}},
		{Spec: actions.Spec{ID: "join-command", Kind: "join-command", Title: "Join worker nodes"}, Refused: "Join worker nodes is done by hand"},
	}
}

// someEvents are a run in its middle.
func someEvents() []actions.Event {
	all := []actions.Event{
		{Kind: actions.Started, By: "ana@bastion"},
		{Kind: actions.Began, Step: "robot"}, {Kind: actions.Log, Step: "robot", Text: "the robot account robot$254carbon+mirror is there"}, {Kind: actions.Finished, Step: "robot"},
		{Kind: actions.Began, Step: "copy trino"}, {Kind: actions.Progress, Step: "copy trino", Done: actions.Amount{Bytes: 620_000_000}, Total: actions.Amount{Units: 1, Bytes: 1_200_000_000}},
		{Kind: actions.Began, Step: "copy redis"}, {Kind: actions.Waiting, Step: "copy redis", Text: "index.docker.io answers 429 and asks for 5s", Until: noon().Add(4 * time.Second)},
		{Kind: actions.Log, Step: "copy redis", Text: "\x1b[31mred\x1b[0m \x1b]52;c;aGk=\x07 and a very long line " + strings.Repeat("x", 3000)},
	}
	for i := range all {
		all[i].Seq, all[i].At = int64(i+1), noon().Add(time.Duration(i-20)*time.Second)
	}
	return all
}

func someRun(events []actions.Event, alive bool, outcome actions.Outcome) actions.RunInfo {
	p := somePlan(actions.Updates)
	var s actions.State
	for _, e := range events {
		s.Apply(e)
	}
	return actions.RunInfo{
		ID: "mirror-12", Action: "mirror", Title: p.Title, Platform: p.Platform, By: "ana@bastion", Started: events[0].At, Outcome: outcome, Alive: alive, Plan: p, State: s,
		Log: "/state/runs/mirror-12/run.log",
	}
}

// acting is a board with an engine.
func acting(t testing.TB, e *fakeEngine, w, h int, change ...func(*Deps)) Model {
	t.Helper()
	d := Deps{History: record{}, Refresh: func(...probes.ID) {}, Actions: e, Now: noon, Mode: Mode{Who: "admin@bastion"}, Copy: func(string) tea.Cmd { return nil }}
	for _, f := range change {
		f(&d)
	}
	m := board(t, d, documented(), w, h)
	return send(m, offersMsg(e.Offers()), runsMsg{all: e.runs})
}

// presses sends a key and takes in what its command says, without the pauses.
func presses(m Model, k string) Model {
	next, cmd := m.Update(press(k))
	m = next.(Model)
	for _, msg := range atOnce(cmd) {
		m = send(m, msg)
	}
	return m
}

// atOnce are those of a command that come at once.
func atOnce(cmd tea.Cmd) []tea.Msg {
	if cmd == nil {
		return nil
	}
	got := make(chan tea.Msg, 1)
	go func() { got <- cmd() }()
	var msg tea.Msg
	select {
	case msg = <-got:
	case <-time.After(300 * time.Millisecond):
		return nil
	}
	if batch, ok := msg.(tea.BatchMsg); ok {
		var all []tea.Msg
		for _, c := range batch {
			all = append(all, atOnce(c)...)
		}
		return all
	}
	if msg == nil {
		return nil
	}
	return []tea.Msg{msg}
}

func want(t *testing.T, m Model, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if !strings.Contains(text(m), s) {
			t.Errorf("the screen lacks %q:\n%s", s, text(m))
		}
	}
}

func TestAnActionByKeysAlone(t *testing.T) {
	e := &fakeEngine{offers: someOffers(), plan: somePlan(actions.Updates)}
	m := acting(t, e, 100, 30)
	m = sendAll(m, "m")
	want(t, m, "Point workloads to the copies", "[false]", "true changes the cluster")
	m = presses(send(m, press("right")), "enter")
	if e.given["apply"] != "true" {
		t.Errorf("planned with %v", e.given)
	}
	want(t, m, "3 of 33 images to copy", "worst effect: ~ updates", "30 already done", "Copy trinodb/trino:424", "enter starts it")
	e.runs = []actions.RunInfo{someRun(someEvents(), true, actions.Running)}
	m = presses(m, "enter")
	if !slices.Contains(e.calls, "start mirror") || m.focus != focusRuns || m.runs.want != "mirror-12" && m.runs.sel != "mirror-12" {
		t.Errorf("%v, focus %d, want %s, sel %s", e.calls, m.focus, m.runs.want, m.runs.sel)
	}
}

func TestWhatDeletesIsTyped(t *testing.T) {
	e := &fakeEngine{offers: someOffers(), plan: somePlan(actions.Deletes)}
	m := acting(t, e, 100, 30)
	m = presses(send(m, press("m")), "enter")
	want(t, m, "Type the platform's name, 254Carbon", "! deletes")
	m = presses(sendAll(m, "2", "5", "4"), "enter")
	if slices.Contains(e.calls, "start mirror") {
		t.Fatal("it started without the name")
	}
	want(t, m, "that is not the platform's name")
	m = presses(sendAll(m, "C", "a", "r", "b", "o", "n"), "enter")
	if e.typed != "254Carbon" || !slices.Contains(e.calls, "start mirror") {
		t.Errorf("typed %q, %v", e.typed, e.calls)
	}
}

func TestPlansThatCannotBeRun(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fakeEngine)
		deps   func(*Deps)
		says   string
	}{
		"read-only":         {deps: func(d *Deps) { d.Mode.ReadOnly = true }, says: "Read-only: this can be planned, not run."},
		"refused":           {change: func(e *fakeEngine) { e.offers[0].Refused = "locked by bea@laptop" }, says: "locked by bea@laptop"},
		"something missing": {change: func(e *fakeEngine) { e.plan.Missing = []string{"the right to patch secrets in registry"} }, says: "the right to patch secrets in registry"},
		"nothing to do":     {change: func(e *fakeEngine) { e.plan.Steps = nil }, says: "Nothing to do."},
	} {
		t.Run(name, func(t *testing.T) {
			e := &fakeEngine{offers: someOffers(), plan: somePlan(actions.Updates)}
			if c.change != nil {
				c.change(e)
			}
			deps := func(*Deps) {}
			if c.deps != nil {
				deps = c.deps
			}
			m := presses(send(acting(t, e, 100, 30, deps), press("m")), "enter")
			want(t, m, c.says)
			m = presses(m, "enter")
			if slices.Contains(e.calls, "start mirror") {
				t.Error("it was started")
			}
		})
	}
	e := &fakeEngine{offers: someOffers(), err: errors.New("Harbor does not answer")}
	m := presses(send(acting(t, e, 100, 30), press("m")), "enter")
	want(t, m, "Harbor does not answer", "Point workloads")
	if m = sendAll(m, "esc", "esc"); m.focus != focusList {
		t.Errorf("focus %d", m.focus)
	}
}

func TestAPlanThatWasLeftIsDropped(t *testing.T) {
	e := &fakeEngine{offers: someOffers(), plan: somePlan(actions.Updates)}
	m := send(acting(t, e, 100, 30), press("m"))
	next, _ := m.Update(press("enter"))
	m = next.(Model)
	want(t, m, "Planning: looking at what is there")
	asked := m.action.asked
	m = send(m, press("esc"), planMsg{asked: asked, plan: e.plan})
	if m.action.stage != stageForm {
		t.Errorf("stage %d", m.action.stage)
	}
}

func TestTheListOfActions(t *testing.T) {
	e := &fakeEngine{offers: someOffers(), plan: somePlan(actions.Updates)}
	m := sendAll(acting(t, e, 80, 24), "a")
	want(t, m, "m  Mirror images", "Run the SSO script", "Join worker nodes", "Copies the platform's images")
	m = sendAll(m, "down", "down")
	want(t, m, "done by hand")
	if m = presses(m, "enter"); m.action.stage != stageMenu {
		t.Error("what is done by hand was planned")
	}
	if m = presses(sendAll(m, "up"), "enter"); m.action.stage != stagePlan || m.action.offer.ID != "sso-script" {
		t.Errorf("stage %d of %s", m.action.stage, m.action.offer.ID)
	}
}

// running is a board that has read the events of a run.
func running(t testing.TB, e *fakeEngine, w, h int) Model {
	m := acting(t, e, w, h)
	m = send(m, press("L"))
	for _, info := range e.runs {
		m = send(m, eventsMsg{id: info.ID, f: &fakeFollower{}, events: e.events[info.ID]})
	}
	return m
}

func TestARunIsWatched(t *testing.T) {
	events := someEvents()
	e := &fakeEngine{offers: someOffers(), runs: []actions.RunInfo{someRun(events, true, actions.Running)}, events: map[actions.RunID][]actions.Event{"mirror-12": events}}
	m := running(t, e, 120, 36)
	want(t, m, "[mirror-12]", "running", "1 of 4 steps", "620 MB of 1.2 GB", "waits: index.docker.io answers 429 and asks for 5s, 5 s left", "the robot account robot$254carbon+mirror is there", "red and a very long line")
	if strings.Contains(m.View().Content, "52;c;") {
		t.Error("a log line reaches the terminal's clipboard")
	}
	for _, l := range strings.Split(text(m), "\n") {
		if cells(l) > 120 {
			t.Errorf("a line of %d cells", cells(l))
		}
	}
	m = presses(sendAll(m, "x"), "y")
	if !slices.Contains(e.calls, "cancel mirror-12") {
		t.Errorf("%v", e.calls)
	}
	m = sendAll(m, "/", "r", "o", "b", "o", "t", "enter")
	want(t, m, "/robot", "is there")
	if strings.Contains(text(m), "red and a very") {
		t.Error("the filter lets other lines through")
	}
	m = sendAll(m, "/", "esc", "o", "w", "e", "e", "up", "f", "esc")
	want(t, m, "mirror-12 running", "1/4", "L runs")
	end := actions.Event{Seq: int64(len(events) + 1), At: noon(), Kind: actions.Ended, Outcome: actions.Done, Points: &actions.Points{Before: 87, After: 90}}
	var asked []probes.ID
	m.d.Refresh = func(ids ...probes.ID) { asked = ids }
	next, cmd := m.Update(eventsMsg{id: "mirror-12", f: &fakeFollower{}, events: []actions.Event{end}})
	m = next.(Model)
	atOnce(cmd)
	if !slices.Equal(asked, []probes.ID{"images-mirrored"}) {
		t.Errorf("asked again were %v", asked)
	}
	want(t, m, "mirror-12 done: 87 % → 90 %")
	m = sendAll(m, "L")
	want(t, m, "+3: the score goes from 87 % to 90 %")
}

func TestARunIsResumed(t *testing.T) {
	events := someEvents()[:4]
	events = append(events, actions.Event{Seq: 5, At: noon(), Kind: actions.Began, Step: "script"}, actions.Event{Seq: 6, At: noon(), Kind: actions.Unclear, Step: "script", Text: "the process is gone"},
		actions.Event{Seq: 7, At: noon(), Kind: actions.Ended, Outcome: actions.Uncertain, Text: "the process is gone"})
	e := &fakeEngine{offers: someOffers(), runs: []actions.RunInfo{someRun(events, false, actions.Uncertain)}, events: map[actions.RunID][]actions.Event{"mirror-12": events}}
	m := running(t, e, 100, 30)
	want(t, m, "unknown outcome", "u resume")
	m = sendAll(m, "u")
	want(t, m, "Nobody knows whether this was done: script", "d it is done", "a do it again")
	m = presses(m, "d")
	if !slices.Contains(e.calls, "resume mirror-12") || e.answers["script"] != actions.ItIsDone {
		t.Errorf("%v, %v", e.calls, e.answers)
	}
	want(t, m, "mirror-12 goes on")
}

func TestManyEventsAreBounded(t *testing.T) {
	events := someEvents()
	for i := range 20_000 {
		events = append(events, actions.Event{Seq: int64(len(events) + 1), At: noon(), Kind: actions.Log, Step: "copy redis", Text: fmt.Sprint("line ", i)})
	}
	e := &fakeEngine{offers: someOffers(), runs: []actions.RunInfo{someRun(events[:9], true, actions.Running)}, events: map[actions.RunID][]actions.Event{"mirror-12": events}}
	m := running(t, e, 100, 30)
	if n := len(m.run().lines); n != maxRunLines {
		t.Errorf("%d lines are kept", n)
	}
	want(t, m, "line 19999")
}
