// Package transport makes the HTTP transports that every connection of a platform goes out over: TLS always verified, every wait bounded,
// every body limited, and in read-only mode a guard that lets nothing out but reads.
package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"
)

// Limits of one exchange. Deadlines of whole calls come from the caller's context.
const (
	dialTimeout     = 10 * time.Second
	headerTimeout   = 30 * time.Second
	maxHeaderBytes  = 1 << 20
	DefaultMaxBody  = 8 << 20
	KubernetesLimit = 64 << 20
)

// DialFunc opens a connection as [net.Dialer.DialContext] does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Options are the settings of [New] and [Wrap]; the zero value is a transport that may write.
type Options struct {
	Dial       DialFunc         // nil for the machine's own
	Roots      *x509.CertPool   // nil for the machine's own
	Now        func() time.Time // by which certificates are valid; nil for the machine's clock
	Afresh     bool             // makes a connection for each request
	ReadOnly   bool             // lets nothing out but reads
	Kubernetes bool             // knows what reading means to a Kubernetes API server
	MaxBody    int64            // of one answer; 0 for DefaultMaxBody
	Patience   time.Duration    // for the head of an answer; 0 for what reading takes
	Idle       int              // connections kept open to one host; 0 for 4
}

// New returns a transport. It honours HTTPS_PROXY and NO_PROXY unless a Dial of its own was given.
func New(o Options) http.RoundTripper {
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots, Time: o.Now},
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  2 * time.Second,
		MaxIdleConnsPerHost:    4,
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      o.Afresh,
	}
	if o.Patience > 0 {
		t.ResponseHeaderTimeout = o.Patience
	}
	if o.Idle > 0 {
		t.MaxIdleConnsPerHost = o.Idle
	}
	if o.Dial != nil {
		t.Proxy, t.DialContext = nil, o.Dial
	}
	t.DialContext = Pinned(t.DialContext)
	return Wrap(t, o)
}

// pin is where requests for a host are sent.
type pin struct{ host, address string }

type pinKey struct{}

// To returns a context whose requests for a host ("name:port") go to an address of it ("address:port"), whatever the machine's resolver
// says of that name. A proxy still finds the host by its name.
func To(ctx context.Context, host, address string) context.Context {
	return context.WithValue(ctx, pinKey{}, pin{host, address})
}

// Pinned returns a dialer that keeps to what To says.
func Pinned(dial DialFunc) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if p, ok := ctx.Value(pinKey{}).(pin); ok && p.host == address {
			address = p.address
		}
		return dial(ctx, network, address)
	}
}

// Wrap puts the limits, and in read-only mode the guard, before a transport that somebody else made.
func Wrap(next http.RoundTripper, o Options) http.RoundTripper {
	limit := o.MaxBody
	if limit <= 0 {
		limit = DefaultMaxBody
	}
	next = limiter{next: next, limit: limit, kubernetes: o.Kubernetes}
	if o.ReadOnly {
		next = guard{next: next, kubernetes: o.Kubernetes}
	}
	return next
}

// Client returns a client over a transport that neither follows redirects nor keeps cookies: where a question is answered elsewhere is
// itself an answer.
func Client(t http.RoundTripper) *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
