package tui

import (
	"strings"
	"testing"
)

func TestTheBoardSaysWhereThePlatformIsNotAsDeclared(t *testing.T) {
	m := send(board(t, Deps{}, drifted(), 120, 36), press("home"))
	frame := text(m)
	for _, want := range []string{"▲ measured 100, declared 60", "more than the status document says", "▲ 1 above, ▼ 1 below declared", "2 h invested"} {
		if !strings.Contains(frame, want) {
			t.Errorf("the board does not say %q:\n%s", want, frame)
		}
	}
	m = send(m, press("down")) // a component that is as declared
	if frame := text(m); strings.Contains(frame, "measured 100, declared 60") {
		t.Errorf("the detail of another component speaks of the drift:\n%s", frame)
	}
	wide := text(board(t, Deps{}, drifted(), 200, 50))
	if !strings.Contains(wide, "▲ measured 100, declared 60") || !strings.Contains(wide, "▼ measured 0, declared 75") {
		t.Errorf("the rows of a wide board do not say how they drift:\n%s", wide)
	}
	if small := text(board(t, Deps{}, drifted(), 80, 24)); !strings.Contains(small, "▲ measured 100, declared 60") {
		t.Errorf("a small board does not say how monitoring drifts:\n%s", small)
	}
	plain := Deps{}
	plain.Theme.ASCII = true
	if frame := text(board(t, plain, drifted(), 200, 50)); !strings.Contains(frame, "^ measured 100, declared 60") {
		t.Errorf("ASCII does not say how it drifts:\n%s", frame)
	}
}

func TestWhatCouldNotBeMeasuredIsNoDrift(t *testing.T) {
	if frame := text(board(t, Deps{}, blind(), 200, 50)); strings.Contains(frame, "▼") || strings.Contains(frame, "▲") {
		t.Errorf("a blind board claims a drift:\n%s", frame)
	}
}
