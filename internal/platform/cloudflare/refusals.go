package cloudflare

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

// retryRefused is how long a refused token is not tried again unless it changes.
const retryRefused = 15 * time.Minute

// refusals remembers tokens that were refused, as digests, in memory alone, and lets one token be tried at a time.
type refusals struct {
	mu   sync.Mutex
	busy chan struct{}
	by   map[[sha256.Size]byte]refusal
}

type refusal struct {
	reason   string
	at       time.Time // for people
	measured time.Time // on the machine's clock
}

// turn waits until no other token is being tried.
func (r *refusals) turn(ctx context.Context) (release func(), err error) {
	r.mu.Lock()
	if r.busy == nil {
		r.busy = make(chan struct{}, 1)
	}
	busy := r.busy
	r.mu.Unlock()
	select {
	case busy <- struct{}{}:
		return func() { <-busy }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for another token to be verified: %w", ctx.Err())
	}
}

// known returns the refusal of a token that is not to be tried again yet, and for how long.
func (r *refusals) known(token string) (refusal, time.Duration, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, ok := r.by[sha256.Sum256([]byte(token))]
	left := retryRefused - time.Since(f.measured)
	return f, left, ok && left > 0
}

func (r *refusals) remember(token, reason string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil || len(r.by) >= maxTokens {
		r.by = map[[sha256.Size]byte]refusal{}
	}
	r.by[sha256.Sum256([]byte(token))] = refusal{reason: reason, at: at, measured: time.Now()}
}
