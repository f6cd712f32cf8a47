package tui

import (
	"image"
	"strings"
	"testing"
)

// drawing shows a layout as letters: one per part.
func drawing(l layout) string {
	rows := make([][]byte, l.bounds.Dy())
	for y := range rows {
		rows[y] = []byte(strings.Repeat(".", l.bounds.Dx()))
	}
	for _, p := range parts(l) {
		for y := p.r.Min.Y; y < p.r.Max.Y; y++ {
			for x := p.r.Min.X; x < p.r.Max.X; x++ {
				rows[y][x] = p.letter
			}
		}
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = string(r)
	}
	return strings.Join(lines, "\n")
}

type part struct {
	letter byte
	r      image.Rectangle
}

func parts(l layout) []part {
	return []part{
		{'T', l.title}, {'S', l.summary}, {'R', l.rule}, {'L', l.list}, {'|', l.divider}, {'D', l.detail}, {'N', l.next}, {'!', l.notices}, {'F', l.footer},
	}
}

func TestLayoutDrawings(t *testing.T) {
	for _, c := range []struct {
		name string
		in   layoutInput
		want string
	}{
		{"a phone", layoutInput{w: 24, h: 10, reasons: 3, next: 5, list: true}, `
TTTTTTTTTTTTTTTTTTTTTTTT
SSSSSSSSSSSSSSSSSSSSSSSS
SSSSSSSSSSSSSSSSSSSSSSSS
SSSSSSSSSSSSSSSSSSSSSSSS
SSSSSSSSSSSSSSSSSSSSSSSS
RRRRRRRRRRRRRRRRRRRRRRRR
LLLLLLLLLLLLLLLLLLLLLLLL
LLLLLLLLLLLLLLLLLLLLLLLL
LLLLLLLLLLLLLLLLLLLLLLLL
FFFFFFFFFFFFFFFFFFFFFFFF`},
		{"its detail", layoutInput{w: 24, h: 10, reasons: 3, next: 5, notices: 2}, `
TTTTTTTTTTTTTTTTTTTTTTTT
SSSSSSSSSSSSSSSSSSSSSSSS
SSSSSSSSSSSSSSSSSSSSSSSS
RRRRRRRRRRRRRRRRRRRRRRRR
DDDDDDDDDDDDDDDDDDDDDDDD
DDDDDDDDDDDDDDDDDDDDDDDD
DDDDDDDDDDDDDDDDDDDDDDDD
DDDDDDDDDDDDDDDDDDDDDDDD
!!!!!!!!!!!!!!!!!!!!!!!!
FFFFFFFFFFFFFFFFFFFFFFFF`},
	} {
		if got := drawing(newLayout(c.in)); got != strings.TrimPrefix(c.want, "\n") {
			t.Errorf("%s:\n%s", c.name, got)
		}
	}
	wide := strings.Split(drawing(newLayout(layoutInput{w: 100, h: 18, reasons: 1, next: 5, list: true})), "\n")
	for n, want := range map[int]string{
		0: strings.Repeat("T", 100), 4: strings.Repeat("R", 100), 17: strings.Repeat("F", 100),
		6:  strings.Repeat("L", 57) + "|||" + strings.Repeat("D", 40),
		16: strings.Repeat("L", 57) + "|||" + strings.Repeat("N", 40),
	} {
		if wide[n] != want {
			t.Errorf("row %d of a wide board: %s", n, wide[n])
		}
	}
}

func TestLayoutPartsTile(t *testing.T) {
	for w := 1; w <= 220; w += 3 {
		for h := 1; h <= 70; h++ {
			for _, in := range []layoutInput{
				{w: w, h: h, list: true}, {w: w, h: h, reasons: 4, next: 6, notices: 3, list: true}, {w: w, h: h, reasons: 2, next: 40, notices: 1},
				{w: w, h: h, reasons: 2, next: 5, page: true},
			} {
				l := newLayout(in)
				tiles(t, l.bounds, parts(l))
				if !l.tiny && l.list.Dy()+l.detail.Dy() < 1 {
					t.Fatalf("%+v has no room for a pane:\n%s", in, drawing(l))
				}
			}
			wl := newWallLayout(wallInput{w: w, h: h, components: 11, reasons: 2, percent: "87%", word: "NO-GO", old: h%2 == 0})
			tiles(t, wl.bounds, []part{
				{'S', wl.strip}, {'B', wl.banner}, {'H', wl.hero}, {'b', wl.bar}, {'R', wl.reasons}, {'L', wl.left}, {'O', wl.right},
			})
		}
	}
}

// tiles fails when a part is outside or two overlap.
func tiles(t *testing.T, bounds image.Rectangle, all []part) {
	t.Helper()
	for i, p := range all {
		if !p.r.Empty() && !p.r.In(bounds) {
			t.Fatalf("%v: part %c is at %v", bounds, p.letter, p.r)
		}
		for _, q := range all[:i] {
			if p.r.Overlaps(q.r) {
				t.Fatalf("%v: parts %c and %c overlap: %v, %v", bounds, p.letter, q.letter, p.r, q.r)
			}
		}
	}
}

func TestLayoutIsPure(t *testing.T) {
	in := layoutInput{w: 130, h: 40, reasons: 2, next: 5, notices: 1, list: true}
	if newLayout(in) != newLayout(in) {
		t.Error("the same input gives two layouts")
	}
}
