package runs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/254carbon/gonogo/actions"
)

// cleanupLimit bounds each clean-up step, which a cancelled run still carries out.
const cleanupLimit = 10 * time.Minute

// carrier carries out the steps of one plan, once.
type carrier struct {
	plan    actions.Plan
	doer    actions.Doer
	journal *journal
	prior   actions.State // before this process
	mask    func(string) string
	now     func() time.Time
	budget  *budget

	mu      sync.Mutex
	began   map[string]bool // by this process
	settled map[string]bool
	outcome actions.Outcome // what is known of it so far; Running is nothing bad
	why     string          // of the first thing that went wrong
	stopped bool            // nothing more is begun, but for clean-up
}

// carry returns how the run ended, and why if it is not done. The error is of the journal: then nobody knows more than it says.
func (c *carrier) carry(ctx context.Context) (actions.Outcome, string, error) {
	c.began, c.settled = map[string]bool{}, map[string]bool{}
	var work, cleanup []actions.Step
	for _, s := range c.plan.Steps {
		if c.prior.Of(s.ID).Status.Settled() {
			c.settled[s.ID] = true
		}
		if s.Cleanup {
			cleanup = append(cleanup, s)
		} else {
			work = append(work, s)
		}
	}
	for len(work) > 0 && !c.over(ctx) {
		n := 1
		for work[0].Group != "" && n < len(work) && work[n].Group == work[0].Group {
			n++
		}
		c.together(ctx, work[:n])
		work = work[n:]
	}
	for _, s := range cleanup {
		c.clean(ctx, s)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.journal.Failed(); err != nil {
		return actions.Interrupted, "", err
	}
	if ctx.Err() != nil && (len(work) > 0 || c.outcome != actions.Running) && c.outcome != actions.Uncertain {
		return actions.Stopped, "", nil
	}
	if c.outcome == actions.Running {
		return actions.Done, "", nil
	}
	return c.outcome, c.why, nil
}

func (c *carrier) over(ctx context.Context) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped || ctx.Err() != nil || c.journal.Failed() != nil
}

// together carries out steps at the same time, as many as the plan allows.
func (c *carrier) together(ctx context.Context, steps []actions.Step) {
	slots := make(chan struct{}, max(1, parallel(c.plan)))
	var all sync.WaitGroup
	for _, s := range steps {
		slots <- struct{}{}
		if c.over(ctx) {
			break
		}
		all.Go(func() {
			defer func() { <-slots }()
			c.step(ctx, s)
		})
	}
	all.Wait()
}

func parallel(p actions.Plan) int {
	if p.Parallel > 0 {
		return p.Parallel
	}
	return 4
}

// step carries out one step, unless it is settled or cannot be.
func (c *carrier) step(ctx context.Context, s actions.Step) {
	c.mu.Lock()
	settled := c.settled[s.ID]
	lacking := slices.IndexFunc(s.Needs, func(id string) bool { return !c.settled[id] })
	c.mu.Unlock()
	prior := c.prior.Of(s.ID)
	switch {
	case settled:
	case prior.Status == actions.StepUnclear:
		c.wrong(actions.Uncertain, fmt.Sprintf("%s: a person has to say whether it is done", s.Title), true)
	case lacking >= 0:
		c.tell(actions.Event{Kind: actions.Left, Step: s.ID, Text: fmt.Sprintf("it needs %q, which is not done", s.Needs[lacking])})
		c.wrong(actions.Wanting, "", false)
	case prior.Status == actions.StepRunning && s.Unrepeatable:
		c.unclear(s, errors.New("the process that did it is gone"))
	default:
		c.do(ctx, s)
	}
}

// do begins a step whose effect is not there yet.
func (c *carrier) do(ctx context.Context, s actions.Step) {
	if done, err := c.done(ctx, s); err == nil && done {
		c.finish(actions.Event{Kind: actions.Finished, Step: s.ID, Already: true})
		return
	}
	if !c.tell(actions.Event{Kind: actions.Began, Step: s.ID}) {
		return
	}
	c.mu.Lock()
	c.began[s.ID] = true
	c.mu.Unlock()
	r := &teller{journal: c.journal, step: s.ID, mask: c.mask, now: c.now, budget: c.budget}
	err := c.attempt(ctx, s, r)
	r.flush()
	var unclear *actions.UnclearError
	switch {
	case err == nil:
		c.finish(actions.Event{Kind: actions.Finished, Step: s.ID})
	case errors.As(err, &unclear) && s.Unrepeatable:
		c.unclear(s, err)
	case errors.As(err, &unclear):
		c.look(ctx, s, err)
	default:
		c.fail(ctx, s, err)
	}
}

// attempt calls the action, and survives it.
func (c *carrier) attempt(ctx context.Context, s actions.Step, r *teller) (err error) {
	defer func() {
		if v := recover(); v != nil {
			for line := range strings.SplitSeq(string(debug.Stack()), "\n") {
				r.Log(line)
			}
			err = fmt.Errorf("gonogo crashed in this step: %v", v)
		}
	}()
	return c.doer.Do(ctx, s, r)
}

// done asks whether a step's effect is there.
func (c *carrier) done(ctx context.Context, s actions.Step) (done bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			done, err = false, fmt.Errorf("gonogo crashed: %v", v)
		}
	}()
	return c.doer.Done(ctx, s)
}

// look tells whether a step that may be repeated had its effect after all.
func (c *carrier) look(ctx context.Context, s actions.Step, cause error) {
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if done, err := c.done(late, s); err == nil && done {
		c.finish(actions.Event{Kind: actions.Finished, Step: s.ID})
		return
	}
	c.fail(ctx, s, cause)
}

func (c *carrier) fail(ctx context.Context, s actions.Step, err error) {
	text := safe(err.Error(), c.mask)
	if ctx.Err() != nil && !s.Cleanup {
		text = "cancelled"
	}
	c.tell(actions.Event{Kind: actions.Failed, Step: s.ID, Text: text})
	var stop *actions.StopError
	c.wrong(actions.Wanting, s.Title+": "+text, !s.Lenient || errors.As(err, &stop))
}

func (c *carrier) unclear(s actions.Step, err error) {
	text := safe(err.Error(), c.mask)
	c.tell(actions.Event{Kind: actions.Unclear, Step: s.ID, Text: text})
	c.wrong(actions.Uncertain, s.Title+": "+text, true)
}

// wrong notes that the run will not end well. The first reason is the one that is told; that a person is needed outweighs a failure.
func (c *carrier) wrong(outcome actions.Outcome, why string, stop bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = c.stopped || stop
	if c.outcome == actions.Running || outcome == actions.Uncertain && c.outcome != actions.Uncertain {
		c.outcome = outcome
	}
	if c.why == "" {
		c.why = why
	}
}

func (c *carrier) finish(e actions.Event) {
	if !c.tell(e) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settled[e.Step] = true
}

// tell writes an event, and reports whether it is written. What is not ends the run.
func (c *carrier) tell(e actions.Event) bool { return c.journal.Append(e) == nil }

// clean carries out a clean-up step, whatever happened, unless nothing that it cleans up after ever began, or it is settled and nothing of
// that began again.
func (c *carrier) clean(ctx context.Context, s actions.Step) {
	c.mu.Lock()
	settled := c.settled[s.ID]
	again := slices.ContainsFunc(s.Needs, func(id string) bool { return c.began[id] })
	ever := len(s.Needs) == 0 || again || slices.ContainsFunc(s.Needs, func(id string) bool { return c.prior.Of(id).Tries > 0 })
	c.mu.Unlock()
	if settled && !again || !ever || c.journal.Failed() != nil {
		return
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupLimit)
	defer cancel()
	c.do(late, s)
}
