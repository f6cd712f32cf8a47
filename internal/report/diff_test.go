package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"

	"github.com/254carbon/gonogo/probes"
)

func score(minute, percent int, earned string) *DiffScore {
	return &DiffScore{HistoryScore: HistoryScore{TakenAt: noon.Add(time.Duration(minute) * time.Minute), Percent: percent, High: percent, Verdict: "NO-GO"}, Earned: probes.MustRat(earned)}
}

func recorded(minute int, id probes.ID, s probes.Status, summary string) Record {
	return Record{At: noon.Add(time.Duration(minute) * time.Minute), Check: id, Status: s, Summary: summary}
}

// changed is a history in which one check got better, one worse by the way of better, one passes in part, and one is new.
func changed(t *testing.T) DiffInput {
	return DiffInput{
		Since: noon, Then: score(-5, 30, "7.5"), Now: score(30, 32, "8"), Of: board(t),
		Stood: map[probes.ID]Record{
			"targets": recorded(-9, "targets", probes.Fail, "down"), "loki": recorded(-9, "loki", probes.Unknown, "no route"),
			"tested": recorded(-9, "tested", probes.Pass, "well"), "grafana": recorded(-9, "grafana", probes.Pass, "well"),
		},
		Records: []Record{
			recorded(5, "targets", probes.Pass, "up\x1b[31m"), recorded(6, "loki", probes.Pass, "lines"), recorded(7, "loki", probes.Fail, "no lines"),
			recorded(8, "tested", probes.Fail, "none"), recorded(9, "restored", probes.Blocked, "blocked"), recorded(10, "grafana", probes.Warn, "slow"),
		},
	}
}

func TestDiff(t *testing.T) {
	for name, in := range map[string]DiffInput{
		"changed": changed(t),
		"nothing": {Since: noon, Of: board(t)},
		"same":    {Since: noon, Then: score(-5, 87, "87"), Now: score(-5, 87, "87"), Stood: map[probes.ID]Record{"loki": recorded(-9, "loki", probes.Pass, "")}, Of: board(t)},
		"begins":  {Since: noon, Then: score(5, 85, "85"), Now: score(6, 87, "87"), Records: []Record{recorded(5, "loki", probes.Fail, "none"), recorded(6, "loki", probes.Pass, "lines")}, Of: board(t)},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := WriteDiff(&out, NewDiff(in), Style{}); err != nil {
				t.Fatal(err)
			}
			golden.RequireEqual(t, out.Bytes())
			safe(t, out.Bytes())
		})
	}
}

func TestDiffCountsPointsWhereTheyAreKnown(t *testing.T) {
	d := NewDiff(changed(t))
	if d.Points == nil || d.Points.String() != "0.5" || d.First != 1 || len(d.Changes) != 5 {
		t.Errorf("%+v", d)
	}
	// Monitoring passes in part now, so that its points are not known; the failed test backup cost a third of seven.
	if len(d.Components) != 2 || d.Components[0].Points != nil || d.Components[1].Points == nil || d.Components[1].Points.String() != "-2.3" {
		t.Errorf("%+v", d.Components)
	}
	var out bytes.Buffer
	if err := WriteDiffJSON(&out, d); err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["schema"] != DiffSchemaName {
		t.Errorf("%v\n%s", err, out.String())
	}
	for _, list := range []string{"better", "worse", "other", "components", "changes"} {
		if _, ok := back[list].([]any); !ok {
			t.Errorf("%s is %v", list, back[list])
		}
	}
	if !strings.Contains(out.String(), `"points": null`) {
		t.Error("unknown points are not null")
	}
}
