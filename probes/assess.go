package probes

import (
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Verdict answers the question: may the platform go to production?
type Verdict uint8

// The verdicts. The zero value is the one that promises nothing.
const (
	VerdictUnknown Verdict = iota
	NoGo
	Go
)

// String returns the verdict as it is printed everywhere.
func (v Verdict) String() string {
	switch v {
	case Go:
		return "GO"
	case NoGo:
		return "NO-GO"
	}
	return "UNKNOWN"
}

// ParseVerdict reads a verdict as it is printed; what is none counts as unknown.
func ParseVerdict(word string) Verdict {
	for _, v := range []Verdict{Go, NoGo} {
		if v.String() == word {
			return v
		}
	}
	return VerdictUnknown
}

// Item is one check as it stands at the moment of the assessment.
type Item struct {
	Spec      Spec
	Status    Status
	Ratio     *big.Rat // of the check's points that it earns: 1 for pass, between for warn, else 0
	Points    *big.Rat // earned, of the profile's points
	Worth     *big.Rat // points it could earn; 0 if it does not apply
	Summary   string   // what was found, or why nothing could be
	Evidence  []Evidence
	Error     string        // why it could not be asked, the last time that failed; empty otherwise
	TakenAt   time.Time     // when the standing answer was asked for; zero if never
	Confirmed time.Time     // when its source last confirmed it
	Age       time.Duration // since Confirmed; 0 if never
	Took      time.Duration
	Since     time.Time // when the standing status began; zero if it is not known
	Failures  int       // failures or errors in a row
	Trouble   string    // newest failure that does not stand (yet)
	BlockedBy []ID      // the blockers that do not pass, for a blocked check
	Word      string    // whose word the points rest on, if they were not measured
	Waiver    *Waiver   // the waiver that covers an unsatisfied gate, while it is valid
	blind     bool      // could not be measured: counts as passing for the upper end of the score
	measured  bool      // for a gate that is not satisfied: was measured wanting, and not measured otherwise since
}

// Satisfied reports whether a gate is satisfied: it passes, or a waiver covers it. A check that does not apply asks nothing.
func (i Item) Satisfied() bool {
	return i.Status == Pass || i.Status == NotApplicable || i.Waiver != nil
}

// Attempts says how far a check is on its way to a confirmed failure: "0 of 2 failures".
func (i Item) Attempts() string {
	return fmt.Sprintf("%d of %d failures", min(i.Failures, i.Spec.Confirm), i.Spec.Confirm)
}

// ComponentScore is a component with what its checks earn.
type ComponentScore struct {
	Component Component
	Earned    *big.Rat
	Possible  *big.Rat // the weight, or 0 if none of its checks applies or all weigh nothing
	Percent   int      // earned, rounded down, whatever the component weighs; where no check weighs anything 100 if all pass, else 0
	HighPct   int      // the same, if everything that could not be measured passed
	Status    Status   // the worst of its checks
	Remaining Effort
	Items     []Item
}

// Reason is one reason for a verdict that is not GO.
type Reason struct {
	Gate ID // empty for reasons that are not a gate's
	Text string
}

// Assessment is everything that a checklist says at one moment. It shares nothing that changes.
type Assessment struct {
	At         time.Time
	Outline    *Outline
	Verdict    Verdict
	Reasons    []Reason
	Earned     *big.Rat // points
	High       *big.Rat // points, if everything that could not be measured passed
	Possible   *big.Rat
	Percent    int // earned of possible, rounded down: the headline
	HighPct    int
	Counts     map[Status]int
	Components []ComponentScore
	Next       []Step
	Blocked    []Item
	Waivers    []Waiver // all there are, the profile's first, whether they hold and are needed or not
	Remaining  Effort
}

// Items returns every check in the order of the profile.
func (a Assessment) Items() []Item {
	var all []Item
	for _, c := range a.Components {
		all = append(all, c.Items...)
	}
	return all
}

// Item returns one check.
func (a Assessment) Item(id ID) (Item, bool) {
	for _, c := range a.Components {
		for _, i := range c.Items {
			if i.Spec.ID == id {
				return i, true
			}
		}
	}
	return Item{}, false
}

// Assess scores the checklist at a moment, exactly: no rounding happens before the percentages, which are rounded down.
func (l Checklist) Assess(now time.Time) Assessment {
	o := l.outline
	a := Assessment{
		At: now, Outline: o, Counts: map[Status]int{}, Waivers: append(o.Waivers[:len(o.Waivers):len(o.Waivers)], l.waivers...),
		Earned: new(big.Rat), High: new(big.Rat), Possible: new(big.Rat),
	}
	stand := l.effectives(now)
	items := make(map[ID][]Item, len(o.Components))
	for i, spec := range o.Specs {
		item := l.item(i, stand, now)
		a.Counts[item.Status]++
		items[spec.Component] = append(items[spec.Component], item)
	}
	for _, c := range o.Components {
		score, high := scoreComponent(c, items[c.ID])
		a.Components = append(a.Components, score)
		a.Earned.Add(a.Earned, score.Earned)
		a.Possible.Add(a.Possible, score.Possible)
		a.High.Add(a.High, high)
	}
	a.Percent, a.HighPct = Percent(a.Earned, a.Possible), Percent(a.High, a.Possible)
	a.judge()
	a.plan()
	return a
}

// item describes one check at a moment, its points apart.
func (l Checklist) item(i int, stand []effective, now time.Time) Item {
	spec, s, e := l.outline.Specs[i], l.standings[i], stand[i]
	item := Item{
		Spec: spec, Status: e.status, Ratio: new(big.Rat), Points: new(big.Rat), Worth: new(big.Rat),
		Summary: s.Last.Summary, Evidence: s.Last.Evidence, Confirmed: s.Last.Confirmed, Took: s.Last.Took,
		TakenAt: s.Last.Started, Since: s.Since, Failures: s.Failures, Trouble: s.Trouble, BlockedBy: e.by, measured: e.short,
	}
	if !item.Confirmed.IsZero() {
		item.Age = max(0, since(now, item.Confirmed))
	}
	switch e.status {
	case Pass:
		item.Ratio.SetInt64(1)
	case Warn:
		item.Ratio, item.Word = s.Last.Ratio.rat(), s.Last.Word
	case Fail:
		item.Error = s.Trouble
	case NotApplicable:
		item.Summary = spec.Exempt
	case Blocked:
		item.Summary = "blocked by " + joinIDs(e.by)
		item.Evidence, item.Since = nil, time.Time{}
		item.blind = !e.measured
	case Unknown:
		item.blind = true
		if e.stale {
			item.Since = s.Last.Confirmed.Add(spec.staleAfter())
			item.Error = fmt.Sprintf("last confirmed %s ago, which is too old", item.Age.Round(time.Second))
			if s.Trouble != "" {
				item.Error += ": " + s.Trouble
			}
		} else {
			item.Error = s.Last.Err.Error()
		}
		item.Summary = item.Error
	case Pending:
		item.blind = true
		item.Summary = "not asked yet"
		if s.Trouble != "" {
			item.Summary = "first answer, being confirmed: " + s.Trouble
		}
	}
	item.Waiver = l.waiver(item, now)
	return item
}

// waiver returns the waiver that covers an item now, if it needs one.
func (l Checklist) waiver(item Item, now time.Time) *Waiver {
	if !item.Spec.Gate || item.Status == Pass || item.Status == NotApplicable {
		return nil
	}
	for _, given := range [][]Waiver{l.outline.Waivers, l.waivers} {
		for i, w := range given {
			if w.Check == item.Spec.ID && now.Before(w.Expires) {
				return &given[i]
			}
		}
	}
	return nil
}

// scoreComponent fills in the points of a component's items and returns its score, and what it would earn if all that could not be
// measured passed.
func scoreComponent(c Component, items []Item) (ComponentScore, *big.Rat) {
	score := ComponentScore{Component: c, Items: items, Earned: new(big.Rat), Possible: new(big.Rat), Percent: 100, HighPct: 100}
	sum := new(big.Rat)
	for _, i := range items {
		if i.Status != NotApplicable && i.Spec.Weight != nil {
			sum.Add(sum, i.Spec.Weight)
		}
	}
	score.Status = Worst(items)
	high, ratios, blind := new(big.Rat), new(big.Rat), new(big.Rat)
	if sum.Sign() > 0 {
		score.Possible.Set(c.Weight)
		for n := range items {
			i := &items[n]
			if i.Status == NotApplicable || i.Spec.Weight == nil {
				continue
			}
			i.Worth.Mul(c.Weight, new(big.Rat).Quo(i.Spec.Weight, sum))
			i.Points.Mul(i.Worth, i.Ratio)
			ratios.Add(ratios, new(big.Rat).Mul(i.Spec.Weight, i.Ratio))
			score.Earned.Add(score.Earned, i.Points)
			if i.blind {
				high.Add(high, i.Worth)
				blind.Add(blind, i.Spec.Weight)
			} else {
				high.Add(high, i.Points)
			}
		}
		score.Percent, score.HighPct = Percent(ratios, sum), Percent(blind.Add(blind, ratios), sum)
	} else if score.Status != Pass && score.Status != NotApplicable {
		score.Percent = 0
		if slices.ContainsFunc(items, func(i Item) bool { return !i.blind && i.Status != Pass && i.Status != NotApplicable }) {
			score.HighPct = 0
		}
	}
	return score, high
}

// Drift compares what was measured with what a status document declares: above 0 more was measured, below 0 less. It is 0 where nothing is
// declared, and where what could not be measured may make up the difference.
func (c ComponentScore) Drift() int {
	switch d := c.Component.Declared; {
	case d == nil || c.Status == NotApplicable:
		return 0
	case c.Percent > *d:
		return c.Percent - *d
	case c.HighPct < *d:
		return c.HighPct - *d
	}
	return 0
}

// Worst is the status that a component of these checks shows: the one that most needs a person.
func Worst(items []Item) Status {
	order := []Status{Fail, Blocked, Unknown, Pending, Warn, Pass}
	for _, s := range order {
		for _, i := range items {
			if i.Status == s {
				return s
			}
		}
	}
	return NotApplicable
}

// judge reaches the verdict and lists its reasons, gates first.
func (a *Assessment) judge() {
	var wanting, unclear []Reason
	checked := 0
	for _, i := range a.Items() {
		if i.Status != NotApplicable {
			checked++
		}
		if !i.Spec.Gate || i.Satisfied() {
			continue
		}
		r := Reason{Gate: i.Spec.ID, Text: gateReason(i)}
		if i.measured {
			wanting = append(wanting, r)
		} else {
			unclear = append(unclear, r)
		}
	}
	a.Reasons = append(wanting, unclear...)
	threshold := FormatRat(a.Outline.Threshold)
	short := below(a.Earned, a.Possible, a.Outline.Threshold)
	switch {
	case checked == 0:
		a.Verdict = NoGo
		a.Reasons = append(a.Reasons, Reason{Text: "nothing was checked"})
		return
	case below(a.High, a.Possible, a.Outline.Threshold):
		a.Verdict = NoGo
		a.Reasons = append(a.Reasons, Reason{Text: fmt.Sprintf("score is at most %d %%, below the %s %% that GO needs", a.HighPct, threshold)})
		return
	case short:
		a.Reasons = append(a.Reasons, Reason{Text: fmt.Sprintf("score is %d %% as far as measured, below the %s %% that GO needs", a.Percent, threshold)})
	}
	switch {
	case len(wanting) > 0:
		a.Verdict = NoGo
	case len(unclear) > 0 || short:
		a.Verdict = VerdictUnknown
	default:
		a.Verdict = Go
	}
}

func gateReason(i Item) string {
	switch i.Status {
	case Fail:
		return fmt.Sprintf("gate %s fails", i.Spec.ID)
	case Warn:
		return fmt.Sprintf("gate %s is met in part only", i.Spec.ID)
	case Blocked:
		return fmt.Sprintf("gate %s is blocked by %s", i.Spec.ID, joinIDs(i.BlockedBy))
	case Pending:
		return fmt.Sprintf("gate %s was not asked yet", i.Spec.ID)
	}
	if i.measured {
		return fmt.Sprintf("gate %s fell short when it was last measured, and cannot be measured now", i.Spec.ID)
	}
	return fmt.Sprintf("gate %s could not be measured", i.Spec.ID)
}

// below reports whether points of possible are fewer than threshold percent, exactly. Where nothing weighs anything no score can be reached,
// so only a threshold of 0 leaves the verdict to the gates.
func below(points, possible, threshold *big.Rat) bool {
	if threshold == nil || threshold.Sign() == 0 {
		return false
	}
	if possible.Sign() == 0 {
		return true
	}
	want := new(big.Rat).Mul(possible, threshold)
	return new(big.Rat).Mul(points, big.NewRat(100, 1)).Cmp(want) < 0
}
