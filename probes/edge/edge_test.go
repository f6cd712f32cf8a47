package edge_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/sim/cloudflare"
	sim "github.com/254carbon/gonogo/internal/sim/edge"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/edge"
	"github.com/254carbon/gonogo/probes/probetest"
)

var noon = time.Date(2025, time.October, 20, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

const vault = "vault." + cloudflare.Domain

// world is a simulated edge on loopback, and what looks at it with the production client.
type world struct {
	edge    *sim.Edge
	api     *cloudflare.Server
	params  edge.Params
	handler http.Handler
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	lasting time.Duration // of the certificate, from noon on
}

func newWorld(t *testing.T, change ...func(*world)) probes.Probe {
	t.Helper()
	api := cloudflare.New(cloudflare.Ready(noon, cloudflare.DemoCredentials()), cloudflare.Options{Now: clock})
	w := &world{api: api, edge: sim.New(sim.Options{Cloudflare: api, Now: clock}), lasting: time.Hour}
	w.handler = w.edge
	w.params = edge.Params{Team: cloudflare.Team, Hosts: []string{"grafana." + cloudflare.Domain, vault}, Paths: []string{"/", "/api/"}}
	for _, c := range change {
		c(w)
	}
	server := httptest.NewUnstartedServer(w.handler)
	certificates, err := sim.NewCertificates(noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := certificates.Set(vault, sim.Certificate{Left: w.lasting}); err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{GetCertificate: certificates.Get}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(address)
		if host == "127.0.0.1" { // an origin
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
		if host != sim.ResolverHost && net.ParseIP(host) == nil {
			return nil, &net.OpError{Op: "dial", Err: net.UnknownNetworkError("by the name " + host)}
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
	if w.dial != nil {
		dial = w.dial
	}
	x, err := platform.Open(&profile.Profile{}, platform.Options{
		Kubeconfig: "/nowhere", ReadOnly: true, Now: clock, Dial: dial, Roots: certificates.Roots(), Getenv: func(string) (string, bool) { return "", false },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	if err := w.params.Validate(); err != nil {
		t.Fatal(err)
	}
	return edge.New(x.Outside, w.params, clock)
}

func with(change ...func(*world)) func(*testing.T) probes.Probe {
	return func(t *testing.T) probes.Probe { return newWorld(t, change...) }
}

// instead answers for one host in the edge's place.
func instead(host string, f http.HandlerFunc) func(*world) {
	return func(w *world) {
		w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Host == host {
				f(rw, r)
				return
			}
			w.edge.ServeHTTP(rw, r)
		})
	}
}

func answer(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// behind is an origin that answers so.
func behind(t *testing.T, f http.HandlerFunc) func(*world) {
	origin := httptest.NewTLSServer(f)
	t.Cleanup(origin.Close)
	return func(w *world) { w.params.Origins = []string{origin.Listener.Addr().String()} }
}

// listening is an origin that takes connections and does with them what it is told.
func listening(t *testing.T, with func(net.Conn)) func(*world) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); with(c) }()
		}
	}()
	return func(w *world) { w.params.Origins = []string{listener.Addr().String()} }
}

func TestEdge(t *testing.T) {
	const login = "https://" + cloudflare.Team + ".cloudflareaccess.com/cdn-cgi/access/login/"
	at := func(status int, body string, headers ...string) func(*testing.T) probes.Probe {
		return with(instead(vault, answer(status, body, headers...)))
	}
	origin := func(f http.HandlerFunc) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe { return newWorld(t, behind(t, f)) }
	}
	to := func(place string, headers ...string) func(*testing.T) probes.Probe {
		return at(302, "", append([]string{"Location", place}, headers...)...)
	}
	worlds := []probetest.World{
		{Name: "both are shown", Want: probes.Pass, Says: []string{"2 of 2 proven protected"}, Shows: []string{"signed by the team", "--resolve vault.254carbon.com:443:104.21.25.4"}, New: with()},
		{Name: "a whole domain for the team", Want: probes.Pass, New: with(func(w *world) { w.params.Team = cloudflare.Team + ".cloudflareaccess.com" })},
		{Name: "an answer without Access", Want: probes.Fail, Says: []string{"open", vault, "200 OK without Access"}, New: at(200, "hello")},
		{Name: "nothing there, without Access", Want: probes.Fail, Says: []string{"open", "404"}, New: at(404, "")},
		{Name: "its own login", Want: probes.Fail, Says: []string{"open", "its own /login"}, New: to("/login")},
		{Name: "its own refusal", Want: probes.Fail, Says: []string{"open", "401 Unauthorized itself"}, New: at(401, "", "Www-Authenticate", "Basic")},
		{Name: "its own refusal through the edge", Want: probes.Fail, Says: []string{"open", "403 Forbidden itself"}, New: at(403, "", "Server", "cloudflare", "Cf-Cache-Status", "DYNAMIC")},
		{Name: "a login that only looks like the team's", Want: probes.Fail, Says: []string{"open", "qagi.cloudflareaccess.com.example.org"}, New: to("https://qagi.cloudflareaccess.com.example.org/cdn-cgi/access/login/" + vault + "?kid=x")},
		{Name: "the team's name as a user", Want: probes.Fail, Says: []string{"open", "example.org"}, New: to("https://qagi.cloudflareaccess.com@example.org/cdn-cgi/access/login/" + vault + "?kid=x")},
		{Name: "the login of another host", Want: probes.Fail, Says: []string{"login of another host"}, New: to(login + "grafana.254carbon.com?kid=x")},
		{Name: "a login without TLS", Want: probes.Fail, Says: []string{"login of another host"}, New: to("http" + strings.TrimPrefix(login, "https") + vault + "?kid=x")},
		{Name: "a login without an application", Want: probes.Fail, Says: []string{"forged"}, New: to(login + vault)},
		{Name: "the marks of Access alone", Want: probes.Pass, Shows: []string{"by the marks of Access"}, New: to(login+vault+"?kid=x", "Cf-Access-Domain", vault)},
		{Name: "a statement that is none", Want: probes.Fail, Says: []string{"forged", "not a signed one"}, New: to(login + vault + "?kid=x&meta=x.y.z")},
		{Name: "a statement without a signature", Want: probes.Fail, Says: []string{"forged"}, New: to(login + vault + "?kid=x&meta=eyJhbGciOiJub25lIn0.e30.")},
		{Name: "one path is let through", Want: probes.Fail, Says: []string{"open", "200 OK"}, New: with(func(w *world) {
			w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Host == vault && r.URL.Path == "/api/" {
					return
				}
				w.edge.ServeHTTP(rw, r)
			})
		})},
		{Name: "one open, one down", Want: probes.Fail, Says: []string{"open", vault, "1 could not be told"}, New: with(instead(vault, answer(200, "")), func(w *world) {
			w.edge.Set("grafana."+cloudflare.Domain, sim.BadGateway)
		})},
		{Name: "the origin refuses", Want: probes.Pass, New: origin(answer(403, ""))},
		{Name: "the origin knows no such host", Want: probes.Pass, New: origin(answer(404, ""))},
		{Name: "the origin asks for a login of its own", Want: probes.Fail, Says: []string{"open", "401 Unauthorized around Cloudflare"}, New: origin(answer(401, ""))},
		{Name: "the origin serves one path", Want: probes.Fail, Says: []string{"open", "200 OK around Cloudflare"}, Shows: []string{"/api/"}, New: func(t *testing.T) probes.Probe {
			return with(behind(t, func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/api/" {
					rw.WriteHeader(http.StatusForbidden)
				}
			}), func(w *world) { w.params.Paths = []string{"/", "/api/"} })(t)
		}},
		{Name: "nobody is at the origin", Want: probes.Pass, New: with(func(w *world) { w.params.Origins = []string{"127.0.0.1:1"} })},
		{Name: "the origin leads to the login", Want: probes.Pass, New: origin(answer(302, "", "Location", login+vault))},
		{Name: "the origin serves", Want: probes.Fail, Says: []string{"open", "its origin at 127.0.0.1:", "200 OK around Cloudflare"}, Shows: []string{"--connect-to"}, New: origin(answer(200, ""))},
		{Name: "the origin leads to its own login", Want: probes.Fail, Says: []string{"open", "302 Found around Cloudflare"}, New: origin(answer(302, "", "Location", "/login"))},
		{Name: "a tunnel that is down behind Access", Want: probes.Pass, New: with(func(w *world) {
			w.api.Change(func(s *cloudflare.State) { s.Tunnel(cloudflare.TunnelName).Conns = nil })
		})},
	}
	dead := func(w *world) {
		w.api.Change(func(s *cloudflare.State) { s.Tunnel(cloudflare.TunnelName).Conns, s.Apps = nil, nil })
	}
	resolving := func(f http.HandlerFunc) func(*testing.T) probes.Probe { return with(instead(sim.ResolverHost, f)) }
	keys := func(f http.HandlerFunc) func(*testing.T) probes.Probe {
		return with(instead(cloudflare.Team+".cloudflareaccess.com", f))
	}
	errs := []probetest.Failure{
		{Name: "a dead tunnel", Says: []string{"down", "530", "1033", "tunnel is not connected"}, New: with(dead)},
		{Name: "an error of the service", Says: []string{"down", "500"}, New: at(500, "oops")},
		{Name: "Access refuses and signs nothing", Says: []string{"inconclusive", "without saying of which team"}, New: at(403, "", "Cf-Access-Aud", "x", "Cf-Access-Domain", vault)},
		{Name: "the resolver is down", Says: []string{"public resolver", "500"}, New: resolving(answer(500, ""))},
		{Name: "the resolver answers a page", Says: []string{"public resolver", "not one about names"}, New: resolving(answer(200, "<html>"))},
		{Name: "the resolver fails", Says: []string{"public resolver", "code 2"}, New: resolving(answer(200, `{"Status":2}`))},
		{Name: "an address that is none", Says: []string{"an address that is none"}, New: resolving(answer(200, `{"Status":0,"Answer":[{"type":1,"data":"somewhere"}]}`))},
		{Name: "a hosts file's address", Says: []string{"no public address"}, New: resolving(answer(200, `{"Status":0,"Answer":[{"type":5,"data":"x."},{"type":1,"data":"127.0.0.1"}]}`))},
		{Name: "no keys", Says: []string{"keys of the team", "404"}, New: keys(answer(404, ""))},
		{Name: "keys that are none", Says: []string{"keys of the team", "no keys"}, New: keys(answer(200, "<html>"))},
		{Name: "an empty set of keys", Says: []string{"keys of the team", "no keys"}, New: keys(answer(200, `{"keys":[]}`))},
		{Name: "the connection is reset", Says: []string{"no answer", "EOF"}, New: with(instead(vault, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))},
		{Name: "a certificate that has expired", Says: []string{"certificate has expired"}, New: with(func(w *world) { w.lasting = -time.Hour })},
		{Name: "nobody listens", Says: []string{"refused"}, New: with(func(w *world) {
			w.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:1")
			}
		})},
	}
	for _, m := range sim.Mutations() {
		made := with(func(w *world) { m.Apply(w.edge) })
		switch {
		case m.Unknown:
			errs = append(errs, probetest.Failure{Name: m.Name, Says: m.Words, New: made})
		case m.Harmless:
			worlds = append(worlds, probetest.World{Name: m.Name, Want: probes.Pass, New: made})
		default:
			worlds = append(worlds, probetest.World{Name: m.Name, Want: probes.Fail, Says: m.Words, New: made})
		}
	}
	errs = append(errs,
		probetest.Failure{Name: "something at the origin that is no server of pages", Says: []string{"origin", "could not be asked around Cloudflare"}, New: func(t *testing.T) probes.Probe {
			return newWorld(t, listening(t, func(c net.Conn) { _ = c.Close() }))
		}},
		probetest.Failure{Name: "an origin that takes the call and says nothing", Says: []string{"origin", "could not be asked around Cloudflare"}, New: func(t *testing.T) probes.Probe {
			return newWorld(t, listening(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }))
		}},
		probetest.Failure{Name: "an origin that is ill", Says: []string{"502 Bad Gateway around Cloudflare"}, New: origin(answer(502, ""))},
	)
	probetest.Suite{
		New: with(), Worlds: worlds, Errors: errs,
		Hanging: with(instead(vault, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), func(w *world) { w.params.Hosts = w.params.Hosts[1:] }),
	}.Run(t)
}

// The keys are read once, and a stranger's key does not make them be read all the time.
func TestKeysAreKept(t *testing.T) {
	var read atomic.Int32
	count := func(w *world) {
		w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/certs") {
				read.Add(1)
			}
			w.edge.ServeHTTP(rw, r)
		})
	}
	p := newWorld(t, count)
	for range 3 {
		if obs, err := p.Observe(t.Context()); err != nil || obs.Status != probes.Pass {
			t.Fatalf("%+v, %v", obs, err)
		}
	}
	if n := read.Load(); n != 1 {
		t.Errorf("the keys were read %d times", n)
	}
}

func TestParams(t *testing.T) {
	declared := probes.Declared{Services: []probes.Service{
		{ID: "vault", Host: vault, Protected: true}, {ID: "www", Host: "www." + cloudflare.Domain}, {ID: "worker", Protected: true},
	}}
	for name, tt := range map[string]struct {
		params edge.Params
		good   bool
	}{
		"the protected ones":     {edge.Params{Team: "qagi"}, true},
		"one that is named":      {edge.Params{Team: "qagi", Services: []probes.ID{"www"}}, true},
		"one without a host":     {edge.Params{Team: "qagi", Services: []probes.ID{"worker"}}, false},
		"one that is none":       {edge.Params{Team: "qagi", Services: []probes.ID{"vaults"}}, false},
		"no team":                {edge.Params{}, false},
		"a URL for a team":       {edge.Params{Team: "https://qagi.cloudflareaccess.com"}, false},
		"a host with a path":     {edge.Params{Team: "qagi", Hosts: []string{vault + "/ui"}}, false},
		"a path without a slash": {edge.Params{Team: "qagi", Paths: []string{"api"}}, false},
		"a path to elsewhere":    {edge.Params{Team: "qagi", Paths: []string{"//example.org/"}}, false},
		"a name for an origin":   {edge.Params{Team: "qagi", Origins: []string{"origin.example.org"}}, false},
		"an origin":              {edge.Params{Team: "qagi", Origins: []string{"192.0.2.1", "[2001:db8::1]:8443"}}, true},
	} {
		tt.params.Declare(declared)
		if err := tt.params.Validate(); (err == nil) != tt.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
