// Package files looks at a checkout of a platform's repository: are the guides there, do the scripts parse, is the README current. It
// reads files and the history of a git checkout; it runs nothing and asks no network.
package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
)

// Connection is the connection that the kind asks over.
const Connection = "checkout"

// Checkout is a folder with a checkout of the platform's repository.
type Checkout interface {
	// Name is the folder as the profile declares it, which is what evidence shows.
	Name() string
	// Open opens the folder for reading. Where there is none, the error is one for which errors.Is(err, fs.ErrNotExist) holds.
	Open(ctx context.Context) (Tree, error)
}

// Tree is a checkout that is open for reading. Neither a name nor a link in it leads out of it.
type Tree interface {
	fs.FS
	// Revision names what is checked out ("commit 1a2b3c4"), empty in a folder that is no git checkout.
	Revision() string
	// Changed says when a file was last changed. It need not look for changes long before since.
	Changed(ctx context.Context, name string, since time.Time) (Change, error)
	Close() error
}

// Change is the last change of a file.
type Change struct {
	At  time.Time // zero if it was before the time asked for and is not known
	How string    // where that is known from: "commit 1a2b3c4", "time of modification"
}

// Params are the parameters of the kind files; exactly one of the rules is set.
type Params struct {
	Guides  *Guides  `yaml:"guides,omitempty" jsonschema:"description=guides that must be there"`
	Scripts *Scripts `yaml:"scripts,omitempty" jsonschema:"description=scripts that must be there and in order"`
	Readme  *Readme  `yaml:"readme,omitempty" jsonschema:"description=a file that must have been changed lately"`
}

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	rules := 0
	for _, set := range []bool{p.Guides != nil, p.Scripts != nil, p.Readme != nil} {
		if set {
			rules++
		}
	}
	if rules != 1 {
		return fmt.Errorf("write exactly one of guides, scripts and readme")
	}
	switch {
	case p.Guides != nil:
		return p.Guides.validate()
	case p.Scripts != nil:
		return p.Scripts.validate()
	}
	return p.Readme.validate()
}

// Info describes the kind files.
func Info() probes.KindInfo {
	return probes.KindInfo{
		Name: "files",
		About: "Looks at the checkout of the platform's repository: guides by their roles, scripts that are executable and parse, a README that was " +
			"changed lately. Nothing of the checkout is run.",
		Connection: Connection, Every: 10 * time.Minute, Timeout: 10 * time.Second, Confirm: 1,
		Params: func() any { return &Params{} },
	}
}

// New returns a probe of the kind files for a check. Parameters must be valid. Where there is no checkout, what the record holds of somebody
// who has one is the answer. The clock is that of ages; nil for the machine's.
func New(checkout Checkout, record evidence.Record, check probes.ID, p Params, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	return probe{checkout: checkout, record: record, check: check, params: p, now: now}
}

type probe struct {
	checkout Checkout
	record   evidence.Record
	check    probes.ID
	params   Params
	now      func() time.Time
}

var _ probes.Watching = probe{}

// Watch wakes for the record; nothing tells of changes of the checkout.
func (p probe) Watch(wake func()) func() { return p.record.Watch(wake) }

func (p probe) Observe(ctx context.Context) (probes.Observation, error) {
	obs, _, err := examine(ctx, p.checkout, p.params, p.now())
	if err == nil && (obs.Status != probes.Fail || p.params.Attests() == "") {
		return obs, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return probes.Observation{}, err
	}
	seen, failure := p.record.Read(ctx)
	if err != nil {
		if obs, err = p.recorded(seen, failure); err != nil {
			return probes.Observation{}, err
		}
	}
	return p.attested(obs, seen), nil
}

// examine looks at the checkout, and returns the digest of what it looked at.
func examine(ctx context.Context, checkout Checkout, p Params, now time.Time) (probes.Observation, string, error) {
	tree, err := checkout.Open(ctx)
	if err != nil {
		return probes.Observation{}, "", err
	}
	defer func() { _ = tree.Close() }()
	l := look{ctx: ctx, tree: tree, name: checkout.Name(), now: now, sum: sha256.New()}
	var obs probes.Observation
	switch {
	case p.Guides != nil:
		obs, err = l.guides(*p.Guides)
	case p.Scripts != nil:
		obs, err = l.scripts(*p.Scripts)
	default:
		obs, err = l.readme(*p.Readme)
	}
	if errors.Is(err, fs.ErrNotExist) { // of something in it, not of the checkout
		err = fmt.Errorf("looking at %s: %v", l.name, err) //nolint:errorlint // on purpose
	}
	return obs, "sha256:" + hex.EncodeToString(l.sum.Sum(nil)), err
}

// Limits of what is looked at.
const (
	maxEntries = 50_000
	maxFile    = 1 << 20
)

// look is one look at a checkout.
type look struct {
	ctx  context.Context //nolint:containedctx // of this look alone
	tree Tree
	name string
	now  time.Time
	sum  hash.Hash // of all that was read
}

// find returns the names of all files that match one of the patterns, in order.
func (l look) find(patterns []string) ([]string, error) {
	var found []string
	entries := 0
	err := fs.WalkDir(l.tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case l.ctx.Err() != nil:
			return l.ctx.Err()
		case err != nil && name == ".":
			return err
		case err != nil:
			return nil // a folder that may not be read holds nothing that could be shown
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		if entries++; entries > maxEntries {
			return fmt.Errorf("there are more than %d files", maxEntries)
		}
		if matches(patterns, name) {
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the files of %s: %w", l.name, err)
	}
	return found, nil
}

// matches reports whether a name matches one of the patterns, which are valid.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return doublestar.MatchUnvalidated(p, name) })
}

// errNoText is the error of what is there, and nothing that could be read as a text.
var errNoText = errors.New("cannot be read")

// read returns a file and its mode. Links are followed, but not out of the checkout; what is no regular file is never opened, since
// reading a pipe would wait for ever.
func (l look) read(name string) ([]byte, fs.FileMode, error) {
	if err := l.ctx.Err(); err != nil {
		return nil, 0, err
	}
	info, err := fs.Stat(l.tree, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, err
	case err != nil && amiss(err):
		return nil, 0, fmt.Errorf("%w: %w", errNoText, err)
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular():
		return nil, info.Mode(), fmt.Errorf("%w: it is no plain file", errNoText)
	case info.Size() > maxFile:
		return nil, info.Mode(), fmt.Errorf("%w: it is larger than %d KiB", errNoText, maxFile>>10)
	}
	text, err := fs.ReadFile(l.tree, name)
	_, _ = fmt.Fprintf(l.sum, "%s %v %d\n%s", name, info.Mode(), len(text), text)
	return text, info.Mode(), err
}

// amiss reports whether a failure says something of the checkout, such as a link that leads out of it, and not of the disk or of gonogo's rights.
func amiss(err error) bool {
	var errno syscall.Errno
	return !errors.As(err, &errno) || errno == syscall.ELOOP || errno == syscall.ENOTDIR
}

// from says where evidence about a file comes from, and which command shows it by hand.
func (l look) from(name, command string) probes.Request {
	source := l.name
	if name != "" {
		source = path.Join(l.name, name)
	}
	if revision := l.tree.Revision(); revision != "" {
		source += " at " + revision
	}
	return probes.Request{Source: source, Repeat: command}
}

// word is a file of the checkout as one word of a shell, in which ~ stays what it is.
func (l look) word(name string) string {
	whole := path.Join(l.name, name)
	if rest, ok := strings.CutPrefix(whole, "~/"); ok {
		return "~/" + probes.ShellWord(rest)
	}
	return probes.ShellWord(whole)
}

func validatePatterns(key string, patterns []string) error {
	for _, p := range patterns {
		switch {
		case !doublestar.ValidatePattern(p) || strings.ContainsFunc(p, outlandish): // it becomes part of a command
			return fmt.Errorf("%s: %q is no pattern; write one like docs/**/*.md", key, p)
		case path.IsAbs(p) || p != path.Clean(p) || strings.HasPrefix(p, ".."):
			return fmt.Errorf("%s: %q must be relative to the checkout", key, p)
		}
	}
	return nil
}

func outlandish(c rune) bool {
	plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	return !plain && !strings.ContainsRune("-_.,/*?[]{}!+@", c)
}

// named is how many things a summary names before it counts the rest.
const named = 3

func enumerate(words []string) string {
	if more := len(words) - named; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(words[:named], "; "), more)
	}
	return strings.Join(words, "; ")
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
