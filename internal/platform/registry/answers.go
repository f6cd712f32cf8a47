package registry

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/images"
)

// answers is the transport under every request to one registry. It lets nothing out without TLS that is not to be, and turns what is no
// success of a question about a manifest into an error before anybody else makes a second question of it.
type answers struct {
	next      http.RoundTripper
	host      string
	plain     bool         // TLS is not needed
	redirects bool         // are followed
	settled   atomic.Int32 // how the registry is reached: 0 not known yet
}

const (
	withTLS = iota + 1
	withoutTLS
)

// settle decides how the registry is reached from here on.
func (t *answers) settle(insecure bool) {
	t.settled.Store(withTLS)
	if insecure {
		t.settled.Store(withoutTLS)
	}
}

// RoundTrip carries one request.
func (t *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if own := r.URL.Host == t.host; own && t.settled.Load() != 0 {
		r = r.Clone(r.Context())
		r.URL.Scheme = "https"
		if t.settled.Load() == withoutTLS {
			r.URL.Scheme = "http"
		}
	}
	if r.URL.Scheme != "https" && !t.plain {
		return nil, fmt.Errorf("%s would have to be asked without TLS", r.URL.Host)
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if err := t.judge(r, resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// judge returns the error that an answer is, or nil.
func (t *answers) judge(r *http.Request, resp *http.Response) error {
	manifest := r.Method == http.MethodHead && r.URL.Host == t.host
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests:
		return &images.LimitedError{Host: r.URL.Host, After: retryAfter(resp)}
	case code >= 300 && code < 400 && !t.redirects:
		return fmt.Errorf("%s %s redirects (%d) to %s: it is not the registry that answers", r.Method, r.URL.Path, code, probes.Clean(resp.Header.Get("Location"), 200))
	case !manifest || code < 300 || code < 400 && t.redirects:
		return nil
	case code == http.StatusNotFound:
		return fmt.Errorf("%w (404)", images.ErrMissing)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("%w (%d)", images.ErrRefused, code)
	default:
		return fmt.Errorf("HEAD %s: %d %s", r.URL.Path, code, http.StatusText(code))
	}
}

// maxWait is the longest time to wait that a registry is believed.
const maxWait = 6 * time.Hour

// retryAfter reads how long a registry asks to wait, as seconds or as a date; 0 if it says neither.
func retryAfter(resp *http.Response) time.Duration {
	text := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return min(max(0, time.Duration(seconds)*time.Second), maxWait)
	}
	if at, err := http.ParseTime(text); err == nil {
		from := time.Now()
		if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			from = date // by the clock of whoever says so
		}
		return min(max(0, at.Sub(from)), maxWait)
	}
	return 0
}

// refusal reports whether a registry's token service does not let the asker see what was asked for.
func refusal(err error) bool {
	var status *transport.Error
	return errors.As(err, &status) && (status.StatusCode == http.StatusUnauthorized || status.StatusCode == http.StatusForbidden)
}

// plain takes the wrapping of HTTP clients off errors that speak for themselves, and keeps what else they say short.
func plain(err error) error {
	var limited *images.LimitedError
	if errors.As(err, &limited) {
		return limited
	}
	for _, known := range []error{images.ErrMissing, images.ErrRefused} {
		if errors.Is(err, known) {
			return inner(err)
		}
	}
	var status *transport.Error
	if errors.As(err, &status) {
		text := fmt.Errorf("%d %s", status.StatusCode, http.StatusText(status.StatusCode))
		switch {
		case refusal(err):
			return fmt.Errorf("%w: %w", images.ErrRefused, text)
		case status.StatusCode == http.StatusNotFound:
			return fmt.Errorf("%w: %w", images.ErrMissing, text)
		}
		return text
	}
	return inner(err)
}

// inner returns what an error of an HTTP client wraps. What a token service sent instead of a token is not repeated.
func inner(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) && wrapped.Err != nil {
		return wrapped.Err
	}
	if strings.HasPrefix(err.Error(), "no token in bearer response") {
		return errors.New("the answer holds no token")
	}
	return err
}

// loopback reports whether a host, with or without a port, is this machine's own.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
