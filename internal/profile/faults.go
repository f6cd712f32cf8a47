package profile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// Pos is a place in a profile. Lines and columns count from 1; 0 means that the place is not known.
type Pos struct {
	File         string
	Line, Column int
}

// String writes the place as editors and compilers do.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, max(p.Column, 1))
}

// Fault is one thing that is wrong with a profile.
type Fault struct {
	Pos  Pos
	Text string // what is wrong, and after a semicolon what to write instead
}

func (f Fault) Error() string { return f.Pos.String() + ": " + f.Text }

// Faults is everything that is wrong with a profile, in the order of the file. It is the error that [Load] returns.
type Faults []Fault

// maxFaults is how many faults are told at once; who mends those sees the rest.
const maxFaults = 20

func (f Faults) Error() string {
	var b strings.Builder
	for i, fault := range f[:min(len(f), maxFaults)] {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(fault.Error())
	}
	if more := len(f) - maxFaults; more > 0 {
		fmt.Fprintf(&b, "\nand %d more", more)
	}
	return b.String()
}

// Unwrap returns the faults one by one, for errors.As.
func (f Faults) Unwrap() []error {
	all := make([]error, len(f))
	for i := range f {
		all[i] = f[i]
	}
	return all
}

// collector gathers faults. Of several at one place the first counts: the others mostly follow from it.
type collector struct {
	file   string
	faults Faults
	at     map[Pos]bool
}

func newCollector(file string) *collector { return &collector{file: file, at: map[Pos]bool{}} }

func (c *collector) add(pos Pos, format string, args ...any) {
	if pos.File == "" {
		pos.File = c.file
	}
	if c.at[pos] {
		return
	}
	c.at[pos] = true
	c.faults = append(c.faults, Fault{Pos: pos, Text: probes.Clean(fmt.Sprintf(format, args...), 600)})
}

// err returns what was gathered as an error, or nil.
func (c *collector) err() error {
	if len(c.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(c.faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
	return c.faults
}

// instead says what to write in place of a word: the known word that it resembles, or all of them if they are few.
func instead(word string, known []string) string {
	if best := nearest(word, known); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(known) == 0 {
		return "there are none to choose from"
	}
	sorted := slices.Sorted(slices.Values(known))
	return "known are " + strings.Join(sorted, ", ")
}

// nearest returns the known word that a misspelt one most likely means, or "".
func nearest(word string, known []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := distance(strings.ToLower(word), strings.ToLower(k), least); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the number of insertions, deletions, replacements and swaps of neighbours between two words, or limit if it is not less.
func distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 100 || len(y) > 100 || max(len(x), len(y))-min(len(x), len(y)) >= limit {
		return limit
	}
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			differ := 1
			if x[i-1] == y[j-1] {
				differ = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+differ)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(y)], limit)
}
