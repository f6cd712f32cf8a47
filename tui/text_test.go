package tui

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

func TestAgesAreCoarse(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "<1 min", 59 * time.Second: "<1 min", time.Minute: "1 min", 59*time.Minute + 59*time.Second: "59 min", time.Hour: "1 h",
		47 * time.Hour: "47 h", 48 * time.Hour: "2 d",
	} {
		if got := age(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}

func TestMomentsAreInTheZoneOfNow(t *testing.T) {
	zone := time.FixedZone("east", 5*3600)
	now := noon().In(zone)
	for in, want := range map[time.Time]string{
		noon().Add(-time.Hour):        "16:00",
		noon().Add(-20 * time.Hour):   "19 Oct 21:00",
		noon().AddDate(-1, 0, 0):      "20 Oct 2024",
		noon().Add(-18 * time.Hour):   "19 Oct 23:00",
		noon().Add(-16*time.Hour - 1): "00:59",
	} {
		if got := moment(in, now); got != want {
			t.Errorf("%s is %q, want %q", in, got, want)
		}
	}
}

func TestPointsRoundDown(t *testing.T) {
	for in, want := range map[string]string{"0": "0", "18": "18", "12/7": "1.7", "1/3": "0.3", "299/100": "2.9", "1/100": "0"} {
		if got := probes.ShortRat(rat(in)); got != want {
			t.Errorf("%s is %q, want %q", in, got, want)
		}
	}
}

func TestWrapKeepsWordsAndWidths(t *testing.T) {
	if diff := cmp.Diff([]string{"satisfies gate", "harbor-credentials"}, wrap("satisfies gate  harbor-credentials", 18)); diff != "" {
		t.Error(diff)
	}
	for _, s := range []string{"", " ", "a", strings.Repeat("x", 50), "wide 日本語日本語日本語 text", "ein Wort und noch eins"} {
		for w := 1; w < 30; w++ {
			for _, l := range append(wrap(s, w), chop(s, w)...) {
				if ansi.StringWidth(l) > max(w, 2) { // a wide character cannot be broken
					t.Errorf("%q at %d: %q", s, w, l)
				}
			}
			if got := strings.Join(wrap(s, w), ""); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(s, " ", "") {
				t.Errorf("%q at %d loses text: %q", s, w, got)
			}
		}
	}
}

// FuzzLine holds that a line is as wide as it should be, whatever foreign text is in it once that was cleaned.
func FuzzLine(f *testing.F) {
	f.Add("plain", "right", 10)
	f.Add("日本語 text", "👩‍🚀", 7)
	f.Add("\x1b[31mred", "e\u0301", 3)
	th := theme.New(theme.Options{})
	f.Fuzz(func(t *testing.T, left, right string, w int) {
		if w < 0 || w > 300 {
			return
		}
		left, right = probes.Clean(left, 200), probes.Clean(right, 200)
		got := line(th, w, []span{in(th.Strong, "▾ "), in(th.Fail, left), in(th.Text, left)}, []span{in(th.Muted, right)}, th.Selected)
		if ansi.StringWidth(got) != w {
			t.Errorf("%q, %q at %d is %d wide: %q", left, right, w, ansi.StringWidth(got), got)
		}
		if a := toASCII(got); ansi.StringWidth(a) != w || strings.IndexFunc(a, func(r rune) bool { return r >= 0x80 }) >= 0 {
			t.Errorf("%q in ASCII is %q", got, a)
		}
	})
}

func TestGaugeRoundsDown(t *testing.T) {
	th := theme.New(theme.Options{})
	for _, c := range []struct {
		w, low, high, full, maybe int
	}{{10, 99, 99, 9, 0}, {10, 100, 100, 10, 0}, {10, 0, 0, 0, 0}, {10, 50, 75, 5, 2}, {10, 120, 120, 10, 0}, {0, 50, 50, 0, 0}} {
		g := gauge(th, c.w, c.low, c.high, th.Pass)
		if spansWidth(g) != c.w || cells(g[0].text) != c.full || cells(g[1].text) != c.maybe {
			t.Errorf("%+v is %v", c, g)
		}
	}
}

func TestSparkline(t *testing.T) {
	g := theme.New(theme.Options{}).Glyphs
	for _, c := range []struct {
		in   []int
		w    int
		want string
	}{{nil, 5, ""}, {[]int{5}, 5, ""}, {[]int{5, 5}, 5, "▅▅"}, {[]int{0, 100}, 5, "▁█"}, {[]int{9, 0, 100}, 2, "▁█"}, {[]int{1, 2}, 0, ""}} {
		if got := sparkline(g, c.in, c.w); got != c.want {
			t.Errorf("%v is %q, want %q", c.in, got, c.want)
		}
	}
}
