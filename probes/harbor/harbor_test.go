package harbor_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	client "github.com/254carbon/gonogo/internal/platform/harbor"
	sim "github.com/254carbon/gonogo/internal/sim/harbor"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/harbor"
	"github.com/254carbon/gonogo/probes/probetest"
)

var noon = time.Date(2025, time.October, 20, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

// secrets is what references resolve to. The name refused stands for a Secret that may not be read.
type secrets map[string]string

func (s secrets) Resolve(_ context.Context, ref probes.SecretRef) (string, error) {
	switch ref.Secret {
	case "":
	case "registry/gone/password":
		return "", probes.ErrNoSecret
	default:
		return "", errors.New(`secrets "robot" is forbidden: get in namespace registry`)
	}
	if v, ok := s[ref.Env]; ok {
		return v, nil
	}
	return "", probes.ErrNoSecret
}

func (s secrets) Name(ctx context.Context, ref probes.SecretRef) (string, error) {
	return s.Resolve(ctx, ref)
}

// world is a simulated Harbor on loopback and a client of it.
type world struct {
	server  *sim.Server
	client  *client.Client
	secrets secrets
	reader  sim.Account
	anon    bool
	params  harbor.CredentialsParams
}

func newWorld(t *testing.T, change ...func(*world)) *world {
	t.Helper()
	accounts := sim.DemoAccounts()
	w := &world{
		server: sim.New(sim.Ready(noon, accounts), sim.Options{Now: clock, LockTime: time.Millisecond}), reader: accounts.Reader,
		secrets: secrets{"USER": accounts.Platform.Username, "PASSWORD": accounts.Platform.Password},
		params: harbor.CredentialsParams{Project: sim.PlatformProject, Credential: probes.Credential{
			Username: probes.SecretRef{Env: "USER"}, Password: probes.SecretRef{Env: "PASSWORD"},
		}},
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
	o := client.Options{URL: server.URL, Transport: &http.Transport{DisableKeepAlives: true}, Now: clock}
	if !w.anon {
		o.Reader = func(context.Context) (string, string, error) { return w.reader.Username, w.reader.Password, nil }
	}
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.client = c
	return w
}

// serving is a world whose Harbor is replaced.
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

func (w *world) health() probes.Probe {
	return harbor.NewHealth(w.client, *harbor.HealthKind().Params().(*harbor.HealthParams))
}
func (w *world) door() probes.Probe { return harbor.NewDoor(w.client) }
func (w *world) credentials() probes.Probe {
	return harbor.NewCredentials(w.client, w.client, w.secrets, w.params)
}

func state(change func(*sim.State)) func(*world) {
	return func(w *world) { w.server.Change(change) }
}

func passwords() []string {
	a := sim.DemoAccounts()
	return []string{a.Reader.Password, a.Platform.Password, a.Admin.Password}
}

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// failures are the ways in which any question to Harbor comes to nothing.
func failures(probe func(*world) probes.Probe) []probetest.Failure {
	of := func(name string, handler http.HandlerFunc, says ...string) probetest.Failure {
		return probetest.Failure{Name: name, Says: says, New: func(t *testing.T) probes.Probe { return probe(serving(t, handler)) }}
	}
	return []probetest.Failure{
		of("a proxy answers 502 with a page", answer(502, "text/html", "<h1>Bad Gateway</h1>"), "502"),
		of("an internal error", answer(500, "application/json", `{"errors":[{"code":"UNKNOWN","message":"internal server error"}]}`), "500"),
		of("too many requests", answer(429, "application/json", `{"errors":[{"code":"TOO_MANY_REQUEST","message":"slow down"}]}`), "429"),
		of("the connection is reset", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"),
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
			c, err := client.New(client.Options{URL: server.URL, Transport: http.DefaultTransport})
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t)
			w.client = c
			return probe(w)
		}},
	}
}

func TestHealth(t *testing.T) {
	worlds := []probetest.World{{
		Name: "Harbor says itself that it is not well, without saying why", Want: probes.Fail, Says: []string{"unhealthy", "every component healthy"},
		New: func(t *testing.T) probes.Probe {
			return harbor.NewHealth(serving(t, answer(200, "application/json", `{"status":"unhealthy","components":[{"name":"core","status":"healthy"}]}`)).client,
				harbor.HealthParams{})
		},
	}, {
		Name: "hostile text in an error", Want: probes.Fail, Says: []string{"core"},
		New: func(t *testing.T) probes.Probe {
			return newWorld(t, state(func(s *sim.State) { s.Component("core").Error = "\x1b]0;owned\x07\x1b[2Jboom" })).health()
		},
	}}
	errs := append(failures((*world).health), probetest.Failure{
		Name: "Harbor has just started", Says: []string{"has just started", "redis"},
		New: func(t *testing.T) probes.Probe {
			return newWorld(t, state(func(s *sim.State) { s.Starting = true })).health()
		},
	})
	for _, garbage := range []struct{ name, kind, body, says string }{
		{"a web page with status 200", "text/html", "<html>sign in</html>", "not JSON"},
		{"JSON about something else", "application/json", `{"hello":"world"}`, "neither"},
		{"half a document", "application/json", `{"status":"healthy","components":[`, ""},
		{"an empty answer", "application/json", "", "empty"},
		{"a list", "application/json", `[1,2]`, ""},
	} {
		errs = append(errs, probetest.Failure{Name: garbage.name, Says: []string{garbage.says}, New: func(t *testing.T) probes.Probe {
			return serving(t, answer(200, garbage.kind, garbage.body)).health()
		}})
	}
	probetest.Suite{
		New:    func(t *testing.T) probes.Probe { return newWorld(t).health() },
		Worlds: append(worlds, mutated("harbor-healthy", (*world).health)...), Errors: errs, Secrets: passwords(),
		Hanging: func(t *testing.T) probes.Probe { return hanging(t).health() },
	}.Run(t)
}

func challenge(status int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, h := range headers {
			w.Header().Add("Www-Authenticate", h)
		}
		w.WriteHeader(status)
	}
}

func TestDoor(t *testing.T) {
	var worlds []probetest.World
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    probes.Status
		says    []string
	}{
		{"the challenge is one of two", challenge(401, `Basic realm="x", Bearer realm="https://h/service/token",service="harbor-registry"`), probes.Pass, []string{"core"}},
		{"another registry", challenge(401, `Bearer realm="https://auth.docker.io/token",service="registry.docker.io"`), probes.Fail, []string{"registry.docker.io"}},
		{"a proxy's own login", challenge(401, `Basic realm="ops only"`), probes.Fail, []string{"ops only"}},
		{"no challenge", challenge(401), probes.Fail, []string{"without a challenge"}},
		{"an open registry", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
			_, _ = w.Write([]byte("{}"))
		}, probes.Fail, []string{"open"}},
		{"a web page", answer(200, "text/html; charset=utf-8", "<html>"), probes.Fail, []string{"web page"}},
		{"nothing is there", answer(404, "text/plain", "404 page not found"), probes.Fail, []string{"404"}},
		{"a login page elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://team.cloudflareaccess.com/login", http.StatusFound)
		}, probes.Fail, []string{"redirects", "cloudflareaccess"}},
	} {
		worlds = append(worlds, probetest.World{Name: test.name, Want: test.want, Says: test.says, New: func(t *testing.T) probes.Probe {
			return serving(t, test.handler).door()
		}})
	}
	errs := append(failures((*world).door), probetest.Failure{Name: "a firewall", Says: []string{"403"}, New: func(t *testing.T) probes.Probe {
		return serving(t, answer(403, "text/html", "blocked")).door()
	}})
	probetest.Suite{
		New:    func(t *testing.T) probes.Probe { return newWorld(t).door() },
		Worlds: append(worlds, mutated("harbor-door", (*world).door)...), Errors: errs,
		Hanging: func(t *testing.T) probes.Probe { return hanging(t).door() },
	}.Run(t)
}

// mutated returns the simulation's bad worlds that a check must see, and its harmless ones.
func mutated(check probes.ID, probe func(*world) probes.Probe) (worlds []probetest.World) {
	for _, m := range sim.Mutations() {
		w := probetest.World{Name: m.Name, Want: probes.Fail, Says: m.Words, New: func(t *testing.T) probes.Probe {
			return probe(newWorld(t, func(w *world) { m.Apply(w.server) }))
		}}
		if m.Harmless {
			w.Want, w.Says = probes.Pass, nil
		} else if m.Checks[0] != check {
			continue
		}
		worlds = append(worlds, w)
	}
	return worlds
}
