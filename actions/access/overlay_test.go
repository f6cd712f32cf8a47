package access_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/access"
	"github.com/254carbon/gonogo/actions/actiontest"
	"github.com/254carbon/gonogo/internal/sim/cloudflare"
	"github.com/254carbon/gonogo/internal/sim/simtest"
	"github.com/254carbon/gonogo/probes"
)

// Whatever is stricter than declared stays, byte by byte.
func TestWhatIsStricterIsNotWeakened(t *testing.T) {
	w := start(t)
	w.has("vault.254carbon.com", "Vault.254Carbon", map[string]any{"session_duration": "30m"}, policy("Vault admins", "allow", email("root@254carbon.com")))
	w.has("trino.254carbon.com", "Trino.254Carbon", map[string]any{"session_duration": "8h"},
		policy("Allow Trino Access", "allow", email("a@254carbon.com"), email("b@254carbon.com")))
	strict := policy("No contractors", "deny", email("x@254carbon.com"))
	w.has("doris.254carbon.com", "Doris.254Carbon", nil, policy("Allow Doris Access", "allow", everyone), strict)
	vault := w.of(t, "vault.254carbon.com")
	p := w.plan(t)
	if errs, said := w.carry(t, p); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	was, is := facts(t, vault), facts(t, w.of(t, "vault.254carbon.com"))
	delete(is, "allowed_idps")
	delete(is, "destinations")
	for field, value := range was {
		if field != "created_at" && fmt.Sprint(is[field]) != fmt.Sprint(value) {
			t.Errorf("vault: %s was %v and is %v", field, value, is[field])
		}
	}
	if got := w.of(t, "trino.254carbon.com"); !strings.Contains(got, "a@254carbon.com") || strings.Contains(got, "email_domain") || !strings.Contains(got, "login_method") {
		t.Errorf("trino: %s", got)
	}
	doris := w.of(t, "doris.254carbon.com")
	if !strings.Contains(doris, "No contractors") || strings.Contains(doris, "everyone") || !strings.Contains(doris, "254carbon.com") || !strings.Contains(doris, "https://logo") {
		t.Errorf("doris: %s", doris)
	}
	notes := strings.Join(p.Notes, "\n")
	for _, says := range []string{
		"vault.254carbon.com lets people in by Vault admins and not by \"Allow Vault Access\"", "a login at vault.254carbon.com lasts 30m",
		"the policy Allow Trino Access lets in fewer than declared and stays so: --set widen=true adds email_domain 254carbon.com",
	} {
		if !strings.Contains(notes, says) {
			t.Errorf("%q is not in the notes:\n%s", says, notes)
		}
	}
	if again := w.plan(t); again.Changes() != 0 {
		t.Errorf("a second plan has changes: %+v", again.Steps)
	}
	if errs, said := w.carry(t, w.plan(t, "widen=true")); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	if got := w.of(t, "vault.254carbon.com"); !strings.Contains(got, "Vault admins") || !strings.Contains(got, "Allow Vault Access") || !strings.Contains(got, `"precedence":2`) {
		t.Errorf("vault, made wider: %s", got)
	}
	if got := w.of(t, "trino.254carbon.com"); !strings.Contains(got, "email_domain") {
		t.Errorf("trino, made wider: %s", got)
	}
	for _, id := range []probes.ID{"access-otp", "services-protected"} {
		if r := w.Ask(t, id); r.Status != probes.Pass {
			t.Errorf("%s: %s: %s (%v)", id, r.Status, r.Summary, r.Err)
		}
	}
}

func facts(t *testing.T, text string) map[string]any {
	t.Helper()
	line, _, _ := strings.Cut(text, "\n")
	var o map[string]any
	simtest.Must(t, json.Unmarshal([]byte(line), &o))
	return o
}

// Wherever a run ends, no host that had a login before is without one, and no application is without a policy.
func TestACrashLeavesNothingMoreOpen(t *testing.T) {
	w := start(t)
	w.has("vault.254carbon.com", "Vault.254Carbon", nil, policy("Vault admins", "allow", email("root@254carbon.com")))
	w.has("grafana.254carbon.com", "Grafana", map[string]any{"session_duration": "720h"}, policy("Allow Grafana Access", "allow", at("254carbon.com")))
	p := w.plan(t)
	closed := map[string]bool{"vault.254carbon.com": true, "grafana.254carbon.com": true}
	for _, s := range p.Steps {
		if s.Effect == actions.Reads {
			continue
		}
		d, err := w.action().Open(t.Context(), p, t.TempDir()) // a process that ends after one step
		simtest.Must(t, err)
		simtest.Must(t, d.Do(t.Context(), s, &actiontest.Told{}))
		simtest.Must(t, d.Close())
		for _, app := range w.params.Apps {
			guard := w.Cloudflare.Guard(app.Host, "/")
			if closed[app.Host] && (guard == nil || guard.Bypassed) {
				t.Errorf("after %s, %s is open", s.ID, app.Host)
			}
			closed[app.Host] = guard != nil
		}
		w.Cloudflare.Change(func(st *cloudflare.State) {
			for _, app := range st.Apps {
				if refs, _ := app["policies"].([]any); len(refs) == 0 {
					t.Errorf("after %s, %s has no policy", s.ID, app["domain"])
				}
			}
		})
	}
	if again := w.plan(t); again.Changes() != 0 {
		t.Errorf("a second plan has changes: %+v", again.Steps)
	}
}

func TestTheOperatorIsNotLockedOut(t *testing.T) {
	for address, says := range map[string]string{
		"ops@elsewhere.org":    "ops@elsewhere.org would be kept out by a policy for email_domain 254carbon.com",
		"known@elsewhere.org":  "would be kept out",
		"known@254carbon.com":  "",
		"nobody@254carbon.com": "",
	} {
		w := start(t)
		w.Cloudflare.Change(func(s *cloudflare.State) { s.Users = []string{"known@elsewhere.org", "known@254carbon.com"} })
		errs, said := w.carry(t, w.plan(t, "email="+address))
		switch {
		case says == "" && len(errs) > 0:
			t.Errorf("%s: %v\n%s", address, errs, said)
		case says != "" && (len(errs) != 1 || !strings.Contains(errs[0].Error(), says)):
			t.Errorf("%s: %v\n%s", address, errs, said)
		case says != "" && w.counts() != [3]int{0, 0, 1}:
			t.Errorf("%s: %v was made", address, w.counts())
		}
	}
	var input *actions.InputError
	if _, err := start(t).action().Plan(t.Context(), actions.Inputs{"email": "me"}); !errors.As(err, &input) {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeMeantIsLeft(t *testing.T) {
	w := start(t)
	w.has("vault.254carbon.com", "one", nil, policy("p1", "allow", everyone))
	w.has("Vault.254Carbon.com", "two", nil, policy("p2", "allow", everyone))
	w.has("*.254carbon.com", "all", nil, policy("p3", "allow", email("root@254carbon.com")))
	w.has("minio.254carbon.com", "MinIO.254Carbon", map[string]any{"policies": []any{map[string]any{
		"id": "own", "name": "of its own", "decision": "allow", "precedence": float64(1), "include": []any{everyone},
	}}})
	w.has("lakefs.254carbon.com", "LakeFS.254Carbon", map[string]any{"something_new": true}, policy("p4", "allow", everyone))
	p := w.plan(t)
	notes := strings.Join(p.Notes, "\n")
	for _, says := range []string{
		"vault.254carbon.com has several applications", "portal.254carbon.com is covered by the application *.254carbon.com, whose policies may be stricter",
		"minio.254carbon.com has policies of its own", "lakefs.254carbon.com has fields that gonogo does not know (something_new)",
	} {
		if !strings.Contains(notes, says) {
			t.Errorf("%q is not in the notes:\n%s", says, notes)
		}
	}
	for _, s := range p.Steps {
		if s.Effect != actions.Reads && s.Target != "onetimepin" {
			t.Errorf("it would do %s", s.ID)
		}
	}
}

func TestProgramsComeFirst(t *testing.T) {
	w := start(t)
	w.params.Programs = []access.Program{{Policy: "Programs of Trino", Tokens: []string{"jdbc"}, Hosts: []string{"trino.254carbon.com"}}}
	if missing := strings.Join(w.plan(t).Missing, "\n"); !strings.Contains(missing, "the service token jdbc: there are 0 of that name") {
		t.Error(missing)
	}
	w.Cloudflare.Change(func(s *cloudflare.State) { s.Services = []map[string]any{{"id": "t1", "name": "jdbc"}} })
	p := w.plan(t)
	trino, _ := p.Step("applications trino.254carbon.com")
	if !slices.Contains(trino.Needs, "policies Programs of Trino") {
		t.Errorf("needs %v", trino.Needs)
	}
	if errs, said := w.carry(t, p); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	if got := w.of(t, "trino.254carbon.com"); !strings.Contains(got, "service_token") || !strings.Contains(got, `"decision":"non_identity"`) {
		t.Error(got)
	}
	if again := w.plan(t); again.Changes() != 0 {
		t.Errorf("a second plan has changes: %+v", again.Steps)
	}
}

// Nobody is shut out by two changes that are right each for itself.
func TestNobodyIsShutOutByHalves(t *testing.T) {
	w := start(t)
	google := map[string]any{"id": "google", "name": "Google", "type": "google"}
	w.Cloudflare.Change(func(s *cloudflare.State) { s.Providers = append(s.Providers, google) })
	w.has("grafana.254carbon.com", "Grafana.254Carbon", map[string]any{"allowed_idps": []any{"google"}}, policy("Allow Grafana Access", "allow", at("254carbon.com")))
	w.has("vault.254carbon.com", "Vault.254Carbon", nil, policy("Vault admins", "allow", map[string]any{"gsuite": map[string]any{"email": "a@b.c", "identity_provider_id": "google"}}))
	p := w.plan(t)
	if errs, said := w.carry(t, p); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	if got := w.of(t, "grafana.254carbon.com"); strings.Contains(got, "login_method") || !strings.Contains(got, `"allowed_idps":["google"]`) {
		t.Errorf("grafana takes logins by google alone, and its policy asks for another: %s", got)
	}
	if got := w.of(t, "vault.254carbon.com"); strings.Contains(got, `"allowed_idps":[`) {
		t.Errorf("vault's policy is for google alone, and its application takes another: %s", got)
	}
	notes := strings.Join(p.Notes, "\n")
	for _, says := range []string{"does not get to require onetimepin", "vault.254carbon.com takes any login, and stays so"} {
		if !strings.Contains(notes, says) {
			t.Errorf("%q is not in the notes:\n%s", says, notes)
		}
	}
}

// An application that lets nobody in lets nobody in afterwards.
func TestAClosedDoorStaysClosed(t *testing.T) {
	w := start(t)
	w.has("vault.254carbon.com", "Vault.254Carbon", nil)
	w.has("trino.254carbon.com", "Trino.254Carbon", nil, policy("No contractors", "deny", everyone))
	w.has("doris.254carbon.com", "Doris.254Carbon", nil, policy("Allow Doris Access", "deny", everyone))
	w.has("grafana.staging.254carbon.com", "Grafana.254Carbon", nil, policy("all", "allow", everyone))
	w.has("*.staging2.254carbon.com", "x", nil, policy("root", "allow", email("root@254carbon.com")))
	if errs, said := w.carry(t, w.plan(t)); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	for _, host := range []string{"vault", "trino", "doris"} {
		if got := w.of(t, host+".254carbon.com"); strings.Contains(got, `"decision":"allow"`) {
			t.Errorf("%s lets somebody in: %s", host, got)
		}
	}
}

// The more exact name goes before the wildcard, so that whoever the wildcard keeps out would come in by it.
func TestAWildcardIsNotUndercut(t *testing.T) {
	w := start(t)
	w.has("*.254carbon.com", "all", nil, policy("office", "bypass", map[string]any{"ip": map[string]any{"ip": "10.0.0.0/8"}}), policy("root", "allow", email("root@254carbon.com")))
	w.has("grafana.staging.254carbon.com", "Grafana.254Carbon", nil, policy("wide", "allow", everyone))
	before := w.of(t, "grafana.staging.254carbon.com")
	w.deps.Outside = nil // the bypass lets the simulated edge serve everyone
	if errs, said := w.carry(t, w.plan(t)); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	if got := w.counts(); got[0] != 2 || w.of(t, "grafana.staging.254carbon.com") != before {
		t.Errorf("%v\n%s", got, w.of(t, "grafana.staging.254carbon.com"))
	}
}

// What somebody changes between the plan and the deed, or before going back, stays.
func TestLaterHardeningStays(t *testing.T) {
	w := start(t)
	w.has("vault.254carbon.com", "Vault", map[string]any{"session_duration": "720h"}, policy("Allow Vault Access", "allow", everyone))
	harden := func(field string) {
		w.Cloudflare.Change(func(s *cloudflare.State) {
			s.Apps[0][field] = true
			s.Policies[0]["approval_required"] = true
		})
	}
	p := w.plan(t)
	harden("http_only_cookie_attribute")
	if errs, said := w.carry(t, p); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	harden("enable_binding_cookie")
	if errs, said := w.carry(t, w.plan(t, "rollback=true")); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	got := w.of(t, "vault.254carbon.com")
	for _, kept := range []string{`"http_only_cookie_attribute":true`, `"enable_binding_cookie":true`, `"approval_required":true`, `"session_duration":"720h"`, "everyone"} {
		if !strings.Contains(got, kept) {
			t.Errorf("%s is gone: %s", kept, got)
		}
	}
}

// Hosts that stand in the deprecated field alone are covered afterwards too.
func TestHostsInTheOldFormStayCovered(t *testing.T) {
	w := start(t)
	w.has("grafana.254carbon.com", "Grafana", map[string]any{"self_hosted_domains": []any{"grafana.254carbon.com", "rapids.254carbon.com"}},
		policy("Allow Grafana Access", "allow", at("254carbon.com")))
	if errs, said := w.carry(t, w.plan(t)); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	if guard := w.Cloudflare.Guard("rapids.254carbon.com", "/"); guard == nil {
		t.Errorf("rapids is open: %s", w.of(t, "grafana.254carbon.com"))
	}
}

// A policy that bypasses Access stays while the programs that pass by it could not pass otherwise, and goes when they can.
func TestProgramsAreNotStranded(t *testing.T) {
	w := start(t)
	w.params.Programs = []access.Program{{Policy: "Programs", Tokens: []string{"jdbc"}, Hosts: []string{"trino.254carbon.com"}}}
	w.Cloudflare.Change(func(s *cloudflare.State) {
		s.Services = []map[string]any{{"id": "t1", "name": "jdbc"}}
		s.Policies = append(s.Policies, map[string]any{"id": "own", "name": "Programs", "decision": "allow", "include": []any{everyone}, "exclude": []any{}, "require": []any{}})
	})
	w.has("trino.254carbon.com", "Trino.254Carbon", nil, policy("Allow Trino Access", "bypass", everyone))
	p := w.plan(t)
	if notes := strings.Join(p.Notes, "\n"); !strings.Contains(notes, "bypasses Access and stays so, since the programs of trino.254carbon.com could not pass") {
		t.Error(notes)
	}
	w.Cloudflare.Change(func(s *cloudflare.State) {
		s.Policies = slices.DeleteFunc(s.Policies, func(p map[string]any) bool { return p["id"] == "own" })
	})
	if errs, said := w.carry(t, w.plan(t)); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	got := w.of(t, "trino.254carbon.com")
	if !strings.Contains(got, "service_token") || strings.Contains(got, `"decision":"bypass"`) || !strings.Contains(got, "login_method") {
		t.Error(got)
	}
	if again := w.plan(t); again.Changes() != 0 {
		t.Errorf("a second plan has changes: %+v", again.Steps)
	}
}
