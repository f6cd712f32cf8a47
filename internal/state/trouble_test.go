package state

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/254carbon/gonogo/probes"
)

func TestTheDatabaseIsWhereItWasAskedFor(t *testing.T) {
	for _, name := range []string{"with space", "50%41", "what?mode=memory", "a#b", "ünï"} {
		dir := filepath.Join(t.TempDir(), name)
		s, err := Open(t.Context(), dir, "p")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, FileName)); err != nil {
			t.Error(err)
		}
	}
}

func TestManyProcessesBeginAtOnce(t *testing.T) {
	for range 5 {
		dir := t.TempDir()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				s, err := Open(t.Context(), dir, "p")
				if err != nil {
					t.Error(err)
					return
				}
				_ = s.Close()
			})
		}
		all.Wait()
	}
}

func TestADamagedDatabaseIsToldInOneSentence(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(strings.Repeat("not a database", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, "p"); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q", err)
	}
	dir = t.TempDir()
	s := open(t, dir)
	if err := s.Record(t.Context(), flip("x", 0, probes.Pass)); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		if err := s.Record(t.Context(), flip(probes.ID(fmt.Sprint("c", i)), 0, probes.Pass)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(dir, FileName), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteAt([]byte(strings.Repeat("\x1b[31mgarbage", 800)), 4096)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, "p"); err == nil || strings.ContainsAny(err.Error(), "\n\x1b") || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("error %q", err)
	}
}

func TestRecorderCatchesUpWhenTheDiskIsWellAgain(t *testing.T) {
	s := open(t, t.TempDir())
	exec := func(statement string) {
		t.Helper()
		if _, err := s.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	told := make(chan string, 10)
	r := NewRecorder(s, func(trouble string) { told <- trouble })
	exec("CREATE TRIGGER full BEFORE INSERT ON changes BEGIN SELECT RAISE(FAIL, 'disk full'); END")
	r.Observe(assessment(t, 0, probes.Fail))
	if text := <-told; !strings.Contains(text, "disk full") {
		t.Errorf("told %q", text)
	}
	exec("DROP TRIGGER full")
	r.Observe(assessment(t, 1, probes.Fail)) // as before: only what was lost makes it worth writing
	r.Close()
	if len(told) != 1 || <-told != "" {
		t.Error("not told that it works again")
	}
	changes, err := s.Changes(t.Context(), "x", noon, 10)
	if err != nil || len(changes) != 1 {
		t.Errorf("changes %v, %v", changes, err)
	}
	scores, err := s.Scores(t.Context(), 10)
	if err != nil || len(scores) != 1 {
		t.Errorf("scores %v, %v", scores, err)
	}
}

func TestClosingDoesNotWaitForADiskThatHangs(t *testing.T) {
	dir := t.TempDir()
	s, other := open(t, dir), open(t, dir)
	tx, err := other.db.BeginTx(t.Context(), nil) // locks the database for writing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	r := NewRecorder(s, func(string) {})
	r.patience = 100 * time.Millisecond
	for i := range 100 {
		r.queue <- entry{changes: []Change{flip(probes.ID(fmt.Sprint("c", i)), 0, probes.Pass)}}
	}
	began := time.Now()
	r.Close()
	if took := time.Since(began); took > 8*time.Second { // one wait for the lock may be under way
		t.Errorf("took %s", took)
	}
}
