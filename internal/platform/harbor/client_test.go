package harbor

import (
	"context"
	"encoding/base64"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	sim "github.com/254carbon/gonogo/internal/sim/harbor"
	probe "github.com/254carbon/gonogo/probes/harbor"
)

// inMemory calls a handler without a network, so that time can be simulated.
type inMemory struct{ handler http.Handler }

func (t inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	t.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

func client(t *testing.T, handler http.Handler) *Client {
	t.Helper()
	accounts := sim.DemoAccounts()
	c, err := New(Options{URL: "https://harbor.example.com", Transport: inMemory{handler}, Reader: func(context.Context) (string, string, error) {
		return accounts.Reader.Username, accounts.Reader.Password, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// loginCounter counts what reaches Harbor and how much of it at once.
type loginCounter struct {
	next              http.Handler
	all, now, highest atomic.Int32
}

func (l *loginCounter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.all.Add(1)
	n := l.now.Add(1)
	for old := l.highest.Load(); n > old && !l.highest.CompareAndSwap(old, n); old = l.highest.Load() {
	}
	l.next.ServeHTTP(w, r)
	l.now.Add(-1)
}

// Many checks with one wrong password reach Harbor once in 15 minutes, and its right successor is not taken for wrong in the lock.
func TestLoginNeverTripsTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		admin := sim.DemoAccounts().Admin
		harbor := &loginCounter{next: sim.New(sim.Ready(time.Now(), sim.DemoAccounts()), sim.Options{})}
		c := client(t, harbor)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				login, err := c.Login(t.Context(), admin.Username, "wrong", "254carbon")
				if err != nil || login.Accepted {
					t.Errorf("%+v, %v", login, err)
				}
			})
		}
		group.Wait()
		if harbor.all.Load() != 1 || harbor.highest.Load() != 1 {
			t.Fatalf("%d logins, %d at once", harbor.all.Load(), harbor.highest.Load())
		}
		began := time.Now()
		login, err := c.Login(t.Context(), admin.Username, admin.Password, "254carbon")
		if err != nil || !login.Accepted || !login.ProjectExists {
			t.Fatalf("the right password after a wrong one: %+v, %v", login, err)
		}
		if waited := time.Since(began); waited != unlockPause {
			t.Errorf("waited %s after a refusal", waited)
		}
		time.Sleep(retryRefused - unlockPause - time.Second)
		if login, err = c.Login(t.Context(), admin.Username, "wrong", "254carbon"); err != nil || !login.Remembered || harbor.all.Load() != 2 {
			t.Errorf("before 15 minutes: %+v, %v, %d logins", login, err, harbor.all.Load())
		}
		time.Sleep(2 * time.Second)
		if login, err = c.Login(t.Context(), admin.Username, "wrong", "254carbon"); err != nil || login.Remembered || login.Accepted || harbor.all.Load() != 3 {
			t.Errorf("after 15 minutes: %+v, %v, %d logins", login, err, harbor.all.Load())
		}
	})
}

// What is refused elsewhere is not tried here: gonogo's own credential is under the same rule.
func TestOwnCredentialIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		harbor := &loginCounter{next: sim.New(sim.Ready(time.Now(), sim.DemoAccounts()), sim.Options{})}
		c := client(t, harbor)
		c.reader = func(context.Context) (string, string, error) { return sim.ReaderRobot, "wrong", nil }
		for range 3 {
			_, err := c.Project(t.Context(), sim.PlatformProject)
			if err == nil || !strings.Contains(err.Error(), "refused (401)") || !strings.Contains(err.Error(), "project:read") {
				t.Errorf("got %v", err)
			}
		}
		if harbor.all.Load() != 1 {
			t.Errorf("%d logins", harbor.all.Load())
		}
	})
}

// A lock-out of another's making ends within ctx, not after it.
func TestPauseEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, sim.New(sim.Ready(time.Now(), sim.DemoAccounts()), sim.Options{}))
		if _, err := c.Login(t.Context(), "admin", "wrong", "library"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if login, err := c.Login(ctx, "admin", "another", "library"); err == nil || login.Accepted {
			t.Errorf("%+v, %v", login, err)
		}
	})
}

// The generated client would switch verification off by itself.
func TestCertificatesAreVerified(t *testing.T) {
	server := httptest.NewTLSServer(sim.New(sim.Ready(time.Now(), sim.DemoAccounts()), sim.Options{}))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	c, err := New(Options{URL: server.URL, Transport: &http.Transport{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Health(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v", err)
	}
	if c, err = New(Options{URL: server.URL, Transport: server.Client().Transport}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Health(t.Context()); err != nil {
		t.Errorf("a known authority: %v", err)
	}
	for _, o := range []Options{{URL: server.URL}, {URL: "harbor.example.com", Transport: &http.Transport{}}, {URL: "https://u:p@h", Transport: &http.Transport{}}} {
		if _, err := New(o); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q was taken: %v", o.URL, err)
		}
	}
}

// DEBUG in the environment makes the generated client print requests, credentials included.
func TestEnvironmentPrintsNothing(t *testing.T) {
	t.Setenv("DEBUG", "1")
	t.Setenv("SWAGGER_DEBUG", "1")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = write
	c := client(t, sim.New(sim.Ready(time.Now(), sim.DemoAccounts()), sim.Options{}))
	_, err = c.Project(t.Context(), sim.PlatformProject)
	os.Stderr = stderr
	_ = write.Close()
	printed, _ := io.ReadAll(read)
	if err != nil || len(printed) > 0 {
		t.Errorf("%v, printed %q", err, printed)
	}
}

// A cookie would start a session, and a redirect would carry the credential elsewhere.
func TestNoCookiesNoRedirects(t *testing.T) {
	var asked []string
	harbor := sim.New(sim.Ready(time.Now(), sim.DemoAccounts()), sim.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		if len(r.Cookies()) > 0 {
			t.Error("a cookie was sent")
		}
		if r.URL.Path == "/api/v2.0/projects/elsewhere" {
			http.Redirect(w, r, "/api/v2.0/projects/254carbon", http.StatusMovedPermanently)
			return
		}
		harbor.ServeHTTP(w, r)
	}))
	defer server.Close()
	c := client(t, harbor)
	real, err := New(Options{URL: server.URL, Transport: &http.Transport{DisableKeepAlives: true}, Reader: c.reader})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := real.Project(t.Context(), sim.PlatformProject); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := real.Project(t.Context(), "elsewhere"); err == nil || !strings.Contains(err.Error(), "301") {
		t.Errorf("a redirect: %v", err)
	}
	if len(asked) != 3 {
		t.Errorf("asked %q", asked)
	}
}

// A project whose name is a number is not looked up by id.
func TestNumericProject(t *testing.T) {
	harbor := sim.New(sim.Ready(time.Now(), sim.DemoAccounts()), sim.Options{})
	var id int64
	harbor.Change(func(s *sim.State) { id = s.AddProject("3", false, time.Now()).ID })
	p, err := client(t, harbor).Project(t.Context(), "3")
	if err != nil || p.ID != id || p.Name != "3" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestChallenges(t *testing.T) {
	one := func(scheme string, params map[string]string) probe.Challenge {
		if params == nil {
			params = map[string]string{}
		}
		return probe.Challenge{Scheme: scheme, Params: params}
	}
	for _, test := range []struct {
		headers []string
		want    []probe.Challenge
	}{
		{nil, nil},
		{[]string{""}, nil},
		{[]string{`Basic realm="harbor-registry-basic-realm"`}, []probe.Challenge{one("basic", map[string]string{"realm": "harbor-registry-basic-realm"})}},
		{[]string{`Bearer realm="https://h/service/token",service="harbor-registry"`}, []probe.Challenge{
			one("bearer", map[string]string{"realm": "https://h/service/token", "service": "harbor-registry"}),
		}},
		{[]string{`Negotiate, bEaReR ReAlM = "a, b \"c\"" , service=x`, "Basic"}, []probe.Challenge{
			one("negotiate", nil), one("bearer", map[string]string{"realm": `a, b "c"`, "service": "x"}), one("basic", nil),
		}},
		{[]string{`Bearer realm="unfinished`}, []probe.Challenge{one("bearer", map[string]string{"realm": "unfinished"})}},
		{[]string{`Bearer service="a", service="b"`}, []probe.Challenge{one("bearer", map[string]string{"service": "a"})}},
	} {
		if diff := cmp.Diff(test.want, challenges(test.headers)); diff != "" {
			t.Errorf("%q: %s", test.headers, diff)
		}
	}
}

func FuzzChallenges(f *testing.F) {
	for _, seed := range []string{`Bearer realm="https://h/service/token",service="harbor-registry"`, `Basic realm="x\"y"`, "a=b,c", "\x00(", `B "`, "Basic =="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		list := challenges([]string{header, header})
		if len(list) > maxChallenges {
			t.Errorf("%d challenges", len(list))
		}
		for _, c := range list {
			if c.Scheme == "" || len(c.Params) > maxParams || strings.ToLower(c.Scheme) != c.Scheme {
				t.Errorf("challenge %+v", c)
			}
			for name, value := range c.Params {
				if name == "" || strings.ContainsAny(value, "\x1b\x00\n") {
					t.Errorf("parameter %q=%q", name, value)
				}
			}
		}
	})
}

func token(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestAllowed(t *testing.T) {
	for _, test := range []struct {
		claims string
		want   []string
		bad    bool
	}{
		{`{"access":[{"type":"repository","name":"p/r","actions":["pull","push"]}]}`, []string{"pull", "push"}, false},
		{`{"access":[{"type":"repository","name":"other/r","actions":["push"]},{"type":"registry","name":"p/r","actions":["push"]}]}`, nil, false},
		{`{"access":[{"type":"repository","name":"p/r","actions":[]}]}`, nil, false},
		{`{"access":null}`, nil, false},
		{`{}`, nil, false},
		{`[]`, nil, true},
		{`{"access":[{"type":"repository","name":"p/r","actions":"push"}]}`, nil, true},
	} {
		got, err := allowed(token(test.claims), "p/r")
		if !slices.Equal(got, test.want) || (err != nil) != test.bad {
			t.Errorf("%s: %q, %v", test.claims, got, err)
		}
	}
	padded := "e30." + base64.URLEncoding.EncodeToString([]byte(`{"access":[{"type":"repository","name":"p/r","actions":["push"]}]} `)) + ".x"
	if got, err := allowed(padded, "p/r"); err != nil || len(got) != 1 {
		t.Errorf("with padding: %q, %v", got, err)
	}
}

func FuzzAllowed(f *testing.F) {
	f.Add(token(`{"access":[{"type":"repository","name":"p/r","actions":["pull","push"]}]}`))
	f.Add("a.b.c")
	f.Add("..")
	f.Add(token(`{"access":[{"type":"repository","name":"p/r","actions":["\u001b[2J"]}]}`))
	f.Fuzz(func(t *testing.T, text string) {
		actions, err := allowed(text, "p/r")
		if err != nil && (len(actions) > 0 || strings.Contains(err.Error(), text) && len(text) > 8) {
			t.Errorf("%q, %v", actions, err)
		}
		for _, a := range actions {
			if a == "" || strings.ContainsAny(a, "\x1b\x00\n") {
				t.Errorf("action %q", a)
			}
		}
	})
}
