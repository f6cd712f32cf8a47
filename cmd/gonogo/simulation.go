package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/254carbon/gonogo/internal/sim"
)

// serveWait bounds how long the simulated platform's process may take to come up.
const serveWait = 20 * time.Second

// simOptions are the settings of the simulated platform.
func (o *options) simOptions() sim.Options {
	return sim.Options{Scenario: o.scenario, Faults: o.faults, Reset: o.reset, Dir: filepath.Join(o.stateDir, "demo"), Still: o.still}
}

// simulate returns the simulated platform: the one that another process serves; else, for commands whose runs must outlive them, one in a
// process of its own; else one in this process.
func (s *session) simulate(ctx context.Context) (sim.Simulated, error) {
	so := s.opts.simOptions()
	if so.Reset {
		if err := sim.End(ctx, so); err != nil {
			return nil, err
		}
	} else if remote, err := sim.Attach(ctx, so); err == nil || !errors.Is(err, sim.ErrNotServed) {
		return asSimulated(remote, err)
	}
	if s.opts.shared && s.opts.exe != "" {
		remote, err := s.opts.serveApart(ctx, so)
		if err == nil {
			return remote, nil
		}
		s.notices = append(s.notices, fmt.Sprintf("the simulated platform ends with this process, and runs with it: %v", err))
	}
	own, err := sim.Start(ctx, so)
	return asSimulated(own, err)
}

// asSimulated keeps a nil pointer from becoming an interface that is not nil.
func asSimulated[S sim.Simulated](s S, err error) (sim.Simulated, error) {
	if err != nil {
		return nil, exitError{code: exitUsage, err: err}
	}
	return s, nil
}

// serveApart starts a process that serves the simulated platform, and joins it.
func (o *options) serveApart(ctx context.Context, so sim.Options) (*sim.Remote, error) {
	if err := os.MkdirAll(so.Dir, 0o700); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(so.Dir, "served-"+so.Scenario+".log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := []string{"--demo", "--demo-scenario", so.Scenario, "--state-dir", o.stateDir}
	if so.Reset {
		args = append(args, "--demo-reset")
	}
	command := exec.Command(o.exe, append(args, serveDemoCommand)...)
	command.Stdout, command.Stderr = log, log
	if err := detach(command); err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, serveWait)
	defer cancel()
	for {
		remote, err := sim.Attach(ctx, so)
		if err == nil || !errors.Is(err, sim.ErrNotServed) {
			return remote, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for its process: %w", ctx.Err())
		case failed := <-ended:
			if failed != nil { // one that finds another at work ends well
				return nil, fmt.Errorf("its process ended (%w), see %s", failed, log.Name())
			}
		case <-time.After(15 * time.Millisecond):
		}
	}
}

const serveDemoCommand = "serve-demo"

// newServeDemo is the process behind a simulated platform that boards and runs share. Nobody types it.
func newServeDemo(o *options) *cobra.Command {
	return &cobra.Command{
		Use: serveDemoCommand, Short: "Serve the simulated platform for the boards and runs of this machine", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !o.demo {
				return errors.New("serve-demo goes with --demo")
			}
			err := sim.Serve(cmd.Context(), o.simOptions())
			if errors.Is(err, sim.ErrServed) {
				return nil // whoever started this joins the other
			}
			return err
		},
	}
}
