package probes

import (
	"strconv"
	"strings"
	"time"
)

// Workday is what a day means in estimates of work.
const Workday = 8 * time.Hour

// String writes an estimate: "1–2 h", "3–5 d", "30 min", and nothing for no estimate.
func (e Effort) String() string {
	switch {
	case e.IsZero():
		return ""
	case e.inDays():
		return e.in(Workday, "d")
	case e.Max >= time.Hour:
		return e.in(time.Hour, "h")
	}
	return e.in(time.Minute, "min")
}

func (e Effort) inDays() bool { return e.Min >= Workday || e.Max >= 2*Workday }

func (e Effort) in(unit time.Duration, name string) string {
	low, high := amount(e.Min, unit), amount(e.Max, unit)
	if low == high {
		return high + " " + name
	}
	return low + "–" + high + " " + name
}

// amount writes a duration in a unit, with half units.
func amount(d, unit time.Duration) string {
	halves := (2*d + unit/2) / unit
	text := strconv.FormatInt(int64(halves/2), 10)
	if halves%2 == 1 {
		text += ".5"
	}
	return text
}

// RemainingText writes what is left to do, the hours apart from the days: "4–7 h + 3–5 d". It is empty when nothing is left or estimated.
func (a Assessment) RemainingText() string {
	var hours, days Effort
	for _, c := range a.Components {
		if c.Remaining.inDays() {
			days = days.Add(c.Remaining)
		} else {
			hours = hours.Add(c.Remaining)
		}
	}
	var parts []string
	for _, e := range []Effort{hours, days} {
		if text := e.String(); text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, " + ")
}
