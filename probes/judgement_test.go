package probes

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaiversGivenSinceCountLikeTheOutlines(t *testing.T) {
	o := Outline{Threshold: points(0), Components: []Component{component("a", 10)}, Specs: []Spec{spec("x", "a", 1, gate), spec("y", "a", 1, gate)}}
	l := checklist(t, o).With(answer("x", Fail), answer("y", Pass))
	given := []Waiver{
		{Check: "x", Owner: "ana", Expires: noon.Add(time.Hour), Where: "in the evidence record"}, {Check: "y", Owner: "ana", Expires: noon.Add(time.Hour)},
	}
	if a := l.Assess(noon); a.Verdict != NoGo {
		t.Errorf("without a waiver: %s", a.Verdict)
	}
	waived := l.WithWaivers(given)
	given[0].Owner = "eve"
	a := waived.Assess(noon)
	x, _ := a.Item("x")
	y, _ := a.Item("y")
	if a.Verdict != Go || x.Waiver == nil || x.Waiver.Owner != "ana" || y.Waiver != nil || len(a.Waivers) != 2 || a.Earned.Cmp(points(5)) != 0 {
		t.Errorf("%s, x %+v, y %+v, %d waivers, %s points", a.Verdict, x.Waiver, y.Waiver, len(a.Waivers), a.Earned)
	}
	if a := waived.Assess(noon.Add(time.Hour)); a.Verdict != NoGo {
		t.Errorf("when it has ended: %s", a.Verdict)
	}
	over, err := waived.Over(&o, func(ID) bool { return true })
	if err != nil || over.Assess(noon).Verdict != Go {
		t.Errorf("after a reload: %s (%v)", over.Assess(noon).Verdict, err)
	}
	if a := waived.WithWaivers(nil).Assess(noon); a.Verdict != NoGo {
		t.Errorf("taken back: %s", a.Verdict)
	}
}

func TestThePollerTakesWaiversAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := check(func(context.Context) (Observation, error) { return Observation{Status: Fail, Summary: "no"}, nil }, gate)
		p := run(t, []Check{c}, PollerOptions{})
		feed := p.Subscribe()
		defer feed.Close()
		time.Sleep(time.Minute)
		waived := func() bool {
			item, _ := p.Checklist().Assess(time.Now()).Item("x")
			return item.Waiver != nil
		}
		given := []Waiver{{Check: "x", Owner: "ana", Expires: time.Now().Add(time.Hour)}}
		p.SetWaivers(given)
		synctest.Wait()
		if !waived() {
			t.Error("the waiver is not there")
		}
		p.Refresh()
		time.Sleep(time.Second)
		if !waived() {
			t.Error("an answer has taken the waiver away")
		}
		p.Replace(checklist(t, Outline{Components: []Component{component("a", 1)}, Specs: []Spec{c.Spec}}), []Check{c})
		time.Sleep(time.Second)
		if !waived() {
			t.Error("a reload has taken the waiver away")
		}
		p.SetWaivers(nil)
		synctest.Wait()
		if waived() {
			t.Error("the waiver is still there")
		}
	})
}

func TestAWordNeverEarnsMoreThanHalf(t *testing.T) {
	for _, tt := range []struct {
		obs Observation
		ok  bool
	}{
		{Observation{Status: Warn, Ratio: Part(1, 2), Word: "ana"}, true},
		{Observation{Status: Fail, Word: "ana"}, true},
		{Observation{Status: Warn, Ratio: Part(2, 3), Word: "ana"}, false},
		{Observation{Status: Pass, Word: "ana"}, false},
		{Observation{Status: Warn, Ratio: Part(2, 3)}, true},
	} {
		r := Ask(t.Context(), check(func(context.Context) (Observation, error) { return tt.obs, nil }), nil)
		if (r.Err == nil) != tt.ok {
			t.Errorf("%s worth %d/%d on the word of %q: %v", tt.obs.Status, tt.obs.Ratio.Num, tt.obs.Ratio.Den, tt.obs.Word, r.Err)
		}
	}
}

func TestUntilIsTheLastDay(t *testing.T) {
	day := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	if got := Until(day); got != "2026-01-31" {
		t.Errorf("%s, want the day that ends then", got)
	}
	if got := Until(day.Add(90 * time.Minute)); got != "2026-02-01 01:30Z" {
		t.Errorf("%s", got)
	}
}
