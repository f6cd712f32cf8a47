// Package copier copies images between OCI registries. Each distinct blob crosses the wire to a registry once, however many repositories
// want it: those that come later join the upload that is under way, and then have the blob mounted. Uploads stay below what proxies let
// through, a body that breaks off is continued where it broke off, a registry that asks for patience gets it, from everyone, and what was
// finished is remembered beyond the end of the process. Authentication is go-containerregistry's; the transfers are this package's own,
// because no library shares uploads between repositories.
package copier

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/mirror"
)

// Options are the settings of [New].
type Options struct {
	// Transport carries every request. It must let bodies as large as layers pass.
	Transport http.RoundTripper
	// Credential returns the user name and password for a registry, empty for none. It is asked once for each.
	Credential func(ctx context.Context, host string) (username, password string, err error)
	// Plain says which registries are reached over HTTP without TLS besides those on loopback; may be nil.
	Plain func(host string) bool
	// PerHost is how many requests for or of a registry's layers are under way at once; 0 for 8.
	PerHost int
	// PutLimit is the largest body of one upload; 0 for 64 MiB. Cloudflare refuses more than 100 MB.
	PutLimit int64
	// Idle is how long a body may stand still before it is asked for anew; 0 for a minute.
	Idle time.Duration
	// Folder is where finished blobs are remembered; empty for nowhere.
	Folder string
	// Sleep waits, or returns the error of ctx; nil for the machine's clock. Now goes with it.
	Sleep func(ctx context.Context, d time.Duration) error
	Now   func() time.Time
}

// Copier copies images. It is safe for concurrent use.
type Copier struct {
	o      Options
	memory *memory

	mu      sync.Mutex
	hosts   map[string]*host
	flights map[string]*flight // by target registry and digest
}

var _ mirror.Copier = (*Copier)(nil)

// New returns a copier, which asks nothing before it is used.
func New(o Options) (*Copier, error) {
	if o.Transport == nil {
		return nil, errors.New("a copier of images needs a transport")
	}
	if o.Credential == nil {
		o.Credential = func(context.Context, string) (string, string, error) { return "", "", nil }
	}
	if o.PerHost <= 0 {
		o.PerHost = 8
	}
	if o.PutLimit <= 0 {
		o.PutLimit = 64 << 20
	}
	if o.Idle <= 0 {
		o.Idle = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = actions.Pause
	}
	c := &Copier{o: o, hosts: map[string]*host{}, flights: map[string]*flight{}, memory: &memory{}}
	if o.Folder != "" {
		m, err := openMemory(filepath.Join(o.Folder, "blobs.jsonl"))
		if err != nil {
			return nil, err
		}
		c.memory = m
	}
	return c, nil
}

// Close lets go of connections and files.
func (c *Copier) Close() error {
	if t, ok := c.o.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
	return c.memory.close()
}

// place is a repository of a registry, with what authenticates there.
type place struct {
	host *host
	repo string
}

// parse finds the place and the tag or digest of a reference.
func (c *Copier) parse(reference string) (place, string, error) {
	var options []name.Option
	host, _, _ := strings.Cut(reference, "/")
	if c.o.Plain != nil && c.o.Plain(host) {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(reference, options...)
	if err != nil {
		return place{}, "", fmt.Errorf("%q is no reference to an image", reference)
	}
	registry := ref.Context().Registry
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hosts[registry.RegistryStr()]
	if h == nil {
		h = newHost(c, registry)
		c.hosts[registry.RegistryStr()] = h
	}
	return place{h, ref.Context().RepositoryStr()}, ref.Identifier(), nil
}

// Head implements [mirror.Copier].
func (c *Copier) Head(ctx context.Context, reference string) (string, bool, error) {
	p, id, err := c.parse(reference)
	if err != nil {
		return "", false, err
	}
	return p.head(ctx, id, silent{})
}

// Size implements [mirror.Copier].
func (c *Copier) Size(ctx context.Context, j mirror.Job) (int64, error) {
	source, _, err := c.parse(j.Source)
	if err != nil {
		return 0, err
	}
	t, err := c.tree(ctx, source, j.Digest, j.Platforms, silent{})
	if err != nil {
		return 0, err
	}
	return t.size(), nil
}

// Copy implements [mirror.Copier].
func (c *Copier) Copy(ctx context.Context, j mirror.Job, r mirror.Reporter) (string, error) {
	source, _, err := c.parse(j.Source)
	if err != nil {
		return "", err
	}
	target, tag, err := c.parse(j.Target)
	if err != nil {
		return "", err
	}
	if len(j.Platforms) == 0 && !j.Referrers {
		if digest, found, err := target.head(ctx, tag, r); err != nil {
			return "", fmt.Errorf("looking at %s: %w", j.Target, err)
		} else if found && digest == j.Digest {
			return digest, nil
		}
	}
	t, err := c.tree(ctx, source, j.Digest, j.Platforms, r)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", j.Source, err)
	}
	count := &counter{r: r, total: t.size()}
	if err := c.push(ctx, source, target, t, tag, count); err != nil {
		return "", fmt.Errorf("copying %s: %w", j.Source, err)
	}
	digest, found, err := target.head(ctx, tag, r)
	switch {
	case err != nil:
		return "", fmt.Errorf("verifying %s: %w", j.Target, err)
	case !found || digest != t.digest:
		return "", fmt.Errorf("verifying %s: it names %s, not %s", j.Target, orNothing(digest), t.digest)
	}
	if j.Referrers {
		if err := c.referrers(ctx, source, target, j.Digest, count); err != nil {
			return digest, fmt.Errorf("copying the signatures of %s: %w", j.Source, err)
		}
	}
	return digest, nil
}

func orNothing(digest string) string {
	if digest == "" {
		return "nothing"
	}
	return digest
}

// silent is told nothing.
type silent struct{}

func (silent) Log(string)                {}
func (silent) Bytes(int64, int64)        {}
func (silent) Waiting(string, time.Time) {}

// counter adds up the bytes of one copy.
type counter struct {
	r     mirror.Reporter
	mu    sync.Mutex
	done  int64
	total int64
}

func (c *counter) Log(line string) { c.r.Log(line) }

func (c *counter) Bytes(n, more int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done += n
	c.total += more
	c.r.Bytes(c.done, c.total)
}

func (c *counter) Waiting(why string, until time.Time) { c.r.Waiting(why, until) }
