package copier

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// memory knows which repositories of which registries have a blob, also of an earlier process. What it knows is a hint: a repository that
// is asked for a blob may have lost it. Its zero value forgets with the process.
type memory struct {
	mu    sync.Mutex
	repos map[string][]string // by registry and digest
	file  *os.File
}

// line is what is kept of a finished blob.
type line struct {
	Host   string `json:"host"`
	Repo   string `json:"repo"`
	Digest string `json:"digest"`
}

func openMemory(name string) (*memory, error) {
	m := &memory{}
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading which layers are there: %w", err)
	}
	whole := 0
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var l line
		if json.Unmarshal(lines.Bytes(), &l) != nil || whole+len(lines.Bytes())+1 > len(text) {
			break // a crash cut it short
		}
		whole += len(lines.Bytes()) + 1
		m.learn(l)
	}
	if m.file, err = os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("keeping which layers are there: %w", err)
	}
	if err = m.file.Truncate(int64(whole)); err == nil {
		_, err = m.file.Seek(int64(whole), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keeping which layers are there: %w", err), m.file.Close())
	}
	return m, nil
}

func key(host, digest string) string { return host + " " + digest }

func (m *memory) learn(l line) bool {
	if m.repos == nil {
		m.repos = map[string][]string{}
	}
	k := key(l.Host, l.Digest)
	if slices.Contains(m.repos[k], l.Repo) {
		return false
	}
	m.repos[k] = append(m.repos[k], l.Repo)
	return true
}

// know remembers that a repository has a blob. It is on the disk when know returns.
func (m *memory) know(host, repo, digest string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := line{host, repo, digest}
	if !m.learn(l) || m.file == nil {
		return nil
	}
	text, err := json.Marshal(l)
	if err == nil {
		_, err = m.file.Write(append(text, '\n'))
	}
	if err == nil {
		err = m.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("keeping which layers are there: %w", err)
	}
	return nil
}

// who returns the repositories that may have a blob.
func (m *memory) who(host, digest string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.repos[key(host, digest)])
}

func (m *memory) close() error {
	if m.file == nil {
		return nil
	}
	return m.file.Close()
}
