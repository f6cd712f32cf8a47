package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/254carbon/gonogo/theme"
)

// plotRange is what the percent axis spans at least.
const plotRange = 20

// plot draws scores over time, oldest first, until now: an area under a line whose colour is the verdict's, a percent axis, a rule at the
// percentage that GO needs, and dates. It takes rows lines and one for the dates.
func plot(th *theme.Theme, points []Score, now time.Time, threshold, w, rows int) []string {
	const axis = 5
	cols := w - axis
	if cols < 2 || rows < 2 || len(points) == 0 {
		return nil
	}
	low, high := axisRange(points, threshold)
	values := sample(points, now, cols)
	out := make([]string, 0, rows+1)
	for row := range rows {
		out = append(out, th.Muted.Render(axisLabel(row, rows, low, high))+th.Line.Render(th.Glyphs.Upright)+plotRow(th, values, row, rows, low, high, threshold))
	}
	return append(out, dates(th, points[0].At, now, axis, cols))
}

// axisRange is what the percent axis spans: whole tens, with the threshold and every score within.
func axisRange(points []Score, threshold int) (low, high int) {
	low, high = threshold, threshold
	for _, p := range points {
		low, high = min(low, p.Percent), max(high, p.Percent)
	}
	low, high = low/10*10, (high+9)/10*10
	if high-low < plotRange {
		low = max(0, high-plotRange)
	}
	return low, max(high, low+plotRange)
}

func axisLabel(row, rows, low, high int) string {
	switch {
	case row == 0:
		return fmt.Sprintf("%3d ", high)
	case row == rows-1:
		return fmt.Sprintf("%3d ", low)
	case rows%2 == 1 && row == rows/2:
		return fmt.Sprintf("%3d ", (low+high)/2)
	}
	return strings.Repeat(" ", 4)
}

// plotRow draws one row of the area: row 0 is the highest.
func plotRow(th *theme.Theme, values []Score, row, rows, low, high, threshold int) string {
	g := th.Glyphs
	bottom := (rows - 1 - row) * len(g.Spark) // in levels above the axis
	level := func(percent int) int {
		return (percent - low) * rows * len(g.Spark) / (high - low)
	}
	ruled := (level(threshold)-1)/len(g.Spark) == rows-1-row
	var b strings.Builder
	for _, v := range values {
		switch above := level(v.Percent) - bottom; {
		case v.At.IsZero() || above <= 0:
			if ruled {
				b.WriteString(th.Line.Render(g.Maybe))
			} else {
				b.WriteByte(' ')
			}
		case above > len(g.Spark):
			b.WriteString(th.Line.Render(g.Fill))
		default:
			_, style := verdictLook(th, v.Verdict)
			b.WriteString(style.Render(g.Spark[above-1]))
		}
	}
	return b.String()
}

// sample spreads scores over columns of equal time: each has the lowest score that held within it, or the zero Score before the first; the
// last one has the score of now.
func sample(points []Score, now time.Time, cols int) []Score {
	out := make([]Score, cols)
	from := points[0].At
	length := now.Sub(from)
	if length <= 0 {
		length = 1
	}
	next := 0
	var held Score
	for x := range out {
		end := from.Add(time.Duration(float64(length) * float64(x+1) / float64(cols)))
		lowest := held
		for next < len(points) && !points[next].At.After(end) {
			held = points[next]
			if lowest.At.IsZero() || held.Percent < lowest.Percent {
				lowest = held
			}
			next++
		}
		out[x] = lowest
	}
	out[cols-1] = held
	return out
}

// dates are the moments at the ends of the time axis, and in its middle where there is room.
func dates(th *theme.Theme, from, now time.Time, axis, cols int) string {
	first, last := moment(from, now), "now"
	text := strings.Repeat(" ", axis) + first
	middle := moment(from.Add(now.Sub(from)/2), now)
	if at := axis + cols/2 - cells(middle)/2; cols >= 50 {
		text += strings.Repeat(" ", at-cells(text)) + middle
	}
	text += strings.Repeat(" ", max(1, axis+cols-cells(text)-cells(last))) + last
	return th.Muted.Render(text)
}
