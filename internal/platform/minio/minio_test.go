package minio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/platform/transport"
	"github.com/254carbon/gonogo/internal/sim/store"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/velero"
)

func over(t *testing.T, h http.Handler, access string) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := New(Options{URL: server.URL, Transport: transport.New(transport.Options{ReadOnly: true}), Keys: func(context.Context) (string, string, error) {
		if access == "" {
			return "", "", fmt.Errorf("it is not set: %w", probes.ErrNoSecret)
		}
		return access, store.SecretKey, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answer(status int, header, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if header != "" {
			w.Header().Set(header, "1")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func TestBucket(t *testing.T) {
	full, err := store.New("backups", "cluster-backups/backups/a/velero-backup.json")
	if err != nil {
		t.Fatal(err)
	}
	denied, err := store.New("backups")
	if err != nil {
		t.Fatal(err)
	}
	denied.Deny(true)
	tests := []struct {
		name, bucket, prefix string
		h                    http.Handler
		access               string
		want                 velero.Bucket
		says                 string // of the error
	}{
		{"there", "backups", "cluster-backups", full, store.AccessKey, velero.Bucket{Exists: true, Holds: true, Versioning: "off"}, ""},
		{"nothing under the prefix", "backups", "other", full, store.AccessKey, velero.Bucket{Exists: true, Versioning: "off"}, ""},
		{"another name", "velero-backups", "", full, store.AccessKey, velero.Bucket{}, ""},
		{"no credential", "backups", "", full, "", velero.Bucket{}, "it is not set"},
		{"wrong credential", "backups", "", full, "somebody", velero.Bucket{}, "refuses gonogo's own credential"},
		{"no right", "backups", "", denied, store.AccessKey, velero.Bucket{}, "s3:ListBucket"},
		{"a web server's 404", "backups", "", answer(404, "", "<html>nginx</html>"), "a", velero.Bucket{}, "something that is no object store answers with 404"},
		{"a web page", "backups", "", answer(200, "", "<html></html>"), "a", velero.Bucket{}, "no object store"},
		{"garbage of a store", "backups", "", answer(200, "X-Amz-Request-Id", "garbage"), "a", velero.Bucket{}, "asking the object store"},
		{"a redirect", "backups", "", http.RedirectHandler("/login", http.StatusFound), "a", velero.Bucket{}, "no object store answers with 302"},
		{"crashed", "backups", "", answer(500, "X-Amz-Request-Id", ""), "a", velero.Bucket{}, "500"},
		{"busy", "backups", "", answer(503, "X-Amz-Request-Id", "<Error><Code>SlowDown</Code><Message>Please reduce</Message></Error>"), "a", velero.Bucket{}, "SlowDown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, request, err := over(t, tt.h, tt.access).Bucket(t.Context(), tt.bucket, tt.prefix)
			got.Lock = ""
			switch {
			case tt.says == "" && (err != nil || got != tt.want):
				t.Errorf("%+v (%v), want %+v", got, err, tt.want)
			case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
				t.Errorf("%+v, %v does not say %q", got, err, tt.says)
			}
			if request.Source == "" || strings.Contains(request.Repeat+request.Source+fmt.Sprint(err), store.SecretKey) {
				t.Errorf("request %+v, error %v", request, err)
			}
			if tt.access == "" && !errors.Is(err, probes.ErrNoSecret) {
				t.Errorf("%v does not wrap ErrNoSecret", err)
			}
		})
	}
}

func TestAHangingStoreIsLeft(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	hanging := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	began := time.Now()
	if _, _, err := over(t, hanging, "a").Bucket(ctx, "backups", ""); err == nil || time.Since(began) > 2*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestURLsAreChecked(t *testing.T) {
	for _, bad := range []string{"", "minio:9000", "ftp://a", "https://u:p@a", "https://a/b", "https://"} {
		if _, err := New(Options{URL: bad}); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestTheStoreIsChangedWithTheWriterAlone(t *testing.T) {
	s, err := store.New("backups", "a/kopia/x/1", "a/kopia/x/2", "a/kopia/y/1")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	made := func(access string) *Client {
		o := Options{URL: server.URL, Transport: transport.New(transport.Options{}), Keys: func(context.Context) (string, string, error) { return store.AccessKey, store.SecretKey, nil }}
		if access != "" {
			o.WriteKeys = func(context.Context) (string, string, error) { return access, store.WriterSecret, nil }
		}
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if err := made("").MakeBucket(t.Context(), "new"); err == nil || !strings.Contains(err.Error(), "connections.minio.write") {
		t.Error(err)
	}
	if err := made("stranger").MakeBucket(t.Context(), "new"); err == nil || !strings.Contains(err.Error(), "InvalidAccessKeyId") {
		t.Error(err)
	}
	c := made(store.WriterKey)
	for range 2 {
		if err := c.MakeBucket(t.Context(), "new"); err != nil && !strings.Contains(err.Error(), "BucketAlreadyExists") {
			t.Error(err)
		}
	}
	if b, _, err := c.Bucket(t.Context(), "new", ""); err != nil || !b.Exists {
		t.Errorf("%+v %v", b, err)
	}
	if err := c.RemovePrefix(t.Context(), "backups", ""); err == nil {
		t.Error("everything may be removed")
	}
	if err := c.RemovePrefix(t.Context(), "backups", "a/kopia/x/"); err != nil {
		t.Error(err)
	}
	for prefix, holds := range map[string]bool{"a/kopia/x/": false, "a/kopia/y/": true} {
		if b, _, err := c.Bucket(t.Context(), "backups", prefix); err != nil || b.Holds != holds {
			t.Errorf("%s: %+v %v", prefix, b, err)
		}
	}
}
