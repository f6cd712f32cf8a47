package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/254carbon/gonogo/probes"
)

var noon = time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC)

// board returns an assessment with a check of every status.
func board(t *testing.T) probes.Assessment {
	t.Helper()
	declared := 100
	o := &probes.Outline{
		Platform: "254Carbon", Profile: "254carbon", Threshold: probes.MustRat("95"),
		Components: []probes.Component{
			{ID: "monitoring", Title: "Enhanced monitoring", Weight: probes.MustRat("18"), Declared: &declared},
			{ID: "backup", Title: "Backup", Weight: probes.MustRat("7"), Remaining: probes.Effort{Min: time.Hour, Max: 2 * time.Hour}},
		},
		Waivers: []probes.Waiver{{Check: "domain", Owner: "ops", Reason: "moves in May", Expires: noon.Add(time.Hour)}},
	}
	add := func(id, component probes.ID, change func(*probes.Spec)) {
		s := probes.Spec{ID: id, Component: component, Title: "claim " + string(id), Probe: "promql", Weight: probes.MustRat("1"), Every: time.Minute, Timeout: time.Second, Confirm: 1}
		if change != nil {
			change(&s)
		}
		o.Specs = append(o.Specs, s)
	}
	add("targets", "monitoring", nil)
	add("grafana", "monitoring", nil)
	add("loki", "monitoring", nil)
	add("tested", "backup", func(s *probes.Spec) { s.Action, s.Remedy = "backup-test", "Run a test backup." })
	add("restored", "backup", func(s *probes.Spec) { s.Gate, s.BlockedBy, s.Action = true, []probes.ID{"tested"}, "backup-test" })
	add("domain", "backup", func(s *probes.Spec) { s.Gate = true; s.Weight = probes.MustRat("0") })
	add("gpu", "backup", func(s *probes.Spec) { s.Exempt = "no GPUs here" })
	add("never", "backup", nil)
	l, err := probes.NewChecklist(o)
	if err != nil {
		t.Fatal(err)
	}
	r := func(id probes.ID, s probes.Status) probes.Result {
		return probes.Result{ID: id, Started: noon, Observation: probes.Observation{
			Status: s, Summary: "found " + string(id), Confirmed: noon, Ratio: probes.Part(1, 3),
			Evidence: []probes.Evidence{{Subject: "job trino", Want: "up", Got: "up <2>", Source: "GET x", Repeat: "curl x"}},
		}}
	}
	lost := probes.Result{ID: "loki", Started: noon, Err: errors.New("no route")}
	return l.With(r("targets", probes.Pass), r("grafana", probes.Warn), lost, r("tested", probes.Fail), r("domain", probes.Fail)).Assess(noon.Add(3 * time.Second))
}

func TestDocumentKeepsItsSchema(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("check.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("check.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, meta := range map[string]Meta{
		"whole": {Took: time.Second, Previous: &Previous{Percent: 85, TakenAt: noon}},
		"first": {},
		"only":  {Only: map[probes.ID]bool{"targets": true}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := WriteJSON(&out, NewDocument(board(t), meta)); err != nil {
				t.Fatal(err)
			}
			document, err := jsonschema.UnmarshalJSON(&out)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(document); err != nil {
				t.Error(err)
			}
		})
	}
	var bad any = map[string]any{"schema": "gonogo.check/v1"}
	if schema.Validate(bad) == nil {
		t.Error("an empty document validates")
	}
}

func TestDocumentSaysWhatTheAssessmentSays(t *testing.T) {
	var out bytes.Buffer
	if err := WriteJSON(&out, NewDocument(board(t), Meta{})); err != nil {
		t.Fatal(err)
	}
	var d map[string]any
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	score := d["score"].(map[string]any)
	// 18 × (1 + 1/3)/3 = 8 of 25 points; Loki unseen is worth 6 more, the check never asked 7/3.
	if score["earned"] != 8.0 || score["percent"] != 32.0 || score["high"] != 65.0 || d["verdict"] != "NO-GO" {
		t.Errorf("score %v, verdict %v", score, d["verdict"])
	}
	if strings.Contains(out.String(), `\u003c`) {
		t.Error("evidence is escaped for HTML")
	}
}

func TestOnlyPrintsNoScore(t *testing.T) {
	m := Meta{Only: map[probes.ID]bool{"targets": true}}
	d := NewDocument(board(t), m)
	if d.Score != nil || d.Verdict != "" || len(d.Components) != 1 || d.Counts != (Counts{Pass: 1}) {
		t.Errorf("%+v", d)
	}
	var out bytes.Buffer
	if err := WriteTable(&out, board(t), m, Style{}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "%") || !strings.Contains(out.String(), "targets") || strings.Contains(out.String(), "tested") {
		t.Errorf("table:\n%s", out.String())
	}
}

func TestTextsCarryNoEscapesWithoutColour(t *testing.T) {
	a := board(t)
	for name, write := range map[string]func(*bytes.Buffer, Style) error{
		"table": func(b *bytes.Buffer, s Style) error { return WriteTable(b, a, Meta{}, s) },
		"score": func(b *bytes.Buffer, s Style) error { return WriteScore(b, a, s) },
		"check": func(b *bytes.Buffer, s Style) error { i, _ := a.Item("tested"); return WriteCheck(b, a, i, s) },
	} {
		t.Run(name, func(t *testing.T) {
			var bare, dressed bytes.Buffer
			if err := errors.Join(write(&bare, Style{Verbose: true}), write(&dressed, Style{Verbose: true, Color: true})); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(bare.String(), "\x1b") || !strings.Contains(dressed.String(), "\x1b") {
				t.Error("colour does not follow the style")
			}
		})
	}
}

func TestScoreNamesEveryCheckAndTheSum(t *testing.T) {
	var out bytes.Buffer
	if err := WriteScore(&out, board(t), Style{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"18 × 1/3 × 1/3", "8 / 25 points = 32 %, rounded down", "does not apply: no GPUs here", "waived by ops", "verdict NO-GO"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

func TestHistory(t *testing.T) {
	var out bytes.Buffer
	h := History{Platform: "254Carbon", Scores: []HistoryScore{{TakenAt: noon, Percent: 85, Verdict: "NO-GO"}}, Changes: []HistoryChange{{At: noon, Check: "nodes", Status: "fail", Summary: "cpu1 is gone"}}}
	if err := WriteHistory(&out, h, Style{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"85 %", "nodes", "cpu1 is gone", "2025-10-20 12:00:00"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := WriteHistory(&out, History{Platform: "p"}, Style{}); err != nil || !strings.Contains(out.String(), "Nothing is recorded") {
		t.Errorf("empty history: %q, %v", out.String(), err)
	}
}
