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

// streaming are the subresources of a pod that act on it whatever the method: they are GETs that turn into a stream both ways, and a
// client may add what turns them only below the guard.
var streaming = []string{"exec", "attach", "portforward"}

// RoundTrip sends the request on if it only reads.
func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if why := g.refusal(r); why != "" {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, &RefusedError{Method: r.Method, Path: r.URL.Path, Why: why}
	}
	resp, err := g.next.RoundTrip(r)
	if err == nil && resp.StatusCode == http.StatusSwitchingProtocols {
		_ = resp.Body.Close()
		return nil, &RefusedError{Method: r.Method, Path: r.URL.Path, Why: "the answer would turn the connection into a stream both ways"}
	}
	return resp, err
}

// refusal says why a request is not let out, or nothing if it is.
func (g guard) refusal(r *http.Request) string {
	for name, values := range r.Header { // as they are sent: a key that is not in its canonical form counts as well
		switch strings.ToLower(name) {
		case "upgrade", ":protocol":
			return "it would turn the connection into a stream both ways"
		case "connection":
			if hasToken(values, "upgrade") {
				return "it would turn the connection into a stream both ways"
			}
		case "x-http-method-override", "x-http-method", "x-method-override":
			return "it asks for another method in a header"
		}
	}
	switch {
	case r.URL.Opaque != "":
		return "its path is not the one that is sent"
	case r.Method == http.MethodPost && g.kubernetes && r.URL.EscapedPath() == reviewPath && r.URL.RawQuery == "":
		return ""
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != "":
		return "it is not a read"
	case g.kubernetes && actsOnPod(path.Clean("/"+r.URL.Path)):
		return "it acts on a pod"
	case r.Body != nil && r.Body != http.NoBody:
		return "a read has no body"
	}
	return ""
}

// actsOnPod reports whether a Kubernetes API path is a streaming subresource of a pod, or leads to a kubelet, which has the same ones under
// other names. It looks at every part of the path: before the API's own there may be a prefix of a server in between, and any part may be
// the name of something.
func actsOnPod(clean string) bool {
	parts := strings.Split(strings.Trim(clean, "/"), "/")
	for i := range len(parts) - 2 {
		kind, sub := parts[i], strings.ToLower(parts[i+2])
		if kind == "pods" && slices.Contains(streaming, sub) || kind == "nodes" && sub == "proxy" {
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
