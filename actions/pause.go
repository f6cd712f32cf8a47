package actions

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Pause waits, and returns early with the error of ctx once that ends.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Final ends the wait of [Await] with an error.
func Final(err error) error { return &finalError{err} }

type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

var errLate = errors.New("too late")

// Await looks until look says that it is done, with a pause of a second between two looks. What look waits for is told to r. An error of look
// is what it waits for too, unless it is [Final]. When patience ends the error says so and what was waited for last; when ctx ends, it is that
// of ctx.
func Await(ctx context.Context, patience time.Duration, pause func(context.Context, time.Duration) error, r Reporter,
	look func(ctx context.Context) (done bool, waits string, err error),
) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errLate)
	defer cancel()
	defer r.Waiting("", time.Time{})
	for last, said := "", ""; ; {
		done, waits, err := look(ctx)
		var final *finalError
		switch {
		case errors.As(err, &final):
			return final.err
		case err == nil && done:
			return nil
		case err != nil && ctx.Err() == nil:
			last = err.Error()
		case ctx.Err() == nil:
			last = waits
		}
		if last != said {
			r.Waiting(last, time.Time{})
			said = last
		}
		if pause(ctx, time.Second) == nil {
			continue
		}
		if !errors.Is(context.Cause(ctx), errLate) {
			return ctx.Err()
		}
		return fmt.Errorf("not within %s: %s", patience, last)
	}
}
