package actions

import (
	"fmt"
	"time"
)

// EventKind says what an event tells.
type EventKind string

// The kinds of events. All but Log, Progress and Waiting are on the disk before what they announce begins, or before the next thing does.
const (
	Started   EventKind = "started"   // a process began to carry out the plan, for the first time or again; By, Text
	Began     EventKind = "began"     // a step
	Finished  EventKind = "finished"  // a step had its effect; Already: it was there before
	Failed    EventKind = "failed"    // a step did not; Text says why
	Unclear   EventKind = "unclear"   // nobody knows whether a step had its effect; Text says why
	Left      EventKind = "left"      // a step is left out; Text says why
	Resolved  EventKind = "resolved"  // a person said of an unclear step that it is done (Already) or is to be done again; By
	Log       EventKind = "log"       // a line of output, of a step or of the run
	Progress  EventKind = "progress"  // of a step
	Waiting   EventKind = "waiting"   // a step waits; with an empty Text no longer
	Cancelled EventKind = "cancelled" // somebody asked for the end; By
	Ended     EventKind = "ended"     // the process is done with the run; Outcome, Text
)

// Durable reports whether the event decides how a run goes on, so that it must be on the disk before anything else happens.
func (k EventKind) Durable() bool { return k != Log && k != Progress && k != Waiting }

// Outcome is how a run ended.
type Outcome string

// The outcomes. A run that a crash ended has none: it is [Interrupted] until somebody resumes it.
const (
	Running     Outcome = ""            // not ended
	Done        Outcome = "done"        // every step had its effect
	Wanting     Outcome = "failed"      // a step failed
	Stopped     Outcome = "cancelled"   // somebody wanted it
	Uncertain   Outcome = "unclear"     // a person has to say whether a step had its effect
	Interrupted Outcome = "interrupted" // its process is gone; never written, always found out
	Refused     Outcome = "refused"     // it was not begun, and nothing was changed
)

// Resumable reports whether a run that ended so can go on.
func (o Outcome) Resumable() bool {
	return o == Wanting || o == Stopped || o == Uncertain || o == Interrupted
}

// Event is one thing that happened in a run. Texts are safe for a terminal and hold no secrets.
type Event struct {
	Seq     int64     `json:"seq"` // from 1, without gaps
	At      time.Time `json:"at"`
	Kind    EventKind `json:"kind"`
	Step    string    `json:"step,omitempty"`
	Text    string    `json:"text,omitempty"`
	Already bool      `json:"already,omitempty"`
	By      string    `json:"by,omitempty"` // who: user@host
	Done    Amount    `json:"done,omitzero"`
	Total   Amount    `json:"total,omitzero"`
	Until   time.Time `json:"until,omitzero"` // of Waiting
	Outcome Outcome   `json:"outcome,omitempty"`
	Points  *Points   `json:"points,omitempty"` // of Ended, if the score was measured around it
}

// Points is the score before and after a run, in whole percent rounded down.
type Points struct {
	Before int `json:"before"`
	After  int `json:"after"`
}

// String says it in words.
func (p Points) String() string {
	if p.Before == p.After {
		return fmt.Sprintf("the score stays at %d %%", p.After)
	}
	return fmt.Sprintf("the score goes from %d %% to %d %%", p.Before, p.After)
}
