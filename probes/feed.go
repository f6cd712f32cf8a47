package probes

import (
	"context"
	"errors"
	"sync"
)

// ErrFeedClosed is returned by [Feed.Next] after [Feed.Close].
var ErrFeedClosed = errors.New("the feed is closed")

// hub keeps the newest checklist and tells any number of feeds that there is a newer one. A slow reader never blocks it and never gets
// an old checklist, only fewer of them.
type hub struct {
	mu      sync.Mutex
	list    Checklist
	version uint64
	feeds   map[*Feed]struct{}
}

func newHub(list Checklist) *hub {
	return &hub{list: list, version: 1, feeds: map[*Feed]struct{}{}}
}

func (h *hub) publish(list Checklist) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = list
	h.version++
	for f := range h.feeds {
		select {
		case f.signal <- struct{}{}:
		default: // already told
		}
	}
}

func (h *hub) latest() (Checklist, uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.list, h.version
}

// Feed is one reader's view of a poller: the newest checklist whenever there is a newer one than it has seen.
type Feed struct {
	hub    *hub
	signal chan struct{} // one slot
	closed chan struct{}
	once   sync.Once
	seen   uint64
}

func (h *hub) subscribe() *Feed {
	f := &Feed{hub: h, signal: make(chan struct{}, 1), closed: make(chan struct{})}
	h.mu.Lock()
	h.feeds[f] = struct{}{}
	h.mu.Unlock()
	return f
}

// Next returns the newest checklist as soon as it is newer than the one returned before; the first call returns at once. It blocks until
// then, ctx ends or the feed is closed. One goroutine at a time may call it.
func (f *Feed) Next(ctx context.Context) (Checklist, error) {
	for {
		select {
		case <-f.closed:
			return Checklist{}, ErrFeedClosed
		default:
		}
		if list, version := f.hub.latest(); version != f.seen {
			f.seen = version
			return list, nil
		}
		select {
		case <-f.signal:
		case <-f.closed:
		case <-ctx.Done():
			return Checklist{}, context.Cause(ctx)
		}
	}
}

// Close ends the feed; a Next that waits returns [ErrFeedClosed]. It may be called more than once.
func (f *Feed) Close() {
	f.once.Do(func() {
		f.hub.mu.Lock()
		delete(f.hub.feeds, f)
		f.hub.mu.Unlock()
		close(f.closed)
	})
}
