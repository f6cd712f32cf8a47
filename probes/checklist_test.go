package probes

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC)

func points(n int64) *big.Rat { return big.NewRat(n, 1) }

// spec returns a check of component c with the fields that every spec needs.
func spec(id ID, component ID, weight int64, change ...func(*Spec)) Spec {
	s := Spec{
		ID: id, Component: component, Title: "claim " + string(id), Weight: points(weight),
		Every: time.Minute, Timeout: 5 * time.Second, Confirm: 1,
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

func gate(s *Spec)                    { s.Gate = true }
func confirm(n int) func(*Spec)       { return func(s *Spec) { s.Confirm = n } }
func blockedBy(ids ...ID) func(*Spec) { return func(s *Spec) { s.BlockedBy = ids } }
func action(id ID) func(*Spec)        { return func(s *Spec) { s.Action = id } }
func exempt(s *Spec)                  { s.Exempt = "not on this platform" }
func component(id ID, w int64) Component {
	return Component{ID: id, Title: string(id), Weight: points(w)}
}

func checklist(t testing.TB, o Outline) Checklist {
	t.Helper()
	if o.Threshold == nil {
		o.Threshold = points(95)
	}
	l, err := NewChecklist(&o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func answer(id ID, s Status) Result {
	r := Result{ID: id, Started: noon, Observation: Observation{Status: s, Summary: "found " + s.String(), Confirmed: noon}}
	if s == Warn {
		r.Ratio = Part(1, 2)
	}
	return r
}

func refusal(id ID) Result { return Result{ID: id, Started: noon, Err: errors.New("no route")} }

func later(r Result, d time.Duration) Result {
	r.Started = r.Started.Add(d)
	r.Confirmed = r.Started
	return r
}

func TestScoreOfStatuses(t *testing.T) {
	two := Outline{
		Components: []Component{component("a", 60), component("b", 40)},
		Specs:      []Spec{spec("a1", "a", 2, gate), spec("a2", "a", 1), spec("b1", "b", 3, blockedBy("a1"))},
	}
	tests := []struct {
		name            string
		outline         Outline
		results         []Result
		earned          string
		percent, high   int
		verdict         Verdict
		reason          string
		possibleIsNotAt bool
	}{
		{"all pass", two, []Result{answer("a1", Pass), answer("a2", Pass), answer("b1", Pass)}, "100", 100, 100, Go, "", false},
		{"nothing asked", two, nil, "0", 0, 100, VerdictUnknown, "gate a1 was not asked yet", false},
		{"gate fails and blocks", two, []Result{answer("a1", Fail), answer("a2", Pass)}, "20", 20, 20, NoGo, "gate a1 fails", false},
		{"gate blind blocks blindly", two, []Result{refusal("a1"), answer("a2", Pass)}, "20", 20, 100, VerdictUnknown, "gate a1 could not be measured", false},
		{"a third is rounded down", two, []Result{answer("a1", Pass), answer("a2", Fail), answer("b1", Pass)}, "80", 80, 80, NoGo, "score is at most 80 %, below the 95 % that GO needs", false},
		{"warning earns its part and leaves the gate open", two, []Result{answer("a1", Warn), answer("a2", Pass)}, "40", 40, 40, NoGo, "gate a1 is met in part only", false},
		{
			"component without applicable checks drops out",
			Outline{Components: two.Components, Specs: []Spec{spec("a1", "a", 1), spec("b1", "b", 1, exempt)}},
			[]Result{answer("a1", Pass)}, "60", 100, 100, Go, "", true,
		},
		{
			"component of weightless checks drops out but gates",
			Outline{Components: two.Components, Specs: []Spec{spec("a1", "a", 1), spec("b1", "b", 0, gate)}},
			[]Result{answer("a1", Pass), answer("b1", Fail)}, "60", 100, 100, NoGo, "gate b1 fails", true,
		},
		{"no checks at all", Outline{Components: two.Components}, nil, "0", 0, 0, NoGo, "nothing was checked", true},
		{
			"only exempt checks",
			Outline{Components: two.Components, Specs: []Spec{spec("a1", "a", 1, exempt)}},
			nil, "0", 0, 0, NoGo, "nothing was checked", true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := checklist(t, tt.outline).With(tt.results...).Assess(noon)
			if got := FormatRat(a.Earned); got != tt.earned || a.Percent != tt.percent || a.HighPct != tt.high || a.Verdict != tt.verdict {
				t.Errorf("earned %s, %d to %d %%, %s; want %s, %d to %d %%, %s", got, a.Percent, a.HighPct, a.Verdict, tt.earned, tt.percent, tt.high, tt.verdict)
			}
			if !tt.possibleIsNotAt && FormatRat(a.Possible) != "100" {
				t.Errorf("possible %s, want 100", FormatRat(a.Possible))
			}
			if tt.reason == "" && len(a.Reasons) > 0 {
				t.Errorf("reasons %v, want none", a.Reasons)
			}
			if tt.reason != "" && (len(a.Reasons) == 0 || a.Reasons[0].Text != tt.reason) {
				t.Errorf("reasons %v, want first %q", a.Reasons, tt.reason)
			}
		})
	}
}

func TestConfirmRule(t *testing.T) {
	const pass, fail, lost = "pass", "fail", "lost"
	tests := []struct {
		name    string
		confirm int
		answers []string
		want    Status
		trouble bool
	}{
		{"a pass stands at once", 2, []string{pass}, Pass, false},
		{"one failure does not flip a pass", 2, []string{pass, fail}, Pass, true},
		{"two failures do", 2, []string{pass, fail, fail}, Fail, false},
		{"failure, pass, failure do not", 2, []string{pass, fail, pass, fail}, Pass, true},
		{"one error does not flip a pass", 2, []string{pass, lost}, Pass, true},
		{"failure then error is not knowing", 2, []string{pass, fail, lost}, Unknown, false},
		{"error then failure is a failure", 2, []string{pass, lost, fail}, Fail, false},
		{"a first failure wants confirming", 2, []string{fail}, Pending, true},
		{"failure then error from the start", 2, []string{fail, lost}, Unknown, false},
		{"a standing failure outlives errors", 2, []string{fail, fail, lost, lost, lost}, Fail, true},
		{"until a measurement says otherwise", 2, []string{fail, fail, lost, lost, pass}, Pass, false},
		{"confirm 1 flips at once", 1, []string{pass, fail}, Fail, false},
		{"confirm 3 takes three", 3, []string{pass, fail, lost}, Pass, true},
		{"unknown becomes a failure at once", 2, []string{lost, lost, fail}, Fail, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := checklist(t, Outline{Components: []Component{component("a", 1)}, Specs: []Spec{spec("x", "a", 1, confirm(tt.confirm))}})
			at := noon
			for i, word := range tt.answers {
				r := map[string]Result{pass: answer("x", Pass), fail: answer("x", Fail), lost: refusal("x")}[word]
				l = l.With(later(r, time.Duration(i)*time.Second))
				at = noon.Add(time.Duration(i) * time.Second)
			}
			item, _ := l.Assess(at).Item("x")
			if item.Status != tt.want || (item.Trouble != "") != tt.trouble {
				t.Errorf("%v, trouble %q; want %v, trouble %v", item.Status, item.Trouble, tt.want, tt.trouble)
			}
		})
	}
}

func TestAgeTakesPassesAndLeavesFailures(t *testing.T) {
	o := Outline{Components: []Component{component("a", 1)}, Specs: []Spec{
		spec("pass", "a", 1, gate), spec("warn", "a", 1), spec("fail", "a", 1), spec("watched", "a", 1, func(s *Spec) { s.OnChange = true }),
	}}
	l := checklist(t, o).With(answer("pass", Pass), answer("warn", Warn), answer("fail", Fail), answer("watched", Pass))
	want := func(at time.Duration, statuses ...Status) {
		t.Helper()
		for i, item := range l.Assess(noon.Add(at)).Items() {
			if item.Status != statuses[i] {
				t.Errorf("%s after %s: %s, want %s", item.Spec.ID, at, item.Status, statuses[i])
			}
		}
	}
	want(3*time.Minute, Pass, Warn, Fail, Pass)
	want(3*time.Minute+time.Second, Unknown, Unknown, Fail, Pass)
	want(5*time.Minute+time.Second, Unknown, Unknown, Fail, Unknown)
	if a := l.Assess(noon.Add(time.Hour)); a.Verdict != NoGo && a.Verdict != VerdictUnknown {
		t.Errorf("verdict %s with a stale gate", a.Verdict)
	}
}

func TestWaiverSatisfiesAGateWithoutPoints(t *testing.T) {
	o := Outline{
		Threshold:  points(50),
		Components: []Component{component("a", 1)},
		Specs:      []Spec{spec("open", "a", 1, gate), spec("rest", "a", 9)},
		Waivers:    []Waiver{{Check: "open", Owner: "ops", Reason: "accepted", Expires: noon.Add(time.Hour)}},
	}
	l := checklist(t, o).With(answer("open", Fail), answer("rest", Pass))
	if a := l.Assess(noon); a.Verdict != Go || a.Percent != 90 {
		t.Errorf("waived: %s at %d %%, want GO at 90 %%", a.Verdict, a.Percent)
	}
	if a := l.Assess(noon.Add(time.Hour)); a.Verdict != NoGo {
		t.Errorf("after the waiver's end: %s, want NO-GO", a.Verdict)
	}
}

// TestLosingSightNeverHelps plays random worlds: whatever could be measured, measuring less must never raise the score nor improve the
// verdict to GO, and the upper end must not be below the lower.
func TestLosingSightNeverHelps(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		o := Outline{Threshold: points(random.Int64N(101))}
		var results []Result
		for c := range 1 + random.IntN(4) {
			cid := ID(rune('a' + c))
			o.Components = append(o.Components, component(cid, random.Int64N(20)))
			for n := range 1 + random.IntN(4) {
				s := spec(cid+ID(rune('0'+n)), cid, random.Int64N(5))
				s.Gate = random.IntN(3) == 0
				if len(o.Specs) > 0 && random.IntN(3) == 0 {
					s.BlockedBy = []ID{o.Specs[random.IntN(len(o.Specs))].ID}
				}
				o.Specs = append(o.Specs, s)
				results = append(results, answer(s.ID, []Status{Pass, Pass, Pass, Warn, Fail}[random.IntN(5)]))
			}
		}
		full := checklist(t, o).With(results...).Assess(noon)
		blind := append([]Result(nil), results...)
		blind[random.IntN(len(blind))].Err = errors.New("lost")
		less := checklist(t, o).With(blind...).Assess(noon)
		if less.Earned.Cmp(full.Earned) > 0 {
			t.Fatalf("losing a check raised the score from %s to %s", FormatRat(full.Earned), FormatRat(less.Earned))
		}
		if less.Verdict == Go && full.Verdict != Go {
			t.Fatal("losing a check made the verdict GO")
		}
		if less.High.Cmp(less.Earned) < 0 || less.High.Cmp(full.Earned) < 0 {
			t.Fatalf("upper end %s is below what was measured, %s and %s", FormatRat(less.High), FormatRat(less.Earned), FormatRat(full.Earned))
		}
		sum := new(big.Rat)
		for _, i := range full.Items() {
			sum.Add(sum, i.Points)
		}
		if sum.Cmp(full.Earned) != 0 {
			t.Fatalf("lines add up to %s, headline is %s", FormatRat(sum), FormatRat(full.Earned))
		}
	}
}

func TestNextStepsAreBestFirst(t *testing.T) {
	o := Outline{
		Components: []Component{
			{ID: "images", Title: "Images", Weight: points(3), Remaining: Effort{Min: 2 * time.Hour, Max: 3 * time.Hour}},
			{ID: "backup", Title: "Backup", Weight: points(3), Remaining: Effort{Min: time.Hour, Max: 2 * time.Hour}},
			{ID: "docs", Title: "Docs", Weight: points(9), Remaining: Effort{Min: time.Hour, Max: time.Hour}},
		},
		Specs: []Spec{
			spec("login", "images", 0, gate, action("mirror")),
			spec("mirrored", "images", 3, action("mirror"), blockedBy("login")),
			spec("tested", "backup", 1, action("backup-test")),
			spec("restored", "backup", 2, gate, action("backup-test"), blockedBy("tested")),
			spec("guide", "docs", 9),
		},
	}
	l := checklist(t, o).With(answer("login", Fail), answer("tested", Fail), answer("guide", Fail))
	a := l.Assess(noon)
	var got []string
	for _, s := range a.Next {
		got = append(got, string(s.ID)+" +"+FormatRat(s.Points)+" "+joinIDs(s.Gates))
	}
	want := "backup-test +3 restored; mirror +3 login; docs +9 "
	if strings.Join(got, "; ") != want {
		t.Errorf("next is %q, want %q", strings.Join(got, "; "), want)
	}
	if len(a.Blocked) != 2 {
		t.Errorf("%d blocked checks listed, want 2", len(a.Blocked))
	}
	if want := (Effort{Min: 4 * time.Hour, Max: 6 * time.Hour}); a.Remaining != want {
		t.Errorf("remaining %v, want %v", a.Remaining, want)
	}
}

func TestOutlineFaults(t *testing.T) {
	tests := map[string]struct {
		outline Outline
		want    string
	}{
		"double check":      {Outline{Components: []Component{component("a", 1)}, Specs: []Spec{spec("x", "a", 1), spec("x", "a", 1)}}, "check x is declared twice"},
		"double component":  {Outline{Components: []Component{component("a", 1), component("a", 1)}}, "component a is declared twice"},
		"unknown component": {Outline{Specs: []Spec{spec("x", "b", 1)}}, `belongs to component "b"`},
		"unknown blocker":   {Outline{Components: []Component{component("a", 1)}, Specs: []Spec{spec("x", "a", 1, blockedBy("y"))}}, `blocked by "y"`},
		"cycle": {
			Outline{Components: []Component{component("a", 1)}, Specs: []Spec{spec("x", "a", 1, blockedBy("y")), spec("y", "a", 1, blockedBy("x"))}},
			"checks block each other: [x y x]",
		},
		"negative weight": {Outline{Components: []Component{component("a", -1)}}, "weight"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := NewChecklist(&tt.outline); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
