// Package cloudflare simulates Cloudflare's API, version 4, as its clients see it over HTTP: the envelope, the limits and their headers,
// tokens and their permissions, tunnels with their connections, and Access applications, policies and identity providers, which can be
// read and written. Requests are decoded strictly: what the simulation does not know, it refuses.
package cloudflare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	quota    = 1200 // requests of one token in a window
	windowed = 5 * time.Minute
	maxBody  = 1 << 20
)

// Options are the settings of a simulated Cloudflare.
type Options struct {
	Now   func() time.Time // the clock of what it says; nil for the machine's. Limits are measured on the machine's own clock.
	Quota int              // requests of one token in five minutes; 0 for Cloudflare's 1200
}

// Server is a simulated Cloudflare. It is an http.Handler that expects paths to begin with /client/v4, safe for concurrent use.
type Server struct {
	now   func() time.Time
	quota int
	mux   *http.ServeMux

	mu      sync.Mutex // guards what follows
	state   State
	windows map[string]*window // by token
	flaky   func(r *http.Request) bool
}

// window counts a token's requests.
type window struct {
	began   time.Time
	used    int
	blocked time.Time // until when
}

// New returns a simulated Cloudflare in the state given.
func New(state State, o Options) *Server {
	s := &Server{now: o.Now, quota: o.Quota, state: state, windows: map[string]*window{}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.quota == 0 {
		s.quota = quota
	}
	s.mux = http.NewServeMux()
	s.routes()
	return s
}

// The permission groups that the simulation knows, by their display names.
const (
	TunnelRead  = "Cloudflare Tunnel Read"
	AccountRead = "Account Settings Read"
	ZoneRead    = "Zone Read"
	AppsRead    = "Access: Apps and Policies Read"
	AppsEdit    = "Access: Apps and Policies Write"
	OrgRead     = "Access: Organizations, Identity Providers, and Groups Read"
	OrgEdit     = "Access: Organizations, Identity Providers, and Groups Write"
	TokensRead  = "API Tokens Read"
	ServiceRead = "Access: Service Tokens Read"
	ServiceEdit = "Access: Service Tokens Write"
)

func (s *Server) routes() {
	route := func(pattern, permission string, serve func(*call)) {
		method, path, _ := strings.Cut(pattern, " ")
		s.mux.HandleFunc(method+" /client/v4"+path, s.serve(permission, serve))
	}
	route("GET /user/tokens/verify", "", func(c *call) { c.verify(false) })
	route("GET /accounts/{account}/tokens/verify", "", func(c *call) { c.verify(true) })
	route("GET /user/tokens/{id}", TokensRead, (*call).getToken)
	route("GET /accounts", AccountRead, (*call).listAccounts)
	route("GET /zones", ZoneRead, (*call).listZones)
	route("GET /accounts/{account}/cfd_tunnel", TunnelRead, (*call).listTunnels)
	route("GET /accounts/{account}/cfd_tunnel/{id}", TunnelRead, (*call).getTunnel)
	route("GET /accounts/{account}/cfd_tunnel/{id}/connections", TunnelRead, (*call).connections)
	route("GET /accounts/{account}/cfd_tunnel/{id}/configurations", TunnelRead, (*call).configuration)
	route("GET /accounts/{account}/access/organizations", OrgRead, func(c *call) { c.ok(c.st.Org) })
	route("POST /accounts/{account}/access/policy-tests", AppsEdit, (*call).testPolicies)
	route("GET /accounts/{account}/access/policy-tests/{id}", AppsRead, (*call).policyTest)
	route("GET /accounts/{account}/access/policy-tests/{id}/users", AppsRead, (*call).testedUsers)
	for _, k := range collections() {
		path := "/accounts/{account}/access/" + k.path
		route("GET "+path, k.read, func(c *call) { c.list(k) })
		route("POST "+path, k.edit, func(c *call) { c.create(k) })
		route("GET "+path+"/{id}", k.read, func(c *call) { c.get(k) })
		route("PUT "+path+"/{id}", k.edit, func(c *call) { c.put(k) })
		route("DELETE "+path+"/{id}", k.edit, func(c *call) { c.remove(k) })
	}
	s.mux.HandleFunc("/", s.serve("", (*call).noRoute))
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.mu.Lock()
	flaky := s.flaky
	s.mu.Unlock()
	if flaky != nil && r.Method != http.MethodGet && flaky(r) {
		s.mux.ServeHTTP(lost{http.Header{}}, r)
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<html><title>502 Bad Gateway</title></html>"))
		return
	}
	s.mux.ServeHTTP(w, r)
}

// Lose has the answers to some of the requests that change something lost after they had their effect: those for which flaky says so.
func (s *Server) Lose(flaky func(r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flaky = flaky
}

// lost is an answer that nobody gets.
type lost struct{ header http.Header }

func (l lost) Header() http.Header         { return l.header }
func (l lost) Write(p []byte) (int, error) { return len(p), nil }
func (l lost) WriteHeader(int)             {}

// call is one request.
type call struct {
	s     *Server
	w     http.ResponseWriter
	r     *http.Request
	st    *State
	token *Token
	body  []byte
}

// serve checks limits, token, account and permission, in the order in which Cloudflare does, and calls with the state locked.
func (s *Server) serve(permission string, f func(*call)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, err := body.ReadFrom(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		c := &call{s: s, w: w, r: r, st: &s.state, body: body.Bytes()}
		w.Header().Set("Server", "cloudflare")
		w.Header().Set("Cf-Ray", "0000000000000000-FRA")
		value, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case err != nil:
			c.fail(http.StatusRequestEntityTooLarge, 10013, "request body too large")
		case !c.within(value):
		case !bearer || value == "" || strings.ContainsAny(value, " \t"):
			c.malformed()
		case strings.HasSuffix(r.URL.Path, "/tokens/verify"):
			c.token = c.st.Token(value)
			f(c)
		default:
			c.token = c.st.Token(value)
			c.allowed(permission, f)
		}
	}
}

// allowed calls if the token may.
func (c *call) allowed(permission string, f func(*call)) {
	account, now := c.r.PathValue("account"), c.s.now()
	switch t := c.token; {
	case t == nil:
		c.fail(http.StatusForbidden, 9109, "Invalid access token")
	case t.Status != "active" || t.NotBefore != nil && t.NotBefore.After(now) || t.Expires != nil && !t.Expires.After(now):
		c.fail(http.StatusForbidden, 9109, "Invalid access token")
	case account != "" && account != c.st.Account:
		c.fail(http.StatusNotFound, 7003, fmt.Sprintf("Could not route to %s, perhaps your object identifier is invalid?", strings.TrimPrefix(c.r.URL.Path, "/client/v4")))
	case permission != "" && !c.may(permission):
		c.fail(http.StatusForbidden, 10000, "Authentication error")
	default:
		f(c)
	}
}

// may reports whether the token has a permission; whoever may write may read.
func (c *call) may(permission string) bool {
	edit := strings.TrimSuffix(permission, "Read") + "Write"
	return slices.Contains(c.token.Permissions, permission) || slices.Contains(c.token.Permissions, edit)
}

func (c *call) noRoute() {
	c.fail(http.StatusNotFound, 7000, "No route for that URI")
}

// within counts the request. Over the limit everything of the token is blocked for five minutes.
func (c *call) within(token string) bool {
	w, now := c.s.windows[token], time.Now()
	if w == nil || now.Sub(w.began) >= windowed && now.After(w.blocked) {
		w = &window{began: now}
		c.s.windows[token] = w
	}
	if w.used++; w.used > c.s.quota && w.blocked.IsZero() {
		w.blocked = now.Add(windowed)
	}
	if left := w.blocked.Sub(now); left > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int(left/time.Second)))
		c.fail(http.StatusTooManyRequests, 10429, "Rate limited. Please wait and consider throttling your request speed")
		return false
	}
	reset := int((windowed - now.Sub(w.began)) / time.Second)
	c.w.Header().Set("Ratelimit", fmt.Sprintf(`"default";r=%d;t=%d`, c.s.quota-w.used, reset))
	c.w.Header().Set("Ratelimit-Policy", fmt.Sprintf(`"default";q=%d;w=%d`, c.s.quota, int(windowed/time.Second)))
	return true
}

func (c *call) write(status int, envelope map[string]any) {
	for _, list := range []string{"errors", "messages"} {
		if envelope[list] == nil {
			envelope[list] = []any{}
		}
	}
	body, err := json.Marshal(envelope)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"success":false,"errors":[{"code":1,"message":"internal"}],"messages":[],"result":null}`)
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body)
}

func (c *call) ok(result any) {
	c.write(http.StatusOK, map[string]any{"success": true, "result": result})
}

func (c *call) fail(status, code int, message string) {
	c.write(status, map[string]any{"success": false, "result": nil, "errors": []any{map[string]any{"code": code, "message": message}}})
}

func (c *call) malformed() {
	c.write(http.StatusBadRequest, map[string]any{"success": false, "result": nil, "errors": []any{map[string]any{
		"code": 6003, "message": "Invalid request headers",
		"error_chain": []any{map[string]any{"code": 6111, "message": "Invalid format for Authorization header"}},
	}}})
}

// known refuses parameters of the query that the simulation does not know.
func (c *call) known(names ...string) bool {
	for name := range c.r.URL.Query() {
		if !slices.Contains(names, name) {
			c.fail(http.StatusBadRequest, 10001, "unknown parameter "+name)
			return false
		}
	}
	return true
}

// page writes one page of a list.
func page[T any](c *call, all []T) {
	number, per := 1, 20
	for _, p := range []struct {
		name  string
		value *int
	}{{"page", &number}, {"per_page", &per}} {
		if text := c.r.URL.Query().Get(p.name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || n > 1000 {
				c.fail(http.StatusBadRequest, 10001, p.name+" is not valid")
				return
			}
			*p.value = n
		}
	}
	from := min((number-1)*per, len(all))
	shown := slices.Concat([]T{}, all[from:min(from+per, len(all))])
	if shown == nil {
		shown = []T{}
	}
	c.write(http.StatusOK, map[string]any{"success": true, "result": shown, "result_info": map[string]int{
		"page": number, "per_page": per, "count": len(shown), "total_count": len(all), "total_pages": (len(all) + per - 1) / per,
	}})
}
