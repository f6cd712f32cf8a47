package state

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Recorder writes what a poller finds out, in the background: Observe never waits for the disk.
type Recorder struct {
	store *Store
	tell  func(trouble string)
	queue chan entry
	done  sync.WaitGroup
	last  map[probes.ID]probes.Status // owned by Observe's caller
	score Score                       // owned by Observe's caller
	full  bool
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
	r := &Recorder{store: store, tell: tell, queue: make(chan entry, 256), last: map[probes.ID]probes.Status{}}
	r.done.Go(r.write)
	return r
}

// Observe takes note of an assessment. It must not be called by two goroutines at once. Checks that were never asked are not noted, and
// neither is a score while there are any: it says nothing yet.
func (r *Recorder) Observe(a probes.Assessment) {
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
		// The disk has not kept up with 256 changes; forgetting what was seen makes the next assessment try again.
		clear(r.last)
		r.score = Score{}
	}
}

// ScoreOf returns the score of an assessment as it is recorded.
func ScoreOf(a probes.Assessment) Score {
	return Score{
		At: a.At, Percent: a.Percent, High: a.HighPct, Verdict: a.Verdict.String(),
		Earned: probes.FormatRat(a.Earned), Possible: probes.FormatRat(a.Possible),
	}
}

// Close writes what is waiting and returns when nothing is written any more.
func (r *Recorder) Close() {
	close(r.queue)
	r.done.Wait()
}

func (r *Recorder) write() {
	for e := range r.queue {
		ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
		err := r.writeOne(ctx, e)
		cancel()
		if (err != nil) != r.full {
			r.full = err != nil
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
