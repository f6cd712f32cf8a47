package probes

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// Result is the answer to one asking of a check: an observation, or Err if the question could not be asked.
type Result struct {
	ID ID
	Observation
	Err      error         // could not ask; the observation is then empty
	Started  time.Time     // by the clock of whoever asked
	Took     time.Duration // measured on the machine's own clock
	Failures int           // samples in a row that were failures or errors, the last being this one; 0 for a pass or warning
}

// ok reports whether the result is a measurement that earns something.
func (r Result) ok() bool { return r.Err == nil && (r.Status == Pass || r.Status == Warn) }

// PanicError is the error of a probe that panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("the probe crashed: %v", e.Value) }

// Limits on what one answer may hold; what is beyond them is cut, and said so in the evidence.
const (
	maxSummary  = 400
	maxText     = 600
	maxEvidence = 200
)

// Ask asks a check once. It is the one place where deadlines, panics, missing statuses and oversized answers are dealt with: whatever the
// probe does, Ask returns within the check's timeout with a result that is safe to show. Timestamps come from now, which nil leaves to
// the machine's clock.
func Ask(ctx context.Context, c Check, now func() time.Time) Result {
	result, _ := ask(ctx, c, now)
	return result
}

// AskConfirmed asks a check as often as its confirm rule wants, within one timeout: the first pass or warning stands; a failure stands
// when that many samples in a row were failures or errors and the last was a failure; otherwise the result is an error.
func AskConfirmed(ctx context.Context, c Check, now func() time.Time) Result {
	ctx, cancel := withTimeout(ctx, c.Spec)
	defer cancel()
	began := time.Now()
	var result Result
	for sample := 1; ; sample++ {
		var ended <-chan struct{}
		result, ended = ask(ctx, c, now)
		if result.ok() {
			break
		}
		result.Failures = sample
		if sample >= c.Spec.Confirm {
			break
		}
		if !confirmPause(ctx, ended, c.Spec.Timeout) {
			if result.Err == nil { // failure, then no answer: that is not knowing
				result = Result{
					ID: result.ID, Started: result.Started, Failures: sample,
					Err: fmt.Errorf("%w to confirm a first failure: %s", context.Cause(ctx), result.Summary),
				}
			}
			break
		}
	}
	result.Took = time.Since(began)
	return result
}

// withTimeout gives a context the deadline of a check, and the words for it.
func withTimeout(ctx context.Context, s Spec) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.Timeout, fmt.Errorf("no answer within %s", s.Timeout))
}

// confirmPause waits between two samples of a check and reports whether there is time for another one.
func confirmPause(ctx context.Context, ended <-chan struct{}, timeout time.Duration) bool {
	select {
	case <-ended: // never two at once
	case <-ctx.Done():
		return false
	}
	pause := time.NewTimer(min(300*time.Millisecond, timeout/4))
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ask asks once and also returns a channel that is closed when the probe itself has returned, which may be later than the result.
func ask(ctx context.Context, c Check, now func() time.Time) (Result, <-chan struct{}) {
	if now == nil {
		now = time.Now
	}
	ctx, cancel := withTimeout(ctx, c.Spec)
	began, started := time.Now(), now()

	type answer struct {
		obs Observation
		err error
	}
	answers, ended := make(chan answer, 1), make(chan struct{})
	go func() {
		defer close(ended)
		defer cancel()
		var a answer
		defer func() {
			if v := recover(); v != nil {
				a = answer{err: &PanicError{Value: v, Stack: debug.Stack()}}
			}
			answers <- a
		}()
		a.obs, a.err = c.Probe.Observe(ctx)
	}()

	var a answer
	select {
	case a = <-answers:
		// A probe that gave up because of the deadline says "context deadline exceeded"; the cause says it better.
		if a.err != nil && ctx.Err() != nil && errors.Is(a.err, ctx.Err()) {
			a.err = deadlineError{cause: context.Cause(ctx), detail: a.err}
		}
	case <-ctx.Done():
		select {
		case a = <-answers:
			if a.err != nil && errors.Is(a.err, ctx.Err()) {
				a.err = deadlineError{cause: context.Cause(ctx), detail: a.err}
			}
		case <-time.After(grace):
			a.err = context.Cause(ctx)
		}
	}
	result := settle(c.Spec.ID, a.obs, a.err)
	result.Started, result.Took = started, time.Since(began)
	for i := range result.Evidence {
		if result.Evidence[i].TakenAt.IsZero() {
			result.Evidence[i].TakenAt = started
		}
	}
	// A source whose clock runs ahead does not make its answer last longer.
	if result.Err == nil && (result.Confirmed.IsZero() || result.Confirmed.After(started)) {
		result.Confirmed = started
	}
	return result, ended
}

// grace is how long a probe may take to notice the end of its context; what it found out by then is better than the bare deadline.
const grace = 50 * time.Millisecond

// deadlineError says that time ran out, in the words of the deadline, and keeps what the probe was doing.
type deadlineError struct{ cause, detail error }

func (e deadlineError) Error() string {
	if e.detail == nil || e.detail.Error() == e.cause.Error() {
		return e.cause.Error()
	}
	return fmt.Sprintf("%v: %v", e.cause, e.detail)
}

func (e deadlineError) Unwrap() []error { return []error{e.cause, e.detail} }

// settle turns what a probe returned into a result that keeps the contract.
func settle(id ID, obs Observation, err error) Result {
	result := Result{ID: id}
	if err == nil {
		switch obs.Status {
		case Pass, Fail:
			obs.Ratio = Ratio{}
		case Warn:
			if !obs.Ratio.Valid() {
				err = fmt.Errorf("the probe answered with a warning worth %d/%d, which is not between 0 and 1", obs.Ratio.Num, obs.Ratio.Den)
			}
		default:
			err = fmt.Errorf("the probe answered %s, which is not an answer", obs.Status)
		}
		if err == nil && obs.Word != "" && (obs.Status == Pass || obs.Status == Warn && 2*obs.Ratio.Num > obs.Ratio.Den) {
			err = fmt.Errorf("the probe takes a person's word for more than half")
		}
	}
	if err != nil {
		result.Err = safely(err)
		result.Failures = 1
		return result
	}
	obs.Summary = Clean(obs.Summary, maxSummary)
	if obs.Summary == "" {
		obs.Summary = obs.Status.String()
	}
	obs.Evidence, obs.Word = safeEvidence(obs.Evidence), Clean(obs.Word, maxSummary)
	result.Observation = obs
	if obs.Status == Fail {
		result.Failures = 1
	}
	return result
}

// safeError shows the text of an error cleaned and bounded, and is that error otherwise.
type safeError struct {
	error
	text string
}

func (e safeError) Error() string { return e.text }
func (e safeError) Unwrap() error { return e.error }

// safely asks an error for its text once and for all: like the probe, an error's own code may crash.
func safely(err error) (safe error) {
	defer func() {
		if v := recover(); v != nil {
			crash := &PanicError{Value: v, Stack: debug.Stack()}
			safe = safeError{crash, Clean(crash.Error(), maxText)}
		}
	}()
	return safeError{err, Clean(err.Error(), maxText)}
}

func safeEvidence(all []Evidence) []Evidence {
	kept := all[:min(len(all), maxEvidence)]
	safe := make([]Evidence, 0, len(kept)+1)
	for _, e := range kept {
		safe = append(safe, Evidence{
			Subject: Clean(e.Subject, maxText), Want: Clean(e.Want, maxText), Got: Clean(e.Got, maxText), Wanting: e.Wanting,
			Source: Clean(e.Source, maxText), Repeat: Clean(e.Repeat, 4*maxText), TakenAt: e.TakenAt,
		})
	}
	if more := len(all) - len(kept); more > 0 {
		safe = append(safe, Evidence{Subject: fmt.Sprintf("and %d more", more)})
	}
	return safe
}
