// Package report renders an assessment for people and for programs: the check document as JSON and YAML, tables for terminals, the score
// explained line by line, and the history. It writes only what it is given; it asks nobody anything.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/invopop/jsonschema"
	"sigs.k8s.io/yaml"

	"github.com/254carbon/gonogo/probes"
)

// SchemaName identifies the form of the check document.
const SchemaName = "gonogo.check/v1"

// Document is the result of one check as programs read it. Its form is a contract.
type Document struct {
	Schema     string      `json:"schema"`
	Platform   string      `json:"platform"`
	Profile    string      `json:"profile"`
	TakenAt    time.Time   `json:"takenAt"`
	TookMs     int64       `json:"tookMs" jsonschema:"minimum=0"`
	Verdict    string      `json:"verdict,omitempty" jsonschema:"enum=GO,enum=NO-GO,enum=UNKNOWN,description=absent when only some checks were asked"`
	Reasons    []string    `json:"reasons" jsonschema:"description=why the verdict is not GO; gates first"`
	Score      *ScoreLine  `json:"score,omitempty" jsonschema:"description=absent when only some checks were asked"`
	Counts     Counts      `json:"counts"`
	Components []Component `json:"components"`
	Next       []Next      `json:"next" jsonschema:"description=what can be done now; best first"`
	Blocked    []Blocked   `json:"blocked"`
}

// ScoreLine is the score: percent equals low, high is what it would be if everything that could not be measured passed.
type ScoreLine struct {
	Percent  int       `json:"percent" jsonschema:"minimum=0,maximum=100"`
	Low      int       `json:"low" jsonschema:"minimum=0,maximum=100"`
	High     int       `json:"high" jsonschema:"minimum=0,maximum=100"`
	Earned   Number    `json:"earned"`
	Possible Number    `json:"possible"`
	Previous *Previous `json:"previous" jsonschema:"nullable"`
}

// Previous is the score to compare with.
type Previous struct {
	Percent int       `json:"percent"`
	TakenAt time.Time `json:"takenAt"`
}

// Counts is how many checks have each status.
type Counts struct {
	Pass          int `json:"pass"`
	Warn          int `json:"warn"`
	Fail          int `json:"fail"`
	Blocked       int `json:"blocked"`
	Unknown       int `json:"unknown"`
	NotApplicable int `json:"not-applicable"`
	Pending       int `json:"pending"`
}

// Component is a component with its checks.
type Component struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Weight    Number    `json:"weight"`
	Earned    *Number   `json:"earned,omitempty" jsonschema:"description=absent when only some checks were asked"`
	Percent   *int      `json:"percent,omitempty" jsonschema:"description=absent when only some checks were asked"`
	Declared  *int      `json:"declared" jsonschema:"nullable,description=percent that a status document claims"`
	Status    string    `json:"status"`
	Remaining Remaining `json:"remaining"`
	Checks    []Check   `json:"checks"`
}

// Remaining is an estimate of work.
type Remaining struct {
	MinMinutes int `json:"minMinutes"`
	MaxMinutes int `json:"maxMinutes"`
}

// Check is one check with its evidence.
type Check struct {
	ID         string     `json:"id"`
	Title      string     `json:"title"`
	Probe      string     `json:"probe"`
	Status     string     `json:"status" jsonschema:"enum=pass,enum=warn,enum=fail,enum=blocked,enum=unknown,enum=not-applicable,enum=pending"`
	Gate       bool       `json:"gate"`
	Ratio      Number     `json:"ratio"`
	Weight     Number     `json:"weight"`
	Summary    string     `json:"summary"`
	TakenAt    *time.Time `json:"takenAt" jsonschema:"nullable"`
	AgeSeconds int64      `json:"ageSeconds"`
	TookMs     int64      `json:"tookMs"`
	Attempts   string     `json:"attempts"`
	Evidence   []Evidence `json:"evidence"`
	Remedy     string     `json:"remedy"`
	Action     string     `json:"action"`
	BlockedBy  []string   `json:"blockedBy"`
	Waiver     *Waiver    `json:"waiver" jsonschema:"nullable"`
	Error      string     `json:"error"`
}

// Evidence is one thing that was looked at.
type Evidence struct {
	Subject string `json:"subject"`
	Want    string `json:"want"`
	Got     string `json:"got"`
	Wanting bool   `json:"wanting" jsonschema:"description=whether got falls short of want"`
	Source  string `json:"source"`
	Repeat  string `json:"repeat"`
}

// Waiver is an accepted gap.
type Waiver struct {
	Owner   string    `json:"owner"`
	Reason  string    `json:"reason"`
	Expires time.Time `json:"expires"`
}

// Next is something that can be done now.
type Next struct {
	Kind       string   `json:"kind" jsonschema:"enum=action,enum=manual"`
	ID         string   `json:"id"`
	Title      string   `json:"title"`
	Points     Number   `json:"points"`
	Gates      []string `json:"gates"`
	MinMinutes int      `json:"minMinutes"`
	MaxMinutes int      `json:"maxMinutes"`
	Why        string   `json:"why"`
}

// Blocked is a check that waits for others.
type Blocked struct {
	ID        string   `json:"id"`
	BlockedBy []string `json:"blockedBy"`
}

// Number is a number that is exact where JSON can write it exactly, and rounded down to six digits where it cannot.
type Number struct{ rat *big.Rat }

// MarshalJSON writes the number with at least one digit after the point.
func (n Number) MarshalJSON() ([]byte, error) {
	if n.rat == nil {
		return []byte("0.0"), nil
	}
	if digits, exact := n.rat.FloatPrec(); exact {
		return []byte(n.rat.FloatString(max(1, digits))), nil
	}
	const digits = 6
	return []byte(roundDown(n.rat, digits).FloatString(digits)), nil
}

// String writes the number as people read it, with one digit after the point at most.
func (n Number) String() string { return probes.ShortRat(n.rat) }

// roundDown cuts a number, which is not negative, after some digits.
func roundDown(r *big.Rat, digits int64) *big.Rat {
	unit := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(digits), nil))
	scaled := new(big.Rat).Mul(r, unit)
	whole := new(big.Rat).SetInt(new(big.Int).Quo(scaled.Num(), scaled.Denom()))
	return whole.Quo(whole, unit)
}

// JSONSchema says that it is a number.
func (Number) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{Type: "number"} }

// Meta is what a document says beside the assessment.
type Meta struct {
	Took     time.Duration
	Previous *Previous
	Only     map[probes.ID]bool // the checks that were asked, if not all
}

// NewDocument returns the document of an assessment.
func NewDocument(a probes.Assessment, m Meta) Document {
	d := Document{
		Schema: SchemaName, Platform: a.Outline.Platform, Profile: a.Outline.Profile, TakenAt: a.At.UTC(), TookMs: m.Took.Milliseconds(),
		Reasons: []string{}, Components: []Component{}, Next: []Next{}, Blocked: []Blocked{},
	}
	for _, c := range a.Components {
		comp := component(c, m.Only)
		if m.Only != nil && len(comp.Checks) == 0 {
			continue
		}
		d.Components = append(d.Components, comp)
		for _, check := range comp.Checks {
			d.Counts.add(check.Status)
		}
	}
	if m.Only != nil {
		return d
	}
	d.Verdict = a.Verdict.String()
	for _, r := range a.Reasons {
		d.Reasons = append(d.Reasons, r.Text)
	}
	d.Score = &ScoreLine{
		Percent: a.Percent, Low: a.Percent, High: a.HighPct, Earned: Number{a.Earned}, Possible: Number{a.Possible}, Previous: m.Previous,
	}
	for _, s := range a.Next {
		d.Next = append(d.Next, next(s))
	}
	for _, i := range a.Blocked {
		d.Blocked = append(d.Blocked, Blocked{ID: string(i.Spec.ID), BlockedBy: words(i.BlockedBy)})
	}
	return d
}

func (c *Counts) add(status string) {
	switch status {
	case "pass":
		c.Pass++
	case "warn":
		c.Warn++
	case "fail":
		c.Fail++
	case "blocked":
		c.Blocked++
	case "unknown":
		c.Unknown++
	case "not-applicable":
		c.NotApplicable++
	default:
		c.Pending++
	}
}

func component(c probes.ComponentScore, only map[probes.ID]bool) Component {
	out := Component{
		ID: string(c.Component.ID), Title: c.Component.Title, Weight: Number{c.Component.Weight}, Declared: c.Component.Declared,
		Status: c.Status.String(), Remaining: remaining(c.Remaining), Checks: []Check{},
	}
	var asked []probes.Item
	for _, i := range c.Items {
		if only == nil || only[i.Spec.ID] {
			out.Checks = append(out.Checks, check(i))
			asked = append(asked, i)
		}
	}
	if only == nil {
		out.Earned, out.Percent = &Number{c.Earned}, &c.Percent
	} else {
		out.Status = probes.Worst(asked).String()
	}
	return out
}

func check(i probes.Item) Check {
	c := Check{
		ID: string(i.Spec.ID), Title: i.Spec.Title, Probe: i.Spec.Probe, Status: i.Status.String(), Gate: i.Spec.Gate,
		Ratio: Number{i.Ratio}, Weight: Number{i.Spec.Weight}, Summary: i.Summary, AgeSeconds: int64(i.Age / time.Second),
		TookMs: i.Took.Milliseconds(), Attempts: i.Attempts(), Evidence: []Evidence{}, Remedy: i.Spec.Remedy, Action: string(i.Spec.Action),
		BlockedBy: words(i.BlockedBy), Error: i.Error,
	}
	if !i.TakenAt.IsZero() {
		at := i.TakenAt.UTC()
		c.TakenAt = &at
	}
	for _, e := range i.Evidence {
		c.Evidence = append(c.Evidence, Evidence{Subject: e.Subject, Want: e.Want, Got: e.Got, Wanting: e.Wanting, Source: e.Source, Repeat: e.Repeat})
	}
	if w := i.Waiver; w != nil {
		c.Waiver = &Waiver{Owner: w.Owner, Reason: w.Reason, Expires: w.Expires.UTC()}
	}
	return c
}

func next(s probes.Step) Next {
	kind := "manual"
	if s.Action != "" {
		kind = "action"
	}
	r := remaining(s.Effort)
	return Next{
		Kind: kind, ID: string(s.ID), Title: s.Title, Points: Number{s.Points}, Gates: words(s.Gates),
		MinMinutes: r.MinMinutes, MaxMinutes: r.MaxMinutes, Why: s.Why,
	}
}

func remaining(e probes.Effort) Remaining {
	return Remaining{MinMinutes: int(e.Min / time.Minute), MaxMinutes: int(e.Max / time.Minute)}
}

func words(ids []probes.ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// WriteJSON writes the document as indented JSON.
func WriteJSON(w io.Writer, d Document) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

// WriteYAML writes the document as YAML.
func WriteYAML(w io.Writer, d Document) error {
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	if text, err = yaml.JSONToYAML(text); err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	_, err = w.Write(text)
	return err
}

// Schema returns the JSON Schema of [Document].
func Schema() ([]byte, error) { return schemaOf(Document{}, "Result of gonogo check", SchemaName) }

// schemaOf returns the JSON Schema of a document whose field schema always has the same value.
func schemaOf(document any, title, name string) ([]byte, error) {
	r := jsonschema.Reflector{DoNotReference: true, Anonymous: true}
	s := r.Reflect(document)
	s.Title = title
	if field, ok := s.Properties.Get("schema"); ok {
		field.Const = name
	}
	encoded, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the schema: %w", err)
	}
	return append(encoded, '\n'), nil
}
