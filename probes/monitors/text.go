package monitors

import (
	"fmt"
	"strings"
)

// named is how many things a summary names before it counts the rest.
const named = 5

// enumerate joins words and counts those beyond what a line can name.
func enumerate(words []string) string {
	if more := len(words) - named; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:named], ", "), more)
	}
	return strings.Join(words, ", ")
}

// plural writes "1 target", "2 targets".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
