// Package probes holds the contract between what can be asked of a platform and what is made of the answers: a [Probe] asks one live
// system one question, [Ask] is the one way to ask it, a [Checklist] keeps the answer that stands for every check, an [Assessment] scores
// them, and a [Poller] keeps them fresh for any number of readers. It imports nothing but the standard library.
package probes

import (
	"context"
	"fmt"
	"math/big"
	"time"
)

// ID names a check, a component or an action within one profile.
type ID string

// Status says how a check stands. The zero value is [Pending], which never counts as a pass.
type Status uint8

// The statuses of a check. A probe itself only ever says Pass, Warn or Fail; the others follow from what it could not say.
const (
	Pending       Status = iota // never asked yet
	Pass                        // the claim holds
	Warn                        // the claim holds in part; see [Observation.Ratio]
	Fail                        // the claim was measured and does not hold
	Blocked                     // cannot pass before another check does; not asked meanwhile
	Unknown                     // could not be measured, or was measured too long ago
	NotApplicable               // the profile says that the claim does not concern this platform
)

// Statuses lists every status in the order in which reports count them.
func Statuses() []Status {
	return []Status{Pass, Warn, Fail, Blocked, Unknown, NotApplicable, Pending}
}

// String returns the word that screens, reports and JSON use.
func (s Status) String() string {
	switch s {
	case Pending:
		return "pending"
	case Pass:
		return "pass"
	case Warn:
		return "warn"
	case Fail:
		return "fail"
	case Blocked:
		return "blocked"
	case Unknown:
		return "unknown"
	case NotApplicable:
		return "not-applicable"
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// ParseStatus is the inverse of [Status.String].
func ParseStatus(word string) (Status, error) {
	for _, s := range Statuses() {
		if s.String() == word {
			return s, nil
		}
	}
	return Pending, fmt.Errorf("unknown status %q", word)
}

// Measured reports whether the status is a measurement that falls short of a pass.
func (s Status) wanting() bool { return s == Warn || s == Fail }

// Ratio is the part of a check's points that a warning earns, strictly between 0 and 1. The zero value is no ratio.
type Ratio struct{ Num, Den int64 }

// Part returns the ratio num/den.
func Part(num, den int64) Ratio { return Ratio{Num: num, Den: den} }

// Valid reports whether the ratio lies strictly between 0 and 1.
func (r Ratio) Valid() bool { return r.Den > 0 && r.Num > 0 && r.Num < r.Den }

func (r Ratio) rat() *big.Rat { return big.NewRat(r.Num, r.Den) }

// Request says what was asked of a system: Source for people ("GET https://…/api/v1/query?query=up"), Repeat as the shell command that
// asks again by hand, secrets as variables.
type Request struct{ Source, Repeat string }

// Evidence is one thing that was looked at. Its texts are made safe for a terminal by [Ask]; they hold no secrets.
type Evidence struct {
	Subject string    // what was looked at: "job trino", "node cpu1"
	Want    string    // what would satisfy the claim
	Got     string    // what was found
	Wanting bool      // whether Got falls short of Want
	Source  string    // the request that was made
	Repeat  string    // the command that repeats it by hand
	TakenAt time.Time // when the source said so; Ask fills in the time of asking
}

// From returns the evidence with the source and the command of a request filled in.
func (e Evidence) From(r Request) Evidence {
	e.Source, e.Repeat = r.Source, r.Repeat
	return e
}

// Observation is a probe's answer.
type Observation struct {
	Status   Status // Pass, Warn or Fail
	Ratio    Ratio  // what a Warn earns; ignored otherwise
	Summary  string // one line: what was found, the cause first
	Evidence []Evidence
	// Confirmed is when the source last confirmed what is said here: for a watch its last event or bookmark, for a metric its sample.
	// Zero means the moment of asking.
	Confirmed time.Time
	// Word is whose word the answer rests on, and until when ("ana until 2026-01-31"); empty for what was measured. A word never earns more
	// than half.
	Word string
}

// Probe asks one live system one question, reading only.
//
// Observe must return soon after ctx ends, must not change anything anywhere, and is never called twice at once for one check. An error
// means "could not ask" and nothing else: a question that was answered with no is an Observation with status Fail. A refusal of the
// credential that gonogo itself reads with is an error that names the missing permission.
type Probe interface {
	Observe(ctx context.Context) (Observation, error)
}

// ProbeFunc makes a function a Probe.
type ProbeFunc func(ctx context.Context) (Observation, error)

// Observe calls f.
func (f ProbeFunc) Observe(ctx context.Context) (Observation, error) { return f(ctx) }

// Watching is what a probe implements when its answer comes from a watch: wake is called, from any goroutine and without blocking,
// whenever the answer may have changed; after stop returned it is not called again.
type Watching interface {
	Watch(wake func()) (stop func())
}

// Seen is what a source showed of a collection, shared by the interfaces that probes declare for their clients. Items are shared with
// other readers and must not be changed.
type Seen[T any] struct {
	Items     []T
	Confirmed time.Time // when the source last confirmed the collection as a whole
	Note      string    // what could not be seen ("only the namespaces a, b: …"), empty if all of it was
	Request   Request
}

// Spec describes a check: the claim, what it is worth, and how it is asked.
type Spec struct {
	ID         ID
	Component  ID
	Title      string   // a claim that is true when the check passes
	Probe      string   // the kind of probe, for people
	Connection string   // the connection it asks over; the poller limits the requests under way on each
	Weight     *big.Rat // within the component; may be zero, never negative; nil counts as zero
	Gate       bool     // without a pass the verdict is never GO
	BlockedBy  []ID     // checks that must pass before this one can
	Every      time.Duration
	OnChange   bool // fed by a watch: asked when something changed, and every Every besides
	Timeout    time.Duration
	Confirm    int    // failures or errors in a row that flip a standing answer
	Exempt     string // why the profile says that the claim does not apply; empty if it does
	Remedy     string // what a person can do about a failure
	Action     ID     // the action that mends it, if any
	Effort     Effort // what is left to do if it does not pass; zero takes its share of the component's
}

// Validate reports what is wrong with the description itself; references to other checks are the outline's to check.
func (s Spec) Validate() error {
	switch {
	case s.ID == "":
		return fmt.Errorf("a check has no id")
	case s.Title == "":
		return fmt.Errorf("check %s has no title", s.ID)
	case s.Every <= 0:
		return fmt.Errorf("check %s: every must be positive", s.ID)
	case s.Timeout <= 0:
		return fmt.Errorf("check %s: timeout must be positive", s.ID)
	case s.Confirm < 1:
		return fmt.Errorf("check %s: confirm must be at least 1", s.ID)
	case s.Weight != nil && s.Weight.Sign() < 0:
		return fmt.Errorf("check %s: weight must not be negative", s.ID)
	}
	return nil
}

// staleAfter is how long a pass counts after its source last confirmed it.
func (s Spec) staleAfter() time.Duration {
	if s.OnChange {
		return watchStaleAfter
	}
	return 3 * s.Every
}

// watchStaleAfter is how long the last event or bookmark of a watch vouches for what it showed.
const watchStaleAfter = 5 * time.Minute

// Check joins a claim with the probe that measures it.
type Check struct {
	Spec  Spec
	Probe Probe
}
