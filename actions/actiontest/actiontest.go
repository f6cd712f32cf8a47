// Package actiontest holds every action to the contract: it plans by reading alone and twice the same, its steps do nothing twice, also when
// the process ends before or after any of them, nothing is left to plan afterwards, it ends with its context, and it shows no secret.
package actiontest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/254carbon/gonogo/actions"
)

// Options say what is tested.
type Options struct {
	// New returns the action over a world of its own.
	New    func(t *testing.T) actions.Action
	Inputs actions.Inputs
	// Writes counts what was asked of the world that was no read; may be nil.
	Writes func() int
	// Secrets are what nobody may ever see, asked when all is done.
	Secrets func() []string
	// Again is whether a second plan has steps all the same, as that of a script has.
	Again bool
	// Soon is how long Do may take to return after its context has ended; 0 for a second.
	Soon time.Duration
}

// Told keeps what steps say. It is an [actions.Reporter].
type Told struct {
	mu    sync.Mutex
	lines []string
}

// Log implements [actions.Reporter].
func (r *Told) Log(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

// Progress implements [actions.Reporter].
func (r *Told) Progress(_, _ actions.Amount) {}

// Waiting implements [actions.Reporter].
func (r *Told) Waiting(why string, _ time.Time) { r.Log(why) }

// Lines is what was said so far.
func (r *Told) Lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// Suite runs the contract.
func Suite(t *testing.T, o Options) {
	a := o.New(t)
	in, err := a.Spec().Settle(o.Inputs)
	must(t, err)
	p := plan(t, a, in)
	if again := plan(t, a, in); again.Digest() != p.Digest() {
		t.Error("planned twice, it is not the same")
	}
	if len(p.Missing) > 0 {
		t.Fatalf("nothing should be missing: %v", p.Missing)
	}
	if o.Writes != nil && o.Writes() > 0 {
		t.Errorf("planning sent %d requests that were no reads", o.Writes())
	}
	ended(t, o, a, p)
	out := &Told{}
	walk(t, a, p, out)
	left := plan(t, a, in)
	if n := left.Changes(); n > 0 && !o.Again {
		t.Errorf("a second plan has %d changes: %+v", n, left.Steps)
	}
	if o.Secrets == nil {
		return
	}
	text, err := json.Marshal([]actions.Plan{p, left})
	must(t, err)
	said := string(text) + strings.Join(out.Lines(), "\n")
	for _, secret := range o.Secrets() {
		if secret != "" && strings.Contains(said, secret) {
			t.Error("a secret is shown")
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plan plans as an engine does.
func plan(t *testing.T, a actions.Action, in actions.Inputs) actions.Plan {
	t.Helper()
	p, err := a.Plan(t.Context(), in)
	must(t, err)
	p.Inputs = in
	must(t, p.Validate())
	return p
}

// ended has the first step's context end before it begins: it must say so soon, and not that it is done.
func ended(t *testing.T, o Options, a actions.Action, p actions.Plan) {
	t.Helper()
	if len(p.Steps) == 0 {
		t.Fatal("there is nothing to plan, and so nothing to test")
	}
	d, err := a.Open(t.Context(), p, t.TempDir())
	must(t, err)
	defer func() { must(t, d.Close()) }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	if err := d.Do(ctx, p.Steps[0], &Told{}); err == nil {
		t.Errorf("%s is done although its context had ended", p.Steps[0].ID)
	}
	soon := o.Soon
	if soon == 0 {
		soon = time.Second
	}
	if took := time.Since(began); took > soon {
		t.Errorf("%s returned %s after its context had ended", p.Steps[0].ID, took)
	}
}

// walk carries a plan out in a new process for every step, which ends right before the step, then right after it and before anybody noted
// that, so that a third one meets a step of which it is not known whether it is done.
func walk(t *testing.T, a actions.Action, p actions.Plan, out *Told) {
	t.Helper()
	folder := t.TempDir()
	process := func(s actions.Step, do func(actions.Doer) error) {
		t.Helper()
		d, err := a.Open(t.Context(), p, folder)
		must(t, err)
		if err := do(d); err != nil {
			t.Errorf("%s: %v", s.ID, err)
		}
		must(t, d.Close())
	}
	for _, s := range p.Steps {
		process(s, func(actions.Doer) error { return nil })
		process(s, func(d actions.Doer) error { return d.Do(t.Context(), s, out) })
		if s.Unrepeatable {
			continue
		}
		process(s, func(d actions.Doer) error {
			if done, err := d.Done(t.Context(), s); err == nil && done {
				return nil
			}
			return d.Do(t.Context(), s, out)
		})
	}
}
