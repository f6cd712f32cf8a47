package report

import (
	"fmt"
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

// FormatAgo writes an age in one unit: "3 s", "5 min", "2 h", "4 d".
func FormatAgo(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d/time.Second)))
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
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
