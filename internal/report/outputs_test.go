package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/254carbon/gonogo/probes"
)

// forms are the outputs of a check that are written for others than a person at a terminal.
var forms = map[string]func(io.Writer, probes.Assessment, Meta) error{
	"junit":      WriteJUnit,
	"markdown":   WriteMarkdown,
	"prometheus": WritePrometheus,
	"sarif": func(w io.Writer, a probes.Assessment, m Meta) error {
		return WriteSARIF(w, a, m, "1.2.3", func(id probes.ID) (Place, bool) { return Place{URI: "profiles/mine.yaml", Line: 7}, id == "tested" })
	},
}

func write(t *testing.T, form string, a probes.Assessment, m Meta) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := forms[form](&out, a, m); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestForms(t *testing.T) {
	for form := range forms {
		t.Run(form, func(t *testing.T) {
			golden.RequireEqual(t, write(t, form, board(t), Meta{Took: time.Second, Previous: &Previous{Percent: 30, TakenAt: noon.AddDate(0, 0, -1)}}))
		})
		t.Run(form+"-only", func(t *testing.T) {
			golden.RequireEqual(t, write(t, form, board(t), Meta{Only: map[probes.ID]bool{"tested": true, "targets": true}}))
		})
	}
}

// hostile is text that breaks whoever does not escape it.
const hostile = "a|b <script>alert(1)</script> `code` [x](javascript:y) \x1b[31mred\x1b[0m \u202ertl\u202c line\nbreak &amp; \"q\" 'q' ]]> --> @ops *b* _i_ \x00\xff\ufffe {{.}} \\ $HOME"

// enemy returns an assessment in which every text that could come from elsewhere is hostile.
func enemy(t *testing.T) probes.Assessment {
	t.Helper()
	o := &probes.Outline{
		Platform: "P " + hostile, Profile: "p " + hostile, Threshold: probes.MustRat("95"),
		Components: []probes.Component{{ID: "c", Title: "C " + hostile, Weight: probes.MustRat("3")}, {ID: "d", Title: "D " + hostile, Weight: probes.MustRat("1")}},
		Actions:    map[probes.ID]string{"mend": "Mend " + hostile},
		Waivers:    []probes.Waiver{{Check: "waived", Owner: hostile, Reason: hostile, Expires: noon.AddDate(0, 1, 0)}},
	}
	for _, id := range []probes.ID{"bad", "waived", "lost", "good"} {
		component := probes.ID("c")
		if id == "good" {
			component = "d"
		}
		o.Specs = append(o.Specs, probes.Spec{
			ID: id, Component: component, Title: "claim " + hostile, Probe: hostile, Weight: probes.MustRat("1"), Gate: true, Every: time.Hour, Timeout: time.Second, Confirm: 1,
			Remedy: "mend " + hostile, Action: "mend", Connection: "checkout",
		})
	}
	l, err := probes.NewChecklist(o)
	if err != nil {
		t.Fatal(err)
	}
	evidence := []probes.Evidence{{Subject: hostile, Want: hostile, Got: hostile, Wanting: true, Source: hostile, Repeat: hostile, TakenAt: noon}}
	r := func(id probes.ID, s probes.Status) probes.Result {
		return probes.Result{ID: id, Started: noon, Observation: probes.Observation{Status: s, Summary: hostile, Confirmed: noon, Evidence: evidence}}
	}
	return l.With(r("bad", probes.Fail), r("waived", probes.Fail), r("good", probes.Pass), probes.Result{ID: "lost", Started: noon, Err: errors.New(hostile)}).Assess(noon)
}

// safe reports what no output may hold.
func safe(t *testing.T, out []byte) {
	t.Helper()
	for name, bad := range map[string]string{"an escape": "\x1b", "a zero byte": "\x00", "a mark of direction": "\u202e", "a byte that is no UTF-8": "\xff"} {
		if bytes.Contains(out, []byte(bad)) {
			t.Errorf("%s is in\n%s", name, out)
		}
	}
}

func TestJUnitIsWellFormedWhateverIsInIt(t *testing.T) {
	out := write(t, "junit", enemy(t), Meta{})
	safe(t, out)
	var all junitSuites
	if err := xml.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	c := all.Suites[0]
	if c.Tests != 3 || c.Failures != 1 || c.Errors != 1 || c.Skipped != 1 || !strings.Contains(c.Cases[0].Failure.Message, "<script>") {
		t.Errorf("%+v", c)
	}
}

func TestSARIFHoldsWhateverIsInIt(t *testing.T) {
	out := write(t, "sarif", enemy(t), Meta{})
	safe(t, out)
	var log sarifLog
	if err := json.Unmarshal(out, &log); err != nil {
		t.Fatal(err)
	}
	run := log.Runs[0]
	if len(run.Tool.Driver.Rules) != 4 || len(run.Results) != 3 {
		t.Fatalf("%d rules, %d results", len(run.Tool.Driver.Rules), len(run.Results))
	}
	for _, r := range run.Results {
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || r.Message.Text == "" || len(r.Locations) != 1 {
			t.Errorf("%+v", r)
		}
		if (r.Suppressions != nil) != (r.RuleID == "waived") || (r.Level == "error") != (r.RuleID != "waived") {
			t.Errorf("%s: level %s, suppressions %v", r.RuleID, r.Level, r.Suppressions)
		}
	}
}

func TestPrometheusIsCleanWhateverIsInIt(t *testing.T) {
	for name, a := range map[string]probes.Assessment{"board": board(t), "enemy": enemy(t)} {
		out := write(t, "prometheus", a, Meta{})
		safe(t, out)
		problems, err := promlint.New(bytes.NewReader(out)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%s: %v, %v", name, problems, err)
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		if len(families["gonogo_check_status"].Metric) != len(a.Items()) || bytes.Contains(out, []byte("NaN")) || bytes.Contains(out, []byte("Inf")) {
			t.Errorf("%s:\n%s", name, out)
		}
		seen := map[string]bool{}
		for _, f := range families {
			for _, m := range f.Metric {
				if key := fmt.Sprint(f.GetName(), labels(m)); seen[key] {
					t.Errorf("%s: %s is there twice", name, key)
				} else {
					seen[key] = true
				}
			}
		}
	}
}

func labels(m *dto.Metric) string {
	var all []string
	for _, l := range m.Label {
		all = append(all, l.GetName()+"="+l.GetValue())
	}
	return strings.Join(all, ",")
}

func TestMarkdownKeepsItsTableWhateverIsInIt(t *testing.T) {
	out := write(t, "markdown", enemy(t), Meta{})
	safe(t, out)
	rows := 0
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		rows++
		bare := strings.ReplaceAll(line, `\|`, "")
		if got := strings.Count(bare, "|"); got != 5 {
			t.Errorf("%d cells in %q", got-1, line)
		}
	}
	rendered(t, string(out))
	if rows != 5 {
		t.Errorf("%d rows in\n%s", rows, out)
	}
}
