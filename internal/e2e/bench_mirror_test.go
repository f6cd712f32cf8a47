//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
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

// The corpus: images on a shared base.
const (
	benchImages = 30
	benchBase   = 30 << 20
	benchLayer  = 7_900_000
)

// TestBenchMirror measures the copying of 30 images beside the field's tools, on the same registries, one after the other.
func TestBenchMirror(t *testing.T) {
	if os.Getenv("GONOGO_BENCH_MIRROR") == "" {
		t.Skip("make bench-mirror runs it")
	}
	from, to := labtest.Start(t, labtest.Options{Registry: true}), labtest.Start(t, labtest.Options{Registry: true})
	corpus := benchCorpus(t, from.Registry().Address)
	for _, link := range []struct {
		name     string
		from, to string
	}{
		{"loopback", from.Registry().Address, to.Registry().Address},
		{"50 ms, and a 429 now and then", slowLink(t, from.Registry().Address), slowLink(t, to.Registry().Address)},
	} {
		b := bench{t: t, from: link.from, to: link.to, images: corpus, dir: t.TempDir(), mark: strings.Fields(link.name)[0]}
		fmt.Printf("\n%d images, %d MB unique, over %s\n%-10s %8s %8s %8s\n", benchImages, (benchBase+benchImages*benchLayer)/1_000_000, link.name, "", "cold", "again", "resumed")
		for _, tool := range []struct {
			name string
			copy func(ctx context.Context, prefix string) error
		}{{"gonogo", b.gonogo}, {"crane", b.crane}, {"regsync", b.regsync}, {"skopeo", b.skopeo}} {
			fmt.Printf("%-10s", tool.name)
			prefix := b.mark + "-" + tool.name
			cold, err := b.time(t.Context(), tool.copy, prefix)
			if err != nil {
				fmt.Printf(" %v\n", err)
				continue
			}
			again, err := b.time(t.Context(), tool.copy, prefix)
			must(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), cold*6/10)
			_, _ = b.time(ctx, tool.copy, prefix+"-resumed") // ends in the middle
			cancel()
			resumed, err := b.time(t.Context(), tool.copy, prefix+"-resumed")
			must(t, err)
			fmt.Printf(" %7.1fs %7.1fs %7.1fs\n", cold.Seconds(), again.Seconds(), resumed.Seconds())
		}
	}
}

// bench copies one corpus from one registry to another.
type bench struct {
	t        *testing.T
	from, to string
	images   []string // digests, by number
	dir      string
	mark     string
}

func (b bench) time(ctx context.Context, f func(context.Context, string) error, prefix string) (time.Duration, error) {
	began := time.Now()
	err := f(ctx, prefix)
	return time.Since(began), err
}

func (b bench) gonogo(ctx context.Context, prefix string) error {
	folder := filepath.Join(b.dir, prefix)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	c, err := copier.New(copier.Options{Transport: transport.New(transport.Options{MaxBody: 1 << 40, Idle: 16}), Folder: folder})
	if err != nil {
		return err
	}
	defer c.Close()
	var jobs []mirror.Job
	for i, digest := range b.images {
		jobs = append(jobs, mirror.Job{Source: fmt.Sprintf("%s/bench/app%d@%s", b.from, i, digest), Target: fmt.Sprintf("%s/%s/app%d:v1", b.to, prefix, i), Digest: digest})
	}
	return copyAll(ctx, c, jobs)
}

func (b bench) tool(ctx context.Context, name string, args ...string) error {
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath(filepath.Join(os.Getenv("GONOGO_BENCH_TOOLS"), name))
	}
	if err != nil {
		return fmt.Errorf("is not installed")
	}
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %s", err, last(string(out), 300))
	}
	return err
}

func (b bench) crane(ctx context.Context, prefix string) error {
	slots, failed := make(chan struct{}, 4), atomic.Pointer[error]{}
	for i := range b.images {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			if err := b.tool(ctx, "crane", "copy", "--insecure", fmt.Sprintf("%s/bench/app%d:v1", b.from, i), fmt.Sprintf("%s/%s/app%d:v1", b.to, prefix, i)); err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		}()
	}
	for range cap(slots) {
		slots <- struct{}{}
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (b bench) regsync(ctx context.Context, prefix string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "version: 1\ncreds:\n- {registry: %q, tls: disabled}\n- {registry: %q, tls: disabled}\ndefaults: {parallel: 4}\nsync:\n", b.from, b.to)
	for i := range b.images {
		fmt.Fprintf(&text, "- {source: %q, target: %q, type: image}\n", fmt.Sprintf("%s/bench/app%d:v1", b.from, i), fmt.Sprintf("%s/%s/app%d:v1", b.to, prefix, i))
	}
	file := filepath.Join(b.dir, "regsync-"+prefix+".yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return err
	}
	return b.tool(ctx, "regsync", "once", "-c", file)
}

func (b bench) skopeo(ctx context.Context, prefix string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%q:\n  tls-verify: false\n  images:\n", b.from)
	for i := range b.images {
		fmt.Fprintf(&text, "    bench/app%d: [v1]\n", i)
	}
	file := filepath.Join(b.dir, "skopeo-"+prefix+".yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return err
	}
	return b.tool(ctx, "skopeo", "sync", "--all", "--src", "yaml", "--dest", "docker", "--dest-tls-verify=false", file, b.to+"/"+prefix)
}

// benchCorpus pushes the images and returns their digests.
func benchCorpus(t *testing.T, registry string) []string {
	t.Helper()
	layer := func(n int64) v1.Layer {
		l, err := random.Layer(n, types.DockerLayer)
		must(t, err)
		return l
	}
	base := layer(benchBase)
	var digests []string
	for i := range benchImages {
		image, err := mutate.AppendLayers(empty.Image, base, layer(benchLayer))
		must(t, err)
		ref, err := name.ParseReference(fmt.Sprintf("%s/bench/app%d:v1", registry, i))
		must(t, err)
		must(t, remote.Write(ref, image))
		digest, err := image.Digest()
		must(t, err)
		digests = append(digests, digest.String())
	}
	return digests
}

// slowLink stands before a registry, lets every request wait as over 50 ms of wire, and asks for patience once in fifty.
func slowLink(t *testing.T, address string) string {
	t.Helper()
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	behind.ErrorLog = quietLog()
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond)
		if n.Add(1)%50 == 0 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
