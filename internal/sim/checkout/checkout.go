// Package checkout makes the checkout of the simulated platform's repository: a small git repository with guides, scripts and a README,
// the same byte for byte every time.
package checkout

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Name is what the folder is called wherever it is shown.
const Name = "~/hmco"

//go:embed tree asfound
var content embed.FS

// Options say which state of the repository is made.
type Options struct {
	AsFound bool // with the README that calls everything complete, and the scripts that stop after their first success
}

// Ages of the commits when the simulation begins.
const (
	begun     = 60 * 24 * time.Hour
	refreshed = 26 * time.Hour
)

// Make makes the repository in an empty folder, as it is at that time.
func Make(dir string, now time.Time, o Options) error {
	if err := lay(dir, "tree"); err != nil {
		return err
	}
	if o.AsFound {
		if err := lay(dir, "asfound"); err != nil {
			return err
		}
	}
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		return fmt.Errorf("making the checkout: %w", err)
	}
	repo, err := git.PlainInit(dir, false)
	if err != nil {
		return fmt.Errorf("making the repository of the checkout: %w", err)
	}
	first := []byte("# 254Carbon platform\n\nManifests, scripts and guides of the data platform.\n")
	for _, step := range []struct {
		readme  []byte
		age     time.Duration
		message string
	}{{first, begun, "Begin"}, {readme, refreshed, "Say in the README where things are"}} {
		if err := write(dir, "README.md", step.readme); err != nil {
			return err
		}
		if err := Commit(repo, now.Add(-step.age), step.message); err != nil {
			return err
		}
	}
	return nil
}

// Version tells the embedded content from that of other versions of this program.
func Version() string {
	sum := sha256.New()
	_ = fs.WalkDir(content, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			text, _ := fs.ReadFile(content, name)
			fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
		}
		return nil
	})
	return hex.EncodeToString(sum.Sum(nil))[:8]
}

// lay copies one of the embedded folders; scripts are made executable.
func lay(dir, folder string) error {
	return fs.WalkDir(content, folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(content, name)
		if err != nil {
			return err
		}
		return write(dir, name[len(folder)+1:], text)
	})
}

func write(dir, name string, text []byte) error {
	mode := fs.FileMode(0o644)
	if path.Ext(name) == ".sh" {
		mode = 0o755
	}
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("making the checkout: %w", err)
	}
	if err := os.WriteFile(file, text, mode); err != nil {
		return fmt.Errorf("making the checkout: %w", err)
	}
	if err := os.Chmod(file, mode); err != nil { // whatever the process takes away from new files
		return fmt.Errorf("making the checkout: %w", err)
	}
	return nil
}

// Commit commits everything in the folder of a repository as of a time.
func Commit(repo *git.Repository, at time.Time, message string) error {
	w, err := repo.Worktree()
	if err != nil {
		return fmt.Errorf("committing to the checkout: %w", err)
	}
	if err := w.AddWithOptions(&git.AddOptions{All: true}); err != nil {
		return fmt.Errorf("committing to the checkout: %w", err)
	}
	who := &object.Signature{Name: "254Carbon", Email: "platform@254carbon.com", When: at.UTC()}
	if _, err := w.Commit(message, &git.CommitOptions{Author: who, Committer: who}); err != nil {
		return fmt.Errorf("committing to the checkout: %w", err)
	}
	return nil
}
