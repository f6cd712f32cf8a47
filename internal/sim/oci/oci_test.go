package oci

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// TestTheSameEveryTime pins one digest: a lock that somebody keeps would otherwise be broken by a change here.
func TestTheSameEveryTime(t *testing.T) {
	const want = "sha256:85b6cbfa2e62a377c4de647cb885f27ed62930dae40cafbb9da7348bbe7c639d"
	if got := Digest("trinodb/trino:424"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	seen := map[string]string{}
	for _, image := range Images() {
		digest := Digest(image.Source)
		if other, twice := seen[digest]; twice {
			t.Errorf("%s and %s have one digest", image.Source, other)
		}
		seen[digest] = image.Source
		if image.Key == "" || image.Tag() == "" || strings.Contains(image.Tag(), "/") {
			t.Errorf("%+v: tag %q", image, image.Tag())
		}
	}
	if len(seen) != 33 {
		t.Errorf("%d images", len(seen))
	}
}

// TestRegistries reads images from both registries with a client that checks every digest on the way.
func TestRegistries(t *testing.T) {
	upstream, mirror := httptest.NewServer(NewUpstream()), httptest.NewServer(NewRegistry())
	defer upstream.Close()
	defer mirror.Close()
	for _, c := range []struct{ ref, source string }{
		{upstream.Listener.Addr().String() + "/library/postgres:15.5", "postgres:15.5"},
		{upstream.Listener.Addr().String() + "/jetstack/cert-manager-webhook:v1.13.0", "quay.io/jetstack/cert-manager-webhook:v1.13.0"},
		{mirror.Listener.Addr().String() + "/254carbon/trino@" + Digest("trinodb/trino:424"), "trinodb/trino:424"},
	} {
		ref, err := name.ParseReference(c.ref)
		if err != nil {
			t.Fatal(err)
		}
		index, err := remote.Index(ref)
		if err != nil {
			t.Errorf("%s: %v", c.ref, err)
			continue
		}
		if err := validate.Index(index); err != nil {
			t.Errorf("%s: %v", c.ref, err)
		}
		if digest, err := index.Digest(); err != nil || digest.String() != Digest(c.source) {
			t.Errorf("%s is %s (%v), want %s", c.ref, digest, err, Digest(c.source))
		}
	}
	for _, absent := range []string{"/library/postgres:16", "/library/nothing:1"} {
		ref, err := name.ParseReference(upstream.Listener.Addr().String() + absent)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := remote.Head(ref); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("%s: %v", absent, err)
		}
	}
}

func BenchmarkDigests(b *testing.B) {
	for b.Loop() {
		built.Clear()
		for _, image := range Images() {
			Digest(image.Source)
		}
	}
}
