package tui

import "testing"

// BenchmarkView draws a frame of a full board, as after every message.
func BenchmarkView(b *testing.B) {
	for name, wall := range map[string]bool{"board": false, "wall": true} {
		b.Run(name, func(b *testing.B) {
			m := board(b, Deps{History: record{}, Mode: Mode{Wall: wall}}, documented(), 160, 48)
			b.ReportAllocs()
			for b.Loop() {
				_ = m.View()
			}
		})
	}
}

// BenchmarkUpdate takes in an answer, as about once a second.
func BenchmarkUpdate(b *testing.B) {
	list := documented()
	m := board(b, Deps{History: record{}}, list, 160, 48)
	b.ReportAllocs()
	for b.Loop() {
		m = send(m, listMsg{list: list, now: noon()})
	}
}
