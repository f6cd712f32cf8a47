package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/254carbon/gonogo/internal/platform"
	ledger "github.com/254carbon/gonogo/internal/platform/record"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/internal/state"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/all"
)

// session is a profile joined with the platform it describes: everything that a command needs to ask.
type session struct {
	opts            *options
	profile         *profile.Profile
	platform        *platform.Platform
	platformOptions platform.Options
	sim             sim.Simulated // nil on a real platform
	list            probes.Checklist
	checks          []probes.Check
	joint           atomic.Pointer[joint]
	evidence        atomic.Pointer[ledger.Record]
	store           *state.Store                    // nil if the history cannot be kept
	noHistory       error                           // why not
	polled          atomic.Pointer[profile.Profile] // the one that a board went on to after a reload; nil for profile
	notices         []string                        // what the person should know: no history, no cluster
	now             func() time.Time
	log             *slog.Logger
	closers         []func() error
}

// open loads the profile and prepares the connections. Nothing is asked yet, and a system that cannot be reached is no error here: its
// checks will say so.
func open(ctx context.Context, o *options) (*session, error) {
	s := &session{opts: o, now: time.Now}
	p, err := openProfile(o, nil)
	if err != nil {
		return nil, err
	}
	s.profile = p
	log, err := s.logger()
	if err != nil {
		return nil, err
	}
	s.log = log
	if err := s.connect(ctx, log); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if s.list, s.checks, err = s.join(s.profile); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.openHistory(ctx)
	return s, nil
}

// logger writes to the log file, or nowhere: what the program says on a terminal is the board.
func (s *session) logger() (*slog.Logger, error) {
	if s.opts.logFile == "" {
		return quiet(slog.New(slog.DiscardHandler)), nil
	}
	file, err := os.OpenFile(s.opts.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, exitError{code: exitUsage, err: fmt.Errorf("opening the log file: %w", err)}
	}
	s.closers = append(s.closers, file.Close)
	level := slog.LevelInfo
	if s.opts.verbose {
		level = slog.LevelDebug
	}
	return quiet(slog.New(slog.NewTextHandler(io.Writer(file), &slog.HandlerOptions{Level: level}))), nil
}

// connect prepares the connections of the profile, or of the simulated platform.
func (s *session) connect(ctx context.Context, log *slog.Logger) error {
	po := platform.Options{
		Kubeconfig: s.opts.kubeconfig, Context: s.opts.context, ReadOnly: s.opts.readOnly, Getenv: os.LookupEnv, Environ: os.Environ(), Log: log, Now: time.Now,
		StateDir: s.opts.stateDir,
	}
	if s.opts.demo {
		world, err := s.simulate(ctx)
		if err != nil {
			return err
		}
		s.sim, s.now = world, world.Now
		s.closers = append(s.closers, world.Close)
		po = world.Platform(po)
		po.StateDir = world.Dir()
		s.profile = world.Profile(s.profile)
	}
	if s.opts.checkout != "" {
		own := *s.profile
		own.Connections.Checkout = &profile.Checkout{Path: s.opts.checkout}
		s.profile, po.Checkout = &own, nil
	}
	p, err := platform.Open(s.profile, po)
	if err != nil {
		return err
	}
	s.platform, s.platformOptions = p, po
	s.joint.Store(&joint{s.profile, p})
	s.evidence.Store(p.Evidence)
	s.closers = append(s.closers, func() error { s.platform.Close(); return nil })
	return nil
}

// join makes the checks of a profile and an empty checklist of them.
func (s *session) join(p *profile.Profile) (probes.Checklist, []probes.Check, error) {
	list, err := probes.NewChecklist(p.Outline())
	if err != nil {
		return probes.Checklist{}, nil, exitError{code: exitUsage, err: fmt.Errorf("using profile %s: %w", p.Source, err)}
	}
	checks, err := buildChecks(p, s.platform)
	if err != nil {
		return probes.Checklist{}, nil, exitError{code: exitUsage, err: err}
	}
	return list, checks, nil
}

// buildChecks joins each check of a profile with the probe of its kind, over a platform's connections.
func buildChecks(p *profile.Profile, over *platform.Platform) ([]probes.Check, error) {
	var checks []probes.Check
	for _, c := range p.Checks() {
		probe, err := all.Build(c, over)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Pos, err)
		}
		checks = append(checks, probes.Check{Spec: c.Spec, Probe: probe})
	}
	return checks, nil
}

// asking says what the person should know of the connections before checks are asked over them.
func (s *session) asking() {
	for _, c := range s.profile.Checks() {
		if c.Spec.Connection == "kubernetes" {
			s.notices = append(s.notices, s.platform.Notices()...)
			return
		}
	}
}

// historyTimeout bounds what the history may take while a command starts.
const historyTimeout = 5 * time.Second

// openHistory opens the history if it can; if not, the rest goes on and says so.
func (s *session) openHistory(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	dir := s.opts.stateDir
	if s.sim != nil {
		dir = s.sim.Dir()
	}
	store, err := state.Open(ctx, dir, s.profile.Platform)
	if err != nil {
		s.noHistory = err
		s.notices = append(s.notices, fmt.Sprintf("history is not kept: %v", err))
		return
	}
	s.store = store
	s.closers = append(s.closers, store.Close)
	if s.sim != nil {
		err = s.sim.SeedHistory(ctx, store)
	}
	prior, readErr := store.Prior(ctx)
	if err := errors.Join(err, readErr, store.Prune(ctx, s.now())); err != nil {
		s.notices = append(s.notices, fmt.Sprintf("history is incomplete: %v", err))
	}
	s.list = s.list.WithPrior(prior)
}

// close ends everything in the reverse order of opening.
func (s *session) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}
