// Package kubeapi is a small stateful Kubernetes API server: a Store of objects and an http.Handler
// over it, for the simulated platform and for tests, driven by the production clients of client-go.
//
// It keeps what clients rely on: discovery, resourceVersions and conflicts, lists with selectors and
// pages, watches that resume, send bookmarks and stream initial lists, finalizers, dry runs, merge,
// JSON, strategic-merge and server-side-apply patches with managedFields, status subresources,
// metadata-only answers, authentication, authorization with the real server's wording, and the
// service proxy. internal/kubetest holds the contract that it shares with the real server.
//
// What it does not do: default values of built-in kinds, validation beyond the types of fields and
// names, admission (other than namespaces having to exist), schemas of custom resources (their
// strategic-merge patches are refused as on the real server, server-side apply deduces their lists to
// be atomic), tables, protobuf answers (protobuf requests are read for built-in kinds),
// garbage collection by ownerReferences, graceful deletion of pods, and the subresources exec, attach,
// portforward, eviction, scale and token; logs are what its Options say.
package kubeapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Options configures a Server. The zero value serves an empty Builtin store to anyone.
type Options struct {
	// Store holds the objects; nil means a new one with default options.
	Store *Store
	// Authenticator knows the bearer tokens. nil means that every request is made by a cluster
	// administrator. With one, a request without a token is system:anonymous and sees only
	// /version, /livez, /readyz and /healthz, whatever the Authorizer says; an unknown token is 401.
	Authenticator Authenticator
	// Authorizer guards every request and answers SelfSubjectAccessReviews; nil allows everything.
	// Discovery, health and self reviews are open to everyone with a valid token, as by default on a
	// real cluster.
	Authorizer Authorizer
	// Logs says what a pod has logged; nil for nothing, as without kubelets.
	Logs func(pod Object) string
	// GitVersion is what /version says; "" means v1.37.2.
	GitVersion string
	// BookmarkInterval is how often watches get bookmarks; 0 means a minute.
	BookmarkInterval time.Duration
	// Logf is told of panics in handlers; nil drops them (the client gets a 500 either way).
	Logf func(format string, args ...any)
}

// Server is the API server as an http.Handler. It holds no listener and starts no goroutines; each
// watch lives in its request.
type Server struct {
	opts     Options
	store    *Store
	managers fieldManagers

	mu       sync.RWMutex
	services map[serviceKey]http.Handler

	closing sync.Once
	closed  chan struct{}
}

// New returns a server over the options' store.
func New(o Options) *Server {
	if o.Store == nil {
		o.Store = NewStore(StoreOptions{})
	}
	if o.GitVersion == "" {
		o.GitVersion = "v1.37.2"
	}
	if o.BookmarkInterval <= 0 {
		o.BookmarkInterval = time.Minute
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	return &Server{opts: o, store: o.Store, services: map[serviceKey]http.Handler{}, closed: make(chan struct{})}
}

// Store is the server's store.
func (s *Server) Store() *Store { return s.store }

// Close ends all watches, now and later ones at once, so that an http.Server's Shutdown does not wait
// for them. Other requests are still served. It may be called more than once.
func (s *Server) Close() { s.closing.Do(func() { close(s.closed) }) }

// ServeHTTP implements http.Handler. Every refusal is a Status object.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p) // how a handler, such as a reverse proxy or a fault injector, cuts a connection
		}
		s.opts.Logf("panic serving %s %s: %v\n%s", r.Method, r.URL.Path, p, debug.Stack())
		writeError(w, apierrors.NewInternalError(fmt.Errorf("this request caused apiserver to panic. Look in the logs for details")))
	}()
	c, err := s.authenticate(r)
	if err != nil {
		w.Header().Set("WWW-Authenticate", `Bearer realm="kubernetes"`)
		writeError(w, err)
		return
	}
	if err := s.impersonate(c, r.Header); err != nil {
		writeError(w, err)
		return
	}
	c.info = parseInfo(r)
	if err := s.authorize(c, c.info.attributes()); err != nil {
		writeError(w, err)
		return
	}
	if err := s.dispatch(w, r, c); err != nil {
		writeError(w, err)
	}
}

// call is one request on its way through the server.
type call struct {
	user User
	info info
}

func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, c *call) error {
	in := c.info
	if !in.isResource {
		return s.nonResource(w, r, in)
	}
	if kind, ok := selfReview(in); ok {
		return s.review(w, r, c, kind)
	}
	res, ok := s.store.table.byGVR[in.gvr()]
	if !ok || res.Namespaced && in.namespace == "" && in.name != "" || !res.Namespaced && in.namespace != "" && !isNamespace(res) {
		return notServed()
	}
	switch in.subresource {
	case "":
	case "status":
		if !res.Status {
			return notServed()
		}
	case "proxy":
		if res.Group != "" || res.Plural != "services" {
			return notServed()
		}
		return s.proxy(w, r, in)
	case "log":
		if res.Group != "" || res.Plural != "pods" || r.Method != http.MethodGet || s.opts.Logs == nil {
			return notServed()
		}
		o, err := s.store.Get(res.GVR(), in.namespace, in.name)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, s.opts.Logs(o))
		return nil
	default:
		return notServed()
	}
	q, err := parseQuery(r)
	if err != nil {
		return err
	}
	return s.verb(w, r, c, res, q)
}

func (s *Server) verb(w http.ResponseWriter, r *http.Request, c *call, res Resource, q query) error {
	in := c.info
	write := r.Method != http.MethodGet
	switch {
	case write && res.ReadOnly,
		in.name == "" && write && r.Method != http.MethodPost && r.Method != http.MethodDelete,
		in.name != "" && r.Method == http.MethodPost,
		in.subresource != "" && r.Method == http.MethodDelete,
		in.name == "" && r.Method == http.MethodPost && res.Namespaced && in.namespace == "":
		return notAllowed(res, r)
	}
	switch r.Method {
	case http.MethodGet:
		f, err := negotiate(r)
		if err != nil {
			return err
		}
		switch {
		case q.watch && res.ReadOnly:
			return notAllowed(res, r)
		case q.watch:
			return s.watch(w, r, res, in, q, f)
		case in.name == "":
			return s.list(w, res, in, q, f)
		}
		return s.get(w, res, in, f)
	case http.MethodPost:
		return s.create(w, r, c, res, q)
	case http.MethodPut:
		return s.update(w, r, c, res, q)
	case http.MethodPatch:
		return s.patch(w, r, c, res, q)
	case http.MethodDelete:
		if in.name == "" {
			return s.deleteMany(w, r, res, in, q)
		}
		return s.delete(w, r, res, in, q)
	}
	return notAllowed(res, r)
}

func notServed() error {
	return &apierrors.StatusError{ErrStatus: statusOf(http.StatusNotFound, "NotFound", "the server could not find the requested resource")}
}

func notAllowed(res Resource, r *http.Request) error {
	return apierrors.NewMethodNotSupported(res.GroupResource(), lower(r.Method))
}
