package copier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/254carbon/gonogo/actions/mirror"
	"github.com/254carbon/gonogo/probes"
)

// Bounds of patience with one request.
const (
	attempts   = 4                // at what fails by itself
	waits      = 30               // for a registry that asks for patience
	longest    = 15 * time.Minute // that is waited at once
	maxAnswer  = 16 << 20         // of a manifest or an error
	firstPause = 250 * time.Millisecond
)

// host is one registry.
type host struct {
	c        *Copier
	registry name.Registry
	slots    chan struct{}

	login    sync.Mutex
	auth     authn.Authenticator
	sessions map[string]http.RoundTripper // by scope

	mu    sync.Mutex
	one   time.Time // until when a request that was refused waits
	until time.Time // before which nothing is sent at all
	why   string
}

func newHost(c *Copier, registry name.Registry) *host {
	return &host{c: c, registry: registry, slots: make(chan struct{}, c.o.PerHost), sessions: map[string]http.RoundTripper{}}
}

// session returns a transport that authenticates for a scope.
func (h *host) session(ctx context.Context, scopes ...string) (http.RoundTripper, error) {
	h.login.Lock()
	defer h.login.Unlock()
	key := strings.Join(scopes, " ")
	if t := h.sessions[key]; t != nil {
		return t, nil
	}
	if h.auth == nil {
		username, password, err := h.c.o.Credential(ctx, h.registry.RegistryStr())
		if err != nil {
			return nil, fmt.Errorf("finding the credential for %s: %w", h.registry.RegistryStr(), err)
		}
		h.auth = authn.Anonymous
		if username != "" {
			h.auth = authn.FromConfig(authn.AuthConfig{Username: username, Password: password})
		}
	}
	t, err := transport.NewWithContext(ctx, h.registry, h.auth, gated{h}, scopes)
	if err != nil {
		return nil, explain(ctx, fmt.Errorf("logging in at %s: %w", h.registry.RegistryStr(), err))
	}
	h.sessions[key] = t
	return t, nil
}

// explain makes a refused login one that the caller can tell.
func explain(ctx context.Context, err error) error {
	var refused *transport.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &refused) && (refused.StatusCode == http.StatusUnauthorized || refused.StatusCode == http.StatusForbidden):
		return fmt.Errorf("%w (%d)", mirror.ErrDenied, refused.StatusCode)
	}
	return err
}

// gated waits for a registry that wants patience while it is logged in to; other requests are waited for by whoever sends them.
type gated struct{ h *host }

// RoundTrip implements [http.RoundTripper].
func (g gated) RoundTrip(r *http.Request) (*http.Response, error) {
	login := r.Body == nil && (r.URL.Path == "/v2/" || !strings.HasPrefix(r.URL.Path, "/v2/"))
	for waited := 0; ; waited++ {
		if err := g.h.patience(r.Context(), silent{}); err != nil && login {
			return nil, err
		}
		response, err := g.h.c.o.Transport.RoundTrip(r)
		if err != nil || !login || !busy(response) || waited >= waits {
			return response, err
		}
		drain(response)
		pause, _ := g.h.slow(response.StatusCode, response.Header)
		if err := g.h.c.o.Sleep(r.Context(), pause); err != nil {
			return nil, err
		}
	}
}

// busy reports whether a registry asks for patience.
func busy(r *http.Response) bool {
	return r.StatusCode == http.StatusTooManyRequests || r.StatusCode == http.StatusServiceUnavailable && r.Header.Get("Retry-After") != ""
}

// patience waits until the registry may be asked again.
func (h *host) patience(ctx context.Context, r mirror.Reporter) error {
	told := false
	for {
		h.mu.Lock()
		left, why, until := h.until.Sub(h.c.o.Now()), h.why, h.until
		h.mu.Unlock()
		if left <= 0 {
			if told {
				r.Waiting("", time.Time{})
			}
			return ctx.Err()
		}
		told = true
		r.Waiting(why, until)
		if err := h.c.o.Sleep(ctx, left); err != nil {
			return err
		}
	}
}

// slow notes that the registry wants patience, and returns for how long. One refusal holds up its own request; another one before that has
// waited long enough holds up everything.
func (h *host) slow(status int, header http.Header) (pause time.Duration, why string) {
	pause = 5 * time.Second
	text := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		pause = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		pause = at.Sub(h.c.o.Now())
	}
	pause = min(max(pause, 0), longest)
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.c.o.Now()
	why = fmt.Sprintf("%s answers %d and asks for %s", h.registry.RegistryStr(), status, pause.Round(time.Second))
	until := now.Add(pause)
	if h.one.After(now) && until.After(h.until) {
		h.until, h.why = until, why
	}
	if until.After(h.one) {
		h.one = until
	}
	return pause, why
}

// ask is one request of a registry.
type ask struct {
	method string
	url    string // or a path below /v2/
	scopes []string
	header http.Header
	body   func() (io.Reader, int64) // made anew for each attempt; nil for none
	once   bool                      // is not tried again when it fails by itself
	spent  func() bool               // whether of the body something is gone, so that it cannot be sent again; nil for never
}

// do sends a request until it is answered with something that another attempt would not change. The caller closes the body.
func (h *host) do(ctx context.Context, a ask, r mirror.Reporter) (*http.Response, error) {
	failures, waited := 0, 0
	for {
		if err := h.patience(ctx, r); err != nil {
			return nil, err
		}
		response, err := h.send(ctx, a)
		if err == nil && busy(response) {
			drain(response)
			pause, why := h.slow(response.StatusCode, response.Header)
			if waited++; waited > waits || a.spent != nil && a.spent() {
				return nil, fmt.Errorf("%s keeps answering %d", h.registry.RegistryStr(), response.StatusCode)
			}
			r.Waiting(why, h.c.o.Now().Add(pause))
			if err := h.c.o.Sleep(ctx, pause); err != nil {
				return nil, err
			}
			r.Waiting("", time.Time{})
			continue
		}
		if err == nil && response.StatusCode < 500 {
			return response, nil
		}
		if err == nil {
			err = answerError(response)
		}
		if failures++; ctx.Err() != nil || a.once || failures >= attempts || errors.Is(err, mirror.ErrDenied) {
			return nil, sentence(ctx, err)
		}
		if err := h.c.o.Sleep(ctx, firstPause<<failures); err != nil {
			return nil, err
		}
	}
}

// send sends a request once.
func (h *host) send(ctx context.Context, a ask) (*http.Response, error) {
	session, err := h.session(ctx, a.scopes...)
	if err != nil {
		return nil, err
	}
	address := a.url
	if !strings.Contains(address, "://") {
		address = fmt.Sprintf("%s://%s/v2/%s", h.registry.Scheme(), h.registry.RegistryStr(), a.url)
	}
	request, err := http.NewRequestWithContext(ctx, a.method, address, nil)
	if err != nil {
		return nil, fmt.Errorf("asking %s: it is no address", h.registry.RegistryStr())
	}
	if a.body != nil {
		reader, length := a.body()
		request.Body, request.ContentLength = io.NopCloser(reader), length
		if length == 0 {
			request.Body = http.NoBody
		}
	}
	for key, values := range a.header {
		request.Header[key] = values
	}
	return (&http.Client{Transport: session}).Do(request)
}

// sentence is an error of the network without the address, which may hold a signature.
func sentence(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// drain reads a little of what is left, so that the connection can be used again.
func drain(r *http.Response) {
	_, _ = io.CopyN(io.Discard, r.Body, 64<<10)
	_ = r.Body.Close()
}

// answerError says what a registry answered, and closes the body.
func answerError(r *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	_ = r.Body.Close()
	said := probes.Clean(string(text), 300)
	lower := strings.ToLower(said)
	switch {
	case strings.Contains(lower, "quota") && (r.StatusCode == http.StatusForbidden || r.StatusCode == http.StatusPreconditionFailed || r.StatusCode == http.StatusInsufficientStorage):
		return fmt.Errorf("%w: %s", mirror.ErrQuota, said)
	case r.StatusCode == http.StatusInsufficientStorage:
		return fmt.Errorf("%w: %s", mirror.ErrQuota, said)
	case r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w (%d %s)", mirror.ErrDenied, r.StatusCode, said)
	}
	return fmt.Errorf("%s answers %s", r.Request.Method, strings.TrimSpace(r.Status+" "+said))
}
