package labtest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// recipe and modules stand in testdata/lab/build.sh too: they change together.
const recipe = "2"

// modules returns the folders of testdata/lab that hold a module, in the order of
// the key.
func modules() []string { return []string{"kubernetes", "kwok", "velero", "minio"} }

// labFolder is the folder testdata/lab of the source tree this was built from.
func labFolder() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return "", errors.New("finding testdata/lab: the test was built without its source paths (-trimpath)")
	}
	return filepath.Join(filepath.Dir(file), "..", "..", "testdata", "lab"), nil
}

// CacheDir returns the folder that the servers of this source tree are built
// into. It says nothing about whether they are there.
func CacheDir() (string, error) {
	folder, err := labFolder()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "recipe %s\n", recipe)
	for _, module := range modules() {
		for _, name := range []string{"go.mod", "go.sum"} {
			text, err := os.ReadFile(filepath.Join(folder, module, name))
			if err != nil {
				return "", fmt.Errorf("computing the lab's key: %w", err)
			}
			sum.Write(text)
		}
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("finding the cache folder: %w", err)
		}
		cache = filepath.Join(home, ".cache")
	}
	return filepath.Join(cache, "gonogo-lab", hex.EncodeToString(sum.Sum(nil))[:16]), nil
}

// builtDir is CacheDir for servers that are all there.
func builtDir() (string, error) {
	dir, err := CacheDir()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "complete")); err != nil {
		return "", fmt.Errorf("the lab's servers are not built (%s is missing): run testdata/lab/build.sh, or make lab-build", filepath.Join(dir, "complete"))
	}
	return dir, nil
}

// program returns the path of a server: one that build.sh built, or one of
// Debian's packages.
func (l *Lab) program(name string) (string, error) {
	built := filepath.Join(l.built, "bin", name)
	if _, err := os.Stat(built); err == nil {
		return built, nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("finding the server %s, neither built in %s nor installed (run testdata/lab/build.sh): %w", name, l.built, err)
	}
	return path, nil
}
