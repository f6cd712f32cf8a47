package runs

import (
	"strings"
	"sync"
	"time"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

// Limits of what a run may say.
const (
	maxText     = 4000     // runes of a line
	maxLines    = 400_000  // of one process
	maxSaid     = 64 << 20 // bytes of one process
	progressGap = 250 * time.Millisecond
)

// safe makes foreign text fit for the journal: bounded, without control sequences, without secrets. It is masked twice, because a secret may
// become whole only when what stood in between is gone.
func safe(text string, mask func(string) string) string {
	return mask(probes.Clean(mask(text), maxText))
}

// linesOf cuts what a step says into lines. Of a line that was written over with carriage returns the last state counts.
func linesOf(text string) []string {
	text = strings.TrimRight(text, "\r\n")
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, "\r")
		lines = append(lines, line[strings.LastIndexByte(line, '\r')+1:])
	}
	return lines
}

// budget bounds what the process of a run keeps of its output.
type budget struct {
	mu    sync.Mutex
	lines int
	bytes int
	over  bool
}

// take reports whether a line is to be kept, and whether it is the first that is not.
func (b *budget) take(line string) (keep, last bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines++
	b.bytes += len(line)
	if b.lines <= maxLines && b.bytes <= maxSaid {
		return true, false
	}
	last, b.over = !b.over, true
	return false, last
}

// teller is the Reporter of one step.
type teller struct {
	journal *journal
	step    string
	mask    func(string) string
	now     func() time.Time
	budget  *budget

	mu      sync.Mutex
	told    time.Time // the last progress
	pending *actions.Event
	waits   string
}

var _ actions.Reporter = (*teller)(nil)

// Log implements [actions.Reporter]. What cannot be written any more ends the run elsewhere.
func (t *teller) Log(text string) {
	for _, line := range linesOf(text) {
		line = safe(line, t.mask)
		keep, last := t.budget.take(line)
		if last {
			line = "this run has said more than is kept: what follows is left out"
		}
		if keep || last {
			_ = t.journal.Append(actions.Event{Kind: actions.Log, Step: t.step, Text: line})
		}
	}
}

// Progress implements [actions.Reporter]; of many reports a few a second are kept.
func (t *teller) Progress(done, total actions.Amount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := actions.Event{Kind: actions.Progress, Step: t.step, Done: done, Total: total}
	if now := t.now(); now.Sub(t.told) >= progressGap {
		t.told, t.pending = now, nil
		_ = t.journal.Append(e)
		return
	}
	t.pending = &e
}

// Waiting implements [actions.Reporter].
func (t *teller) Waiting(why string, until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	why = safe(why, t.mask)
	if why == t.waits && why == "" {
		return
	}
	t.waits = why
	_ = t.journal.Append(actions.Event{Kind: actions.Waiting, Step: t.step, Text: why, Until: until})
}

// flush writes what progress was held back.
func (t *teller) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending != nil {
		_ = t.journal.Append(*t.pending)
		t.pending = nil
	}
}
