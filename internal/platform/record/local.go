package record

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes/evidence"
)

// local keeps entries on this machine, a file each, so that two processes never write the same one. It is a cluster's own: what was said of
// one is not said of another.
type local struct{ dir string }

// maxLocal is how many entries are kept in the folder.
const maxLocal = 200

const suffix = ".json"

// of makes it that of one API server.
func (l *local) of(server string) {
	if l.dir != "" {
		sum := sha256.Sum256([]byte(server))
		l.dir = filepath.Join(l.dir, hex.EncodeToString(sum[:4]))
	}
}

// read returns the entries; a folder that is not there has none.
func (l local) read() ([]evidence.Entry, error) {
	texts, err := l.texts()
	var all []evidence.Entry
	for key, text := range texts {
		e := evidence.Decode(key, text)
		e.Place = "this machine"
		all = append(all, e)
	}
	return all, err
}

// texts are the entries as they are kept, by their keys.
func (l local) texts() (map[string]string, error) {
	names, err := l.names()
	texts := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(l.dir, name))
		if err != nil {
			continue // removed since
		}
		texts[strings.TrimSuffix(name, suffix)] = string(text)
	}
	return texts, err
}

// names are those of the entries' files.
func (l local) names() ([]string, error) {
	if l.dir == "" {
		return nil, nil
	}
	files, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading what is kept of the evidence record on this machine: %w", err)
	}
	var names []string
	for _, f := range files {
		if strings.HasSuffix(f.Name(), suffix) && f.Type().IsRegular() {
			names = append(names, f.Name())
		}
	}
	return names[:min(len(names), 5*maxLocal)], nil
}

// write keeps entries, each whole or not at all.
func (l local) write(entries []evidence.Entry) (string, error) {
	if l.dir == "" {
		return "", errors.New("there is no folder to keep it in on this machine")
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return "", fmt.Errorf("keeping it on this machine: %w", err)
	}
	kept, err := l.texts()
	if err != nil {
		return "", err
	}
	before := maps.Clone(kept)
	if err := add(kept, entries); err != nil {
		return "", err
	}
	for key, text := range kept {
		if _, there := before[key]; there {
			continue
		}
		temporary := filepath.Join(l.dir, fmt.Sprintf(".%s.%d", key, os.Getpid()))
		err := errors.Join(os.WriteFile(temporary, []byte(text), 0o600), os.Rename(temporary, filepath.Join(l.dir, key+suffix)))
		if err != nil {
			return "", fmt.Errorf("keeping it on this machine: %w", err)
		}
	}
	return l.dir, l.prune()
}

// prune removes the oldest beyond those that are kept, never the newest of what it is about.
func (l local) prune() error {
	files, err := os.ReadDir(l.dir)
	if err != nil || len(files) <= maxLocal {
		return err
	}
	all, err := l.read()
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b evidence.Entry) int { return b.At.Compare(a.At) })
	seen := map[string]bool{}
	for n, e := range all {
		if seen[e.Group()] && n >= maxLocal/2 {
			err = errors.Join(err, os.Remove(filepath.Join(l.dir, e.Key+suffix)))
		}
		seen[e.Group()] = true
	}
	return err
}
