// Package harbor simulates a Harbor registry as its clients see it over HTTP: projects, robot accounts, repositories, quotas, health, the
// door /v2/ and the token service, with the ways in which the real one surprises. Wrong credentials are answered as none are; health is
// 200 whatever it says; a refused login takes a while and locks its user for as long; requests are decoded strictly.
package harbor

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// defaultLockTime is how long Harbor locks a user after a refused login, and how long it lets the refused request wait.
const defaultLockTime = 1500 * time.Millisecond

// maxBody bounds what is read of a request.
const maxBody = 1 << 20

// Options are the settings of a simulated Harbor.
type Options struct {
	Now      func() time.Time // the clock of what it says; nil for the machine's. Locks are measured on the machine's own clock.
	Registry http.Handler     // serves /v2/… to whoever is logged in; nil serves 404
	LockTime time.Duration    // how long a refused login waits and locks its user; 0 for Harbor's 1.5 s
}

// Server is a simulated Harbor. It is an http.Handler, safe for concurrent use.
type Server struct {
	now      func() time.Time
	registry http.Handler
	lockTime time.Duration
	mux      *http.ServeMux
	key      ed25519.PrivateKey

	mu     sync.Mutex // guards what follows
	state  State
	locked map[string]time.Time // until when, on the machine's clock
}

// New returns a simulated Harbor in the state given.
func New(state State, o Options) *Server {
	s := &Server{now: o.Now, registry: o.Registry, lockTime: cmp.Or(o.LockTime, defaultLockTime), state: state, locked: map[string]time.Time{}}
	if s.now == nil {
		s.now = time.Now
	}
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // never fails
	s.key = ed25519.NewKeyFromSeed(seed)
	s.routes()
	return s
}

func (s *Server) routes() {
	s.mux = http.NewServeMux()
	api := func(pattern string, serve func(*call)) {
		method, path, _ := strings.Cut(pattern, " ")
		s.mux.HandleFunc(method+" /api/v2.0"+path, s.serve(serve))
	}
	api("GET /ping", func(c *call) { c.text(http.StatusOK, "Pong") })
	api("GET /health", (*call).health)
	api("GET /systeminfo", (*call).systemInfo)
	api("GET /projects", (*call).listProjects)
	api("HEAD /projects", (*call).headProject)
	api("POST /projects", (*call).createProject)
	api("GET /projects/{project}", (*call).getProject)
	api("GET /projects/{project}/repositories", (*call).listRepositories)
	api("GET /projects/{project}/repositories/{repository}/artifacts", (*call).listArtifacts)
	api("GET /projects/{project}/repositories/{repository}/artifacts/{reference}", (*call).getArtifact)
	api("GET /users/current", (*call).currentUser)
	api("GET /users/current/permissions", (*call).currentPermissions)
	api("GET /robots", (*call).listRobots)
	api("POST /robots", (*call).createRobot)
	api("GET /robots/{id}", (*call).getRobot)
	api("PATCH /robots/{id}", (*call).refreshRobot)
	api("DELETE /robots/{id}", (*call).deleteRobot)
	api("GET /quotas", (*call).listQuotas)
	s.mux.HandleFunc("GET /service/token", s.serve((*call).token))
	s.mux.HandleFunc("/v2/", s.serve((*call).door))
	s.mux.HandleFunc("/", s.serve(func(c *call) { c.fail(http.StatusNotFound, "NOT_FOUND", "path "+c.r.URL.Path+" was not found") }))
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.mux.ServeHTTP(w, r)
}

// call is one request with who makes it.
type call struct {
	s    *Server
	w    http.ResponseWriter
	r    *http.Request
	who  *caller // nil: anonymous
	st   *State  // may be used until the call returns
	body []byte
}

// serve finds out who asks and calls with the state locked.
func (s *Server) serve(f func(*call)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "nginx")
		w.Header().Set("X-Request-Id", requestID())
		who := s.authenticate(r)
		c := &call{s: s, w: w, r: r, who: who, st: &s.state}
		if cookie, err := r.Cookie("sid"); err == nil && cookie.Value != "" && r.Method != http.MethodGet && r.Method != http.MethodHead &&
			r.Header.Get("X-Harbor-Csrf-Token") == "" {
			c.fail(http.StatusForbidden, "FORBIDDEN", "CSRF token not found in request")
			return
		}
		if who != nil && strings.HasPrefix(r.URL.Path, "/api/") {
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: requestID(), Path: "/", HttpOnly: true})
		}
		var body bytes.Buffer
		if _, err := body.ReadFrom(r.Body); err != nil {
			c.fail(http.StatusRequestEntityTooLarge, "BAD_REQUEST", "the request is too large")
			return
		}
		c.body = body.Bytes()
		if strings.HasPrefix(r.URL.Path, "/v2/") && r.URL.Path != "/v2/" {
			f(c) // the registry has a state of its own
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		f(c)
	}
}

func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x", b)
}

// sleep waits as a refused login does.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (c *call) json(status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		c.fail(http.StatusInternalServerError, "UNKNOWN", "internal server error")
		return
	}
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body)
}

func (c *call) text(status int, text string) {
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.WriteHeader(status)
	_, _ = c.w.Write([]byte(text))
}

// fail answers with Harbor's form of an error.
func (c *call) fail(status int, code, message string) {
	c.json(status, map[string]any{"errors": []any{map[string]string{"code": code, "message": message}}})
}

// decode reads the body into value, strictly: what the API does not know, it refuses.
func (c *call) decode(value any) bool {
	decoder := json.NewDecoder(bytes.NewReader(c.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		c.fail(http.StatusBadRequest, "BAD_REQUEST", "decoding the body: "+err.Error())
		return false
	}
	return true
}

// known refuses parameters of the query that the API does not know.
func (c *call) known(names ...string) bool {
	for name := range c.r.URL.Query() {
		ok := false
		for _, k := range names {
			ok = ok || k == name
		}
		if !ok {
			c.fail(http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY", "unknown parameter "+name)
			return false
		}
	}
	return true
}

// page writes one page of a list.
func page[T any](c *call, all []T) {
	number, size := 1, 10
	for _, p := range []struct {
		name  string
		value *int
		most  int
	}{{"page", &number, 1 << 30}, {"page_size", &size, 100}} {
		if text := c.r.URL.Query().Get(p.name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 || n > p.most {
				c.fail(http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY", fmt.Sprintf("%s in query should be less than or equal to %d", p.name, p.most))
				return
			}
			*p.value = n
		}
	}
	c.w.Header().Set("X-Total-Count", strconv.Itoa(len(all)))
	from := min(max(0, (number-1)*size), len(all))
	to := min(from+size, len(all))
	if to < len(all) {
		next := *c.r.URL
		query := next.Query()
		query.Set("page", strconv.Itoa(number+1))
		query.Set("page_size", strconv.Itoa(size))
		next.RawQuery = query.Encode()
		c.w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next"`, next.RequestURI()))
	}
	shown := all[from:to]
	if shown == nil {
		shown = []T{}
	}
	c.json(http.StatusOK, shown)
}
