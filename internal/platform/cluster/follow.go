package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// cycle sees the collection as a whole and then follows it, until it has to be seen as a whole again. It returns nil or errIdle if nothing
// is wrong with that.
func (f *feed[T]) cycle(ctx context.Context) error {
	f.update(func(s *feedState[T]) { s.asking, s.arrived = time.Now(), 0 })
	var w *stream
	var err error
	unwatched := ""
	if !f.unstreamed {
		w, err = f.streamAll(ctx)
		switch {
		case err == nil:
		case ctx.Err() != nil, unauthorized(err), gone(err), unwell(err):
			return err
		case watchless(err):
			unwatched = noWatch(err)
		case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), errors.Is(err, errStalled):
			f.unstreamed = true // it knows no streams of initial objects
		}
	}
	if w == nil {
		if err := f.listAll(ctx, unwatched); err != nil {
			return err
		}
		if unwatched != "" {
			return f.poll(ctx, unwatched)
		}
	}
	return f.follow(ctx, w)
}

// streamAll asks for all objects as the beginning of a watch, which costs server and client less than a list.
func (f *feed[T]) streamAll(ctx context.Context) (*stream, error) {
	yes := true
	w, err := f.src.open(ctx, f.namespace, metav1.ListOptions{
		SendInitialEvents: &yes, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, TimeoutSeconds: watchTimeout(),
	}, f.limits.header)
	if err != nil {
		return nil, err
	}
	all := map[string]T{}
	done := false
	err = f.pump(ctx, w, f.limits.initial, func(e watch.Event, about metav1.Object) (bool, error) {
		if e.Type == watch.Bookmark {
			done = about.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true"
			if done {
				f.version = about.GetResourceVersion()
			}
			return done, nil
		}
		key := keyOf(about)
		if e.Type == watch.Deleted {
			delete(all, key)
			return false, nil
		}
		value, err := f.reduce(e.Object)
		if err != nil {
			return false, err
		}
		all[key] = value
		return false, f.count(len(all))
	})
	if !done {
		w.stop()
		switch {
		case errors.Is(err, errIdle):
			return nil, errStalled
		case err == nil:
			return nil, errCut
		}
		return nil, err
	}
	f.replace(all, f.now(), "")
	return w, nil
}

// count notes how many objects have come, now and then, and refuses to go on for ever.
func (f *feed[T]) count(n int) error {
	if n > f.limits.objects {
		return fmt.Errorf("more than %d objects came, which is more than is kept in memory", f.limits.objects)
	}
	if n%100 == 0 {
		f.update(func(s *feedState[T]) { s.arrived = n })
	}
	return nil
}

// replace takes over a whole collection, as of a moment.
func (f *feed[T]) replace(all map[string]T, confirmed time.Time, unwatched string) {
	f.update(func(s *feedState[T]) {
		s.table.replace(all)
		s.synced, s.confirmed, s.arrived = true, confirmed, 0
		s.err, s.fails, s.trouble, s.unwatched = nil, 0, time.Time{}, unwatched
	})
	f.wake()
}

// listAll asks for all objects page by page; unwatched says why that has to do for a while, if it has.
func (f *feed[T]) listAll(ctx context.Context, unwatched string) error {
	all := map[string]T{}
	page, next, restarted := f.limits.page, "", false
	asked := f.now()
	for {
		object, about, err := f.src.list(ctx, f.namespace, metav1.ListOptions{Limit: page, Continue: next})
		var large *tooLargeError
		switch {
		case errors.As(err, &large) && page > 1:
			page = max(1, page/8)
			continue
		case err != nil && lostPlace(err) && next != "" && !restarted:
			clear(all)
			next, restarted, asked = "", true, f.now()
			continue
		case err != nil:
			return err
		}
		err = meta.EachListItem(object, func(item runtime.Object) error {
			about, err := meta.Accessor(item)
			if err != nil {
				return err
			}
			value, err := f.reduce(item)
			if err != nil {
				return err
			}
			all[keyOf(about)] = value
			return f.count(len(all))
		})
		if err != nil {
			return fmt.Errorf("reading the list: %w", err)
		}
		if following := about.GetContinue(); following == "" || following == next {
			f.version = about.GetResourceVersion()
			break
		} else {
			next = following
		}
	}
	f.replace(all, asked, unwatched)
	return nil
}

// poll lists again and again where there is no watch, and returns when it is time to try for a watch.
func (f *feed[T]) poll(ctx context.Context, why string) error {
	f.update(func(s *feedState[T]) { s.unwatched = why })
	f.wake()
	tick := time.NewTicker(f.limits.poll)
	defer tick.Stop()
	for until := time.Now().Add(f.limits.rewatch); time.Now().Before(until); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := f.listAll(ctx, why); err != nil {
			return err
		}
	}
	return nil
}

// follow goes on from f.version with one watch after the other, the first of which may be open already. It returns when that is not
// possible any more.
func (f *feed[T]) follow(ctx context.Context, w *stream) error {
	pause := pauses{limits: f.limits}
	for {
		if w == nil {
			var err error
			w, err = f.src.open(ctx, f.namespace, metav1.ListOptions{ResourceVersion: f.version, TimeoutSeconds: watchTimeout()}, f.limits.header)
			switch {
			case err == nil:
			case ctx.Err() != nil, lostPlace(err), unauthorized(err), gone(err):
				return err
			case watchless(err):
				why := noWatch(err)
				if err := f.listAll(ctx, why); err != nil { // the right to list may be gone too
					return err
				}
				return f.poll(ctx, why)
			default:
				f.failed(err)
				pause.wait(ctx)
				continue
			}
		}
		began := time.Now()
		err := f.pump(ctx, w, f.limits.idle, f.apply)
		w.stop()
		w = nil
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.update(func(s *feedState[T]) {
			if s.trouble.IsZero() {
				s.trouble = time.Now()
				time.AfterFunc(f.limits.gone, f.wake)
			}
		})
		switch {
		case errors.Is(err, errIdle) || lostPlace(err):
			return errIdle
		case err != nil:
			f.failed(err)
		}
		if time.Since(began) > f.limits.settle {
			pause.reset()
		}
		if err != nil || time.Since(began) < f.limits.settle {
			pause.wait(ctx)
		}
	}
}

// apply takes one event into the table.
func (f *feed[T]) apply(e watch.Event, about metav1.Object) (bool, error) {
	confirmed, version := f.now(), about.GetResourceVersion()
	if e.Type == watch.Bookmark {
		if older(version, f.version) {
			return true, errIdle // another history than the one that was followed: a restored cluster
		}
		f.version = version
		f.update(func(s *feedState[T]) { s.confirmed = confirmed })
		return false, nil
	}
	key, noticed := keyOf(about), true
	var value T
	if e.Type != watch.Deleted {
		var err error
		if value, err = f.reduce(e.Object); err != nil {
			return false, err
		}
	}
	f.version = version
	f.update(func(s *feedState[T]) {
		s.confirmed = confirmed
		if e.Type == watch.Deleted {
			noticed = s.table.remove(key)
			return
		}
		before, known := s.table.get(key)
		noticed = !known || f.same == nil || !f.same(before, value)
		if noticed {
			s.table.set(key, value)
		}
	})
	if noticed {
		f.wake()
	}
	return false, nil
}

// pump hands the events of a watch to take until that says it is enough, the watch ends, or nothing comes for longer than idle. Once
// events come, or nothing has gone wrong for a moment, the watch counts as working.
func (f *feed[T]) pump(ctx context.Context, w *stream, idle time.Duration, take func(watch.Event, metav1.Object) (bool, error)) error {
	quiet, settled := time.NewTimer(idle), time.NewTimer(f.limits.settle)
	defer quiet.Stop()
	defer settled.Stop()
	vouched := false
	vouch := func() {
		if !vouched && f.isSynced() {
			vouched = true
			f.working()
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-quiet.C:
			return errIdle
		case <-settled.C:
			vouch()
		case e, open := <-w.watch.ResultChan():
			if !open {
				return w.ended()
			}
			w.ex.progress()
			quiet.Reset(idle)
			if e.Type == watch.Error {
				if err := w.ended(); err != nil {
					return err
				}
				return apierrors.FromObject(e.Object)
			}
			about, err := meta.Accessor(e.Object)
			if err != nil {
				return fmt.Errorf("reading an event: %w", err)
			}
			enough, err := take(e, about)
			if enough || err != nil {
				return err
			}
			vouch()
		}
	}
}

func (f *feed[T]) isSynced() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.synced
}

// noWatch says why there is none.
func noWatch(err error) string {
	if apierrors.IsForbidden(err) {
		return reason(err)
	}
	return "this API has no watch"
}

// older reports whether a resource version is before another one, as far as they can be compared.
func older(version, than string) bool {
	a, errA := strconv.ParseUint(version, 10, 64)
	b, errB := strconv.ParseUint(than, 10, 64)
	return errA == nil && errB == nil && a < b
}

func keyOf(about metav1.Object) string {
	if ns := about.GetNamespace(); ns != "" {
		return ns + "/" + about.GetName()
	}
	return about.GetName()
}

// watchTimeout makes servers end watches at different times.
func watchTimeout() *int64 {
	seconds := 300 + rand.Int64N(300)
	return &seconds
}

// jitter spreads what would happen at once.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
