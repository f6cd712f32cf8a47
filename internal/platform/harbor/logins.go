package harbor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// retryRefused is how long a refused credential is not tried again unless it changes.
	retryRefused = 15 * time.Minute
	// unlockPause is how long after a refusal Harbor may still take the right password for a wrong one: it locks the user for 1.5 s.
	unlockPause = 2 * time.Second
	// maxPrincipals bounds the memory of refusals; profiles name a handful.
	maxPrincipals = 64
)

// logins keeps credentials from locking their users: for each user name one request at a time, a pause after a refusal, and no second
// try of what was refused. What it remembers of a password is a digest, in memory alone.
type logins struct {
	mu         sync.Mutex
	principals map[string]*principal
}

type principal struct {
	turn    chan struct{} // held during a request; guards what follows
	refused map[[sha256.Size]byte]refusal
	last    time.Time // of the last refusal, on the machine's clock
}

type refusal struct {
	at       time.Time // for people
	measured time.Time // on the machine's clock
}

// refusedBefore is the error of not trying a credential again.
type refusedBefore struct{ at, until time.Time }

func (e *refusedBefore) Error() string {
	return fmt.Sprintf("refused at %s, not tried again before %s", e.at.Format(time.RFC3339), e.until.Format(time.RFC3339))
}

func (l *logins) principal(username string) *principal {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.principals[username]
	if p == nil {
		if l.principals == nil || len(l.principals) >= maxPrincipals {
			l.principals = map[string]*principal{}
		}
		p = &principal{turn: make(chan struct{}, 1), refused: map[[sha256.Size]byte]refusal{}}
		l.principals[username] = p
	}
	return p
}

// try asks as username when it is its turn. Its error is a *refusedBefore if the credential is not to be tried, else ask's. The time is
// when the answer came.
func (l *logins) try(ctx context.Context, username, password string, now func() time.Time, ask func() error) (time.Time, error) {
	p, digest := l.principal(username), sha256.Sum256([]byte(username+"\x00"+password))
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("waiting for another login as %s: %w", username, ctx.Err())
	}
	if r, ok := p.refused[digest]; ok {
		if left := retryRefused - time.Since(r.measured); left > 0 {
			return r.at, &refusedBefore{at: r.at, until: now().Add(left)}
		}
		delete(p.refused, digest)
	}
	if err := pause(ctx, time.Until(p.last.Add(unlockPause))); err != nil {
		return time.Time{}, fmt.Errorf("waiting until Harbor has forgotten a refused login as %s: %w", username, err)
	}
	err := ask()
	at := now()
	var status *StatusError
	if errors.As(err, &status) && status.Code == http.StatusUnauthorized {
		p.last = time.Now()
		if len(p.refused) >= maxPrincipals {
			clear(p.refused)
		}
		p.refused[digest] = refusal{at: at, measured: p.last}
	}
	return at, err
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
