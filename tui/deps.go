package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

// Deps is everything the board needs from outside. Its functions are called within commands only, never while a key is handled or a
// frame is drawn, so a slow one delays nothing but its own answer. The exception is Copy, which only makes a command.
type Deps struct {
	Feed    Feed                   // the newest checklist; read by one command at a time
	Refresh func(ids ...probes.ID) // asks checks again, all when none is named; must not block for long
	Now     func() time.Time       // the clock; its location is the zone in which times are shown
	History History                // may be nil
	// Report writes the status report of now, as Markdown; may be nil. It may block for a while.
	Report  func(ctx context.Context) (string, error)
	Theme   theme.Options // Dark nil: the terminal is asked
	Mode    Mode
	Notices <-chan Notice        // may be nil
	Copy    func(string) tea.Cmd // puts text on the clipboard; nil for OSC 52, which works through SSH and tmux
	Demo    *DemoControls        // nil outside the demo
	Actions actions.Engine       // what can be done to the platform; nil for nothing
}

// Feed is a reader's view of a poller; [probes.Feed] is one.
type Feed interface {
	// Next blocks until there is a checklist newer than the one returned before, or ctx ends.
	Next(ctx context.Context) (probes.Checklist, error)
}

// Mode says how and for whom the board runs.
type Mode struct {
	ReadOnly, Wall, Demo bool
	DemoLabel            string // scenario and faults
	Who                  string // user and host
	Platform             string // empty: the profile's
	Context              string // of the kubeconfig
}

// History reads what was recorded of earlier scores. Its methods may block; they are called within commands, one at a time.
type History interface {
	// Previous returns the score that the current one is compared with; ok is false if there is none.
	Previous(ctx context.Context) (percent int, at time.Time, ok bool, err error)
	// Scores returns up to n scores, the newest ones, oldest first; each held until the next.
	Scores(ctx context.Context, n int) ([]Score, error)
	// Flips returns up to n changes of checks that were known before, newest first.
	Flips(ctx context.Context, n int) ([]Flip, error)
	// Strip returns up to n statuses that a check had, oldest first.
	Strip(ctx context.Context, id probes.ID, n int) ([]probes.Status, error)
}

// Score is the score from a moment on.
type Score struct {
	At      time.Time
	Percent int
	Verdict probes.Verdict
}

// Flip is a change of a check's status.
type Flip struct {
	At       time.Time
	Check    probes.ID
	From, To probes.Status
	Summary  string
}

// Level says how loud a notice is.
type Level uint8

// The levels of notices.
const (
	Info Level = iota
	Warning
	Trouble
)

// Notice is a banner that stays until one with the same ID and no text replaces it.
type Notice struct {
	ID    string
	Level Level
	Text  string
}

// DemoControls are the switches of the simulated platform. Both functions are called within commands only.
type DemoControls struct {
	Switches func(ctx context.Context) ([]Switch, error)
	Toggle   func(ctx context.Context, key string) error
}

// Switch is something that can be switched on the simulated platform: a fault, a scenario, a node.
type Switch struct {
	Key   string // the key that toggles it, within the demo's panel
	Label string
	State string // in words
	On    bool
}
