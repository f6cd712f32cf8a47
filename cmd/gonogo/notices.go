package main

import (
	"context"
	"sync"

	"github.com/254carbon/gonogo/tui"
)

// notices hands banners to the board. Putting one never blocks; of several with one id the board gets the newest.
type notices struct {
	out    chan tui.Notice
	signal chan struct{} // one slot
	mu     sync.Mutex
	queue  []tui.Notice
}

func newNotices() *notices {
	return &notices{out: make(chan tui.Notice), signal: make(chan struct{}, 1)}
}

// put shows a banner, or with an empty text takes down the one with that id.
func (n *notices) put(id string, level tui.Level, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	notice := tui.Notice{ID: id, Level: level, Text: text}
	for i := range n.queue {
		if n.queue[i].ID == id {
			n.queue[i] = notice
			return
		}
	}
	n.queue = append(n.queue, notice)
	select {
	case n.signal <- struct{}{}:
	default:
	}
}

func (n *notices) take() (tui.Notice, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.queue) == 0 {
		return tui.Notice{}, false
	}
	first := n.queue[0]
	n.queue = n.queue[1:]
	return first, true
}

// run hands over until ctx ends.
func (n *notices) run(ctx context.Context) {
	for {
		notice, ok := n.take()
		if !ok {
			select {
			case <-n.signal:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case n.out <- notice:
		case <-ctx.Done():
			return
		}
	}
}
