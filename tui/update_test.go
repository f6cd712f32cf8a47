package tui

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/254carbon/gonogo/probes"
)

// guarded are dependencies that count their calls, and fail the test when one happens while a key is handled or a frame is drawn.
type guarded struct {
	t      *testing.T
	inside atomic.Bool // Update or View is running
	calls  atomic.Int64
	asked  [][]probes.ID
	copied []string
}

func (g *guarded) call(what string) {
	g.calls.Add(1)
	if g.inside.Load() {
		g.t.Errorf("%s is called within Update or View", what)
	}
}

func (g *guarded) Next(ctx context.Context) (probes.Checklist, error) {
	g.call("Feed.Next")
	<-ctx.Done()
	return probes.Checklist{}, ctx.Err()
}

func (g *guarded) Previous(ctx context.Context) (int, time.Time, bool, error) {
	g.call("History.Previous")
	return record{}.Previous(ctx)
}

func (g *guarded) Scores(ctx context.Context, n int) ([]Score, error) {
	g.call("History.Scores")
	return record{}.Scores(ctx, n)
}

func (g *guarded) Flips(ctx context.Context, n int) ([]Flip, error) {
	g.call("History.Flips")
	return record{}.Flips(ctx, n)
}

func (g *guarded) Strip(ctx context.Context, id probes.ID, n int) ([]probes.Status, error) {
	g.call("History.Strip")
	return record{}.Strip(ctx, id, n)
}

func (g *guarded) deps() Deps {
	var toggled []string
	return Deps{
		Feed: g, History: g, Report: func(context.Context) (string, error) { g.call("Report"); return someReport, nil }, Demo: switches(&toggled),
		Refresh: func(ids ...probes.ID) { g.call("Refresh"); g.asked = append(g.asked, ids) },
		Now:     func() time.Time { g.call("Now"); return noon() },
		Copy: func(s string) tea.Cmd { // builds a command; what it does happens later
			return func() tea.Msg { g.call("copy"); g.copied = append(g.copied, s); return nil }
		},
	}
}

// handle is Update and View under guard; it returns the new model and the commands.
func (g *guarded) handle(m Model, msg tea.Msg) (Model, tea.Cmd) {
	g.inside.Store(true)
	defer g.inside.Store(false)
	next, cmd := m.Update(msg)
	m = next.(Model)
	_ = m.View()
	return m, cmd
}

func TestKeysAndFramesCallNothing(t *testing.T) {
	g := &guarded{t: t}
	m := New(t.Context(), g.deps())
	m, _ = g.handle(m, tea.WindowSizeMsg{Width: 120, Height: 36})
	m, _ = g.handle(m, listMsg{list: documented(), now: noon()})
	m, _ = g.handle(m, switchesMsg{switches: someSwitches()})
	keys := []string{
		"up", "down", "left", "right", "home", "end", "pgup", "pgdown", "enter", "space", "esc", "tab", "backspace",
		"/", "s", "c", "r", "R", "y", "n", "t", "?", "d", "1", "2", "j", "k", "g", "G", "h", "l", "x", "ctrl+u",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var msg tea.Msg = press(keys[random.IntN(len(keys))])
		switch random.IntN(12) {
		case 0:
			msg = tea.MouseClickMsg{X: random.IntN(130), Y: random.IntN(40), Button: tea.MouseLeft}
		case 1:
			msg = tea.MouseWheelMsg{X: random.IntN(130), Y: random.IntN(40), Button: tea.MouseWheelDown}
		case 2:
			msg = tea.WindowSizeMsg{Width: random.IntN(220), Height: random.IntN(70)}
		case 3:
			msg = tea.PasteMsg{Content: "harbor\x1b[31m\n" + strings.Repeat("x", 200)}
		case 4:
			msg = listMsg{list: []func() probes.Checklist{documented, ready, blind, halfBlind}[random.IntN(4)](), now: noon()}
		}
		m, _ = g.handle(m, msg)
		fits(t, m.View().Content, m.w, m.h)
		if t.Failed() {
			t.Fatalf("after %#v", msg)
		}
	}
	if n := g.calls.Load(); n != 0 {
		t.Errorf("%d calls although no command was run", n)
	}
}

func TestQuit(t *testing.T) {
	quits := func(m Model, key string) bool {
		_, cmd := m.Update(press(key))
		for _, msg := range messages(cmd) {
			if _, ok := msg.(tea.QuitMsg); ok {
				return true
			}
		}
		return false
	}
	m := board(t, Deps{}, documented(), 80, 24)
	wall := board(t, Deps{Mode: Mode{Wall: true}}, documented(), 80, 24)
	if !quits(m, "q") || !quits(m, "ctrl+c") || !quits(wall, "ctrl+c") || !quits(New(t.Context(), Deps{}), "q") {
		t.Error("q or ctrl+c does not quit")
	}
	if quits(wall, "q") {
		t.Error("q quits the wall")
	}
	if quits(send(m, press("/")), "q") {
		t.Error("q typed into the filter quits")
	}
	if !quits(send(m, press("/")), "ctrl+c") || !quits(send(m, press("?")), "ctrl+c") {
		t.Error("ctrl+c does not quit from the filter or the help")
	}
}

func TestTheWallIgnoresEverythingButCtrlC(t *testing.T) {
	g := &guarded{t: t}
	d := g.deps()
	d.Mode.Wall = true
	m := board(t, d, documented(), 120, 36)
	g.calls.Store(0)
	want := m.View().Content
	for _, k := range []string{"q", "r", "R", "t", "?", "/", "n", "d", "1", "enter", "down", "y", "c", "s", "esc", "tab"} {
		next, cmd := m.Update(press(k))
		if got := next.(Model).View().Content; got != want {
			t.Errorf("%s changes the wall", k)
		}
		if msgs := messages(cmd); len(msgs) > 0 {
			t.Errorf("%s leads to %v", k, msgs)
		}
	}
	clicked := send(m, tea.MouseClickMsg{X: 4, Y: 12, Button: tea.MouseLeft}, tea.PasteMsg{Content: "q"})
	if clicked.View().Content != want || m.View().MouseMode != tea.MouseModeNone || g.calls.Load() != 0 {
		t.Error("mouse or paste reach the wall")
	}
}

func TestRefresh(t *testing.T) {
	g := &guarded{t: t}
	m := impatient(board(t, g.deps(), documented(), 120, 36))
	m, cmd := g.handle(m, press("r"))
	messages(cmd)
	if diff := cmp.Diff([][]probes.ID{{"harbor-credentials"}}, g.asked); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(text(m), "asking harbor-credentials again") || !strings.Contains(text(m), "↻ gate") {
		t.Errorf("the board does not say that it asks:\n%s", text(m))
	}
	// The answer comes: the mark goes, the toast says what it is.
	list := m.list.With(probes.Result{ID: "harbor-credentials", Observation: probes.Observation{Status: probes.Pass, Summary: "it works", Confirmed: noon()}, Started: noon()})
	m = send(m, listMsg{list: list, now: noon()})
	if frame := text(m); !strings.Contains(frame, "harbor-credentials: pass") || strings.Contains(frame, "↻") {
		t.Errorf("the answer is not told:\n%s", frame)
	}
}

func TestCopyGoesThroughTheCommandsOfTheCheck(t *testing.T) {
	g := &guarded{t: t}
	m := impatient(board(t, g.deps(), documented(), 120, 36))
	for range 3 {
		var cmd tea.Cmd
		m, cmd = g.handle(m, press("y"))
		messages(cmd)
	}
	want := []string{
		`curl -sS -I -u "$HARBOR_USER:$HARBOR_PASSWORD" 'https://harbor.254carbon.com/api/v2.0/projects?project_name=library'`,
		"curl -sS https://harbor.254carbon.com/api/v2.0/health",
		`curl -sS -I -u "$HARBOR_USER:$HARBOR_PASSWORD" 'https://harbor.254carbon.com/api/v2.0/projects?project_name=library'`,
	}
	if diff := cmp.Diff(want, g.copied); diff != "" {
		t.Error(diff)
	}
}

func TestSelection(t *testing.T) {
	m := board(t, Deps{}, documented(), 120, 36)
	if m.tree.sel.id != "harbor-credentials" {
		t.Fatalf("%q is selected first, not the first open gate", m.tree.sel.id)
	}
	steps := []struct {
		keys []string
		want probes.ID
	}{
		{[]string{"down"}, "harbor-robot"},
		{[]string{"left"}, "image-mirroring"},
		{[]string{"down"}, "sso-deployment"},
		{[]string{"up", "right", "down"}, "harbor-healthy"},
		{[]string{"home"}, "monitoring"},
		{[]string{"enter", "down", "down"}, "prometheus-targets"},
		{[]string{"s"}, "prometheus-targets"},
		{[]string{"s", "s"}, "prometheus-targets"},
		{[]string{"/", "t", "a", "r", "g", "enter"}, "prometheus-targets"},
		{[]string{"esc"}, "prometheus-targets"},
		{[]string{"c"}, "monitoring"},
		{[]string{"end"}, "multi-node-ha"},
		{[]string{"c", "end"}, "backup-failure-domain"},
	}
	for _, s := range steps {
		m = sendAll(m, s.keys...)
		if m.tree.sel.id != s.want {
			t.Fatalf("after %v %q is selected, want %q\n%s", s.keys, m.tree.sel.id, s.want, text(m))
		}
		if at := m.tree.cursor(); at < m.tree.top || at >= m.tree.top+m.layout.list.Dy() {
			t.Fatalf("after %v the selected row is off screen", s.keys)
		}
	}
}

func TestTheSelectionStaysWithItsCheckAsAnswersComeIn(t *testing.T) {
	m := board(t, Deps{}, documented(), 120, 36)
	m = sendAll(m, "end", "up")
	id := m.tree.sel
	m = send(m, listMsg{list: halfBlind(), now: noon()})
	if m.tree.sel != id {
		t.Errorf("the selection moved from %v to %v", id, m.tree.sel)
	}
	m = send(m, listMsg{list: ready(), now: noon()}) // its component folds, as everything passes
	if m.tree.sel.id != "multi-node-ha" {
		t.Errorf("%v is selected instead of the component", m.tree.sel)
	}
}

func TestFilterAndSortChangeNothingOfTheScore(t *testing.T) {
	m := board(t, Deps{}, documented(), 120, 36)
	for _, word := range []string{"fail", "harbor", "hrbrcred", "zzz", "SSO gate"} {
		f := sendAll(m, "/")
		f = send(f, tea.PasteMsg{Content: word})
		f = sendAll(f, "enter", "s")
		if f.board.Percent != 87 || !strings.Contains(text(f), "87 %") {
			t.Errorf("the filter %q changes the score", word)
		}
		want := map[string]int{"fail": 10 /* two by their claim */, "harbor": 5, "hrbrcred": 1, "zzz": 0, "SSO gate": 2}[word]
		if f.tree.matched != want {
			t.Errorf("the filter %q lets %d checks through, want %d", word, f.tree.matched, want)
		}
	}
	s := sendAll(m, "s")
	if s.board.Components[s.tree.rows[0].comp].Status != probes.Fail {
		t.Error("worst first does not begin with what fails")
	}
	s = sendAll(s, "s")
	if first := s.board.Components[s.tree.rows[0].comp].Component.ID; first != "sso-deployment" {
		t.Errorf("most points first begins with %s", first)
	}
}

func TestMouse(t *testing.T) {
	m := board(t, Deps{}, documented(), 120, 36)
	l := m.layout
	click := func(m Model, x, y int) Model { return send(m, tea.MouseClickMsg{X: x, Y: y, Button: tea.MouseLeft}) }
	m = click(m, 10, l.list.Min.Y)
	if m.tree.sel.id != "monitoring" || m.focus != focusList {
		t.Fatalf("a click selects %v", m.tree.sel)
	}
	m = click(m, 10, l.list.Min.Y)
	if !m.tree.rows[0].open {
		t.Error("a second click does not unfold")
	}
	m = click(m, l.detail.Min.X+2, l.detail.Min.Y+2)
	if m.focus != focusDetail {
		t.Error("a click into the detail does not give it the keys")
	}
	m = send(m, tea.MouseWheelMsg{X: 10, Y: l.list.Min.Y + 3, Button: tea.MouseWheelDown})
	if m.tree.top != wheelStep {
		t.Errorf("the wheel over the list leaves its top at %d", m.tree.top)
	}
	m = click(m, m.layout.next.Min.X+2, m.layout.next.Min.Y+1)
	if m.right != focusNext {
		t.Error("a click on what is next does not open it")
	}
	before := m.View().Content
	m = send(m, tea.MouseClickMsg{X: 10, Y: l.list.Min.Y, Button: tea.MouseRight}, tea.MouseMotionMsg{X: 1, Y: 1}, tea.MouseReleaseMsg{X: 1, Y: 1})
	if m.View().Content != before {
		t.Error("other buttons, motion or releases change the board")
	}
}

func TestNotices(t *testing.T) {
	m := board(t, Deps{}, documented(), 120, 36)
	m = send(m, noticeMsg{ID: "profile", Level: Warning, Text: "the profile\x1b[2J is\nbroken"})
	if !strings.Contains(text(m), "! the profile is broken") {
		t.Errorf("the notice is not shown, or not cleaned:\n%s", text(m))
	}
	m = send(m, noticeMsg{ID: "state", Level: Trouble, Text: "the state is damaged"}, noticeMsg{ID: "profile"})
	if frame := text(m); strings.Contains(frame, "broken") || !strings.Contains(frame, "the state is damaged") {
		t.Errorf("a notice does not go, or takes another with it:\n%s", frame)
	}
}

func TestTheEndOfTheFeedIsSaidAndTheBoardStays(t *testing.T) {
	for _, wall := range []bool{false, true} {
		m := board(t, Deps{Mode: Mode{Wall: wall}}, documented(), 120, 36)
		next, cmd := m.Update(listMsg{err: errors.New("the feed is closed"), now: noon()})
		m = next.(Model)
		if frame := text(m); !strings.Contains(frame, "no more answers come in: the feed is closed") || !strings.Contains(frame, "6 gates open") {
			t.Errorf("wall=%t:\n%s", wall, frame)
		}
		if msgs := messages(cmd); len(msgs) > 0 {
			t.Errorf("wall=%t: the end of the feed leads to %v", wall, msgs)
		}
	}
}

func TestTroubleOfHistoryIsSaid(t *testing.T) {
	m := board(t, Deps{}, documented(), 120, 36)
	m = send(m, pastMsg{err: errors.New("the database is damaged")})
	if !strings.Contains(text(m), "history cannot be read: the database is damaged") {
		t.Error("it is not said")
	}
	m = send(m, pastMsg{percent: 85, at: noon(), ok: true})
	if strings.Contains(text(m), "history cannot") {
		t.Error("it stays although history can be read again")
	}
}

func TestSwitchesOfTheDemo(t *testing.T) {
	var toggled []string
	m := board(t, Deps{Demo: switches(&toggled), Mode: Mode{Demo: true}}, documented(), 120, 36)
	m = send(m, m.readSwitches()())
	m = sendAll(m, "d")
	cmd := m.toggle("2")
	m = send(m, cmd())
	if diff := cmp.Diff([]string{"2"}, toggled); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(text(m), "Prometheus is slow") {
		t.Errorf("the switches are not shown:\n%s", text(m))
	}
	if none := board(t, Deps{}, documented(), 120, 36); strings.Contains(text(sendAll(none, "d")), "Switches") {
		t.Error("there are switches outside the demo")
	}
}

func TestHelpShowsOnlyWhatWorksHere(t *testing.T) {
	bare := text(sendAll(board(t, Deps{}, documented(), 120, 36), "?"))
	for _, absent := range []string{"ask what is selected again", "ask every check again", "faults and scenarios"} {
		if strings.Contains(bare, absent) {
			t.Errorf("the help offers %q, which nothing answers", absent)
		}
	}
	full := text(sendAll(board(t, (&guarded{t: t}).deps(), documented(), 120, 40), "?"))
	for _, present := range []string{"ask what is selected again", "ask every check again", "faults and scenarios", "copy the command"} {
		if !strings.Contains(full, present) {
			t.Errorf("the help does not offer %q:\n%s", present, full)
		}
	}
	if strings.Contains(text(sendAll(board(t, Deps{}, documented(), 120, 36), "n", "?")), "copy the command") {
		t.Error("the help offers to copy where no check is shown")
	}
}
