package access_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/access"
	"github.com/254carbon/gonogo/actions/actiontest"
	"github.com/254carbon/gonogo/actions/apply"
	client "github.com/254carbon/gonogo/internal/platform/cloudflare"
	"github.com/254carbon/gonogo/internal/platform/transport"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/internal/sim/cloudflare"
	simedge "github.com/254carbon/gonogo/internal/sim/edge"
	"github.com/254carbon/gonogo/internal/sim/simtest"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/edge"
)

// world is the simulated platform with the action over it. The account is asked without pauses between requests.
type world struct {
	simtest.World
	params  access.Params
	deps    access.Deps
	writes  atomic.Int64 // requests to the account that were no reads
	log     []string     // of those
	secrets []string     // that were asked to be hidden
}

func start(t *testing.T) *world {
	t.Helper()
	base := simtest.Start(t, sim.Options{})
	s, x := base.Sim, base.Platform
	declared, _ := base.Profile.Action("sso")
	w := &world{World: base, params: *declared.Params.(*access.Params)}
	w.params.Patience = time.Second
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.writes.Add(1)
			w.log = append(w.log, r.Method+" "+r.URL.Path)
		}
		s.Cloudflare.ServeHTTP(rw, r)
	}))
	t.Cleanup(api.Close)
	tokens := cloudflare.DemoCredentials()
	token := func(value string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return value, nil }
	}
	c, err := client.New(client.Options{
		BaseURL: api.URL + "/client/v4", Transport: transport.New(transport.Options{}), Account: token(cloudflare.AccountID), Token: token(tokens.Reader), Rate: 1000,
	})
	simtest.Must(t, err)
	w.deps = access.Deps{
		API: c.Writer(token(tokens.Platform)), Folder: t.TempDir(), Now: s.Now, Pause: quick,
		Outside: func(team, host string, paths []string) probes.Probe {
			return edge.New(x.Outside, edge.Params{Team: team, Hosts: []string{host}, Paths: paths}, s.Now)
		},
		Visit: x.Outside.Visit, Hide: func(secret string) { w.secrets = append(w.secrets, secret) },
		Apply: func(p apply.Params) actions.Action {
			return apply.New(actions.Spec{ID: "sso", Kind: "sso"}, p, apply.Deps{Cluster: x.Cluster.Writer(), Pause: quick})
		},
	}
	return w
}

var quick = simtest.Pause(10 * time.Millisecond)

func (w *world) action() actions.Action {
	return access.New(actions.Spec{ID: "sso", Kind: "sso", Title: "Deploy SSO"}, w.params, w.deps)
}

func (w *world) plan(t *testing.T, inputs ...string) actions.Plan {
	t.Helper()
	in := actions.Inputs{}
	for _, i := range inputs {
		name, value, _ := strings.Cut(i, "=")
		in[name] = value
	}
	a := w.action()
	in, err := a.Spec().Settle(in)
	simtest.Must(t, err)
	p, err := a.Plan(t.Context(), in)
	simtest.Must(t, err)
	p.Inputs = in
	simtest.Must(t, p.Validate())
	return p
}

// carry carries a plan out in a process of its own, and goes on after a failure as an engine does.
func (w *world) carry(t *testing.T, p actions.Plan) (errs []error, said string) {
	t.Helper()
	out := &actiontest.Told{}
	d, err := w.action().Open(t.Context(), p, t.TempDir())
	simtest.Must(t, err)
	failed := map[string]bool{}
	for _, s := range p.Steps {
		if slices.ContainsFunc(s.Needs, func(id string) bool { return failed[id] }) {
			failed[s.ID] = true
			continue
		}
		if err := d.Do(t.Context(), s, out); err != nil {
			errs, failed[s.ID] = append(errs, err), true
			if !s.Lenient {
				break
			}
		}
	}
	simtest.Must(t, d.Close())
	return errs, strings.Join(out.Lines(), "\n")
}

// counts are how many self-hosted applications, policies and providers there are.
func (w *world) counts() (counts [3]int) {
	w.Cloudflare.Change(func(s *cloudflare.State) { counts = [3]int{len(s.Apps), len(s.Policies), len(s.Providers)} })
	return counts
}

// has gives the account an application with a policy.
func (w *world) has(host, name string, app map[string]any, policies ...map[string]any) {
	w.Cloudflare.Change(func(s *cloudflare.State) {
		refs := []any{}
		for _, p := range policies {
			s.NextID++
			if p["id"] == nil {
				p["id"] = fmt.Sprintf("policy-%d", s.NextID)
				s.Policies = append(s.Policies, p)
			}
			refs = append(refs, map[string]any{"id": p["id"], "precedence": float64(len(refs) + 1)})
		}
		s.NextID++
		o := map[string]any{
			"id": fmt.Sprintf("app-%d", s.NextID), "aud": fmt.Sprintf("%064x", s.NextID), "type": "self_hosted", "name": name, "domain": host,
			"created_at": "2025-01-01T00:00:00Z", "logo_url": "https://logo", "policies": refs,
		}
		maps.Copy(o, app)
		s.Apps = append(s.Apps, o)
	})
}

func policy(name, decision string, include ...any) map[string]any {
	return map[string]any{"name": name, "decision": decision, "include": include, "exclude": []any{}, "require": []any{}}
}

func email(address string) any { return map[string]any{"email": map[string]any{"email": address}} }
func at(domain string) any {
	return map[string]any{"email_domain": map[string]any{"domain": domain}}
}

var everyone = map[string]any{"everyone": map[string]any{}}

// snapshot is the account as text, without what numbers it.
func (w *world) snapshot(t *testing.T) string {
	t.Helper()
	var text []byte
	w.Cloudflare.Change(func(s *cloudflare.State) {
		var err error
		text, err = json.Marshal([]any{s.Apps, s.Policies, s.Providers})
		simtest.Must(t, err)
	})
	return string(text)
}

// of is the application of a host and the policies that it refers to, as text.
func (w *world) of(t *testing.T, host string) string {
	t.Helper()
	var text string
	w.Cloudflare.Change(func(s *cloudflare.State) {
		for _, app := range s.Apps {
			if app["domain"] != host {
				continue
			}
			raw, err := json.Marshal(app)
			simtest.Must(t, err)
			text += string(raw)
			for _, ref := range app["policies"].([]any) {
				for _, p := range s.Policies {
					if p["id"] == ref.(map[string]any)["id"] {
						raw, err := json.Marshal(p)
						simtest.Must(t, err)
						text += "\n" + string(raw)
					}
				}
			}
		}
	})
	return text
}

func TestSignOnIsSetUp(t *testing.T) {
	var w *world
	actiontest.Suite(t, actiontest.Options{
		New:     func(t *testing.T) actions.Action { w = start(t); return w.action() },
		Inputs:  actions.Inputs{"email": "ops@254carbon.com"},
		Writes:  func() int { return int(w.writes.Load()) },
		Secrets: func() []string { d := cloudflare.DemoCredentials(); return []string{d.Platform, d.Reader} },
	})
	if got := w.counts(); got != [3]int{10, 10, 1} {
		t.Errorf("applications, policies, providers: %v", got)
	}
	for _, id := range []probes.ID{"access-apps", "access-otp", "services-protected", "routes-covered"} {
		if r := w.Ask(t, id); r.Status != probes.Pass {
			t.Errorf("%s: %s: %s (%v)", id, r.Status, r.Summary, r.Err)
		}
	}
}

// One in five answers is lost after the request had its effect, and still nothing is made twice.
func TestLostAnswersMakeNothingTwice(t *testing.T) {
	w := start(t)
	var n atomic.Int64
	w.Cloudflare.Lose(func(*http.Request) bool { return n.Add(1)%5 == 2 })
	for range 2 {
		if errs, said := w.carry(t, w.plan(t)); len(errs) > 0 {
			t.Fatalf("%v\n%s", errs, said)
		}
	}
	if got := w.counts(); got != [3]int{10, 10, 1} {
		t.Errorf("applications, policies, providers: %v", got)
	}
	posts := slices.DeleteFunc(slices.Clone(w.log), func(line string) bool { return !strings.HasPrefix(line, "POST") })
	if len(posts) != 21 {
		t.Errorf("%d things made: %v", len(posts), w.log)
	}
}

func TestDriftIsADifference(t *testing.T) {
	w := start(t)
	if errs, said := w.carry(t, w.plan(t)); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	w.Cloudflare.Change(func(s *cloudflare.State) {
		for _, app := range s.Apps {
			if app["domain"] == "grafana.254carbon.com" {
				app["session_duration"], app["name"], app["allowed_idps"] = "720h", "Grafana", []any{}
			}
		}
		for _, p := range s.Policies {
			if p["name"] == "Allow Vault Access" {
				p["include"] = []any{everyone, at("254carbon.com")}
			}
		}
	})
	var got []string
	for _, s := range w.plan(t).Steps {
		if s.Effect != actions.Reads {
			got = append(got, s.Title+": "+strings.Join(s.Detail, "; "))
		}
	}
	want := []string{
		"Change the application of grafana.254carbon.com: name: Grafana → Grafana.254Carbon; session: 720h → 24h; logins: any → onetimepin",
		"Change the policy Allow Vault Access: include: email_domain 254carbon.com, everyone → email_domain 254carbon.com",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestHostsLeftOpenAreListed(t *testing.T) {
	w := start(t)
	w.params.Also = nil
	if notes := strings.Join(w.plan(t).Notes, "\n"); !strings.Contains(notes, "without an application, open to anyone: www.254carbon.com, mlflow.254carbon.com, spark-history.254carbon.com") {
		t.Error(notes)
	}
}

// A token that lacks a permission is refused before anything is changed, whether it may say what it lacks or not.
func TestAMissingPermissionIsNamed(t *testing.T) {
	for _, lacks := range []string{cloudflare.AppsEdit, cloudflare.OrgEdit} {
		for _, tells := range []bool{true, false} {
			w := start(t)
			before := w.snapshot(t)
			w.Cloudflare.Change(func(s *cloudflare.State) {
				token := s.Token(cloudflare.DemoCredentials().Platform)
				token.Permissions = slices.DeleteFunc(slices.Clone(token.Permissions), func(p string) bool { return p == lacks || !tells && p == cloudflare.TokensRead })
			})
			p := w.plan(t)
			said := strings.Join(p.Missing, "\n")
			if !tells {
				if len(p.Missing) > 0 {
					t.Fatalf("missing: %v", p.Missing)
				}
				errs, _ := w.carry(t, p)
				if len(errs) != 1 {
					t.Fatalf("%v", errs)
				}
				said = errs[0].Error()
			}
			if !strings.Contains(said, lacks) {
				t.Errorf("%q does not name %q", said, lacks)
			}
			if w.snapshot(t) != before {
				t.Error("something was changed")
			}
		}
	}
}

func TestGoingBack(t *testing.T) {
	w := start(t)
	w.has("grafana.254carbon.com", "Grafana", map[string]any{"session_duration": "720h"}, policy("Allow Grafana Access", "allow", everyone))
	if _, err := w.action().Plan(t.Context(), actions.Inputs{"rollback": "true"}); err == nil || !strings.Contains(err.Error(), "nothing to go back to") {
		t.Errorf("%v", err)
	}
	before := w.of(t, "grafana.254carbon.com")
	if errs, said := w.carry(t, w.plan(t)); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	w.Cloudflare.Change(func(s *cloudflare.State) {
		for _, app := range s.Apps {
			if app["domain"] == "minio.254carbon.com" { // somebody goes on from there
				app["session_duration"] = "1h"
			}
		}
	})
	p := w.plan(t, "rollback=true")
	if p.Worst() != actions.Deletes || !strings.Contains(strings.Join(p.Notes, "\n"), "application minio.254carbon.com is not as that run left it, and stays") {
		t.Errorf("%s\n%v", p.Worst(), p.Notes)
	}
	if notes := strings.Join(p.Notes, "\n"); !strings.Contains(notes, "the policy Allow MinIO Access stays, since the application MinIO.254Carbon refers to it") ||
		!strings.Contains(notes, "the login method onetimepin stays") {
		t.Error(notes)
	}
	if errs, said := w.carry(t, p); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	was, is := facts(t, before), facts(t, w.of(t, "grafana.254carbon.com"))
	for _, field := range []string{"id", "aud", "name", "session_duration", "logo_url", "policies"} {
		if fmt.Sprint(was[field]) != fmt.Sprint(is[field]) {
			t.Errorf("%s was %v and is %v", field, was[field], is[field])
		}
	}
	if got := w.counts(); got != [3]int{2, 2, 1} {
		t.Errorf("applications, policies, providers: %v", got)
	}
	if !strings.Contains(w.of(t, "grafana.254carbon.com"), "everyone") {
		t.Error("the policy is not as it was")
	}
}

// What is seen from outside is told apart for each host.
func TestEachHostHasItsVerdict(t *testing.T) {
	w := start(t)
	w.params.Patience = 300 * time.Millisecond
	quirks := map[string]simedge.Quirk{
		"grafana": simedge.Leaks, "superset": simedge.OtherTeam, "datahub": simedge.Challenge, "trino": simedge.ForgedMeta, "doris": simedge.Disconnected,
	}
	for host, quirk := range quirks {
		w.Edge.Set(host+".254carbon.com", quirk)
	}
	errs, said := w.carry(t, w.plan(t))
	if len(errs) != len(quirks) {
		t.Errorf("%d errors: %v", len(errs), errs)
	}
	text := fmt.Sprint(errs)
	for _, says := range []string{
		"grafana.254carbon.com is not proven protected within 300ms: open", "superset.254carbon.com is not proven protected within 300ms: the login of another team",
		"datahub.254carbon.com is not proven protected within 300ms: inconclusive", "trino.254carbon.com is not proven protected within 300ms: forged",
		"doris.254carbon.com is not proven protected within 300ms: down",
	} {
		if !strings.Contains(text, says) {
			t.Errorf("%q is not among %v", says, errs)
		}
	}
	for _, host := range []string{"portal", "www", "vault", "minio", "dolphin", "lakefs", "mlflow", "spark-history"} {
		if !strings.Contains(said, host+".254carbon.com is protected") {
			t.Errorf("%s is not said to be protected:\n%s", host, said)
		}
	}
}

func TestABlockIsWaitedFor(t *testing.T) {
	w := start(t)
	p := w.plan(t)
	w.deps.API = blocked{w.deps.API, &atomic.Int64{}, &atomic.Int64{}}
	waited := 0
	w.deps.Pause = func(ctx context.Context, d time.Duration) error {
		if d > time.Minute {
			waited++
		}
		return quick(ctx, d)
	}
	if errs, said := w.carry(t, p); len(errs) > 0 || waited != 1 || !strings.Contains(said, "Cloudflare takes no requests of this token for a while") {
		t.Errorf("%v, waited %d times\n%s", errs, waited, said)
	}
}

// blocked refuses to send the third thing to make, once.
type blocked struct {
	access.API
	made, listed *atomic.Int64
}

// List is blocked once too.
func (b blocked) List(ctx context.Context, k access.Kind) ([]access.Object, error) {
	if b.made.Load() == 5 && b.listed.Add(1) == 1 {
		return nil, &access.BlockedError{Err: context.DeadlineExceeded, Until: sim.Epoch.Add(5 * time.Minute)}
	}
	return b.API.List(ctx, k)
}

func (b blocked) Create(ctx context.Context, k access.Kind, body access.Object) (access.Object, error) {
	if b.made.Add(1) == 3 {
		return nil, &access.BlockedError{Err: context.DeadlineExceeded, Until: sim.Epoch.Add(5 * time.Minute)}
	}
	return b.API.Create(ctx, k, body)
}

// A program is let in for a moment, and nothing of that is left, whatever comes of it.
func TestAWayIn(t *testing.T) {
	w := start(t)
	errs, said := w.carry(t, w.plan(t, "positive=true"))
	if len(errs) > 0 || !strings.Contains(said, "portal.254carbon.com answers 200 OK to a program with the token") || len(w.secrets) != 1 || strings.Contains(said, w.secrets[0]) {
		t.Errorf("%v %d\n%s", errs, len(w.secrets), said)
	}
	left := func() {
		t.Helper()
		w.Cloudflare.Change(func(s *cloudflare.State) {
			if len(s.Services) > 0 || len(s.Policies) != 10 {
				t.Errorf("left: %d tokens, %d policies", len(s.Services), len(s.Policies))
			}
		})
		if again := w.plan(t); again.Changes() != 0 {
			t.Errorf("a second plan has changes: %+v", again.Steps)
		}
	}
	left()
	w.params.Patience = 300 * time.Millisecond
	w.Edge.Set("portal.254carbon.com", simedge.Challenge)
	if errs, _ := w.carry(t, w.plan(t, "positive=true")); len(errs) != 2 || !strings.Contains(fmt.Sprint(errs), "does not let a program with a token in after 300ms: 403 Forbidden by Access") {
		t.Errorf("%v", errs)
	}
	left()
	w.Edge.Set("portal.254carbon.com", "")
	var n atomic.Int64
	w.Cloudflare.Lose(func(*http.Request) bool { return n.Add(1)%3 == 0 }) // and every third answer is lost
	_, _ = w.carry(t, w.plan(t, "positive=true"))
	w.Cloudflare.Lose(nil)
	left()
	ended, cancel := context.WithCancel(t.Context()) // in the middle of it
	w.deps.Visit = func(ctx context.Context, _ string, _ http.Header) (*http.Response, error) {
		cancel()
		return nil, ctx.Err()
	}
	p := w.plan(t, "positive=true")
	d, err := w.action().Open(t.Context(), p, t.TempDir())
	simtest.Must(t, err)
	s, _ := p.Step("positive")
	if err := d.Do(ended, s, &actiontest.Told{}); err == nil {
		t.Error("it is done although it was cancelled")
	}
	left()
}

// The services' own part is applied, the fields that the profile names and no others.
func TestTheServicesOwnPart(t *testing.T) {
	w := start(t)
	w.params.Integrations = []map[string]any{{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"namespace": "monitoring", "name": "grafana-login"}, "data": map[string]any{"GF_AUTH_JWT_ENABLED": "true"},
	}}
	simtest.Must(t, w.params.Validate())
	if errs, said := w.carry(t, w.plan(t)); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	o, err := w.Kube.Get(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, "monitoring", "grafana-login")
	if data, _ := o["data"].(map[string]any); err != nil || data["GF_AUTH_JWT_ENABLED"] != "true" {
		t.Errorf("%v %v", o, err)
	}
	if again := w.plan(t); again.Changes() != 0 {
		t.Errorf("a second plan has changes: %+v", again.Steps)
	}
	w.params.Integrations[0]["metadata"].(map[string]any)["annotations"] = map[string]any{
		"nginx.ingress.kubernetes.io/auth-url": "https://qagi.cloudflareaccess.com/cdn-cgi/access/authorize",
	}
	if err := w.params.Validate(); err == nil || !strings.Contains(err.Error(), "which loops") {
		t.Errorf("%v", err)
	}
}

func TestParamsAreRefused(t *testing.T) {
	good := func() *access.Params {
		p := access.Info().Params().(*access.Params)
		p.Team, p.Apps, p.Allow.Emails = "t", []access.App{{Host: "a.b", Name: "A", Policy: "P"}}, []string{"a@b.c"}
		return p
	}
	simtest.Must(t, good().Validate())
	for says, change := range map[string]func(*access.Params){
		"neither the name of a team":  func(p *access.Params) { p.Team = "https://x" },
		"apps is empty":               func(p *access.Params) { p.Apps = nil },
		"allow names nobody":          func(p *access.Params) { p.Allow = access.Allow{} },
		"login is empty":              func(p *access.Params) { p.Login = "" },
		"not the name of a host":      func(p *access.Params) { p.Apps[0].Host = "https://a" },
		"is there twice":              func(p *access.Params) { p.Apps = append(p.Apps, p.Apps[0]) },
		"needs a name and a policy":   func(p *access.Params) { p.Apps[0].Policy = "" },
		"no length of time":           func(p *access.Params) { p.Apps[0].Session = "soon" },
		"not the host of an applicat": func(p *access.Params) { p.Also = map[string][]string{"x.y": {"z.y"}} },
		"operator":                    func(p *access.Params) { p.Operator = "me" },
		"patience must be longer":     func(p *access.Params) { p.Patience = 0 },
		"programs: each needs":        func(p *access.Params) { p.Programs = []access.Program{{}} },
		"programs: q.r is not the hos": func(p *access.Params) {
			p.Programs = []access.Program{{Policy: "p", Tokens: []string{"t"}, Hosts: []string{"q.r"}}}
		},
	} {
		p := good()
		change(p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}
