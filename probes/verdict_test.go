package probes

import (
	"testing"
	"time"
	"unsafe"
)

func TestWhatFellShortStandsUntilAMeasurementSaysOtherwise(t *testing.T) {
	const minute = time.Minute
	lost := func(id ID, after time.Duration) Result {
		r := refusal(id)
		r.Started = noon.Add(after)
		return r
	}
	o := Outline{
		Threshold:  points(0),
		Components: []Component{component("a", 10)},
		Specs: []Spec{
			spec("x", "a", 1), spec("y", "a", 1, gate, blockedBy("x")), spec("z", "a", 1, gate, blockedBy("y")), spec("w", "a", 1, gate),
		},
	}
	tests := []struct {
		name    string
		results []Result
		at      time.Duration
		want    Verdict
		first   string
		high    string
	}{
		{
			"a failed gate whose blocker is lost sight of",
			[]Result{answer("x", Pass), answer("y", Fail), answer("w", Pass), lost("x", minute)}, minute,
			NoGo, "gate y is blocked by x", "10",
		},
		{
			"what a failure blocks, behind the same blocker",
			[]Result{answer("x", Pass), answer("y", Pass), answer("z", Fail), answer("w", Pass), lost("x", minute)}, minute,
			NoGo, "gate z is blocked by y", "10",
		},
		{
			"until it passes",
			[]Result{answer("x", Pass), answer("y", Fail), answer("w", Pass), later(answer("y", Pass), minute), lost("x", 2*minute)}, 2 * minute,
			VerdictUnknown, "gate y is blocked by x", "10",
		},
		{
			"a gate met in part, lost sight of",
			[]Result{answer("x", Pass), answer("y", Pass), answer("z", Pass), answer("w", Warn), lost("w", minute)}, minute,
			NoGo, "gate w fell short when it was last measured, and cannot be measured now", "10",
		},
		{
			"a gate met in part, too long ago",
			[]Result{answer("w", Warn), later(answer("x", Pass), time.Hour), later(answer("y", Pass), time.Hour), later(answer("z", Pass), time.Hour)}, time.Hour,
			NoGo, "gate w fell short when it was last measured, and cannot be measured now", "10",
		},
		{
			"a gate that passed, lost sight of",
			[]Result{answer("x", Pass), answer("y", Pass), answer("z", Pass), answer("w", Pass), lost("w", minute)}, minute,
			VerdictUnknown, "gate w could not be measured", "10",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := checklist(t, o).With(tt.results...).Assess(noon.Add(tt.at))
			if a.Verdict != tt.want || len(a.Reasons) == 0 || a.Reasons[0].Text != tt.first || FormatRat(a.High) != tt.high {
				t.Errorf("%s, %v, up to %s; want %s, first %q, up to %s", a.Verdict, a.Reasons, FormatRat(a.High), tt.want, tt.first, tt.high)
			}
		})
	}
}

func TestAComponentWithoutWeightStillHasAPercentage(t *testing.T) {
	o := Outline{
		Components: []Component{component("a", 1), component("b", 0)},
		Specs:      []Spec{spec("x", "a", 1), spec("y", "b", 3), spec("z", "b", 1)},
	}
	a := checklist(t, o).With(answer("x", Pass), answer("y", Pass), answer("z", Fail)).Assess(noon)
	if c := a.Components[1]; c.Percent != 75 || c.Possible.Sign() != 0 || a.Percent != 100 {
		t.Errorf("%d %% of %s, in all %d %%", c.Percent, c.Possible, a.Percent)
	}
}

// asleep returns a moment after the machine slept for a while: the clock on the wall went on, the one that never goes back stood still.
func asleep(t time.Time, d time.Duration) time.Time {
	t = t.Add(d)
	parts := (*struct { // as package time lays it out
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&t))
	parts.ext -= int64(d)
	return t
}

func TestSleepingAgesWhatWasMeasured(t *testing.T) {
	now := time.Now()
	woken := asleep(now, 8*time.Hour)
	if woken.Sub(now) != 0 || woken.Round(0).Sub(now.Round(0)) != 8*time.Hour {
		t.Fatal("the test does not know package time any more")
	}
	r := answer("x", Pass)
	r.Started, r.Confirmed = now, now
	l := checklist(t, Outline{Components: []Component{component("a", 1)}, Specs: []Spec{spec("x", "a", 1)}}).With(r)
	if item, _ := l.Assess(woken).Item("x"); item.Status != Unknown || item.Age != 8*time.Hour {
		t.Errorf("%s, %s old", item.Status, item.Age)
	}
	if item, _ := l.Assess(now.Add(time.Second)).Item("x"); item.Status != Pass || item.Age != time.Second {
		t.Errorf("%s, %s old without sleep", item.Status, item.Age)
	}
}

func TestDriftIsWhatWasMeasuredOnly(t *testing.T) {
	for _, c := range []struct {
		name     string
		declared int
		results  []Result
		drift    int
	}{
		{"as declared", 50, []Result{answer("a1", Pass), answer("a2", Fail)}, 0},
		{"more than declared", 60, []Result{answer("a1", Pass), answer("a2", Pass)}, 40},
		{"less than declared", 100, []Result{answer("a1", Pass), answer("a2", Fail)}, -50},
		{"blindness may make up the difference", 100, []Result{answer("a1", Pass), refusal("a2")}, 0},
		{"blindness cannot make up the difference", 100, []Result{answer("a1", Fail), refusal("a2")}, -50},
		{"more than declared, half blind", 30, []Result{answer("a1", Pass), refusal("a2")}, 20},
		{"nothing asked", 100, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			comp := component("a", 10)
			comp.Declared = &c.declared
			l := checklist(t, Outline{Components: []Component{comp}, Specs: []Spec{spec("a1", "a", 1), spec("a2", "a", 1)}})
			if got := l.With(c.results...).Assess(noon).Components[0].Drift(); got != c.drift {
				t.Errorf("drift is %d, not %d", got, c.drift)
			}
		})
	}
	l := checklist(t, Outline{Components: []Component{component("a", 10)}, Specs: []Spec{spec("a1", "a", 1)}})
	if got := l.With(answer("a1", Fail)).Assess(noon).Components[0].Drift(); got != 0 {
		t.Errorf("without a declaration the drift is %d", got)
	}
}
