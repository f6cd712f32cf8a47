package main

import (
	"context"
	"slices"
	"time"

	ledger "github.com/254carbon/gonogo/internal/platform/record"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
)

// How the evidence record is read for its waivers.
const (
	waiverTimeout = 5 * time.Second
	waiverEvery   = 30 * time.Second // besides when it changes: what is kept on this machine has no watch
)

// recordedWaivers returns the waivers of the evidence record, if one of the checks could need one. A record that cannot be read has none:
// then nothing is accepted that nobody can see.
func (s *session) recordedWaivers(ctx context.Context, checks []probes.Check) []probes.Waiver {
	if !slices.ContainsFunc(checks, func(c probes.Check) bool { return c.Spec.Gate }) {
		return nil
	}
	return s.waiversOf(ctx, s.evidence.Load())
}

func (s *session) waiversOf(ctx context.Context, r *ledger.Record) []probes.Waiver {
	ctx, cancel := context.WithTimeout(ctx, waiverTimeout)
	defer cancel()
	seen, err := r.Read(ctx)
	if err != nil {
		s.log.Info("could not read the evidence record", "error", err)
	}
	return evidence.Waivers(seen.Items, s.now())
}

// followWaivers tells the poller of the waivers of the evidence record whenever somebody, anywhere, changes them.
func (s *session) followWaivers(ctx context.Context, poller *probes.Poller) {
	changed := make(chan struct{}, 1)
	wake := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	var followed *ledger.Record
	stop := func() {}
	defer func() { stop() }()
	tick := time.NewTicker(waiverEvery)
	defer tick.Stop()
	for {
		if current := s.evidence.Load(); current != followed { // another one since a reload
			stop()
			followed, stop = current, current.Watch(wake)
		}
		waivers := s.waiversOf(ctx, followed)
		if ctx.Err() != nil {
			return
		}
		poller.SetWaivers(waivers)
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
