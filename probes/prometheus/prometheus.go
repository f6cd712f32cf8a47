// Package prometheus asks a Prometheus: are enough targets up and every expected job among them, and does the result of any query satisfy
// a condition. Only instant queries are asked, of a kind that stays cheap with tens of thousands of targets.
package prometheus

import (
	"context"
	"fmt"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/254carbon/gonogo/probes"
)

// Connection is the connection that every kind of this package asks over.
const Connection = "prometheus"

// Querier evaluates an instant query at the server's own present.
//
// A vector yields its samples, a scalar one sample without labels. Seen.Note is what the server warned of: then what is there may be a part
// of the whole. An error means that it could not be asked. It is called by several goroutines at once.
type Querier interface {
	Query(ctx context.Context, expr string) (probes.Seen[*model.Sample], error)
}

// half is what a claim earns that holds for the part that could be seen.
func half() probes.Ratio { return probes.Part(1, 2) }

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

// orWord stands in for a label that is empty.
func orWord(text model.LabelValue, word string) string {
	if text == "" {
		return word
	}
	return string(text)
}
