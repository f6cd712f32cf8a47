package harbor_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sim "github.com/254carbon/gonogo/internal/sim/harbor"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/harbor"
	"github.com/254carbon/gonogo/probes/probetest"
)

// mistaken is a password that nobody has.
const mistaken = "Mistaken-password-9"

func TestCredentials(t *testing.T) {
	with := func(change ...func(*world)) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe { return newWorld(t, change...).credentials() }
	}
	worlds := []probetest.World{
		{
			Name: "a person may push too", Want: probes.Pass, Says: []string{"admin"},
			New: with(func(w *world) { w.secrets["USER"], w.secrets["PASSWORD"] = "admin", sim.DemoAccounts().Admin.Password }),
		},
		{
			Name: "a secret ends in a line break, as files do", Want: probes.Pass,
			New: with(func(w *world) { w.secrets["PASSWORD"] += "\n" }),
		},
		{
			Name: "the platform has no such Secret", Want: probes.Fail, Says: []string{"no credential", "secret registry/gone/password is not set"},
			New: with(func(w *world) { w.params.Credential.Password = probes.SecretRef{Secret: "registry/gone/password"} }),
		},
		{
			Name: "the documented platform", Want: probes.Fail, Says: []string{"does not accept robot$gonogo", "anonymous"}, Shows: []string{"401"},
			New: with(func(w *world) { w.server.Change(func(s *sim.State) { *s = sim.Documented(noon, sim.DemoAccounts()) }) }),
		},
		{
			Name: "the login lacks Harbor's prefix", Want: probes.Fail, Says: []string{"does not accept docker-mirror-robot"},
			New: with(func(w *world) { w.secrets["USER"] = "docker-mirror-robot" }),
		},
		{
			Name: "refused, and gonogo's own credential is refused too", Want: probes.Fail, Says: []string{"does not accept", "wrong password, or"},
			New: with(func(w *world) { w.secrets["PASSWORD"], w.reader.Password = mistaken, mistaken }),
		},
		{
			Name: "refused, and gonogo has no credential", Want: probes.Fail, Says: []string{"does not accept", "wrong password, or"},
			New: with(func(w *world) { w.secrets["PASSWORD"], w.anon = mistaken, true }),
		},
		{
			Name: "a system robot is no robot of a project", Want: probes.Fail, Says: []string{"there is no robot account"},
			New: with(func(w *world) { w.secrets["USER"] = "robot$254carbon+gonogo" }),
		},
		{
			Name: "the project is missing, whatever gonogo's own credential may see", Want: probes.Fail, Says: []string{"nowhere does not exist"},
			New: with(func(w *world) { w.params.Project, w.reader.Password = "nowhere", mistaken }),
		},
	}
	errs := append(failures((*world).credentials),
		probetest.Failure{
			Name: "gonogo's own credential is refused", Says: []string{"gonogo's reading credential for Harbor was refused (401)", "project:read"},
			New: with(func(w *world) { w.reader.Password = mistaken }),
		},
		probetest.Failure{
			Name: "gonogo's own credential may not read projects", Says: []string{"refused (403)", "project:read"},
			New: with(func(w *world) {
				w.server.Change(func(s *sim.State) {
					s.Robot(sim.ReaderRobot).Permissions = []sim.Permission{sim.OfSystem("quota:list")}
				})
			}),
		},
		probetest.Failure{
			Name: "the variable is not set", Says: []string{"was not given", "environment variable PASSWORD is not set"},
			New: with(func(w *world) { delete(w.secrets, "PASSWORD") }),
		},
		probetest.Failure{
			Name: "the variable is empty", Says: []string{"was not given", "environment variable USER is not set"},
			New: with(func(w *world) { w.secrets["USER"] = "  " }),
		},
		probetest.Failure{
			Name: "gonogo has no credential", Says: []string{"no reading credential", "project:read"}, New: with(func(w *world) { w.anon = true }),
		},
		probetest.Failure{
			Name: "the Secret may not be read", Says: []string{"secret registry/robot/password", "forbidden"},
			New: with(func(w *world) { w.params.Credential.Password = probes.SecretRef{Secret: "registry/robot/password"} }),
		},
	)
	for _, garbage := range []struct{ name, body string }{
		{"a token service that talks about something else", `{"hello":1}`},
		{"a token service that gives no token", `{"token":"abc"}`},
		{"a token service that gives a token of rubbish", `{"token":"a.%%%.c"}`},
		{"a token service that gives half a document", `{"token":`},
	} {
		errs = append(errs, probetest.Failure{Name: garbage.name, Says: []string{"asking what robot$gonogo may do"}, New: func(t *testing.T) probes.Probe {
			w := newWorld(t)
			return w.serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/service/token" {
					answer(200, "application/json", garbage.body)(rw, r)
					return
				}
				w.server.ServeHTTP(rw, r)
			})).credentials()
		}})
	}
	probetest.Suite{
		New:    with(),
		Worlds: append(worlds, mutated("harbor-credentials", (*world).credentials)...), Errors: errs,
		Secrets: append(passwords(), mistaken), Hanging: func(t *testing.T) probes.Probe { return hanging(t).credentials() },
	}.Run(t)
}

// A refusal is remembered, and said to be; a new password is tried at once.
func TestRefusalIsRemembered(t *testing.T) {
	var logins atomic.Int32
	w := newWorld(t, func(w *world) { w.secrets["PASSWORD"] = mistaken })
	w.serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			logins.Add(1)
		}
		w.server.ServeHTTP(rw, r)
	}))
	for range 3 {
		obs, err := w.credentials().Observe(t.Context())
		if err != nil || obs.Status != probes.Fail {
			t.Fatalf("%s, %v", obs.Status, err)
		}
		if logins.Load() != 1 {
			t.Fatalf("Harbor was asked %d times", logins.Load())
		}
	}
	obs, _ := w.credentials().Observe(t.Context())
	if got := obs.Evidence[0].Got; !strings.Contains(got, "not tried again before 12:1") {
		t.Errorf("the evidence does not say when it will be tried again: %s", got)
	}
	w.secrets["PASSWORD"] = sim.DemoAccounts().Platform.Password
	if obs, err := w.credentials().Observe(t.Context()); err != nil || obs.Status != probes.Pass {
		t.Fatalf("after the password was mended: %s %s, %v", obs.Status, obs.Summary, err)
	}
}

// The probe changes nothing: no method but GET and HEAD, and no upload.
func TestReadsOnly(t *testing.T) {
	w := newWorld(t)
	w.serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead || strings.Contains(r.URL.Path, "uploads") {
			t.Errorf("the probe sent %s %s", r.Method, r.URL.Path)
		}
		w.server.ServeHTTP(rw, r)
	}))
	before, err := w.server.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []probes.Probe{w.health(), w.door(), w.credentials()} {
		if obs, err := p.Observe(t.Context()); err != nil || obs.Status != probes.Pass {
			t.Errorf("%s %s, %v", obs.Status, obs.Summary, err)
		}
	}
	after, err := w.server.Snapshot()
	if err != nil || string(before) != string(after) {
		t.Errorf("the state changed (%v):\n%s\n%s", err, before, after)
	}
}

func TestParams(t *testing.T) {
	env := probes.SecretRef{Env: "X"}
	good := harbor.CredentialsParams{Project: "254carbon", Credential: probes.Credential{Username: env, Password: env}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, project := range []string{"", "Upper", "a/b", "../x", "a b", "-a"} {
		bad := good
		bad.Project = project
		if bad.Validate() == nil {
			t.Errorf("the project %q was accepted", project)
		}
	}
	bad := good
	bad.Credential.Password = probes.SecretRef{}
	if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("a credential without a password: %v", err)
	}
	if (harbor.HealthParams{Components: []string{""}}).Validate() == nil {
		t.Error("a component without a name was accepted")
	}
	for _, k := range []probes.KindInfo{harbor.HealthKind(), harbor.DoorKind(), harbor.CredentialsKind()} {
		if k.Name == "" || k.About == "" || k.Every < time.Second || k.Timeout < time.Second || k.Confirm < 1 || k.Params() == nil {
			t.Errorf("kind %+v", k)
		}
	}
	if harbor.CredentialsKind().Confirm != 1 {
		t.Error("a refused credential would be tried again at once")
	}
}
