package cloudflare_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	client "github.com/254carbon/gonogo/internal/platform/cloudflare"
	sim "github.com/254carbon/gonogo/internal/sim/cloudflare"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/cloudflare"
	"github.com/254carbon/gonogo/probes/probetest"
)

var noon = time.Date(2025, time.October, 20, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

// secrets is what references resolve to; a Secret may not be read.
type secrets map[string]string

func (s secrets) Resolve(_ context.Context, ref probes.SecretRef) (string, error) {
	switch ref.Secret {
	case "":
	case "a/gone/c":
		return "", probes.ErrNoSecret
	default:
		return "", errors.New(`secrets "cloudflare" is forbidden`)
	}
	if v, ok := s[ref.Env]; ok {
		return v, nil
	}
	return "", probes.ErrNoSecret
}

// world is a simulated Cloudflare on loopback and a client of it.
type world struct {
	server  *sim.Server
	client  *client.Client
	secrets secrets
	account string
	reader  string
	noToken bool
	api     cloudflare.APIParams
	params  cloudflare.TunnelParams
}

func newWorld(t *testing.T, change ...func(*world)) *world {
	t.Helper()
	tokens := sim.DemoCredentials()
	w := &world{
		server: sim.New(sim.Ready(noon, tokens), sim.Options{Now: clock}), secrets: secrets{"TOKEN": tokens.Platform},
		account: sim.AccountID, reader: tokens.Reader, api: cloudflare.APIParams{Token: probes.SecretRef{Env: "TOKEN"}, MinDays: 14},
		params: cloudflare.TunnelParams{Name: sim.TunnelName, MinConnections: 2},
	}
	for _, c := range change {
		c(w)
	}
	return w.serve(t, w.server)
}

func (w *world) serve(t *testing.T, handler http.Handler) *world {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	w.connect(t, server.URL)
	return w
}

func (w *world) connect(t *testing.T, address string) {
	t.Helper()
	o := client.Options{
		BaseURL: address + "/client/v4", Transport: &http.Transport{DisableKeepAlives: true}, Now: clock,
		Account: func(context.Context) (string, error) { return w.account, nil },
		Token:   func(context.Context) (string, error) { return w.reader, nil },
	}
	if w.noToken {
		o.Token = nil
	}
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.client = c
}

func serving(t *testing.T, handler http.HandlerFunc) *world { return newWorld(t).serve(t, handler) }

func hanging(t *testing.T) *world {
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	return serving(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-done:
		}
	})
}

func (w *world) token() probes.Probe  { return cloudflare.NewAPI(w.client, w.secrets, clock, w.api) }
func (w *world) tunnel() probes.Probe { return cloudflare.NewTunnel(w.client, w.params) }

func state(change func(*sim.State)) func(*world) {
	return func(w *world) { w.server.Change(change) }
}

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// failures are the ways in which any question to Cloudflare comes to nothing.
func failures(probe func(*world) probes.Probe) []probetest.Failure {
	of := func(name string, handler http.HandlerFunc, says ...string) probetest.Failure {
		return probetest.Failure{Name: name, Says: says, New: func(t *testing.T) probes.Probe { return probe(serving(t, handler)) }}
	}
	return []probetest.Failure{
		of("a proxy answers 502 with a page", answer(502, "text/html", "<h1>Bad Gateway</h1>"), "502", "text/html"),
		of("an internal error", answer(500, "application/json", `{"success":false,"errors":[{"code":1,"message":"oops"}],"messages":[],"result":null}`), "500", "oops"),
		of("a web page with status 200", answer(200, "text/html", "<html>"), "not an answer of the API"),
		of("JSON about something else", answer(200, "application/json", `{"hello":"world"}`), "not an answer"),
		of("half a document", answer(200, "application/json", `{"success":true,"result":{`), "not the JSON"),
		of("an empty answer", answer(200, "application/json", ""), "not the JSON"),
		of("no result", answer(200, "application/json", `{"success":true,"errors":[],"messages":[],"result":null}`), "no result"),
		of("no success", answer(200, "application/json", `{"success":false,"errors":[{"code":42,"message":"no"}],"messages":[],"result":null}`), "without success", "42"),
		of("another kind of result", answer(200, "application/json", `{"success":true,"errors":[],"messages":[],"result":"text"}`)),
		of("the connection is reset", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"),
		of("blocked", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "240")
			answer(429, "application/json", `{"success":false,"errors":[{"code":10429,"message":"Rate limited"}],"result":null}`)(w, r)
		}, "429", "not asking before 12:04:00 UTC"),
		of("a huge answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			chunk := make([]byte, 1<<20)
			for range 64 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, "larger than"),
		{Name: "nobody listens", Says: []string{"refused"}, New: func(t *testing.T) probes.Probe {
			server := httptest.NewServer(http.NotFoundHandler())
			server.Close()
			w := newWorld(t)
			w.connect(t, server.URL)
			return probe(w)
		}},
	}
}

func secretTexts() []string {
	return []string{sim.DemoCredentials().Reader, sim.DemoCredentials().Platform}
}

// mutated returns the simulation's bad worlds that a check must see, and its harmless ones.
func mutated(check probes.ID, probe func(*world) probes.Probe) (worlds []probetest.World) {
	for _, m := range sim.Mutations(sim.DemoCredentials().Platform) {
		w := probetest.World{Name: m.Name, Want: probes.Fail, Says: m.Words, New: func(t *testing.T) probes.Probe {
			return probe(newWorld(t, func(w *world) { m.Apply(w.server) }))
		}}
		switch {
		case m.Harmless:
			w.Want, w.Says = probes.Pass, nil
		case m.Checks[0] != check:
			continue
		case m.Name == "cloudflare-tunnel-degraded":
			w.Want, w.Ratio = probes.Warn, probes.Part(1, 2)
		}
		worlds = append(worlds, w)
	}
	return worlds
}

func TestAPI(t *testing.T) {
	with := func(change ...func(*world)) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe { return newWorld(t, change...).token() }
	}
	verified := func(status int, body string) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe { return serving(t, answer(status, "application/json", body)).token() }
	}
	worlds := []probetest.World{
		{Name: "the platform has no such Secret", Want: probes.Fail, Says: []string{"no token", "secret a/gone/c is not set"}, New: with(func(w *world) {
			w.api.Token = probes.SecretRef{Secret: "a/gone/c"}
		})},
		{Name: "no token at all", Want: probes.Fail, Says: []string{"refuses", "characters"}, New: with(func(w *world) { w.secrets["TOKEN"] = "a b\x00" })},
		{Name: "as files end", Want: probes.Pass, Says: []string{"expires in 90 days"}, New: with(func(w *world) { w.secrets["TOKEN"] += "\r\n" })},
		{
			Name: "exactly 14 days", Want: probes.Pass, Says: []string{"in 14 days"},
			New: verified(200, `{"success":true,"result":{"id":"x","status":"active","expires_on":"2025-11-03T12:00:00Z"}}`),
		},
		{
			Name: "a second less", Want: probes.Fail, Says: []string{"in 13 days", "2025-11-03"},
			New: verified(200, `{"success":true,"result":{"id":"x","status":"active","expires_on":"2025-11-03T11:59:59Z"}}`),
		},
		{
			Name: "the last hours", Want: probes.Fail, Says: []string{"in less than a day"},
			New: verified(200, `{"success":true,"result":{"id":"x","status":"active","expires_on":"2025-10-20T20:00:00Z"}}`),
		},
		{
			Name: "malformed for Cloudflare", Want: probes.Fail, Says: []string{"refuses", "Invalid format"},
			New: verified(400, `{"success":false,"errors":[{"code":6003,"message":"Invalid request headers","error_chain":[{"code":6111,"message":"Invalid format for Authorization header"}]}],"result":null}`),
		},
	}
	errs := append(failures((*world).token),
		probetest.Failure{Name: "not set", Says: []string{"was not given", "environment variable TOKEN is not set"}, New: with(func(w *world) { delete(w.secrets, "TOKEN") })},
		probetest.Failure{Name: "empty", Says: []string{"was not given"}, New: with(func(w *world) { w.secrets["TOKEN"] = "\n" })},
		probetest.Failure{Name: "the Secret may not be read", Says: []string{"forbidden", "secret a/b/c"}, New: with(func(w *world) {
			w.api.Token = probes.SecretRef{Secret: "a/b/c"}
		})},
		probetest.Failure{Name: "the account is unknown and the token none of a user", Says: []string{"7003"}, New: with(func(w *world) {
			w.secrets["TOKEN"], w.account = "other-token-00000000", "ffffffffffffffffffffffffffffffff"
		})},
		probetest.Failure{Name: "no status", Says: []string{"no status"}, New: verified(200, `{"success":true,"result":{"id":"x"}}`)},
		probetest.Failure{Name: "a date that is none", New: verified(200, `{"success":true,"result":{"status":"active","expires_on":"soon"}}`)},
	)
	probetest.Suite{
		New: with(), Worlds: append(worlds, mutated("cloudflare-token", (*world).token)...), Errors: errs, Secrets: secretTexts(),
		Hanging: func(t *testing.T) probes.Probe { return hanging(t).token() },
	}.Run(t)
}

func TestTunnel(t *testing.T) {
	with := func(change ...func(*world)) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe { return newWorld(t, change...).tunnel() }
	}
	byID := func(w *world) { w.params.ID, w.params.Name = sim.TunnelID, "" }
	worlds := []probetest.World{
		{Name: "the places are named", Want: probes.Pass, Says: []string{"4 connections up in ams01 (2), fra01 (2)"}, New: with()},
		{Name: "by id", Want: probes.Pass, New: with(byID)},
		{Name: "by an id that does not exist", Want: probes.Fail, Says: []string{"does not exist"}, New: with(func(w *world) {
			w.params.ID, w.params.Name = "00000000-0000-4000-8000-000000000000", ""
		})},
		{Name: "by the id of one that was deleted", Want: probes.Fail, Says: []string{"deleted"}, New: with(byID, state(func(s *sim.State) {
			s.Tunnel(sim.TunnelName).Deleted = &noon
		}))},
		{Name: "another of that name was deleted", Want: probes.Pass, New: with(state(func(s *sim.State) {
			s.Tunnels = append([]sim.Tunnel{{ID: "02540000-0000-4000-8000-00000000dead", Name: sim.TunnelName, Status: "down", Deleted: &noon}}, s.Tunnels...)
		}))},
		{Name: "one counts, one awaits", Want: probes.Fail, Says: []string{"1 connection up", "1 awaiting return"}, New: with(state(func(s *sim.State) {
			tunnel := s.Tunnel(sim.TunnelName)
			tunnel.Conns = tunnel.Conns[:2]
			tunnel.Conns[0].Pending = true
		}))},
	}
	denied := func(permissions ...string) func(*world) {
		return state(func(s *sim.State) { s.Token(sim.DemoCredentials().Reader).Permissions = permissions })
	}
	errs := append(failures((*world).tunnel),
		probetest.Failure{Name: "gonogo's token may not read tunnels", Says: []string{"gonogo's reading token", "403", "Cloudflare Tunnel Read"}, New: with(denied(sim.ZoneRead))},
		probetest.Failure{Name: "gonogo's token is refused", Says: []string{"gonogo's reading token", "9109", "Cloudflare Tunnel Read"}, New: with(func(w *world) { w.reader = "unknown" })},
		probetest.Failure{Name: "gonogo has no token", Says: []string{"no reading token", "Cloudflare Tunnel Read"}, New: with(func(w *world) { w.noToken = true })},
		probetest.Failure{Name: "the account is unknown", Says: []string{"account", "7003"}, New: with(func(w *world) { w.account = "ffffffffffffffffffffffffffffffff" })},
		probetest.Failure{Name: "the account is no id", Says: []string{"account is not one"}, New: with(func(w *world) { w.account = "../user" })},
		probetest.Failure{Name: "connections of another shape", Says: []string{"another shape"}, New: func(t *testing.T) probes.Probe {
			w := newWorld(t)
			return w.serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/connections") {
					answer(200, "application/json", `{"success":true,"errors":[],"messages":[],"result":[{"id":"x","conns":"many"}]}`)(rw, r)
					return
				}
				w.server.ServeHTTP(rw, r)
			})).tunnel()
		}},
		probetest.Failure{Name: "a status that is not known", Says: []string{"sleepy"}, New: with(state(func(s *sim.State) { s.Tunnel(sim.TunnelName).Status = "sleepy" }))},
	)
	probetest.Suite{
		New: with(), Worlds: append(worlds, mutated("tunnel-connected", (*world).tunnel)...), Errors: errs, Secrets: secretTexts(),
		Hanging: func(t *testing.T) probes.Probe { return hanging(t).tunnel() },
	}.Run(t)
}

// A refused token is not tried again before it changes.
func TestRefusalIsRemembered(t *testing.T) {
	var asked atomic.Int32
	w := newWorld(t, func(w *world) { w.secrets["TOKEN"] = "rolled-away" })
	w.serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.server.ServeHTTP(rw, r)
	}))
	for range 3 {
		if obs, err := w.token().Observe(t.Context()); err != nil || obs.Status != probes.Fail || asked.Load() != 2 {
			t.Fatalf("%s %s, %v, asked %d times", obs.Status, obs.Summary, err, asked.Load())
		}
	}
	if obs, _ := w.token().Observe(t.Context()); !strings.Contains(obs.Evidence[0].Got, "not tried again before 12:1") {
		t.Errorf("the evidence does not say when it will be tried again: %s", obs.Evidence[0].Got)
	}
	w.secrets["TOKEN"] = sim.DemoCredentials().Platform
	if obs, err := w.token().Observe(t.Context()); err != nil || obs.Status != probes.Pass {
		t.Fatalf("after the token was mended: %s, %v", obs.Summary, err)
	}
}

func TestParams(t *testing.T) {
	for _, test := range []struct {
		params cloudflare.TunnelParams
		good   bool
	}{
		{cloudflare.TunnelParams{Name: "a", MinConnections: 2}, true},
		{cloudflare.TunnelParams{ID: sim.TunnelID, MinConnections: 1}, true},
		{cloudflare.TunnelParams{MinConnections: 2}, false},
		{cloudflare.TunnelParams{ID: sim.TunnelID, Name: "a", MinConnections: 2}, false},
		{cloudflare.TunnelParams{ID: "../x", MinConnections: 2}, false},
		{cloudflare.TunnelParams{Name: "a"}, false},
	} {
		if err := test.params.Validate(); (err == nil) != test.good {
			t.Errorf("%+v: %v", test.params, err)
		}
	}
	if (cloudflare.APIParams{MinDays: 14}).Validate() == nil || (cloudflare.APIParams{Token: probes.SecretRef{Env: "X"}, MinDays: -1}).Validate() == nil {
		t.Error("a token without a place or a negative number of days was accepted")
	}
	if cloudflare.APIKind().Confirm != 1 || cloudflare.APIKind().Params().(*cloudflare.APIParams).MinDays != 14 {
		t.Errorf("%+v", cloudflare.APIKind())
	}
	if cloudflare.TunnelKind().Params().(*cloudflare.TunnelParams).MinConnections != 2 {
		t.Error("the default is two connections")
	}
}
