package state

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/254carbon/gonogo/probes"
)

func reported(minute, percent int, status probes.Status) Report {
	return Report{
		Score:  Score{At: at(minute), Percent: percent, High: percent, Verdict: "NO-GO", Earned: "1", Possible: "2"},
		Checks: []Reported{{Check: "x", Component: "a", Status: status.String(), Points: "1"}},
	}
}

func TestAReportComparesItselfWithTheLastThatDiffered(t *testing.T) {
	s := open(t, t.TempDir())
	steps := []struct {
		now  Report
		last int // minute of the report that it is compared with; -1 for none
	}{
		{reported(0, 85, probes.Fail), -1},
		{reported(1, 85, probes.Fail), -1}, // the same again
		{reported(2, 85, probes.Pass), 1},  // another standing, the same score
		{reported(3, 87, probes.Pass), 2},
		{reported(4, 87, probes.Pass), 2},
		{reported(4, 87, probes.Pass), 2}, // twice in a moment
		{reported(5, 85, probes.Fail), 4}, // back to the first
	}
	for n, step := range steps {
		last, ok, err := s.LastReport(t.Context(), step.now)
		if err != nil || ok != (step.last >= 0) || ok && !last.At.Equal(at(step.last)) {
			t.Errorf("step %d: %+v, %v, %v; want minute %d", n, last, ok, err, step.last)
		}
		if ok && (len(last.Checks) != 1 || last.Checks[0].Check != "x") {
			t.Errorf("step %d: checks %+v", n, last.Checks)
		}
		if err := s.RecordReport(t.Context(), step.now); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Prune(t.Context(), at(10)); err != nil {
		t.Fatal(err)
	}
	if previous, ok, err := s.Previous(t.Context(), 85); err != nil || !ok || previous.Percent != 87 || !previous.At.Equal(at(4)) {
		t.Errorf("previous %+v, %v, %v", previous, ok, err)
	}
}

func TestAReportComesBeforeAScore(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.RecordReport(t.Context(), reported(0, 70, probes.Pass)); err != nil {
		t.Fatal(err)
	}
	for minute, percent := range []int{70, 80, 90} {
		if err := s.RecordScore(t.Context(), Score{At: at(minute), Percent: percent}); err != nil {
			t.Fatal(err)
		}
	}
	if previous, ok, err := s.Previous(t.Context(), 90); err != nil || !ok || previous.Percent != 70 {
		t.Errorf("previous %+v, %v, %v; want that of the report", previous, ok, err)
	}
}

func TestHowThingsStoodAtAMoment(t *testing.T) {
	s := open(t, t.TempDir())
	for _, c := range []Change{flip("x", 0, probes.Pass), flip("x", 10, probes.Fail), flip("y", 5, probes.Warn)} {
		if err := s.Record(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for minute, percent := range []int{50, 60} {
		if err := s.RecordScore(t.Context(), Score{At: at(minute * 10), Percent: percent}); err != nil {
			t.Fatal(err)
		}
	}
	for minute, want := range map[int]map[probes.ID]probes.Status{
		-1: {}, 0: {"x": probes.Pass}, 9: {"x": probes.Pass, "y": probes.Warn}, 10: {"x": probes.Fail, "y": probes.Warn},
	} {
		standings, err := s.StandingsAt(t.Context(), at(minute))
		if err != nil || len(standings) != len(want) {
			t.Errorf("minute %d: %v, %v", minute, standings, err)
		}
		for id, status := range want {
			if standings[id].Status != status {
				t.Errorf("minute %d: %s was %s", minute, id, standings[id].Status)
			}
		}
	}
	if score, ok, err := s.ScoreAt(t.Context(), at(9)); err != nil || !ok || score.Percent != 50 {
		t.Errorf("score %+v, %v, %v", score, ok, err)
	}
	if _, ok, err := s.ScoreAt(t.Context(), at(-1)); err != nil || ok {
		t.Errorf("a score before the first: %v, %v", ok, err)
	}
}

// A database of version 1 had a column more, and no reports.
func TestAnOlderDatabaseIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `
		CREATE TABLE scores (platform TEXT NOT NULL, at INTEGER NOT NULL, percent INTEGER NOT NULL, high INTEGER NOT NULL, verdict TEXT NOT NULL,
			earned TEXT NOT NULL, possible TEXT NOT NULL, reported INTEGER NOT NULL DEFAULT 0);
		INSERT INTO scores VALUES ('254Carbon', 1, 85, 85, 'NO-GO', '85', '100', 0);
		PRAGMA user_version = 1;`)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	if err := s.RecordScore(t.Context(), Score{At: time.UnixMilli(2), Percent: 87}); err != nil {
		t.Fatal(err)
	}
	if err := s.RecordReport(t.Context(), reported(0, 87, probes.Pass)); err != nil {
		t.Fatal(err)
	}
	if previous, ok, err := s.Previous(t.Context(), 87); err != nil || !ok || previous.Percent != 85 {
		t.Errorf("previous %+v, %v, %v", previous, ok, err)
	}
}
