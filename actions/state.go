package actions

import (
	"maps"
	"time"
)

// StepStatus is how a step stands.
type StepStatus string

// The statuses of a step.
const (
	StepWaiting StepStatus = "waiting" // its turn has not come
	StepRunning StepStatus = "running"
	StepDone    StepStatus = "done"
	StepAlready StepStatus = "already" // its effect was there before
	StepFailed  StepStatus = "failed"
	StepUnclear StepStatus = "unclear"
	StepLeft    StepStatus = "left" // left out
)

// Settled reports whether the step needs no more work.
func (s StepStatus) Settled() bool { return s == StepDone || s == StepAlready }

// StepState is what is known of one step.
type StepState struct {
	Status      StepStatus
	Text        string // why it failed, is unclear or was left out
	Began       time.Time
	Ended       time.Time
	Done, Total Amount
	Waits       string // what it waits for
	Until       time.Time
	Tries       int // how often it began
}

// State is what the events of a run amount to. The zero value is a run before its first event.
type State struct {
	Seq       int64 // of the last event
	Started   time.Time
	By        string // who started it first
	Ended     time.Time
	Outcome   Outcome
	Text      string // of the end
	Cancelled bool   // somebody asked for the end
	Points    *Points
	Steps     map[string]StepState
}

// With returns the state after an event; s stays as it is.
func (s State) With(e Event) State {
	s.Steps = maps.Clone(s.Steps)
	s.Apply(e)
	return s
}

// Apply takes an event in.
func (s *State) Apply(e Event) {
	s.Seq = max(s.Seq, e.Seq)
	switch e.Kind {
	case Started:
		if s.Started.IsZero() {
			s.Started, s.By = e.At, e.By
		}
		s.Ended, s.Outcome, s.Text, s.Cancelled, s.Points = time.Time{}, Running, "", false, nil
		s.restart()
	case Cancelled:
		s.Cancelled = true
	case Ended:
		s.Ended, s.Outcome, s.Text, s.Points = e.At, e.Outcome, e.Text, e.Points
	case Began, Finished, Failed, Unclear, Left, Resolved, Progress, Waiting:
		if s.Steps == nil {
			s.Steps = map[string]StepState{}
		}
		s.Steps[e.Step] = s.Steps[e.Step].with(e)
	case Log:
	}
}

// restart takes back what a new process tries again.
func (s *State) restart() {
	for id, step := range s.Steps {
		switch step.Status {
		case StepFailed, StepLeft, StepRunning:
			step.Status, step.Text, step.Waits, step.Ended = StepWaiting, "", "", time.Time{}
			s.Steps[id] = step
		case StepWaiting, StepDone, StepAlready, StepUnclear:
		}
	}
}

func (t StepState) with(e Event) StepState {
	switch e.Kind {
	case Began:
		t = StepState{Status: StepRunning, Began: e.At, Tries: t.Tries + 1}
	case Finished:
		t.Status, t.Ended, t.Text, t.Waits = StepDone, e.At, e.Text, ""
		if e.Already {
			t.Status = StepAlready
		}
		if t.Total != (Amount{}) {
			t.Done = t.Total
		}
	case Failed:
		t.Status, t.Ended, t.Text, t.Waits = StepFailed, e.At, e.Text, ""
	case Unclear:
		t.Status, t.Ended, t.Text, t.Waits = StepUnclear, e.At, e.Text, ""
	case Left:
		t.Status, t.Ended, t.Text, t.Waits = StepLeft, e.At, e.Text, ""
	case Resolved:
		t.Status, t.Text = StepWaiting, ""
		if e.Already {
			t.Status, t.Ended = StepDone, e.At
		}
	case Progress:
		t.Done, t.Total, t.Waits = e.Done, e.Total, ""
	case Waiting:
		t.Waits, t.Until = e.Text, e.Until
	case Started, Cancelled, Ended, Log:
	}
	if t.Status == "" {
		t.Status = StepWaiting
	}
	return t
}

// Of returns how a step stands.
func (s State) Of(id string) StepState {
	t, ok := s.Steps[id]
	if !ok {
		t.Status = StepWaiting
	}
	return t
}

// Tally is how far a run is.
type Tally struct {
	Done, Failed, Unclear, Left, Running, Waiting int
	Work, Total                                   Amount // of the steps whose size is known; a running one counts by its progress
}

// Tally counts the steps of the run's plan.
func (s State) Tally(p Plan) Tally {
	var t Tally
	for _, step := range p.Steps {
		at := s.Of(step.ID)
		total := step.Size
		if at.Total != (Amount{}) {
			total = at.Total
		}
		t.Total = t.Total.Plus(total)
		switch at.Status {
		case StepDone, StepAlready:
			t.Done++
			t.Work = t.Work.Plus(total)
		case StepFailed:
			t.Failed++
		case StepUnclear:
			t.Unclear++
		case StepLeft:
			t.Left++
		case StepRunning:
			t.Running++
			t.Work = t.Work.Plus(at.Done)
		case StepWaiting:
			t.Waiting++
		}
	}
	return t
}
