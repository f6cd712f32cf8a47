package theme

import (
	"fmt"
	"image/color"
	"math"
	"reflect"
	"regexp"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

// luminance is the relative luminance of the web's accessibility guidelines.
func luminance(c color.Color) float64 {
	r, g, b, _ := c.RGBA()
	channel := func(v uint32) float64 {
		f := float64(v) / 0xffff
		if f <= 0.03928 {
			return f / 12.92
		}
		return math.Pow((f+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(r) + 0.7152*channel(g) + 0.0722*channel(b)
}

func contrast(a, b color.Color) float64 {
	x, y := luminance(a), luminance(b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

func TestEveryTextIsReadable(t *testing.T) {
	for _, name := range Names() {
		for _, dark := range []bool{true, false} {
			p := paletteOf(name, dark)
			least := 4.5
			if name == "high-contrast" {
				least = 7
			}
			texts := map[string]color.Color{
				"text": p.text, "muted": p.muted, "accent": p.accent, "pass": p.pass, "warn": p.warn, "fail": p.fail,
				"blocked": p.blocked, "unknown": p.unknown,
			}
			for role, c := range texts {
				for where, ground := range map[string]color.Color{"background": p.background, "selection": p.selection, "surface": p.surface} {
					want := least
					if role == "muted" && where != "background" {
						want = 4 // labels, for a moment
					}
					if got := contrast(c, ground); got < want {
						t.Errorf("%s dark=%t: %s on the %s has contrast %.2f, want %.1f", name, dark, role, where, got, want)
					}
				}
			}
			for role, c := range map[string]color.Color{"GO": p.pass, "NO-GO": p.fail, "UNKNOWN": p.unknown, "chip": p.accent} {
				if got := contrast(p.onBlock, c); got < least {
					t.Errorf("%s dark=%t: text on the %s block has contrast %.2f, want %.1f", name, dark, role, got, least)
				}
			}
			if got := contrast(p.line, p.background); got < 1.5 {
				t.Errorf("%s dark=%t: lines have contrast %.2f: they cannot be seen", name, dark, got)
			}
		}
	}
}

// spread is how far a colour is from grey.
func spread(c color.Color) int {
	r, g, b, _ := c.RGBA()
	return int(max(r, g, b)>>8) - int(min(r, g, b)>>8)
}

func TestColoursSurvive256(t *testing.T) {
	for _, name := range Names() {
		for _, dark := range []bool{true, false} {
			p := paletteOf(name, dark)
			as := func(c color.Color) color.Color { return ansi.Convert256(c) }
			for role, c := range map[string]color.Color{
				"muted": p.muted, "accent": p.accent, "pass": p.pass, "warn": p.warn, "fail": p.fail, "blocked": p.blocked, "unknown": p.unknown,
			} {
				if spread(c) > 60 && spread(as(c)) < 40 {
					t.Errorf("%s dark=%t: %s becomes grey", name, dark, role)
				}
				for where, ground := range map[string]color.Color{"background": p.background, "selection": p.selection, "surface": p.surface} {
					if got := contrast(as(c), as(ground)); got < 3.3 {
						t.Errorf("%s dark=%t: %s on the %s has contrast %.2f", name, dark, role, where, got)
					}
				}
			}
			if spread(as(p.surface)) > 20 {
				t.Errorf("%s dark=%t: the strip at the top becomes colourful", name, dark)
			}
		}
	}
}

func TestColourBlindTellsPassFromFailByBlueAgainstOrange(t *testing.T) {
	for _, dark := range []bool{true, false} {
		p := colourBlind(dark)
		passR, _, passB, _ := p.pass.RGBA()
		failR, _, failB, _ := p.fail.RGBA()
		if passB <= passR || failR <= failB {
			t.Errorf("dark=%t: pass %v is not blue or fail %v is not orange", dark, p.pass, p.fail)
		}
	}
}

var colourSGR = regexp.MustCompile(`\x1b\[[0-9;:]*\b(3[0-8]|4[0-8]|9[0-7]|10[0-7])\b[0-9;:]*m`)

func TestNoColorMeansNoColour(t *testing.T) {
	for _, o := range []Options{{NoColor: true}, {Name: "light", NoColor: true}, {Name: "mono"}} {
		th := New(o)
		for role, s := range styles(th) {
			for _, drawn := range []string{s.Render("x"), th.Selected(s).Render("x"), th.OnBar(s).Render("x")} {
				if colourSGR.MatchString(drawn) {
					t.Errorf("%+v: %s is drawn in colour: %q", o, role, drawn)
				}
			}
		}
		if th.Background != nil || th.Foreground != nil {
			t.Errorf("%+v paints the terminal", o)
		}
	}
	if !colourSGR.MatchString(New(Options{}).Fail.Render("x")) {
		t.Error("the expression of this test does not see colours at all")
	}
}

// styles collects the styles of a theme by name.
func styles(th *Theme) map[string]Style {
	all := map[string]Style{}
	v := reflect.ValueOf(*th)
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.Type == reflect.TypeFor[Style]() {
			all[f.Name] = v.Field(i).Interface().(Style)
		}
	}
	return all
}

func TestGlyphs(t *testing.T) {
	for _, g := range []Glyphs{unicodeGlyphs(), asciiGlyphs()} {
		seen := map[string]string{}
		each(g, func(name, sign string) {
			if w := ansi.StringWidth(sign); w != 1 {
				t.Errorf("ascii=%t: %s %q is %d cells wide", g.ASCII, name, sign, w)
			}
			if g.ASCII && (len(sign) != 1 || sign[0] >= 0x80) {
				t.Errorf("%s %q is not ASCII", name, sign)
			}
		})
		for name, sign := range map[string]string{
			"pass": g.Pass, "warn": g.Warn, "fail": g.Fail, "blocked": g.Blocked, "unknown": g.Unknown,
			"not-applicable": g.NotApplicable, "pending": g.Pending,
		} {
			if other, ok := seen[sign]; ok {
				t.Errorf("ascii=%t: %s and %s look the same", g.ASCII, name, other)
			}
			seen[sign] = name
		}
	}
}

func each(g Glyphs, see func(name, sign string)) {
	v := reflect.ValueOf(g)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch f := v.Field(i).Interface().(type) {
		case string:
			see(name, f)
		case []string:
			for n, s := range f {
				see(fmt.Sprintf("%s %d", name, n), s)
			}
		case [4]string:
			for n, s := range f {
				see(fmt.Sprintf("%s %d", name, n), s)
			}
		}
	}
}

func TestNames(t *testing.T) {
	name, seen := "auto", map[string]bool{}
	for range Names() {
		if err := Valid(name); err != nil {
			t.Error(err)
		}
		seen[name] = true
		name = Next(name)
	}
	if name != "auto" || len(seen) != len(Names()) {
		t.Errorf("the cycle ends at %s after %d of %d themes", name, len(seen), len(Names()))
	}
	if Valid("solarised") == nil || Valid("") != nil {
		t.Error("a theme that does not exist is valid, or none is not")
	}
	if got := New(Options{Name: "solarised"}).Name; got != "auto" {
		t.Errorf("an unknown name gives %s", got)
	}
}

func TestBackgroundDecidesAutoAlone(t *testing.T) {
	bright, dim := false, true
	if !New(Options{}).Dark || !New(Options{Dark: &dim}).Dark || New(Options{Dark: &bright}).Dark {
		t.Error("auto does not follow the terminal's background")
	}
	if th := New(Options{Name: "light", Dark: &dim}); th.Dark || th.Background == nil {
		t.Error("light on a dark terminal must paint its own background")
	}
	if New(Options{}).Background != nil {
		t.Error("auto must leave the terminal its own background")
	}
}
