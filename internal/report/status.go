package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"slices"
	"time"

	"github.com/invopop/jsonschema"

	"github.com/254carbon/gonogo/probes"
)

// StatusSchemaName identifies the form of the status report.
const StatusSchemaName = "gonogo.report/v1"

// Status is the status document of a platform, written from evidence. Its texts are safe on a terminal; its times are whole minutes, and
// nothing in it depends on how long asking took, so that the same state makes the same document.
type Status struct {
	Schema    string      `json:"schema" jsonschema:"const=gonogo.report/v1"`
	Title     string      `json:"title"`
	Platform  string      `json:"platform"`
	Profile   string      `json:"profile"`
	TakenAt   time.Time   `json:"takenAt"`
	Verdict   string      `json:"verdict" jsonschema:"enum=GO,enum=NO-GO,enum=UNKNOWN"`
	Headline  string      `json:"headline" jsonschema:"description=the score in one line"`
	Reasons   []string    `json:"reasons" jsonschema:"description=why the verdict is not GO; gates first"`
	Score     StatusScore `json:"score"`
	Counts    Counts      `json:"counts"`
	Declared  Declared    `json:"declared" jsonschema:"description=what a status document declares against what is measured"`
	Completed []Finished  `json:"completed"`
	Remaining []Task      `json:"remaining" jsonschema:"description=what is left to do; most urgent first"`
	Progress  Progress    `json:"progress"`
	Options   []Option    `json:"options" jsonschema:"description=what can be done now; the recommended one first"`
	Delivered []Delivery  `json:"delivered" jsonschema:"description=what of each component is in place"`
	Files     []File      `json:"files" jsonschema:"description=what was found in the checkout"`
	Changes   *Changes    `json:"changes" jsonschema:"nullable,description=since the last report that differed; null if there is nothing to compare with"`
	Decisions []Decision  `json:"decisions"`
	Gates     []Gate      `json:"gates"`
	Waivers   []Waived    `json:"waivers"`
	Words     []Word      `json:"attestations" jsonschema:"description=what rests on a person's word"`
	Measured  Measured    `json:"measured"`

	checkout bool // whether any check looks at the checkout
}

// StatusScore is the score of a status report.
type StatusScore struct {
	Percent   int       `json:"percent" jsonschema:"minimum=0,maximum=100"`
	High      int       `json:"high" jsonschema:"minimum=0,maximum=100"`
	Earned    Number    `json:"earned"`
	Possible  Number    `json:"possible"`
	Threshold Number    `json:"threshold"`
	Previous  *Previous `json:"previous" jsonschema:"nullable"`
	Advance   *int      `json:"advance" jsonschema:"nullable,description=percent gained since the previous score"`
}

// Declared compares the percentages of a status document with the measured ones.
type Declared struct {
	Components int     `json:"components" jsonschema:"description=how many components declare a percentage"`
	Total      *int    `json:"total" jsonschema:"nullable,description=what the declared percentages add up to; null unless every component declares one"`
	Drift      []Drift `json:"drift" jsonschema:"description=where they differ; the largest first"`
	Unclear    []Drift `json:"unclear" jsonschema:"description=where too little could be measured to tell"`
}

// Drift is a component whose declared percentage is not the measured one.
type Drift struct {
	Component string `json:"component"`
	Title     string `json:"title"`
	Declared  int    `json:"declared"`
	Measured  int    `json:"measured"`
	High      int    `json:"high" jsonschema:"description=what would be measured if everything that could not be passed"`
}

// Finished is a component whose checks all pass.
type Finished struct {
	ID     string  `json:"id"`
	Title  string  `json:"title"`
	Earned Number  `json:"earned"`
	Weight Number  `json:"weight"`
	Checks []Claim `json:"checks"`
}

// Claim is a check with its evidence.
type Claim struct {
	ID         string     `json:"id"`
	Title      string     `json:"title"`
	Status     string     `json:"status" jsonschema:"enum=pass,enum=warn,enum=fail,enum=blocked,enum=unknown,enum=not-applicable,enum=pending"`
	Gate       bool       `json:"gate"`
	Points     Number     `json:"points"`
	Worth      Number     `json:"worth"`
	Summary    string     `json:"summary"`
	AgeMinutes int        `json:"ageMinutes" jsonschema:"minimum=0,description=age of the answer when the report was written"`
	Since      *time.Time `json:"since" jsonschema:"nullable,description=when the check came to stand so; null if that is not known"`
	BlockedBy  []string   `json:"blockedBy"`
	Remedy     string     `json:"remedy"`
	Action     string     `json:"action"`
	Evidence   []Evidence `json:"evidence"`
	Waiver     *Waiver    `json:"waiver" jsonschema:"nullable"`
	Word       string     `json:"word" jsonschema:"description=whose word the points rest on; empty if they were measured"`
}

// Task is a component that is not complete.
type Task struct {
	Priority  int      `json:"priority" jsonschema:"minimum=1"`
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	State     string   `json:"state" jsonschema:"enum=ready,enum=blocked,enum=unknown,description=whether something can be done about it now"`
	Percent   int      `json:"percent"`
	Points    Number   `json:"points" jsonschema:"description=to be gained"`
	Gates     []string `json:"gates" jsonschema:"description=open gates of it"`
	BlockedBy []string `json:"blockedBy" jsonschema:"description=checks that others of it wait for"`
	Issues    []Claim  `json:"issues"`
	Steps     []string `json:"steps"`
	Estimate  Estimate `json:"estimate"`
}

// Estimate is work by estimate.
type Estimate struct {
	MinMinutes int    `json:"minMinutes"`
	MaxMinutes int    `json:"maxMinutes"`
	Text       string `json:"text" jsonschema:"description=empty if nothing was estimated"`
}

// Progress is the table of all components.
type Progress struct {
	Rows      []ProgressRow `json:"rows"`
	Percent   int           `json:"percent"`
	Invested  Estimate      `json:"invested"`
	Remaining Estimate      `json:"remaining"`
}

// ProgressRow is a component's row.
type ProgressRow struct {
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	Status    string   `json:"status"`
	Percent   int      `json:"percent"`
	Earned    Number   `json:"earned"`
	Weight    Number   `json:"weight"`
	Invested  Estimate `json:"invested"`
	Remaining Estimate `json:"remaining"`
}

// Option is something that can be done now.
type Option struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Kind        string   `json:"kind" jsonschema:"enum=action,enum=manual"`
	Recommended bool     `json:"recommended"`
	Command     string   `json:"command" jsonschema:"description=what plans it; empty for work by hand"`
	Points      Number   `json:"points"`
	Percent     int      `json:"percent" jsonschema:"description=the score when it is done"`
	Gates       []string `json:"gates"`
	Steps       []string `json:"steps"`
	Result      string   `json:"result"`
	Estimate    Estimate `json:"estimate"`
}

// Delivery says what of a component is in place.
type Delivery struct {
	Component string  `json:"component"`
	Title     string  `json:"title"`
	Passing   int     `json:"passing"`
	Checks    int     `json:"checks"`
	Partly    []Claim `json:"partly" jsonschema:"description=what passes of a component that is not complete"`
}

// File is something that was looked at in the checkout.
type File struct {
	Check   string `json:"check"`
	Subject string `json:"subject"`
	Got     string `json:"got"`
	Wanting bool   `json:"wanting"`
}

// Decision is a choice that somebody has to make.
type Decision struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// Gate is a check without which there is no GO.
type Gate struct {
	Claim
	Component string `json:"component"`
	Satisfied bool   `json:"satisfied"`
}

// Waived is a waiver that the profile declares or the platform keeps.
type Waived struct {
	Check string `json:"check"`
	Waiver
	Where string `json:"where" jsonschema:"description=where it is kept; empty for the profile"`
	State string `json:"state" jsonschema:"enum=holds,enum=expired,enum=not needed"`
}

// Word is a check whose points rest on a person's word, not on a measurement.
type Word struct {
	Check   string `json:"check"`
	Whose   string `json:"whose" jsonschema:"description=whose word it is, and until when"`
	Summary string `json:"summary"`
}

// Measured says how the report came about.
type Measured struct {
	Profile   string `json:"profile"`
	Digest    string `json:"digest" jsonschema:"description=SHA-256 of the profile's text"`
	Cluster   string `json:"cluster"`
	Simulated string `json:"simulated" jsonschema:"description=scenario of the simulated platform; empty for a real one"`
	Version   string `json:"version" jsonschema:"description=of gonogo"`
	Polled    bool   `json:"polled" jsonschema:"description=whether the answers are those that a board had; else every check was asked for the report"`
	Checks    int    `json:"checks"`
}

// StatusMeta is what a status report says beside the assessment.
type StatusMeta struct {
	At       time.Time // when it was written
	Before   *Before   // what it is compared with; nil if nothing is known
	Measured Measured  // Checks is filled in
	Run      string    // the command that runs an action, without its name; empty if there is none
}

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

// WriteStatusJSON writes the report as indented JSON.
func WriteStatusJSON(w io.Writer, s Status) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(s)
}

// StatusSchema returns the JSON Schema of [Status].
func StatusSchema() ([]byte, error) {
	r := jsonschema.Reflector{DoNotReference: true, Anonymous: true}
	s := r.Reflect(Status{})
	s.Title = "Report of gonogo report"
	encoded, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the schema: %w", err)
	}
	return append(encoded, '\n'), nil
}
