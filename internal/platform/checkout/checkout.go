// Package checkout opens a folder with a checkout of the platform's repository, for reading only: nothing that a link in it leads to outside
// of the folder can be read, and of git it knows the history, not how to change it.
package checkout

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/254carbon/gonogo/probes/files"
)

// Checkout is a folder by name. It is opened anew for each look, so that one that appears later is seen.
type Checkout struct {
	name   string
	locate func() (string, error)
}

var _ files.Checkout = (*Checkout)(nil)

// New returns the checkout in a folder; ~ is the home directory.
func New(name string) *Checkout {
	return &Checkout{name: name, locate: func() (string, error) { return expand(name) }}
}

// At returns a checkout that is called name and is wherever locate says.
func At(name string, locate func() (string, error)) *Checkout {
	return &Checkout{name: name, locate: locate}
}

// Name implements [files.Checkout].
func (c *Checkout) Name() string { return c.name }

// Folder returns where the checkout is, for what is run in it.
func (c *Checkout) Folder() (string, error) { return c.locate() }

// Open implements [files.Checkout].
func (c *Checkout) Open(ctx context.Context) (files.Tree, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, err := c.locate()
	if err != nil {
		return nil, fmt.Errorf("finding the checkout %s: %w", c.name, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the checkout %s: %w", c.name, cause(err))
	}
	return &tree{root: root, dir: dir, FS: root.FS()}, nil
}

// cause is what an error of the file system says without the path, which need not be the name that people know.
func cause(err error) error {
	if path, ok := err.(*fs.PathError); ok { //nolint:errorlint // only the outermost says the path
		return path.Err
	}
	return err
}

func expand(name string) (string, error) {
	rest, ok := strings.CutPrefix(name, "~")
	if !ok || rest != "" && rest[0] != '/' {
		return name, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, rest), nil
}

type tree struct {
	fs.FS
	root *os.Root
	dir  string
	repo *repository // nil until it is needed
}

// Close implements [files.Tree].
func (t *tree) Close() error { return t.root.Close() }
