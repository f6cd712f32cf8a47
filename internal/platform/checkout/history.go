package checkout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/254carbon/gonogo/probes/files"
)

// repository is the git side of a checkout.
type repository struct {
	git  *git.Repository // nil in a folder that is no git checkout
	head *object.Commit
}

// longEnough is how many commits are looked at beyond those that matter, to say when a file was changed instead of that it was not.
const longEnough = 1000

// open opens the repository of the folder itself; one that the folder is only somewhere within says nothing about it.
func (t *tree) open() (*repository, error) {
	if t.repo != nil {
		return t.repo, nil
	}
	r := &repository{}
	if _, err := t.root.Lstat(".git"); errors.Is(err, fs.ErrNotExist) {
		t.repo = r
		return r, nil
	}
	var err error
	if r.git, err = git.PlainOpenWithOptions(t.dir, &git.PlainOpenOptions{EnableDotGitCommonDir: true}); err != nil {
		return nil, fmt.Errorf("opening the git repository: %w", cause(err))
	}
	head, err := r.git.Head()
	if err != nil {
		return nil, fmt.Errorf("reading the head of the git repository: %w", cause(err))
	}
	if r.head, err = r.git.CommitObject(head.Hash()); err != nil {
		return nil, fmt.Errorf("reading the newest commit: %w", cause(err))
	}
	t.repo = r
	return r, nil
}

func short(h plumbing.Hash) string { return h.String()[:7] }

// Revision implements [files.Tree].
func (t *tree) Revision() string {
	r, err := t.open()
	if err != nil || r.head == nil {
		return ""
	}
	return "commit " + short(r.head.Hash)
}

// Changed implements [files.Tree]. In a git checkout the last commit that changed the file counts, anywhere else the file's own time, which a
// copy of the folder may have set.
func (t *tree) Changed(ctx context.Context, name string, since time.Time) (files.Change, error) {
	r, err := t.open()
	if err != nil {
		return files.Change{}, err
	}
	if r.git == nil {
		info, err := fs.Stat(t, name)
		if err != nil {
			return files.Change{}, cause(err)
		}
		return files.Change{At: info.ModTime(), How: "time of modification, the folder is no git checkout"}, nil
	}
	return r.changed(ctx, name, since)
}

// changed walks from the newest commit back until one differs in the file from all that came before it.
func (r *repository) changed(ctx context.Context, name string, since time.Time) (files.Change, error) {
	if _, ok, err := blob(r.head, name); err != nil || !ok {
		return files.Change{}, errors.Join(err, errors.New("it is not in the newest commit"))
	}
	cut, err := r.git.Storer.Shallow()
	if err != nil {
		return files.Change{}, fmt.Errorf("reading where the history was cut off: %w", cause(err))
	}
	seen, front := map[plumbing.Hash]bool{r.head.Hash: true}, []*object.Commit{r.head}
	for n := 0; len(front) > 0; n++ {
		if err := ctx.Err(); err != nil {
			return files.Change{}, err
		}
		c := newest(&front)
		at := c.Committer.When
		switch {
		case n > longEnough && at.Before(since):
			return files.Change{}, nil
		case slices.Contains(cut, c.Hash) && at.Before(since):
			continue
		case slices.Contains(cut, c.Hash): // what was before it is not here, so that nobody can say what it changed
			return files.Change{}, fmt.Errorf("the history is cut off at commit %s of %s: fetch all of it (git fetch --unshallow)",
				short(c.Hash), at.UTC().Format("2006-01-02"))
		}
		parents, err := parentsOf(c)
		if err != nil {
			return files.Change{}, err
		}
		differs, err := differ(c, parents, name)
		if err != nil {
			return files.Change{}, err
		}
		if differs {
			return files.Change{At: at, How: "commit " + short(c.Hash)}, nil
		}
		for _, p := range parents {
			if !seen[p.Hash] {
				seen[p.Hash] = true
				front = append(front, p)
			}
		}
	}
	return files.Change{}, nil
}

// newest takes the newest commit out of those to be looked at.
func newest(front *[]*object.Commit) *object.Commit {
	at := 0
	for i, c := range *front {
		if c.Committer.When.After((*front)[at].Committer.When) {
			at = i
		}
	}
	c := (*front)[at]
	*front = slices.Delete(*front, at, at+1)
	return c
}

func parentsOf(c *object.Commit) ([]*object.Commit, error) {
	parents := make([]*object.Commit, c.NumParents())
	for i := range parents {
		var err error
		if parents[i], err = c.Parent(i); err != nil {
			return nil, fmt.Errorf("reading the history before commit %s: %w", short(c.Hash), cause(err))
		}
	}
	return parents, nil
}

// differ reports whether a commit changed a file: it differs from what it was in every parent.
func differ(c *object.Commit, parents []*object.Commit, name string) (bool, error) {
	now, is, err := blob(c, name)
	for _, p := range parents {
		if err != nil {
			return false, err
		}
		var before plumbing.Hash
		var was bool
		if before, was, err = blob(p, name); err == nil && before == now && was == is {
			return false, nil
		}
	}
	return is || len(parents) > 0, err
}

// blob is the content of a file in a commit, if it is there.
func blob(c *object.Commit, name string) (plumbing.Hash, bool, error) {
	tree, err := c.Tree()
	if err != nil {
		return plumbing.ZeroHash, false, fmt.Errorf("reading commit %s: %w", short(c.Hash), cause(err))
	}
	entry, err := tree.FindEntry(name)
	switch {
	case errors.Is(err, object.ErrEntryNotFound), errors.Is(err, object.ErrDirectoryNotFound), errors.Is(err, object.ErrFileNotFound):
		return plumbing.ZeroHash, false, nil
	case err != nil:
		return plumbing.ZeroHash, false, fmt.Errorf("reading commit %s: %w", short(c.Hash), cause(err))
	}
	return entry.Hash, true, nil
}
