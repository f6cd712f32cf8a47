package tui

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

// ending is the event that ends the run of someEvents.
func ending(points *actions.Points) actions.Event {
	return actions.Event{Seq: int64(len(someEvents()) + 1), At: noon(), Kind: actions.Ended, Outcome: actions.Done, Points: points}
}

func TestTheListOfRunsMayBeAheadOfTheLog(t *testing.T) {
	events := someEvents()
	e := &fakeEngine{runs: []actions.RunInfo{someRun(events[:3], true, actions.Running)}}
	m := acting(t, e, 120, 36)
	var asked []probes.ID
	m.d.Refresh = func(ids ...probes.ID) { asked = append(asked, ids...) }
	m = send(m, press("L"), eventsMsg{id: "mirror-12", f: &fakeFollower{}, events: events[:3]})
	all := append(slices.Clone(events), ending(&actions.Points{Before: 87, After: 90}))
	m = send(m, runsMsg{all: []actions.RunInfo{someRun(all, false, actions.Done)}})
	next, cmd := m.Update(eventsMsg{id: "mirror-12", f: &fakeFollower{}, events: all[3:]})
	m = next.(Model)
	atOnce(cmd)
	want(t, m, "Copy redis:7.2 waits", "red and a very long line")
	if !slices.Equal(asked, []probes.ID{"images-mirrored"}) {
		t.Errorf("asked again were %v", asked)
	}
}

func TestARunThatEndsBeforeTheFirstLook(t *testing.T) {
	all := append(someEvents(), ending(&actions.Points{Before: 87, After: 90}))
	e := &fakeEngine{}
	m := acting(t, e, 120, 36)
	var asked []probes.ID
	m.d.Refresh = func(ids ...probes.ID) { asked = append(asked, ids...) }
	m.focus, m.action.stage = focusAction, stageStarting
	m = send(m, startedMsg{asked: m.action.asked, id: "mirror-12"}, runsMsg{all: []actions.RunInfo{someRun(all, false, actions.Done)}})
	next, cmd := m.Update(eventsMsg{id: "mirror-12", f: &fakeFollower{}, events: all})
	m = next.(Model)
	atOnce(cmd)
	if !slices.Equal(asked, []probes.ID{"images-mirrored"}) {
		t.Errorf("asked again were %v", asked)
	}
	want(t, m, "mirror-12 done: 87 % → 90 %")
}

func TestWhatDeletesIsTypedAgainToGoOn(t *testing.T) {
	events := append(someEvents()[:4], actions.Event{Seq: 5, At: noon(), Kind: actions.Ended, Outcome: actions.Stopped})
	run := someRun(events, false, actions.Stopped)
	run.Plan = somePlan(actions.Deletes)
	e := &fakeEngine{runs: []actions.RunInfo{run}, events: map[actions.RunID][]actions.Event{"mirror-12": events}}
	m := running(t, e, 100, 30)
	m = presses(presses(m, "u"), "y")
	if len(e.calls) > 0 {
		t.Fatalf("it went on without the name: %v", e.calls)
	}
	want(t, m, "Type the platform's name, 254Carbon")
	m = presses(sendAll(m, "backspace", "2", "5", "4"), "enter")
	if len(e.calls) > 0 {
		t.Fatalf("it went on with half of the name: %v", e.calls)
	}
	m = presses(sendAll(m, "C", "a", "r", "b", "o", "n"), "enter")
	if !slices.Equal(e.calls, []string{"resume mirror-12"}) || e.typed != "254Carbon" {
		t.Errorf("%v, typed %q", e.calls, e.typed)
	}
}

func TestTheRateIsOfThisProcess(t *testing.T) {
	day := noon().Add(-24 * time.Hour)
	events := []actions.Event{
		{Kind: actions.Started, At: day},
		{Kind: actions.Began, Step: "copy redis", At: day}, {Kind: actions.Finished, Step: "copy redis", At: day.Add(time.Second)},
		{Kind: actions.Ended, Outcome: actions.Stopped, At: day.Add(2 * time.Second)},
		{Kind: actions.Started, At: noon().Add(-10 * time.Second)},
		{Kind: actions.Began, Step: "copy trino", At: noon().Add(-10 * time.Second)},
		{Kind: actions.Progress, Step: "copy trino", At: noon(), Done: actions.Amount{Bytes: 600_000_000}, Total: actions.Amount{Units: 1, Bytes: 1_200_000_000}},
	}
	for i := range events {
		events[i].Seq = int64(i + 1)
	}
	e := &fakeEngine{runs: []actions.RunInfo{someRun(events, true, actions.Running)}, events: map[actions.RunID][]actions.Event{"mirror-12": events}}
	want(t, running(t, e, 120, 36), "60 MB/s, 10s left")
}

func TestAKeyThatTheBoardHasTaken(t *testing.T) {
	e := &fakeEngine{offers: someOffers(), plan: somePlan(actions.Updates)}
	e.offers[0].Key = "s"
	m := acting(t, e, 120, 36)
	m = send(m, press("s"))
	if m.focus != focusList {
		t.Fatal("s is the board's")
	}
	for _, b := range m.bindings() {
		if h := b.Help(); h.Desc == "mirror images" {
			t.Errorf("the help says that %q starts it", h.Key)
		}
	}
	if o, ok := m.offerOf("mirror"); !ok || o.Key != "" {
		t.Errorf("its key is shown as %q", o.Key)
	}
	m = sendAll(m, "a")
	want(t, m, "Mirror images")
	if strings.Contains(text(m), "s  Mirror images") {
		t.Error("the list shows a key that does something else elsewhere")
	}
}

func TestAStartThatFailsAfterItWasLeft(t *testing.T) {
	e := &fakeEngine{offers: someOffers(), plan: somePlan(actions.Updates)}
	m := presses(send(acting(t, e, 120, 30), press("m")), "enter")
	next, _ := m.Update(press("enter"))
	m = next.(Model)
	m = send(m, press("esc"), startedMsg{asked: m.action.asked, err: errors.New("bea@laptop holds the lock")})
	want(t, m, "bea@laptop holds the lock")
}

func TestTheCopiedLogIsBounded(t *testing.T) {
	events := someEvents()
	for i := range 5_000 {
		events = append(events, actions.Event{Seq: int64(len(events) + 1), At: noon(), Kind: actions.Log, Text: fmt.Sprint("line ", i, " ", strings.Repeat("x", 500))})
	}
	e := &fakeEngine{runs: []actions.RunInfo{someRun(events, true, actions.Running)}, events: map[actions.RunID][]actions.Event{"mirror-12": events}}
	m := running(t, e, 100, 30)
	var copied string
	m.d.Copy = func(s string) tea.Cmd { copied = s; return nil }
	m = send(m, press("y"))
	if len(copied) > maxCopy || !strings.Contains(copied, "line 4999 ") || strings.Contains(copied, "line 0 ") {
		t.Errorf("%d bytes were copied", len(copied))
	}
	want(t, m, "copied the end of the log")
}

func TestARunThatACrashEndedIsShown(t *testing.T) {
	old := someRun(someEvents(), false, actions.Interrupted)
	e := &fakeEngine{runs: []actions.RunInfo{old}}
	want(t, acting(t, e, 80, 24), "mirror-12 interrupted  L u goes on with it")
	later := someRun(append(someEvents(), ending(nil)), false, actions.Done)
	later.ID = "mirror-13"
	e.runs = []actions.RunInfo{later, old}
	if m := acting(t, e, 80, 24); m.stripped() {
		t.Errorf("what was done since is still asked for:\n%s", text(m))
	}
}

func TestOffersFollowTheProfile(t *testing.T) {
	e := &fakeEngine{offers: someOffers()[1:]}
	m := acting(t, e, 80, 24)
	if _, ok := m.offerOf("mirror"); ok {
		t.Fatal("it is not offered yet")
	}
	e.offers = someOffers()
	m = send(m, m.readRuns(0)())
	if _, ok := m.offerOf("mirror"); !ok {
		t.Error("what the changed profile offers is not there")
	}
}

func TestARunThatWasResumedIsNotOver(t *testing.T) {
	all := append(someEvents(), ending(nil), actions.Event{Seq: int64(len(someEvents()) + 2), At: noon().Add(time.Second), Kind: actions.Started})
	e := &fakeEngine{runs: []actions.RunInfo{someRun(all, true, actions.Running)}}
	m := acting(t, e, 120, 36)
	m.d.Refresh = func(ids ...probes.ID) { t.Errorf("asked again were %v", ids) }
	next, cmd := m.Update(eventsMsg{id: "mirror-12", f: &fakeFollower{}, events: all})
	atOnce(cmd)
	if m = next.(Model); !m.runs.views[0].info.Alive {
		t.Error("its first end counts")
	}
}

// BenchmarkEvents takes in a batch of output and draws the page with a full log.
func BenchmarkEvents(b *testing.B) {
	events := someEvents()
	e := &fakeEngine{runs: []actions.RunInfo{someRun(events, true, actions.Running)}, events: map[actions.RunID][]actions.Event{"mirror-12": events}}
	m := running(b, e, 120, 36)
	seq := int64(len(events))
	batch := func() eventsMsg {
		all := make([]actions.Event, eventBatch)
		for i := range all {
			seq++
			all[i] = actions.Event{Seq: seq, At: noon(), Kind: actions.Log, Step: "copy redis", Text: "copying a layer, as it is told a thousand times"}
		}
		return eventsMsg{id: "mirror-12", f: &fakeFollower{}, events: all}
	}
	for range 12 {
		m = send(m, batch())
	}
	b.ReportAllocs()
	for b.Loop() {
		m = send(m, batch())
		_ = m.View()
	}
}

var _ actions.Engine = (*fakeEngine)(nil)
