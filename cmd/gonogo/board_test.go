package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/tui"
)

func TestACrashInTheBackgroundEndsTheBoardInOrder(t *testing.T) {
	killed := 0
	c := &crashes{kill: func() { killed++ }}
	c.guard(func() { panic("boom") })
	err := c.or(nil)
	var exit exitError
	if killed != 1 || !errors.As(err, &exit) || exit.code != 70 || !strings.Contains(err.Error(), "boom") || !strings.Contains(err.Error(), "board_test.go") {
		t.Errorf("killed %d times, %v", killed, err)
	}
	quiet := &crashes{kill: func() { t.Error("killed without a crash") }}
	quiet.guard(func() {})
	if err := quiet.or(nil); err != nil {
		t.Error(err)
	}
}

func TestEndsThatAreNoFailures(t *testing.T) {
	for _, err := range []error{nil, tea.ErrInterrupted, fmt.Errorf("%w: %w", tea.ErrProgramKilled, tea.ErrInterrupted), tea.ErrProgramKilled} {
		if got := ended(err); got != nil {
			t.Errorf("%v ends with %v", err, got)
		}
	}
	var exit exitError
	if err := ended(fmt.Errorf("%w: %w", tea.ErrProgramKilled, tea.ErrProgramPanic)); !errors.As(err, &exit) || exit.code != 70 {
		t.Errorf("a panic ends with %v", err)
	}
}

func TestNoticesNeverBlockAndTheNewestOfEachWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNotices()
		for i := range 1000 {
			n.put("a", tui.Warning, fmt.Sprint(i))
		}
		n.put("b", tui.Info, "other")
		go n.run(t.Context())
		if first, second := <-n.out, <-n.out; first.Text != "999" || second.Text != "other" {
			t.Errorf("%q, %q", first.Text, second.Text)
		}
	})
}
