package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"slices"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// DiffSchemaName identifies the form of a diff.
const DiffSchemaName = "gonogo.diff/v1"

// Diff is what changed between a moment and the newest record of the history.
type Diff struct {
	Schema     string          `json:"schema"`
	Platform   string          `json:"platform"`
	Since      time.Time       `json:"since"`
	Begins     *time.Time      `json:"begins"` // the first record, if the history begins after Since
	Then       *DiffScore      `json:"then"`   // null if no score is recorded
	Now        *DiffScore      `json:"now"`
	Points     *Number         `json:"points"` // gained; null if it is not recorded
	First      int             `json:"first"`  // checks that were recorded for the first time
	Better     []Flip          `json:"better"`
	Worse      []Flip          `json:"worse"`
	Other      []Flip          `json:"other"`
	Components []DiffComponent `json:"components"`
	Changes    []DiffChange    `json:"changes"` // each of them, oldest first
}

// DiffScore is a score of the history.
type DiffScore struct {
	HistoryScore
	Earned *big.Rat `json:"-"`
}

// DiffComponent is a component that gained or lost points; how many is null where a check passes in part, whose points the history does not
// know.
type DiffComponent struct {
	Component string  `json:"component"`
	Title     string  `json:"title"`
	Points    *Number `json:"points"`
}

// DiffChange is one change of a check.
type DiffChange struct {
	At      time.Time `json:"at"`
	Check   string    `json:"check"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Summary string    `json:"summary"`
}

// Record is what the history says of a check at a moment.
type Record struct {
	At      time.Time
	Check   probes.ID
	Status  probes.Status
	Summary string
}

// DiffInput is what a diff is made of.
type DiffInput struct {
	Since     time.Time
	Then, Now *DiffScore
	Stood     map[probes.ID]Record // how the checks stood then; those that were not recorded yet are missing
	Records   []Record             // every change since, oldest first
	Of        probes.Assessment    // of the profile, for titles and what each check is worth; its statuses are not looked at
}

// NewDiff returns what changed.
func NewDiff(in DiffInput) Diff {
	d := Diff{
		Schema: DiffSchemaName, Platform: text(in.Of.Outline.Platform), Since: in.Since.UTC(), Then: in.Then, Now: in.Now,
		Better: []Flip{}, Worse: []Flip{}, Other: []Flip{}, Components: []DiffComponent{}, Changes: []DiffChange{},
	}
	if in.Then != nil && in.Now != nil && in.Then.Earned != nil && in.Now.Earned != nil {
		d.Points = &Number{new(big.Rat).Sub(in.Now.Earned, in.Then.Earned)}
	}
	first, last := map[probes.ID]Record{}, map[probes.ID]Record{}
	for id, r := range in.Stood {
		first[id], last[id] = r, r
	}
	for _, r := range in.Records {
		before, known := last[r.Check]
		last[r.Check] = r
		if !known {
			first[r.Check] = r
			d.First++
			continue
		}
		d.Changes = append(d.Changes, DiffChange{At: r.At.UTC(), Check: text(string(r.Check)), From: before.Status.String(), To: r.Status.String(), Summary: text(r.Summary)})
	}
	d.begins(in)
	for _, c := range in.Of.Components {
		d.component(c, first, last)
	}
	return d
}

// begins notes when the history begins, if that is after the moment that was asked for.
func (d *Diff) begins(in DiffInput) {
	if len(in.Stood) > 0 || in.Then != nil && !in.Then.TakenAt.After(in.Since) {
		return
	}
	var earliest time.Time
	if in.Then != nil {
		earliest = in.Then.TakenAt
	}
	if len(in.Records) > 0 && (earliest.IsZero() || in.Records[0].At.Before(earliest)) {
		earliest = in.Records[0].At
	}
	if !earliest.IsZero() {
		earliest = earliest.UTC()
		d.Begins = &earliest
	}
}

// component notes the checks of a component that stand otherwise, and what that is worth.
func (d *Diff) component(c probes.ComponentScore, first, last map[probes.ID]Record) {
	gained, flipped := &Number{new(big.Rat)}, false
	for _, i := range c.Items {
		then, now := first[i.Spec.ID], last[i.Spec.ID]
		if then.Status == now.Status {
			continue
		}
		at := now.At.UTC()
		f := Flip{Check: text(string(i.Spec.ID)), Title: text(i.Spec.Title), From: then.Status.String(), To: now.Status.String(), At: &at, Summary: text(now.Summary)}
		switch cmp.Compare(merit(now.Status), merit(then.Status)) {
		case 1:
			d.Better = append(d.Better, f)
		case -1:
			d.Worse = append(d.Worse, f)
		default:
			d.Other = append(d.Other, f)
		}
		flipped = true
		if then.Status == probes.Warn || now.Status == probes.Warn {
			gained = nil
		}
		if gained != nil {
			gained.rat.Add(gained.rat, worth(i, now.Status))
			gained.rat.Sub(gained.rat, worth(i, then.Status))
		}
	}
	if flipped && (gained == nil || gained.rat.Sign() != 0) {
		d.Components = append(d.Components, DiffComponent{Component: string(c.Component.ID), Title: text(c.Component.Title), Points: gained})
	}
}

// worth is what a check earns with a status, a warning's part aside.
func worth(i probes.Item, s probes.Status) *big.Rat {
	if s == probes.Pass {
		return i.Worth
	}
	return new(big.Rat)
}

// WriteDiffJSON writes the diff as indented JSON.
func WriteDiffJSON(w io.Writer, d Diff) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

// WriteDiff writes the diff for a terminal.
func WriteDiff(w io.Writer, d Diff, s Style) error {
	p := &printer{w: w, s: s}
	if d.Then == nil && d.Now == nil && d.First == 0 && len(d.Changes) == 0 {
		p.line("Nothing is recorded for %s yet; gonogo check, a report or the board records it.", d.Platform)
		return p.err
	}
	p.line("%s since %s", p.paint("1", d.Platform), moment(d.Since))
	if d.Begins != nil {
		p.line("  the history begins on %s, with which it is compared", moment(*d.Begins))
	}
	p.scores(d)
	p.flips("Better", d.Better)
	p.flips("Worse", d.Worse)
	p.flips("Otherwise", d.Other)
	if len(d.Components) > 0 {
		p.line("")
		p.line("%s", p.paint("1", "Points"))
	}
	for _, c := range d.Components {
		change := "changed; a check of it passes in part"
		if c.Points != nil {
			change = signed(*c.Points)
		}
		p.line("  %s %s", pad(c.Title, 32), change)
	}
	p.all(d)
	if d.First > 0 {
		p.line("")
		p.line("  %s recorded for the first time; how it stood before is not known.", were(d.First))
	}
	return p.err
}

func were(n int) string {
	if n == 1 {
		return "1 check was"
	}
	return fmt.Sprintf("%d checks were", n)
}

func (p *printer) scores(d Diff) {
	switch {
	case d.Then == nil && d.Now == nil:
	case d.Then == nil:
		p.line("  no score is recorded of then; now %d %%, %s", d.Now.Percent, d.Now.Verdict)
	case d.Now == nil || d.Then.HistoryScore == d.Now.HistoryScore:
		p.line("  the score is the same: %d %%, %s", d.Then.Percent, d.Then.Verdict)
	default:
		gained := ""
		if d.Points != nil && d.Points.rat.Sign() != 0 {
			gained = fmt.Sprintf("   %s points", signed(*d.Points))
		}
		p.line("  %d %% → %d %%   %s → %s%s", d.Then.Percent, d.Now.Percent, d.Then.Verdict, d.Now.Verdict, gained)
	}
	if len(d.Changes) == 0 && d.First == 0 {
		p.line("  no check changed")
	}
}

// signed writes a number with its sign.
func signed(n Number) string {
	if n.rat.Sign() > 0 {
		return "+" + n.String()
	}
	return n.String()
}

func (p *printer) flips(title string, flips []Flip) {
	if len(flips) == 0 {
		return
	}
	p.line("")
	p.line("%s", p.paint("1", title))
	for _, f := range flips {
		status, _ := probes.ParseStatus(f.To)
		p.line("  %s %s %s  %s  %s", p.glyph(status), pad(f.Check, 24), fill(f.Way(), 17), f.At.UTC().Format("2006-01-02 15:04"), f.Summary)
	}
}

// all lists every change, if some check changed more than once; else the flips have said it all.
func (p *printer) all(d Diff) {
	seen := map[string]bool{}
	again := slices.ContainsFunc(d.Changes, func(c DiffChange) bool {
		before := seen[c.Check]
		seen[c.Check] = true
		return before
	})
	if !again {
		return
	}
	p.line("")
	p.line("%s", p.paint("1", "Every change"))
	for _, c := range d.Changes {
		status, _ := probes.ParseStatus(c.To)
		p.line("  %s  %s %s %s  %s", c.At.Format("2006-01-02 15:04:05"), p.glyph(status), pad(c.Check, 24), fill(c.From+" → "+c.To, 17), c.Summary)
	}
}
