package probes

import (
	"context"
	"fmt"
	"time"
)

// defaultPerConnection is how many questions are under way on one connection at once.
const defaultPerConnection = 8

// SweepOptions are the settings of [Sweep]; the zero value works.
type SweepOptions struct {
	Now           func() time.Time // the clock of timestamps; nil for the machine's
	PerConnection int              // questions under way at once on one connection; 0 for the default
	Progress      func(done, total int, last Result)
}

// Sweep asks every check of the checklist that has a probe once, with the confirm rule, and returns the checklist with the answers. A
// check that is blocked is asked after what blocks it has passed, or not at all. Checks of different connections never wait for each
// other. Progress is called from one goroutine. When ctx ends, what was not answered is unknown or left pending.
func Sweep(ctx context.Context, list Checklist, checks []Check, o SweepOptions) Checklist {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	slots := newSlots(o.PerConnection)
	waiting := map[ID]Check{}
	for _, c := range checks {
		if c.Spec.Exempt == "" {
			waiting[c.Spec.ID] = c
		}
	}
	total, running := len(waiting), 0
	results := make(chan Result)
	start := func() {
		stand := list.effectives(now())
		for _, c := range checks {
			if _, ok := waiting[c.Spec.ID]; !ok || stand[list.index[c.Spec.ID]].status == Blocked {
				continue
			}
			delete(waiting, c.Spec.ID)
			running++
			go func() { results <- sweepOne(ctx, slots, c, now) }()
		}
	}
	for start(); running > 0; start() {
		r := <-results
		running--
		list = list.With(r)
		if o.Progress != nil {
			o.Progress(total-len(waiting)-running, total, r)
		}
	}
	return list
}

// sweepOne asks one check when its connection has room. The wait for room counts against the check's timeout, so that a connection that
// hangs ends the sweep no later than its slowest check alone would.
func sweepOne(ctx context.Context, slots *slots, c Check, now func() time.Time) Result {
	began := time.Now()
	ctx, cancel := withTimeout(ctx, c.Spec)
	defer cancel()
	if !c.Spec.OnChange { // a watched check reads what is there already
		release, ok := slots.take(ctx, c.Spec.Connection)
		if !ok {
			return Result{
				ID: c.Spec.ID, Started: now(), Took: time.Since(began), Failures: c.Spec.Confirm,
				Err: fmt.Errorf("%w: other checks were waiting for %s all that time", context.Cause(ctx), c.Spec.Connection),
			}
		}
		defer release()
	}
	r := AskConfirmed(ctx, c, now)
	if r.Err != nil {
		r.Failures = max(r.Failures, c.Spec.Confirm) // a sweep has no next time
	}
	return r
}

// slots limits the questions under way on each connection.
type slots struct {
	per  int
	lock chan struct{} // guards by
	by   map[string]chan struct{}
}

func newSlots(per int) *slots {
	if per <= 0 {
		per = defaultPerConnection
	}
	return &slots{per: per, lock: make(chan struct{}, 1), by: map[string]chan struct{}{}}
}

func (s *slots) of(connection string) chan struct{} {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	room := s.by[connection]
	if room == nil {
		room = make(chan struct{}, s.per)
		s.by[connection] = room
	}
	return room
}

// take waits for room on a connection; release gives it back.
func (s *slots) take(ctx context.Context, connection string) (release func(), ok bool) {
	room := s.of(connection)
	select {
	case room <- struct{}{}:
		return func() { <-room }, true
	case <-ctx.Done():
		return nil, false
	}
}
