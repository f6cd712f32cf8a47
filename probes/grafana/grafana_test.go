package grafana

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/sim/observability"
	"github.com/254carbon/gonogo/internal/sim/prom"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/probetest"
	"github.com/254carbon/gonogo/probes/web"
	"github.com/254carbon/gonogo/probes/web/webfake"
)

const token = observability.GrafanaToken

func params() Params {
	return Params{
		Place:      web.Place{Service: "monitoring/grafana:3000"},
		Dashboards: []string{"platform-overview", "Streaming"}, // a uid and a title
		Token:      probes.SecretRef{Env: "GRAFANA_TOKEN"},
	}
}

// simulated is the Grafana of a platform that is ready, changed.
func simulated(change func(*observability.Grafana)) http.Handler {
	g := observability.Platform(time.Now, prom.New(time.Now)).Grafana
	if change != nil {
		change(g)
	}
	return g
}

// healthy is a Grafana that is well, with another handler for the search.
func healthy(search http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/search" {
			search.ServeHTTP(w, r)
			return
		}
		webfake.Answer(200, "application/json", `{"database":"ok"}`).ServeHTTP(w, r)
	})
}

type option func(*Params, *webfake.Fetcher, webfake.Secrets)

func on(h http.Handler, options ...option) func(*testing.T) probes.Probe {
	return func(t *testing.T) probes.Probe {
		t.Helper()
		p, f, s := params(), webfake.Serve(t, h), webfake.Secrets{"GRAFANA_TOKEN": token}
		for _, o := range options {
			o(&p, f, s)
		}
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		return New(f, s, p)
	}
}

func atURL(p *Params, f *webfake.Fetcher, _ webfake.Secrets) { p.Place = web.Place{URL: f.URL()} }

func noToken(_ *Params, _ *webfake.Fetcher, s webfake.Secrets) { delete(s, "GRAFANA_TOKEN") }

func wrongToken(_ *Params, f *webfake.Fetcher, s webfake.Secrets) {
	s["GRAFANA_TOKEN"] = "hunter2-wrong"
	f.Forward()
}

func saying(err error) option {
	return func(_ *Params, f *webfake.Fetcher, _ webfake.Secrets) { f.Say(err) }
}

func TestGrafana(t *testing.T) {
	closed := func(g *observability.Grafana) { g.SetAnonymous(false) }
	without := func(uid string) func(*observability.Grafana) {
		return func(g *observability.Grafana) {
			g.SetDashboards(func(all []observability.Dashboard) (kept []observability.Dashboard) {
				for _, d := range all {
					if d.UID != uid && uid != "" {
						kept = append(kept, d)
					}
				}
				return kept
			})
		}
	}
	forward := func(_ *Params, f *webfake.Fetcher, _ webfake.Secrets) { f.Forward() }
	search := func(status int, body string) http.Handler {
		return healthy(webfake.Answer(status, "application/json", body))
	}
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	pass := func(name string, p func(*testing.T) probes.Probe) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Pass, Says: []string{"database ok", "2 of 2"}}
	}
	unknown := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.Failure {
		return probetest.Failure{Name: name, New: p, Says: says}
	}
	probetest.Suite{
		New: on(simulated(nil)),
		Worlds: []probetest.World{
			pass("at a URL", on(simulated(nil), atURL)),
			pass("without a token, where none is needed", on(simulated(nil), noToken)),
			pass("with the token, where one is needed", on(simulated(closed), forward)),
			pass("with the token, at a URL", on(simulated(closed), atURL)),
			fail("database gone", on(simulated(func(g *observability.Grafana) { g.SetDatabase("failing") })), "database is failing", "503"),
			fail("database gone, said with 200", on(webfake.Answer(200, "application/json", `{"database":"failing"}`)), "database is failing"),
			fail("a dashboard is missing", on(simulated(without("streaming")), forward), "1 of 2", "Streaming"),
			fail("none", on(simulated(without("")), forward), "no dashboard at all"),
			fail("another type", on(search(200, `[{"uid":"platform-overview","title":"x","type":"dash-folder"}]`), forward), "no dashboard at all"),
			fail("a placeholder", on(webfake.Answer(404, "text/html", "<html>404</html>")), "not Grafana", "404"),
			fail("health of something else", on(webfake.Answer(200, "application/json", `{"status":"ok"}`)), "not Grafana"),
			fail("health of another type", on(webfake.Answer(200, "application/json", `{"database":true}`)), "not Grafana"),
			fail("health cut off", on(webfake.Answer(200, "application/json", `{"database":"ok"`)), "not Grafana"),
			fail("empty", on(webfake.Answer(200, "application/json", "")), "not Grafana"),
			fail("search of another form", on(search(200, `{"dashboards":[]}`)), "not Grafana", "not the JSON"),
			fail("search of null", on(search(200, `null`)), "not Grafana"),
			fail("dashboards without a name", on(search(200, `[{}]`)), "not Grafana"),
			fail("no endpoints", on(simulated(nil), saying(webfake.NoEndpoints())), "no ready endpoints"),
			fail("no Service", on(simulated(nil), saying(webfake.NoService())), "does not exist"),
		},
		Errors: []probetest.Failure{
			unknown("no rights to the Service", on(simulated(nil), saying(webfake.Forbidden())), "services/proxy"),
			unknown("missing, as far as can be seen", on(simulated(without("streaming"))), "1 of 2", "Streaming", "without a credential", "needs a url"),
			unknown("missing, and no token", on(simulated(without("streaming")), noToken), "without a credential, who may not see all", "GRAFANA_TOKEN"),
			unknown("anonymous refused, no token", on(simulated(closed), noToken), "without a credential", "Viewer", "GRAFANA_TOKEN"),
			unknown("anonymous refused, token does not pass", on(simulated(closed)), "needs a url in read-only mode"),
			unknown("token refused", on(simulated(closed), wrongToken), "own credential was refused", "Viewer"),
			unknown("forbidden", on(search(403, `{"message":"Access denied"}`), forward), "refused", "dashboards:read"),
			unknown("search crashed", on(search(500, `{"message":"boom"}`)), "500"),
			unknown("busy", on(search(429, ``)), "429"),
			unknown("a login before it", on(http.RedirectHandler("https://team.cloudflareaccess.com/login?token=hunter2", http.StatusFound), atURL), "redirects", "cloudflareaccess.com/login"),
			unknown("something else at a URL", on(webfake.Answer(200, "text/html", "<html>welcome</html>"), atURL), "Grafana's health"),
			unknown("the way is broken", on(webfake.Answer(404, "text/html", "404"), func(_ *Params, f *webfake.Fetcher, _ webfake.Secrets) { f.Break() }), "way to services is broken"),
			unknown("too large", on(webfake.Answer(200, "application/json", strings.Repeat(" ", 2<<20))), "longer than"),
			unknown("nobody there", on(simulated(nil), func(p *Params, _ *webfake.Fetcher, _ webfake.Secrets) { p.Place = web.Place{URL: "http://127.0.0.1:1"} }), "connection refused"),
		},
		Hanging: on(webfake.Hang()),
		Secrets: []string{token, "hunter2"},
	}.Run(t)
}

// TestPages holds that dashboards beyond the first page are found, and that not all there can be is read.
func TestPages(t *testing.T) {
	pages := func(total int) http.Handler {
		return healthy(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var page int
			_, _ = fmt.Sscan(r.URL.Query().Get("page"), &page)
			var items []string
			for i := (page - 1) * perPage; i < min(page*perPage, total); i++ {
				items = append(items, fmt.Sprintf(`{"uid":"d%d","title":"t"}`, i))
			}
			_, _ = fmt.Fprintf(w, "[%s]", strings.Join(items, ","))
		}))
	}
	far := func(p *Params, _ *webfake.Fetcher, _ webfake.Secrets) { p.Dashboards = []string{"d2000"} }
	obs, err := on(pages(2001), far)(t).Observe(t.Context())
	if err != nil || obs.Status != probes.Pass {
		t.Errorf("%v %+v", err, obs)
	}
	if _, err = on(pages(perPage*maxPages+1), far, noToken)(t).Observe(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 20000") {
		t.Error(err)
	}
}

func TestParams(t *testing.T) {
	good := params()
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	env := probes.SecretRef{Env: "X"}
	for name, edit := range map[string]func(*Params){
		"no place":        func(p *Params) { p.Place = web.Place{} },
		"two places":      func(p *Params) { p.URL = "https://g" },
		"no port":         func(p *Params) { p.Service = "a/b" },
		"query":           func(p *Params) { p.Place = web.Place{URL: "https://g?x=1"} },
		"credential":      func(p *Params) { p.Place = web.Place{URL: "https://u:hunter2@g"} },
		"no dashboards":   func(p *Params) { p.Dashboards = nil },
		"empty dashboard": func(p *Params) { p.Dashboards = []string{" "} },
		"twice":           func(p *Params) { p.Dashboards = []string{"a", "a"} },
		"token and user":  func(p *Params) { p.Username, p.Password = env, env },
		"user alone":      func(p *Params) { p.Token, p.Username = probes.SecretRef{}, env },
	} {
		p := params()
		edit(&p)
		if err := p.Validate(); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestByHand holds that what a person repeats holds the credential as a variable.
func TestByHand(t *testing.T) {
	obs, err := on(simulated(func(g *observability.Grafana) { g.SetAnonymous(false) }), func(_ *Params, f *webfake.Fetcher, _ webfake.Secrets) { f.Forward() })(t).Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const want = `kubectl -n monitoring port-forward service/grafana 8080:3000 & sleep 2; curl -sS -H "Authorization: Bearer $GRAFANA_TOKEN" 'http://localhost:8080/api/search?type=dash-db&limit=1000&page=1'; kill $!`
	if got := obs.Evidence[1].Repeat; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
