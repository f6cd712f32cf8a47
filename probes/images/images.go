// Package images asks about the images that a platform runs: is each required one in the platform's own registry with the digest that is
// locked, and does any running container still come from Docker Hub. Which images are required, and which are exempt, stands at the top of
// the profile.
package images

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Registry says which manifest a reference names, by HEAD alone: nothing is fetched, so that nothing counts as a pull. Each distinct
// reference is asked for once and at most eight at a time; the answer has an entry for each.
type Registry interface {
	Heads(ctx context.Context, references []string) map[string]Head
}

// Mirror is the platform's own registry. Host is how references to it begin.
type Mirror interface {
	Registry
	Host() string
}

// Head is the answer about one reference.
type Head struct {
	Digest  string // sha256:…
	Err     error  // nil, or one of the errors below, or why it could not be asked
	At      time.Time
	Request probes.Request
}

// ErrMissing is within the error of a registry that says that it has no such manifest.
var ErrMissing = errors.New("not there")

// ErrRefused is within the error of a registry that does not let the credential, or the lack of one, see the manifest.
var ErrRefused = errors.New("refused")

// LimitedError is the error of a registry that wants fewer requests. What was not sent because of it has it too.
type LimitedError struct {
	Host  string
	After time.Duration // that it asked to wait; 0 if it named none
}

func (e *LimitedError) Error() string {
	if e.After > 0 {
		return fmt.Sprintf("%s limits the rate of requests (429) and asks to wait %s", e.Host, e.After.Round(time.Second))
	}
	return e.Host + " limits the rate of requests (429)"
}

// named is how many images or workloads a summary names before it counts the rest.
const named = 5

func enumerate(words []string) string {
	if more := len(words) - named; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:named], ", "), more)
	}
	return strings.Join(words, ", ")
}
