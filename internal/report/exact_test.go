package report

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/254carbon/gonogo/probes"
)

func TestNumbersAreRoundedDown(t *testing.T) {
	for text, want := range map[string]string{"18": "18.0", "2/3": "0.666666", "94.9999999": "94.9999999", "284999999/3000000": "94.999999", "0": "0.0"} {
		got, err := json.Marshal(Number{probes.MustRat(text)})
		if err != nil || string(got) != want {
			t.Errorf("%s is written %s, %v; want %s", text, got, err, want)
		}
	}
}

// odd returns an assessment whose points are no short numbers.
func odd(t *testing.T) probes.Assessment {
	t.Helper()
	o := &probes.Outline{
		Platform: "p", Profile: "p", Threshold: probes.MustRat("95"),
		Components: []probes.Component{{ID: "a", Title: strings.Repeat("long ", 20), Weight: probes.MustRat("18"), Remaining: probes.Effort{Min: time.Hour, Max: 2 * time.Hour}}},
	}
	for id, weight := range map[probes.ID]string{"x": "3.25", "y": "7.125"} {
		o.Specs = append(o.Specs, probes.Spec{ID: id, Component: "a", Title: "t", Weight: probes.MustRat(weight), Every: time.Minute, Timeout: time.Second, Confirm: 1, Action: "mend"})
	}
	l, err := probes.NewChecklist(o)
	if err != nil {
		t.Fatal(err)
	}
	r := probes.Result{ID: "x", Started: noon, Observation: probes.Observation{Status: probes.Warn, Ratio: probes.Part(9973, 10007), Summary: "found", Confirmed: noon}}
	return l.With(r, probes.Result{ID: "y", Started: noon, Observation: probes.Observation{Status: probes.Fail, Summary: "found", Confirmed: noon}}).Assess(noon)
}

func TestScoreLinesAddUpWhateverTheNumbers(t *testing.T) {
	var out bytes.Buffer
	a := odd(t)
	if err := WriteScore(&out, a, Style{}); err != nil {
		t.Fatal(err)
	}
	sum := new(big.Rat)
	for line := range strings.Lines(out.String()) {
		if fields := strings.Fields(line); len(fields) > 3 && (fields[1] == "x" || fields[1] == "y") {
			points, ok := probes.ParseRat(fields[3])
			if !ok {
				t.Fatalf("no number in %q", line)
			}
			sum.Add(sum, points)
		}
	}
	if sum.Cmp(a.Earned) != 0 {
		t.Errorf("lines add up to %s, not %s:\n%s", sum.RatString(), a.Earned.RatString(), out.String())
	}
}

func TestPointsInTheTableAreReadable(t *testing.T) {
	var out bytes.Buffer
	if err := WriteTable(&out, odd(t), Meta{}, Style{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{" 5.6/18 ", " +12.3 "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

func TestASCIIMeansASCII(t *testing.T) {
	for name, a := range map[string]probes.Assessment{"odd": odd(t), "board": board(t)} {
		var out bytes.Buffer
		s := Style{ASCII: true, Verbose: true, Width: 200}
		item := a.Items()[0]
		for _, err := range []error{
			WriteTable(&out, a, Meta{}, s), WriteScore(&out, a, s), WriteCheck(&out, a, item, s),
			WriteHistory(&out, History{Platform: "p", Changes: []HistoryChange{{At: noon, Check: strings.Repeat("long", 20), Status: "fail"}}}, s),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for line := range strings.Lines(out.String()) {
			if strings.ContainsFunc(line, func(r rune) bool { return r > 0x7e }) {
				t.Errorf("%s: %q", name, line)
			}
		}
	}
}
