package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

// oldAfter is how old the newest data may be before the board says so loudly.
const oldAfter = 2 * time.Minute

// freshness says how the data stands: its words, and whether they are good news.
type freshness struct {
	words string
	live  bool
	old   bool
}

func (m *Model) freshness() freshness {
	asked, all := 0, 0
	for _, i := range m.board.Items() {
		if i.Status == probes.NotApplicable || i.Status == probes.Blocked {
			continue
		}
		all++
		if i.Status != probes.Pending {
			asked++
		}
	}
	switch {
	case !m.have:
		return freshness{words: "starting"}
	case m.newest.IsZero() && asked < all:
		return freshness{words: fmt.Sprintf("asking, %d of %d", asked, all), live: true}
	case m.newest.IsZero():
		return freshness{words: "no data", old: true}
	}
	since := m.now.Sub(m.newest)
	if since > oldAfter {
		return freshness{words: "data is " + age(since) + " old", old: true}
	}
	return freshness{words: "live, " + age(since), live: true}
}

// titleView is the strip at the top: what is judged, how, and how fresh it is.
func (m *Model) titleView(w int) string {
	th := m.theme
	left := []span{in(th.Text, " "), in(th.Strong, m.platform())}
	f := m.freshness()
	dot, style := th.Glyphs.Live, th.Pass
	switch {
	case f.old:
		dot, style = th.Glyphs.Still, th.Warn
	case !f.live:
		dot, style = th.Glyphs.Still, th.Muted
	}
	right := []span{in(style, dot+" "), in(th.Muted, f.words+" ")}
	if f.old {
		right[1].style = th.Warn
	}
	for _, chip := range m.chips() {
		with := append([]span{in(th.Chip, " "+chip+" "), in(th.Text, "  ")}, right...)
		if spansWidth(with)+spansWidth(left)+2 > w {
			break
		}
		right = with
	}
	if room := w - spansWidth(left) - spansWidth(right) - 3; m.d.Mode.Context != "" && room >= min(12, cells(m.d.Mode.Context)) {
		left = append(left, in(th.Muted, "  "+m.d.Mode.Context))
	}
	who := []span{in(th.Muted, " "+th.Glyphs.Dot+" "+m.d.Mode.Who+" ")}
	if m.d.Mode.Who != "" && spansWidth(left)+spansWidth(right)+spansWidth(who)+2 < w {
		right = append(right, who...)
	}
	return line(th, w, left, right, th.OnBar)
}

// chips are the modes that change what the keys may do, the most important last.
func (m *Model) chips() []string {
	var chips []string
	if m.d.Mode.ReadOnly {
		chips = append(chips, "read-only")
	}
	if m.d.Mode.Demo {
		chips = append(chips, strings.TrimSpace("demo "+m.d.Mode.DemoLabel))
	}
	return chips
}

func (m *Model) platform() string {
	switch {
	case m.d.Mode.Platform != "":
		return m.d.Mode.Platform
	case m.have:
		return probes.Clean(m.list.Outline().Platform, 60)
	}
	return "gonogo"
}

// scoreText is the headline: "87 % (up to 91 %), 2 unknown".
func scoreText(a *probes.Assessment) (percent, rest string) {
	if a.HighPct != a.Percent {
		rest = fmt.Sprintf(" (up to %d %%)", a.HighPct)
	}
	for _, s := range []probes.Status{probes.Unknown, probes.Pending} {
		if n := a.Counts[s]; n > 0 {
			rest += fmt.Sprintf(", %d %s", n, s)
		}
	}
	return fmt.Sprintf("%d %%", a.Percent), rest
}

// summaryView draws verdict, score, bar and reasons.
func (m *Model) summaryView(l layout) []string {
	th, w := m.theme, l.summary.Dx()
	indent := 1
	var digits []string
	if l.digits {
		digits, indent = bigText(th, fmt.Sprintf("%d%%", m.board.Percent), 1), 1+m.digitsWidth()
	}
	inner := w - indent - 1
	lines := []string{
		line(th, inner, m.headline(inner), nil, nil),
		line(th, inner, m.scoreBar(inner), nil, nil),
	}
	if l.counts {
		lines = append(lines, line(th, inner, countSpans(th, &m.board, inner), nil, nil))
	}
	lines = append(lines, m.reasonLines(inner, l.reasons)...)
	out := make([]string, 0, l.summary.Dy())
	_, text := verdictLook(th, m.board.Verdict)
	for n := range l.summary.Dy() {
		left, right := strings.Repeat(" ", indent), ""
		if n < len(digits) {
			left = pad("  "+text.Render(digits[n]), indent)
		}
		if n < len(lines) {
			right = lines[n]
		}
		out = append(out, pad(left+right, w))
	}
	return out
}

// digitsWidth is how much of the summary's width the large digits take.
func (m *Model) digitsWidth() int {
	w, _ := bigSize(fmt.Sprintf("%d%%", m.board.Percent), 1)
	return w + 4
}

// headline is the one line that answers the question. What does not fit is left out, the least important first.
func (m *Model) headline(w int) []span {
	th := m.theme
	filled, text := verdictLook(th, m.board.Verdict)
	percent, rest := scoreText(&m.board)
	spans := []span{in(filled, " "+m.board.Verdict.String()+" "), in(th.Text, "  "), in(text.Bold(), percent), in(th.Text, rest)}
	if !m.have {
		return []span{in(th.Muted, "waiting for the first answers")}
	}
	gap := in(th.Text, "   ")
	var extra [][]span
	if d := m.delta(); d != nil {
		extra = append(extra, d)
	}
	if e := m.estimate(); e != "" {
		extra = append(extra, []span{in(th.Muted, "est. "), in(th.Text, e)})
	}
	if d := m.driftHeadline(w - spansWidth(spans) - headlineGaps(extra)); d != nil {
		extra = append(extra, d)
	}
	if s := sparkline(th.Glyphs, m.past.trend, 24); s != "" {
		extra = append(extra, []span{in(th.Muted, s)})
	}
	for _, e := range extra {
		if spansWidth(spans)+3+spansWidth(e) <= w {
			spans = append(append(spans, gap), e...)
		}
	}
	return spans
}

// headlineGaps is what the extras of the headline take, each with the gap before it, and the gap before one more.
func headlineGaps(extra [][]span) int {
	const gap = 3
	n := gap
	for _, e := range extra {
		n += gap + spansWidth(e)
	}
	return n
}

// delta compares the score with the previous one.
func (m *Model) delta() []span {
	th, p := m.theme, m.past
	if !p.ok || !m.settled() { // half asked is no score to compare
		return nil
	}
	since := in(th.Muted, " since "+day(p.at, m.now))
	switch d := m.board.Percent - p.percent; {
	case d > 0:
		return []span{in(th.Pass, fmt.Sprintf("%s +%d", th.Glyphs.Up, d)), since}
	case d < 0:
		return []span{in(th.Fail, fmt.Sprintf("%s −%d", th.Glyphs.Down, -d)), since}
	}
	return []span{in(th.Muted, "unchanged"), since}
}

// settled reports whether every check was asked.
func (m *Model) settled() bool { return m.have && m.board.Counts[probes.Pending] == 0 }

func (m *Model) estimate() string {
	if !m.settled() {
		return ""
	}
	return m.board.RemainingText()
}

func (m *Model) scoreBar(w int) []span {
	return gauge(m.theme, w, m.board.Percent, m.board.HighPct, m.theme.Pass)
}

// countSpans are the counts by status, glyph and word, shortened to glyphs where words do not fit.
func countSpans(th *theme.Theme, a *probes.Assessment, w int) []span {
	var long, short []span
	for _, s := range probes.Statuses() {
		n := a.Counts[s]
		if n == 0 {
			continue
		}
		if long != nil {
			long, short = append(long, in(th.Text, "  ")), append(short, in(th.Text, " "))
		}
		k := lookOf(th, s)
		long = append(long, in(k.style, k.glyph), in(th.Muted, fmt.Sprintf(" %d %s", n, k.word)))
		short = append(short, in(k.style, fmt.Sprintf("%s%d", k.glyph, n)))
	}
	if spansWidth(long) <= w {
		return long
	}
	return short
}

// reasonLines say why the verdict is what it is, gates first, on at most n lines. The last one says how many gates it leaves out.
func (m *Model) reasonLines(w, n int) []string {
	if n <= 0 {
		return nil
	}
	th := m.theme
	words, gates := m.reasonWords()
	out, spans := make([]string, 0, n), []span(nil)
	for i, word := range words {
		more := ""
		if left := gates - i; left > 0 && i > 0 {
			more = fmt.Sprintf("  +%d", left+1)
		}
		room := w
		if len(out) == n-1 {
			room -= len(more)
		}
		gap := 2 * min(1, len(spans))
		if gap > 0 && spansWidth(spans)+gap+spansWidth(word) > room {
			if len(out) == n-1 {
				if i > 1 && i <= gates {
					spans = append(spans, in(th.Muted, fmt.Sprintf("  +%d", gates-i+1)))
				}
				break
			}
			out = append(out, line(th, w, spans, nil, nil))
			spans, gap = nil, 0
		}
		if gap > 0 {
			spans = append(spans, in(th.Text, "  "))
		}
		spans = append(spans, word...)
	}
	return append(out, line(th, w, spans, nil, nil))
}

// reasonCount is how many lines the reasons need at a width.
func (m *Model) reasonCount(w int) int {
	return len(m.reasonLines(w, 9))
}

// reasonWords are the reasons as pieces that are kept together: how many gates are open, each of them, and the rest. It also returns how
// many gates there are; they follow the first piece.
func (m *Model) reasonWords() ([][]span, int) {
	th := m.theme
	var gates, rest [][]span
	for _, r := range m.board.Reasons {
		if r.Gate == "" {
			rest = append(rest, []span{in(th.Muted, th.Glyphs.Dot+" "), in(th.Text, r.Text)})
			continue
		}
		item, _ := m.board.Item(r.Gate)
		k := lookOf(th, item.Status)
		gates = append(gates, []span{in(k.style, k.glyph+" "), in(th.Text, string(r.Gate))})
	}
	var words [][]span
	switch {
	case !m.have:
		return nil, 0
	case len(gates) > 0:
		words = append(words, []span{in(th.Strong, plural(len(gates), "gate", "gates")+" open")})
	case m.board.Counts[probes.Pending] < len(m.board.Items()):
		words = append(words, []span{in(th.Pass, th.Glyphs.Pass+" "), in(th.Text, "every gate is satisfied")})
	}
	words = append(words, gates...)
	words = append(words, rest...)
	if n := m.waived(); n > 0 {
		words = append(words, []span{in(th.Warn, plural(n, "gate", "gates")+" waived")})
	}
	return words, len(gates)
}

func (m *Model) waived() int {
	n := 0
	for _, i := range m.board.Items() {
		if i.Waiver != nil {
			n++
		}
	}
	return n
}
