package oci

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Registry is a registry in memory that holds what it was given, and any image of this package by its digest, in whichever repository: who
// has names for them decides what is there. It is an http.Handler, safe for concurrent use.
type Registry struct {
	handler http.Handler
	blobs   registry.BlobHandler
	seed    func(*Registry) error

	once sync.Once
	err  error
	mu   sync.Mutex
	held map[string]bool // repository and digest
}

// NewRegistry returns a registry without a tag.
func NewRegistry() *Registry {
	r := &Registry{blobs: registry.NewInMemoryBlobHandler(), held: map[string]bool{}}
	r.handler = registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(r.blobs))
	return r
}

// NewUpstream returns the registry of the originals: every image under the name that its source has at its own host. It is filled when it
// is first asked.
func NewUpstream() *Registry {
	r := NewRegistry()
	r.seed = func(r *Registry) error {
		for _, image := range Images() {
			ref, err := name.ParseReference(image.Source)
			if err != nil {
				return err
			}
			if err := r.Hold(ref.Context().RepositoryStr(), ref.Identifier(), image.Source); err != nil {
				return err
			}
		}
		return nil
	}
	return r
}

// UpstreamHosts are the hosts of the originals.
func UpstreamHosts() []string {
	return []string{"index.docker.io", "quay.io", "registry.k8s.io", "ghcr.io", "docker.elastic.co"}
}

// ServeHTTP answers one request.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.once.Do(func() {
		if r.seed != nil {
			r.err = r.seed(r)
		}
	})
	if r.err != nil {
		http.Error(w, r.err.Error(), http.StatusInternalServerError)
		return
	}
	if repository, digest, ok := strings.Cut(strings.TrimPrefix(req.URL.Path, "/v2/"), "/manifests/"); ok && (req.Method == http.MethodGet || req.Method == http.MethodHead) {
		if source := sourceOf(digest); source != "" {
			if err := r.Hold(repository, digest, source); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
	}
	r.handler.ServeHTTP(w, req)
}

// sourceOf finds the image that a digest is of, or nothing.
func sourceOf(digest string) string {
	for _, image := range Images() {
		if Digest(image.Source) == digest {
			return image.Source
		}
	}
	return ""
}

// Hold puts the image of a source into a repository, under a tag or its digest.
func (r *Registry) Hold(repository, reference, source string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held[repository+" "+reference] {
		return nil
	}
	parts := image(source)
	for _, blob := range parts.blobs {
		if err := r.blobs.(registry.BlobPutHandler).Put(context.Background(), repository, sum(blob), io.NopCloser(bytes.NewReader(blob))); err != nil {
			return fmt.Errorf("holding %s: %w", source, err)
		}
	}
	for _, manifest := range parts.manifests {
		if err := r.put(repository, sum(manifest).String(), types.OCIManifestSchema1, manifest); err != nil {
			return fmt.Errorf("holding %s: %w", source, err)
		}
	}
	if err := r.put(repository, reference, types.OCIImageIndex, parts.index); err != nil {
		return fmt.Errorf("holding %s: %w", source, err)
	}
	r.held[repository+" "+reference] = true
	return nil
}

// put stores a manifest as a client does.
func (r *Registry) put(repository, reference string, kind types.MediaType, manifest []byte) error {
	req := httptest.NewRequest(http.MethodPut, "/v2/"+repository+"/manifests/"+reference, bytes.NewReader(manifest))
	req.Header.Set("Content-Type", string(kind))
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	if w.Code != http.StatusCreated {
		return fmt.Errorf("%d %s", w.Code, w.Body)
	}
	return nil
}
