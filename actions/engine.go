package actions

import (
	"context"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// RunID names a run on this machine: "mirror-12".
type RunID string

// RunInfo is what a list of runs shows of one.
type RunInfo struct {
	ID       RunID     `json:"id"`
	Action   probes.ID `json:"action"`
	Title    string    `json:"title"`
	Platform string    `json:"platform"`
	By       string    `json:"by"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended,omitzero"`
	Outcome  Outcome   `json:"outcome"`
	Text     string    `json:"text,omitempty"`
	Alive    bool      `json:"alive"` // a process is carrying it out
	Plan     Plan      `json:"-"`
	State    State     `json:"-"`
	Log      string    `json:"log"` // path of the complete log
}

// Offer is an action as it can be had now.
type Offer struct {
	Spec
	// Refused says why it can be planned and not run; empty if it can.
	Refused string
}

// Answer is what a person says of a step of which nobody knows whether it had its effect.
type Answer string

// The answers.
const (
	ItIsDone Answer = "done"  // it had its effect
	DoAgain  Answer = "again" // do it again
)

// Engine plans and runs actions. Its methods may be called by several goroutines; all may block, and end with ctx. What is refused gives a
// [RefusedError].
type Engine interface {
	// Offers lists the actions of the profile, in its order.
	Offers() []Offer
	// Plan makes a plan by reading alone.
	Plan(ctx context.Context, action probes.ID, in Inputs) (Plan, error)
	// Start begins to carry out a plan, in a process of its own where that can be. Typed is the platform's name as the person typed it; a
	// plan that deletes or replaces something is refused without. Who starts the same plan twice gets two runs, one after the other.
	Start(ctx context.Context, p Plan, typed string) (RunID, error)
	// Runs lists the runs of this platform on this machine, the newest first.
	Runs(ctx context.Context) ([]RunInfo, error)
	// Follow opens the events of a run from the beginning. It returns at once, whether the run goes on or not.
	Follow(ctx context.Context, id RunID) (Follower, error)
	// Resume goes on with a run that ended before all was done, after answering for the unclear steps.
	Resume(ctx context.Context, id RunID, answers map[string]Answer, typed string) error
	// Cancel asks a run to end, and returns once it was asked. Clean-up still happens.
	Cancel(ctx context.Context, id RunID) error
}

// Follower reads the events of one run. One goroutine reads at a time.
type Follower interface {
	// Read returns the next events, at most limit; it blocks until there are some, ctx ends, or the run is over and all was read: then
	// it returns io.EOF. A run that is resumed meanwhile goes on.
	Read(ctx context.Context, limit int) ([]Event, error)
	Close() error
}

// KindInfo describes a kind of action to whoever reads a profile.
type KindInfo struct {
	Name  string // "mirror"
	About string
	Key   string // the board's key, unless the profile names another
	// Params returns a pointer to a new parameter struct with yaml tags, filled with defaults. A method Validate() error is called after
	// decoding.
	Params func() any
}
