// Package simtest starts the simulated platform for tests of actions, with the built-in profile and the production clients over it.
package simtest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	acts "github.com/254carbon/gonogo/actions/all"
	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/all"
)

// World is a simulated platform.
type World struct {
	*sim.Sim
	Profile  *profile.Profile
	Platform *platform.Platform
}

// Start starts one, which ends with the test.
func Start(t testing.TB, o sim.Options) World {
	t.Helper()
	s, err := sim.Start(t.Context(), o)
	Must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	p, err := profile.Builtin(profile.DefaultName, all.Kinds(), acts.Kinds()...)
	Must(t, err)
	p = s.Profile(p)
	x, err := platform.Open(p, s.Platform(platform.Options{Log: slog.New(slog.DiscardHandler), StateDir: t.TempDir()}))
	Must(t, err)
	t.Cleanup(x.Close)
	return World{Sim: s, Profile: p, Platform: x}
}

// Ask asks a check of the built-in profile once.
func (w World) Ask(t testing.TB, id probes.ID) probes.Result {
	t.Helper()
	check, ok := w.Profile.Check(id)
	if !ok {
		t.Fatalf("the built-in profile has no check %s", id)
	}
	probe, err := all.Build(check, w.Platform)
	Must(t, err)
	return probes.Ask(t.Context(), probes.Check{Spec: check.Spec, Probe: probe}, w.Now)
}

// Pause returns a pause that takes so long whatever it is asked for.
func Pause(d time.Duration) func(context.Context, time.Duration) error {
	return func(ctx context.Context, _ time.Duration) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
			return nil
		}
	}
}

// Must ends a test that cannot go on.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
