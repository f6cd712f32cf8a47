package tui

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/probes"
)

// TestOverARealPoller follows an answer from a probe to the frame, and a key back to the probe.
func TestOverARealPoller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		works := atomic.Bool{}
		spec := probes.Spec{
			ID: "door", Component: "house", Title: "The door is closed", Weight: rat("1"), Gate: true, Every: time.Minute, Timeout: time.Second, Confirm: 1,
		}
		outline := &probes.Outline{Platform: "House", Threshold: rat("95"), Components: []probes.Component{{ID: "house", Title: "House", Weight: rat("1")}}, Specs: []probes.Spec{spec}}
		list, err := probes.NewChecklist(outline)
		if err != nil {
			t.Fatal(err)
		}
		poller := probes.NewPoller(list, []probes.Check{{Spec: spec, Probe: probes.ProbeFunc(func(context.Context) (probes.Observation, error) {
			if !works.Load() {
				return probes.Observation{}, errors.New("nobody can be reached")
			}
			return probes.Observation{Status: probes.Pass, Summary: "it is"}, nil
		})}}, probes.PollerOptions{})
		ended := make(chan struct{})
		go func() { poller.Run(ctx); close(ended) }()
		feed := poller.Subscribe()
		defer feed.Close()

		m := New(ctx, Deps{Feed: feed, Refresh: poller.Refresh, Now: time.Now})
		m = send(m, tea.WindowSizeMsg{Width: 100, Height: 30})
		next := func() { m = send(m, m.nextList()()) }
		next()
		synctest.Wait()
		for m.board.Counts[probes.Unknown] == 0 {
			next()
		}
		if frame := text(m); !strings.Contains(frame, "UNKNOWN") || !strings.Contains(frame, "nobody can be reached") {
			t.Errorf("the error is not shown:\n%s", frame)
		}
		works.Store(true)
		_, cmd := m.Update(press("R"))
		go messages(cmd)
		for m.board.Counts[probes.Pass] == 0 {
			next()
		}
		if frame := text(m); !strings.Contains(frame, " GO ") || !strings.Contains(frame, "100 %") {
			t.Errorf("the answer is not shown:\n%s", frame)
		}
		cancel()
		<-ended
	})
}

func TestAClockThatIsSetBack(t *testing.T) {
	m := board(t, Deps{}, documented(), 120, 36)
	m = send(m, clockMsg(noon().Add(3*time.Hour)))
	if m.board.Counts[probes.Pass] == 33 {
		t.Fatal("nothing grows old")
	}
	m = send(m, clockMsg(noon().Add(time.Second)))
	if m.board.Counts[probes.Pass] != 33 {
		t.Error("the board stays in the future when the clock is set right")
	}
}

func TestTheBackgroundIsAskedForUnlessItIsKnown(t *testing.T) {
	m := send(New(t.Context(), Deps{}), tea.BackgroundColorMsg{Color: white{}})
	if m.theme.Dark {
		t.Error("a light terminal gets the dark theme")
	}
	if m = send(New(t.Context(), Deps{Theme: darkTheme()}), tea.BackgroundColorMsg{Color: white{}}); !m.theme.Dark {
		t.Error("the terminal overrules what was asked for")
	}
}

type white struct{}

func (white) RGBA() (r, g, b, a uint32) { return 0xffff, 0xffff, 0xffff, 0xffff }
