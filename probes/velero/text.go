package velero

import (
	"fmt"
	"strings"
	"time"
)

// named is how many things a summary names before it counts the rest.
const named = 4

// enumerate joins phrases and counts those beyond what a line can name.
func enumerate(phrases []string) string {
	if more := len(phrases) - named; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(phrases[:named], "; "), more)
	}
	return strings.Join(phrases, "; ")
}

// plural writes "1 error", "2 errors".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// moment writes a time of a cluster; all of them are in UTC.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// span writes a duration as a person would say it.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + span(-d)
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 72*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// orNothing keeps evidence from having a blank where the source said nothing.
func orNothing(text string) string {
	if strings.TrimSpace(text) == "" {
		return "nothing"
	}
	return text
}
