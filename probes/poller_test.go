package probes

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// run polls the checks of one outline inside a synctest bubble until the test ends.
func run(t *testing.T, checks []Check, o PollerOptions) *Poller {
	t.Helper()
	outline := Outline{Components: []Component{component("a", 1)}}
	for _, c := range checks {
		outline.Specs = append(outline.Specs, c.Spec)
	}
	p := NewPoller(checklist(t, outline), checks, o)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { p.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
	return p
}

func status(p *Poller, id ID) Status {
	item, _ := p.Checklist().Assess(time.Now()).Item(id)
	return item.Status
}

func TestPollerAsksEachCheckInItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		run(t, []Check{check(func(context.Context) (Observation, error) { asked.Add(1); return Observation{Status: Pass}, nil })}, PollerOptions{})
		time.Sleep(time.Hour)
		if n := asked.Load(); n < 54 || n > 68 {
			t.Errorf("asked %d times in an hour with an interval of a minute", n)
		}
	})
}

func TestPollerHangingConnectionDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks []Check
		for i := range 20 {
			c := check(func(ctx context.Context) (Observation, error) { <-ctx.Done(); return Observation{}, ctx.Err() })
			c.Spec.ID, c.Spec.Connection = ID(rune('A'+i)), "harbor"
			checks = append(checks, c)
		}
		good := check(func(context.Context) (Observation, error) { return Observation{Status: Pass}, nil })
		good.Spec.Connection = "prometheus"
		p := run(t, append(checks, good), PollerOptions{PerConnection: 2})
		synctest.Wait()
		if s := status(p, "x"); s != Pass {
			t.Errorf("%s while another connection hangs", s)
		}
	})
}

func TestPollerNeverAsksTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		stop := make(chan struct{})
		defer close(stop)
		p := run(t, []Check{check(func(context.Context) (Observation, error) { // ignores its deadline of 5 s
			most.Store(max(most.Load(), running.Add(1)))
			select {
			case <-time.After(3 * time.Minute):
			case <-stop:
			}
			running.Add(-1)
			return Observation{Status: Pass}, nil
		})}, PollerOptions{})
		for range 100 {
			p.Refresh()
			time.Sleep(time.Second)
		}
		if most.Load() != 1 {
			t.Errorf("%d at once", most.Load())
		}
	})
}

func TestPollerConfirmsSoonAndBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		var asked atomic.Int64
		p := run(t, []Check{check(func(context.Context) (Observation, error) {
			asked.Add(1)
			if broken.Load() {
				return Observation{}, errors.New("no route")
			}
			return Observation{Status: Pass}, nil
		}, confirm(2))}, PollerOptions{})
		time.Sleep(time.Second)
		broken.Store(true)
		p.Refresh("x")
		time.Sleep(time.Second)
		if s := status(p, "x"); s != Pass {
			t.Errorf("%s after one error", s)
		}
		time.Sleep(15 * time.Second)
		if s := status(p, "x"); s != Unknown {
			t.Errorf("%s after the second error", s)
		}
		asked.Store(0)
		time.Sleep(time.Hour)
		if n := asked.Load(); n > 20 {
			t.Errorf("asked %d times in an hour although it cannot be asked", n)
		}
		broken.Store(false)
		p.Refresh()
		time.Sleep(time.Second)
		if s := status(p, "x"); s != Pass {
			t.Errorf("%s after a refresh that succeeds", s)
		}
	})
}

func TestPollerLeavesBlockedChecksAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Bool
		var asked atomic.Int64
		first := check(func(context.Context) (Observation, error) {
			if open.Load() {
				return Observation{Status: Pass}, nil
			}
			return Observation{Status: Fail}, nil
		})
		second := check(func(context.Context) (Observation, error) { asked.Add(1); return Observation{Status: Pass}, nil }, blockedBy("x"))
		second.Spec.ID, second.Spec.Every = "y", time.Hour
		p := run(t, []Check{first, second}, PollerOptions{})
		time.Sleep(10 * time.Second)
		asked.Store(0) // the first sweep may ask before the blocker has answered
		time.Sleep(10 * time.Minute)
		if asked.Load() != 0 || status(p, "y") != Blocked {
			t.Errorf("asked %d times while blocked, status %s", asked.Load(), status(p, "y"))
		}
		open.Store(true)
		p.Refresh("x")
		time.Sleep(time.Second)
		if status(p, "y") != Pass {
			t.Errorf("%s right after the blocker passed", status(p, "y"))
		}
	})
}

type watched struct {
	ProbeFunc
	wake atomic.Pointer[func()]
}

func (w *watched) Watch(wake func()) func() { w.wake.Store(&wake); return func() {} }

func TestPollerFollowsAWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		w := &watched{ProbeFunc: func(context.Context) (Observation, error) { asked.Add(1); return Observation{Status: Pass}, nil }}
		c := Check{Spec: spec("x", "a", 1, func(s *Spec) { s.OnChange, s.Every = true, time.Hour }), Probe: w}
		run(t, []Check{c}, PollerOptions{})
		time.Sleep(10 * time.Second)
		asked.Store(0)
		for range 1000 { // a storm of events
			(*w.wake.Load())()
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		if n := asked.Load(); n < 5 || n > 12 {
			t.Errorf("asked %d times during ten seconds of events", n)
		}
	})
}

func TestFeedGivesTheNewestToEveryReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		p := run(t, []Check{check(func(context.Context) (Observation, error) {
			return Observation{Status: []Status{Pass, Fail}[n.Add(1)%2]}, nil
		})}, PollerOptions{})
		slow, fast := p.Subscribe(), p.Subscribe()
		var seen atomic.Int64
		go func() {
			for {
				if _, err := fast.Next(t.Context()); err != nil {
					return
				}
				seen.Add(1)
			}
		}()
		time.Sleep(10 * time.Minute)
		list, err := slow.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a, _ := list.Standing("x")
		b, _ := p.Checklist().Standing("x")
		if a.Last.Started != b.Last.Started || seen.Load() < 8 {
			t.Errorf("slow reader got %v of %v; fast one saw %d", a.Last.Started, b.Last.Started, seen.Load())
		}
		slow.Close()
		fast.Close()
		if _, err := slow.Next(t.Context()); !errors.Is(err, ErrFeedClosed) {
			t.Errorf("closed feed: %v", err)
		}
	})
}

func TestReplaceKeepsPollingAndDropsWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var old, next atomic.Int64
		p := run(t, []Check{check(func(context.Context) (Observation, error) { old.Add(1); return Observation{Status: Pass}, nil })}, PollerOptions{})
		time.Sleep(5 * time.Minute)
		o := Outline{Threshold: points(1), Components: []Component{component("a", 1)}, Specs: []Spec{spec("z", "a", 1)}}
		list, err := p.Checklist().Over(&o, func(ID) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		c := Check{Spec: o.Specs[0], Probe: ProbeFunc(func(context.Context) (Observation, error) { next.Add(1); return Observation{Status: Pass}, nil })}
		p.Replace(list, []Check{c})
		synctest.Wait()
		old.Store(0)
		time.Sleep(5 * time.Minute)
		if old.Load() != 0 || next.Load() < 3 || status(p, "z") != Pass {
			t.Errorf("old asked %d times, new %d, %s", old.Load(), next.Load(), status(p, "z"))
		}
	})
}

func TestSweepEndsWithItsSlowestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outline := Outline{Components: []Component{component("a", 1)}}
		var checks []Check
		for i := range 30 {
			c := check(func(ctx context.Context) (Observation, error) { <-ctx.Done(); return Observation{}, ctx.Err() }, confirm(2))
			c.Spec.ID, c.Spec.Connection = ID(rune('A'+i)), "kubernetes"
			checks = append(checks, c)
		}
		good := check(func(context.Context) (Observation, error) { return Observation{Status: Pass}, nil })
		after := check(func(context.Context) (Observation, error) { return Observation{Status: Pass}, nil }, blockedBy("x"))
		after.Spec.ID = "y"
		checks = append(checks, good, after)
		for _, c := range checks {
			outline.Specs = append(outline.Specs, c.Spec)
		}
		began := time.Now()
		a := Sweep(t.Context(), checklist(t, outline), checks, SweepOptions{}).Assess(time.Now())
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("took %s with timeouts of 5 s", took)
		}
		if a.Counts[Unknown] != 30 || a.Counts[Pass] != 2 {
			t.Errorf("counts %v", a.Counts)
		}
	})
}
