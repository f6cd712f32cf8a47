package runs

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/254carbon/gonogo/actions"
)

// pause is how often a journal is looked at for more.
const pause = 100 * time.Millisecond

// follower reads a journal while it is written.
type follower struct {
	dir  string
	file *os.File
	r    *bufio.Reader
	part []byte // a line that is not whole yet
	at   int64  // where it begins
	seq  int64
}

// Follow opens the events of a run from the beginning.
func (s *Store) Follow(id actions.RunID) (actions.Follower, error) {
	dir, err := s.Folder(id)
	if err != nil {
		return nil, err
	}
	return &follower{dir: dir}, nil
}

// Read implements [actions.Follower].
func (f *follower) Read(ctx context.Context, limit int) ([]actions.Event, error) {
	for {
		over := !Alive(f.dir) && !(f.seq == 0 && young(f.dir)) // before reading, so that nothing comes after what was read
		events, err := f.next(limit)
		switch {
		case err != nil || len(events) > 0:
			return events, err
		case over:
			return nil, io.EOF
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// next reads what is there, at most limit events.
func (f *follower) next(limit int) ([]actions.Event, error) {
	if f.file == nil {
		file, err := os.Open(filepath.Join(f.dir, eventsFile))
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		f.file, f.r = file, bufio.NewReaderSize(file, 64<<10)
	}
	var events []actions.Event
	for len(events) < limit {
		line, err := f.r.ReadSlice('\n')
		f.part = append(f.part, line...)
		if errors.Is(err, bufio.ErrBufferFull) && len(f.part) < maxEvent {
			continue
		}
		if errors.Is(err, io.EOF) {
			return events, f.back()
		}
		if err != nil {
			return events, err
		}
		e, err := parseEvent(f.part, f.seq)
		if err != nil {
			return events, err
		}
		f.at += int64(len(f.part))
		events, f.part, f.seq = append(events, e), f.part[:0], e.Seq
	}
	return events, nil
}

// back forgets a line that is not whole: one that a crash cut short is replaced when the run goes on.
func (f *follower) back() error {
	if len(f.part) == 0 {
		return nil
	}
	f.part = f.part[:0]
	_, err := f.file.Seek(f.at, io.SeekStart)
	f.r.Reset(f.file)
	return err
}

// Close implements [actions.Follower].
func (f *follower) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}
