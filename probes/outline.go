package probes

import (
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Effort is an estimate of work, as a range.
type Effort struct{ Min, Max time.Duration }

// IsZero reports whether nothing was estimated.
func (e Effort) IsZero() bool { return e == Effort{} }

// Add returns the sum of two estimates.
func (e Effort) Add(o Effort) Effort { return Effort{Min: e.Min + o.Min, Max: e.Max + o.Max} }

// Component is a row of the status document: a group of checks worth a number of points.
type Component struct {
	ID        ID
	Title     string
	Weight    *big.Rat // points
	Declared  *int     // percent that a status document claims; nil if none does
	Remaining Effort   // the profile's estimate of what is left when nothing of it is done
	Invested  Effort
}

// Waiver is an accepted gap in a gate. It satisfies the gate until it expires and earns no points.
type Waiver struct {
	Check   ID
	Owner   string
	Reason  string
	Expires time.Time // the first moment at which it no longer holds
	Where   string    // where it was given, if not in the profile: "in the evidence record"
}

// Until is the end of the waiver for people: its last day if it ends with one.
func (w Waiver) Until() string { return Until(w.Expires) }

// Until writes a moment until which something holds: the day that it holds to the end of, or else the minute.
func Until(end time.Time) string {
	end = end.UTC()
	if end.Truncate(24 * time.Hour).Equal(end) {
		return end.AddDate(0, 0, -1).Format("2006-01-02")
	}
	return end.Format("2006-01-02 15:04Z")
}

// Outline is what a profile declares, apart from how it is asked: the fixed side of a checklist. It must not change after it was given
// to a checklist.
type Outline struct {
	Platform   string
	Profile    string
	Threshold  *big.Rat // percent for GO, gates aside
	Components []Component
	Specs      []Spec        // in the order of the profile
	Actions    map[ID]string // titles of the actions that specs name; one that is missing goes by its component's title
	Waivers    []Waiver
}

// Validate reports every fault of the outline: double ids, references that lead nowhere, cycles of blockers.
func (o *Outline) Validate() error {
	var faults []error
	components := map[ID]bool{}
	for _, c := range o.Components {
		if components[c.ID] {
			faults = append(faults, fmt.Errorf("component %s is declared twice", c.ID))
		}
		if c.Weight == nil || c.Weight.Sign() < 0 {
			faults = append(faults, fmt.Errorf("component %s: weight must be declared and not negative", c.ID))
		}
		components[c.ID] = true
	}
	checks := map[ID]Spec{}
	for _, s := range o.Specs {
		if err := s.Validate(); err != nil {
			faults = append(faults, err)
		}
		if _, ok := checks[s.ID]; ok {
			faults = append(faults, fmt.Errorf("check %s is declared twice", s.ID))
		}
		if !components[s.Component] {
			faults = append(faults, fmt.Errorf("check %s belongs to component %q, which is not declared", s.ID, s.Component))
		}
		checks[s.ID] = s
	}
	for _, s := range o.Specs {
		for _, by := range s.BlockedBy {
			if _, ok := checks[by]; !ok {
				faults = append(faults, fmt.Errorf("check %s is blocked by %q, which is not declared", s.ID, by))
			}
		}
	}
	if cycle := blockerCycle(checks, o.Specs); cycle != nil {
		faults = append(faults, fmt.Errorf("checks block each other: %v", cycle))
	}
	return errors.Join(faults...)
}

// blockerCycle returns a cycle among the blockers, first check repeated at the end, or nil.
func blockerCycle(checks map[ID]Spec, order []Spec) []ID {
	const (
		unseen = iota
		open
		done
	)
	state := map[ID]int{}
	var path []ID
	var visit func(ID) []ID
	visit = func(id ID) []ID {
		switch state[id] {
		case done:
			return nil
		case open:
			for i, p := range path {
				if p == id {
					return append(append([]ID{}, path[i:]...), id)
				}
			}
		}
		state[id] = open
		path = append(path, id)
		for _, by := range checks[id].BlockedBy {
			if cycle := visit(by); cycle != nil {
				return cycle
			}
		}
		path = path[:len(path)-1]
		state[id] = done
		return nil
	}
	for _, s := range order {
		if cycle := visit(s.ID); cycle != nil {
			return cycle
		}
	}
	return nil
}
