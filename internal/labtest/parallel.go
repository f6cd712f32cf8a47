package labtest

import (
	"context"
	"sync"
	"sync/atomic"
)

// parallel calls f for 0 to n-1 from a few goroutines and returns the first error,
// which also ends the others' context.
func parallel(ctx context.Context, n int, f func(context.Context, int) error) error {
	const workers = 16
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(workers, n) {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(ctx, i); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}
