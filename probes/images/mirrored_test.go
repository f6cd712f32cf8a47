package images_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	client "github.com/254carbon/gonogo/internal/platform/harbor"
	"github.com/254carbon/gonogo/internal/platform/registry"
	"github.com/254carbon/gonogo/internal/platform/transport"
	sim "github.com/254carbon/gonogo/internal/sim/harbor"
	"github.com/254carbon/gonogo/internal/sim/oci"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/images"
	"github.com/254carbon/gonogo/probes/probetest"
)

var noon = time.Date(2025, time.October, 20, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

const mistaken = "Mistaken-password-9"

// world is a simulated Harbor behind its own name, the registries of the originals behind theirs, and the clients of both.
type world struct {
	harbor   *sim.Server
	handler  http.Handler // in Harbor's place
	upstream http.Handler
	reader   sim.Account
	params   images.MirroredParams
}

func newWorld(change ...func(*world)) *world {
	accounts := sim.DemoAccounts()
	w := &world{reader: accounts.Reader, params: images.MirroredParams{Project: sim.PlatformProject}, upstream: oci.NewUpstream()}
	w.harbor = sim.New(sim.Ready(noon, accounts), sim.Options{Now: clock, LockTime: time.Millisecond, Registry: oci.NewRegistry()})
	w.handler = w.harbor
	for _, image := range oci.Images() {
		w.params.Images = append(w.params.Images, probes.Image{Key: image.Key, Source: image.Source, Digest: oci.Digest(image.Source)})
	}
	for _, c := range change {
		c(w)
	}
	return w
}

// probe serves the world on loopback, under the names that it has, and joins a probe to it over the transport of the real platform.
func (w *world) probe(t *testing.T) probes.Probe {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Host == "harbor.254carbon.com" {
			w.handler.ServeHTTP(rw, r)
			return
		}
		w.upstream.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	rt := server.Client().Transport.(*http.Transport).Clone()
	rt.TLSClientConfig.ServerName = "example.com" // of the server's certificate
	rt.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}
	t.Cleanup(rt.CloseIdleConnections)
	guarded := transport.Wrap(rt, transport.Options{ReadOnly: true})
	reader := func(context.Context) (string, string, error) { return w.reader.Username, w.reader.Password, nil }
	harbor, err := client.New(client.Options{URL: "https://harbor.254carbon.com", Transport: guarded, Reader: reader, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	mirror, err := registry.New(registry.Options{Transport: guarded, Credential: reader, Mirror: "harbor.254carbon.com", User: "HARBOR", Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	upstream, err := registry.New(registry.Options{Transport: guarded, Redirects: true, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	return images.NewMirrored(mirror, harbor, upstream, w.params)
}

func with(change ...func(*world)) func(*testing.T) probes.Probe {
	return func(t *testing.T) probes.Probe { return newWorld(change...).probe(t) }
}

func state(change func(*sim.State)) func(*world) {
	return func(w *world) { w.harbor.Change(change) }
}

// manifests answers questions about manifests in Harbor's place.
func manifests(answer http.HandlerFunc) func(*world) {
	return func(w *world) {
		w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/manifests/") {
				answer(rw, r)
				return
			}
			w.harbor.ServeHTTP(rw, r)
		})
	}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// one answers about one image and leaves the others to Harbor.
func one(key string, answer http.HandlerFunc) func(*world) {
	return func(w *world) {
		manifests(func(rw http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/"+key+"/manifests/") {
				answer(rw, r)
				return
			}
			w.harbor.ServeHTTP(rw, r)
		})(w)
	}
}

func image(key string, change func(*probes.Image)) func(*world) {
	return func(w *world) {
		for i := range w.params.Images {
			if w.params.Images[i].Key == key {
				change(&w.params.Images[i])
			}
		}
	}
}

func watchUpstream(w *world) { w.params.Upstream = "warn" }

func TestMirrored(t *testing.T) {
	other := oci.Digest("somebody/built-this:1")
	worlds := []probetest.World{
		{
			Name: "the documented platform, credential mended", Want: probes.Fail, Says: []string{"33 of 33 images are not in harbor.254carbon.com/254carbon: nginx-ingress", "and 28 more"},
			New:   with(state(func(s *sim.State) { *s = sim.Documented(noon, sim.DemoAccounts()) })),
			Shows: []string{"HEAD https://harbor.254carbon.com/v2/254carbon/trino/manifests/424", `curl -sS -I -u "$HARBOR_USER:$HARBOR_PASSWORD"`},
		},
		{
			Name: "no project", Want: probes.Fail, Says: []string{"the project 254carbon does not exist", "33"},
			New: with(state(func(s *sim.State) { s.Project(sim.PlatformProject).Name = "old" })),
		},
		{
			Name: "nothing is locked", Want: probes.Fail, Says: []string{"no digest is locked for 33 of 33 (gonogo profile lock)"},
			New: with(func(w *world) {
				for i := range w.params.Images {
					w.params.Images[i].Digest = ""
				}
			}),
		},
		{
			Name: "one is not locked", Want: probes.Fail, Says: []string{"no digest is locked for 1 of 33 (gonogo profile lock): redis"},
			New: with(image("redis", func(i *probes.Image) { i.Digest = "" })),
		},
		{
			Name: "a source that names its digest needs no lock", Want: probes.Pass,
			New: with(image("redis", func(i *probes.Image) { i.Source, i.Digest = i.Source+"@"+i.Digest, "" })),
		},
		{
			Name: "the lock is older than the mirror", Want: probes.Fail, Says: []string{"1 of 33 have another digest", "redis"}, Shows: []string{other},
			New: with(image("redis", func(i *probes.Image) { i.Digest = other })),
		},
		{
			Name: "one is missing and one could not be asked for", Want: probes.Fail,
			Says: []string{"1 of 33 images are not in", ": trino", "1 of 33 could not be asked for: redis"},
			New:  with(state(func(s *sim.State) { s.Untag(sim.PlatformProject+"/trino", "424") }), one("redis", status(http.StatusBadGateway))),
		},
		{Name: "upstream agrees", Want: probes.Pass, New: with(watchUpstream)},
		{
			Name: "a tag moved at its origin", Want: probes.Warn, Says: []string{"33 of 33", "1 tags have moved", "redis"}, Ratio: probes.Part(65, 66),
			New: with(watchUpstream, state(func(s *sim.State) { s.Push(sim.PlatformProject+"/redis", "7.2", other, noon) }),
				one("redis", status(200, "Docker-Content-Digest", other, "Content-Type", "application/vnd.oci.image.index.v1+json", "Content-Length", "7")),
				image("redis", func(i *probes.Image) { i.Digest = other })),
		},
		{
			Name: "the originals limit the rate", Want: probes.Pass, Says: []string{"33 of 33", "originals could not be asked"}, Shows: []string{"asks to wait 30s"},
			New: with(watchUpstream, func(w *world) { w.upstream = status(http.StatusTooManyRequests, "Retry-After", "30") }),
		},
	}
	for _, m := range sim.Mutations() {
		w := probetest.World{Name: m.Name, Want: probes.Fail, Says: m.Words, New: with(func(w *world) { m.Apply(w.harbor) })}
		if m.Harmless {
			w.Want, w.Says = probes.Pass, nil
		} else if m.Checks[0] != "images-mirrored" {
			continue
		}
		worlds = append(worlds, w)
	}
	failure := func(name string, change func(*world), says ...string) probetest.Failure {
		return probetest.Failure{Name: name, Says: says, New: with(change)}
	}
	right := func(right string) func(*world) {
		return state(func(s *sim.State) {
			reader := s.Robot(sim.ReaderRobot)
			for i := range reader.Permissions {
				var rest []sim.Access
				for _, a := range reader.Permissions[i].Access {
					if a.Resource+":"+a.Action != right {
						rest = append(rest, a)
					}
				}
				reader.Permissions[i].Access = rest
			}
		})
	}
	whole := func(answer http.HandlerFunc) func(*world) { return func(w *world) { w.handler = answer } }
	errs := []probetest.Failure{
		failure("gonogo's own credential is refused", func(w *world) { w.reader.Password = mistaken }, "gonogo's reading credential for Harbor was refused (401)", "project:read"),
		failure("gonogo's own credential may not pull", right("repository:pull"), "33 of 33", "it needs repository:pull in project 254carbon", "refused (401)"),
		failure("gonogo's own credential may not read projects", right("project:read"), "refused (403)", "project:read"),
		failure("Harbor is down", whole(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), "EOF"),
		failure("a page instead of Harbor", whole(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<h1>Sign in</h1>"))
		}), "not JSON"),
		failure("one image could not be asked for", one("redis", status(http.StatusServiceUnavailable)), "1 of 33 images, the first being redis", "503"),
		failure("manifests are redirected to a login page", manifests(status(http.StatusFound, "Location", "https://login.example.com/")), "redirects (302)", "login.example.com"),
		failure("a login page with status 200", manifests(status(http.StatusOK, "Content-Type", "text/html", "Content-Length", "7")), "Docker-Content-Digest"),
		failure("a digest that is none", manifests(status(http.StatusOK, "Content-Type", "x/y", "Content-Length", "7", "Docker-Content-Digest", "sha256:short")), "33 of 33"),
		failure("a digest of another kind", manifests(status(http.StatusOK, "Content-Type", "x/y", "Content-Length", "7", "Docker-Content-Digest", "sha512:"+strings.Repeat("0", 128))), "33 of 33"),
		failure("Harbor limits the rate", manifests(status(http.StatusTooManyRequests, "Retry-After", "17")), "limits the rate of requests (429)", "asks to wait 17s"),
		failure("the token service is broken", func(w *world) {
			w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/service/token" {
					status(http.StatusInternalServerError)(rw, r)
					return
				}
				w.harbor.ServeHTTP(rw, r)
			})
		}, "asking harbor.254carbon.com for a token", "500"),
	}
	probetest.Suite{
		New: with(), Worlds: worlds, Errors: errs,
		Secrets: []string{sim.DemoAccounts().Reader.Password, sim.DemoAccounts().Admin.Password, mistaken},
		Hanging: with(manifests(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })),
	}.Run(t)
}

// TestMirroredParams holds what cannot be mirrored is told when the profile is read.
func TestMirroredParams(t *testing.T) {
	good := []probes.Image{
		{Key: "trino", Source: "trinodb/trino:424"}, {Key: "a/b", Source: "localhost:5000/x"}, {Key: "c", Source: "quay.io/a/b@" + oci.Digest("x")},
	}
	for _, test := range []struct {
		name   string
		params images.MirroredParams
		says   string
	}{
		{"good", images.MirroredParams{Project: "p", Upstream: "warn", Images: good}, ""},
		{"no project", images.MirroredParams{Images: good}, "project"},
		{"a project that is none", images.MirroredParams{Project: "P/q", Images: good}, "project"},
		{"another word for upstream", images.MirroredParams{Project: "p", Upstream: "fail", Images: good}, "upstream"},
		{"nothing declared", images.MirroredParams{Project: "p"}, "declares no images"},
		{"a key that no repository can have", images.MirroredParams{Project: "p", Images: []probes.Image{{Key: "Trino", Source: "a:1"}}}, "Trino"},
		{"a tag that is none", images.MirroredParams{Project: "p", Images: []probes.Image{{Key: "a", Source: "a:b c"}}}, "a:b c"},
		{"a digest that is none", images.MirroredParams{Project: "p", Images: []probes.Image{{Key: "a", Source: "a@sha256:1"}}}, "sha256:1"},
	} {
		err := test.params.Validate()
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
