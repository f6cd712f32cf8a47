package alertmanager

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/254carbon/gonogo/internal/platform/prom"
	"github.com/254carbon/gonogo/internal/sim/observability"
	"github.com/254carbon/gonogo/internal/sim/prom"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/probetest"
	"github.com/254carbon/gonogo/probes/web"
	"github.com/254carbon/gonogo/probes/web/webfake"
)

var noon = time.Date(2025, 10, 20, 12, 0, 7, 0, time.UTC)

func clock() time.Time { return noon }

// world is an Alertmanager and the Prometheus that scrapes it.
type world struct {
	servers *observability.Servers
	metrics *prom.Server
	fetcher *webfake.Fetcher
	params  Params
	instead map[string]string // bodies by path
	codes   map[string]int    // statuses by path, of answers without a body
	querier http.Handler
}

func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	if code, ok := w.codes[r.URL.Path]; ok {
		out.WriteHeader(code)
		return
	}
	if body, ok := w.instead[r.URL.Path]; ok {
		_, _ = out.Write([]byte(body))
		return
	}
	w.servers.Alertmanager.ServeHTTP(out, r)
}

// with makes probes of a platform that is ready, changed.
func with(edits ...func(*world)) func(*testing.T) probes.Probe {
	return func(t *testing.T) probes.Probe {
		t.Helper()
		w := &world{metrics: prom.New(clock), instead: map[string]string{}, params: *Info().Params().(*Params)}
		w.servers = observability.Platform(clock, w.metrics)
		w.params.Place, w.params.Peers = web.Place{Service: "monitoring/alertmanager:9093"}, 2
		w.querier, w.fetcher = w.metrics, webfake.Serve(t, w)
		for _, edit := range edits {
			edit(w)
		}
		if err := w.params.Validate(); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(w.querier)
		t.Cleanup(server.Close)
		c, err := client.New(client.Options{BaseURL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		return New(w.fetcher, c, w.params, clock)
	}
}

func answers(path, body string) func(*world) { return func(w *world) { w.instead[path] = body } }

// alertJSON is one Watchdog, with fields replaced.
func alertJSON(replace ...string) string {
	text := `[{"labels":{"alertname":"Watchdog"},"updatedAt":"2025-10-20T11:59:30.000Z","receivers":[{"name":"heartbeat"}],"status":{"state":"active","silencedBy":[],"inhibitedBy":[]}}]`
	return strings.NewReplacer(replace...).Replace(text)
}

func TestAlertmanager(t *testing.T) {
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	pass := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Pass, Says: says}
	}
	unknown := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.Failure {
		return probetest.Failure{Name: name, New: p, Says: says}
	}
	const status, alerts, silences = "/api/v2/status", "/api/v2/alerts", "/api/v2/silences"
	saying := func(err error) func(*world) { return func(w *world) { w.fetcher.Say(err) } }
	prometheus := func(h http.Handler) func(*world) { return func(w *world) { w.querier = h } }
	atURL := func(w *world) { w.params.Place = web.Place{URL: w.fetcher.URL()} }
	silenced := func(w *world) {
		w.servers.Alertmanager.Silence(observability.Silence{By: "admin", Matchers: []observability.Matcher{{Name: "alertname", Value: ".*", IsRegex: true, IsEqual: true}}})
	}
	suite := probetest.Suite{
		New: with(),
		Worlds: []probetest.World{
			pass("at a URL", with(atURL), "2 of 2 peers", "goes to heartbeat", "24 sends"),
			pass("of one job", with(func(w *world) { w.params.Job = "kube-prometheus-stack-alertmanager" }), "24 sends"),
			pass("one alone", with(func(w *world) { w.servers.Alertmanager.SetPeers(0, "disabled"); w.params.Peers = 1 }), "1 of 1 peer"),
			pass("updated in the moment before", with(answers(alerts, alertJSON("11:59:30", "12:00:20")))),
			pass("several, one of them old", with(answers(alerts, strings.TrimSuffix(alertJSON("11:59:30", "08:00:00"), "]")+","+strings.TrimPrefix(alertJSON(), "[")))),
			pass("one receiver of two sends", with(answers(alerts, alertJSON(`[{"name":"heartbeat"}]`, `[{"name":"null"},{"name":"heartbeat"}]`)))),
			pass("a silence that has expired", with(answers(silences, `[{"id":"x","status":{"state":"expired"},"matchers":[{"name":"alertname","value":".+","isRegex":true}]}]`))),
			pass("a silence of nothing that can be read", with(answers(silences, `[{"id":"x","status":{"state":"active"},"matchers":[{"name":"alertname","value":"(","isRegex":true}]}]`))),
			fail("everything silenced", with(silenced), "Watchdog is silenced", "mutes every alert", "admin"),
			fail("silenced and not to be seen in Prometheus", with(silenced, prometheus(webfake.Answer(500, "text/plain", "boom"))), "mutes every alert"),
			fail("old silence without isEqual", with(answers(silences, `[{"id":"x","status":{"state":"active"},"matchers":[{"name":"alertname","value":".+","isRegex":true}]}]`)), "mutes every alert", "somebody"),
			fail("another alert under its name", with(answers(alerts, alertJSON("Watchdog", "Watchdogs"))), "Watchdog", "not there"),
			fail("no alerts", with(answers(alerts, "[]")), "not there", "Prometheus sends"),
			fail("no time", with(answers(alerts, alertJSON("2025-10-20T11:59:30.000Z", "0001-01-01T00:00:00.000Z"))), "unknown time"),
			fail("unprocessed", with(answers(alerts, alertJSON("active", "unprocessed"))), "unprocessed, not active"),
			fail("muted by an interval", with(answers(alerts, alertJSON(`"inhibitedBy":[]`, `"mutedBy":["weekends"]`))), "time interval", "weekends"),
			fail("no receiver", with(answers(alerts, alertJSON(`{"name":"heartbeat"}`, ""))), "no receiver"),
			fail("a receiver that is not configured", with(answers(alerts, alertJSON("heartbeat", "nobody"))), "receiver nobody"),
			fail("alerts of another form", with(answers(alerts, `{"alerts":[]}`)), "not Alertmanager"),
			fail("alerts null", with(answers(alerts, `null`)), "not Alertmanager"),
			fail("silences null", with(answers(silences, `null`)), "not Alertmanager"),
			fail("status of something else", with(answers(status, `{"status":"success","data":{}}`)), "not Alertmanager"),
			fail("status cut off", with(answers(status, `{"cluster":{"status":"ready"`)), "not Alertmanager"),
			fail("not ready", with(func(w *world) { w.codes = map[string]int{"/-/ready": 503} }), "not ready", "503"),
			fail("no endpoints", with(saying(webfake.NoEndpoints())), "no ready endpoints"),
			fail("no Service", with(saying(webfake.NoService())), "does not exist"),
		},
		Errors: []probetest.Failure{
			unknown("something before it lets only the API through", with(func(w *world) { w.codes = map[string]int{"/-/ready": 302} }), "/-/ready", "302"),
			unknown("no rights", with(saying(webfake.Forbidden())), "services/proxy"),
			unknown("Prometheus away", with(prometheus(webfake.Answer(500, "text/plain", "boom"))), "Prometheus", "boom"),
			unknown("Prometheus forbids", with(prometheus(webfake.Answer(403, "text/plain", ""))), "own credential"),
			unknown("a part of Prometheus", with(func(w *world) { w.metrics.SetWarnings("store x is away") }), "store x is away"),
			unknown("no metrics", with(func(w *world) { w.params.Job = "other" }), "no metrics"),
			unknown("counts that are none", with(prometheus(webfake.Answer(200, "application/json", `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance":"a"},"value":[1,"NaN"]},{"metric":{"instance":"b"},"value":[1,"1"]}]}}`))), "no count"),
			unknown("a configuration that is none", with(answers(status, `{"cluster":{"status":"ready","peers":[{},{}]},"config":{"original":"{{ hunter2"}}`)), "configuration cannot be read"),
			unknown("a configuration without receivers", with(answers(status, `{"cluster":{"status":"ready","peers":[{},{}]},"config":{"original":"route: {receiver: a}"}}`)), "configuration cannot be read"),
			unknown("a configuration without a route", with(answers(status, `{"cluster":{"status":"ready","peers":[{},{}]},"config":{"original":"receivers: [{name: a}]"}}`)), "configuration cannot be read"),
			unknown("the Watchdog of tomorrow", with(answers(alerts, alertJSON("2025-10-20", "2025-10-21"))), "clocks"),
			unknown("refused", with(func(w *world) { w.servers.Alertmanager.Break(webfake.Answer(401, "text/plain", "")) }), "refused gonogo"),
			unknown("crashed", with(func(w *world) { w.servers.Alertmanager.Break(webfake.Answer(500, "text/plain", "boom")) }), "500"),
			unknown("a login before it", with(atURL, func(w *world) { w.servers.Alertmanager.Break(http.RedirectHandler("https://login/?t=hunter2", 302)) }), "redirects to https://login/"),
			unknown("something else at a URL", with(atURL, func(w *world) { w.servers.Alertmanager.Break(webfake.Answer(200, "text/html", "<html>")) }), "API v2"),
			unknown("the way is broken", with(silenced, func(w *world) { w.fetcher.Break() }), "way to services is broken"),
		},
		Hanging: with(func(w *world) { w.servers.Alertmanager.Break(webfake.Hang()) }),
		Secrets: []string{"hunter2"},
	}
	for _, m := range observability.Mutations() {
		if len(m.Checks) != 1 || m.Checks[0] != "alert-routing" {
			continue
		}
		p := with(func(w *world) { m.Apply(w.servers, w.metrics) })
		if strings.HasSuffix(m.Name, "-scraped") {
			suite.Errors = append(suite.Errors, unknown(m.Name, p, m.Words...))
		} else {
			suite.Worlds = append(suite.Worlds, fail(m.Name, p, m.Words...))
		}
	}
	suite.Run(t)
}

func TestSilences(t *testing.T) {
	for matchers, want := range map[string]string{
		`{"name":"alertname","value":".+","isRegex":true,"isEqual":true}`:                                                                  "every alert",
		`{"name":"alertname","value":".*","isRegex":true,"isEqual":true}`:                                                                  "every alert",
		`{"name":"severity","value":".*","isRegex":true,"isEqual":true}`:                                                                   "every alert",
		`{"name":"alertname","value":"","isRegex":false,"isEqual":false}`:                                                                  "every alert",
		`{"name":"alertname","value":"Watchdog","isRegex":false,"isEqual":false}`:                                                          "every alert",
		`{"name":"namespace","value":"kube-.*","isRegex":true,"isEqual":false}`:                                                            "every alert",
		`{"name":"severity","value":"critical","isRegex":false,"isEqual":true}`:                                                            "every critical alert",
		`{"name":"severity","value":"critical|x","isRegex":true,"isEqual":true}`:                                                           "every critical alert",
		`{"name":"severity","value":"info","isRegex":false,"isEqual":false}`:                                                               "every alert",
		`{"name":"severity","value":"warning","isRegex":false,"isEqual":true}`:                                                             "",
		`{"name":"severity","value":"critical","isRegex":false,"isEqual":false}`:                                                           "",
		`{"name":"alertname","value":"Kube.+","isRegex":true,"isEqual":true}`:                                                              "",
		`{"name":"alertname","value":"A","isRegex":false,"isEqual":true}`:                                                                  "",
		`{"name":"alertname","value":".+","isRegex":true,"isEqual":true},{"name":"namespace","value":"a","isRegex":false,"isEqual":true}`:  "",
		`{"name":"alertname","value":".+","isRegex":true,"isEqual":true},{"name":"severity","value":"critical","isEqual":true}`:            "every critical alert",
		`{"name":"alertname","value":".+","isRegex":true,"isEqual":true},{"name":"namespace","value":"a","isRegex":false,"isEqual":false}`: "every alert",
		`{"name":"alertname","value":"(","isRegex":true,"isEqual":true}`:                                                                   "",
		`{"name":"alertname","value":"(","isRegex":true,"isEqual":false}`:                                                                  "",
		``: "",
	} {
		var s silence
		if err := json.Unmarshal([]byte(`{"matchers":[`+matchers+`]}`), &s); err != nil {
			t.Fatal(err)
		}
		if got := s.mutes(); got != want {
			t.Errorf("%s mutes %q, want %q", s, got, want)
		}
	}
}

func TestConfig(t *testing.T) {
	c, err := readConfig("route: {receiver: a}\nreceivers:\n- name: a\n  email_configs: [{to: x}]\n  webhook_configs: [{}, {}]\n- name: b\n- name: c\n  slack_configs: []\n- name: d\n  odd_configs: text\n")
	if want := map[string]int{"a": 3, "b": 0, "c": 0, "d": 0}; err != nil || fmt.Sprint(c.senders()) != fmt.Sprint(want) {
		t.Errorf("%v %v, want %v", c.senders(), err, want)
	}
	for text, want := range map[string]string{
		"receiver: a": "a",
		"receiver: a, routes: [{receiver: b, matchers: ['alertname=\"Watchdog\"']}]":                                "a",
		"receiver: a, routes: [{receiver: b, matchers: ['alertname =~ \"Watchdog\"']}, {receiver: c}]":              "c",
		"receiver: a, routes: [{receiver: b, match: {alertname: Watchdog}, routes: [{receiver: c}]}]":               "a",
		"receiver: a, routes: [{match: {severity: critical}, routes: [{receiver: c}]}]":                             "a c",
		"receiver: a, routes: [{receiver: b, matchers: ['alertname!=\"Watchdog\"', 'severity=critical']}]":          "a b",
		"receiver: a, routes: [{receiver: b, matchers: ['alertname =~ \"Watchdog|InfoInhibitor\"']}]":               "a",
		"receiver: a, routes: [{receiver: b, matchers: ['{alertname=~\"^(Watchdog|InfoInhibitor)$\", a!=\"b\"}']}]": "a",
		"receiver: a, routes: [{receiver: b, match_re: {alertname: 'Watchdog|Info.*'}}]":                            "a b",
		"receiver: a, routes: [{receiver: b, match_re: {alertname: 'WatchdogX?'}}]":                                 "a b",
		"receiver: a, routes: [{receiver: b, match_re: {alertname: 'Watch(dog)'}}]":                                 "a",
		"receiver: a, routes: [{receiver: b}]":                                                                      "b",
		"receiver: a, routes: [{receiver: b, matchers: ['alertname=~\".+\"']}, {receiver: c}]":                      "b",
		"receiver: a, routes: [{receiver: b, continue: true}, {receiver: c, match: {severity: critical}}]":          "b c",
		"receiver: a, routes: [{receiver: b, routes: [{receiver: d, match: {x: y}}]}, {receiver: c}]":               "b d",
	} {
		c, err := readConfig("route: {" + text + "}\nreceivers: [{name: a}]")
		if err != nil {
			t.Fatal(err)
		}
		reached := map[string]bool{}
		c.Route.reach("Watchdog", "", reached)
		if got := strings.Join(slices.Sorted(maps.Keys(reached)), " "); got != want {
			t.Errorf("%s reaches %q, want %q", text, got, want)
		}
	}
}

func TestParams(t *testing.T) {
	for name, edit := range map[string]func(*Params){
		"no place":    func(p *Params) { p.Place = web.Place{} },
		"no peer":     func(p *Params) { p.Peers = 0 },
		"no watchdog": func(p *Params) { p.Watchdog = " " },
		"within":      func(p *Params) { p.Within = time.Second },
		"job":         func(p *Params) { p.Job = "\xff" },
	} {
		p := *Info().Params().(*Params)
		p.Service = "a/b:1"
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		edit(&p)
		if err := p.Validate(); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add("route: {receiver: a, routes: [{match: {a: b}}]}\nreceivers:\n- name: a\n  email_configs: [{to: x}]\n")
	f.Add("route: {receiver: a}\nreceivers: [{name: &a x, x_configs: [*a]}]")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := readConfig(text)
		if err != nil {
			return
		}
		reached := map[string]bool{}
		c.Route.reach("Watchdog", "", reached)
		for name, n := range c.senders() {
			if n < 0 {
				t.Errorf("%q: %d", name, n)
			}
		}
	})
}

func FuzzSilence(f *testing.F) {
	f.Add(`{"matchers":[{"name":"alertname","value":".+","isRegex":true}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var s silence
		if json.Unmarshal([]byte(text), &s) != nil {
			return
		}
		if s.mutes() != "" && len(s.Matchers) == 0 {
			t.Error("mutes without a condition")
		}
		_ = s.String()
	})
}
