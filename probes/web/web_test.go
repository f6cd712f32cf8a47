package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/probetest"
)

// fetcher reaches services by name, each a server on loopback or an error, and URLs directly.
type fetcher struct {
	services map[string]string // service: base URL
	errors   map[string]error
	client   *http.Client
}

func (f fetcher) Fetch(ctx context.Context, service string, r *http.Request) (*http.Response, probes.Request, error) {
	about := probes.Request{Source: r.Method + " " + r.URL.String(), Repeat: "curl " + r.URL.String()}
	if err := f.errors[service]; err != nil {
		return nil, probes.Request{}, err
	}
	r = r.Clone(ctx)
	if service != "" {
		base, err := url.Parse(f.services[service])
		if err != nil || base.Host == "" {
			return nil, about, fmt.Errorf("no such service in this test: %s", service)
		}
		r.URL.Scheme, r.URL.Host = base.Scheme, base.Host
	}
	resp, err := f.client.Do(r)
	return resp, about, err
}

// status is what the API server says in the place of a service.
func status(code int32, reason metav1.StatusReason, message string) error {
	return fmt.Errorf("reaching service: %w", &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message,
	}})
}

func unfollowed(c *http.Client) *http.Client {
	own := *c
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// pages is a server with one page for each trap.
func pages() http.Handler {
	mux := http.NewServeMux()
	page := func(path string, code int, header, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			if name, value, ok := strings.Cut(header, ": "); ok {
				w.Header().Set(name, value)
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		})
	}
	page("/ok", 200, "Content-Type: application/json", `{"status":"ok","database":{"state":"ok"},"items":[{"name":"a"},{"count":10,"half":0.5}],"dotted.name":true,"none":null}`)
	page("/text", 200, "Server: trino/424", "Welcome to Trino")
	page("/empty", 200, "", "")
	page("/garbage", 200, "", `{"status":"ok"`)
	page("/twice", 200, "", `{"status":"ok"}{"status":"bad"}`)
	page("/down", 503, "", "starting")
	page("/denied", 401, "WWW-Authenticate: Basic realm=x", "")
	page("/login", 302, "Location: https://team.cloudflareaccess.com/login?token=hunter2", "")
	page("/elsewhere", 302, "Location: /ok", "")
	page("/large", 200, "", "Welcome"+strings.Repeat("x", maxBody))
	page("/evil", 200, "Server: nginx\u009b2J", `{"status":"\u001b[2Jbad\u202e"}`)
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "part")
	})
	return mux
}

func TestHTTP(t *testing.T) {
	server := httptest.NewServer(pages())
	defer server.Close()
	secure := httptest.NewTLSServer(pages())
	defer secure.Close()
	ends := secure.Certificate().NotAfter
	closed := httptest.NewServer(nil)
	closed.Close()

	f := fetcher{
		services: map[string]string{"data-platform/trino:8080": server.URL, "data-platform/superset:8088": server.URL},
		client:   unfollowed(secure.Client()),
		errors: map[string]error{
			"ns/gone:80":      fmt.Errorf("x: %w", apierrors.NewNotFound(schema.GroupResource{Resource: "services"}, "gone")),
			"ns/empty:80":     status(503, metav1.StatusReasonServiceUnavailable, `no endpoints available for service "empty"`),
			"ns/noport:80":    status(503, metav1.StatusReasonServiceUnavailable, `no service port "80" found for service "noport"`),
			"ns/refuses:80":   status(503, metav1.StatusReasonServiceUnavailable, "error trying to reach service: dial tcp 10.0.0.1:80: connect: connection refused"),
			"ns/noroute:80":   status(503, metav1.StatusReasonServiceUnavailable, "error trying to reach service: dial tcp 10.0.0.1:80: i/o timeout"),
			"ns/forbidden:80": fmt.Errorf("x: %w", apierrors.NewForbidden(schema.GroupResource{Resource: "services/proxy"}, "x", errors.New("no"))),
			"ns/expired:80":   fmt.Errorf("x: %w", apierrors.NewUnauthorized("expired")),
			"ns/busy:80":      fmt.Errorf("x: %w", apierrors.NewTooManyRequests("later", 1)),
			"ns/away:80":      errors.New("no connection to https://cluster: connection refused"),
		},
	}
	clockAt := time.Now
	of := func(params Params) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe {
			if err := params.Validate(); err != nil {
				t.Fatal(err)
			}
			return New(f, params, clockAt)
		}
	}
	get := func(path string, e Expect) func(*testing.T) probes.Probe {
		return of(Params{Name: "trino", Service: "data-platform/trino:8080", Path: path, Expect: e})
	}
	services := func(paths ...string) func(*testing.T) probes.Probe {
		p := Params{Expect: Expect{}}
		for i, path := range paths {
			target := Target{Name: fmt.Sprintf("t%d", i), Service: "data-platform/trino:8080", Path: path}
			if strings.HasPrefix(path, "ns/") {
				target.Service, target.Path = path, "/"
			}
			p.Targets = append(p.Targets, target)
		}
		return of(p)
	}
	json := func(path string, want any) Expect { return Expect{JSONEquals: map[string]any{path: want}} }
	pass := func(name string, p func(*testing.T) probes.Probe) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Pass}
	}
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	unknown := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.Failure {
		return probetest.Failure{Name: name, New: p, Says: says}
	}
	tlsFor := func(days int) func(*testing.T) probes.Probe {
		return of(Params{Name: "portal", URL: secure.URL + "/ok", Expect: Expect{TLSMinDays: days}})
	}
	days := int(time.Until(ends).Hours() / 24)
	probetest.Suite{
		New: get("/ok", Expect{}),
		Worlds: []probetest.World{
			{Name: "says who answered", New: get("/text", Expect{}), Want: probes.Pass, Says: []string{"trino answers 200 OK", "Server trino/424"}},
			pass("HEAD", of(Params{Service: "data-platform/trino:8080", Path: "/ok", Method: "HEAD"})),
			pass("a url", of(Params{URL: secure.URL + "/ok"})),
			pass("another status, as expected", get("/denied", Expect{Status: []int{401, 403}, Headers: map[string]string{"WWW-Authenticate": "basic"}})),
			pass("a header of any value", get("/text", Expect{Headers: map[string]string{"Server": ""}})),
			pass("contains", get("/text", Expect{Contains: "Trino"})),
			pass("matches", get("/text", Expect{Matches: `^Welcome to \w+$`})),
			pass("contains, at the beginning of much", get("/large", Expect{Contains: "Welcome"})),
			pass("JSON text", get("/ok", json("database.state", "ok"))),
			pass("JSON number", get("/ok", json("items.1.count", 10.0))),
			pass("JSON fraction", get("/ok", json("items.1.half", 0.5))),
			pass("JSON with dots", get("/ok", json("dotted.name", true))),
			pass("JSON null", get("/ok", json("none", nil))),
			fail("another status", get("/down", Expect{}), "trino: 503 Service Unavailable"),
			fail("status before body", get("/down", Expect{Contains: "starting"}), "503"),
			fail("denied by the service itself", get("/denied", Expect{}), "401 Unauthorized"),
			{Name: "a redirect is not followed", New: get("/elsewhere", Expect{}), Want: probes.Fail, Says: []string{"302 Found", "leads to /ok"}},
			{
				Name: "a login page", New: get("/login", Expect{}), Want: probes.Fail,
				Says: []string{"302", "https://team.cloudflareaccess.com/login"}, Never: []string{"hunter2"},
			},
			fail("no such header", get("/ok", Expect{Headers: map[string]string{"X-Grafana": ""}}), "without a header X-Grafana"),
			fail("another header", get("/text", Expect{Headers: map[string]string{"Server": "nginx"}}), `"trino/424", not "nginx"`),
			fail("empty", get("/empty", Expect{Contains: "Trino"}), `does not contain "Trino"`),
			fail("unlike", get("/text", Expect{Matches: "^Superset"}), "nothing in the body is like"),
			fail("no JSON", get("/garbage", json("status", "ok")), "not JSON"),
			fail("two JSON values", get("/twice", json("status", "ok")), "not JSON"),
			fail("empty for JSON", get("/empty", json("status", "ok")), "not JSON"),
			fail("JSON of another worth", get("/ok", json("database.state", "bad")), `database.state is "ok", not "bad"`),
			fail("JSON of another type", get("/ok", json("items.1.count", "10")), `is 10, not "10"`),
			fail("no such JSON", get("/ok", json("items.7.name", "a")), "there is no items.7.name"),
			fail("JSON that is no value", get("/ok", json("items", "a")), "a list"),
			fail("control sequences", get("/evil", json("status", "ok")), "not \"ok\""),
			pass("certificate", tlsFor(1)),
			fail("certificate ends", tlsFor(days+2), "portal: the certificate ends on "+ends.UTC().Format("2006-01-02")),

			fail("no such service", services("ns/gone:80"), "does not exist"),
			fail("no endpoints", services("ns/empty:80"), "no ready endpoints"),
			fail("no such port", services("ns/noport:80"), "no such port"),
			fail("refuses connections", services("ns/refuses:80"), "refuses connections"),
			pass("several", services("/ok", "/text", "/empty")),
			{Name: "one of several", New: services("/ok", "/down", "/ok", "ns/empty:80"), Want: probes.Fail, Says: []string{"t1: 503", "t3: the Service has no ready endpoints"}},
			fail("wanting, whatever could not be asked", services("/down", "ns/forbidden:80"), "t0: 503", "1 could not be asked"),
			fail("many", services("/down", "/down?1", "/down?2", "/down?3", "/down?4", "/down?5"), "and 2 more"),
		},
		Errors: []probetest.Failure{
			{Name: "forbidden", New: services("ns/forbidden:80"), Is: apierrors.IsForbidden, Says: []string{"services/proxy"}},
			{Name: "unauthorised", New: services("ns/expired:80"), Is: apierrors.IsUnauthorized},
			unknown("too many requests", services("ns/busy:80"), "later"),
			unknown("the cluster is away", services("ns/away:80"), "no connection to https://cluster"),
			unknown("the API server does not get there", services("ns/noroute:80"), "i/o timeout"),
			unknown("one of several could not be asked", services("/ok", "ns/forbidden:80"), "t1:"),
			unknown("a url that refuses", of(Params{URL: closed.URL}), "connection refused"),
			unknown("a body cut off", get("/cut", Expect{Contains: "whole"}), "reading the body"),
			unknown("a body too long to tell", get("/large", Expect{Contains: "Goodbye"}), "longer than 1 MiB"),
			unknown("JSON too long to tell", get("/large", json("a", "b")), "longer than 1 MiB"),
		},
		Hanging: get("/hang", Expect{}),
		Secrets: []string{"hunter2"},
	}.Run(t)
}

// Where others answer over the same way, silence is the service's own.
func TestSilence(t *testing.T) {
	server := httptest.NewServer(pages())
	defer server.Close()
	f := fetcher{services: map[string]string{"a/a:1": server.URL}, client: unfollowed(http.DefaultClient)}
	target := func(name, path string) Target { return Target{Name: name, Service: "a/a:1", Path: path} }
	ask := func(targets ...Target) (probes.Observation, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		return New(f, Params{Targets: targets}, nil).Observe(ctx)
	}
	obs, err := ask(target("lives", "/ok"), target("hangs", "/hang"))
	if err != nil || obs.Status != probes.Fail || !strings.Contains(obs.Summary, "hangs: no answer within") {
		t.Errorf("%s %q (%v)", obs.Status, obs.Summary, err)
	}
	if obs, err = ask(target("hangs", "/hang"), target("too", "/hang")); err == nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s %q (%v)", obs.Status, obs.Summary, err)
	}
	if obs, err = ask(target("lives", "/ok"), Target{Name: "outside", URL: server.URL + "/hang"}); err == nil || !strings.Contains(err.Error(), "outside: no answer") {
		t.Errorf("of a url: %s %q (%v)", obs.Status, obs.Summary, err)
	}
}

func TestManyAtOnceButNotTooMany(t *testing.T) {
	var now, most atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for {
			m := most.Load()
			if n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		time.Sleep(20 * time.Millisecond)
		now.Add(-1)
	}))
	defer server.Close()
	p := Params{}
	for i := range 30 {
		p.Targets = append(p.Targets, Target{Name: fmt.Sprint(i), URL: server.URL})
	}
	obs, err := New(fetcher{client: unfollowed(http.DefaultClient)}, p, nil).Observe(t.Context())
	if err != nil || obs.Summary != "30 of 30 answer as expected" || most.Load() > atOnce || most.Load() < 2 {
		t.Errorf("%q (%v), %d at once", obs.Summary, err, most.Load())
	}
}

func TestCertificates(t *testing.T) {
	secure := httptest.NewTLSServer(pages())
	defer secure.Close()
	p := Params{Name: "portal", URL: secure.URL + "/ok", Expect: Expect{TLSMinDays: 10}}
	ask := func(change func(*tls.Config)) (probes.Observation, error) {
		client := unfollowed(secure.Client())
		transport := secure.Client().Transport.(*http.Transport).Clone()
		change(transport.TLSClientConfig)
		client.Transport = transport
		return New(fetcher{client: client}, p, nil).Observe(t.Context())
	}
	obs, err := ask(func(c *tls.Config) { c.Time = func() time.Time { return secure.Certificate().NotAfter.Add(time.Hour) } })
	if err != nil || obs.Status != probes.Fail || !strings.Contains(obs.Summary, "the certificate expired on") {
		t.Errorf("expired: %s %q (%v)", obs.Status, obs.Summary, err)
	}
	obs, err = ask(func(c *tls.Config) { c.ServerName = "portal.254carbon.com" })
	if err != nil || obs.Status != probes.Fail || !strings.Contains(obs.Summary, "not for portal.254carbon.com") {
		t.Errorf("another host: %s %q (%v)", obs.Status, obs.Summary, err)
	}
	if obs, err = ask(func(c *tls.Config) { c.RootCAs = nil }); err == nil {
		t.Errorf("an authority that is unknown here: %s %q", obs.Status, obs.Summary)
	}
	p.Expect.TLSMinDays = 0
	if obs, err = ask(func(c *tls.Config) { c.ServerName = "portal.254carbon.com" }); err == nil {
		t.Errorf("nothing asked about the certificate: %s %q", obs.Status, obs.Summary)
	}
}

// Whoever follows redirects has asked somebody else.
func TestAFollowedRedirectIsNoAnswer(t *testing.T) {
	server := httptest.NewServer(pages())
	defer server.Close()
	obs, err := New(fetcher{client: http.DefaultClient}, Params{URL: server.URL + "/elsewhere"}, nil).Observe(t.Context())
	if err == nil || !strings.Contains(err.Error(), "redirect") {
		t.Errorf("%s %q (%v)", obs.Status, obs.Summary, err)
	}
}

func TestParamsAreChecked(t *testing.T) {
	for _, p := range []Params{
		{}, {URL: "https://a", Service: "a/b:1"}, {URL: "ftp://a"}, {URL: "a"}, {URL: "https://u:p@a"}, {URL: "http://[::1"},
		{Service: "a"}, {Service: "a/b"}, {Service: "a/b:"}, {Service: "/b:1"}, {Service: "a/b:1", Path: "x"}, {Service: "a/b:1", Path: "//x"},
		{URL: "https://a", Method: "POST"}, {URL: "https://a", Method: "HEAD", Expect: Expect{Contains: "x"}},
		{URL: "https://a", Expect: Expect{Status: []int{99}}}, {URL: "https://a", Expect: Expect{Matches: "("}},
		{URL: "http://a", Expect: Expect{TLSMinDays: 1}}, {Service: "a/b:1", Expect: Expect{TLSMinDays: 1}}, {URL: "https://a", Expect: Expect{TLSMinDays: -1}},
		{URL: "https://a", Expect: Expect{JSONEquals: map[string]any{"a": []any{1}}}},
		{URL: "https://a", Targets: []Target{{URL: "https://b"}}}, {Targets: []Target{{URL: "https://b"}, {URL: "https://b"}}},
		{Targets: make([]Target, maxTargets+1)},
	} {
		if err := p.Validate(); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%+v: %v", p, err)
		}
	}
	p := Params{Method: "HEAD", Expect: Expect{Status: []int{204}}, Targets: []Target{{URL: "https://a/x"}, {Service: "https:a/b:web", Method: "GET", Expect: Expect{Contains: "x"}}}}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	got := p.targets()
	if got[0].Method != "HEAD" || got[0].Expect.Status[0] != 204 || got[0].Name != "a/x" || got[1].Method != "GET" || got[1].Expect.Status[0] != 200 {
		t.Errorf("%+v", got)
	}
}

func FuzzExpectations(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[1,"x",null]}}`), "a.b.0")
	f.Add([]byte(`{"a.b":1e999999999}`), "a.b")
	f.Add([]byte(`[[[[]]]]`), "0.0.0")
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		root, err := decode(body)
		if err != nil || len(path) > 40 {
			return
		}
		differs(root, path, "x")
	})
}
