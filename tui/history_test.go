package tui

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// openedHistory is the board with the history page open and read.
func openedHistory(t *testing.T, w, h int) Model {
	t.Helper()
	m := send(board(t, Deps{History: record{}}, documented(), w, h), press("H"))
	for _, msg := range messages(m.openHistory()) {
		m = send(m, msg)
	}
	return send(m, recorded())
}

func TestTheHistoryPage(t *testing.T) {
	m := openedHistory(t, 120, 36)
	frame := text(m)
	for _, want := range []string{"History", "score 72–87 %, GO needs 95 %", "27 Sep 12:00", "now", "Changes, newest first", "36 changes", "? unknown → ✗ fail", "87 %   ▲"} {
		if !strings.Contains(frame, want) {
			t.Errorf("the page does not show %q:\n%s", want, frame)
		}
	}
	if newest, older := strings.Index(frame, "no worker"), strings.Index(frame, "blocked by harbor"); newest < 0 || older < newest {
		t.Errorf("the newest change is not the first:\n%s", frame)
	}
	filtered := sendAll(m, "/", "l", "o", "k", "i", "enter")
	if frame := text(filtered); !strings.Contains(frame, "1 of 36") || strings.Contains(frame, "11:56") || !strings.Contains(frame, "loki-ingesting") {
		t.Errorf("filtered by a check it shows:\n%s", frame)
	}
	if frame := text(send(filtered, press("esc"))); !strings.Contains(frame, "36 changes") {
		t.Errorf("esc does not take the filter off:\n%s", frame)
	}
	day := sendAll(m, "z", "z", "z")
	if frame := text(day); !strings.Contains(frame, "last 24 h") || !strings.Contains(frame, "2 of 36") || strings.Contains(frame, "loki-ingesting") {
		t.Errorf("the last day is:\n%s", frame)
	}
	if down := text(sendAll(m, "end")); down == frame || !strings.Contains(down, "GO needs 95 %") {
		t.Errorf("the list does not scroll below the plot:\n%s", down)
	}
	for _, k := range []string{"esc", "H", "tab"} {
		if back := send(m, press(k)); back.focus != focusList || !strings.Contains(text(back), "Checklist") {
			t.Errorf("%s does not close the page", k)
		}
	}
	if frame := text(sendAll(m, "y", "r", "s", "c")); frame != text(m) {
		t.Errorf("keys of the checklist act behind the page:\n%s", frame)
	}
}

func TestTheHistoryPageWithoutHistory(t *testing.T) {
	m := send(board(t, Deps{}, documented(), 80, 24), press("H"))
	if m.focus == focusHistory || strings.Contains(text(m), "H history") {
		t.Error("a board that keeps no history has a page of it")
	}
	m = send(board(t, Deps{History: record{}}, documented(), 80, 24), press("H"))
	for _, c := range []struct {
		msg  historyMsg
		want string
	}{
		{historyMsg{}, "Nothing is recorded yet"},
		{historyMsg{scores: recorded().scores[:1]}, "No check has changed since recording began"},
		{historyMsg{err: errors.New("database is locked")}, "The history cannot be read: database is locked"},
	} {
		if frame := text(send(m, c.msg)); !strings.Contains(frame, c.want) {
			t.Errorf("it does not say %q:\n%s", c.want, frame)
		}
	}
	if frame := text(m); !strings.Contains(frame, "Reading the history") {
		t.Errorf("before history answered it shows:\n%s", frame)
	}
}

func TestSampleShowsTheLowestScoreOfAColumn(t *testing.T) {
	at := func(minute, percent int) Score {
		return Score{At: noon().Add(time.Duration(minute) * time.Minute), Percent: percent, Verdict: probes.NoGo}
	}
	points := []Score{at(0, 80), at(31, 10), at(32, 90), at(95, 85)}
	var got []int
	for _, s := range sample(points, noon().Add(100*time.Minute), 10) {
		got = append(got, s.Percent)
	}
	want := []int{80, 80, 80, 10, 90, 90, 90, 90, 90, 85}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("columns are %v, not %v", got, want)
		}
	}
}

func TestTheAxisHoldsEveryScoreAndTheThreshold(t *testing.T) {
	for low := 0; low <= 100; low += 3 {
		for high := low; high <= 100; high += 7 {
			bottom, top := axisRange([]Score{{Percent: low}, {Percent: high}}, 95)
			if bottom < 0 || bottom > low || top < high || top < 95 || top-bottom < plotRange || top > 100 {
				t.Errorf("scores from %d to %d get an axis from %d to %d", low, high, bottom, top)
			}
		}
	}
}
