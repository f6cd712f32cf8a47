package probes

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Step is something that can be done now to bring the platform closer to GO.
type Step struct {
	Action ID // the action that does it; empty for work by hand
	ID     ID // of the action, or of the component for work by hand
	Title  string
	Points *big.Rat // gained when it is done
	Gates  []ID     // gates it satisfies
	Checks []ID     // checks it mends
	Effort Effort   // an estimate; zero if nothing was estimated
	Why    string
}

// plan lists what can be done next, best first, and apart from it what is blocked; and adds up the work that is left.
func (a *Assessment) plan() {
	for c := range a.Components {
		comp := &a.Components[c]
		var steps []*Step
		open := make([]Item, 0, len(comp.Items))
		for _, i := range comp.Items {
			if i.Status == Pass || i.Status == NotApplicable {
				continue
			}
			open = append(open, i)
			if i.Status == Blocked {
				a.Blocked = append(a.Blocked, i)
			}
		}
		for _, i := range open {
			if step := a.stepFor(comp.Component, i, steps); step != nil {
				steps = append(steps, step)
			}
		}
		a.fillSteps(comp, open, steps)
		for _, s := range steps {
			a.Next = append(a.Next, *s)
		}
		a.Remaining = a.Remaining.Add(comp.Remaining)
	}
	slices.SortStableFunc(a.Next, func(x, y Step) int {
		return cmp.Or(
			cmp.Compare(min(len(y.Gates), 1), min(len(x.Gates), 1)),
			y.perHour().Cmp(x.perHour()),
		)
	})
}

// stepFor returns a new step for a check that is measured wanting and not blocked, or nil if there is none or it is in steps already.
func (a *Assessment) stepFor(c Component, i Item, steps []*Step) *Step {
	if i.Status != Fail && i.Status != Warn {
		return nil
	}
	id, title := i.Spec.Action, c.Title
	if id == "" {
		id = c.ID
	} else if named := a.Outline.Actions[id]; named != "" {
		title = named
	}
	if slices.ContainsFunc(steps, func(s *Step) bool { return s.ID == id && s.Action == i.Spec.Action }) {
		return nil
	}
	return &Step{Action: i.Spec.Action, ID: id, Title: title, Points: new(big.Rat)}
}

// fillSteps gives every open check of a component to the step that mends it and works out points, gates and effort. A blocked check goes
// to the step of its action, or to that of the check that blocks it, if that is in the same component.
func (a *Assessment) fillSteps(comp *ComponentScore, open []Item, steps []*Step) {
	owner := map[ID]*Step{}
	for _, i := range open {
		if s := ownerOf(i, steps, owner, comp.Component.ID); s != nil {
			owner[i.Spec.ID] = s
		}
	}
	lost := new(big.Rat)
	for _, i := range open {
		missing := new(big.Rat).Sub(i.Worth, i.Points)
		lost.Add(lost, missing)
		comp.Remaining = comp.Remaining.Add(i.Spec.Effort)
		s := owner[i.Spec.ID]
		if s == nil {
			continue
		}
		s.Checks = append(s.Checks, i.Spec.ID)
		s.Points.Add(s.Points, missing)
		s.Effort = s.Effort.Add(i.Spec.Effort)
		if i.Spec.Gate && !i.Satisfied() {
			s.Gates = append(s.Gates, i.Spec.ID)
		}
	}
	if comp.Remaining.IsZero() && len(open) > 0 {
		comp.Remaining = comp.Component.Remaining.scale(share(lost, comp.Possible))
		for _, s := range steps {
			s.Effort = comp.Remaining.scale(share(s.Points, lost))
		}
	}
	for _, s := range steps {
		s.Why = s.why()
	}
}

func ownerOf(i Item, steps []*Step, owner map[ID]*Step, component ID) *Step {
	for _, s := range steps {
		if i.Spec.Action != "" && s.Action == i.Spec.Action {
			return s
		}
	}
	if i.Status != Blocked {
		for _, s := range steps {
			if s.Action == "" && s.ID == component {
				return s
			}
		}
		return nil
	}
	for _, by := range i.BlockedBy {
		if s := owner[by]; s != nil {
			return s
		}
	}
	return nil
}

// share is part of whole, or 1 when nothing has points at all.
func share(part, whole *big.Rat) *big.Rat {
	if whole.Sign() == 0 {
		return big.NewRat(1, 1)
	}
	return new(big.Rat).Quo(part, whole)
}

func (e Effort) scale(by *big.Rat) Effort {
	one := func(d time.Duration) time.Duration {
		f, _ := new(big.Rat).Mul(new(big.Rat).SetInt64(int64(d)), by).Float64()
		return time.Duration(f).Round(time.Minute)
	}
	return Effort{Min: one(e.Min), Max: one(e.Max)}
}

// perHour is the points gained per hour of the middle of the estimate; a step without an estimate counts as a working day.
func (s Step) perHour() *big.Rat {
	middle := (s.Effort.Min + s.Effort.Max) / 2
	if middle <= 0 {
		middle = 8 * time.Hour
	}
	return new(big.Rat).Quo(s.Points, big.NewRat(int64(middle), int64(time.Hour)))
}

func (s Step) why() string {
	switch {
	case len(s.Gates) == 1:
		return fmt.Sprintf("satisfies gate %s", s.Gates[0])
	case len(s.Gates) > 1:
		return fmt.Sprintf("satisfies %d gates: %s", len(s.Gates), joinIDs(s.Gates))
	case s.Points.Sign() > 0:
		return fmt.Sprintf("gains %s points", FormatRat(s.Points))
	}
	return "mends " + joinIDs(s.Checks)
}
