package tui

import (
	"strings"

	"github.com/254carbon/gonogo/theme"
)

// bigGlyph is a sign of the block font: five rows of pixels, all of one width.
func bigGlyph(r rune) [5]string {
	switch r {
	case '0':
		return [5]string{"###", "#.#", "#.#", "#.#", "###"}
	case '1':
		return [5]string{".#.", "##.", ".#.", ".#.", "###"}
	case '2':
		return [5]string{"###", "..#", "###", "#..", "###"}
	case '3':
		return [5]string{"###", "..#", "###", "..#", "###"}
	case '4':
		return [5]string{"#.#", "#.#", "###", "..#", "..#"}
	case '5':
		return [5]string{"###", "#..", "###", "..#", "###"}
	case '6':
		return [5]string{"###", "#..", "###", "#.#", "###"}
	case '7':
		return [5]string{"###", "..#", "..#", "..#", "..#"}
	case '8':
		return [5]string{"###", "#.#", "###", "#.#", "###"}
	case '9':
		return [5]string{"###", "#.#", "###", "..#", "###"}
	case '%':
		return [5]string{"##..#", "##.#.", "..#..", ".#.##", "#..##"}
	case '-':
		return [5]string{"...", "...", "###", "...", "..."}
	case 'G':
		return [5]string{"####", "#...", "#.##", "#..#", "####"}
	case 'K':
		return [5]string{"#..#", "#.#.", "##..", "#.#.", "#..#"}
	case 'N':
		return [5]string{"#..#", "##.#", "#.##", "#..#", "#..#"}
	case 'O':
		return [5]string{"####", "#..#", "#..#", "#..#", "####"}
	case 'U':
		return [5]string{"#..#", "#..#", "#..#", "#..#", "####"}
	case 'W':
		return [5]string{"#...#", "#...#", "#.#.#", "##.##", "#...#"}
	}
	return [5]string{"..", "..", "..", "..", ".."}
}

// bigSize is the width and height in cells of text in the block font with pixels of the given size.
func bigSize(text string, pixel int) (w, h int) {
	for n, r := range text {
		if n > 0 {
			w += pixel
		}
		w += len(bigGlyph(r)[0]) * pixel
	}
	return w, (5*pixel + 1) / 2
}

// bigText draws text in the block font. A pixel is as many cells wide as it is half cells high, which makes it about square.
func bigText(th *theme.Theme, text string, pixel int) []string {
	w, h := bigSize(text, pixel)
	bits := make([][]bool, 2*h)
	for y := range bits {
		bits[y] = make([]bool, w)
	}
	x := 0
	for _, r := range text {
		sign := bigGlyph(r)
		for row, pixels := range sign {
			for col, p := range pixels {
				if p == '#' {
					fill(bits, x+col*pixel, row*pixel, pixel)
				}
			}
		}
		x += (len(sign[0]) + 1) * pixel
	}
	out := make([]string, h)
	for y := range out {
		var b strings.Builder
		for x := range w {
			b.WriteString(halves(th, bits[2*y][x], bits[2*y+1][x]))
		}
		out[y] = b.String()
	}
	return out
}

func fill(bits [][]bool, x, y, size int) {
	for dy := range size {
		for dx := range size {
			bits[y+dy][x+dx] = true
		}
	}
}

func halves(th *theme.Theme, upper, lower bool) string {
	switch {
	case th.Glyphs.ASCII && (upper || lower):
		return "#"
	case upper && lower:
		return "█"
	case upper:
		return "▀"
	case lower:
		return "▄"
	}
	return " "
}
