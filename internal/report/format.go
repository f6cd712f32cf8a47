package report

import (
	"strings"
	"time"
)

// Sparkline draws percentages as a row of blocks, oldest first.
func Sparkline(percents []int) string {
	blocks := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, p := range percents {
		b.WriteRune(blocks[min(len(blocks)-1, max(0, p*len(blocks)/101))])
	}
	return b.String()
}

// FormatInterval writes a duration without the parts that are zero: "15m", "1h30m".
func FormatInterval(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
