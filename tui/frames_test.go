package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

// scene is a state of the board worth looking at.
type scene struct {
	name   string
	deps   Deps
	list   func() probes.Checklist
	keys   []string
	before []tea.Msg // the keys
	more   []tea.Msg
}

func scenes() []scene {
	demo := Mode{Demo: true, DemoLabel: "documented", Who: "admin@bastion", Context: "kind-prod"}
	plain := Deps{History: record{}, Refresh: func(...probes.ID) {}, Mode: Mode{ReadOnly: true, Who: "admin@bastion", Context: "prod"}}
	with := func(change func(*Deps)) Deps {
		d := plain
		change(&d)
		return d
	}
	acts := with(func(d *Deps) { d.Mode.ReadOnly, d.Actions = false, &fakeEngine{offers: someOffers()} })
	offered := []tea.Msg{offersMsg(someOffers())}
	ran := []tea.Msg{offered[0], runsMsg{all: []actions.RunInfo{someRun(someEvents(), true, actions.Running)}}}
	wall := with(func(d *Deps) { d.Mode.Wall = true })
	inDemo := with(func(d *Deps) { d.Mode, d.Demo = demo, switches(nil) })
	return []scene{
		{name: "documented", deps: inDemo, list: documented},
		{name: "detail", deps: plain, list: documented, keys: []string{"enter"}},
		{name: "component", deps: plain, list: documented, keys: []string{"home"}},
		{name: "drift", deps: plain, list: drifted, keys: []string{"home"}},
		{name: "filter", deps: plain, list: documented, keys: []string{"/", "g", "a", "t", "e"}},
		{name: "next", deps: plain, list: documented, keys: []string{"n"}},
		{name: "history", deps: plain, list: documented, keys: []string{"H"}, more: []tea.Msg{recorded()}},
		{name: "history-filter", deps: plain, list: documented, keys: []string{"H", "/", "n", "o", "d", "e"}, more: []tea.Msg{recorded()}},
		{name: "history-empty", deps: plain, list: documented, keys: []string{"H"}, more: []tea.Msg{historyMsg{}}},
		{name: "report", deps: with(func(d *Deps) { d.Report = writeReport }), list: documented, keys: []string{"p"}, more: []tea.Msg{reportMsg{text: someReport}}},
		{name: "help", deps: plain, list: documented, keys: []string{"?"}},
		{name: "switches", deps: inDemo, list: documented, keys: []string{"d"}, more: []tea.Msg{switchesMsg{switches: someSwitches()}}},
		{name: "half-blind", deps: plain, list: halfBlind, more: []tea.Msg{noticeMsg{ID: "profile", Level: Warning, Text: "profile.yaml:12:3: unknown key wieght, did you mean weight? The old profile stays in use"}}},
		{name: "all-unknown", deps: plain, list: blind},
		{name: "starting", deps: plain, list: func() probes.Checklist { return checklist(nil) }},
		{name: "go", deps: plain, list: ready},
		{name: "ascii", deps: with(func(d *Deps) { d.Theme.ASCII = true }), list: halfBlind},
		{name: "actions", deps: acts, list: documented, keys: []string{"a"}, before: offered},
		{name: "action-form", deps: acts, list: documented, keys: []string{"m"}, before: offered},
		{name: "action-plan", deps: acts, list: documented, keys: []string{"m", "enter"}, before: offered, more: []tea.Msg{planMsg{asked: 1, plan: somePlan(actions.Updates)}}},
		{name: "action-typed", deps: acts, list: documented, keys: []string{"m", "enter"}, before: offered, more: []tea.Msg{planMsg{asked: 1, plan: somePlan(actions.Deletes)}}},
		{name: "runs", deps: acts, list: documented, keys: []string{"L"}, before: ran, more: []tea.Msg{followed(someEvents())}},
		{name: "runs-strip", deps: acts, list: documented, before: ran, more: []tea.Msg{followed(someEvents())}},
		{name: "wall", deps: wall, list: documented},
		{name: "wall-drift", deps: wall, list: drifted},
		{name: "wall-go", deps: wall, list: ready},
		{name: "wall-old", deps: wall, list: documented, more: []tea.Msg{clockMsg(noon().Add(90 * time.Minute))}},
	}
}

func someSwitches() []Switch {
	return []Switch{
		{Key: "1", Label: "Harbor answers 500", State: "off"},
		{Key: "2", Label: "Prometheus is slow", State: "on", On: true},
		{Key: "3", Label: "a worker joins", State: "off"},
	}
}

// followed are the events of the run of someRun.
func followed(events []actions.Event) eventsMsg {
	return eventsMsg{id: "mirror-12", f: &fakeFollower{}, events: events}
}

// recorded is what is read for the history page.
func recorded() historyMsg {
	scores, _ := record{}.Scores(nil, historyScores) //nolint:staticcheck // it asks nobody
	flips, _ := record{}.Flips(nil, historyFlips)    //nolint:staticcheck // it asks nobody
	return historyMsg{scores: scores, flips: flips}
}

func (s scene) at(tb testing.TB, w, h int) Model {
	m := send(board(tb, s.deps, s.list(), w, h), s.before...)
	for _, k := range s.keys {
		m = send(m, press(k))
	}
	return send(m, s.more...)
}

// press is the message of a key by its name.
func press(name string) tea.KeyPressMsg {
	switch name {
	case "enter":
		return tea.KeyPressMsg{Code: tea.KeyEnter}
	case "esc":
		return tea.KeyPressMsg{Code: tea.KeyEscape}
	case "tab":
		return tea.KeyPressMsg{Code: tea.KeyTab}
	case "up":
		return tea.KeyPressMsg{Code: tea.KeyUp}
	case "down":
		return tea.KeyPressMsg{Code: tea.KeyDown}
	case "left":
		return tea.KeyPressMsg{Code: tea.KeyLeft}
	case "right":
		return tea.KeyPressMsg{Code: tea.KeyRight}
	case "home":
		return tea.KeyPressMsg{Code: tea.KeyHome}
	case "end":
		return tea.KeyPressMsg{Code: tea.KeyEnd}
	case "pgup":
		return tea.KeyPressMsg{Code: tea.KeyPgUp}
	case "pgdown":
		return tea.KeyPressMsg{Code: tea.KeyPgDown}
	case "space":
		return tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
	case "backspace":
		return tea.KeyPressMsg{Code: tea.KeyBackspace}
	case "ctrl+c":
		return tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
	case "ctrl+u":
		return tea.KeyPressMsg{Code: 'u', Mod: tea.ModCtrl}
	case "ctrl+w":
		return tea.KeyPressMsg{Code: 'w', Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

func TestFrames(t *testing.T) {
	for _, s := range scenes() {
		for _, size := range [][2]int{{40, 12}, {80, 24}, {120, 36}, {200, 50}} {
			t.Run(fmt.Sprintf("%s/%dx%d", s.name, size[0], size[1]), func(t *testing.T) {
				frame := text(s.at(t, size[0], size[1]))
				fits(t, frame, size[0], size[1])
				golden.RequireEqual(t, frame)
			})
		}
	}
}

func TestThemes(t *testing.T) {
	for _, name := range theme.Names() {
		for _, dark := range []bool{true, false} {
			kind := map[bool]string{true: "dark", false: "light"}[dark]
			t.Run(name+"/"+kind, func(t *testing.T) {
				m := board(t, Deps{History: record{}, Theme: theme.Options{Name: name, Dark: &dark}}, halfBlind(), 100, 20)
				golden.RequireEqual(t, m.View().Content)
			})
		}
	}
}

// fits fails when a frame is larger than the terminal.
func fits(tb testing.TB, frame string, w, h int) {
	tb.Helper()
	if frame == "" {
		return
	}
	lines := strings.Split(frame, "\n")
	if len(lines) > h {
		tb.Errorf("%dx%d: %d lines", w, h, len(lines))
	}
	for n, l := range lines {
		if got := ansi.StringWidth(l); got > w {
			tb.Errorf("%dx%d: line %d is %d wide: %q", w, h, n, got, l)
		}
	}
}

func TestNothingOverflowsAtAnySize(t *testing.T) {
	widths, heights := 220, 70
	for _, s := range scenes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			m := s.at(t, widths, heights)
			for w := 1; w <= widths; w++ {
				for h := 1; h <= heights; h++ {
					if small := w <= 45 && h <= 15; !small && (w*7+h*3)%19 != 0 { // every combination of small ones, some of the rest
						continue
					}
					m = send(m, tea.WindowSizeMsg{Width: w, Height: h})
					fits(t, m.View().Content, w, h)
					if t.Failed() {
						return
					}
				}
			}
		})
	}
}

func TestTheVerdictIsReadAtAnySizeThatHoldsIt(t *testing.T) {
	for w := 7; w <= 220; w++ {
		for _, h := range []int{2, 3, 6, 7, 12, 24, 50} {
			m := board(t, Deps{History: record{}}, documented(), w, h)
			if frame := text(m); !strings.Contains(frame, "NO-GO") || !strings.Contains(frame, "87 %") {
				t.Fatalf("%dx%d shows no verdict or no percent:\n%s", w, h, frame)
			}
		}
	}
}

func TestASCIIIsASCII(t *testing.T) {
	for _, s := range scenes() {
		s.deps.Theme.ASCII = true
		for _, size := range [][2]int{{20, 6}, {40, 12}, {80, 24}, {120, 36}, {200, 50}} {
			frame := s.at(t, size[0], size[1]).View().Content
			fits(t, frame, size[0], size[1])
			if at := strings.IndexFunc(frame, func(r rune) bool { return r >= 0x80 }); at >= 0 {
				t.Errorf("%s %v: %q is not ASCII", s.name, size, frame[at:min(at+8, len(frame))])
			}
		}
	}
}

func TestNoColourIsNoColour(t *testing.T) {
	for _, s := range scenes() {
		s.deps.Theme.NoColor = true
		v := s.at(t, 120, 36).View()
		if strings.Contains(v.Content, "\x1b[3") || strings.Contains(v.Content, ";3") || strings.Contains(v.Content, "\x1b[4") || v.BackgroundColor != nil {
			t.Errorf("%s is drawn in colour", s.name)
		}
	}
}

func TestStatusesAreNeverToldByColourAlone(t *testing.T) {
	m := board(t, Deps{}, halfBlind(), 200, 70)
	for _, i := range m.board.Items() {
		m.tree.fold(i.Spec.Component, false)
	}
	m = send(m, tea.WindowSizeMsg{Width: 200, Height: 70})
	frame := text(m)
	for _, i := range m.board.Items() {
		k := lookOf(m.theme, i.Status)
		found := false
		for _, l := range strings.Split(frame, "\n") {
			found = found || strings.Contains(l, k.glyph+" "+i.Spec.Title[:30]) && strings.Contains(l, k.word)
		}
		if !found {
			t.Errorf("%s is not drawn with both %q and %q", i.Spec.ID, k.glyph, k.word)
		}
	}
}
