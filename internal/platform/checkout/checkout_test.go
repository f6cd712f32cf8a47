package checkout

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/254carbon/gonogo/probes/files"
)

var noon = time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC)

// author commits to a repository of a test.
type author struct {
	t    *testing.T
	dir  string
	repo *git.Repository
}

func begin(t *testing.T) *author {
	t.Helper()
	dir := t.TempDir()
	repo, err := git.PlainInit(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	return &author{t: t, dir: dir, repo: repo}
}

func (a *author) commit(name, text string, at time.Time, parents ...plumbing.Hash) plumbing.Hash {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
	w, err := a.repo.Worktree()
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := w.Add(name); err != nil {
		a.t.Fatal(err)
	}
	who := &object.Signature{Name: "a", Email: "a@b", When: at}
	hash, err := w.Commit("change "+name, &git.CommitOptions{Author: who, Committer: who, Parents: parents, AllowEmptyCommits: true})
	if err != nil {
		a.t.Fatal(err)
	}
	return hash
}

func open(t *testing.T, dir string) files.Tree {
	t.Helper()
	tree, err := At("~/hmco", func() (string, error) { return dir, nil }).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tree.Close() })
	return tree
}

func TestChanged(t *testing.T) {
	a := begin(t)
	a.commit("README.md", "one", noon.AddDate(0, 0, -50))
	readme := a.commit("README.md", "two", noon.AddDate(0, 0, -20))
	base := a.commit("other", "x", noon.AddDate(0, 0, -10))
	side := a.commit("side", "x", noon.AddDate(0, 0, -9), base)
	a.commit("other", "y", noon.AddDate(0, 0, -8), base, side) // a merge that takes the README as both have it
	if err := os.WriteFile(filepath.Join(a.dir, "untracked"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	tree := open(t, a.dir)
	change, err := tree.Changed(t.Context(), "README.md", noon.AddDate(0, 0, -30))
	if err != nil || !change.At.Equal(noon.AddDate(0, 0, -20)) || change.How != "commit "+readme.String()[:7] {
		t.Errorf("%+v (%v), want the commit of 20 days ago", change, err)
	}
	if _, err := tree.Changed(t.Context(), "untracked", noon); err == nil || !strings.Contains(err.Error(), "not in the newest commit") {
		t.Errorf("untracked: %v", err)
	}
	if !strings.HasPrefix(tree.Revision(), "commit ") {
		t.Errorf("revision %q", tree.Revision())
	}
}

func TestChangedWhereTheHistoryIsCutOff(t *testing.T) {
	for name, tt := range map[string]struct {
		since time.Time
		want  string
	}{
		"cut within the time that matters": {noon.AddDate(0, 0, -30), "git fetch --unshallow"},
		"cut before it":                    {noon.AddDate(0, 0, -5), ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := begin(t)
			a.commit("README.md", "one", noon.AddDate(0, 0, -50))
			cut := a.commit("other", "x", noon.AddDate(0, 0, -10))
			a.commit("other", "y", noon.AddDate(0, 0, -4))
			if err := a.repo.Storer.SetShallow([]plumbing.Hash{cut}); err != nil {
				t.Fatal(err)
			}
			change, err := open(t, a.dir).Changed(t.Context(), "README.md", tt.since)
			if tt.want == "" && (err != nil || !change.At.IsZero()) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%+v, %v", change, err)
			}
		})
	}
}

func TestWithoutGitTheFilesTimeCounts(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "README.md")
	if err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Chtimes(file, noon, noon)); err != nil {
		t.Fatal(err)
	}
	tree := open(t, dir)
	change, err := tree.Changed(t.Context(), "README.md", noon)
	if err != nil || !change.At.Equal(noon) || !strings.Contains(change.How, "no git checkout") || tree.Revision() != "" {
		t.Errorf("%+v (%v), revision %q", change, err, tree.Revision())
	}
}

func TestNothingLeadsOut(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := errors.Join(
		os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600),
		os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "absolute")),
		os.Symlink("../"+filepath.Base(outside)+"/secret", filepath.Join(dir, "relative")),
		os.WriteFile(filepath.Join(dir, "here"), []byte("here"), 0o600), os.Symlink("here", filepath.Join(dir, "within")),
	); err != nil {
		t.Fatal(err)
	}
	tree := open(t, dir)
	for _, name := range []string{"absolute", "relative", "../" + filepath.Base(outside) + "/secret"} {
		if text, err := fs.ReadFile(tree, name); err == nil {
			t.Errorf("%s is read: %s", name, text)
		}
	}
	if text, err := fs.ReadFile(tree, "within"); err != nil || string(text) != "here" {
		t.Errorf("a link within: %q, %v", text, err)
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	missing := New(filepath.Join(t.TempDir(), "none"))
	if _, err := missing.Open(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	t.Setenv("HOME", t.TempDir())
	if _, err := New("~/hmco").Open(t.Context()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "~/hmco") || strings.Contains(err.Error(), os.Getenv("HOME")) {
		t.Errorf("no folder in the home directory: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".git"), []byte("gitdir: nowhere"), 0o600); err != nil {
		t.Fatal(err)
	}
	tree := open(t, dir)
	if _, err := tree.Changed(t.Context(), "README.md", noon); err == nil || tree.Revision() != "" {
		t.Errorf("a repository that is none: %v, revision %q", err, tree.Revision())
	}
}
