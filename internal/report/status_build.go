package report

import (
	"cmp"
	"math/big"
	"slices"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// NewStatus returns the status report of an assessment.
func NewStatus(a probes.Assessment, m StatusMeta) Status {
	m.At = m.At.UTC().Truncate(time.Minute)
	s := Status{
		Schema: StatusSchemaName, Title: text(a.Outline.Platform) + ": implementation status", Platform: text(a.Outline.Platform),
		Profile: text(a.Outline.Profile), TakenAt: m.At, Verdict: a.Verdict.String(), Headline: Headline(a), Reasons: []string{},
		Completed: []Finished{}, Remaining: []Task{}, Options: []Option{}, Delivered: []Delivery{}, Files: []File{}, Decisions: []Decision{},
		Gates: []Gate{}, Waivers: []Waived{}, Words: []Word{}, Measured: m.Measured,
	}
	s.Measured.Checks = len(a.Items())
	for _, r := range a.Reasons {
		s.Reasons = append(s.Reasons, text(r.Text))
	}
	s.Score = StatusScore{
		Percent: a.Percent, High: a.HighPct, Earned: Number{a.Earned}, Possible: Number{a.Possible}, Threshold: Number{a.Outline.Threshold},
	}
	if m.Before != nil {
		advance := a.Percent - m.Before.Percent
		s.Score.Previous, s.Score.Advance = &Previous{Percent: m.Before.Percent, TakenAt: m.Before.At.UTC().Truncate(time.Minute)}, &advance
	}
	for _, i := range a.Items() {
		s.Counts.add(i.Status.String())
		if i.Spec.Gate && i.Status != probes.NotApplicable {
			s.Gates = append(s.Gates, Gate{Claim: claim(i, m.At), Component: string(i.Spec.Component), Satisfied: i.Satisfied()})
		}
		if i.Word != "" {
			s.Words = append(s.Words, Word{Check: string(i.Spec.ID), Whose: text(i.Word), Summary: text(i.Summary)})
		}
		if i.Spec.Connection == "checkout" {
			s.checkout = true
			s.Files = append(s.Files, files(i)...)
		}
	}
	s.Declared = declared(a)
	s.components(a, m.At)
	s.Options = options(a, m.Run)
	s.Waivers = waivers(a)
	s.Changes = changes(a, m)
	s.Decisions = decisions(a, s)
	return s
}

// components fills in what is complete, what is left, and the table of both.
func (s *Status) components(a probes.Assessment, at time.Time) {
	urgency := map[probes.ID]int{} // by check: place in what is next
	for n, step := range a.Next {
		for _, id := range step.Checks {
			urgency[id] = n + 1
		}
	}
	rank := func(c probes.ComponentScore) int {
		first := len(a.Next) + 1
		for _, i := range c.Items {
			if n := urgency[i.Spec.ID]; n > 0 {
				first = min(first, n)
			}
		}
		return first
	}
	var left []probes.ComponentScore
	invested := probes.Effort{}
	for _, c := range a.Components {
		s.Progress.Rows = append(s.Progress.Rows, ProgressRow{
			ID: string(c.Component.ID), Title: text(c.Component.Title), Status: c.Status.String(), Percent: c.Percent, Earned: Number{c.Earned},
			Weight: Number{c.Component.Weight}, Invested: estimate(c.Component.Invested), Remaining: estimate(c.Remaining),
		})
		invested = invested.Add(c.Component.Invested)
		s.Delivered = append(s.Delivered, delivery(c, at))
		if c.Status != probes.Pass && c.Status != probes.NotApplicable {
			left = append(left, c)
			continue
		}
		done := Finished{ID: string(c.Component.ID), Title: text(c.Component.Title), Earned: Number{c.Earned}, Weight: Number{c.Component.Weight}, Checks: []Claim{}}
		for _, i := range c.Items {
			done.Checks = append(done.Checks, claim(i, at))
		}
		s.Completed = append(s.Completed, done)
	}
	s.Progress.Percent, s.Progress.Invested, s.Progress.Remaining = a.Percent, estimate(invested), estimate(a.Remaining)
	s.Progress.Remaining.Text = a.RemainingText()
	s.Progress.Invested.Text = Number{big.NewRat(int64(invested.Max), int64(time.Hour))}.String() + " h"
	slices.SortStableFunc(left, func(x, y probes.ComponentScore) int { return cmp.Compare(rank(x), rank(y)) })
	for n, c := range left {
		t := task(c, at)
		t.Priority = n + 1
		s.Remaining = append(s.Remaining, t)
	}
}

func claim(i probes.Item, at time.Time) Claim {
	c := Claim{
		ID: string(i.Spec.ID), Title: text(i.Spec.Title), Status: i.Status.String(), Gate: i.Spec.Gate, Points: Number{i.Points}, Worth: Number{i.Worth},
		Summary: text(i.Summary), BlockedBy: words(i.BlockedBy), Remedy: text(i.Spec.Remedy), Action: string(i.Spec.Action), Evidence: []Evidence{},
		Word: text(i.Word),
	}
	if !i.Confirmed.IsZero() {
		c.AgeMinutes = int(max(0, at.Sub(i.Confirmed)) / time.Minute)
	}
	if !i.Since.IsZero() {
		since := i.Since.UTC().Truncate(time.Minute)
		c.Since = &since
	}
	for _, e := range i.Evidence {
		c.Evidence = append(c.Evidence, Evidence{
			Subject: text(e.Subject), Want: text(e.Want), Got: text(e.Got), Wanting: e.Wanting, Source: text(e.Source), Repeat: text(e.Repeat),
		})
	}
	if w := i.Waiver; w != nil {
		c.Waiver = waiver(*w)
	}
	return c
}

func waiver(w probes.Waiver) *Waiver {
	return &Waiver{Owner: text(w.Owner), Reason: text(w.Reason), Expires: w.Expires.UTC()}
}

func estimate(e probes.Effort) Estimate {
	r := remaining(e)
	return Estimate{MinMinutes: r.MinMinutes, MaxMinutes: r.MaxMinutes, Text: e.String()}
}
