package tui

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/probes"
)

// The history page lies over the panes: the score as it was over time, and every flip of a check, newest first.

// How much of the history the page shows at most.
const (
	historyScores = 2000
	historyFlips  = 1000
)

// historyPage is what the page shows and how.
type historyPage struct {
	scores  []Score // oldest first
	flips   []Flip  // newest first
	read    bool    // whether history has answered
	reading bool
	err     string
	zoom    int // of historyZooms
	filter  filterInput
	shown   []Flip // what the zoom and the filter let through
	scroll  scroller
}

// historyZooms are how far back the page looks; 0 is all that was recorded.
var historyZooms = []time.Duration{0, 30 * 24 * time.Hour, 7 * 24 * time.Hour, 24 * time.Hour, time.Hour}

type historyMsg struct {
	scores []Score
	flips  []Flip
	err    error
}

// openHistory shows the page and reads what it shows.
func (m *Model) openHistory() tea.Cmd {
	m.focus = focusHistory
	m.hist.scroll.top = 0
	return m.readHistory()
}

// readHistory reads what the page shows, unless it is being read.
func (m *Model) readHistory() tea.Cmd {
	h := m.d.History
	if h == nil || m.hist.reading {
		return nil
	}
	m.hist.reading = true
	return m.within(func(ctx context.Context) tea.Msg {
		var msg historyMsg
		msg.scores, msg.err = h.Scores(ctx, historyScores)
		if msg.err == nil {
			msg.flips, msg.err = h.Flips(ctx, historyFlips)
		}
		return msg
	})
}

func (m *Model) takeHistory(msg historyMsg) {
	m.hist.reading, m.hist.read, m.hist.err = false, true, ""
	m.historyTrouble(msg.err)
	if msg.err != nil {
		m.hist.err = probes.Clean(msg.err.Error(), 300)
		return
	}
	m.hist.scores, m.hist.flips = msg.scores, msg.flips
}

// pressHistory handles the keys of the page and reports whether it was one of them.
func (m *Model) pressHistory(k tea.KeyPressMsg) bool {
	h := &m.hist
	switch {
	case key.Matches(k, m.keys.back) && h.filter.text != "":
		h.filter.text, h.scroll.top = "", 0
	case key.Matches(k, m.keys.back), key.Matches(k, m.keys.history), key.Matches(k, m.keys.pane):
		m.focus = focusList
	case key.Matches(k, m.keys.filter):
		h.filter.typing = true
	case key.Matches(k, m.keys.zoom):
		h.zoom = (h.zoom + 1) % len(historyZooms)
		h.scroll.top = 0
	case scrollKey(&h.scroll, m.keys, k, m.historyRoom()):
	default:
		return false
	}
	return true
}

// pressHistoryFilter handles keys while the page's filter is typed.
func (m *Model) pressHistoryFilter(k tea.KeyPressMsg) {
	h := &m.hist
	switch k.String() {
	case "enter":
		h.filter.typing = false
	case "esc":
		h.filter = filterInput{}
	case "up", "down":
		scrollKey(&h.scroll, m.keys, k, m.historyRoom())
		return
	default:
		h.filter.edit(k)
	}
	h.scroll.top = 0
}

// historyBindings are the keys that do something on the page.
func (m *Model) historyBindings() []key.Binding {
	k := m.keys
	all := []key.Binding{described(k.up, "↑↓", "scroll"), described(k.back, "esc", "back"), k.filter, k.zoom, k.next}
	if m.d.Report != nil {
		all = append(all, k.report)
	}
	if m.hist.filter.text != "" {
		all[1] = described(k.back, "esc", "clear filter")
	}
	if m.d.Demo != nil {
		all = append(all, k.demo)
	}
	return append(all, k.theme, k.help, k.quit)
}

// historySince is the first moment that the page shows; zero for all.
func (m *Model) historySince() time.Time {
	if zoom := historyZooms[m.hist.zoom]; zoom > 0 {
		return m.now.Add(-zoom)
	}
	return time.Time{}
}

func (m *Model) zoomWords() string {
	switch zoom := historyZooms[m.hist.zoom]; {
	case zoom == 0:
		return "all recorded"
	case zoom > 24*time.Hour:
		return fmt.Sprintf("last %d days", zoom/(24*time.Hour))
	}
	return "last " + shortDuration(historyZooms[m.hist.zoom])
}

// layHistory works out what the page shows at a size.
func (m *Model) layHistory(w, h int) {
	since, words := m.historySince(), m.hist.filter.words()
	m.hist.shown = m.hist.shown[:0:0]
	for _, f := range m.hist.flips {
		if !f.At.Before(since) && f.matches(words) {
			m.hist.shown = append(m.hist.shown, f)
		}
	}
	var lines []string
	for _, f := range m.hist.shown {
		lines = append(lines, m.flipLines(f, w)...)
	}
	if len(lines) == 0 {
		lines = wrapped(m.theme.Muted, m.noFlips(), " ", w)
	}
	m.hist.scroll.set(lines, h-len(m.historyHead(w, h)))
}

// matches reports whether a flip has every word somewhere, or the letters of a word in its check's id, in order.
func (f Flip) matches(words []string) bool {
	text := strings.ToLower(strings.Join([]string{string(f.Check), f.From.String(), f.To.String(), f.Summary}, "\n"))
	for _, w := range words {
		if !strings.Contains(text, w) && !subsequence(strings.ToLower(string(f.Check)), w) {
			return false
		}
	}
	return true
}

// noFlips says why there is nothing in the list.
func (m *Model) noFlips() string {
	h := &m.hist
	switch {
	case h.err != "":
		return "The history cannot be read: " + h.err
	case !h.read:
		return "Reading the history."
	case len(h.scores) == 0 && len(h.flips) == 0:
		return "Nothing is recorded yet. The score and every change of a check are, as long as a board or a check runs on this machine."
	case len(h.filter.words()) > 0 && len(h.flips) > 0:
		return "No change matches the filter."
	case len(h.flips) > 0:
		return "No check changed in this time."
	}
	return "No check has changed since recording began."
}

// historyRoom is how many lines of the list are visible.
func (m *Model) historyRoom() int {
	pane := m.layout.detail
	return pane.Dy() - len(m.historyHead(pane.Dx(), pane.Dy()))
}

// historyView draws the page.
func (m *Model) historyView(w, h int) []string {
	head := m.historyHead(w, h)
	return block(append(head, m.hist.scroll.view(m.theme, w, h-len(head))...), w, h)
}

// historyHead is what stays above the list: the score over time, and the list's title.
func (m *Model) historyHead(w, h int) []string {
	const roomy, atLeast = 13, 5
	if h < atLeast {
		return nil
	}
	var out []string
	points := m.historyPoints()
	switch {
	case len(points) < 2:
	case h >= roomy && w >= smallWidth:
		out = append(plot(m.theme, points, m.now, m.threshold(), w-1, min(10, (h-4)/3)), "")
	default:
		g := m.theme.Glyphs
		first, last := points[0], points[len(points)-1]
		percents := []int{}
		for _, s := range sample(points, m.now, max(2, min(w-24, 48))) {
			percents = append(percents, s.Percent)
		}
		spans := []span{
			in(m.theme.Text, fmt.Sprintf(" %d %% ", first.Percent)), in(m.theme.Accent, sparkline(g, percents, w)),
			in(m.theme.Text, fmt.Sprintf(" %d %%", last.Percent)), in(m.theme.Muted, "  since "+day(first.At, m.now)),
		}
		out = append(out, line(m.theme, w, spans, nil, nil))
	}
	if len(points) == 0 && len(m.hist.flips) == 0 {
		return nil
	}
	return append(out, m.flipsTitle(w))
}

// threshold is the percentage that GO needs, rounded up.
func (m *Model) threshold() int {
	t := m.board.Outline.Threshold
	if t == nil {
		return 0
	}
	n := new(big.Int).Quo(t.Num(), t.Denom()).Int64()
	if !t.IsInt() {
		n++
	}
	return int(n)
}

// historyPoints are the scores within the zoom, the one that held at its beginning included, and the one of now.
func (m *Model) historyPoints() []Score {
	since := m.historySince()
	var points []Score
	for _, s := range m.hist.scores {
		if s.At.Before(since) {
			s.At = since
			points = points[:0]
		}
		points = append(points, s)
	}
	if len(points) > 0 && m.settled() && m.now.After(points[len(points)-1].At) {
		points = append(points, Score{At: m.now, Percent: m.board.Percent, Verdict: m.board.Verdict})
	}
	return points
}

func (m *Model) flipsTitle(w int) string {
	th, h := m.theme, &m.hist
	title := []span{in(th.Strong, "Changes, newest first")}
	if h.filter.typing || h.filter.text != "" {
		title = []span{in(th.Strong, "Changes"), in(th.Accent, "  /"+h.filter.text)}
	}
	note := plural(len(h.shown), "change", "changes")
	if len(h.shown) < len(h.flips) {
		note = fmt.Sprintf("%d of %d", len(h.shown), len(h.flips))
	}
	if len(h.flips) >= historyFlips {
		note += ", the newest"
	}
	return titled(th, w, title, []span{in(th.Muted, note)}, true)
}

// flipLines draw one flip: on one line where there is room, else on two.
func (m *Model) flipLines(f Flip, w int) []string {
	th := m.theme
	from, to := lookOf(th, f.From), lookOf(th, f.To)
	change := []span{
		in(from.style, from.glyph+" "+from.word), in(th.Muted, " → "), in(to.style.Bold(), to.glyph+" "+to.word),
	}
	when := in(th.Muted, fmt.Sprintf(" %12s  ", moment(f.At, m.now)))
	const column = 22 // of the change: the longest is "? unknown → ◌ blocked"
	if w >= wideWidth {
		gap := max(2, column-spansWidth(change))
		left := append([]span{when}, change...)
		left = append(left, in(th.Text, strings.Repeat(" ", gap)+fmt.Sprintf("%-24s ", f.Check)), in(th.Muted, f.Summary))
		return []string{line(th, w, left, nil, nil)}
	}
	if w >= roomyWidth {
		return []string{
			line(th, w, []span{when, in(th.Text, string(f.Check))}, append(change, in(th.Text, " ")), nil),
			line(th, w, []span{in(th.Text, strings.Repeat(" ", cells(when.text))), in(th.Muted, f.Summary)}, nil, nil),
		}
	}
	second := append([]span{in(th.Text, "   ")}, change...)
	return []string{
		line(th, w, []span{when, in(th.Text, string(f.Check))}, nil, nil),
		line(th, w, append(second, in(th.Muted, "  "+f.Summary)), nil, nil),
	}
}

func (m *Model) historyTitle() []span {
	th := m.theme
	title := []span{in(th.Heading, "History"), in(th.Muted, "  "+m.zoomWords())}
	points := m.historyPoints()
	if len(points) == 0 {
		return title
	}
	low, high := points[0].Percent, points[0].Percent
	for _, p := range points {
		low, high = min(low, p.Percent), max(high, p.Percent)
	}
	words := fmt.Sprintf("score %d %%", high)
	if low != high {
		words = fmt.Sprintf("score %d–%d %%", low, high)
	}
	return append(title, in(th.Muted, "  "+m.theme.Glyphs.Dot+" "+words+fmt.Sprintf(", GO needs %d %%", m.threshold())))
}
