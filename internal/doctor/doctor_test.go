package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/report"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/internal/sim/kubeapi"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/all"
)

// ward is a simulated platform with a patient on it.
type ward struct {
	sim     *sim.Sim
	profile *profile.Profile
	options platform.Options
	machine Machine
	now     func() time.Time
}

func newWard(t *testing.T, faults string) *ward {
	t.Helper()
	s, err := sim.Start(t.Context(), sim.Options{Scenario: sim.Documented, Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	p, err := profile.Open(profile.DefaultName, all.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	return &ward{sim: s, profile: s.Profile(p), options: s.Platform(platform.Options{}), machine: Machine{StateDir: t.TempDir()}, now: s.Now}
}

func (w *ward) examine(t *testing.T) Report {
	t.Helper()
	x, err := platform.Open(w.profile, w.options)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	var checks []probes.Check
	for _, c := range w.profile.Checks() {
		p, err := all.Build(c, x)
		if err != nil {
			t.Fatal(err)
		}
		checks = append(checks, probes.Check{Spec: c.Spec, Probe: p})
	}
	return Examine(t.Context(), Patient{Profile: w.profile, Platform: x, Checks: checks, Kinds: all.Kinds(), Machine: w.machine, Now: w.now})
}

// expect fails unless there is a finding with every word.
func expect(t *testing.T, r Report, area string, state State, words ...string) Finding {
	t.Helper()
	for _, f := range r.Findings {
		text := f.Subject + " " + f.Text + " " + f.Do
		if f.Area == area && f.State == state && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			return f
		}
	}
	t.Errorf("nothing in %s is %s with %q:\n%s", area, state, words, written(t, r))
	return Finding{}
}

func written(t *testing.T, r Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteText(&b, r, report.Style{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAHealthyPlatformIsUsable(t *testing.T) {
	w := newWard(t, "")
	r := w.examine(t)
	if !r.Usable {
		t.Errorf("it is not usable:\n%s", written(t, r))
	}
	for _, area := range []string{"kubernetes", "prometheus", "harbor", "cloudflare", "checkout", "machine"} {
		expect(t, r, area, OK)
	}
	expect(t, r, "kubernetes", Note, "does not pin", "cluster: {uid: ")
	expect(t, r, "kubernetes", OK, "may list and watch everything")
	expect(t, r, "kubernetes", OK, "clock", "agree")
	for _, asked := range w.sim.Requests() {
		review := strings.HasSuffix(asked.Path, "/selfsubjectaccessreviews")
		if asked.Method != "GET" && asked.Method != "HEAD" && !review || asked.Upgrade != "" {
			t.Errorf("doctor sent %s %s", asked.Method, asked.Path)
		}
	}
}

func TestWhatIsBrokenIsNamed(t *testing.T) {
	for _, c := range []struct {
		fault, area string
		words       []string
		blind       probes.ID // a check that cannot be asked
		sees        probes.ID // one that can
	}{
		{"kubernetes=down", "kubernetes", []string{"connection refused", "kubectl works"}, "worker-nodes", "harbor-door"},
		{"kubernetes=unauthorized", "kubernetes", []string{"credential", "401"}, "worker-nodes", "harbor-door"},
		{"kubernetes=garbage", "kubernetes", []string{"not that of a Kubernetes API server"}, "worker-nodes", "harbor-door"},
		{"kubernetes=500", "kubernetes", []string{"/version"}, "worker-nodes", "harbor-door"},
		{"prometheus=500", "prometheus", []string{"500", "by hand: curl"}, "prometheus-targets", "worker-nodes"},
		{"prometheus=unauthorized", "prometheus", []string{"401"}, "prometheus-targets", "worker-nodes"},
		{"harbor=down", "harbor", []string{"connection refused"}, "harbor-healthy", "worker-nodes"},
		{"harbor=garbage", "harbor", []string{"connection"}, "harbor-healthy", "worker-nodes"},
		{"harbor=unauthorized", "harbor", []string{"reading credential", "HARBOR_PASSWORD"}, "harbor-robot", "harbor-door"},
		{"cloudflare=unauthorized", "cloudflare", []string{"reading token", "CLOUDFLARE_READ_TOKEN"}, "tunnel-connected", "worker-nodes"},
		{"cloudflare=reset", "cloudflare", []string{"verifying the reading token"}, "tunnel-connected", "worker-nodes"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			r := newWard(t, c.fault).examine(t)
			if r.Usable {
				t.Error("it is usable")
			}
			f := expect(t, r, c.area, Wrong, c.words...)
			if !slices.Contains(f.Checks, c.blind) || slices.Contains(f.Checks, c.sees) {
				t.Errorf("it keeps these from being asked: %v", f.Checks)
			}
			for _, other := range r.Findings {
				if other.Area != c.area && (other.State == Wrong || other.State == Missing) {
					t.Errorf("something else is said to be wrong: %+v", other)
				}
			}
		})
	}
}

func TestMissingSecretsAreNamed(t *testing.T) {
	w := newWard(t, "")
	known := w.options.Getenv
	w.options.Getenv = func(name string) (string, bool) {
		if name == "HARBOR_PASSWORD" || name == "CLOUDFLARE_READ_TOKEN" || name == "HARBOR_ADMIN_PASSWORD" {
			return "", false
		}
		return known(name)
	}
	r := w.examine(t)
	if f := expect(t, r, "harbor", Missing, "reading credential", "HARBOR_PASSWORD", "is not set"); !slices.Contains(f.Checks, "harbor-robot") {
		t.Errorf("checks: %v", f.Checks)
	}
	if f := expect(t, r, "cloudflare", Missing, "reading token", "CLOUDFLARE_READ_TOKEN"); !slices.Contains(f.Checks, "access-apps") {
		t.Errorf("checks: %v", f.Checks)
	}
	expect(t, r, "harbor", Note, "HARBOR_ADMIN_PASSWORD", "by hand")
}

func TestASecretThatNobodyNeedsNowIsNoFault(t *testing.T) {
	w := newWard(t, "")
	known := w.options.Getenv
	w.options.Getenv = func(name string) (string, bool) {
		if name == "GRAFANA_TOKEN" {
			return "", false
		}
		return known(name)
	}
	r := w.examine(t)
	if !r.Usable {
		t.Error("a token that Grafana does not ask for makes the profile unusable")
	}
	expect(t, r, "web", Note, "credential", "GRAFANA_TOKEN", "holds without it")
}

func TestNoSecretIsShown(t *testing.T) {
	for _, faults := range []string{"", "harbor=unauthorized,cloudflare=unauthorized,kubernetes=unauthorized"} {
		w := newWard(t, faults)
		var mu sync.Mutex // every check asks for its secrets by itself
		var secrets []string
		known := w.options.Getenv
		w.options.Getenv = func(name string) (string, bool) {
			value, ok := known(name)
			if ok && !strings.HasSuffix(name, "_USER") && !strings.HasSuffix(name, "_ID") && !strings.HasSuffix(name, "_ACCESS_KEY") {
				mu.Lock()
				secrets = append(secrets, value)
				mu.Unlock()
			}
			return value, ok
		}
		r := w.examine(t)
		var b bytes.Buffer
		if err := WriteJSON(&b, r); err != nil {
			t.Fatal(err)
		}
		shown := written(t, r) + b.String()
		if len(secrets) == 0 {
			t.Fatal("no secret was read")
		}
		for _, secret := range secrets {
			if strings.Contains(shown, secret) {
				t.Errorf("with faults %q it shows %q", faults, secret)
			}
		}
	}
}

func TestAnotherClusterThanThePinnedOne(t *testing.T) {
	w := newWard(t, "")
	w.profile.Cluster.UID = "11111111-2222-3333-4444-555555555555"
	r := w.examine(t)
	expect(t, r, "kubernetes", Wrong, "cluster", "the profile is about 11111111-2222-3333-4444-555555555555", "Choose the context")
	if r.Usable {
		t.Error("it is usable")
	}
}

func TestClocksThatAreApart(t *testing.T) {
	w := newWard(t, "")
	now := w.now
	w.now = func() time.Time { return now().Add(90 * time.Second) }
	r := w.examine(t)
	expect(t, r, "kubernetes", Wrong, "clock", "ahead", "time server")
	expect(t, r, "prometheus", Wrong, "clock", "1m30s apart")
	w.now = func() time.Time { return now().Add(-90 * time.Second) }
	expect(t, w.examine(t), "kubernetes", Wrong, "clock", "behind")
}

func TestRightsThatAreMissing(t *testing.T) {
	w := newWard(t, "")
	api := kubeapi.New(kubeapi.Options{Store: w.sim.Kube, Authorizer: func(_ kubeapi.User, a kubeapi.Attributes) (bool, string) {
		switch {
		case a.Resource == "horizontalpodautoscalers", a.Resource == "nodes" && a.Verb == "watch":
			return false, ""
		case a.Resource == "networkpolicies":
			return a.Namespace == "monitoring", ""
		case a.Subresource == "proxy":
			return a.Namespace != "vault-prod", ""
		case a.Subresource == "portforward":
			return false, ""
		}
		return true, ""
	}})
	t.Cleanup(api.Close)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	w.options.Dial, w.options.REST = nil, &rest.Config{Host: server.URL}
	keep := *w.profile
	keep.Connections = profile.Connections{}
	w.profile = &keep
	r := w.examine(t)
	expect(t, r, "kubernetes", Missing, "horizontalpodautoscalers.autoscaling", "may not list", `apiGroups: ["autoscaling"], resources: [horizontalpodautoscalers]`)
	expect(t, r, "kubernetes", Note, "right to read nodes", "may list but not watch")
	expect(t, r, "kubernetes", Missing, "networkpolicies", "in monitoring, but not in")
	expect(t, r, "kubernetes", Missing, "vault-prod/vault:8200", "services/proxy", `"http:vault:8200"`)
	expect(t, r, "harbor", Missing, "does not say where it is")
}

func TestStoresThatAreConfigured(t *testing.T) {
	w := newWard(t, "")
	w.options.Dial = nil
	minio := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/minio/health/live" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(minio.Close)
	known := w.options.Getenv
	w.options.Getenv = func(name string) (string, bool) {
		if name == "PG" {
			return "postgres://reader:hunter2@127.0.0.1:1/db?sslmode=disable", true
		}
		return known(name)
	}
	keep := *w.profile
	keep.Connections = profile.Connections{
		MinIO:    &profile.MinIO{URL: minio.URL, Read: &profile.Keys{AccessKey: probes.SecretRef{Env: "S3_ACCESS"}, SecretKey: probes.SecretRef{Env: "S3_SECRET"}}},
		Postgres: &profile.Postgres{Read: profile.DSN{DSN: probes.SecretRef{Env: "PG"}}},
	}
	w.profile = &keep
	r := w.examine(t)
	expect(t, r, "minio", OK, "MinIO is alive")
	expect(t, r, "minio", Missing, "S3_SECRET", "is not set")
	expect(t, r, "postgres", Wrong, "connection", "PG")
	if text := written(t, r); strings.Contains(text, "hunter2") {
		t.Errorf("it shows a password:\n%s", text)
	}
	keep.Connections.MinIO.URL = "http://127.0.0.1:1"
	keep.Connections.Postgres.Read.DSN.Env = "NONE"
	r = w.examine(t)
	expect(t, r, "minio", Wrong, "connection refused", "curl -i")
	expect(t, r, "postgres", Missing, "NONE")
}

func TestTheMachine(t *testing.T) {
	w := newWard(t, "")
	w.machine.History = errors.New("nfs is a network file system")
	w.machine.Environ = []string{"HTTPS_PROXY=http://me:hunter2@proxy.example:3128", "no_proxy=.svc", "TMUX=/tmp/tmux"}
	w.machine.Terminal = Terminal{Is: true, Name: "xterm", Colours: "256 colours", Width: 30, Height: 8}
	r := w.examine(t)
	expect(t, r, machineArea, Wrong, "the history is not kept", "nfs", "--state-dir")
	expect(t, r, machineArea, OK, "HTTPS_PROXY=http://proxy.example:3128", "NO_PROXY=.svc")
	expect(t, r, machineArea, Note, "30×8", "Make it larger")
	expect(t, r, machineArea, Note, "OSC 52", "set-clipboard")
	if text := written(t, r); strings.Contains(text, "hunter2") {
		t.Errorf("it shows the proxy's password:\n%s", text)
	}
	w.machine = Machine{StateDir: "/proc/nowhere", Environ: []string{"HTTP_PROXY=://"}}
	r = w.examine(t)
	expect(t, r, machineArea, Wrong, "state directory")
	expect(t, r, machineArea, Wrong, "HTTP_PROXY is no URL")
}

func TestTheReportInWords(t *testing.T) {
	r := Report{Platform: "254Carbon", Profile: "254carbon", Findings: []Finding{
		{Area: "harbor", Subject: "connection", State: OK, Text: "healthy"},
		{Area: "harbor", Subject: "reading credential", State: Missing, Text: "it is not set", Do: "Set it…", Checks: []probes.ID{"a", "b", "c", "d", "e"}},
	}}
	var b bytes.Buffer
	if err := WriteText(&b, r, report.Style{ASCII: true, Width: 60}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"+ ok", "x missing", "> Set it~", "not asked: a, b, c, d and 1 more", "1 thing does not work; 5 checks cannot be asked until then."} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, b.String())
		}
	}
	for _, c := range b.String() {
		if c >= 0x80 {
			t.Errorf("%q is not ASCII", c)
		}
	}
	var out bytes.Buffer
	if err := WriteJSON(&out, r); err != nil || !json.Valid(out.Bytes()) {
		t.Errorf("%v: %s", err, out.String())
	}
}
