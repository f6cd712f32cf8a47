//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/254carbon/gonogo/internal/labtest"
	"github.com/254carbon/gonogo/internal/sim/oci"
)

// harborBefore stands before a registry as Harbor does: it answers for the project and passes the registry's protocol on. It counts requests
// for manifests that are no HEADs.
func harborBefore(t *testing.T, registry string) (base string, fetched *atomic.Int32) {
	t.Helper()
	fetched = new(atomic.Int32)
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: registry})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v2.0/projects/platform", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"project_id":7,"name":"platform"}`)
	})
	mux.HandleFunc("/v2/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead && strings.Contains(r.URL.Path, "/manifests/") {
			fetched.Add(1)
		}
		behind.ServeHTTP(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, fetched
}

// push makes an image of two platforms and pushes it, and returns its digest.
func push(t *testing.T, reference string) string {
	t.Helper()
	ref, err := name.ParseReference(reference)
	must(t, err)
	index, err := random.Index(512, 1, 2)
	must(t, err)
	must(t, remote.WriteIndex(ref, index, remote.WithContext(t.Context())))
	digest, err := index.Digest()
	must(t, err)
	return digest.String()
}

// TestImagesInRealRegistries locks images in one registry, mirrors them by hand to another, and asks for them there: with the registry of
// Debian and with the one of go-containerregistry.
func TestImagesInRealRegistries(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t, labtest.Options{Registry: true})
	origin := httptest.NewServer(oci.NewRegistry())
	defer origin.Close()
	other := httptest.NewServer(oci.NewRegistry())
	for _, test := range []struct {
		name, address string
		stop          func()
	}{
		{"distribution", lab.Registry().Address, lab.Registry().Stop},
		{"go-containerregistry", other.Listener.Addr().String(), other.Close},
	} {
		t.Run(test.name, func(t *testing.T) {
			images(t, origin.Listener.Addr().String(), test.address, test.stop)
		})
	}
}

func images(t *testing.T, origin, registry string, stop func()) {
	base, fetched := harborBefore(t, registry)
	var declared strings.Builder
	keys := []string{"trino", "redis", "postgres"}
	for i, key := range keys {
		push(t, origin+"/library/"+key+":1."+fmt.Sprint(i))
		fmt.Fprintf(&declared, "- {key: %s, source: \"%s/library/%s:1.%d\"}\n", key, origin, key, i)
	}
	s := newStation(t, "", "connections: {harbor: {url: \""+base+"\"}}\nimages:\n"+declared.String()+
		checks("\n- {id: mirrored, title: t, probe: images.mirrored, with: {project: platform}, weight: 1}\n"))

	d, _ := s.check(t)
	d.want(t, "mirrored", "fail", "3 of 3 images are not in", "trino, redis, postgres")

	for i, key := range keys { // as a person does it with crane
		mirrorByHand(t, fmt.Sprintf("%s/library/%s:1.%d", origin, key, i), fmt.Sprintf("%s/platform/%s:1.%d", registry, key, i))
	}
	d, _ = s.check(t)
	d.want(t, "mirrored", "fail", "no digest is locked for 3 of 3", "gonogo profile lock")

	lock := filepath.Join(filepath.Dir(s.profile), "images.lock")
	if o := s.run(t, "profile", "lock", "--output", lock); o.code != 0 {
		t.Fatalf("locking: exit code %d: %s", o.code, o.stderr)
	}
	d, code := s.check(t)
	d.want(t, "mirrored", "pass", "3 of 3 images are in")
	if code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	d, _ = s.check(t, "--read-only")
	d.want(t, "mirrored", "pass")

	moved := push(t, registry+"/platform/redis:1.1")
	d, _ = s.check(t)
	d.want(t, "mirrored", "fail", "1 of 3 have another digest than the locked one: redis")
	if text, err := os.ReadFile(lock); err != nil || strings.Contains(string(text), moved) {
		t.Errorf("the lock holds what was pushed afterwards (%v):\n%s", err, text)
	}
	mirrorByHand(t, origin+"/library/redis:1.1", registry+"/platform/redis:1.1")

	gone, err := name.ParseReference(registry + "/platform/trino:1.0")
	must(t, err)
	found, err := remote.Head(gone)
	must(t, err)
	byDigest, err := name.ParseReference(registry + "/platform/trino@" + found.Digest.String())
	must(t, err)
	must(t, remote.Delete(byDigest))
	_ = remote.Delete(gone) // where a tag outlives its manifest
	d, _ = s.check(t)
	d.want(t, "mirrored", "fail", "1 of 3 images are not in", "trino")

	if n := fetched.Load(); n != 0 {
		t.Errorf("%d manifests were fetched", n)
	}
	stop()
	d, code = s.check(t)
	d.want(t, "mirrored", "unknown")
	if code != 3 {
		t.Errorf("with the registry stopped: exit code %d, want 3", code)
	}
}

// mirrorByHand copies an image with its digest kept.
func mirrorByHand(t *testing.T, from, to string) {
	t.Helper()
	source, err := name.ParseReference(from)
	must(t, err)
	target, err := name.ParseReference(to)
	must(t, err)
	index, err := remote.Index(source, remote.WithContext(t.Context()))
	must(t, err)
	must(t, remote.WriteIndex(target, index, remote.WithContext(t.Context())))
	want, err := index.Digest()
	must(t, err)
	head, err := remote.Head(target, remote.WithContext(t.Context()))
	must(t, err)
	if head.Digest != want {
		t.Fatalf("%s has digest %s, want %s", to, head.Digest, want)
	}
}
