package tui

import (
	"fmt"
	"image"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/254carbon/gonogo/theme"
)

// The wall is read from five metres and left alone for months: large digits, nothing to press, pages that turn by themselves.

const (
	wallWidth  = 30 // below this, or
	wallHeight = 8  // this, the wall shows the verdict alone
)

// wallLayout says where everything is on the wall.
type wallLayout struct {
	bounds  image.Rectangle
	strip   image.Rectangle // platform, clock, age
	banner  image.Rectangle // the data is old
	hero    image.Rectangle // percent and verdict
	bar     image.Rectangle
	reasons image.Rectangle
	left    image.Rectangle // components; empty where they take turns with what fails
	right   image.Rectangle // what fails, page by page
	pixel   int             // of the percent's digits; 0 writes them in plain letters
	verdict int             // pixel of the verdict; 0 writes it in plain letters
}

// wallInput is everything that the wall's layout depends on.
type wallInput struct {
	w, h, components, reasons int
	percent, word             string
	old, ascii                bool
}

// newWallLayout is pure, as [newLayout] is.
func newWallLayout(in wallInput) wallLayout {
	l := wallLayout{bounds: image.Rect(0, 0, in.w, in.h)}
	top := 0
	take := func(n int) image.Rectangle {
		n = max(0, min(n, in.h-top))
		r := image.Rect(0, top, in.w, top+n)
		top += n
		return r
	}
	space := func() {
		if in.h >= 20 {
			top++
		}
	}
	l.strip = take(1)
	if in.old {
		l.banner = take(max(1, min(3, in.h/12)))
	}
	space()
	l.pixel, l.verdict = heroSize(in)
	_, high := bigSize(in.percent, l.pixel)
	high = max(high, 1)
	l.hero = take(high)
	space()
	l.bar = take(max(1, in.h/24))
	l.reasons = take(min(in.reasons, max(1, in.h/12)))
	space()
	rest := image.Rect(0, top, in.w, in.h)
	switch {
	case in.w >= wideWidth && rest.Dy() >= in.components:
		l.left = image.Rect(0, rest.Min.Y, in.w/2-2, rest.Max.Y)
		l.right = image.Rect(in.w/2+1, rest.Min.Y, in.w, rest.Max.Y)
	case rest.Dy() >= in.components+6:
		l.left = image.Rect(0, rest.Min.Y, in.w, rest.Min.Y+in.components)
		l.right = image.Rect(0, l.left.Max.Y+1, in.w, rest.Max.Y)
	default:
		l.right = rest
	}
	return l
}

// heroSize returns the largest pixels with which percent and verdict fit side by side in a third of the height. Without half cells only
// even pixels keep their shape.
func heroSize(in wallInput) (digits, verdict int) {
	fits := func(pixel int) bool { return !in.ascii || pixel%2 == 0 }
	for digits = 12; digits > 1; digits-- {
		dw, dh := bigSize(in.percent, digits)
		if dh > in.h/3 || !fits(digits) {
			continue
		}
		for verdict = max(digits/2, 1); verdict >= 1; verdict-- {
			if vw, _ := bigSize(in.word, verdict); dw+vw+4*verdict+6 <= in.w && fits(verdict) {
				return digits, verdict
			}
		}
		if in.ascii && dw+len(in.word)+8 <= in.w {
			return digits, 0
		}
	}
	if in.ascii {
		return 0, 0
	}
	return 1, 0
}

// wallView draws the wall. It moves by a cell or two from minute to minute, so that no edge burns in.
func (m *Model) wallView() []string {
	if m.w < wallWidth || m.h < wallHeight || !m.have {
		return m.tinyView()
	}
	minute := int(m.now.Unix() / 60)
	dx, dy := minute%3, minute/3%2
	w, h := m.w-2, m.h-1
	f := m.freshness()
	note := m.wallNote()
	if note != "" {
		h--
	}
	l := newWallLayout(wallInput{
		w: w, h: h, components: len(m.board.Components), reasons: m.reasonCount(w - 2),
		percent: fmt.Sprintf("%d%%", m.board.Percent), word: m.board.Verdict.String(), old: f.old || m.feedErr != "", ascii: m.theme.Glyphs.ASCII,
	})
	lines := make([]string, h)
	put := func(r image.Rectangle, drawn []string) {
		for i, s := range drawn {
			if i < r.Dy() {
				lines[r.Min.Y+i] = s
			}
		}
	}
	put(l.strip, []string{m.wallStrip(w, f)})
	put(l.banner, m.wallBanner(l.banner, f))
	put(l.hero, m.wallHero(l))
	put(l.bar, m.wallBar(l.bar))
	put(l.reasons, indented(m.reasonLines(w-2, l.reasons.Dy())))
	put(l.right, m.wallBody(l))
	if !l.left.Empty() && l.left.Max.Y <= l.right.Min.Y {
		put(l.left, m.wallComponents(l.left.Dx(), l.left.Dy(), 0))
	}
	out := make([]string, 0, m.h)
	if dy > 0 {
		out = append(out, "")
	}
	for _, s := range lines {
		out = append(out, strings.Repeat(" ", dx)+s)
	}
	if note != "" {
		out = append(out, line(m.theme, m.w, []span{in(m.theme.Notice, " ! "+note)}, nil, nil))
	}
	return out
}

// wallNote is the newest banner that the wall does not show in red anyway.
func (m *Model) wallNote() string {
	for _, n := range m.notices {
		if n.ID != feedNotice && n.Level != Info {
			return n.Text
		}
	}
	return ""
}

func indented(lines []string) []string {
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	return lines
}

func (m *Model) wallStrip(w int, f freshness) string {
	th := m.theme
	left := []span{in(th.Text, " "), in(th.Strong, m.platform())}
	if m.d.Mode.Context != "" && w >= roomyWidth {
		left = append(left, in(th.Muted, "  "+m.d.Mode.Context))
	}
	if m.d.Mode.Demo && w >= roomyWidth {
		left = append(left, in(th.Accent, "  "+strings.TrimSpace("demo "+m.d.Mode.DemoLabel)))
	}
	dot, style := th.Glyphs.Live, th.Pass
	if !f.live {
		dot, style = th.Glyphs.Still, th.Warn
	}
	clock := m.now.Format("Mon 2 Jan  15:04")
	if w < 50 {
		clock = m.now.Format("15:04")
	}
	return line(th, w, left, []span{in(style, dot+" "), in(th.Muted, f.words), in(th.Strong, "   "+clock+" ")}, nil)
}

// wallBanner says in red that nothing on the wall can be relied on any more.
func (m *Model) wallBanner(r image.Rectangle, f freshness) []string {
	if r.Empty() {
		return nil
	}
	th := m.theme
	text := f.words + ": what is below may no longer be so"
	switch {
	case m.feedErr != "":
		text = "no more answers come in: " + m.feedErr
	case !m.newest.IsZero():
		text = f.words + ": nothing was measured since " + moment(m.newest, m.now)
	}
	blank := th.Banner.Render(strings.Repeat(" ", r.Dx()))
	out := make([]string, r.Dy())
	for i := range out {
		out[i] = blank
	}
	text = " ! " + text
	gap := max(0, (r.Dx()-lipgloss.Width(text))/2)
	out[len(out)/2] = line(th, r.Dx(), []span{in(th.Banner, strings.Repeat(" ", gap)+text)}, nil, func(s theme.Style) theme.Style { return th.Banner })
	return out
}

// wallHero draws the percent in large digits and the verdict in a block beside it.
func (m *Model) wallHero(l wallLayout) []string {
	th := m.theme
	filled, style := verdictLook(th, m.board.Verdict)
	digits := []string{fmt.Sprintf("%d %%", m.board.Percent)}
	if l.pixel > 0 {
		digits = bigText(th, fmt.Sprintf("%d%%", m.board.Percent), l.pixel)
	}
	side := m.wallVerdict(l, filled)
	dw := lipgloss.Width(digits[0])
	room := max(0, l.hero.Dx()-dw-5)
	facts := m.wallFacts(room)
	if l.hero.Dy()-len(side) > len(facts) {
		side = append(side, "")
	}
	for _, s := range facts {
		side = append(side, line(th, room, s, nil, nil))
	}
	out := make([]string, l.hero.Dy())
	for i := range out {
		right := ""
		if i < len(side) {
			right = side[i]
		}
		out[i] = " " + style.Render(digits[i]) + "    " + right
	}
	return out
}

// wallVerdict draws the verdict as a filled block, in large letters where they fit.
func (m *Model) wallVerdict(l wallLayout, filled theme.Style) []string {
	word := m.board.Verdict.String()
	if l.verdict == 0 {
		return []string{filled.Render(" " + word + " ")}
	}
	letters := bigText(m.theme, word, l.verdict)
	side := strings.Repeat(" ", 2*l.verdict)
	blank := filled.Render(strings.Repeat(" ", lipgloss.Width(letters[0])+4*l.verdict))
	var out []string
	roomy := l.hero.Dy() >= len(letters)+3
	if roomy {
		out = append(out, blank)
	}
	for _, s := range letters {
		out = append(out, filled.Render(side+s+side))
	}
	if roomy {
		out = append(out, blank)
	}
	return out
}

// wallFacts are the lines beside the digits, the most important first.
func (m *Model) wallFacts(w int) [][]span {
	th := m.theme
	var facts [][]span
	if _, rest := scoreText(&m.board); rest != "" {
		facts = append(facts, []span{in(th.Unknown, strings.TrimLeft(rest, " ,"))})
	}
	var second []span
	if d := m.delta(); d != nil {
		second = append(second, d...)
	}
	if e := m.estimate(); e != "" {
		est := []span{in(th.Muted, "   est. "), in(th.Text, e)}
		if spansWidth(second)+spansWidth(est) <= w {
			second = append(second, est...)
		}
	}
	facts = append(facts, second, countSpans(th, &m.board, w))
	if d := m.driftHeadline(w); d != nil {
		facts = append(facts, d)
	}
	return facts
}

func (m *Model) wallBar(r image.Rectangle) []string {
	th := m.theme
	w := max(0, r.Dx()-2)
	out := make([]string, r.Dy())
	for i := range out {
		spans := m.scoreBar(w)
		if !th.Glyphs.ASCII && r.Dy() > 1 {
			spans[0].text = strings.ReplaceAll(spans[0].text, th.Glyphs.Full, "█")
			spans[1].text = strings.ReplaceAll(spans[1].text, th.Glyphs.Maybe, "▒")
			spans[2].text = strings.ReplaceAll(spans[2].text, th.Glyphs.Empty, "░")
		}
		out[i] = " " + line(th, w, spans, nil, nil)
	}
	return out
}

// wallTick is how long nothing on the wall changes by itself.
func wallTick(now time.Time) time.Duration {
	return pageEvery - time.Duration(now.UnixNano())%pageEvery
}
