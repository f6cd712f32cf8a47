package cloudflare_test

import (
	"net/http"
	"strings"
	"testing"

	sim "github.com/254carbon/gonogo/internal/sim/cloudflare"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/cloudflare"
	"github.com/254carbon/gonogo/probes/probetest"
)

const vault = "vault." + sim.Domain

// declared are the ten applications of the platform.
func declared(login string) cloudflare.AccessParams {
	p := cloudflare.AccessParams{Login: login, Allow: cloudflare.AllowParams{EmailDomains: []string{sim.Domain}}}
	for _, a := range [][4]string{
		{"portal", "254Carbon Portal", "24h", "Portal"}, {"grafana", "Grafana.254Carbon", "24h", "Grafana"}, {"superset", "Superset.254Carbon", "24h", "Superset"},
		{"datahub", "DataHub.254Carbon", "12h", "DataHub"}, {"trino", "Trino.254Carbon", "8h", "Trino"}, {"doris", "Doris.254Carbon", "8h", "Doris"},
		{"vault", "Vault.254Carbon", "2h", "Vault"}, {"minio", "MinIO.254Carbon", "8h", "MinIO"},
		{"dolphin", "DolphinScheduler.254Carbon", "12h", "DolphinScheduler"}, {"lakefs", "LakeFS.254Carbon", "12h", "LakeFS"},
	} {
		p.Apps = append(p.Apps, cloudflare.AppParams{Host: a[0] + "." + sim.Domain, Name: a[1], Session: a[2], Policy: "Allow " + a[3] + " Access"})
	}
	return p
}

func (w *world) apps() probes.Probe { return cloudflare.NewAccess(w.client, declared("")) }
func (w *world) pin() probes.Probe  { return cloudflare.NewAccess(w.client, declared("onetimepin")) }
func (w *world) routes() probes.Probe {
	return cloudflare.NewRoutes(w.client, cloudflare.RoutesParams{Tunnel: sim.TunnelName, Public: []string{"harbor." + sim.Domain}})
}

// answering lets one path be answered by another handler.
func answering(t *testing.T, suffix, body string) *world {
	w := newWorld(t)
	return w.serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, suffix) {
			answer(200, "application/json", body)(rw, r)
			return
		}
		w.server.ServeHTTP(rw, r)
	}))
}

func result(json string) string {
	return `{"success":true,"errors":[],"messages":[],"result":` + json + `,"result_info":{"page":1,"per_page":100,"total_pages":1}}`
}

// refusals are the ways in which gonogo's own token may fall short.
func refusals(probe func(*world) probes.Probe, group string, left ...string) []probetest.Failure {
	with := func(change func(*world)) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe { return probe(newWorld(t, change)) }
	}
	return []probetest.Failure{
		{Name: "gonogo's token lacks " + group, Says: []string{"gonogo's reading token", "403", group}, New: with(state(func(s *sim.State) {
			s.Token(sim.DemoCredentials().Reader).Permissions = left
		}))},
		{Name: "gonogo's token is refused", Says: []string{"gonogo's reading token", "9109"}, New: with(func(w *world) { w.reader = "unknown" })},
		{Name: "gonogo has no token", Says: []string{"no reading token"}, New: with(func(w *world) { w.noToken = true })},
		{Name: "the account is unknown", Says: []string{"account", "7003"}, New: with(func(w *world) { w.account = "ffffffffffffffffffffffffffffffff" })},
	}
}

func shaped(probe func(*world) probes.Probe, name, suffix, body string, says ...string) probetest.Failure {
	return probetest.Failure{Name: name, Says: says, New: func(t *testing.T) probes.Probe { return probe(answering(t, suffix, body)) }}
}

func TestAccessApps(t *testing.T) {
	with := func(change ...func(*world)) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe { return newWorld(t, change...).apps() }
	}
	edit := func(change func(*sim.State)) func(*testing.T) probes.Probe { return with(state(change)) }
	inline := func(policies string) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe {
			app := `{"id":"a","type":"self_hosted","name":"Vault.254Carbon","domain":"` + vault + `","session_duration":"2h","policies":[` + policies + `]}`
			w, p := answering(t, "/access/apps", result("["+app+"]")), declared("")
			p.Apps = []cloudflare.AppParams{{Host: vault, Name: "Vault.254Carbon", Session: "2h"}}
			p.Allow.Groups = []string{"g1"}
			return cloudflare.NewAccess(w.client, p)
		}
	}
	worlds := []probetest.World{
		{Name: "nothing was set up", Want: probes.Fail, Says: []string{"10 of 10 applications do not exist", "portal.254carbon.com", "and 7 more"}, New: func(t *testing.T) probes.Probe {
			w := newWorld(t)
			w.server = sim.New(sim.Documented(noon, sim.DemoCredentials()), sim.Options{Now: clock})
			return w.serve(t, w.server).apps()
		}},
		{Name: "bound by destination alone", Want: probes.Pass, New: edit(func(s *sim.State) { delete(s.App(vault), "domain") })},
		{Name: "written with a scheme and in capitals", Want: probes.Pass, New: edit(func(s *sim.State) { s.App(vault)["domain"] = "HTTPS://Vault.254carbon.com/" })},
		{Name: "an application of another type", Want: probes.Fail, Says: []string{"1 of 10 applications does not exist", vault}, New: edit(func(s *sim.State) { s.App(vault)["type"] = "ssh" })},
		{Name: "renamed", Want: probes.Fail, Says: []string{vault, `"Vault"`, "not"}, New: edit(func(s *sim.State) { s.App(vault)["name"] = "Vault" })},
		{Name: "no session means a day", Want: probes.Fail, Says: []string{"lasts 24h", "not 2h"}, New: edit(func(s *sim.State) { delete(s.App(vault), "session_duration") })},
		{Name: "policies within the application", Want: probes.Pass, New: inline(`{"id":"p","decision":"allow","include":[{"email_domain":{"domain":"254Carbon.com"}},{"group":{"id":"g1"}},{"email":{"email":"a@254carbon.com"}}]}`)},
		{Name: "a group that is not declared", Want: probes.Fail, Says: []string{"group g2"}, New: inline(`{"id":"p","decision":"allow","include":[{"group":{"id":"g2"}}]}`)},
		{Name: "a subdomain that looks alike", Want: probes.Fail, Says: []string{"everyone at 254carbon.com.example"}, New: inline(`{"id":"p","decision":"allow","include":[{"email_domain":{"domain":"254carbon.com.example"}}]}`)},
		{Name: "no rule at all", Want: probes.Fail, Says: []string{"lets in nobody"}, New: inline(`{"id":"p","decision":"allow","include":[]}`)},
		{Name: "an address", Want: probes.Fail, Says: []string{"ip 0.0.0.0/0 without a login"}, New: inline(`{"id":"p","decision":"allow","include":[{"group":{"id":"g1"}}]},{"id":"q","decision":"non_identity","include":[{"ip":{"ip":"0.0.0.0/0"}}]}`)},
		{Name: "a service token", Want: probes.Pass, New: inline(`{"id":"p","decision":"allow","include":[{"group":{"id":"g1"}}]},{"id":"q","decision":"non_identity","include":[{"service_token":{"token_id":"t"}}]}`)},
		{Name: "a policy with a longer session of its own", Want: probes.Fail, Says: []string{"last 24h, longer than 2h"}, New: inline(`{"id":"p","decision":"allow","session_duration":"24h","include":[{"group":{"id":"g1"}}]}`)},
		{Name: "denied alone", Want: probes.Fail, Says: []string{"no policy lets anybody in"}, New: inline(`{"id":"p","decision":"deny","include":[{"everyone":{}}]}`)},
	}
	errs := append(failures((*world).apps), refusals((*world).apps, "Access: Apps and Policies Read", sim.OrgRead)...)
	errs = append(errs, refusals((*world).apps, "Access: Organizations, Identity Providers, and Groups Read", sim.AppsRead)[0],
		shaped((*world).apps, "applications that are no list", "/access/apps", result(`{"id":"x"}`), "another shape"),
		shaped((*world).apps, "an application without an id", "/access/apps", result(`[{"type":"self_hosted"}]`), "another shape"),
		shaped((*world).apps, "a rule of two kinds", "/access/apps", result(`[{"id":"a","type":"self_hosted","policies":[{"id":"p","decision":"allow","include":[{"a":{},"b":{}}]}]}]`), "another shape"),
		shaped((*world).apps, "a policy that is nowhere", "/access/policies", result(`[]`), "refers to a policy"),
		shaped((*world).apps, "providers that are no list", "/access/identity_providers", result(`{}`), "another shape"),
		probetest.Failure{Name: "pages without end", Says: []string{"more than 2000"}, New: func(t *testing.T) probes.Probe {
			full := strings.TrimSuffix(strings.Repeat(`{"id":"x","type":"saas"},`, 100), ",")
			w := answering(t, "/access/apps", `{"success":true,"errors":[],"messages":[],"result":[`+full+`]}`)
			return w.apps()
		}},
	)
	probetest.Suite{
		New: with(), Worlds: append(worlds, mutated("access-apps", (*world).apps)...), Errors: errs, Secrets: secretTexts(),
		Hanging: func(t *testing.T) probes.Probe { return hanging(t).apps() },
	}.Run(t)
}

func TestAccessLogin(t *testing.T) {
	with := func(change ...func(*world)) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe { return newWorld(t, change...).pin() }
	}
	edit := func(change func(*sim.State)) func(*testing.T) probes.Probe { return with(state(change)) }
	worlds := []probetest.World{
		{Name: "another provider in its place", Want: probes.Fail, Says: []string{"no identity provider for one-time PIN"}, Shows: []string{"azureAD"}, New: edit(func(s *sim.State) {
			s.Providers[0]["type"] = "azureAD"
		})},
		{Name: "found by its type, whatever it is called", Want: probes.Pass, New: edit(func(s *sim.State) { s.Providers[0]["name"] = "" })},
		{Name: "no application", Want: probes.Fail, Says: []string{"10 of 10 applications do not exist"}, New: edit(func(s *sim.State) { s.Apps = nil })},
		{Name: "whatever the session", Want: probes.Pass, New: edit(func(s *sim.State) { s.App(vault)["session_duration"] = "700h" })},
	}
	errs := append(failures((*world).pin), refusals((*world).pin, "Access: Organizations, Identity Providers, and Groups Read", sim.AppsRead)...)
	probetest.Suite{
		New: with(), Worlds: append(worlds, mutated("access-otp", (*world).pin)...), Errors: errs, Secrets: secretTexts(),
		Hanging: func(t *testing.T) probes.Probe { return hanging(t).pin() },
	}.Run(t)
}

func TestRoutes(t *testing.T) {
	with := func(change ...func(*world)) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe { return newWorld(t, change...).routes() }
	}
	edit := func(change func(*sim.State)) func(*testing.T) probes.Probe { return with(state(change)) }
	wild := func(s *sim.State, domain string) {
		for len(s.Apps) > 0 {
			s.Apps = s.Apps[1:]
		}
		s.Apps = append(s.Apps, map[string]any{"id": "w", "aud": "w", "type": "self_hosted", "name": "All", "domain": domain, "policies": []any{}})
	}
	worlds := []probetest.World{
		{Name: "a wildcard covers all", Want: probes.Pass, Says: []string{"14 covered"}, New: edit(func(s *sim.State) { wild(s, "*."+sim.Domain) })},
		{Name: "a wildcard with a path covers nothing", Want: probes.Fail, Says: []string{"13 of 14 hosts", "portal"}, New: edit(func(s *sim.State) { wild(s, "*."+sim.Domain+"/ui") })},
		{Name: "a wildcard of another level", Want: probes.Fail, Says: []string{"13 of 14 hosts"}, New: edit(func(s *sim.State) { wild(s, "*.apps."+sim.Domain) })},
		{Name: "part of a label", Want: probes.Fail, Says: []string{"10 of 14 hosts"}, New: edit(func(s *sim.State) { wild(s, "d*."+sim.Domain) })},
		{Name: "an application with a bypass", Want: probes.Fail, Says: []string{"1 of 14 hosts", vault}, New: edit(func(s *sim.State) {
			for _, p := range s.Policies {
				if p["name"] == "Allow Vault Access" {
					p["decision"] = "bypass"
				}
			}
		})},
		{Name: "the tunnel is gone", Want: probes.Fail, Says: []string{"does not exist"}, New: edit(func(s *sim.State) { s.Tunnels = nil })},
		{Name: "one host by two paths", Want: probes.Pass, Says: []string{"14 hosts"}, New: edit(func(s *sim.State) {
			t := s.Tunnel(sim.TunnelName)
			t.Ingress = append([]sim.Ingress{t.Ingress[0]}, t.Ingress...)
		})},
	}
	errs := append(failures((*world).routes), refusals((*world).routes, "Cloudflare Tunnel Read", sim.AppsRead)...)
	errs = append(errs, refusals((*world).routes, "Access: Apps and Policies Read", sim.TunnelRead)[0],
		shaped((*world).routes, "configured in a file", "/configurations", result(`{"tunnel_id":"x","source":"local","config":null}`), "source local"),
		shaped((*world).routes, "no rules", "/configurations", result(`{"source":"cloudflare","config":{}}`), "another shape"),
		shaped((*world).routes, "rules that are none", "/configurations", result(`{"source":"cloudflare","config":{"ingress":[{"hostname":"x"}]}}`), "another shape"),
	)
	probetest.Suite{
		New: with(), Worlds: append(worlds, mutated("routes-covered", (*world).routes)...), Errors: errs, Secrets: secretTexts(),
		Hanging: func(t *testing.T) probes.Probe { return hanging(t).routes() },
	}.Run(t)
}

func TestAccessParams(t *testing.T) {
	good := cloudflare.AppParams{Host: vault, Name: "Vault", Session: "2h"}
	for name, p := range map[string]cloudflare.AccessParams{
		"no application":   {Login: "onetimepin"},
		"nobody":           {Apps: []cloudflare.AppParams{good}},
		"twice":            {Login: "x", Apps: []cloudflare.AppParams{good, good}},
		"a URL":            {Login: "x", Apps: []cloudflare.AppParams{{Host: "https://" + vault, Name: "Vault"}}},
		"an address":       {Login: "x", Apps: []cloudflare.AppParams{{Host: "10.0.0.1", Name: "Vault"}}},
		"no name":          {Login: "x", Apps: []cloudflare.AppParams{{Host: vault}}},
		"a session of air": {Login: "x", Apps: []cloudflare.AppParams{{Host: vault, Name: "Vault", Session: "long"}}},
	} {
		if p.Validate() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if err := declared("").Validate(); err != nil {
		t.Error(err)
	}
	for name, p := range map[string]cloudflare.RoutesParams{
		"no tunnel": {}, "two": {Tunnel: "a", TunnelID: sim.TunnelID}, "no id": {TunnelID: "a"}, "no host": {Tunnel: "a", Public: []string{"*"}},
	} {
		if p.Validate() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
