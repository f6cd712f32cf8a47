//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/254carbon/gonogo/actions/mirror"
	"github.com/254carbon/gonogo/internal/labtest"
	"github.com/254carbon/gonogo/internal/platform/copier"
	"github.com/254carbon/gonogo/internal/platform/transport"
)

// silently is a reporter that keeps nothing.
type silently struct{}

func (silently) Log(string)                {}
func (silently) Bytes(int64, int64)        {}
func (silently) Waiting(string, time.Time) {}

// counted stands before a registry and counts what is sent to it.
type counted struct {
	address string
	mu      sync.Mutex
	sent    int64 // bytes of uploads
	others  int   // requests that are no HEADs
	heads   int
	stop    func(sent int64)
}

func countBefore(t *testing.T, address string) *counted {
	t.Helper()
	c := &counted{}
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	behind.ErrorLog = quietLog()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		if r.Method == http.MethodHead {
			c.heads++
		} else if r.URL.Path != "/v2/" {
			c.others++
		}
		c.mu.Unlock()
		if strings.Contains(r.URL.Path, "/blobs/uploads/") {
			r.Body = &counting{r.Body, c}
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	c.address = server.Listener.Addr().String()
	return c
}

func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }

type counting struct {
	io.ReadCloser
	c *counted
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.c.mu.Lock()
	c.c.sent += int64(n)
	sent, stop := c.c.sent, c.c.stop
	c.c.mu.Unlock()
	if stop != nil {
		stop(sent)
	}
	return n, err
}

// TestFiftyImages copies images of two platforms with shared bases from one make of registry to another, in two processes' lives.
func TestFiftyImages(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t, labtest.Options{Registry: true})
	origin := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(origin.Close)
	target := countBefore(t, lab.Registry().Address)
	jobs, unique := fifty(t, origin.Listener.Addr().String(), target.address)
	folder := t.TempDir()
	open := func() *copier.Copier {
		c, err := copier.New(copier.Options{Transport: transport.New(transport.Options{MaxBody: 1 << 40, Idle: 16}), Folder: folder})
		must(t, err)
		return c
	}
	ctx, kill := context.WithCancel(t.Context())
	target.stop = func(sent int64) {
		if sent > unique*6/10 {
			kill()
		}
	}
	first := open()
	if err := copyAll(ctx, first, jobs); !errors.Is(err, context.Canceled) {
		t.Fatalf("it was not ended in the middle: %v", err)
	}
	must(t, first.Close())
	target.mu.Lock()
	target.stop = nil
	before := target.sent
	target.mu.Unlock()
	second := open()
	must(t, copyAll(t.Context(), second, jobs))
	if sent := target.sent; float64(sent) > 1.05*float64(unique)+6*float64(blobSize) { // what was under way when it ended is sent again
		t.Errorf("%d bytes were sent of %d unique ones, %d before the end", sent, unique, before)
	}
	for _, j := range jobs {
		if digest, found, err := second.Head(t.Context(), j.Target); err != nil || !found || digest != j.Digest {
			t.Errorf("%s: %s, %v, %v", j.Target, digest, found, err)
		}
	}
	must(t, second.Close())
	target.others, target.heads = 0, 0
	third := open()
	must(t, copyAll(t.Context(), third, jobs))
	must(t, third.Close())
	if target.others > 0 || target.heads != len(jobs) {
		t.Errorf("again, it sends %d HEADs and %d other requests", target.heads, target.others)
	}
	fresh := countBefore(t, lab.Registry().Address)
	elsewhere := make([]mirror.Job, len(jobs))
	for i, j := range jobs {
		j.Target = strings.Replace(j.Target, target.address+"/copies", fresh.address+"/uninterrupted", 1)
		elsewhere[i] = j
	}
	folder = t.TempDir()
	fourth := open()
	must(t, copyAll(t.Context(), fourth, elsewhere))
	must(t, fourth.Close())
	if ratio := float64(fresh.sent) / float64(unique); ratio > 1.05 {
		t.Errorf("uninterrupted, %.3f of the unique bytes were sent", ratio)
	}
}

const blobSize = 200_000

// fifty pushes images of two platforms, five of which share a base each.
func fifty(t *testing.T, origin, target string) (jobs []mirror.Job, unique int64) {
	t.Helper()
	var bases []v1.Layer
	seen := map[string]bool{}
	layer := func(n int64) v1.Layer {
		l, err := random.Layer(n, types.OCILayer)
		must(t, err)
		return l
	}
	for range 10 {
		bases = append(bases, layer(2*blobSize))
	}
	for i := range 50 {
		index := v1.ImageIndex(empty.Index)
		for _, arch := range []string{"amd64", "arm64"} {
			image, err := mutate.AppendLayers(empty.Image, bases[i/5], layer(blobSize))
			must(t, err)
			config, err := image.ConfigFile()
			must(t, err)
			config.Architecture, config.OS = arch, "linux"
			image, err = mutate.ConfigFile(image, config)
			must(t, err)
			m, err := image.Manifest()
			must(t, err)
			for _, d := range append(m.Layers, m.Config) {
				if !seen[d.Digest.String()] {
					seen[d.Digest.String()] = true
					unique += d.Size
				}
			}
			index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
		}
		ref, err := name.ParseReference(fmt.Sprintf("%s/apps/app%d:v1", origin, i))
		must(t, err)
		must(t, remote.WriteIndex(ref, index))
		digest, err := index.Digest()
		must(t, err)
		jobs = append(jobs, mirror.Job{
			Source: fmt.Sprintf("%s/apps/app%d@%s", origin, i, digest), Target: fmt.Sprintf("%s/copies/app%d:v1", target, i), Digest: digest.String(),
		})
	}
	return jobs, unique
}

// copyAll copies every image, as many at a time as the mirror does by default, and returns the first error.
func copyAll(ctx context.Context, c *copier.Copier, jobs []mirror.Job) error {
	var work sync.WaitGroup
	var failed atomic.Pointer[error]
	slots := make(chan struct{}, mirror.Info().Params().(*mirror.Params).Parallel)
	for _, j := range jobs {
		work.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if _, err := c.Copy(ctx, j, silently{}); err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	work.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
