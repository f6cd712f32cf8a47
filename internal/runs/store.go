// Package runs carries out plans in processes of their own, and keeps what happened: each run is a folder with its plan, its events and its
// log, from which any process of the same person on the machine can tell how it stands, whether its own process lives or not.
package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

// The files of a run's folder.
const (
	planFile    = "plan.json"
	eventsFile  = "events.jsonl"
	logFile     = "run.log"
	lockFile    = "lock"
	cancelFile  = "cancel"
	outputFile  = "runner.log" // what the process itself had to say
	scratchName = "scratch"    // the action's own
)

// starting is how long a run may have neither a process nor an event before it counts as interrupted.
const starting = 20 * time.Second

// Store is the folder of the runs of one platform. It may be used by several goroutines and processes.
type Store struct{ dir string }

// NewStore returns the store of a platform within the state folder. Nothing is made before a run is.
func NewStore(stateDir, platform string) *Store {
	return &Store{dir: filepath.Join(stateDir, "runs", slug(platform))}
}

// slug is a text as the name of a folder.
func slug(text string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' {
			return c
		}
		return '_'
	}, text)
}

// Folder is where a run is kept. Names that no run has are refused.
func (s *Store) Folder(id actions.RunID) (string, error) {
	dir := filepath.Join(s.dir, string(id))
	if !filepath.IsLocal(string(id)) || strings.ContainsAny(string(id), `/\`) {
		return "", noSuchRun(id)
	}
	if _, err := os.Stat(filepath.Join(dir, planFile)); errors.Is(err, fs.ErrNotExist) {
		return "", noSuchRun(id)
	} else if err != nil {
		return "", fmt.Errorf("looking for the run %s: %w", id, err)
	}
	return dir, nil
}

// ErrNoRun is within the error about a run that there is not.
var ErrNoRun = errors.New("there is no such run on this machine")

func noSuchRun(id actions.RunID) error {
	return fmt.Errorf("%s: %w; `gonogo runs` lists them", probes.Clean(string(id), 100), ErrNoRun)
}

// Create makes the folder of a new run with its plan.
func (s *Store) Create(p actions.Plan) (actions.RunID, string, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return "", "", fmt.Errorf("making the folder of runs: %w", err)
	}
	text, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return "", "", fmt.Errorf("keeping the plan: %w", err)
	}
	for n := s.last(p.Action) + 1; ; n++ {
		id := actions.RunID(fmt.Sprintf("%s-%d", p.Action, n))
		dir := filepath.Join(s.dir, string(id))
		err := os.Mkdir(dir, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = writeWhole(filepath.Join(dir, planFile), text)
		}
		if err != nil {
			return "", "", errors.Join(fmt.Errorf("keeping the plan of %s: %w", id, err), os.RemoveAll(dir))
		}
		return id, dir, nil
	}
}

// writeWhole writes a file that is there whole or not at all, also after a power cut.
func writeWhole(name string, text []byte) error {
	temporary := name + ".new"
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncFolder(filepath.Dir(name))
}

// syncFolder makes sure that the names in a folder outlive a power cut, where the system can.
func syncFolder(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = file.Sync() // not every system has it
	return file.Close()
}

// last is the highest number of the action's runs.
func (s *Store) last(action probes.ID) int {
	last := 0
	for _, id := range s.ids() {
		if a, n := parts(id); a == action {
			last = max(last, n)
		}
	}
	return last
}

func (s *Store) ids() []actions.RunID {
	entries, _ := os.ReadDir(s.dir) // a folder that is not there has none
	var ids []actions.RunID
	for _, e := range entries {
		if _, n := parts(actions.RunID(e.Name())); e.IsDir() && n > 0 {
			ids = append(ids, actions.RunID(e.Name()))
		}
	}
	return ids
}

// parts are the action and the number of a run.
func parts(id actions.RunID) (probes.ID, int) {
	at := strings.LastIndexByte(string(id), '-')
	if at < 0 {
		return "", 0
	}
	n, err := strconv.Atoi(string(id[at+1:]))
	if err != nil || n <= 0 {
		return "", 0
	}
	return probes.ID(id[:at]), n
}

// List returns what is known of every run, the newest first. A run that cannot be read is left out; it is in the error.
func (s *Store) List() ([]actions.RunInfo, error) {
	var all []actions.RunInfo
	var errs []error
	for _, id := range s.ids() {
		info, err := s.Info(id)
		switch {
		case errors.Is(err, ErrNoRun): // being made, or removed
		case err != nil:
			errs = append(errs, err)
		default:
			all = append(all, info)
		}
	}
	slices.SortFunc(all, func(a, b actions.RunInfo) int {
		if c := b.Started.Compare(a.Started); c != 0 {
			return c
		}
		_, m := parts(a.ID)
		_, n := parts(b.ID)
		return n - m
	})
	return all, errors.Join(errs...)
}

// Info returns what is known of a run.
func (s *Store) Info(id actions.RunID) (actions.RunInfo, error) {
	dir, err := s.Folder(id)
	if err != nil {
		return actions.RunInfo{}, err
	}
	p, err := readPlan(dir)
	if err != nil {
		return actions.RunInfo{}, fmt.Errorf("reading the run %s: %w", id, err)
	}
	alive := Alive(dir) // before its events, so that an end that is not among them has not come
	state, err := readState(dir)
	if err != nil {
		return actions.RunInfo{}, fmt.Errorf("reading the run %s: %w", id, err)
	}
	info := actions.RunInfo{
		ID: id, Action: p.Action, Title: p.Title, Platform: p.Platform, By: state.By, Started: state.Started, Ended: state.Ended, Outcome: state.Outcome,
		Text: state.Text, Alive: alive, Plan: p, State: state, Log: filepath.Join(dir, logFile),
	}
	if info.Started.IsZero() {
		info.Started = p.MadeAt
	}
	if !alive && state.Outcome == actions.Running && !(state.Seq == 0 && young(dir)) {
		info.Outcome, info.Text = actions.Interrupted, "its process is gone"
	}
	if alive {
		info.Outcome = actions.Running
	}
	return info, nil
}

func young(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, planFile))
	return err == nil && time.Since(info.ModTime()) < starting
}

const maxPlan = 64 << 20

func readPlan(dir string) (actions.Plan, error) {
	var p actions.Plan
	file, err := os.Open(filepath.Join(dir, planFile))
	if err != nil {
		return p, err
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err == nil && info.Size() > maxPlan {
		return p, errors.New("its plan is larger than any")
	}
	if err := json.NewDecoder(file).Decode(&p); err != nil {
		return p, fmt.Errorf("its plan: %w", err)
	}
	return p, p.Validate()
}
