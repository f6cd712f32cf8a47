package runs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

// Lock is held while a run goes on.
type Lock interface {
	// Lost is closed when the lock is not ours any more; Why says why.
	Lost() <-chan struct{}
	Why() error
	Release(ctx context.Context) error
}

// Config is what an engine works with.
type Config struct {
	Store    *Store
	StateDir string // for the audit and the pinned clusters
	Platform string
	Profile  string // digest
	Who      string // user@host
	From     string // where the person came from, if that is known
	ReadOnly bool
	Now      func() time.Time
	Mask     func(string) string

	// Specs are the actions of the profile, and Action returns one of them; its error says why gonogo cannot do it.
	Specs  func() []actions.Spec
	Action func(id probes.ID) (actions.Action, error)
	// Cluster identifies the cluster that is asked, and Pinned is the only one that may be changed; empty for the first that was.
	Cluster func(ctx context.Context) (string, error)
	Pinned  string
	// Lock lets one run at a time do an action to the platform. Gone tells whether the process of a run of this store is gone.
	Lock func(ctx context.Context, action probes.ID, run actions.RunID, gone func(actions.RunID) bool) (Lock, error)
	// Score measures the platform, in percent; ok is false where it cannot be measured. May be nil.
	Score func(ctx context.Context) (percent int, ok bool)
	// Announce tells the platform how a run ended, where that can be; may be nil.
	Announce func(ctx context.Context, info actions.RunInfo)
	// Spawn starts a process that carries the run of a folder out, with [Engine.Carry]; ended gets its end. Nil carries runs out in this
	// process.
	Spawn func(folder string) (ended <-chan error, err error)
}

// Engine plans and runs actions. It implements [actions.Engine].
type Engine struct {
	Config
	base   context.Context // of the runs in this process
	cancel context.CancelFunc
	own    sync.WaitGroup
}

var _ actions.Engine = (*Engine)(nil)

// New returns an engine. Close ends the runs that go on in this process.
func New(c Config) *Engine {
	e := &Engine{Config: c}
	e.base, e.cancel = context.WithCancel(context.Background())
	return e
}

// Close cancels the runs in this process, and returns when their clean-up is done.
func (e *Engine) Close() {
	e.cancel()
	e.own.Wait()
}

// Detached reports whether runs outlive this process.
func (e *Engine) Detached() bool { return e.Spawn != nil }

const readOnly = "read-only mode: this can be planned, not run"

// Offers implements [actions.Engine].
func (e *Engine) Offers() []actions.Offer {
	var all []actions.Offer
	for _, s := range e.Specs() {
		o := actions.Offer{Spec: s}
		switch a, err := e.Action(s.ID); {
		case err != nil:
			o.Refused = safe(err.Error(), e.Mask)
		case e.ReadOnly:
			o.Spec, o.Refused = a.Spec(), readOnly
		default:
			o.Spec = a.Spec()
		}
		all = append(all, o)
	}
	return all
}

// Plan implements [actions.Engine].
func (e *Engine) Plan(ctx context.Context, id probes.ID, in actions.Inputs) (actions.Plan, error) {
	a, err := e.Action(id)
	if err != nil {
		return actions.Plan{}, err
	}
	if in, err = a.Spec().Settle(in); err != nil {
		return actions.Plan{}, err
	}
	uid, err := e.identify(ctx)
	if err != nil {
		return actions.Plan{}, err
	}
	p, err := a.Plan(ctx, in)
	if err != nil {
		return p, fmt.Errorf("planning %s: %w", id, masked(err, e.Mask))
	}
	s := a.Spec()
	p.Action, p.Kind, p.Title, p.Platform, p.Cluster, p.Profile, p.Inputs, p.MadeAt = id, s.Kind, s.Title, e.Platform, uid, e.Profile, in, e.Now().UTC()
	if p.Mends == nil {
		p.Mends = s.Mends
	}
	return e.presentable(p), p.Validate()
}

// presentable makes the texts of a plan safe to show. Its data are the action's own, and hold nothing secret.
func (e *Engine) presentable(p actions.Plan) actions.Plan {
	each := func(texts []string) []string {
		var all []string
		for _, t := range texts {
			all = append(all, safe(t, e.Mask))
		}
		return all
	}
	p.Summary, p.Notes, p.Missing = safe(p.Summary, e.Mask), each(p.Notes), each(p.Missing)
	p.Steps = slices.Clone(p.Steps)
	for i, s := range p.Steps {
		s.Title, s.Target, s.Detail = safe(s.Title, e.Mask), safe(s.Target, e.Mask), each(s.Detail)
		p.Steps[i] = s
	}
	return p
}

// masked is an error that shows no secret.
func masked(err error, mask func(string) string) error {
	return maskedError{err, safe(err.Error(), mask)}
}

type maskedError struct {
	error
	text string
}

func (e maskedError) Error() string { return e.text }
func (e maskedError) Unwrap() error { return e.error }

// Start implements [actions.Engine].
func (e *Engine) Start(ctx context.Context, p actions.Plan, typed string) (actions.RunID, error) {
	if err := e.may(ctx, p, typed); err != nil {
		return "", err
	}
	if len(p.Steps) == 0 {
		return "", actions.Refuse("there is nothing to do")
	}
	id, dir, err := e.Store.Create(p)
	if err != nil {
		return "", actions.Refuse("a run that cannot be kept is not begun: %v", err)
	}
	if err := e.begin(ctx, dir, 0); err != nil {
		return "", errors.Join(err, e.discard(dir))
	}
	return id, nil
}

// discard removes what is left of a run that never began.
func (e *Engine) discard(dir string) error {
	if state, err := readState(dir); err != nil || !state.Started.IsZero() || Alive(dir) {
		return nil
	}
	return os.RemoveAll(dir)
}

// may says why a plan may not be carried out.
func (e *Engine) may(ctx context.Context, p actions.Plan, typed string) error {
	switch {
	case e.ReadOnly:
		return actions.Refuse(readOnly)
	case p.Platform != e.Platform:
		return actions.Refuse("this plan is for the platform %s, not %s", p.Platform, e.Platform)
	case len(p.Missing) > 0:
		return actions.Refuse("what this needs is missing: %s", strings.Join(p.Missing, "; "))
	case p.Worst() == actions.Deletes && typed != p.Platform:
		return actions.Refuse("this deletes or replaces something: say so by typing the platform's name, %s", p.Platform)
	}
	if err := p.Validate(); err != nil {
		return err
	}
	return e.confirm(ctx, p.Cluster, true)
}

// begin has a run carried out, and returns once it has said something that was not there before: that it started, or why not.
func (e *Engine) begin(ctx context.Context, dir string, after int64) error {
	ended, err := e.spawn(dir)
	if err != nil {
		return fmt.Errorf("starting the run: %w", err)
	}
	var gone bool
	var failed error
	for {
		state, err := readState(dir)
		switch {
		case err != nil:
			return err
		case state.Seq > after && state.Outcome == actions.Refused:
			if !gone { // so that what is left of it can be removed
				select {
				case <-ended:
				case <-ctx.Done():
				}
			}
			return &actions.RefusedError{Reason: state.Text}
		case state.Seq > after:
			return nil
		case gone:
			return fmt.Errorf("starting the run: its process ended without a word (%w); see %s", failed, filepath.Join(dir, outputFile))
		}
		select {
		case failed = <-ended:
			gone = true
			if failed == nil {
				failed = errors.New("exit status 0")
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (e *Engine) spawn(dir string) (<-chan error, error) {
	if e.Spawn != nil {
		return e.Spawn(dir)
	}
	ended := make(chan error, 1)
	e.own.Go(func() {
		_, err := e.Carry(e.base, dir)
		ended <- err
	})
	return ended, nil
}

// Runs implements [actions.Engine].
func (e *Engine) Runs(context.Context) ([]actions.RunInfo, error) { return e.Store.List() }

// Follow implements [actions.Engine].
func (e *Engine) Follow(_ context.Context, id actions.RunID) (actions.Follower, error) {
	return e.Store.Follow(id)
}

// Resume implements [actions.Engine].
func (e *Engine) Resume(ctx context.Context, id actions.RunID, answers map[string]actions.Answer, typed string) error {
	info, err := e.Store.Info(id)
	for range 10 { // a process that this one starts just now holds on to every lock of it for a moment
		if err != nil || !info.Alive {
			break
		}
		time.Sleep(20 * time.Millisecond)
		info, err = e.Store.Info(id)
	}
	if err != nil {
		return err
	}
	switch {
	case info.Alive:
		return actions.Refuse("%s goes on: `gonogo runs logs -f %s` shows it", id, id)
	case !info.Outcome.Resumable():
		return actions.Refuse("%s is %s: there is nothing to go on with", id, info.Outcome)
	}
	if err := e.may(ctx, info.Plan, typed); err != nil {
		return err
	}
	dir, err := e.Store.Folder(id)
	if err != nil {
		return err
	}
	seq, err := e.resolve(dir, info.Plan, answers)
	if err != nil {
		return err
	}
	return e.begin(ctx, dir, seq)
}

// resolve writes what a person says of the steps whose outcome nobody knows.
func (e *Engine) resolve(dir string, p actions.Plan, answers map[string]actions.Answer) (int64, error) {
	unlock, err := lockRun(dir)
	if err != nil {
		return 0, err
	}
	defer unlock()
	j, err := openJournal(dir, e.Now)
	if err != nil {
		return 0, err
	}
	defer func() { _ = j.Close() }()
	state := j.State()
	var open []string
	for _, s := range p.Steps {
		at := state.Of(s.ID)
		unclear := at.Status == actions.StepUnclear || at.Status == actions.StepRunning && s.Unrepeatable
		answer, answered := answers[s.ID]
		switch {
		case answered && !unclear:
			return 0, fmt.Errorf("the step %q is %s: there is nothing to say about it", s.ID, at.Status)
		case answered && answer != actions.ItIsDone && answer != actions.DoAgain:
			return 0, fmt.Errorf("%s=%s: say %s or %s", s.ID, answer, actions.ItIsDone, actions.DoAgain)
		case answered:
			if err := j.Append(actions.Event{Kind: actions.Resolved, Step: s.ID, Already: answer == actions.ItIsDone, By: e.Who}); err != nil {
				return 0, err
			}
		case unclear:
			open = append(open, fmt.Sprintf("%s (%s)", s.ID, s.Title))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(answers)) {
		if _, ok := p.Step(id); !ok {
			return 0, fmt.Errorf("there is no step %q in this run", id)
		}
	}
	if len(open) > 0 {
		return 0, actions.Refuse("nobody knows whether this was done, so say it: %s", strings.Join(open, ", "))
	}
	return j.State().Seq, j.Failed()
}

// Cancel implements [actions.Engine].
func (e *Engine) Cancel(_ context.Context, id actions.RunID) error {
	dir, err := e.Store.Folder(id)
	if err != nil {
		return err
	}
	switch {
	case e.ReadOnly:
		return actions.Refuse("read-only mode: nothing is cancelled")
	case !Alive(dir):
		return actions.Refuse("%s does not go on: there is nothing to cancel", id)
	}
	if err := os.WriteFile(filepath.Join(dir, cancelFile), []byte(e.Who), 0o600); err != nil {
		return fmt.Errorf("asking %s to end: %w", id, err)
	}
	return nil
}

// Wait returns when the run does not go on any more, with what is known of it then.
func (e *Engine) Wait(ctx context.Context, id actions.RunID, see func(actions.Event)) (actions.RunInfo, error) {
	f, err := e.Store.Follow(id)
	if err != nil {
		return actions.RunInfo{}, err
	}
	defer func() { _ = f.Close() }()
	for {
		events, err := f.Read(ctx, 256)
		for _, event := range events {
			see(event)
		}
		if errors.Is(err, io.EOF) {
			return e.Store.Info(id)
		}
		if err != nil {
			return actions.RunInfo{}, err
		}
	}
}
