//go:build unix

package runs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/internal/runs"
	"github.com/254carbon/gonogo/probes"
)

// carryVariable names the state folder of the test's processes that carry a run out.
const carryVariable = "GONOGO_RUNS_TEST_STATE"

func TestMain(m *testing.M) {
	if state := os.Getenv(carryVariable); state != "" {
		c := config(state)
		c.Spawn = nil
		info, err := runs.New(c).Carry(context.Background(), os.Args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(info.Outcome)
		os.Exit(0)
	}
	goleak.VerifyTestMain(patient{m})
}

// spawned are the processes that tests started.
var spawned sync.WaitGroup

// patient runs the tests and waits for the processes that they started.
type patient struct{ *testing.M }

func (p patient) Run() int {
	code := p.M.Run()
	spawned.Wait()
	return code
}

// errands is an action whose steps write a line each into a file: what was done, as often as it was.
type errands struct {
	state string
	steps []actions.Step
	do    map[string]func(ctx context.Context, r actions.Reporter) error // in the place of the line
}

func (e errands) Spec() actions.Spec {
	return actions.Spec{ID: "errands", Kind: "errands", Title: "Run errands", Inputs: []actions.Input{{Name: "fast", Default: "false", Options: []string{"false", "true"}}}, Mends: []probes.ID{"a-check"}}
}

func (e errands) Plan(context.Context, actions.Inputs) (actions.Plan, error) {
	p := actions.Plan{Summary: "with the password hunter2hunter2"}
	for _, s := range e.steps {
		if done, _ := e.Done(context.Background(), s); !done {
			p.Steps = append(p.Steps, s)
		}
	}
	return p, nil
}

func (e errands) Open(context.Context, actions.Plan, string) (actions.Doer, error) { return e, nil }
func (e errands) Close() error                                                     { return nil }

func (e errands) lines() []string {
	text, _ := os.ReadFile(filepath.Join(e.state, "done"))
	return strings.Fields(string(text))
}

func (e errands) Done(_ context.Context, s actions.Step) (bool, error) {
	if s.Unrepeatable || s.Cleanup {
		return false, nil
	}
	return slices.Contains(e.lines(), s.ID), nil
}

// point kills this process if the test wants it here.
func (e errands) point(where string) {
	file := filepath.Join(e.state, "kill")
	if text, err := os.ReadFile(file); err == nil && string(text) == where {
		_ = os.Remove(file)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (e errands) Do(ctx context.Context, s actions.Step, r actions.Reporter) error {
	e.point("before " + s.ID)
	if f := e.do[s.ID]; f != nil {
		return f(ctx, r)
	}
	r.Log("doing " + s.ID)
	r.Progress(actions.Amount{Units: 1}, actions.Amount{Units: 1})
	file, err := os.OpenFile(filepath.Join(e.state, "done"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, s.ID)
	err = errors.Join(err, file.Close())
	e.point("after " + s.ID)
	return err
}

// threeSteps are what processes of their own carry out.
func threeSteps() []actions.Step {
	return []actions.Step{
		{ID: "one", Title: "One", Effect: actions.Creates}, {ID: "two", Title: "Two", Effect: actions.Updates, Group: "g"},
		{ID: "three", Title: "Three", Effect: actions.Updates, Group: "g"}, {ID: "script", Title: "Script", Effect: actions.Updates, Unrepeatable: true},
		{ID: "tidy", Title: "Tidy", Effect: actions.Deletes, Cleanup: true, Needs: []string{"two"}},
	}
}

// free is a lock that nobody else wants.
type free struct{ lost chan struct{} }

func (f free) Lost() <-chan struct{}         { return f.lost }
func (f free) Why() error                    { return errors.New("somebody took it") }
func (f free) Release(context.Context) error { return nil }

// config is of an engine in a state folder.
func config(state string) runs.Config {
	a := errands{state: state, steps: threeSteps()}
	return runs.Config{
		Store: runs.NewStore(state, "254Carbon"), StateDir: state, Platform: "254Carbon", Who: "ana@bastion", Now: time.Now,
		Mask:  func(text string) string { return strings.ReplaceAll(text, "hunter2hunter2", "•••") },
		Specs: func() []actions.Spec { return []actions.Spec{a.Spec()} },
		Action: func(id probes.ID) (actions.Action, error) {
			if id != "errands" {
				return nil, fmt.Errorf("there is no action %s", id)
			}
			return a, nil
		},
		Cluster: func(context.Context) (string, error) { return "uid-1", nil },
		Lock: func(context.Context, probes.ID, actions.RunID, func(actions.RunID) bool) (runs.Lock, error) {
			return free{}, nil
		},
		Spawn: func(folder string) (<-chan error, error) {
			exe, err := os.Executable()
			if err != nil {
				return nil, err
			}
			c := exec.Command(exe, folder)
			c.Env = append(os.Environ(), carryVariable+"="+state)
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := c.Start(); err != nil {
				return nil, err
			}
			ended := make(chan error, 1)
			spawned.Go(func() { ended <- c.Wait() })
			return ended, nil
		},
	}
}

// engine is one whose runs go on in this process, with steps of the test's.
func engine(t *testing.T, state string, steps []actions.Step, do map[string]func(context.Context, actions.Reporter) error, change ...func(*runs.Config)) *runs.Engine {
	t.Helper()
	c := config(state)
	c.Spawn = nil
	a := errands{state: state, steps: steps, do: do}
	c.Action = func(probes.ID) (actions.Action, error) { return a, nil }
	for _, f := range change {
		f(&c)
	}
	e := runs.New(c)
	t.Cleanup(e.Close)
	return e
}

// plan plans the errands.
func plan(t *testing.T, e *runs.Engine) actions.Plan {
	t.Helper()
	p, err := e.Plan(t.Context(), "errands", nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// start starts a run.
func start(t *testing.T, e *runs.Engine) actions.RunID {
	t.Helper()
	id, err := e.Start(t.Context(), plan(t, e), "254Carbon")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// wait waits for the end of a run.
func wait(t *testing.T, e *runs.Engine, id actions.RunID) (actions.RunInfo, []actions.Event) {
	t.Helper()
	var events []actions.Event
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	info, err := e.Wait(ctx, id, func(event actions.Event) { events = append(events, event) })
	if err != nil {
		t.Fatal(err)
	}
	return info, events
}

// count says how often each errand was run.
func count(state string) map[string]int {
	n := map[string]int{}
	for _, line := range (errands{state: state}).lines() {
		n[line]++
	}
	return n
}

func TestARunInAProcessOfItsOwn(t *testing.T) {
	state := t.TempDir()
	e := runs.New(config(state))
	defer e.Close()
	id := start(t, e)
	if id != "errands-1" || !e.Detached() {
		t.Errorf("%s", id)
	}
	info, events := wait(t, e, id)
	if info.Outcome != actions.Done || info.By != "ana@bastion" || info.Alive {
		t.Errorf("%+v", info)
	}
	if n := count(state); n["one"] != 1 || n["two"] != 1 || n["three"] != 1 || n["script"] != 1 || n["tidy"] != 1 {
		t.Errorf("done %v", n)
	}
	for i, event := range events {
		if event.Seq != int64(i+1) {
			t.Fatalf("event %d has the number %d", i+1, event.Seq)
		}
	}
	text, err := os.ReadFile(filepath.Join(state, "audit.jsonl"))
	var line struct{ Who, Run, Outcome, Plan string }
	if err = errors.Join(err, json.Unmarshal(text, &line)); err != nil || line.Who != "ana@bastion" || line.Outcome != "done" || line.Plan != info.Plan.Digest() {
		t.Errorf("the audit has %s, %v", text, err)
	}
	if log, err := os.ReadFile(info.Log); err != nil || !strings.Contains(string(log), "[one] doing one") || !strings.Contains(string(log), "ended: done") {
		t.Errorf("the log has %s, %v", log, err)
	}
	if all, err := e.Runs(t.Context()); err != nil || len(all) != 1 || all[0].ID != id {
		t.Errorf("%v, %v", all, err)
	}
}

// TestKilledAnywhere kills the process of a run before and after each of its steps, and resumes it.
func TestKilledAnywhere(t *testing.T) {
	for _, where := range []string{"before", "after"} {
		for _, s := range threeSteps() {
			t.Run(where+" "+s.ID, func(t *testing.T) {
				t.Parallel()
				state := t.TempDir()
				if err := os.WriteFile(filepath.Join(state, "kill"), []byte(where+" "+s.ID), 0o600); err != nil {
					t.Fatal(err)
				}
				e := runs.New(config(state))
				defer e.Close()
				id := start(t, e)
				info, _ := wait(t, e, id)
				if info.Outcome != actions.Interrupted {
					t.Fatalf("killed, it is %s", info.Outcome)
				}
				answers := map[string]actions.Answer{}
				if s.Unrepeatable {
					err := e.Resume(t.Context(), id, nil, "254Carbon")
					var refusal *actions.RefusedError
					if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "nobody knows whether this was done") {
						t.Fatalf("resumed without an answer: %v", err)
					}
					answers[s.ID] = actions.ItIsDone
					if where == "before" {
						answers[s.ID] = actions.DoAgain
					}
				}
				if err := e.Resume(t.Context(), id, answers, "254Carbon"); err != nil {
					t.Fatal(err)
				}
				info, _ = wait(t, e, id)
				if info.Outcome != actions.Done {
					t.Fatalf("resumed, it is %s: %s", info.Outcome, info.Text)
				}
				for step, n := range count(state) {
					if n != 1 && !(step == "tidy" && n <= 2) {
						t.Errorf("%s was done %d times", step, n)
					}
				}
				if len(count(state)) != len(threeSteps()) {
					t.Errorf("done were %v", count(state))
				}
			})
		}
	}
}

func TestWhatGoesWrongInAStep(t *testing.T) {
	fails := func(err error) func(context.Context, actions.Reporter) error {
		return func(context.Context, actions.Reporter) error { return err }
	}
	step := func(id string, change func(*actions.Step)) actions.Step {
		s := actions.Step{ID: id, Title: strings.ToUpper(id), Effect: actions.Updates}
		if change != nil {
			change(&s)
		}
		return s
	}
	lenient := func(s *actions.Step) { s.Lenient = true }
	for name, c := range map[string]struct {
		steps   []actions.Step
		do      map[string]func(context.Context, actions.Reporter) error
		outcome actions.Outcome
		says    string
		done    []string
		left    []string
	}{
		"a failure ends the run, clean-up happens": {
			steps:   []actions.Step{step("a", nil), step("b", nil), step("c", func(s *actions.Step) { s.Cleanup = true; s.Needs = []string{"a"} })},
			do:      map[string]func(context.Context, actions.Reporter) error{"a": fails(errors.New("no space"))},
			outcome: actions.Wanting, says: "A: no space", done: []string{"c"},
		},
		"nothing to clean up after": {
			steps:   []actions.Step{step("a", nil), step("b", nil), step("c", func(s *actions.Step) { s.Cleanup = true; s.Needs = []string{"b"} })},
			do:      map[string]func(context.Context, actions.Reporter) error{"a": fails(errors.New("no space"))},
			outcome: actions.Wanting,
		},
		"others go on after a lenient one": {
			steps: []actions.Step{step("a", lenient), step("b", lenient), step("c", func(s *actions.Step) { s.Needs = []string{"a"} })},
			do:    map[string]func(context.Context, actions.Reporter) error{"a": fails(errors.New("wrong digest"))}, outcome: actions.Wanting,
			says: "A: wrong digest", done: []string{"b"}, left: []string{"c"},
		},
		"unless nothing else can succeed": {
			steps: []actions.Step{step("a", lenient), step("b", lenient)},
			do:    map[string]func(context.Context, actions.Reporter) error{"a": fails(&actions.StopError{Err: errors.New("the quota is used up")})}, outcome: actions.Wanting,
			says: "A: the quota is used up",
		},
		"a crash is a failure": {
			steps: []actions.Step{step("a", nil)},
			do:    map[string]func(context.Context, actions.Reporter) error{"a": func(context.Context, actions.Reporter) error { panic("boom") }}, outcome: actions.Wanting,
			says: "gonogo crashed in this step: boom",
		},
		"an unclear end of what may be repeated is looked at": {
			steps:   []actions.Step{step("a", nil), step("b", nil)},
			do:      map[string]func(context.Context, actions.Reporter) error{"a": fails(&actions.UnclearError{Err: errors.New("connection reset")})},
			outcome: actions.Wanting, says: "connection reset",
		},
		"one of what may not is left to a person": {
			steps:   []actions.Step{step("a", func(s *actions.Step) { s.Unrepeatable = true }), step("b", nil)},
			do:      map[string]func(context.Context, actions.Reporter) error{"a": fails(&actions.UnclearError{Err: errors.New("connection reset")})},
			outcome: actions.Uncertain, says: "connection reset",
		},
		"a secret is masked": {
			steps: []actions.Step{step("a", nil)}, do: map[string]func(context.Context, actions.Reporter) error{"a": fails(errors.New("login with hunt\x1b[0mer2hunter2 refused"))},
			outcome: actions.Wanting, says: "login with ••• refused",
		},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			e := engine(t, state, c.steps, c.do)
			info, _ := wait(t, e, start(t, e))
			if info.Outcome != c.outcome || !strings.Contains(info.Text, c.says) {
				t.Errorf("%s: %s; want %s: %s", info.Outcome, info.Text, c.outcome, c.says)
			}
			if got := (errands{state: state}).lines(); !slices.Equal(got, c.done) && len(got)+len(c.done) > 0 {
				t.Errorf("done %v, want %v", got, c.done)
			}
			for _, id := range c.left {
				if info.State.Of(id).Status != actions.StepLeft {
					t.Errorf("%s is %s", id, info.State.Of(id).Status)
				}
			}
		})
	}
}

func TestCancellation(t *testing.T) {
	state, began := t.TempDir(), make(chan struct{})
	steps := []actions.Step{{ID: "long", Title: "Long"}, {ID: "next", Title: "Next"}, {ID: "tidy", Title: "Tidy", Cleanup: true, Needs: []string{"long"}}}
	e := engine(t, state, steps, map[string]func(context.Context, actions.Reporter) error{"long": func(ctx context.Context, _ actions.Reporter) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	}})
	id := start(t, e)
	<-began
	if err := e.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	info, events := wait(t, e, id)
	if info.Outcome != actions.Stopped || info.State.Of("tidy").Status != actions.StepDone || info.State.Of("next").Status != actions.StepWaiting {
		t.Errorf("%+v", info)
	}
	if !slices.ContainsFunc(events, func(e actions.Event) bool { return e.Kind == actions.Cancelled && e.By == "ana@bastion" }) {
		t.Error("nobody is said to have cancelled it")
	}
	var refusal *actions.RefusedError
	if err := e.Cancel(t.Context(), id); !errors.As(err, &refusal) {
		t.Errorf("cancelled again: %v", err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	deletes := []actions.Step{{ID: "a", Title: "A", Effect: actions.Deletes}}
	plain := []actions.Step{{ID: "a", Title: "A", Effect: actions.Updates}}
	for name, c := range map[string]struct {
		steps  []actions.Step
		typed  string
		change func(*runs.Config)
		plan   func(*actions.Plan)
		says   string
	}{
		"read-only mode":    {steps: plain, change: func(c *runs.Config) { c.ReadOnly = true }, says: "can be planned, not run"},
		"no name typed":     {steps: deletes, says: "typing the platform's name, 254Carbon"},
		"another name":      {steps: deletes, typed: "254carbon", says: "typing the platform's name"},
		"something missing": {steps: plain, plan: func(p *actions.Plan) { p.Missing = []string{"create on secrets"} }, says: "create on secrets"},
		"nothing to do":     {says: "nothing to do"},
		"another platform":  {steps: plain, plan: func(p *actions.Plan) { p.Platform = "other" }, says: "for the platform other"},
		"another cluster":   {steps: plain, plan: func(p *actions.Plan) { p.Cluster = "uid-0" }, says: "made for the cluster uid-0, and the one that answers is uid-1"},
		"a lock that is held": {steps: plain, change: func(c *runs.Config) {
			c.Lock = func(context.Context, probes.ID, actions.RunID, func(actions.RunID) bool) (runs.Lock, error) {
				return nil, actions.Refuse("bea@laptop does this already")
			}
		}, says: "bea@laptop does this already"},
		"no place for the journal": {steps: plain, change: func(c *runs.Config) { c.Store = runs.NewStore("/dev/null", "x") }, says: "cannot be kept is not begun"},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			change := func(*runs.Config) {}
			if c.change != nil {
				change = c.change
			}
			e := engine(t, state, c.steps, nil, change)
			p := plan(t, e)
			if c.plan != nil {
				c.plan(&p)
			}
			_, err := e.Start(t.Context(), p, c.typed)
			var refusal *actions.RefusedError
			if !errors.As(err, &refusal) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want a refusal with %q", err, c.says)
			}
			if all, _ := e.Runs(t.Context()); len(all) > 0 || len(count(state)) > 0 {
				t.Errorf("what was refused left %v, and did %v", all, count(state))
			}
		})
	}
}

func TestOneClusterForever(t *testing.T) {
	state := t.TempDir()
	steps := []actions.Step{{ID: "a", Title: "A"}}
	e := engine(t, state, steps, nil)
	wait(t, e, start(t, e))
	elsewhere := func(c *runs.Config) { c.Cluster = func(context.Context) (string, error) { return "uid-2", nil } }
	_, err := engine(t, state, steps, nil, elsewhere).Plan(t.Context(), "errands", nil)
	var refusal *actions.RefusedError
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "changed the cluster uid-1, and the one that answers is uid-2") {
		t.Errorf("%v", err)
	}
	_, err = engine(t, state, steps, nil, func(c *runs.Config) { c.Pinned = "uid-9" }).Plan(t.Context(), "errands", nil)
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "the profile is for the cluster uid-9") {
		t.Errorf("%v", err)
	}
}

func TestALostLockEndsTheRun(t *testing.T) {
	lost := make(chan struct{})
	steps := []actions.Step{{ID: "a", Title: "A"}, {ID: "b", Title: "B"}}
	e := engine(t, t.TempDir(), steps, map[string]func(context.Context, actions.Reporter) error{"a": func(ctx context.Context, _ actions.Reporter) error {
		close(lost)
		<-ctx.Done()
		return ctx.Err()
	}}, func(c *runs.Config) {
		c.Lock = func(context.Context, probes.ID, actions.RunID, func(actions.RunID) bool) (runs.Lock, error) {
			return free{lost}, nil
		}
	})
	info, _ := wait(t, e, start(t, e))
	if info.Outcome != actions.Wanting || !strings.Contains(info.Text, "somebody took it") || info.State.Of("b").Status != actions.StepWaiting {
		t.Errorf("%+v", info)
	}
}

func TestHostileOutputIsTamed(t *testing.T) {
	e := engine(t, t.TempDir(), []actions.Step{{ID: "a", Title: "A"}}, map[string]func(context.Context, actions.Reporter) error{"a": func(_ context.Context, r actions.Reporter) error {
		r.Log("red \x1b[31mtext\x1b[0m and \x1b]52;c;aGk=\x07 the clipboard")
		r.Log("10%\r20%\r30% hunter2hunter2")
		r.Log("two\nlines")
		r.Log(strings.Repeat("x", 1<<20))
		for range 10_000 {
			r.Progress(actions.Amount{Units: 1}, actions.Amount{Units: 2})
		}
		r.Progress(actions.Amount{Units: 2}, actions.Amount{Units: 2})
		return nil
	}})
	_, events := wait(t, e, start(t, e))
	var lines []string
	progress := 0
	for _, event := range events {
		switch event.Kind {
		case actions.Log:
			lines = append(lines, event.Text)
		case actions.Progress:
			progress++
			if event.Done.Units != 2 && progress > 100 {
				t.Fatal("every progress is kept")
			}
		default:
		}
	}
	want := []string{"red text and the clipboard", "30% •••", "two", "lines"}
	if len(lines) != 5 || !slices.Equal(lines[:4], want) || len(lines[4]) > 5000 {
		t.Errorf("%.200q", lines)
	}
}

func TestATornJournalGoesOn(t *testing.T) {
	state := t.TempDir()
	steps := []actions.Step{{ID: "a", Title: "A"}, {ID: "b", Title: "B"}}
	e := engine(t, state, steps, map[string]func(context.Context, actions.Reporter) error{"b": func(context.Context, actions.Reporter) error { return errors.New("not now") }})
	id := start(t, e)
	info, _ := wait(t, e, id)
	journal := filepath.Join(filepath.Dir(info.Log), "events.jsonl")
	f, err := os.OpenFile(journal, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(`{"seq":99,"kind":"fin`)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	reader, err := e.Follow(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if events, err := reader.Read(t.Context(), 1000); err != nil || len(events) == 0 {
		t.Fatalf("%v, %v", events, err)
	}
	again := engine(t, state, steps, nil)
	if err := again.Resume(t.Context(), id, nil, "254Carbon"); err != nil {
		t.Fatal(err)
	}
	if info, _ := wait(t, again, id); info.Outcome != actions.Done {
		t.Errorf("%s: %s", info.Outcome, info.Text)
	}
	if events, err := reader.Read(t.Context(), 1000); err != nil || events[0].Kind != actions.Started {
		t.Errorf("who read before sees %v, %v", events, err)
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"seq":1,"at":"2025-10-20T12:00:00Z","kind":"started","by":"ana"}` + "\n" + `{"seq":2,"kind":"began","step":"a"}` + "\n"))
	f.Add([]byte("\n\n{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		state := t.TempDir()
		s := runs.NewStore(state, "p")
		id, dir, err := s.Create(actions.Plan{Action: "x", Steps: []actions.Step{{ID: "a", Title: "A"}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "events.jsonl"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := s.Info(id)
		if err == nil && info.Alive {
			t.Error("nobody carries it out")
		}
		reader, err := s.Follow(id)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, _ = reader.Read(ctx, 100)
	})
}
