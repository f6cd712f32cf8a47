package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// entry is a line of the audit: who did what, from where, and how it ended.
type entry struct {
	At       time.Time `json:"at"`
	Who      string    `json:"who"`
	From     string    `json:"from,omitempty"`
	Platform string    `json:"platform"`
	Cluster  string    `json:"cluster,omitempty"`
	Action   string    `json:"action"`
	Run      string    `json:"run"`
	Plan     string    `json:"plan"` // digest
	Outcome  string    `json:"outcome"`
	Text     string    `json:"text,omitempty"`
}

// audit adds a line, which is on the disk when it returns.
func (e *Engine) audit(line entry) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(e.StateDir, 0o700); err != nil {
		return fmt.Errorf("writing the audit: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(e.StateDir, "audit.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing the audit: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	return errors.Join(err, file.Sync(), file.Close())
}
