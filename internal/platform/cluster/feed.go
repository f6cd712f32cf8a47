package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
)

// limits are the waits and sizes of reading a cluster.
type limits struct {
	call     time.Duration // one request that is no watch
	header   time.Duration // until a watch begins to answer
	initial  time.Duration // until the next object of an initial stream
	idle     time.Duration // a watch without event or bookmark
	settle   time.Duration // a watch without an error, before it counts as working
	gone     time.Duration // without a working watch, before what is known is not said any more
	poll     time.Duration // between two lists, where there is no watch
	rewatch  time.Duration // between two attempts to watch all the same
	recheck  time.Duration // of what was refused or is not served
	backoff  time.Duration // first pause after an error
	maxPause time.Duration // longest pause after an error
	page     int64         // objects of one list request
	body     int64         // bytes of one answer
	event    int64         // bytes of one event
	objects  int           // of one collection
}

func defaultLimits() limits {
	return limits{
		call: 30 * time.Second, header: 30 * time.Second, initial: 15 * time.Second, idle: 150 * time.Second, settle: time.Second,
		gone: 20 * time.Second, poll: 30 * time.Second, rewatch: 10 * time.Minute, recheck: 30 * time.Second,
		backoff: 250 * time.Millisecond, maxPause: 10 * time.Second,
		page: 250, body: 16 << 20, event: 16 << 20, objects: 500_000,
	}
}

// attemptsBeforeSaying is how many attempts in a row fail before a caller that waits for the first answer is told.
const attemptsBeforeSaying = 3

// feed keeps one resource in one scope (all namespaces, or one) in step with the API server, in a goroutine of its own.
type feed[T any] struct {
	src       source
	namespace string
	doing     string                          // "listing pods"
	reduce    func(runtime.Object) (T, error) // called by one goroutine at a time
	same      func(a, b T) bool               // whether readers would notice the difference; nil if they always would
	wake      func()
	now       func() time.Time
	log       *slog.Logger
	limits    limits
	kick      chan struct{} // one slot: somebody asked for what was refused

	unstreamed bool   // the server does not stream initial objects; only the feed's goroutine knows
	version    string // where the watch goes on from; only the feed's goroutine knows

	mu sync.Mutex
	feedState[T]
}

// feedState is what readers see of a feed.
type feedState[T any] struct {
	table     table[T]
	synced    bool // the collection was seen as a whole
	confirmed time.Time
	err       error         // the last, until something worked
	fails     int           // in a row
	trouble   time.Time     // since when nothing vouches for the table; zero while a watch does
	recheck   time.Time     // when what was refused may be asked again
	unwatched string        // why there is no watch
	asking    time.Time     // when the initial sync began
	arrived   int           // objects of an unfinished initial sync
	changed   chan struct{} // closed with the next change; nil while nobody waits
}

// update changes the state and tells whoever waits.
func (f *feed[T]) update(change func(s *feedState[T])) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.feedState)
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// working notes that a watch or a poll vouches for the table again.
func (f *feed[T]) working() {
	mended := false
	f.update(func(s *feedState[T]) {
		mended = s.err != nil || !s.trouble.IsZero() && time.Since(s.trouble) >= f.limits.gone
		s.err, s.fails, s.trouble = nil, 0, time.Time{}
	})
	if mended { // readers may have been told that there is no answer
		f.wake()
	}
}

// failed notes an error.
func (f *feed[T]) failed(err error) {
	f.log.Debug("kubernetes: "+f.doing, "namespace", f.namespace, "error", err)
	f.update(func(s *feedState[T]) {
		s.err = err
		s.fails++
		if s.trouble.IsZero() {
			s.trouble = time.Now()
			time.AfterFunc(f.limits.gone, f.wake) // from then on the answer is another one
		}
		if refused(err) {
			s.recheck = time.Now().Add(f.limits.recheck)
		}
		if gone(err) {
			s.synced, s.table = false, table[T]{}
		}
	})
	f.wake()
}

// view is what a feed has to say at one moment.
type view[T any] struct {
	items     []T
	confirmed time.Time
	unwatched string
}

// read waits until there is an answer: the objects of a namespace (or all), or why they cannot be told.
func (f *feed[T]) read(ctx context.Context, namespace string) (view[T], error) {
	for {
		f.mu.Lock()
		v, err, settled := f.answer(namespace)
		if f.changed == nil {
			f.changed = make(chan struct{})
		}
		changed := f.changed
		f.mu.Unlock()
		if settled {
			return v, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			f.mu.Lock()
			defer f.mu.Unlock()
			return view[T]{}, unanswered(ctx, f.doing, f.waitingFor(), f.err)
		}
	}
}

// answer is called with the lock held.
func (f *feed[T]) answer(namespace string) (v view[T], err error, settled bool) {
	switch {
	case f.err != nil && refused(f.err):
		if !time.Now().Before(f.recheck) {
			select {
			case f.kick <- struct{}{}:
			default:
			}
		}
		return v, readFailure(f.doing, f.err), true
	case f.err != nil && (errors.Is(f.err, errClosed) || f.fails >= 2 && unauthorized(f.err)):
		return v, readFailure(f.doing, f.err), true
	case !f.synced:
		if f.fails >= attemptsBeforeSaying {
			return v, readFailure(f.doing, f.err), true
		}
		return v, nil, false
	case !f.trouble.IsZero() && time.Since(f.trouble) >= f.limits.gone:
		lost := time.Since(f.trouble).Round(time.Second)
		if f.err != nil {
			return v, &readError{doing: f.doing, reason: fmt.Sprintf("%s (for %s)", reason(f.err), lost), causes: []error{f.err}}, true
		}
		return v, &readError{doing: f.doing, reason: fmt.Sprintf("no answer from %s for %s", f.src.server, lost)}, true
	}
	return view[T]{items: f.table.list(namespace), confirmed: f.confirmed, unwatched: f.unwatched}, nil, true
}

// waitingFor says what the first answer is waiting for; it is called with the lock held.
func (f *feed[T]) waitingFor() string {
	since := time.Since(f.asking).Round(100 * time.Millisecond)
	switch {
	case f.err != nil:
		return reason(f.err)
	case f.arrived > 0:
		return fmt.Sprintf("only %d objects have come from %s in %s", f.arrived, f.src.server, since)
	}
	return fmt.Sprintf("no answer from %s for %s", f.src.server, since)
}

// run keeps the feed going until ctx ends.
func (f *feed[T]) run(ctx context.Context) {
	pause := pauses{limits: f.limits}
	for ctx.Err() == nil {
		began := time.Now()
		err := f.cycle(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil && !errors.Is(err, errIdle) {
			f.failed(err)
		}
		if time.Since(began) > f.limits.maxPause {
			pause.reset()
		}
		if err != nil && refused(err) {
			f.waitForDemand(ctx)
			continue
		}
		pause.wait(ctx)
	}
	f.update(func(s *feedState[T]) { s.err = errClosed })
}

// waitForDemand waits until what was refused may be asked again and somebody wants to know.
func (f *feed[T]) waitForDemand(ctx context.Context) {
	select {
	case <-time.After(f.limits.recheck):
	case <-ctx.Done():
		return
	}
	select {
	case <-f.kick:
	case <-ctx.Done():
	}
}

// pauses grow from error to error.
type pauses struct {
	limits limits
	last   time.Duration
}

func (p *pauses) reset() { p.last = 0 }

func (p *pauses) wait(ctx context.Context) {
	p.last = min(max(2*p.last, p.limits.backoff), p.limits.maxPause)
	timer := time.NewTimer(jitter(p.last))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
