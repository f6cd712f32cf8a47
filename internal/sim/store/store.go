// Package store is the object store of the simulated platform, where its backups are: S3 in memory, with a credential that may read and one that may write.
package store

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// The credential that may read; it protects nothing.
const (
	AccessKey = "gonogo-reader"
	SecretKey = "reader-of-a-simulated-store"

	// The one that may write too.
	WriterKey    = "gonogo-writer"
	WriterSecret = "writer-of-a-simulated-store"
)

// Server serves the store. It is safe for concurrent use.
type Server struct {
	mu      sync.Mutex
	backend *s3mem.Backend
	handler http.Handler
	denied  bool
	files   func(path, signature string) ([]byte, bool)
}

// New returns a store with one bucket and objects in it.
func New(bucket string, keys ...string) (*Server, error) {
	s := &Server{}
	return s, s.Fill(bucket, keys...)
}

// Fill makes the store one with this bucket and these objects, and nothing else.
func (s *Server) Fill(bucket string, keys ...string) error {
	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		return fmt.Errorf("making bucket %s in the simulated store: %w", bucket, err)
	}
	for _, key := range keys {
		const text = "{}"
		if _, err := backend.PutObject(bucket, key, map[string]string{}, strings.NewReader(text), int64(len(text)), nil); err != nil {
			return fmt.Errorf("storing %s in the simulated store: %w", key, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backend = backend
	s.handler = gofakes3.New(backend, gofakes3.WithTimeSkewLimit(0)).Server() // requests are signed by the machine's clock
	return nil
}

// Deny says whether the credential may not look into any bucket.
func (s *Server) Deny(denied bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = denied
}

// Serve has requests that carry no credential but a signed query answered by files, as far as it knows them.
func (s *Server) Serve(files func(path, query string) ([]byte, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = files
}

// Add makes one more bucket.
func (s *Server) Add(bucket string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.backend.CreateBucket(bucket)
}

// ServeHTTP answers as S3 does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	handler, denied, files := s.handler, s.denied, s.files
	s.mu.Unlock()
	if files != nil && r.Method == http.MethodGet && r.Header.Get("Authorization") == "" {
		if body, ok := files(r.URL.Path, r.URL.RawQuery); ok {
			w.Header().Set("X-Amz-Request-Id", "0000000000000002")
			_, _ = w.Write(body)
			return
		}
	}
	switch {
	case strings.Contains(r.Header.Get("Authorization"), "Credential="+WriterKey+"/"):
		handler.ServeHTTP(w, r)
	case !strings.Contains(r.Header.Get("Authorization"), "Credential="+AccessKey+"/"):
		Refuse(w, "InvalidAccessKeyId", "The Access Key Id you provided does not exist in our records.")
	case denied:
		Refuse(w, "AccessDenied", "Access Denied.")
	default:
		handler.ServeHTTP(w, r)
	}
}

// Refuse answers 403 with a code of S3's.
func Refuse(w http.ResponseWriter, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Amz-Request-Id", "0000000000000001")
	w.WriteHeader(http.StatusForbidden)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message><RequestId>0000000000000001</RequestId></Error>`, code, message)
}
