package report

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// declared compares the percentages of a status document with what is measured.
func declared(a probes.Assessment) Declared {
	d := Declared{Drift: []Drift{}, Unclear: []Drift{}}
	claimed, all := new(big.Rat), true
	for _, c := range a.Components {
		says := c.Component.Declared
		if says == nil {
			all = all && c.Possible.Sign() == 0
			continue
		}
		d.Components++
		claimed.Add(claimed, new(big.Rat).Mul(c.Possible, big.NewRat(int64(*says), 100)))
		x := Drift{Component: string(c.Component.ID), Title: text(c.Component.Title), Declared: *says, Measured: c.Percent, High: high(a, c)}
		switch {
		case x.Declared == x.Measured:
		case x.Measured < x.Declared && x.Declared <= x.High:
			d.Unclear = append(d.Unclear, x)
		default:
			d.Drift = append(d.Drift, x)
		}
	}
	if all && d.Components > 0 {
		total := probes.Percent(claimed, a.Possible)
		d.Total = &total
	}
	for _, list := range [][]Drift{d.Drift, d.Unclear} {
		slices.SortStableFunc(list, func(x, y Drift) int { return cmp.Compare(y.size(), x.size()) })
	}
	return d
}

// high is the percentage of a component if everything that could not be measured passed.
func high(a probes.Assessment, c probes.ComponentScore) int {
	points := new(big.Rat).Set(c.Earned)
	for _, i := range c.Items {
		if blind(a, i) {
			points.Add(points, i.Worth)
		}
	}
	if c.Possible.Sign() == 0 {
		return c.Percent
	}
	return probes.Percent(points, c.Possible)
}

// blind reports whether a check could not be measured: by itself, or because all that it waits for could not.
func blind(a probes.Assessment, i probes.Item) bool {
	switch i.Status {
	case probes.Unknown, probes.Pending:
		return true
	case probes.Blocked:
		return !slices.ContainsFunc(i.BlockedBy, func(id probes.ID) bool {
			by, _ := a.Item(id)
			return !blind(a, by)
		})
	}
	return false
}

func (d Drift) size() int { return max(d.Measured-d.Declared, d.Declared-d.Measured) }

// String says what is declared and what is measured.
func (d Drift) String() string {
	return fmt.Sprintf("declared %d %%, measured %d %%", d.Declared, d.Measured)
}

// task describes a component that is not complete, apart from its priority.
func task(c probes.ComponentScore, at time.Time) Task {
	t := Task{
		ID: string(c.Component.ID), Title: text(c.Component.Title), Percent: c.Percent, Points: Number{new(big.Rat).Sub(c.Possible, c.Earned)},
		State: "unknown", Gates: []string{}, BlockedBy: []string{}, Issues: []Claim{}, Steps: []string{}, Estimate: estimate(c.Remaining),
	}
	blocked := false
	for _, i := range c.Items {
		if i.Status == probes.Pass || i.Status == probes.NotApplicable {
			continue
		}
		t.Issues = append(t.Issues, claim(i, at))
		if i.Spec.Gate && !i.Satisfied() {
			t.Gates = append(t.Gates, string(i.Spec.ID))
		}
		switch i.Status {
		case probes.Fail, probes.Warn:
			t.State = "ready"
		case probes.Blocked:
			blocked = true
			for _, by := range words(i.BlockedBy) {
				if !slices.Contains(t.BlockedBy, by) {
					t.BlockedBy = append(t.BlockedBy, by)
				}
			}
		}
		if i.Status == probes.Unknown || i.Status == probes.Pending {
			t.Steps = appendNew(t.Steps, "Make it measurable: "+text(i.Summary))
		} else {
			t.Steps = appendNew(t.Steps, text(i.Spec.Remedy))
		}
	}
	if t.State == "unknown" && blocked {
		t.State = "blocked"
	}
	return t
}

// appendNew appends words that are not empty and not there yet.
func appendNew(to []string, more ...string) []string {
	for _, m := range more {
		if m != "" && !slices.Contains(to, m) {
			to = append(to, m)
		}
	}
	return to
}

func delivery(c probes.ComponentScore, at time.Time) Delivery {
	d := Delivery{Component: string(c.Component.ID), Title: text(c.Component.Title), Partly: []Claim{}}
	for _, i := range c.Items {
		if i.Status == probes.NotApplicable {
			continue
		}
		d.Checks++
		if i.Status == probes.Pass {
			d.Passing++
			if c.Status != probes.Pass {
				d.Partly = append(d.Partly, claim(i, at))
			}
		}
	}
	return d
}

// files is what a check looked at in the checkout.
func files(i probes.Item) []File {
	var all []File
	for _, e := range i.Evidence {
		all = append(all, File{Check: string(i.Spec.ID), Subject: text(e.Subject), Got: text(e.Got), Wanting: e.Wanting})
	}
	return all
}

// options are the steps that can be taken now. run is the command that runs an action, if there is one.
func options(a probes.Assessment, run string) []Option {
	all := []Option{}
	for n, s := range a.Next {
		o := Option{
			ID: string(s.ID), Title: text(s.Title), Kind: "manual", Recommended: n == 0, Points: Number{s.Points},
			Percent: probes.Percent(new(big.Rat).Add(a.Earned, s.Points), a.Possible), Gates: words(s.Gates), Steps: []string{}, Estimate: estimate(s.Effort),
		}
		if s.Action != "" {
			o.Kind = "action"
			if run != "" {
				o.Command = fmt.Sprintf("%s %s --plan", run, probes.ShellWord(string(s.Action)))
			}
		}
		for _, id := range s.Checks {
			if i, ok := a.Item(id); ok {
				o.Steps = appendNew(o.Steps, text(i.Spec.Remedy))
			}
		}
		o.Result = result(a, s, o.Percent)
		all = append(all, o)
	}
	return all
}

// result says what a step brings: the score, and the gates that are open after it.
func result(a probes.Assessment, s probes.Step, percent int) string {
	open := 0
	for _, i := range a.Items() {
		if i.Spec.Gate && !i.Satisfied() {
			open++
		}
	}
	left := open - len(s.Gates)
	score := fmt.Sprintf("the score goes from %d %% to %d %%", a.Percent, percent)
	if percent == a.Percent {
		score = fmt.Sprintf("the score stays at %d %%", percent)
	}
	switch {
	case open == 0:
		return score + "; every gate is satisfied already"
	case left == 0:
		return score + " and no gate is open any more"
	}
	return fmt.Sprintf("%s; of %s %d %s open", score, count(open, "open gate"), left, map[bool]string{true: "stays", false: "stay"}[left == 1])
}

// waivers lists every waiver that is declared, and those that the platform itself keeps.
func waivers(a probes.Assessment) []Waived {
	all := []Waived{}
	add := func(w probes.Waiver, state string) {
		all = append(all, Waived{Check: string(w.Check), Waiver: *waiver(w), Where: text(w.Where), State: state})
	}
	for _, i := range a.Items() {
		if i.Waiver != nil {
			add(*i.Waiver, "holds")
		}
	}
	for _, w := range a.Waivers {
		i, _ := a.Item(w.Check)
		switch {
		case i.Waiver != nil && *i.Waiver == w:
		case !a.At.Before(w.Expires):
			add(w, "expired")
		default:
			add(w, "not needed")
		}
	}
	return all
}

// soon is how long before its end a waiver asks for a decision.
const soon = 30 * 24 * time.Hour

// decisions lists what somebody has to choose.
func decisions(a probes.Assessment, s Status) []Decision {
	all := []Decision{}
	add := func(title, format string, args ...any) {
		all = append(all, Decision{Title: title, Text: fmt.Sprintf(format, args...)})
	}
	for n, o := range s.Options {
		text := gain(a.Next[n])
		if len(o.Gates) > 0 {
			text += "; satisfies " + strings.Join(o.Gates, ", ")
		}
		if o.Recommended {
			text += " (recommended)"
		}
		add(o.Title, "%s", text)
	}
	unseen := map[string][]string{} // gates by why they cannot be measured
	var causes []string
	for _, g := range s.Gates {
		if !g.Satisfied && (g.Status == "unknown" || g.Status == "pending") {
			causes = appendNew(causes, g.Summary)
			unseen[g.Summary] = append(unseen[g.Summary], g.ID)
		}
	}
	for _, cause := range causes {
		add("Make "+strings.Join(unseen[cause], ", ")+" measurable", "a gate that cannot be measured keeps the verdict from GO: %s", cause)
	}
	for _, w := range s.Waivers {
		switch {
		case w.State == "expired":
			add("Drop the waiver of "+w.Check, "it held until %s", probes.Until(w.Expires))
		case w.State == "not needed":
			add("Drop the waiver of "+w.Check, "the check needs none")
		case w.Expires.Before(a.At.Add(soon)):
			add("Close "+w.Check+", or renew its waiver", "%s accepted the gap until %s: %s", w.Owner, probes.Until(w.Expires), w.Reason)
		}
	}
	for _, d := range s.Declared.Drift {
		add("Correct the status document of "+d.Title, "%s", d)
	}
	add("Review progress", "ask again with gonogo report; gonogo explain score shows where each point comes from")
	return all
}
