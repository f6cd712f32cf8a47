package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/254carbon/gonogo/probes"
)

// ServiceTarget names a port of a Service.
type ServiceTarget struct {
	Namespace, Name string
	Port            string // its number, or its name in the Service
	Scheme          string // http or https; empty means http
	// TLS is what a port-forward verifies an https service with; nil for the machine's roots. Through the API server's proxy it is the
	// API server that speaks TLS to the service, and it does not verify.
	TLS *tls.Config
}

// ParseServiceTarget reads "namespace/name:port" or "https:namespace/name:port".
func ParseServiceTarget(text string) (ServiceTarget, error) {
	bad := fmt.Errorf("service %q: it is written namespace/name:port or https:namespace/name:port", probes.Clean(text, 200))
	t := ServiceTarget{Scheme: "http"}
	rest := text
	if scheme, after, ok := strings.Cut(text, ":"); ok && !strings.Contains(scheme, "/") {
		t.Scheme, rest = scheme, after
	}
	namespace, rest, ok := strings.Cut(rest, "/")
	name, port, ok2 := strings.Cut(rest, ":")
	t.Namespace, t.Name, t.Port = namespace, name, port
	if !ok || !ok2 || t.check() != nil {
		return ServiceTarget{}, bad
	}
	return t, nil
}

func (t ServiceTarget) check() error {
	if t.Scheme != "http" && t.Scheme != "https" {
		return fmt.Errorf("reaching service %s: the scheme is http or https", t)
	}
	for _, part := range []string{t.Namespace, t.Name, t.Port} {
		if part == "" || badSegment(part) != nil || strings.ContainsAny(part, ": \t\n") {
			return fmt.Errorf("reaching service %s: %q is no name", t, probes.Clean(part, 100))
		}
	}
	return nil
}

// String is the form that ParseServiceTarget reads.
func (t ServiceTarget) String() string {
	text := probes.Clean(t.Namespace+"/"+t.Name+":"+t.Port, 300)
	if t.Scheme == "https" {
		return "https:" + text
	}
	return text
}

// ProxyPath is where the API server proxies a path of the service, which begins with a slash.
func (t ServiceTarget) ProxyPath(path string) string {
	return fmt.Sprintf("/api/v1/namespaces/%s/services/%s:%s:%s/proxy%s", t.Namespace, t.Scheme, t.Name, t.Port, path)
}

// ErrNeedsURL is within the error of reaching a service that only a port-forward could reach, in read-only mode.
var ErrNeedsURL = errors.New("needs a url in read-only mode")

// reach is how one service is reached. It is an http.RoundTripper.
type reach struct {
	c      *Cluster
	target ServiceTarget

	mu      sync.Mutex
	forward *forward // nil as long as the API server's proxy will do
}

// Transport returns what reaches a service from here, and the URL that it has there. Nothing is sent before the first request: that goes
// through the API server's proxy; where the proxy cannot serve (a right is missing, the API server cannot reach the service, the request
// carries credentials, which the proxy eats, or is no read) and the mode is not read-only, it goes through a port-forward to a ready pod,
// which is remembered until it fails. Redirects are the caller's not to follow.
func (c *Cluster) Transport(_ context.Context, target ServiceTarget) (http.RoundTripper, *url.URL, error) {
	if target.Scheme == "" {
		target.Scheme = "http"
	}
	if err := target.check(); err != nil {
		return nil, nil, err
	}
	base := &url.URL{Scheme: target.Scheme, Host: target.Name + "." + target.Namespace + ".svc:" + target.Port}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, fmt.Errorf("reaching service %s: %w", target, errClosed)
	}
	way := c.reach[target]
	if way == nil {
		way = &reach{c: c, target: target}
		c.reach[target] = way
	}
	return way, base, nil
}

// Forwarded returns what reaches a service by port-forward alone, so that the host of a URL arrives as it is written: what was signed for it
// stays valid. In read-only mode it is an error.
func (c *Cluster) Forwarded(target ServiceTarget) (http.RoundTripper, error) {
	if c.readOnly {
		return nil, ErrNeedsURL
	}
	rt, _, err := c.Transport(context.Background(), target)
	if err != nil {
		return nil, err
	}
	return forwarded{rt.(*reach)}, nil
}

// forwarded never takes the API server's proxy.
type forwarded struct{ *reach }

// RoundTrip implements http.RoundTripper.
func (f forwarded) RoundTrip(r *http.Request) (*http.Response, error) {
	f.begin(errors.New("the URL is signed for its host"))
	return f.reach.RoundTrip(r)
}

// ServiceRequest describes a GET of a path ("/api/v1/query?query=up") of a service for evidence.
func (c *Cluster) ServiceRequest(target ServiceTarget, pathAndQuery string) probes.Request {
	if target.Scheme == "" {
		target.Scheme = "http"
	}
	return probes.Request{
		Source: "GET " + c.server + target.ProxyPath(pathAndQuery),
		Repeat: c.kubectl + " get --raw " + probes.ShellWord(target.ProxyPath(pathAndQuery)),
	}
}

// Service sends a request to a service, as ParseServiceTarget names it; the request's URL needs a path and query alone. The answer's body
// is cut off with an error at limit bytes, and must be closed.
func (c *Cluster) Service(ctx context.Context, service string, r *http.Request, limit int64) (*http.Response, probes.Request, error) {
	target, err := ParseServiceTarget(service)
	if err != nil {
		return nil, probes.Request{}, err
	}
	about := c.ServiceRequest(target, r.URL.RequestURI())
	way, base, err := c.Transport(ctx, target)
	if err != nil {
		return nil, about, err
	}
	ctx, _ = withExchange(ctx, limit)
	out := r.Clone(ctx)
	out.URL.Scheme, out.URL.Host, out.Host = base.Scheme, base.Host, ""
	resp, err := way.RoundTrip(out)
	return resp, about, err
}

// maxServiceBody bounds answers for which the caller gave no limit.
const maxServiceBody = 8 << 20

// RoundTrip implements http.RoundTripper.
func (w *reach) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), w.c.limits.call, silentError{server: "service " + w.target.String(), after: w.c.limits.call})
	if ex, _ := ctx.Value(exchangeKey{}).(*exchange); ex == nil {
		ctx, _ = withExchange(ctx, maxServiceBody)
	}
	resp, err := w.send(r.Clone(ctx))
	if err != nil {
		var silent silentError
		if cause := context.Cause(ctx); errors.As(cause, &silent) && r.Context().Err() == nil {
			err = cause
		}
		cancel()
		return nil, readFailure("reaching service "+w.target.String(), err)
	}
	resp.Body = &endingBody{ReadCloser: resp.Body, end: cancel}
	return resp, nil
}

// endingBody ends a request's deadline with its body.
type endingBody struct {
	io.ReadCloser
	end context.CancelFunc
}

func (b *endingBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// send picks the way.
func (w *reach) send(r *http.Request) (*http.Response, error) {
	f := w.forwarding()
	if f == nil {
		why := unproxied(r)
		if why == nil {
			resp, err := w.proxy(r)
			var cannot *proxyError
			if !errors.As(err, &cannot) {
				return resp, err
			}
			why = cannot
		}
		if w.c.readOnly {
			return nil, fmt.Errorf("%w: %w", ErrNeedsURL, why)
		}
		f = w.begin(why)
	}
	resp, err := f.roundTrip(r)
	if err != nil {
		w.drop(f)
		err = fmt.Errorf("%w; and by port-forward: %w", f.why, err)
	}
	return resp, err
}

func (w *reach) forwarding() *forward {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.forward
}

// begin returns the port-forward, which connects with its first request; why is what a new one remembers.
func (w *reach) begin(why error) *forward {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.forward == nil {
		w.forward = newForward(w.c, w.target, why)
	}
	return w.forward
}

// drop forgets a port-forward that failed, so that the next request tries the proxy again.
func (w *reach) drop(f *forward) {
	w.mu.Lock()
	if w.forward == f {
		w.forward = nil
	}
	w.mu.Unlock()
	f.close()
}

func (w *reach) close() {
	if f := w.forwarding(); f != nil {
		w.drop(f)
	}
}

// proxyError says why the API server's proxy cannot serve.
type proxyError struct{ err error }

func (e *proxyError) Error() string { return "the API server's proxy cannot serve: " + reason(e.err) }
func (e *proxyError) Unwrap() error { return e.err }

// unproxied says why a request cannot go through the proxy, whatever the service.
func unproxied(r *http.Request) error {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != "":
		return &proxyError{fmt.Errorf("%s is no read", r.Method)}
	case r.Header.Get("Authorization") != "" || r.URL.User != nil:
		return &proxyError{errors.New("it does not pass the Authorization header on")}
	case r.Body != nil && r.Body != http.NoBody:
		return &proxyError{errors.New("a read has no body")}
	}
	return nil
}

// proxy sends a request through the API server. A proxyError says that it could not reach the service.
func (w *reach) proxy(r *http.Request) (*http.Response, error) {
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	target := w.c.server + w.target.ProxyPath(path)
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	out, err := http.NewRequestWithContext(r.Context(), http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodHead {
		out.Method = http.MethodHead
	}
	out.Header = r.Header.Clone()
	for name := range out.Header { // the API server would take these for its own
		if strings.HasPrefix(name, "Impersonate-") || name == "Upgrade" || name == "Connection" {
			out.Header.Del(name)
		}
	}
	resp, err := w.c.http.Do(out)
	if err != nil {
		return nil, err
	}
	return w.judge(resp)
}

// judge tells answers of the service from those of the API server itself, which are Status objects.
func (w *reach) judge(resp *http.Response) (*http.Response, error) {
	const most = 64 << 10
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode < 400 || kind != "application/json" {
		return resp, nil
	}
	begin, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	var status metav1.Status
	if json.Unmarshal(begin, &status) != nil || status.Kind != "Status" || status.APIVersion != "v1" || status.Status != metav1.StatusFailure {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(begin), resp.Body), resp.Body}
		return resp, nil
	}
	_ = resp.Body.Close()
	status.Code = int32(resp.StatusCode) //nolint:gosec // three digits
	refusal := &apierrors.StatusError{ErrStatus: status}
	switch {
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusTooManyRequests:
		return nil, refusal
	case strings.Contains(status.Message, "no endpoints available"):
		return nil, fmt.Errorf("it has no ready endpoints: %w", refusal)
	}
	return nil, &proxyError{refusal}
}
