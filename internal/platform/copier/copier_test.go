package copier_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
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
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/254carbon/gonogo/actions/mirror"
	"github.com/254carbon/gonogo/internal/platform/copier"
	"github.com/254carbon/gonogo/internal/platform/transport"
)

type timeZero = time.Time

// source is a registry of another make than the targets, with images that share a base.
func source(t *testing.T, wrap func(http.Handler) http.Handler, images, size int) (jobs func(target string) []mirror.Job, blobs map[string]int64) {
	t.Helper()
	var handler http.Handler = registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	var hooked atomic.Pointer[http.Handler]
	hooked.Store(&handler)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*hooked.Load()).ServeHTTP(w, r) }))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	host := strings.TrimPrefix(server.URL, "http://")
	random := rand.New(rand.NewPCG(1, 2))
	layer := func(n int) v1.Layer {
		text := make([]byte, n)
		for i := range text {
			text[i] = byte(random.Uint32())
		}
		return static.NewLayer(text, types.OCILayer)
	}
	base := layer(4 * size)
	blobs = map[string]int64{}
	var all []mirror.Job
	for i := range images {
		index := v1.ImageIndex(empty.Index)
		for _, arch := range []string{"amd64", "arm64"} {
			image, err := mutate.AppendLayers(empty.Image, base, layer(size))
			must(t, err)
			config, err := image.ConfigFile()
			must(t, err)
			config.Architecture, config.OS = arch, "linux"
			image, err = mutate.ConfigFile(image, config)
			must(t, err)
			index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
			m, err := image.Manifest()
			must(t, err)
			for _, d := range append(m.Layers, m.Config) {
				blobs[d.Digest.String()] = d.Size
			}
		}
		ref, err := name.ParseReference(fmt.Sprintf("%s/apps/app%d:v1", host, i))
		must(t, err)
		must(t, remote.WriteIndex(ref, index))
		digest, err := index.Digest()
		must(t, err)
		all = append(all, mirror.Job{Source: fmt.Sprintf("%s/apps/app%d@%s", host, i, digest), Digest: digest.String(), Target: fmt.Sprintf("/mirror/app%d:v1", i)})
	}
	if wrap != nil {
		wrapped := wrap(handler)
		hooked.Store(&wrapped)
	}
	return func(target string) []mirror.Job {
		mine := slices.Clone(all)
		for i := range mine {
			mine[i].Target = target + mine[i].Target
		}
		return mine
	}, blobs
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// told is a reporter that keeps what it hears.
type told struct {
	mu          sync.Mutex
	done, total int64
	waits       []string
	after       func(done int64)
}

func (r *told) Log(string) {}
func (r *told) Bytes(done, total int64) {
	r.mu.Lock()
	r.done, r.total = done, total
	r.mu.Unlock()
	if r.after != nil {
		r.after(done)
	}
}
func (r *told) Waiting(why string, _ time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if why != "" {
		r.waits = append(r.waits, why)
	}
}

// clock is a time that passes only when somebody sleeps.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(0, c.at.Load()) }
func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.at.Add(int64(d))
	return ctx.Err()
}

// copying returns a copier.
func copying(t *testing.T, change ...func(*copier.Options)) *copier.Copier {
	t.Helper()
	ticks := &clock{}
	o := copier.Options{Transport: transport.New(transport.Options{MaxBody: 1 << 40}), Now: ticks.now, Sleep: ticks.sleep}
	for _, f := range change {
		f(&o)
	}
	c, err := copier.New(o)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// all copies every job, several at once, and returns the errors by target.
func all(ctx context.Context, c *copier.Copier, jobs []mirror.Job, r mirror.Reporter) map[string]error {
	errs := map[string]error{}
	var mu sync.Mutex
	var work sync.WaitGroup
	for _, j := range jobs {
		work.Go(func() {
			_, err := c.Copy(ctx, j, r)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs[j.Target] = err
			}
		})
	}
	work.Wait()
	return errs
}

// arrived wants every target to name its source's digest, and no blob to have been sent twice.
func arrived(t *testing.T, s *store, jobs []mirror.Job, blobs map[string]int64) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range jobs {
		repo, tag, _ := strings.Cut(strings.TrimPrefix(j.Target, s.URL+"/"), ":")
		if got := digestOf(s.manifests[repo+" "+tag]); got != j.Digest {
			t.Errorf("%s names %s, not %s", j.Target, got, j.Digest)
		}
	}
	for digest, size := range blobs {
		if got := s.received[digest]; got != size {
			t.Errorf("of the blob %s, %d bytes were sent, not %d", digest, got, size)
		}
	}
	if len(s.uploads) > 0 {
		t.Errorf("%d uploads were left open", len(s.uploads))
	}
}

func TestEachBlobCrossesTheWireOnce(t *testing.T) {
	jobsFor, blobs := source(t, nil, 12, 100_000)
	s := newStore(t)
	jobs := jobsFor(s.URL)
	c := copying(t)
	size, err := c.Size(t.Context(), jobs[0])
	must(t, err)
	var r told
	if digest, err := c.Copy(t.Context(), jobs[0], &r); err != nil || digest != jobs[0].Digest || r.done != size || r.total != size {
		t.Fatalf("%s, %v; %d of %d bytes, want %d", digest, err, r.done, r.total, size)
	}
	if errs := all(t.Context(), c, jobs, &told{}); len(errs) > 0 {
		t.Fatal(errs)
	}
	arrived(t, s, jobs, blobs)
	s.log()
	if errs := all(t.Context(), copying(t), jobs, &told{}); len(errs) > 0 {
		t.Fatal(errs)
	}
	asked := s.log()
	if len(asked) != len(jobs) || slices.ContainsFunc(asked, func(r string) bool { return !strings.HasPrefix(r, "HEAD ") }) {
		t.Errorf("asked again, it asks %q", asked)
	}
	if digest, found, err := c.Head(t.Context(), jobs[0].Target); err != nil || !found || digest != jobs[0].Digest {
		t.Errorf("%s, %v, %v", digest, found, err)
	}
	if _, found, err := c.Head(t.Context(), jobs[0].Target+"x"); err != nil || found {
		t.Errorf("of nothing: %v, %v", found, err)
	}
}

func TestUploadsStayBelowALimit(t *testing.T) {
	jobsFor, blobs := source(t, nil, 2, 100_000)
	s := newStore(t)
	jobs := jobsFor(s.URL)
	if errs := all(t.Context(), copying(t, func(o *copier.Options) { o.PutLimit = 70_000 }), jobs, &told{}); len(errs) > 0 {
		t.Fatal(errs)
	}
	arrived(t, s, jobs, blobs)
	if s.largest > 70_000 {
		t.Errorf("a body had %d bytes", s.largest)
	}
}

func TestARegistryThatAsksForPatience(t *testing.T) {
	var n atomic.Int64
	jobsFor, blobs := source(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1)%10 == 0 {
				w.Header().Set("Retry-After", "5")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			next.ServeHTTP(w, r)
		})
	}, 8, 20_000)
	s := newStore(t)
	var m atomic.Int64
	s.hook(func(w http.ResponseWriter, r *http.Request) bool {
		if m.Add(1)%10 == 0 {
			w.Header().Set("Retry-After", "5")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	})
	jobs := jobsFor(s.URL)
	var r told
	if errs := all(t.Context(), copying(t), jobs, &r); len(errs) > 0 {
		t.Fatal(errs)
	}
	s.hook(nil)
	arrived(t, s, jobs, blobs)
	if len(r.waits) == 0 || !strings.Contains(r.waits[0], "answers 429 and asks for 5s") {
		t.Errorf("it says %q", r.waits)
	}
}

func TestASourceThatCutsConnections(t *testing.T) {
	var cut sync.Map
	jobsFor, blobs := source(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, known := cut.LoadOrStore(r.URL.Path, true); !known && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
				rec := httptest.NewRecorder()
				next.ServeHTTP(rec, r)
				w.Header().Set("Content-Length", fmt.Sprint(rec.Body.Len()))
				_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	}, 3, 50_000)
	s := newStore(t)
	jobs := jobsFor(s.URL)
	if errs := all(t.Context(), copying(t), jobs, &told{}); len(errs) > 0 {
		t.Fatal(errs)
	}
	arrived(t, s, jobs, blobs)
}

func TestASourceThatLies(t *testing.T) {
	var lie atomic.Value
	lie.Store("")
	jobsFor, _ := source(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if where := lie.Load().(string); where != "" && r.Method == http.MethodGet && strings.Contains(r.URL.Path, where) {
				rec := httptest.NewRecorder()
				next.ServeHTTP(rec, r)
				text := bytes.ReplaceAll(rec.Body.Bytes(), rec.Body.Bytes()[:4], []byte("evil"))
				w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
				_, _ = w.Write(text)
				return
			}
			next.ServeHTTP(w, r)
		})
	}, 3, 50_000)
	for _, where := range []string{"app1/blobs/", "app1/manifests/"} {
		s := newStore(t)
		jobs := jobsFor(s.URL)
		lie.Store(where)
		errs := all(t.Context(), copying(t), jobs, &told{})
		if err := errs[jobs[1].Target]; !errors.Is(err, mirror.ErrDigest) {
			t.Errorf("%s: %v", where, err)
		}
		for target := range errs {
			repo, tag, _ := strings.Cut(strings.TrimPrefix(target, s.URL+"/"), ":")
			if _, tagged := s.manifests[repo+" "+tag]; tagged {
				t.Errorf("%s is half there", target)
			}
		}
		if len(errs) == 3 {
			t.Errorf("%s: the others did not go on: %v", where, errs)
		}
	}
}

func TestWhatTheTargetRefuses(t *testing.T) {
	jobsFor, _ := source(t, nil, 2, 50_000)
	for says, c := range map[string]struct {
		status int
		text   string
		want   error
	}{
		"a quota":  {http.StatusForbidden, `{"errors":[{"code":"DENIED","message":"adding 30 MiB of storage resource, which when updated to current usage will exceed the configured upper limit: quota exceeded"}]}`, mirror.ErrQuota},
		"no right": {http.StatusForbidden, `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`, mirror.ErrDenied},
	} {
		s := newStore(t)
		s.hook(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost {
				return false
			}
			http.Error(w, c.text, c.status)
			return true
		})
		jobs := jobsFor(s.URL)
		_, err := copying(t).Copy(t.Context(), jobs[0], &told{})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", says, err)
		}
		if len(s.manifests) > 0 {
			t.Errorf("%s: something is tagged", says)
		}
	}
}

// TestAnotherProcessGoesOn ends a copier in the middle and goes on with another one that has the same memory.
func TestAnotherProcessGoesOn(t *testing.T) {
	jobsFor, blobs := source(t, nil, 10, 100_000)
	s := newStore(t)
	jobs := jobsFor(s.URL)
	folder := t.TempDir()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	var whole, seen int64
	for _, size := range blobs {
		whole += size
	}
	s.hook(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/uploads/") && atomic.AddInt64(&seen, r.ContentLength) > whole*6/10 {
			kill()
		}
		return false
	})
	first := copying(t, func(o *copier.Options) { o.Folder = folder })
	if errs := all(ctx, first, jobs, &told{}); len(errs) == 0 {
		t.Fatal("it was not ended in time")
	}
	must(t, first.Close())
	s.hook(nil)
	s.mu.Lock()
	finished := map[string]bool{}
	for key := range s.blobs {
		_, digest, _ := strings.Cut(key, " ")
		finished[digest] = true
	}
	for digest := range blobs { // what was broken off is sent again
		s.received[digest] = 0
	}
	clear(s.uploads)
	s.mu.Unlock()
	memory := filepath.Join(folder, "blobs.jsonl")
	text, err := os.ReadFile(memory)
	must(t, err)
	must(t, os.WriteFile(memory, append(text, `{"host":"torn`...), 0o600))
	if errs := all(t.Context(), copying(t, func(o *copier.Options) { o.Folder = folder }), jobs, &told{}); len(errs) > 0 {
		t.Fatal(errs)
	}
	for digest := range finished {
		if s.received[digest] > 0 {
			t.Errorf("%s was finished, and is sent again", digest)
		}
		delete(blobs, digest)
	}
	arrived(t, s, jobs, blobs)
	if len(finished) < 5 {
		t.Errorf("only %d blobs were finished before", len(finished))
	}
}

func TestChosenPlatforms(t *testing.T) {
	jobsFor, _ := source(t, nil, 1, 10_000)
	s := newStore(t)
	j := jobsFor(s.URL)[0]
	j.Platforms = []string{"linux/arm64"}
	digest, err := copying(t).Copy(t.Context(), j, &told{})
	must(t, err)
	if digest == j.Digest || digestOf(s.manifests["mirror/app0 v1"]) != digest {
		t.Errorf("%s", digest)
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(s.manifests["mirror/app0 v1"]))
	must(t, err)
	if len(index.Manifests) != 1 || index.Manifests[0].Platform.Architecture != "arm64" {
		t.Errorf("%+v", index)
	}
	j.Platforms = []string{"plan9/mips"}
	if _, err := copying(t).Copy(t.Context(), j, &told{}); err == nil || !strings.Contains(err.Error(), "none of the platforms plan9/mips") {
		t.Errorf("%v", err)
	}
}

func TestSignaturesGoAlong(t *testing.T) {
	jobsFor, _ := source(t, nil, 1, 10_000)
	s := newStore(t)
	j := jobsFor(s.URL)[0]
	repo, _, _ := strings.Cut(j.Source, "@")
	signature, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte("signed"), types.OCILayer))
	must(t, err)
	ref, err := name.ParseReference(repo + ":" + strings.Replace(j.Digest, ":", "-", 1) + ".sig")
	must(t, err)
	must(t, remote.Write(ref, signature))
	j.Referrers = true
	_, err = copying(t).Copy(t.Context(), j, &told{})
	must(t, err)
	want, err := signature.Digest()
	must(t, err)
	if got := digestOf(s.manifests["mirror/app0 "+strings.Replace(j.Digest, ":", "-", 1)+".sig"]); got != want.String() {
		t.Errorf("the signature is %s, not %s", got, want)
	}
}

func TestBudget(t *testing.T) {
	jobsFor, _ := source(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Ratelimit-Limit", "100;w=21600")
			w.Header().Set("Ratelimit-Remaining", "17;w=21600")
			next.ServeHTTP(w, r)
		})
	}, 1, 1000)
	b, err := copying(t).Budget(t.Context(), jobsFor("x")[0].Source)
	if err != nil || b != (mirror.Budget{Known: true, Left: 17, Limit: 100, Window: 6 * time.Hour}) {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestABodyThatStandsStill(t *testing.T) {
	var stood atomic.Bool
	jobsFor, blobs := source(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") && !stood.Swap(true) {
				w.WriteHeader(http.StatusOK)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
				return
			}
			next.ServeHTTP(w, r)
		})
	}, 1, 50_000)
	s := newStore(t)
	jobs := jobsFor(s.URL)
	if errs := all(t.Context(), copying(t, func(o *copier.Options) { o.Idle = 50 * time.Millisecond }), jobs, &told{}); len(errs) > 0 {
		t.Fatal(errs)
	}
	arrived(t, s, jobs, blobs)
}
