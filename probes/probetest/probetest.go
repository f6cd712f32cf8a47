// Package probetest holds the contract that every probe keeps, as a suite of tests. A probe joins with a few lines:
//
//	probetest.Suite{
//		New: func(t *testing.T) probes.Probe { return newProbe(t, healthy) },
//		Worlds: []probetest.World{
//			{Name: "a target is down", New: …, Want: probes.Fail, Says: []string{"trino", "down"}},
//		},
//		Errors: []probetest.Failure{
//			{Name: "refused", New: …, Says: []string{"may not list"}},
//		},
//		Hanging: func(t *testing.T) probes.Probe { return newProbe(t, neverAnswers) },
//	}.Run(t)
//
// Constructors should talk to a real server on loopback where the probe talks to a server. They are called more than once.
package probetest

import (
	"testing"

	"github.com/254carbon/gonogo/probes"
)

// Suite describes a probe to the contract.
type Suite struct {
	// New returns a probe whose source is reachable and satisfies the claim.
	New func(t *testing.T) probes.Probe
	// Worlds are states of the source and the answer that each must get. Between them they should bring out every status that the
	// probe can give, and every trap of its source.
	Worlds []World
	// Errors are the ways in which the question could not be asked: unreachable, refused, unintelligible, too large.
	Errors []Failure
	// Hanging returns a probe whose source accepts the question and never answers. Nil only if the probe waits for nothing.
	Hanging func(t *testing.T) probes.Probe
	// Secrets are texts that the probes are given and that must appear in no answer and no error.
	Secrets []string
}

// World is one state of what a probe asks about.
type World struct {
	Name string
	New  func(t *testing.T) probes.Probe
	Want probes.Status // Pass, Warn or Fail
	// Ratio is what a warning must be worth; zero leaves it open.
	Ratio probes.Ratio
	// Says are words that the summary must hold, whatever the case of their letters: for a failure, the cause. A world that wants a
	// failure or a warning names at least one.
	Says []string
	// Shows are words that some evidence must hold.
	Shows []string
	// Never are words that neither the summary nor evidence may hold.
	Never []string
}

// Failure is a way in which a probe cannot ask.
type Failure struct {
	Name string
	New  func(t *testing.T) probes.Probe
	Says []string         // words that the error must hold, whatever the case of their letters
	Is   func(error) bool // what else must be true of it, if not nil
}

// Run runs the suite as subtests of t.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	if s.New == nil {
		t.Fatal("the suite has no New")
	}
	t.Run("works", func(t *testing.T) { s.world(t, World{New: s.New, Want: probes.Pass}) })
	t.Run("answers alike twice", s.twice)
	t.Run("notices a context that has ended", s.ended)
	t.Run("watches", s.watches)
	if s.Hanging != nil {
		t.Run("gives up with its context", s.hangs)
	}
	for _, w := range s.Worlds {
		t.Run(w.Name, func(t *testing.T) {
			if w.Want != probes.Pass && len(w.Says) == 0 {
				t.Fatalf("a world that wants %s must say which words name the cause", w.Want)
			}
			s.world(t, w)
		})
	}
	for _, f := range s.Errors {
		t.Run(f.Name, func(t *testing.T) { s.failure(t, f) })
	}
}
