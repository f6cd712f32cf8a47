package edge

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/sim/cloudflare"
)

var noon = time.Date(2025, time.October, 20, 12, 0, 0, 0, time.UTC)

// An application that is made in the simulated API protects its host from then on.
func TestAccessFollowsTheAPI(t *testing.T) {
	clock := func() time.Time { return noon }
	api := cloudflare.New(cloudflare.Documented(noon, cloudflare.DemoCredentials()), cloudflare.Options{Now: clock})
	e := New(Options{Cloudflare: api, Now: clock})
	ask := func(host, path string) (int, string) {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest("GET", "https://"+host+path, nil))
		return w.Code, w.Header().Get("Location") + w.Body.String()
	}
	const host = "trino." + cloudflare.Domain
	if code, _ := ask(host, "/"); code != 200 {
		t.Errorf("without an application: %d", code)
	}
	r := httptest.NewRequest("POST", "/client/v4/accounts/"+cloudflare.AccountID+"/access/apps", strings.NewReader(`{"type":"self_hosted","name":"Trino","domain":"`+host+`"}`))
	r.Header.Set("Authorization", "Bearer "+cloudflare.DemoCredentials().Platform)
	w := httptest.NewRecorder()
	if api.ServeHTTP(w, r); w.Code != 201 {
		t.Fatalf("making the application: %d %s", w.Code, w.Body)
	}
	if code, to := ask(host, "/"); code != 302 || !strings.HasPrefix(to, "https://"+cloudflare.Team+".cloudflareaccess.com/cdn-cgi/access/login/"+host+"?") {
		t.Errorf("with an application: %d to %s", code, to)
	}
	if code, text := ask(ResolverHost, "/dns-query?name="+host+"&type=A"); code != 200 || !strings.Contains(text, Addresses()[0]) {
		t.Errorf("the resolver: %d %s", code, text)
	}
	if code, text := ask(ResolverHost, "/dns-query?name=nobody."+cloudflare.Domain+"&type=A"); code != 200 || !strings.Contains(text, `"Status":3`) {
		t.Errorf("a name that does not exist: %d %s", code, text)
	}
	api.Change(func(s *cloudflare.State) { s.Apps, s.Tunnels[0].Conns = nil, nil })
	if code, text := ask(host, "/"); code != 530 || !strings.Contains(text, "1033") {
		t.Errorf("behind a dead tunnel: %d %s", code, text)
	}
}

func TestMutations(t *testing.T) {
	names, bad := map[string]bool{}, 0
	for _, m := range Mutations() {
		if names[m.Name] || m.About == "" || m.Harmless != (len(m.Words) == 0) || m.Harmless != (len(m.Checks) == 0) {
			t.Errorf("mutation %+v", m)
		}
		names[m.Name] = true
		if !m.Harmless {
			bad++
		}
	}
	for _, m := range CertificateMutations() {
		if names[m.Name] || m.About == "" || m.Harmless != (len(m.Words) == 0) {
			t.Errorf("mutation %+v", m)
		}
		names[m.Name] = true
	}
	if bad < 10 {
		t.Errorf("%d bad worlds", bad)
	}
}
