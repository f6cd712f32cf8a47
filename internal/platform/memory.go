package platform

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/254carbon/gonogo/probes/defaults"
)

var _ defaults.Memory = (*Memory)(nil)

// Memory keeps short texts by their keys, in a folder that every process of this machine shares, or without one for as long as the process
// lives.
type Memory struct {
	dir string

	mu   sync.Mutex
	kept map[string]string // without a folder
}

// maxRemembered is how much of a text is read.
const maxRemembered = 64 << 10

// Recall returns the text of a key; nothing remembered is an empty text.
func (m *Memory) Recall(key string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dir == "" {
		return m.kept[key], nil
	}
	file, err := os.Open(m.file(key))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("reading what was remembered: %w", err)
	}
	defer func() { _ = file.Close() }()
	text := make([]byte, maxRemembered)
	n, err := file.Read(text)
	if err != nil {
		return "", fmt.Errorf("reading what was remembered: %w", err)
	}
	return string(text[:n]), nil
}

// Remember keeps the text of a key, whole or not at all.
func (m *Memory) Remember(key, text string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dir == "" {
		if m.kept == nil {
			m.kept = map[string]string{}
		}
		m.kept[key] = text
		return nil
	}
	temporary := fmt.Sprintf("%s.%d", m.file(key), os.Getpid())
	err := errors.Join(os.MkdirAll(m.dir, 0o700), os.WriteFile(temporary, []byte(text), 0o600))
	if err == nil {
		err = os.Rename(temporary, m.file(key))
	}
	if err != nil {
		return fmt.Errorf("remembering: %w", err)
	}
	return nil
}

func (m *Memory) file(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(m.dir, hex.EncodeToString(sum[:8]))
}
