package evidence

import (
	"fmt"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// describe is an entry in one line.
func (e Entry) describe() string {
	parts := []string{probes.Clean(e.Result, 20)}
	add := func(format string, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf(format, probes.Clean(value, 200)))
		}
	}
	add("phase %s", e.Details.Phase)
	if e.Details.Items > 0 {
		parts = append(parts, plural(e.Details.Items, "item"))
	}
	if e.Details.Equal {
		parts = append(parts, "content equal")
	}
	if e.Details.RTOSeconds > 0 {
		parts = append(parts, "RTO "+seconds(e.Details.RTOSeconds))
	}
	add("of %s", e.Scope)
	add("by %s", e.By)
	add("run %s", e.Run)
	add("digest %s", e.Digest)
	if !e.ValidUntil.IsZero() {
		parts = append(parts, "valid until "+moment(e.ValidUntil))
	}
	add("kept on %s only", e.Place)
	return strings.Join(parts, ", ")
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second / 10).String()
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// span writes a time span in the unit that says most.
func span(d time.Duration) string {
	const twoDays = 48 * time.Hour
	switch {
	case d >= twoDays:
		return plural(int(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", int(d/time.Hour))
	}
	return fmt.Sprintf("%d min", int(max(0, d)/time.Minute))
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func orNothing(text string) string {
	if text == "" {
		return "without a phase"
	}
	return probes.Clean(text, 60)
}

// earlier is the earlier of two times at which something was confirmed; zero means that nothing is known.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
