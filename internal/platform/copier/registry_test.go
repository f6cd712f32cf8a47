package copier_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// store is a registry whose blobs belong to repositories, as distribution's do: one repository gets another's by mounting it.
type store struct {
	URL string

	mu        sync.Mutex
	blobs     map[string][]byte // by repository and digest
	manifests map[string][]byte // by repository and tag or digest
	kinds     map[string]string // of manifests, by digest
	uploads   map[string][]byte
	next      int
	requests  []string
	received  map[string]int64 // bytes of blobs, by digest
	largest   int64            // body
	// before sees every request first, and has answered it if it says so.
	before func(w http.ResponseWriter, r *http.Request) bool
}

func newStore(t *testing.T) *store {
	t.Helper()
	s := &store{blobs: map[string][]byte{}, manifests: map[string][]byte{}, kinds: map[string]string{}, uploads: map[string][]byte{}, received: map[string]int64{}}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.URL = strings.TrimPrefix(server.URL, "http://")
	return s
}

// hook changes what happens before requests.
func (s *store) hook(before func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

// log returns the requests so far, without the pings, and forgets them.
func (s *store) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.requests
	s.requests = nil
	return all
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	before := s.before
	if r.URL.Path != "/v2/" {
		s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
	}
	s.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	rest := strings.TrimPrefix(r.URL.Path, "/v2/")
	switch {
	case rest == "":
		w.WriteHeader(http.StatusOK)
	case strings.Contains(rest, "/blobs/uploads/"):
		repo, id, _ := strings.Cut(rest, "/blobs/uploads/")
		s.upload(w, r, repo, id)
	case strings.Contains(rest, "/blobs/"):
		repo, digest, _ := strings.Cut(rest, "/blobs/")
		s.blob(w, r, repo+" "+digest)
	case strings.Contains(rest, "/manifests/"):
		repo, id, _ := strings.Cut(rest, "/manifests/")
		s.manifest(w, r, repo, id)
	default:
		http.NotFound(w, r)
	}
}

func (s *store) blob(w http.ResponseWriter, r *http.Request, key string) {
	s.mu.Lock()
	blob, ok := s.blobs[key]
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	http.ServeContent(w, r, "", *new(timeZero), strings.NewReader(string(blob)))
}

func (s *store) upload(w http.ResponseWriter, r *http.Request, repo, id string) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.largest = max(s.largest, int64(len(body)))
	location := func() {
		w.Header().Set("Location", "/v2/"+repo+"/blobs/uploads/"+id)
		w.WriteHeader(http.StatusAccepted)
	}
	switch r.Method {
	case http.MethodPost:
		if blob, ok := s.blobs[r.URL.Query().Get("from")+" "+r.URL.Query().Get("mount")]; ok {
			s.blobs[repo+" "+r.URL.Query().Get("mount")] = blob
			w.WriteHeader(http.StatusCreated)
			return
		}
		s.next++
		id = fmt.Sprint(s.next)
		s.uploads[id] = []byte{}
		location()
	case http.MethodPatch:
		s.uploads[id] = append(s.uploads[id], body...)
		location()
	case http.MethodPut:
		digest := r.URL.Query().Get("digest")
		whole := append(s.uploads[id], body...)
		s.received[digest] += int64(len(body))
		if err != nil || digestOf(whole) != digest {
			http.Error(w, `{"errors":[{"code":"DIGEST_INVALID"}]}`, http.StatusBadRequest)
			return
		}
		if len(whole) > len(body) {
			s.received[digest] = int64(len(whole))
		}
		s.blobs[repo+" "+digest] = whole
		delete(s.uploads, id)
		w.WriteHeader(http.StatusCreated)
	case http.MethodDelete:
		delete(s.uploads, id)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *store) manifest(w http.ResponseWriter, r *http.Request, repo, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodPut {
		text, _ := io.ReadAll(r.Body)
		digest := digestOf(text)
		s.manifests[repo+" "+id], s.manifests[repo+" "+digest], s.kinds[digest] = text, text, r.Header.Get("Content-Type")
		w.Header().Set("Docker-Content-Digest", digest)
		w.WriteHeader(http.StatusCreated)
		return
	}
	text, ok := s.manifests[repo+" "+id]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Docker-Content-Digest", digestOf(text))
	w.Header().Set("Content-Type", s.kinds[digestOf(text)])
	if r.Method == http.MethodGet {
		_, _ = w.Write(text)
	}
}
