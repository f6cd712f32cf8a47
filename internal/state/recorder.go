package state

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Recorder writes what a poller finds out, in the background: Observe never waits for the disk.
type Recorder struct {
	store    *Store
	tell     func(trouble string)
	queue    chan entry
	done     sync.WaitGroup
	last     map[probes.ID]probes.Status // owned by Observe's caller
	score    Score                       // owned by Observe's caller
	lost     atomic.Bool                 // something was not written
	failing  bool                        // owned by write
	patience time.Duration               // of Close
	ctx      context.Context             // ends when the patience does
	giveUp   context.CancelFunc
}

type entry struct {
	changes []Change
	score   *Score
}

// writeTimeout bounds one write, so that a disk that hangs does not keep the process from ending.
const writeTimeout = 10 * time.Second

// NewRecorder returns a recorder that writes to the store until Close. tell is called, from another goroutine, when writing begins to
// fail, and with an empty text when it works again.
func NewRecorder(store *Store, tell func(trouble string)) *Recorder {
	r := &Recorder{store: store, tell: tell, queue: make(chan entry, 256), last: map[probes.ID]probes.Status{}, patience: writeTimeout}
	r.ctx, r.giveUp = context.WithCancel(context.Background())
	r.done.Go(r.write)
	return r
}

// Observe takes note of an assessment. It must not be called by two goroutines at once. Checks that were never asked are not noted, and
// neither is a score while there are any: it says nothing yet.
func (r *Recorder) Observe(a probes.Assessment) {
	if r.lost.Swap(false) { // forgetting what was seen makes this assessment write it again
		clear(r.last)
		r.score = Score{}
	}
	var e entry
	for _, i := range a.Items() {
		if i.Status == probes.Pending || r.last[i.Spec.ID] == i.Status {
			continue
		}
		r.last[i.Spec.ID] = i.Status
		e.changes = append(e.changes, Change{Check: i.Spec.ID, At: a.At, Status: i.Status, Summary: i.Summary})
	}
	if a.Counts[probes.Pending] == 0 {
		score := ScoreOf(a)
		if same := score; r.score.At.IsZero() || func() bool { same.At = r.score.At; return same != r.score }() {
			r.score = score
			e.score = &score
		}
	}
	if e.changes == nil && e.score == nil {
		return
	}
	select {
	case r.queue <- e:
	default:
		r.lost.Store(true) // the disk has not kept up with 256 changes
	}
}

// ScoreOf returns the score of an assessment as it is recorded.
func ScoreOf(a probes.Assessment) Score {
	return Score{
		At: a.At, Percent: a.Percent, High: a.HighPct, Verdict: a.Verdict.String(),
		Earned: probes.FormatRat(a.Earned), Possible: probes.FormatRat(a.Possible),
	}
}

// Close writes what is waiting, as long as that does not take too long, and returns when nothing is written any more.
func (r *Recorder) Close() {
	close(r.queue)
	defer r.giveUp()
	defer time.AfterFunc(r.patience, r.giveUp).Stop()
	r.done.Wait()
}

func (r *Recorder) write() {
	for e := range r.queue {
		ctx, cancel := context.WithTimeout(r.ctx, writeTimeout)
		err := r.writeOne(ctx, e)
		cancel()
		if err != nil {
			r.lost.Store(true)
		}
		if (err != nil) != r.failing {
			r.failing = err != nil
			text := ""
			if err != nil {
				text = fmt.Sprintf("history is not kept: %v", err)
			}
			r.tell(text)
		}
	}
}

func (r *Recorder) writeOne(ctx context.Context, e entry) error {
	if len(e.changes) > 0 {
		if err := r.store.Record(ctx, e.changes...); err != nil {
			return err
		}
	}
	if e.score != nil {
		return r.store.RecordScore(ctx, *e.score)
	}
	return nil
}
