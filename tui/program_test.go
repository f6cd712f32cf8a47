package tui

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"go.uber.org/goleak"

	"github.com/254carbon/gonogo/probes"
)

// terminal counts what is written to it.
type terminal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(p)
}

func (t *terminal) written() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Len()
}

// steady is a feed that gives one checklist and then what is pushed.
type steady chan probes.Checklist

func (s steady) Next(ctx context.Context) (probes.Checklist, error) {
	select {
	case l := <-s:
		return l, nil
	case <-ctx.Done():
		return probes.Checklist{}, ctx.Err()
	}
}

// program runs a board on a terminal of 120x36 until the test ends it.
func program(t *testing.T, d Deps) (*tea.Program, *terminal, func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	term := &terminal{}
	r, w := io.Pipe()
	p := tea.NewProgram(New(ctx, d), tea.WithContext(ctx), tea.WithInput(r), tea.WithOutput(term), tea.WithWindowSize(120, 36), tea.WithoutSignals(),
		tea.WithEnvironment([]string{"TERM=xterm-256color", "COLORTERM=truecolor"}))
	done := make(chan error, 1)
	go func() {
		_, err := p.Run()
		done <- err
	}()
	return p, term, func() error {
		var err error
		select {
		case err = <-done:
		case <-time.After(10 * time.Second):
			t.Error("the program does not end")
		}
		cancel()
		_ = w.Close()
		return err
	}
}

// quiet waits until nothing more is written.
func quiet(term *terminal) int {
	last, since := term.written(), time.Now()
	for time.Since(since) < 150*time.Millisecond {
		time.Sleep(10 * time.Millisecond)
		if n := term.written(); n != last {
			last, since = n, time.Now()
		}
	}
	return last
}

func TestAnIdleMinuteIsCheap(t *testing.T) {
	feed := make(steady, 1)
	feed <- documented()
	p, term, end := program(t, Deps{Feed: feed, Now: noon, History: record{}, Theme: darkTheme()})
	for term.written() < 3000 {
		time.Sleep(5 * time.Millisecond)
	}
	before := quiet(term)
	// A minute in which every check is asked again and answers the same, the clock ticks, and history is read.
	list := documented()
	for second := range 60 {
		now := noon().Add(time.Duration(second) * time.Second)
		for n, row := range tableRows() {
			if row.documented == "pass" && n%60 == second%47 {
				s, _ := list.Standing(probes.ID(row.id))
				r := s.Last
				r.Started, r.Confirmed, r.Took = now, now, r.Took+time.Millisecond
				list = list.With(r)
			}
		}
		p.Send(listMsg{list: list, now: now})
		if second%10 == 0 {
			p.Send(clockMsg(now))
		}
		time.Sleep(20 * time.Millisecond) // more than a frame, so that no change is hidden by the next
	}
	if spent := quiet(term) - before; spent > 1000 {
		t.Errorf("an idle minute at 120x36 writes %d bytes", spent)
	} else {
		t.Logf("an idle minute at 120x36 writes %d bytes; the first frame wrote %d", spent, before)
	}
	p.Quit()
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestTheEndLeavesNothingBehind(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	feed := make(steady, 1)
	feed <- documented()
	notices := make(chan Notice)
	p, term, end := program(t, Deps{Feed: feed, Now: noon, History: record{}, Notices: notices, Theme: darkTheme()})
	for term.written() < 3000 {
		time.Sleep(5 * time.Millisecond)
	}
	p.Send(press("q"))
	if err := end(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, leaks)
}
