package loki

import (
	"io"
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

func params() Params {
	p := *Info().Params().(*Params)
	p.Place = web.Place{Service: "monitoring/loki:3100"}
	return p
}

// simulated is the Loki of a platform that is ready, changed.
func simulated(change func(*observability.Loki)) http.Handler {
	l := observability.Platform(time.Now, prom.New(time.Now)).Loki
	if change != nil {
		change(l)
	}
	return l
}

// ready is a Loki that is ready, with one answer to every query.
func ready(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ready" {
			_, _ = io.WriteString(w, "ready\n")
			return
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func vector(samples string) http.Handler {
	return ready(200, `{"status":"success","data":{"resultType":"vector","result":`+samples+`}}`)
}

func on(h http.Handler, edits ...func(*Params, *webfake.Fetcher)) func(*testing.T) probes.Probe {
	return func(t *testing.T) probes.Probe {
		t.Helper()
		p, f := params(), webfake.Serve(t, h)
		for _, edit := range edits {
			edit(&p, f)
		}
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		return New(f, p)
	}
}

func TestLoki(t *testing.T) {
	atURL := func(p *Params, f *webfake.Fetcher) { p.Place = web.Place{URL: f.URL() + "/"} }
	tenant := func(p *Params, _ *webfake.Fetcher) { p.Tenant = "platform" }
	nine := func(p *Params, _ *webfake.Fetcher) { p.MinNamespaces, p.Within = 9, time.Hour }
	saying := func(err error) func(*Params, *webfake.Fetcher) {
		return func(_ *Params, f *webfake.Fetcher) { f.Say(err) }
	}
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	pass := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Pass, Says: says}
	}
	unknown := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.Failure {
		return probetest.Failure{Name: name, New: p, Says: says}
	}
	two := `[{"metric":{"namespace":"a"},"value":[1760961607.5,"3"]},{"metric":{"namespace":"b"},"value":[1760961607.5,"1"]}]`
	probetest.Suite{
		New: on(simulated(nil)),
		Worlds: []probetest.World{
			pass("at a URL", on(simulated(nil), atURL), "8 namespaces", "5 minutes"),
			pass("as a tenant", on(simulated(func(l *observability.Loki) { l.SetTenants(true) }), tenant)),
			pass("just enough", on(vector(two)), "2 namespaces", "a, b"),
			pass("just enough of a part", on(ready(200, `{"status":"success","data":{"resultType":"vector","result":`+two+`},"warnings":["max series reached"]}`))),
			fail("no line", on(simulated(func(l *observability.Loki) { l.Stop(time.Hour) })), "ready, but took in no line", "5 minutes"),
			fail("nothing", on(vector(`[]`)), "no line"),
			fail("one namespace", on(vector(`[{"metric":{"namespace":"a"},"value":[1,"3"]}]`)), "only 1 namespace", "a", "want 2"),
			fail("one, and lines of none", on(vector(`[{"metric":{"namespace":"a"},"value":[1,"3"]},{"metric":{},"value":[1,"900"]}]`)), "only 1 namespace"),
			fail("one, and one with nothing", on(vector(`[{"metric":{"namespace":"a"},"value":[1,"3"]},{"metric":{"namespace":"b"},"value":[1,"0"]}]`)), "only 1 namespace"),
			fail("too few", on(simulated(nil), nine), "only 8 namespaces", "60 minutes", "want 9"),
			fail("not ready", on(simulated(func(l *observability.Loki) { l.SetUnready("Ingester not ready: waiting for 15s after being ready") })), "not ready", "waiting for 15s"),
			fail("a placeholder", on(webfake.Answer(404, "text/html", "<html>404</html>")), "not Loki", "404"),
			fail("a placeholder that has every page", on(webfake.Answer(200, "text/html", "<html>welcome</html>")), "not Loki"),
			fail("a placeholder out of order", on(webfake.Answer(503, "text/html", "<html>503</html>")), "not Loki", "503"),
			fail("ready, but without an API", on(ready(404, "404 page not found")), "not Loki", "404"),
			fail("another form", on(ready(200, `{"status":"success","data":{"resultType":"streams","result":[]}}`)), "not Loki"),
			fail("no result", on(ready(200, `{"status":"success","data":{"resultType":"vector"}}`)), "not Loki"),
			fail("null", on(ready(200, `null`)), "not Loki"),
			fail("a number for a text", on(vector(`[{"metric":{"namespace":"a"},"value":[1,3]}]`)), "not Loki"),
			fail("half a value", on(vector(`[{"metric":{"namespace":"a"},"value":[1]}]`)), "not Loki"),
			fail("not a number", on(vector(`[{"metric":{"namespace":"a"},"value":[1,"NaN"]}]`)), "not Loki"),
			fail("no endpoints", on(simulated(nil), saying(webfake.NoEndpoints())), "no ready endpoints"),
			fail("no Service", on(simulated(nil), saying(webfake.NoService())), "does not exist"),
		},
		Errors: []probetest.Failure{
			unknown("no rights", on(simulated(nil), saying(webfake.Forbidden())), "services/proxy"),
			unknown("wants a tenant", on(simulated(func(l *observability.Loki) { l.SetTenants(true) })), "tenant"),
			unknown("refused", on(webfake.Answer(403, "text/plain", "forbidden")), "refused gonogo", "403"),
			unknown("query times out", on(ready(504, "context deadline exceeded")), "504", "context deadline exceeded"),
			unknown("busy", on(ready(429, "too many outstanding requests")), "429", "too many outstanding requests"),
			unknown("crashed", on(ready(500, "")), "500", "nothing"),
			unknown("a part, and too little", on(ready(200, `{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["max series reached"]}`)), "partial", "max series"),
			unknown("the way is broken", on(webfake.Answer(200, "text/html", "welcome"), func(_ *Params, f *webfake.Fetcher) { f.Break() }), "way to services is broken"),
			unknown("something else at a URL", on(webfake.Answer(200, "text/html", "welcome"), atURL), "want Loki's word"),
			unknown("a login before it", on(http.RedirectHandler("https://login/?token=hunter2", http.StatusFound)), "redirects to https://login/"),
		},
		Hanging: on(webfake.Hang()),
		Secrets: []string{"hunter2"},
	}.Run(t)
}

// TestTenantByHand holds that a person repeats the query as the tenant.
func TestTenantByHand(t *testing.T) {
	obs, err := on(simulated(nil), func(p *Params, _ *webfake.Fetcher) { p.Tenant = "a|b" })(t).Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := obs.Evidence[0].Repeat, "curl -sS -H 'X-Scope-OrgID: a|b' http://localhost:8080/ready"; !strings.Contains(got, want) {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestParams(t *testing.T) {
	for name, edit := range map[string]func(*Params){
		"no place":       func(p *Params) { p.Place = web.Place{} },
		"label":          func(p *Params) { p.Label = `a"}` },
		"tenant":         func(p *Params) { p.Tenant = "a\nb" },
		"no namespaces":  func(p *Params) { p.MinNamespaces = 0 },
		"within nothing": func(p *Params) { p.Within = 0 },
		"within a week":  func(p *Params) { p.Within = 7 * 24 * time.Hour },
	} {
		p := params()
		edit(&p)
		if err := p.Validate(); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"namespace":"a"},"value":[1,"3"]}]}}`))
	f.Add([]byte(`{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["x"]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		lines, _, err := read(web.Page{Status: 200, Body: body}, "namespace")
		for name, n := range lines {
			if err != nil || name == "" || n < 1 {
				t.Errorf("%q: %d lines, %v", name, n, err)
			}
		}
	})
}
