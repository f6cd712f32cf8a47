package report

import (
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Before is what a report is compared with.
type Before struct {
	At       time.Time
	Percent  int
	Earned   *big.Rat
	Verdict  string
	Reported bool                // a report said so; else it is a score of the history
	Checks   map[probes.ID]Stood // how each check stood; one that is missing is not known
}

// Stood is how a check stood.
type Stood struct {
	Component probes.ID
	Status    probes.Status
	Points    *big.Rat // nil if they are not known
}

// Changes is what is different since a report or a score.
type Changes struct {
	Since      time.Time         `json:"since"`
	Reported   bool              `json:"reported" jsonschema:"description=whether a report said so; else it is a score of the history"`
	Percent    int               `json:"percent" jsonschema:"description=what it was then"`
	Verdict    string            `json:"verdict" jsonschema:"description=what it was then"`
	Points     Number            `json:"points" jsonschema:"description=gained; less than 0 if points were lost"`
	Known      bool              `json:"known" jsonschema:"description=whether it is recorded how the checks stood"`
	Better     []Flip            `json:"better"`
	Worse      []Flip            `json:"worse"`
	Other      []Flip            `json:"other" jsonschema:"description=neither better nor worse; or new or gone"`
	Components []ComponentChange `json:"components" jsonschema:"description=points gained and lost"`
}

// Flip is a check that stands otherwise.
type Flip struct {
	Check   string     `json:"check"`
	Title   string     `json:"title"`
	From    string     `json:"from" jsonschema:"description=empty for a check that was not there"`
	To      string     `json:"to" jsonschema:"description=empty for a check that is gone"`
	At      *time.Time `json:"at" jsonschema:"nullable"`
	Summary string     `json:"summary"`
}

// ComponentChange is a component that earns more or less.
type ComponentChange struct {
	Component string `json:"component"`
	Title     string `json:"title"`
	From      Number `json:"from"`
	To        Number `json:"to"`
	Points    Number `json:"points"`
}

// changes compares an assessment with what it is to be compared with, or returns nil if that is nothing.
func changes(a probes.Assessment, m StatusMeta) *Changes {
	b := m.Before
	if b == nil {
		return nil
	}
	c := &Changes{
		Since: b.At.UTC().Truncate(time.Minute), Reported: b.Reported, Percent: b.Percent, Verdict: b.Verdict, Known: len(b.Checks) > 0,
		Better: []Flip{}, Worse: []Flip{}, Other: []Flip{}, Components: []ComponentChange{}, Points: Number{new(big.Rat)},
	}
	if b.Earned != nil {
		c.Points = Number{new(big.Rat).Sub(a.Earned, b.Earned)}
	}
	if !c.Known {
		return c
	}
	for _, i := range a.Items() {
		c.flip(i, b)
	}
	for _, id := range slices.Sorted(maps.Keys(b.Checks)) {
		if _, ok := a.Item(id); !ok {
			c.Other = append(c.Other, Flip{Check: text(string(id)), From: b.Checks[id].Status.String(), Summary: "not in the profile any more"})
		}
	}
	for _, comp := range a.Components {
		c.component(comp, b.Checks)
	}
	return c
}

// flip notes how a check changed, if it did.
func (c *Changes) flip(i probes.Item, b *Before) {
	stood, known := b.Checks[i.Spec.ID]
	if known && stood.Status == i.Status {
		return
	}
	f := Flip{Check: string(i.Spec.ID), Title: text(i.Spec.Title), To: i.Status.String(), Summary: text(i.Summary)}
	if i.Since.After(b.At) {
		since := i.Since.UTC().Truncate(time.Minute)
		f.At = &since
	}
	if !known {
		c.Other = append(c.Other, f)
		return
	}
	f.From = stood.Status.String()
	switch then, now := merit(stood.Status), merit(i.Status); {
	case now > then:
		c.Better = append(c.Better, f)
	case now < then:
		c.Worse = append(c.Worse, f)
	default:
		c.Other = append(c.Other, f)
	}
}

// merit orders statuses by what they are worth.
func merit(s probes.Status) int {
	switch s {
	case probes.Pass:
		return 2
	case probes.Warn:
		return 1
	}
	return 0
}

// component notes what a component gained or lost, if it is known what each of its checks earned.
func (c *Changes) component(now probes.ComponentScore, before map[probes.ID]Stood) {
	then, found := new(big.Rat), false
	for _, stood := range before {
		if stood.Component != now.Component.ID {
			continue
		}
		if stood.Points == nil {
			return
		}
		found = true
		then.Add(then, stood.Points)
	}
	gained := new(big.Rat).Sub(now.Earned, then)
	if !found || gained.Sign() == 0 {
		return
	}
	c.Components = append(c.Components, ComponentChange{
		Component: string(now.Component.ID), Title: text(now.Component.Title), From: Number{then}, To: Number{now.Earned}, Points: Number{gained},
	})
}
