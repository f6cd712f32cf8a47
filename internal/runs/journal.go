package runs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/254carbon/gonogo/actions"
)

// maxEvent bounds a line of the journal; events are made much smaller.
const maxEvent = 256 << 10

// journal writes the events of a run, one JSON object in a line, and beside them a log for people. Its methods may be called by several
// goroutines. An event that decides how the run goes on is on the disk when Append returns.
type journal struct {
	now func() time.Time

	mu     sync.Mutex
	events sink
	log    io.WriteCloser
	seq    int64
	state  actions.State
	err    error // the first failure; after it nothing is written any more
}

// sink is a file as far as the journal needs it.
type sink interface {
	io.WriteCloser
	Sync() error
}

// openJournal goes on with the journal of a folder. A last line that a crash cut short is cut off.
func openJournal(dir string, now func() time.Time) (*journal, error) {
	name := filepath.Join(dir, eventsFile)
	state, whole, err := scan(name)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(name); err == nil && info.Size() > whole {
		if err := os.Truncate(name, whole); err != nil {
			return nil, fmt.Errorf("mending the journal: %w", err)
		}
	}
	events, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(dir, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the log: %w", err), events.Close())
	}
	if err := syncFolder(dir); err != nil {
		return nil, errors.Join(err, events.Close(), log.Close())
	}
	return &journal{now: now, events: events, log: log, seq: state.Seq, state: state}, nil
}

// Append writes an event, which gets its number and time. After a failure nothing is written any more, so that the journal never has gaps.
func (j *journal) Append(e actions.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	e.Seq, e.At = j.seq+1, j.now().UTC()
	line, err := json.Marshal(e)
	if err == nil {
		_, err = j.events.Write(append(line, '\n'))
	}
	if err == nil && e.Kind.Durable() {
		err = j.events.Sync()
	}
	if err != nil {
		j.err = fmt.Errorf("writing the journal: %w", err)
		return j.err
	}
	j.seq = e.Seq
	j.state.Apply(e)
	if text := inWords(e); text != "" {
		_, _ = fmt.Fprintf(j.log, "%s %s\n", e.At.Format(time.RFC3339), text) // the events are what counts
	}
	return nil
}

// State is what was written so far.
func (j *journal) State() actions.State {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.With(actions.Event{Kind: actions.Log})
}

// Failed returns why nothing can be written any more, or nil.
func (j *journal) Failed() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// Close closes the files.
func (j *journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.events.Close(), j.log.Close())
}

// inWords is an event as the log for people has it; nothing for what only a screen needs.
func inWords(e actions.Event) string {
	step := func(word string) string {
		text := word + " " + e.Step
		if e.Text != "" {
			text += ": " + e.Text
		}
		return text
	}
	switch e.Kind {
	case actions.Started:
		return "started by " + e.By
	case actions.Began:
		return step("begins")
	case actions.Finished:
		if e.Already {
			return step("already done")
		}
		return step("done")
	case actions.Failed:
		return step("FAILED")
	case actions.Unclear:
		return step("UNCLEAR")
	case actions.Left:
		return step("left out")
	case actions.Resolved:
		if e.Already {
			return step(e.By + " says that it is done:")
		}
		return step(e.By + " wants it again:")
	case actions.Waiting:
		if e.Text != "" {
			return step("waits")
		}
	case actions.Cancelled:
		return "cancelled by " + e.By
	case actions.Ended:
		text := "ended: " + string(e.Outcome)
		if e.Text != "" {
			text += ": " + e.Text
		}
		if e.Points != nil {
			text += "; " + e.Points.String()
		}
		return text
	case actions.Log:
		if e.Step == "" {
			return e.Text
		}
		return "[" + e.Step + "] " + e.Text
	case actions.Progress:
	}
	return ""
}

// scan reads a journal: what its events amount to, and how many bytes of it are whole. One that is not there is empty.
func scan(name string) (actions.State, int64, error) {
	var state actions.State
	file, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return state, 0, nil
	}
	if err != nil {
		return state, 0, fmt.Errorf("reading the journal: %w", err)
	}
	defer func() { _ = file.Close() }()
	whole := int64(0)
	r := bufio.NewReaderSize(file, maxEvent)
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return state, whole, nil
		}
		if err != nil {
			return state, whole, fmt.Errorf("reading the journal after event %d: %w", state.Seq, err)
		}
		e, err := parseEvent(line, state.Seq)
		if err != nil {
			return state, whole, err
		}
		state.Apply(e)
		whole += int64(len(line))
	}
}

// parseEvent reads the event that follows another.
func parseEvent(line []byte, after int64) (actions.Event, error) {
	var e actions.Event
	if err := json.Unmarshal(bytes.TrimSpace(line), &e); err != nil {
		return e, fmt.Errorf("the journal is damaged after event %d: %w", after, err)
	}
	if e.Seq != after+1 {
		return e, fmt.Errorf("the journal is damaged: event %d follows %d", e.Seq, after)
	}
	return e, nil
}

func readState(dir string) (actions.State, error) {
	state, _, err := scan(filepath.Join(dir, eventsFile))
	return state, err
}
