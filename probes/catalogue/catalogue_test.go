package catalogue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/files"
	"github.com/254carbon/gonogo/probes/probetest"
)

// nine are the services that the status document means.
var nine = []string{"grafana", "superset", "datahub", "trino", "doris", "vault", "minio", "dolphinscheduler", "lakefs"}

func line(id string) string {
	host := id
	if id == "dolphinscheduler" {
		host = "dolphin"
	}
	return fmt.Sprintf(`{"id":%q,"name":"N","category":"C","description":"D","icon":"🏠","url":"https://%s.example.org","healthPath":"/"}`, id, host)
}

func lines(ids ...string) string {
	var all []string
	for _, id := range ids {
		all = append(all, line(id))
	}
	return strings.Join(all, ",")
}

func declared() probes.Declared {
	d := probes.Declared{Services: []probes.Service{{ID: "portal", Host: "portal.example.org"}}}
	for _, id := range nine {
		d.Services = append(d.Services, probes.Service{ID: probes.ID(id), Host: strings.Replace(id, "dolphinscheduler", "dolphin", 1) + ".example.org"})
	}
	return d
}

// server is a portal behind its Service, the way to it, and the API server's word for the way.
type server struct {
	url    string
	client *http.Client
	err    error
	vouch  error
}

func (s server) Fetch(ctx context.Context, service string, r *http.Request) (*http.Response, probes.Request, error) {
	about := probes.Request{Source: "GET " + r.URL.String(), Repeat: "kubectl get --raw " + r.URL.String()}
	if s.err != nil {
		return nil, about, s.err
	}
	r = r.Clone(ctx)
	to := s.url + r.URL.RequestURI()
	if service == "" {
		to = r.URL.String()
	}
	out, err := http.NewRequestWithContext(ctx, r.Method, to, nil)
	if err != nil {
		return nil, about, err
	}
	resp, err := s.client.Do(out)
	return resp, about, err
}

func (s server) Vouch(context.Context) error { return s.vouch }

func serve(t *testing.T, h http.HandlerFunc) server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	client := s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return server{url: s.URL, client: client}
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// folder is a checkout in memory; nil is none.
type folder map[string]string

func (f folder) Name() string { return "~/hmco" }

func (f folder) Open(context.Context) (files.Tree, error) {
	if f == nil {
		return nil, fmt.Errorf("stat: %w", fs.ErrNotExist)
	}
	all := fstest.MapFS{}
	for name, text := range f {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return tree{all}, nil
}

type tree struct{ fs.FS }

func (tree) Revision() string { return "" }
func (tree) Changed(context.Context, string, time.Time) (files.Change, error) {
	return files.Change{}, nil
}
func (tree) Close() error { return nil }

type api struct {
	body string
	err  error
}

func (a api) Raw(_ context.Context, path string, _ int64) ([]byte, probes.Request, error) {
	return []byte(a.body), probes.Request{Source: "GET " + path, Repeat: "kubectl get --raw " + path}, a.err
}

func params(t *testing.T, edit func(*Params)) Params {
	t.Helper()
	p := Info().Params().(*Params)
	p.Min, p.IDs = 9, nine
	if edit == nil {
		p.Service, p.Path = "data-platform/portal-services:8080", "/api/services"
	} else {
		edit(p)
	}
	for range 2 { // a second time does no harm
		p.Declare(declared())
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return *p
}

func TestCatalogue(t *testing.T) {
	on := func(h http.HandlerFunc) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe { return New(Sources{Web: serve(t, h)}, params(t, nil)) }
	}
	says := func(text string) func(*testing.T) probes.Probe { return on(body(text)) }
	behind := func(err, vouch error) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe {
			return New(Sources{Web: server{err: err, vouch: vouch}}, params(t, nil))
		}
	}
	inFile := func(f folder) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe {
			return New(Sources{Checkout: f}, params(t, func(p *Params) { p.File = "services.json" }))
		}
	}
	inMap := func(a api) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe {
			return New(Sources{Cluster: a}, params(t, func(p *Params) { p.ConfigMap = "data-platform/registry/services.json" }))
		}
	}
	checkout, err := os.ReadFile("../../testdata/platform/services.json")
	if err != nil {
		t.Fatal(err)
	}
	good := "[" + lines(nine...) + "]"
	with := func(from, to string) func(*testing.T) probes.Probe { return says(strings.Replace(good, from, to, 1)) }
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	pass := func(name string, p func(*testing.T) probes.Probe, shows ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Pass, Shows: shows}
	}
	maps := schema.GroupResource{Resource: "configmaps"}
	services := schema.GroupResource{Resource: "services"}
	config := func(text string) string {
		return `{"kind":"ConfigMap","data":{"services.json":` + fmt.Sprintf("%q", text) + `}}`
	}
	probetest.Suite{
		New: says(good),
		Worlds: []probetest.World{
			{Name: "an array", New: says(good), Want: probes.Pass, Says: []string{"9 services, the 9 declared ones among them"}, Shows: []string{"entry grafana"}},
			pass("an object", says(`{"generatedAt":1,"services":`+good+`}`)),
			pass("more than wanted", says("["+lines(append([]string{"mlflow"}, nine...)...)+"]"), "10 services"),
			pass("another id, the same host", with(`"id":"dolphinscheduler"`, `"id":"dolphin"`)),
			pass("in a file", inFile(folder{"services.json": good}), "~/hmco/services.json"),
			pass("in a ConfigMap", inMap(api{body: config(good)}), "configmap data-platform/registry/services.json"),

			fail("as it is in the platform's repository", inFile(folder{"services.json": string(checkout)}), "no description: portal, grafana, datahub, superset and 11 more"),
			fail("one is missing", says("["+lines(append([]string{"a", "b"}, nine[:8]...)...)+"]"), "not in the catalogue: lakefs"),
			fail("too few", says("["+lines(nine[:8]...)+"]"), "8 services, want at least 9", "lakefs"),
			fail("no icon", with(`"icon":"🏠"`, `"icon":" "`), "no icon: grafana"),
			fail("no category at all", with(`"category":"C",`, ``), "no category: grafana"),
			fail("null is nothing", with(`"description":"D"`, `"description":null`), "no description: grafana"),
			fail("keys in other letters are other keys", with(`"icon"`, `"Icon"`), "no icon: grafana"),
			fail("an id twice", says("["+lines(nine...)+","+line("trino")+"]"), "more than one entry is called trino"),
			fail("an entry without an id", with(`"id":"grafana"`, `"id":""`), "no id: number 1"),
			fail("plain http", with(`https://grafana`, `http://grafana`), "grafana has a URL that is not https"),
			fail("a path for a URL", with(`https://grafana.example.org`, `/grafana`), "grafana has a URL that is none"),
			fail("a credential in a URL", with(`https://grafana`, `https://u:hunter22@grafana`), "credential"),
			fail("leads elsewhere", with(`https://grafana.example.org`, `https://grafana.local`), "grafana leads to grafana.local, not to grafana.example.org"),
			fail("not JSON", says("<html>"), "it is not JSON"),
			fail("JSON and more", says(good+"x"), "something follows"),
			fail("no list", says(`{"services":{}}`), "no list"),
			fail("another object", says(`{"status":"ok"}`), "has no services"),
			fail("a text", says(`"grafana"`), "no list"),
			fail("empty", says(`[]`), "it is empty"),
			fail("blank", says("\n"), "cannot be used"),
			fail("entries that are none", says(`["grafana"]`), "entry number 1 is no service"),
			fail("a number for a text", with(`"icon":"🏠"`, `"icon":7`), "icon of entry number 1 is no text"),
			fail("an error of the portal", on(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }), "502"),
			fail("no such Service", behind(apierrors.NewNotFound(services, "portal-services"), nil), "Service does not exist"),
			fail("no file", inFile(folder{}), "the checkout has no services.json"),
			fail("no ConfigMap", inMap(api{err: apierrors.NewNotFound(maps, "registry")}), "ConfigMap does not exist"),
			fail("no key", inMap(api{body: `{"kind":"ConfigMap","data":{"x":"y"}}`}), "no key services.json"),
			fail("nothing in the key", inMap(api{body: config("")}), "not JSON"),
		},
		Errors: []probetest.Failure{
			{Name: "nobody answers", New: behind(errors.New("connection refused"), nil), Says: []string{"connection refused"}},
			{Name: "a login instead", Says: []string{"redirects"},
				New: on(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) })},
			{Name: "forbidden", New: behind(apierrors.NewForbidden(services, "portal-services", errors.New("services/proxy")), nil), Is: apierrors.IsForbidden},
			{Name: "unauthorised", New: behind(apierrors.NewUnauthorized("expired"), nil), Is: apierrors.IsUnauthorized},
			{Name: "the way is broken", New: behind(apierrors.NewNotFound(services, "portal-services"), errors.New("the API server answers nonsense")), Says: []string{"the way to services is broken"}},
			{Name: "endless", New: says(strings.Repeat(" ", 2<<20) + good), Says: []string{"longer than"}},
			{Name: "no checkout", New: inFile(nil), Says: []string{"opening the checkout ~/hmco"}},
			{Name: "ConfigMap forbidden", New: inMap(api{err: apierrors.NewForbidden(maps, "registry", nil)}), Is: apierrors.IsForbidden},
			{Name: "namespace served by nobody", New: inMap(api{err: apierrors.NewNotFound(maps, "another")}), Is: apierrors.IsNotFound},
			{Name: "ConfigMap that is none", New: inMap(api{body: "{}"}), Says: []string{"not one"}},
		},
		Hanging: on(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
		Secrets: []string{"hunter22"},
	}.Run(t)
}

// TestDoors asks the URLs themselves.
func TestDoors(t *testing.T) {
	edge := func(status int) (*httptest.Server, *http.Client) {
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://login.example.org")
			w.WriteHeader(status)
		}))
		t.Cleanup(s.Close)
		client := s.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		return s, client
	}
	tests := []struct {
		name   string
		status int
		edit   func(*http.Client, *string)
		want   probes.Status
		says   string
	}{
		{"a login", 302, nil, probes.Pass, "302"},
		{"forbidden", 403, nil, probes.Pass, "403"},
		{"no origin behind the edge", 530, nil, probes.Fail, "answers 530"},
		{"an error", 500, nil, probes.Fail, "answers 500"},
		{"nobody there", 200, func(_ *http.Client, address *string) { *address = "https://127.0.0.1:1" }, probes.Pass, "could not be reached from here"},
		{"an authority that is not known here", 200, func(c *http.Client, _ *string) {
			c.Transport = &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
		}, probes.Pass, "could not be reached from here"},
		{"another host's certificate", 200, func(_ *http.Client, address *string) {
			*address = strings.Replace(*address, "127.0.0.1", "localhost", 1)
		}, probes.Fail, "certificate of another host"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, client := edge(tt.status)
			address := s.URL
			if tt.edit != nil {
				tt.edit(client, &address)
			}
			list := `[{"id":"a","name":"N","category":"C","description":"D","icon":"I","url":"` + address + `"}]`
			p := Params{File: "services.json", Min: 1, Answers: true}
			obs, err := New(Sources{Web: server{client: client}, Checkout: folder{"services.json": list}}, p).Observe(t.Context())
			if err != nil || obs.Status != tt.want || !strings.Contains(obs.Evidence[len(obs.Evidence)-1].Got+obs.Summary, tt.says) {
				t.Errorf("%s %q %+v (%v)", obs.Status, obs.Summary, obs.Evidence, err)
			}
		})
	}
}

func TestParamsAreChecked(t *testing.T) {
	for _, p := range []Params{
		{Min: 1}, {Min: 1, File: "a", ConfigMap: "a/b/c"}, {File: "a"}, {Min: 1, File: "a", Path: "/"}, {Min: 1, Service: "a/b:1"}, {Min: 1, Service: "b", Path: "/"},
		{Min: 1, ConfigMap: "a/b"}, {Min: 1, ConfigMap: "a/../b/c"}, {Min: 1, File: "a", IDs: []string{"x", "x"}}, {Min: 1, File: "a", IDs: []string{""}},
		{Min: 1, File: "../a"}, {Min: 1, File: "/a"}, {Min: 1, Service: "a/b:1", Path: "//c"},
	} {
		if p.Validate() == nil {
			t.Errorf("%+v accepted", p)
		}
	}
	for _, tt := range []struct {
		p    Params
		want string
	}{{Params{File: "a"}, "checkout"}, {Params{File: "a", Answers: true}, "web checkout"}, {Params{Service: "a/b:1"}, "web kubernetes"}, {Params{ConfigMap: "a/b/c"}, "web kubernetes"}} {
		if got := strings.Join(tt.p.Connections(), " "); got != tt.want {
			t.Errorf("%+v asks over %s, want %s", tt.p, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "[]", "[" + line("a") + "]", `{"services":[{"id":"a","url":"://"}]}`, `[{"url":"https://[::1"}]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := parse(text)
		if (err == nil) != (len(entries) > 0) {
			t.Fatalf("%d entries and %v", len(entries), err)
		}
		p := probe{params: Params{Min: 1, wanted: []wanted{{id: "a", host: "a.example.org"}}}}
		p.judge(entries)
		p.evidence(entries, probes.Request{})
	})
}
