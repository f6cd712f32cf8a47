package transport

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

// RefusedError is the answer to a request that read-only mode does not let out.
type RefusedError struct {
	Method, Path, Why string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("read-only mode refuses %s %s: %s", e.Method, e.Path, e.Why)
}

// guard lets only reading requests out. It is closed by default: what it does not know to be reading, it refuses before anything is sent.
type guard struct {
	next       http.RoundTripper
	kubernetes bool
}

// reviewPath is where a Kubernetes client asks what it may do; creating such a review changes nothing.
const reviewPath = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

// streaming are the subresources of a pod that act on it whatever the method: they are GETs that turn into a stream both ways.
var streaming = []string{"exec", "attach", "portforward"}

// RoundTrip sends the request on if it only reads.
func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if why := g.refusal(r); why != "" {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, &RefusedError{Method: r.Method, Path: r.URL.Path, Why: why}
	}
	return g.next.RoundTrip(r)
}

// refusal says why a request is not let out, or nothing if it is.
func (g guard) refusal(r *http.Request) string {
	if r.Header.Get("Upgrade") != "" || hasToken(r.Header.Values("Connection"), "upgrade") || r.Header.Get(":protocol") != "" {
		return "it would turn the connection into a stream both ways"
	}
	for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
		if r.Header.Get(name) != "" {
			return "it asks for another method in a header"
		}
	}
	clean := path.Clean("/" + r.URL.Path)
	switch {
	case r.Method == http.MethodPost && g.kubernetes && clean == reviewPath && r.URL.RawQuery == "":
		return ""
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != "":
		return "it is not a read"
	case g.kubernetes && streamsToPod(clean):
		return "it acts on a pod"
	case r.Body != nil && r.Body != http.NoBody:
		return "a read has no body"
	}
	return ""
}

// streamsToPod reports whether a Kubernetes API path is a streaming subresource of a pod. What comes after a service's or node's proxy is
// a path of that backend's own.
func streamsToPod(clean string) bool {
	parts := strings.Split(strings.Trim(clean, "/"), "/")
	for i, part := range parts {
		if part == "proxy" {
			return false
		}
		if part == "pods" && i+2 < len(parts) && slices.Contains(streaming, strings.ToLower(parts[i+2])) {
			return true
		}
	}
	return false
}

func hasToken(values []string, token string) bool {
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
