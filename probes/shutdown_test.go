package probes

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatEndsWithThePollerIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, end := range []string{"cancelled", "replaced"} {
			var heard []Result
			closed := make(chan struct{})
			c := check(func(ctx context.Context) (Observation, error) {
				select {
				case <-ctx.Done():
					return Observation{}, ctx.Err()
				case <-closed: // the connection is closed under the question
					return Observation{}, errors.New("the connection is closed")
				}
			})
			p := NewPoller(checklist(t, Outline{Components: []Component{component("a", 1)}, Specs: []Spec{c.Spec}}), []Check{c},
				PollerOptions{OnResult: func(r Result, _ Checklist) { heard = append(heard, r) }})
			ctx, cancel := context.WithCancel(t.Context())
			var done sync.WaitGroup
			done.Go(func() { p.Run(ctx) })
			synctest.Wait()
			if end == "replaced" {
				o := Outline{Threshold: points(1), Components: []Component{component("a", 1)}, Specs: []Spec{spec("z", "a", 1)}}
				list, err := NewChecklist(&o)
				if err != nil {
					t.Fatal(err)
				}
				p.Replace(list, nil)
				close(closed)
				synctest.Wait()
			}
			cancel()
			done.Wait()
			if len(heard) > 0 {
				t.Errorf("%s: told of %v", end, heard[0].Err)
			}
		}
	})
}

func TestDeadlinesAreSaidAsTheProfileWritesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(ctx context.Context) (Observation, error) { <-ctx.Done(); return Observation{}, context.Cause(ctx) }
		var checks []Check
		o := Outline{Components: []Component{component("a", 1)}}
		for _, id := range []ID{"x", "y"} {
			c := check(hang, confirm(2))
			c.Spec.ID = id
			if id == "x" { // has answered no when the other gets its turn
				c.Probe = ProbeFunc(func(context.Context) (Observation, error) {
					time.Sleep(1234567 * time.Microsecond)
					return Observation{Status: Pass}, nil
				})
			}
			checks, o.Specs = append(checks, c), append(o.Specs, c.Spec)
		}
		for range 20 { // whichever comes first
			began := time.Now()
			list := Sweep(t.Context(), checklist(t, o), checks, SweepOptions{PerConnection: 1})
			for _, id := range []ID{"x", "y"} {
				if s, _ := list.Standing(id); s.Last.Err != nil && !strings.HasPrefix(s.Last.Err.Error(), "no answer within 5s") {
					t.Errorf("%q", s.Last.Err)
				}
			}
			if took := time.Since(began); took > 5*time.Second+2*grace {
				t.Errorf("took %s", took)
			}
		}
	})
}

// badError crashes when its text is wanted, as a nil pointer in an error does.
type badError struct{ text *string }

func (e *badError) Error() string { return *e.text }

func TestAnErrorThatCrashesIsSafeToShow(t *testing.T) {
	var none *badError
	r := Ask(t.Context(), check(func(context.Context) (Observation, error) { return Observation{Status: Pass}, none }), nil)
	if r.Err == nil || !strings.Contains(r.Err.Error(), "crashed") {
		t.Errorf("error %v", r.Err)
	}
}

func TestAWatchedCheckIsReadBeforeItsAnswerIsTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t, []Check{check(func(context.Context) (Observation, error) { return Observation{Status: Pass}, nil }, func(s *Spec) {
			s.OnChange, s.Every = true, time.Hour
		})}, PollerOptions{})
		for range 120 {
			time.Sleep(time.Minute)
			if s := status(p, "x"); s != Pass {
				t.Fatalf("%s although the watch goes on", s)
			}
		}
	})
}
