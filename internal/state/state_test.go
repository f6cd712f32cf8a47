package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/254carbon/gonogo/probes"
)

var noon = time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, "254Carbon")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

func flip(id probes.ID, minute int, s probes.Status) Change {
	return Change{Check: id, At: at(minute), Status: s, Summary: s.String()}
}

func TestChangesSurviveAndAreWrittenOnce(t *testing.T) {
	dir := t.TempDir()
	first, second := open(t, dir), open(t, dir)
	for _, s := range []*Store{first, second} { // two boards see the same
		for i, c := range []Change{flip("nodes", 0, probes.Pass), flip("nodes", 5, probes.Fail)} {
			if i == 1 && s == second {
				continue
			}
			if err := s.Record(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := second.Record(t.Context(), flip("nodes", 6, probes.Fail), flip("nodes", 9, probes.Pass)); err != nil {
		t.Fatal(err)
	}
	changes, err := first.Changes(t.Context(), "", noon, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		got = append(got, fmt.Sprintf("%s %s %s", c.Check, c.At.UTC().Format("15:04"), c.Status))
	}
	want := []string{"nodes 12:00 pass", "nodes 12:05 fail", "nodes 12:09 pass"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	prior, err := second.Prior(t.Context())
	if err != nil || prior["nodes"].Status != probes.Pass || !prior["nodes"].Since.Equal(at(9)) {
		t.Errorf("prior %v, %v", prior, err)
	}
}

func TestStripSamplesTheWindow(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Record(t.Context(), flip("nodes", -50, probes.Pass), flip("nodes", -25, probes.Fail)); err != nil {
		t.Fatal(err)
	}
	strip, err := s.Strip(t.Context(), "nodes", noon, time.Hour, 6)
	if err != nil {
		t.Fatal(err)
	}
	want := []probes.Status{probes.Pass, probes.Pass, probes.Pass, probes.Fail, probes.Fail, probes.Fail}
	if diff := cmp.Diff(want, strip); diff != "" {
		t.Error(diff)
	}
}

func TestPreviousIsTheLastDifferentScore(t *testing.T) {
	s := open(t, t.TempDir())
	if _, ok, err := s.Previous(t.Context(), 87); ok || err != nil {
		t.Errorf("previous of nothing: %v, %v", ok, err)
	}
	for i, percent := range []int{80, 85, 87, 87, 87} {
		score := Score{At: at(i), Percent: percent, High: percent, Verdict: "NO-GO", Earned: "1", Possible: "1"}
		if err := s.RecordScore(t.Context(), score); err != nil {
			t.Fatal(err)
		}
	}
	previous, ok, err := s.Previous(t.Context(), 87)
	if err != nil || !ok || previous.Percent != 85 || !previous.At.Equal(at(1)) {
		t.Errorf("previous %+v, %v, %v", previous, ok, err)
	}
	scores, err := s.Scores(t.Context(), 10)
	if err != nil || len(scores) != 3 {
		t.Errorf("%d scores kept, %v; want 3, the same score is kept once", len(scores), err)
	}
}

func TestPruneKeepsTheNewestOfEachCheck(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Record(t.Context(), flip("nodes", 0, probes.Fail), flip("nodes", 1, probes.Pass)); err != nil {
		t.Fatal(err)
	}
	if err := s.Prune(t.Context(), noon.Add(Retention*2)); err != nil {
		t.Fatal(err)
	}
	changes, err := s.Changes(t.Context(), "nodes", time.Time{}, 10)
	if err != nil || len(changes) != 1 || changes[0].Status != probes.Pass {
		t.Errorf("%v, %v", changes, err)
	}
}

func TestManyProcessesWriteAtOnce(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for n := range 4 {
		s := open(t, dir)
		all.Go(func() {
			for i := range 50 {
				c := flip(probes.ID(fmt.Sprintf("check-%d", n)), i, []probes.Status{probes.Pass, probes.Fail}[i%2])
				if err := s.Record(context.WithoutCancel(t.Context()), c); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	changes, err := open(t, dir).Changes(t.Context(), "", noon.Add(-time.Hour), 1000)
	if err != nil || len(changes) != 200 {
		t.Errorf("%d changes, %v; want 200", len(changes), err)
	}
}

func TestOpenRefusesWhatItCannotRead(t *testing.T) {
	t.Run("damaged", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, FileName), []byte(strings.Repeat("not a database\x1b[31m", 500)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), dir, "p"); err == nil || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("newer", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		if _, err := s.db.ExecContext(t.Context(), "PRAGMA user_version = 99"); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), dir, "p"); err == nil || !strings.Contains(err.Error(), "newer gonogo") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a file where the directory should be", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), path, "p"); err == nil {
			t.Error("opened")
		}
	})
}

func assessment(t *testing.T, minute int, s probes.Status) probes.Assessment {
	t.Helper()
	o := &probes.Outline{
		Components: []probes.Component{{ID: "a", Title: "a", Weight: probes.MustRat("1")}},
		Specs:      []probes.Spec{{ID: "x", Component: "a", Title: "x", Weight: probes.MustRat("1"), Every: time.Hour, Timeout: time.Second, Confirm: 1}},
	}
	l, err := probes.NewChecklist(o)
	if err != nil {
		t.Fatal(err)
	}
	if s != probes.Pending {
		l = l.With(probes.Result{ID: "x", Started: at(minute), Observation: probes.Observation{Status: s, Confirmed: at(minute)}})
	}
	return l.Assess(at(minute))
}

func TestRecorderNotesChangesOnly(t *testing.T) {
	s := open(t, t.TempDir())
	r := NewRecorder(s, func(trouble string) { t.Errorf("trouble: %s", trouble) })
	for minute, status := range []probes.Status{probes.Pending, probes.Pass, probes.Pass, probes.Fail, probes.Fail, probes.Pass} {
		r.Observe(assessment(t, minute, status))
	}
	r.Close()
	changes, err := s.Changes(t.Context(), "x", noon, 100)
	if err != nil || len(changes) != 3 {
		t.Errorf("changes %v, %v; want pass, fail, pass", changes, err)
	}
	scores, err := s.Scores(t.Context(), 100)
	if err != nil || len(scores) != 3 {
		t.Errorf("scores %v, %v; want 100, 0, 100", scores, err)
	}
}

func TestRecorderTellsOfAFullDiskOnceAndGoesOn(t *testing.T) {
	s := open(t, t.TempDir())
	s.db.SetMaxOpenConns(1)
	if _, err := s.db.ExecContext(t.Context(), "PRAGMA max_page_count = 1"); err != nil {
		t.Fatal(err)
	}
	var told []string
	r := NewRecorder(s, func(trouble string) { told = append(told, trouble) })
	long := strings.Repeat("x", 5000)
	for i := range 100 {
		r.queue <- entry{changes: []Change{{Check: probes.ID(fmt.Sprint("c", i)), At: at(i), Status: probes.Fail, Summary: long}}}
	}
	r.Close()
	if len(told) != 1 || !strings.Contains(told[0], "history is not kept") {
		t.Errorf("told %q", told)
	}
}

// A board, a check and a history that begin and end at nearly the same moment on a fresh machine make the database, find it being made, or
// find it being closed for good.
func TestManyOpenANewDatabaseAtOnce(t *testing.T) {
	for round := range 40 {
		dir := t.TempDir()
		var all sync.WaitGroup
		for n := range 3 {
			all.Go(func() {
				for k := range 4 {
					s, err := Open(t.Context(), dir, "p")
					if err != nil {
						t.Errorf("round %d: %v", round, err)
						return
					}
					err = s.Record(t.Context(), Change{Check: probes.ID(fmt.Sprint(n, k)), At: at(k), Status: probes.Pass})
					if err = errors.Join(err, s.Close()); err != nil {
						t.Errorf("round %d: %v", round, err)
					}
				}
			})
		}
		all.Wait()
	}
}

func TestFlipsSayFromWhatToWhat(t *testing.T) {
	s := open(t, t.TempDir())
	changes := []Change{
		flip("nodes", 0, probes.Pass), flip("harbor", 1, probes.Fail), flip("nodes", 5, probes.Fail), flip("harbor", 6, probes.Unknown),
		flip("nodes", 7, probes.Pass),
	}
	if err := s.Record(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
	read := func(limit int) (got []string) {
		flips, err := s.Flips(t.Context(), limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range flips {
			got = append(got, fmt.Sprintf("%s %s %s > %s", f.At.UTC().Format("15:04"), f.Check, f.From, f.Status))
		}
		return got
	}
	want := []string{"12:07 nodes fail > pass", "12:06 harbor fail > unknown", "12:05 nodes pass > fail"}
	if diff := cmp.Diff(want, read(10)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[:2], read(2)); diff != "" {
		t.Error(diff)
	}
}
