package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/254carbon/gonogo/actions"
	acts "github.com/254carbon/gonogo/actions/all"
	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/report"
	"github.com/254carbon/gonogo/internal/state"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/all"
	"github.com/254carbon/gonogo/theme"
	"github.com/254carbon/gonogo/tui"
)

// framesPerSecond is low on purpose: a bastion's line is slow, and nothing here moves fast.
const framesPerSecond = 15

// board shows the board until the person quits or a signal comes. Where there is no terminal for it, it prints one check instead.
func board(ctx context.Context, o *options) error {
	if _, ok := terminal(o.out); !ok || dumb() {
		if o.wall {
			return fmt.Errorf("--wall needs a terminal that can draw; this is none")
		}
		complain(o.err, errors.New("no terminal to draw the board on: this is one check, as `gonogo check` prints it"))
		return check(ctx, o, checkFlags{output: "table", failOn: []string{"no-go", "unknown"}})
	}
	o.shared = true
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	err = s.show(ctx)
	return errors.Join(err, s.close())
}

// show polls and draws until ctx ends or the person quits.
func (s *session) show(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()

	s.asking()
	notices := newNotices()
	for i, text := range s.notices {
		notices.put(fmt.Sprintf("start-%d", i), tui.Warning, text)
	}
	po := probes.PollerOptions{Now: s.now}
	if s.store != nil {
		recorder := state.NewRecorder(s.store, func(trouble string) { notices.put("history", tui.Warning, trouble) })
		defer recorder.Close()
		po.OnResult = func(r probes.Result, list probes.Checklist) {
			s.logResult(r)
			if s.broken() {
				return
			}
			recorder.Observe(list.Assess(s.now()))
		}
	}
	poller := probes.NewPoller(s.list, s.checks, po)
	feed := poller.Subscribe()
	defer feed.Close()

	model := tui.New(ctx, tui.Deps{
		Feed: feed, Refresh: poller.Refresh, Now: s.now, History: s.pastOf(poller), Report: s.preview(poller), Theme: s.themeOptions(), Mode: s.mode(),
		Notices: notices.out, Demo: s.demoControls(poller), Actions: s.boardEngine(),
	})
	program := tea.NewProgram(model, s.programOptions(ctx)...)
	crash := &crashes{kill: program.Kill}
	work.Go(func() { crash.guard(func() { poller.Run(ctx) }) })
	work.Go(func() { crash.guard(func() { notices.run(ctx) }) })
	work.Go(func() { crash.guard(func() { s.followWaivers(ctx, poller) }) })
	work.Go(func() { crash.guard(func() { s.reload(ctx, poller, notices) }) })

	err := s.draw(program)
	cancel()
	work.Wait() // the recorder must not be closed under the poller
	return crash.or(ended(err))
}

// boardEngine is what plans and runs actions; a wall has none.
func (s *session) boardEngine() actions.Engine {
	if s.opts.wall {
		return nil
	}
	return s.engine(nil) // the board measures all the time, and a run in a process of its own by itself
}

// logResult writes what could not be asked to the log, with the stack if a probe crashed.
func (s *session) logResult(r probes.Result) {
	var crashed *probes.PanicError
	switch {
	case errors.As(r.Err, &crashed):
		s.log.Error("probe crashed", "check", r.ID, "error", r.Err, "stack", string(crashed.Stack))
	case r.Err != nil:
		s.log.Info("could not ask", "check", r.ID, "error", r.Err, "took", r.Took)
	}
}

// draw runs the program. What others write to standard error meanwhile comes after it.
func (s *session) draw(program *tea.Program) error {
	release, err := captureStderr()
	if err != nil {
		return err
	}
	_, err = program.Run()
	if said := release(); said != "" {
		complain(s.opts.err, errors.New(said))
	}
	return err
}

// ended turns the ways in which a program ends that are no failure into nil.
func ended(err error) error {
	switch {
	case errors.Is(err, tea.ErrProgramPanic):
		return exitError{code: 70, err: err}
	case errors.Is(err, tea.ErrInterrupted), errors.Is(err, tea.ErrProgramKilled), errors.Is(err, context.Canceled):
		return nil
	}
	return err
}

// crashes turns a panic of a goroutine of ours into an orderly end, so that the terminal is left as it was.
type crashes struct {
	kill func()
	mu   sync.Mutex
	err  error
}

func (c *crashes) guard(work func()) {
	defer func() {
		if v := recover(); v != nil {
			c.mu.Lock()
			c.err = errors.Join(c.err, fmt.Errorf("crashed: %v\n%s", v, debug.Stack()))
			c.mu.Unlock()
			c.kill()
		}
	}()
	work()
}

func (c *crashes) or(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return exitError{code: 70, err: c.err}
	}
	return err
}

func (s *session) programOptions(ctx context.Context) []tea.ProgramOption {
	opts := []tea.ProgramOption{
		tea.WithContext(ctx), tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond),
		tea.WithInput(s.opts.in), tea.WithOutput(s.opts.out),
	}
	if noColor() {
		opts = append(opts, tea.WithColorProfile(colorprofile.ASCII))
	}
	return opts
}

func (s *session) themeOptions() theme.Options {
	return theme.Options{Name: s.opts.theme, ASCII: s.opts.ascii || asciiLocale(), NoColor: noColor()}
}

func (s *session) mode() tui.Mode {
	m := tui.Mode{ReadOnly: s.opts.readOnly, Wall: s.opts.wall, Demo: s.sim != nil, Platform: s.profile.Platform, Who: who(), Context: s.platform.Context()}
	if s.sim != nil {
		m.DemoLabel = s.sim.Label()
	}
	return m
}

// who is the person and the machine, as a shell prompt shows them.
func who() string { return platform.By() }

// reload follows the profile's file, if it is one: a good change is polled from then on, over connections of its own; a bad one leaves the
// old profile polling.
func (s *session) reload(ctx context.Context, poller *probes.Poller, n *notices) {
	if _, builtin := profile.BuiltinSource(s.opts.profile); builtin {
		return
	}
	current := s.profile
	refuse := func(err error) {
		text := ""
		if err != nil {
			text = fmt.Sprintf("the changed profile is not used, the one before goes on: %v", err)
		}
		n.put("profile", tui.Trouble, text)
	}
	take := func(next *profile.Profile) {
		if err := s.swap(current, next, poller); err != nil {
			refuse(err)
			return
		}
		current = next
		s.polled.Store(next)
		refuse(nil)
	}
	profile.Watch(ctx, s.opts.profile, current.Digest, all.Kinds(), acts.Kinds(), take, refuse)
}

// swap puts a new profile in the place of the one being polled. Connections that stay the same are kept, and with them what they remember:
// which credentials were refused, above all.
func (s *session) swap(current, next *profile.Profile, poller *probes.Poller) error {
	if s.sim != nil {
		next = s.sim.Profile(next)
	}
	over := s.platform
	if !profile.SameConnections(current, next) {
		p, err := platform.Open(next, s.platformOptions)
		if err != nil {
			return err
		}
		over = p
	}
	checks, err := buildChecks(next, over)
	if err == nil {
		var list probes.Checklist
		list, err = poller.Checklist().Over(next.Outline(), func(id probes.ID) bool { return profile.Same(current, next, id) })
		if err == nil {
			poller.Replace(list, checks)
		}
	}
	unused := over
	if err == nil {
		unused, s.platform = s.platform, over
		over.Declare(next)
		s.joint.Store(&joint{next, over})
		s.evidence.Store(over.Evidence)
	}
	if unused != s.platform {
		unused.Close() // what is still being asked over it ends; nobody waits for those answers
	}
	return err
}

// past reads the history for the board.
type past struct {
	store  *state.Store
	poller *probes.Poller
	now    func() time.Time
}

func (s *session) pastOf(poller *probes.Poller) tui.History {
	if s.store == nil {
		return nil
	}
	return past{store: s.store, poller: poller, now: s.now}
}

func (p past) Previous(ctx context.Context) (int, time.Time, bool, error) {
	score, ok, err := p.store.Previous(ctx, p.poller.Checklist().Assess(p.now()).Percent)
	return score.Percent, score.At.UTC(), ok, err
}

func (p past) Scores(ctx context.Context, n int) ([]tui.Score, error) {
	scores, err := p.store.Scores(ctx, n)
	all := make([]tui.Score, len(scores))
	for i, s := range scores {
		all[i] = tui.Score{At: s.At, Percent: s.Percent, Verdict: probes.ParseVerdict(s.Verdict)}
	}
	return all, err
}

func (p past) Flips(ctx context.Context, n int) ([]tui.Flip, error) {
	flips, err := p.store.Flips(ctx, n)
	all := make([]tui.Flip, len(flips))
	for i, f := range flips {
		all[i] = tui.Flip{At: f.At, Check: f.Check, From: f.From, To: f.Status, Summary: probes.Clean(f.Summary, 400)}
	}
	return all, err
}

// stripWindow is how far back the strip of a check's statuses reaches.
const stripWindow = 24 * time.Hour

func (p past) Strip(ctx context.Context, id probes.ID, n int) ([]probes.Status, error) {
	return p.store.Strip(ctx, id, p.now(), stripWindow, n)
}

// preview writes the report of what is known now; unlike `gonogo report` it asks nobody, and is no report that the next one is compared with.
func (s *session) preview(poller *probes.Poller) func(context.Context) (string, error) {
	measured := s.measured(s.profile) // while nothing reloads
	measured.Polled = true
	return func(ctx context.Context) (string, error) {
		if p := s.polled.Load(); p != nil {
			measured.Digest = p.Digest
		}
		a := poller.Checklist().Assess(s.now())
		var text strings.Builder
		err := report.WriteStatusMarkdown(&text, report.NewStatus(a, report.StatusMeta{At: s.now(), Before: s.before(ctx, a), Measured: measured}))
		return text.String(), err
	}
}

// demoControls are the switches of the simulated platform.
func (s *session) demoControls(poller *probes.Poller) *tui.DemoControls {
	if s.sim == nil {
		return nil
	}
	return &tui.DemoControls{
		Switches: func(context.Context) ([]tui.Switch, error) {
			var all []tui.Switch
			for _, w := range s.sim.Switches() {
				all = append(all, tui.Switch{Key: w.Key, Label: w.Label, State: w.State, On: w.On})
			}
			return all, nil
		},
		Toggle: func(_ context.Context, key string) error {
			err := s.sim.Toggle(key)
			poller.Refresh()
			return err
		},
	}
}
