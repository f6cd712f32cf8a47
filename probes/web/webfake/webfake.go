// Package webfake leads to a server on loopback for tests of probes that ask a program at a Service or a URL.
package webfake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/web"
)

// Fetcher leads every Service to one server, as the API server's proxy does: without the Authorization header. It is safe for concurrent use.
type Fetcher struct {
	base   *url.URL
	client *http.Client
	err    error // in the place of an answer of a Service
	vouch  error
	direct bool // credentials reach the Service
}

var (
	_ web.Fetcher = (*Fetcher)(nil)
	_ web.Voucher = (*Fetcher)(nil)
)

// Serve returns a Fetcher that leads to the handler.
func Serve(t *testing.T, h http.Handler) *Fetcher {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Fetcher{base: base, client: client}
}

// URL is where the server is.
func (f *Fetcher) URL() string { return f.base.String() }

// Say makes the API server say this in the place of every Service.
func (f *Fetcher) Say(err error) *Fetcher {
	f.err = err
	return f
}

// Break makes the way to Services turn out to be broken.
func (f *Fetcher) Break() *Fetcher {
	f.vouch = errors.New("the answer is no version")
	return f
}

// Forward makes credentials reach the Service, as over a port-forward.
func (f *Fetcher) Forward() *Fetcher {
	f.direct = true
	return f
}

// Fetch implements [web.Fetcher].
func (f *Fetcher) Fetch(ctx context.Context, service string, r *http.Request) (*http.Response, probes.Request, error) {
	r = r.Clone(ctx)
	if service == "" {
		resp, err := f.client.Do(r)
		return resp, probes.Request{Source: "GET " + r.URL.String(), Repeat: "curl " + probes.ShellWord(r.URL.String())}, err
	}
	path := "/api/v1/namespaces/n/services/s/proxy" + r.URL.RequestURI()
	about := probes.Request{Source: "GET " + path, Repeat: "kubectl get --raw " + probes.ShellWord(path)}
	if f.err != nil {
		return nil, about, f.err
	}
	if r.Header.Get("Authorization") != "" && !f.direct {
		return nil, about, errors.New("needs a url in read-only mode: the proxy does not pass the Authorization header on")
	}
	r.URL.Scheme, r.URL.Host = f.base.Scheme, f.base.Host
	resp, err := f.client.Do(r)
	return resp, about, err
}

// Vouch implements [web.Voucher].
func (f *Fetcher) Vouch(context.Context) error { return f.vouch }

// NoEndpoints is what the API server says of a Service without endpoints.
func NoEndpoints() error {
	return fmt.Errorf("it has no ready endpoints: %w", &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusServiceUnavailable, Reason: metav1.StatusReasonServiceUnavailable, Message: `no endpoints available for service "s"`,
	}})
}

// NoService is what it says of one that does not exist.
func NoService() error { return apierrors.NewNotFound(schema.GroupResource{Resource: "services"}, "s") }

// Forbidden is what it says to a reader without rights.
func Forbidden() error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "services/proxy"}, "s", errors.New("may not get services/proxy in n"))
}

// Answer is a handler that answers everything with one text.
func Answer(status int, kind, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

// Hang is a handler that never answers.
func Hang() http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

// Secrets resolves references to variables from a map.
type Secrets map[string]string

// Resolve returns a secret.
func (s Secrets) Resolve(_ context.Context, ref probes.SecretRef) (string, error) {
	if v, ok := s[ref.Env]; ok {
		return v, nil
	}
	return "", fmt.Errorf("reading %s: it is not set: %w", ref, probes.ErrNoSecret)
}

// Name returns a name.
func (s Secrets) Name(ctx context.Context, ref probes.SecretRef) (string, error) {
	return s.Resolve(ctx, ref)
}
