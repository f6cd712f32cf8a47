package kubeapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// serviceKey is a service's port as the handler was registered for it: by number or by name.
type serviceKey struct{ namespace, name, port string }

// HandleService lets a handler answer for the port of a Service, which must be in the store too. The
// port is a number or a name of the Service's spec; requests may use either. A nil handler takes the
// registration back. The handler sees the path behind /proxy and no Authorization header.
func (s *Server) HandleService(namespace, name, port string, h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := serviceKey{namespace, name, port}
	if h == nil {
		delete(s.services, k)
		return
	}
	s.services[k] = h
}

// proxy forwards to a service's handler as the API server forwards to an endpoint. A service has
// endpoints when a handler is registered for its port and, if the store holds EndpointSlices for the
// service, one of them has a ready address.
func (s *Server) proxy(w http.ResponseWriter, r *http.Request, in info) error {
	_, name, port, ok := utilnet.SplitSchemeNamePort(in.name)
	if !ok {
		return apierrors.NewBadRequest(fmt.Sprintf("invalid service request %q", in.name))
	}
	h, err := s.backend(in.namespace, name, port)
	if err != nil {
		return err
	}
	prefix := "/api/v1/namespaces/" + in.namespace + "/services/" + in.name + "/proxy"
	if in.rest == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		to := url.URL{Path: prefix + "/", RawQuery: r.URL.RawQuery}
		w.Header().Set("Location", to.String())
		w.WriteHeader(http.StatusMovedPermanently)
		return nil
	}
	out := r.Clone(r.Context())
	out.Header.Del("Authorization")
	for _, header := range []string{"Impersonate-User", "Impersonate-Group", "Impersonate-Uid"} {
		out.Header.Del(header)
	}
	out.Header.Set("X-Forwarded-Uri", prefix+in.rest)
	out.URL.Path, out.URL.RawPath = in.rest, ""
	if raw := r.URL.EscapedPath(); raw != r.URL.Path {
		if _, rest, found := strings.Cut(raw, "/proxy/"); found {
			out.URL.RawPath = "/" + rest
		}
	}
	out.Host = name + "." + in.namespace + ".svc"
	out.RequestURI = out.URL.RequestURI()
	h.ServeHTTP(&relocated{ResponseWriter: w, prefix: prefix}, out)
	return nil
}

// backend finds the handler behind a port.
func (s *Server) backend(namespace, name, port string) (http.Handler, error) {
	none := apierrors.NewServiceUnavailable(fmt.Sprintf("no endpoints available for service %q", name))
	services := s.store.table.byGVR[schema.GroupVersionResource{Version: "v1", Resource: "services"}]
	svc, err := s.store.lookup(services, key{namespace, name})
	if err != nil {
		// The API server reads the Service only to translate a number; otherwise it goes straight to
		// the endpoints, of which a Service that does not exist has none.
		if _, notNumber := strconv.Atoi(port); notNumber != nil {
			return nil, none
		}
		return nil, err
	}
	names := []string{port}
	if declared := portsOf(svc); declared != nil {
		if names = declared(port); names == nil {
			if _, err := strconv.Atoi(port); err == nil {
				return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("no service port %s found for service %q", port, name))
			}
			return nil, none
		}
	}
	if !s.ready(namespace, name) {
		return nil, none
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, p := range names {
		if h := s.services[serviceKey{namespace, name, p}]; h != nil {
			return h, nil
		}
	}
	return nil, none
}

// portsOf returns a function from a port, by number or name, to all that it is called; nil when the
// service declares no ports.
func portsOf(svc Object) func(port string) []string {
	spec, _ := svc["spec"].(Object)
	ports, _ := spec["ports"].([]any)
	if len(ports) == 0 {
		return nil
	}
	return func(port string) []string {
		for _, p := range ports {
			m, _ := p.(Object)
			name, _ := m["name"].(string)
			number := fmt.Sprint(m["port"])
			if port == name || port == number {
				return []string{number, name}
			}
		}
		return nil
	}
}

// ready says whether the service's EndpointSlices, if there are any, have a ready address.
func (s *Server) ready(namespace, name string) bool {
	gvr := schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
	slices, _, err := s.store.entriesAt(gvr, namespace, 0)
	if err != nil {
		return false
	}
	known := false
	for _, e := range slices {
		if labelsOf(e.obj).Get("kubernetes.io/service-name") != name {
			continue
		}
		known = true
		endpoints, _ := e.obj["endpoints"].([]any)
		for _, ep := range endpoints {
			m, _ := ep.(Object)
			conditions, _ := m["conditions"].(Object)
			if ready, set := conditions["ready"].(bool); ready || !set {
				return true
			}
		}
	}
	return !known
}

// relocated rewrites redirects of the backend so that they stay behind the proxy, as the API server does.
type relocated struct {
	http.ResponseWriter
	prefix string
	wrote  bool
}

func (w *relocated) WriteHeader(code int) {
	if !w.wrote && code >= 200 {
		w.wrote = true
		to := w.Header().Get("Location")
		if u, err := url.Parse(to); err == nil && to != "" && u.Host == "" && strings.HasPrefix(u.Path, "/") {
			u.Path = w.prefix + u.Path
			w.Header().Set("Location", u.String())
		}
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *relocated) Write(p []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection, for streams and upgrades.
func (w *relocated) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher for handlers that ask for it by type.
func (w *relocated) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }
