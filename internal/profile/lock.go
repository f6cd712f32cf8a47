package profile

import (
	"bytes"
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

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

// LockName is the name of the file beside a profile that locks the digests of its images. Each of its lines is the source of an image and
// its digest; what follows a # is for people.
const LockName = "images.lock"

// ParseLock reads a lock: digests by source. Name is what messages call it.
func ParseLock(name string, text []byte) (map[string]string, error) {
	if len(text) > maxSource {
		return nil, fmt.Errorf("%s: the lock is larger than %d KiB", name, maxSource>>10)
	}
	digests := map[string]string{}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		content, _, _ := strings.Cut(string(line), "#")
		switch words := strings.Fields(content); {
		case len(words) == 0:
		case len(words) != 2 || !digestForm.MatchString(words[1]):
			return nil, fmt.Errorf("%s:%d: a line is the source of an image and its digest, sha256: and 64 hexadecimal digits; gonogo profile lock writes them", name, n)
		case digests[words[0]] != "" && digests[words[0]] != words[1]:
			return nil, fmt.Errorf("%s:%d: %s is locked twice, to different digests; remove one of the lines", name, n, shown(words[0]))
		default:
			digests[words[0]] = words[1]
		}
	}
	return digests, nil
}

// FormatLock writes a lock as ParseLock reads it, always in the same order.
func FormatLock(digests map[string]string) []byte {
	var b bytes.Buffer
	b.WriteString("# Digests of the images that must be mirrored, by their sources. gonogo profile lock writes this file.\n")
	for _, source := range slices.Sorted(maps.Keys(digests)) {
		fmt.Fprintf(&b, "%s %s\n", source, digests[source])
	}
	return b.Bytes()
}

// ReadLock reads a lock from a file. There being none is no fault: it locks nothing.
func ReadLock(path string) (map[string]string, error) {
	text, err := readLock(path)
	if err != nil {
		return nil, err
	}
	return ParseLock(path, text)
}

func readLock(path string) ([]byte, error) {
	text, err := readSource(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the lock of images: %w", err)
	}
	return text, nil
}

// LockBeside is where the lock of the profile in a file is.
func LockBeside(path string) string { return filepath.Join(filepath.Dir(path), LockName) }

// source is the text of a profile and of the lock beside it.
type source struct{ text, lock []byte }

func readBoth(path string) (source, error) {
	text, err := readSource(path)
	if err != nil {
		return source{}, fmt.Errorf("reading profile: %w", err)
	}
	lock, err := readLock(LockBeside(path))
	return source{text, lock}, err
}

// digest tells texts apart.
func (s source) digest() string {
	text := s.text
	if len(s.lock) > 0 {
		text = slices.Concat(s.text, []byte{0}, s.lock)
	}
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])
}

// load makes a profile of what was read.
func (s source) load(path string, kinds []probes.KindInfo, acts ...actions.KindInfo) (*Profile, error) {
	p, err := Load(path, s.text, kinds, acts...)
	if err != nil || len(s.lock) == 0 {
		return p, err
	}
	digests, err := ParseLock(LockBeside(path), s.lock)
	if err != nil {
		return nil, err
	}
	p = p.Locked(digests)
	p.Digest = s.digest()
	return p, nil
}

// statLock looks at the lock beside a profile; nil if there is none.
func statLock(path string) os.FileInfo {
	info, err := os.Stat(LockBeside(path))
	if err != nil {
		return nil
	}
	return info
}
