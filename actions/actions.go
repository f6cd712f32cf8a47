// Package actions holds the contract between what gonogo can do to a platform and what carries it out: an [Action] makes a [Plan] by
// reading alone, a [Doer] carries out one [Step] of it at a time, an [Engine] runs plans in processes of their own, and [Event]s tell
// anybody who follows a run what happens; a [State] is what they amount to. It imports the contract of probes and the standard library.
package actions

import (
	"context"
	"fmt"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Effect is what a step does to the platform, the mildest first.
type Effect uint8

// The effects of steps.
const (
	Reads Effect = iota
	Creates
	Updates
	Deletes // deletes or replaces: a person types the platform's name before
)

var effects = []string{"reads", "creates", "updates", "deletes"}

// String returns the word that plans and screens use.
func (e Effect) String() string {
	if int(e) < len(effects) {
		return effects[e]
	}
	return fmt.Sprintf("effect(%d)", uint8(e))
}

// MarshalText writes the word.
func (e Effect) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (e *Effect) UnmarshalText(text []byte) error {
	for i, word := range effects {
		if word == string(text) {
			*e = Effect(i)
			return nil
		}
	}
	return fmt.Errorf("unknown effect %q", text)
}

// Spec describes an action to people.
type Spec struct {
	ID       probes.ID     `json:"id"`              // as the profile names it
	Kind     string        `json:"kind"`            // of the code that does it
	Title    string        `json:"title"`           // "Mirror images"
	About    string        `json:"about,omitempty"` // one or two sentences: what it does to the platform
	Key      string        `json:"key,omitempty"`   // the key of the board that starts it; empty for none
	Estimate probes.Effort `json:"-"`
	Inputs   []Input       `json:"inputs,omitempty"`
	Mends    []probes.ID   `json:"mends,omitempty"` // the checks that it can make pass, asked again after a run
}

// Input is something that a person decides before a plan is made. Inputs hold no secrets: one that needs a secret names its place.
type Input struct {
	Name    string   `json:"name"` // as --set writes it: "apply"
	Title   string   `json:"title"`
	About   string   `json:"about,omitempty"`
	Default string   `json:"default,omitempty"`
	Options []string `json:"options,omitempty"` // the only values allowed, if there are any; ["false", "true"] is a switch
}

// Inputs are the values that a person gave, by name.
type Inputs map[string]string

// Settle fills in defaults, and refuses names and values that the action does not know.
func (s Spec) Settle(in Inputs) (Inputs, error) { return settle(s, in) }

// Action is something that gonogo can do to a platform.
//
// Plan reads only, and names in [Plan.Missing] every permission that it can see to be missing. An error means that no plan could be made;
// [RefusedError] that none will be, and why. Inputs are settled.
//
// Open prepares to carry out a plan, perhaps in another process than the one that made it and perhaps for the second time; whatever it
// needs is in the plan or read again. Folder is the run's own, kept as long as the run, and never holds secrets.
type Action interface {
	Spec() Spec
	Plan(ctx context.Context, in Inputs) (Plan, error)
	Open(ctx context.Context, plan Plan, folder string) (Doer, error)
}

// Doer carries out the steps of one plan. Do and Done may be called for several steps at once where the plan says so.
type Doer interface {
	// Done reports whether the step's effect is there already; it only reads. An error means that it cannot be told, and the step is done
	// again if it may be repeated.
	Done(ctx context.Context, s Step) (bool, error)
	// Do brings the effect about, and returns soon after ctx ends. The error says what could not be done and why, for people. A step that
	// was repeated does nothing twice.
	Do(ctx context.Context, s Step, r Reporter) error
	// Close lets go of what Open took.
	Close() error
}

// Reporter is told by a step how it goes on. Its methods may be called by several goroutines, and do not block for long.
type Reporter interface {
	// Log keeps a line of output. It is made safe and masked before anyone sees it.
	Log(line string)
	// Progress says how much of the step is done.
	Progress(done, total Amount)
	// Waiting says what the step waits for, and until when if that is known; an empty text says that it waits no longer.
	Waiting(why string, until time.Time)
}

// Amount is an extent of work, in pieces and in bytes; what does not apply is zero.
type Amount struct {
	Units int64 `json:"units,omitempty"`
	Bytes int64 `json:"bytes,omitempty"`
}

// Plus returns the sum.
func (a Amount) Plus(b Amount) Amount {
	return Amount{Units: a.Units + b.Units, Bytes: a.Bytes + b.Bytes}
}
