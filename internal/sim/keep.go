package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// keptFormat is raised when an older file cannot be read any more; such a file is begun anew.
const keptFormat = 4

// kept is the state of a simulated platform between two commands.
type kept struct {
	Format     int             `json:"format"`
	Scenario   string          `json:"scenario"`
	Now        time.Time       `json:"now"`
	Kubernetes json.RawMessage `json:"kubernetes"`
	Harbor     json.RawMessage `json:"harbor"`
	Cloudflare json.RawMessage `json:"cloudflare"`
	Done       []string        `json:"done"` // switches that were thrown
}

func (s *Sim) file() string { return filepath.Join(s.dir, "demo-"+s.scenario+".json") }

// dirOf is the folder of a scenario.
func dirOf(dir, scenario string) string { return filepath.Join(dir, scenario) }

// load reads what was kept of the scenario, or nothing. A file that cannot be read is begun anew: it is a demo's.
func (s *Sim) load(reset bool) (*kept, error) {
	if s.dir == "" {
		return nil, nil
	}
	s.dir = dirOf(s.dir, s.scenario)
	if reset {
		if err := os.RemoveAll(s.dir); err != nil {
			return nil, fmt.Errorf("starting the demo over: %w", err)
		}
	}
	text, err := os.ReadFile(s.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the demo's state: %w", err)
	}
	var k kept
	if json.Unmarshal(text, &k) != nil || k.Format != keptFormat || k.Scenario != s.scenario {
		return nil, nil
	}
	return &k, nil
}

// restore puts what was kept into the servers.
func (k *kept) restore(s *Sim) error {
	err := errors.Join(s.Kube.Restore(bytes.NewReader(k.Kubernetes)), s.Harbor.Restore(k.Harbor), s.Cloudflare.Restore(k.Cloudflare))
	if err != nil {
		return fmt.Errorf("continuing the demo, which --demo-reset would start over: %w", err)
	}
	s.restoreDone(k.Done)
	return nil
}

// done lists the switches that were thrown.
func (s *Sim) done() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.thrown))
}

// save keeps the state, whole or not at all.
func (s *Sim) save() error {
	if s.dir == "" {
		return nil
	}
	k := kept{Format: keptFormat, Scenario: s.scenario, Now: s.Now(), Done: s.done()}
	var kube bytes.Buffer
	err := s.Kube.Snapshot(&kube)
	k.Kubernetes = kube.Bytes()
	var harborErr, cloudflareErr error
	k.Harbor, harborErr = s.Harbor.Snapshot()
	k.Cloudflare, cloudflareErr = s.Cloudflare.Snapshot()
	if err := errors.Join(err, harborErr, cloudflareErr, os.MkdirAll(s.dir, 0o700)); err != nil {
		return fmt.Errorf("keeping the demo's state: %w", err)
	}
	text, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("keeping the demo's state: %w", err)
	}
	temporary := s.file() + fmt.Sprintf(".%d", os.Getpid())
	if err := errors.Join(os.WriteFile(temporary, text, 0o600), os.Rename(temporary, s.file())); err != nil {
		return fmt.Errorf("keeping the demo's state: %w", err)
	}
	return nil
}
