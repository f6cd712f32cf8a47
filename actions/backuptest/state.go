package backuptest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// state is what a test knows of itself from one process to the next. It holds nothing of the platform's.
type state struct {
	Suffix string `json:"suffix"` // of the names of everything that it makes
	Nonce  string `json:"nonce"`  // from which the content is made

	Bytes   string            `json:"bytes,omitempty"`   // what the pod says of the bytes that it wrote
	Phase   string            `json:"phase,omitempty"`   // of the backup at its end
	Items   int               `json:"items,omitempty"`   // in the backup
	Ended   time.Time         `json:"ended,omitzero"`    // when the backup was found to have ended, well or not
	Restore time.Time         `json:"restore,omitzero"`  // begun
	Back    time.Time         `json:"back,omitzero"`     // when the restore ended
	RTO     float64           `json:"rto,omitempty"`     // seconds
	Equal   time.Time         `json:"equal,omitzero"`    // when the content was found equal
	Wrong   time.Time         `json:"wrong,omitzero"`    // when it was found wanting
	Found   string            `json:"found,omitempty"`   // digest of the content that came back
	Before  map[string]string `json:"before,omitempty"`  // versions of the sample's objects before its backup
	Sampled int               `json:"sampled,omitempty"` // objects of the sample that were found equal
	Backup  string            `json:"backupWrong,omitempty"`
	Content string            `json:"contentWrong,omitempty"` // what was measured wanting
	RPO     string            `json:"rpo,omitempty"`
	Over    bool              `json:"over,omitempty"` // the clean-up has begun: nothing is tested any more
	Kept    bool              `json:"kept,omitempty"` // the evidence is
}

const stateFile = "test.json"

// load reads the state of a folder, or begins one.
func load(folder string) (*state, error) {
	raw, err := os.ReadFile(filepath.Join(folder, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		var random [20]byte
		if _, err := rand.Read(random[:]); err != nil {
			return nil, fmt.Errorf("beginning the test: %w", err)
		}
		s := &state{Suffix: hex.EncodeToString(random[:4]), Nonce: hex.EncodeToString(random[4:])}
		return s, s.save(folder)
	}
	if err != nil {
		return nil, fmt.Errorf("reading how far the test is: %w", err)
	}
	var s state
	if err := json.Unmarshal(raw, &s); err != nil || s.Suffix == "" {
		return nil, fmt.Errorf("reading how far the test is: %s is not what gonogo wrote", stateFile)
	}
	return &s, nil
}

// save writes the state, whole or not at all.
func (s *state) save(folder string) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("keeping how far the test is: %w", err)
	}
	path := filepath.Join(folder, stateFile)
	if err := errors.Join(os.WriteFile(path+".new", raw, 0o600), os.Rename(path+".new", path)); err != nil {
		return fmt.Errorf("keeping how far the test is: %w", err)
	}
	return nil
}

// The names of what a test makes.
func (s *state) canary() string       { return "gonogo-test-" + s.Suffix }
func (s *state) scratch() string      { return "gonogo-restored-" + s.Suffix }
func (s *state) sampleBackup() string { return "gonogo-sample-" + s.Suffix }
func (s *state) sampleSpace(i int) string {
	return fmt.Sprintf("gonogo-restored-%s-%d", s.Suffix, i+1)
}

func (s *state) labels() map[string]any {
	return map[string]any{runLabel: s.Suffix, "app.kubernetes.io/managed-by": manager}
}

// words makes a text that nobody can guess and everybody with the nonce can make again.
func (s *state) words(of string) string {
	sum := sha256.Sum256([]byte(s.Nonce + " " + of))
	return hex.EncodeToString(sum[:])
}
