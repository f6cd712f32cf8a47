package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/254carbon/gonogo/actions"
	acts "github.com/254carbon/gonogo/actions/all"
	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/platform/lease"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/runs"
	"github.com/254carbon/gonogo/probes"
)

// joint is a profile with the connections it is asked over; a reload makes another.
type joint struct {
	profile  *profile.Profile
	platform *platform.Platform
}

// stateFolder is where history and runs are kept.
func (s *session) stateFolder() string {
	if s.sim != nil {
		return s.sim.Dir()
	}
	return s.opts.stateDir
}

// engine returns what plans and runs the actions of the profile, the one of the last reload. Score measures around runs; nil where somebody
// else does. Closing the session ends it.
func (s *session) engine(score func(context.Context) (int, bool)) *runs.Engine {
	store := runs.NewStore(s.stateFolder(), s.profile.Platform)
	c := runs.Config{
		Store: store, StateDir: s.stateFolder(), Platform: s.profile.Platform, Profile: s.profile.Digest, Who: who(), From: os.Getenv("SSH_CONNECTION"),
		ReadOnly: s.opts.readOnly, Now: s.now, Mask: func(text string) string { return s.joint.Load().platform.Mask.Apply(text) },
		Specs: func() []actions.Spec { return acts.Specs(s.joint.Load().profile) },
		Action: func(id probes.ID) (actions.Action, error) {
			j := s.joint.Load()
			return acts.Build(j.profile, id, j.platform)
		},
		Cluster: func(ctx context.Context) (string, error) { return s.joint.Load().uid(ctx) },
		Pinned:  s.profile.Cluster.UID, Lock: s.lock, Score: score, Announce: s.announce,
	}
	if s.detaches() {
		c.Spawn = s.spawnRunner
	}
	e := runs.New(c)
	s.closers = append(s.closers, func() error { e.Close(); return nil })
	return e
}

// uid identifies the cluster.
func (j *joint) uid(ctx context.Context) (string, error) {
	if err := j.platform.Trouble("kubernetes"); err != nil {
		return "", actions.Refuse("an action needs the cluster: %v", err)
	}
	return j.platform.Cluster.UID(ctx)
}

// detaches reports whether runs can outlive this process: not where it is all that there is, as in a container, and not on a simulated
// platform that ends with it.
func (s *session) detaches() bool {
	return s.opts.exe != "" && !s.opts.attached && detachable && os.Getpid() != 1 && (s.sim == nil || s.sim.Shared())
}

// lockNamespace is where the leases are: beside the evidence record.
func (j *joint) lockNamespace() string {
	if n := j.profile.Connections.Kubernetes.EvidenceNamespace(); n != "" {
		return n
	}
	return "default"
}

// lock takes the Lease of an action.
func (s *session) lock(ctx context.Context, action probes.ID, run actions.RunID, gone func(actions.RunID) bool) (runs.Lock, error) {
	j := s.joint.Load()
	folder := s.stateFolder()
	l, err := lease.Acquire(ctx, lease.Options{
		Cluster: j.platform.Cluster, Namespace: j.lockNamespace(), Name: "gonogo-" + string(action), Holder: lease.Holder(who(), string(run), folder),
		Gone: func(holder string) bool {
			other, ours := lease.Run(holder, folder)
			return ours && lease.Who(holder) == who()+" ("+other+")" && gone(actions.RunID(other))
		},
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// announce leaves an Event beside the Lease, if it may.
func (s *session) announce(ctx context.Context, info actions.RunInfo) {
	j := s.joint.Load()
	err := lease.Announce(ctx, j.platform.Cluster, j.lockNamespace(), lease.Event{
		Lease: "gonogo-" + string(info.Action), Run: string(info.ID), Who: who(), Outcome: string(info.Outcome),
		Good: info.Outcome == actions.Done, Plan: info.Plan.Digest(), At: time.Now(),
	})
	if err != nil {
		s.log.Info("the platform was not told of a run", "run", info.ID, "error", err)
	}
}

const runnerCommand = "runner"

// spawnRunner starts the process of a run, which sees the same platform as this one.
func (s *session) spawnRunner(folder string) (<-chan error, error) {
	args, err := s.opts.repeat()
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(filepath.Join(folder, "runner.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	c := exec.Command(s.opts.exe, append(args, runnerCommand, folder)...) //nolint:gosec // this program
	c.Stdout, c.Stderr = out, out
	if err := detach(c); err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	return ended, nil
}

// repeat are the global flags that lead another process to the same platform. They hold no secret: those are found again.
func (o *options) repeat() ([]string, error) {
	args := []string{"--state-dir", o.stateDir}
	if o.demo {
		args = append(args, "--demo", "--demo-scenario", o.scenario)
	}
	for flag, path := range map[string]string{"--profile": o.profile, "--kubeconfig": o.kubeconfig, "--log-file": o.logFile} {
		if path == "" {
			continue
		}
		if _, builtin := profile.BuiltinSource(path); !(flag == "--profile" && builtin) {
			abs, err := filepath.Abs(path)
			if err != nil {
				return nil, fmt.Errorf("finding %s: %w", path, err)
			}
			path = abs
		}
		args = append(args, flag, path)
	}
	if o.context != "" {
		args = append(args, "--context", o.context)
	}
	if o.verbose {
		args = append(args, "-v")
	}
	return args, nil
}
