package runs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/254carbon/gonogo/actions"
)

// Limits of what surrounds the steps.
const (
	openLimit    = 2 * time.Minute
	scoreLimit   = 2 * time.Minute
	releaseLimit = 20 * time.Second
	cancelPause  = 200 * time.Millisecond
)

// Carry carries out the run of a folder until it has ended. When ctx ends the run is cancelled; its clean-up still happens. The error is that
// nothing could be written about it, or that another process carries it out.
func (e *Engine) Carry(ctx context.Context, dir string) (actions.RunInfo, error) {
	id := actions.RunID(filepath.Base(dir))
	if err := e.carryFolder(ctx, id, dir); err != nil {
		return actions.RunInfo{}, err
	}
	return e.Store.Info(id)
}

func (e *Engine) carryFolder(ctx context.Context, id actions.RunID, dir string) error {
	unlock, err := lockRun(dir)
	if err != nil {
		return fmt.Errorf("carrying out %s: %w", id, err)
	}
	defer unlock()
	p, err := readPlan(dir)
	if err != nil {
		return fmt.Errorf("carrying out %s: %w", id, err)
	}
	j, err := openJournal(dir, e.Now)
	if err != nil {
		return fmt.Errorf("carrying out %s: %w", id, err)
	}
	defer func() { _ = j.Close() }()
	_ = os.Remove(filepath.Join(dir, cancelFile)) // that of an earlier process
	r := &runner{Engine: e, id: id, dir: dir, plan: p, journal: j, prior: j.State()}
	end, err := r.run(ctx)
	if err == nil {
		end.Text = safe(end.Text, e.Mask)
		err = j.Append(end)
	}
	r.report(ctx, end, err)
	return err
}

// runner is the process of one run.
type runner struct {
	*Engine
	id      actions.RunID
	dir     string
	plan    actions.Plan
	journal *journal
	prior   actions.State
}

func refused(err error) (actions.Event, error) {
	return actions.Event{Kind: actions.Ended, Outcome: actions.Refused, Text: err.Error()}, nil
}

// run prepares and carries out, and returns the last event.
func (r *runner) run(ctx context.Context) (actions.Event, error) {
	opening, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	if err := r.may(opening, r.plan, r.plan.Platform); err != nil { // the name was typed when the run was started
		return refused(err)
	}
	a, err := r.Action(r.plan.Action)
	if err != nil {
		return refused(err)
	}
	if kind := a.Spec().Kind; kind != r.plan.Kind {
		return refused(fmt.Errorf("the profile's action %s is of kind %s by now, not %s", r.plan.Action, kind, r.plan.Kind))
	}
	lock, err := r.Lock(opening, r.plan.Action, r.id, r.gone)
	if err != nil {
		return refused(fmt.Errorf("locking %s: %w", r.plan.Action, err))
	}
	defer r.release(ctx, lock)
	scratch := filepath.Join(r.dir, scratchName)
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return refused(err)
	}
	doer, err := a.Open(opening, r.plan, scratch)
	if err != nil {
		return refused(fmt.Errorf("preparing: %w", err))
	}
	defer func() { _ = doer.Close() }()
	if err := r.journal.Append(actions.Event{Kind: actions.Started, By: r.Who}); err != nil {
		return actions.Event{}, err
	}
	return r.carry(ctx, doer, lock)
}

// carry carries out the steps between two measurements of the score.
func (r *runner) carry(ctx context.Context, doer actions.Doer, lock Lock) (actions.Event, error) {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		r.attend(working, lock, stop)
	}()
	before, measured := r.score(working)
	c := &carrier{plan: r.plan, doer: doer, journal: r.journal, prior: r.prior, mask: r.Mask, now: time.Now, budget: &budget{}}
	outcome, why, err := c.carry(working)
	if cause := context.Cause(working); errors.Is(cause, errLost) {
		outcome, why = actions.Wanting, cause.Error()
	}
	stop(nil)
	<-watching
	if err != nil {
		return actions.Event{}, err
	}
	end := actions.Event{Kind: actions.Ended, Outcome: outcome, Text: why}
	if !measured {
		return end, nil
	}
	if after, ok := r.score(context.WithoutCancel(ctx)); ok {
		end.Points = &actions.Points{Before: before, After: after}
	}
	return end, nil
}

var errLost = errors.New("another may do the same now, so nothing more was begun")

// attend ends the run when somebody wants it or its lock is lost.
func (r *runner) attend(ctx context.Context, lock Lock, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(cancelPause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-lock.Lost():
			stop(fmt.Errorf("%w: %w", errLost, lock.Why()))
			return
		case <-ticker.C:
		}
		who, err := os.ReadFile(filepath.Join(r.dir, cancelFile))
		if err != nil {
			continue
		}
		_ = r.journal.Append(actions.Event{Kind: actions.Cancelled, By: safe(string(who), r.Mask)})
		stop(context.Canceled)
		return
	}
}

func (r *runner) score(ctx context.Context) (int, bool) {
	if r.Score == nil || ctx.Err() != nil {
		return 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, scoreLimit)
	defer cancel()
	return r.Score(ctx)
}

// gone reports whether the process of another run of this store is gone.
func (r *runner) gone(id actions.RunID) bool {
	dir, err := r.Store.Folder(id)
	return errors.Is(err, ErrNoRun) || err == nil && (id == r.id || !Alive(dir))
}

func (r *runner) release(ctx context.Context, lock Lock) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
	defer cancel()
	if err := lock.Release(ctx); err != nil {
		_ = r.journal.Append(actions.Event{Kind: actions.Log, Text: safe("the lock could not be given back, and frees itself soon: "+err.Error(), r.Mask)})
	}
}

// report tells the audit, and the platform, how the run ended.
func (r *runner) report(ctx context.Context, end actions.Event, failed error) {
	outcome, text := string(end.Outcome), end.Text
	if failed != nil {
		outcome, text = string(actions.Interrupted), safe(failed.Error(), r.Mask)
	}
	_ = r.audit(entry{
		At: r.Now().UTC(), Who: r.Who, From: r.From, Platform: r.plan.Platform, Cluster: r.plan.Cluster, Action: string(r.plan.Action), Run: string(r.id),
		Plan: r.plan.Digest(), Outcome: outcome, Text: strings.TrimSpace(text),
	})
	if r.Announce == nil || end.Outcome == actions.Refused {
		return
	}
	info, err := r.Store.Info(r.id)
	if err != nil {
		return
	}
	info.Outcome, info.Text = end.Outcome, text // it is still alive
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
	defer cancel()
	r.Announce(ctx, info)
}
