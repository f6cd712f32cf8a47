package cloudflare

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var noon = time.Date(2025, time.October, 20, 12, 0, 0, 0, time.UTC)

func newServer(state func(time.Time, Credentials) State) *Server {
	return New(state(noon, DemoCredentials()), Options{Now: func() time.Time { return noon }})
}

func do(t *testing.T, s *Server, token, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "/client/v4"+path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

const account = "/accounts/" + AccountID

func TestRefusals(t *testing.T) {
	s, tokens := newServer(Ready), DemoCredentials()
	for _, test := range []struct {
		token, method, path string
		status              int
		says                string
	}{
		{"", "GET", "/user/tokens/verify", 400, "6111"},
		{"unknown", "GET", "/user/tokens/verify", 401, "1000"},
		{tokens.Platform, "GET", "/user/tokens/verify", 200, `"status":"active"`},
		{tokens.Platform, "GET", account + "/tokens/verify", 401, "1000"},
		{"unknown", "GET", account + "/cfd_tunnel", 403, "9109"},
		{tokens.Reader, "GET", "/accounts/ffff/cfd_tunnel", 404, "7003"},
		{tokens.Reader, "GET", "/nothing", 404, "7000"},
		{tokens.Reader, "GET", account + "/cfd_tunnel?colour=red", 400, "colour"},
		{tokens.Reader, "GET", account + "/cfd_tunnel/nothing/connections", 404, "1003"},
		{tokens.Reader, "POST", account + "/access/apps", 403, "10000"},
		{tokens.Reader, "GET", account + "/access/apps?per_page=100", 200, `"total_count":13`},
		{tokens.Reader, "GET", account + "/access/organizations", 200, Team + ".cloudflareaccess.com"},
		{tokens.Reader, "GET", account + "/cfd_tunnel/" + TunnelID + "/configurations", 200, "harbor.254carbon.com"},
		{tokens.Reader, "GET", "/zones?name=254carbon.com", 200, `"name":"254carbon.com"`},
		{tokens.Reader, "GET", "/accounts", 200, AccountID},
	} {
		w := do(t, s, test.token, test.method, test.path, "{}")
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.says) {
			t.Errorf("%s %s: %d %s", test.method, test.path, w.Code, w.Body)
		}
		if !strings.HasPrefix(w.Header().Get("Ratelimit"), `"default";r=`) {
			t.Errorf("%s %s: no limits", test.method, test.path)
		}
	}
}

func TestAccessIsStrict(t *testing.T) {
	s, token := newServer(Documented), DemoCredentials().Platform
	post := func(path, body string) *httptest.ResponseRecorder {
		return do(t, s, token, "POST", account+"/access/"+path, body)
	}
	for _, test := range []struct{ path, body, says string }{
		{"identity_providers", `{"name":"","type":"onetimepin"}`, "config is required"},
		{"policies", `{"name":"p","decision":"maybe","include":[{"everyone":{}}]}`, "decision"},
		{"policies", `{"name":"p","decision":"allow","include":[]}`, "include"},
		{"apps", `{"type":"self_hosted","name":"x"}`, "domain"},
		{"apps", `{"type":"self_hosted","name":"x","domain":"x.254carbon.com","colour":"red"}`, "colour"},
		{"apps", `{"type":"self_hosted","name":"x","domain":"x.254carbon.com","policies":[{"id":"none","precedence":1}]}`, "policy not found"},
		{"apps", `{"type":"self_hosted","name":"x","domain":"x.254carbon.com","auto_redirect_to_identity":true}`, "exactly one"},
		{"apps", `[]`, "JSON object"},
	} {
		if w := post(test.path, test.body); w.Code != 400 || !strings.Contains(w.Body.String(), test.says) {
			t.Errorf("%s %s: %d %s", test.path, test.body, w.Code, w.Body)
		}
	}
	if w := post("identity_providers", `{"name":"","type":"onetimepin","config":{}}`); w.Code != 201 {
		t.Errorf("a provider: %d %s", w.Code, w.Body)
	}
	const app = `{"type":"self_hosted","name":"x","domain":"x.254carbon.com","session_duration":"8h"}`
	if w := post("apps", app); w.Code != 201 || !strings.Contains(w.Body.String(), `"aud"`) {
		t.Fatalf("an application: %d %s", w.Code, w.Body)
	}
	if w := post("apps", app); w.Code != 400 || !strings.Contains(w.Body.String(), "application_already_exists") {
		t.Errorf("a second one: %d %s", w.Code, w.Body)
	}
	var id, aud string
	s.Change(func(st *State) { id, aud = text(st.Apps[0], "id"), text(st.Apps[0], "aud") })
	w := do(t, s, token, "PUT", account+"/access/apps/"+id, strings.Replace(app, "8h", "2h", 1))
	if w.Code != 200 || !strings.Contains(w.Body.String(), aud) || !strings.Contains(w.Body.String(), "2h") {
		t.Errorf("a change: %d %s", w.Code, w.Body)
	}
	if w := do(t, s, token, "DELETE", account+"/access/apps/"+id, ""); w.Code != 202 {
		t.Errorf("its end: %d", w.Code)
	}
	if w := do(t, s, token, "GET", account+"/access/apps/"+id, ""); w.Code != 404 {
		t.Errorf("after its end: %d", w.Code)
	}
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Ready(noon, DemoCredentials()), Options{Quota: 3})
		ask := func(token string) *httptest.ResponseRecorder {
			return do(t, s, token, "GET", "/user/tokens/verify", "")
		}
		for range 3 {
			if w := ask(DemoCredentials().Reader); w.Code != 200 {
				t.Fatalf("within: %d", w.Code)
			}
		}
		time.Sleep(4 * time.Minute)
		if w := ask(DemoCredentials().Reader); w.Code != 429 || w.Header().Get("Retry-After") != "300" {
			t.Errorf("over: %d, retry after %q", w.Code, w.Header().Get("Retry-After"))
		}
		time.Sleep(2 * time.Minute) // the window is over, the block is not
		if w := ask(DemoCredentials().Reader); w.Code != 429 {
			t.Errorf("blocked: %d", w.Code)
		}
		if w := ask(DemoCredentials().Platform); w.Code != 200 {
			t.Errorf("another token: %d", w.Code)
		}
		time.Sleep(4 * time.Minute)
		if w := ask(DemoCredentials().Reader); w.Code != 200 {
			t.Errorf("after the block: %d", w.Code)
		}
	})
}

func TestSnapshot(t *testing.T) {
	s := newServer(Ready)
	first, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	other := newServer(Documented)
	if err := other.Restore(first); err != nil {
		t.Fatal(err)
	}
	if second, err := other.Snapshot(); err != nil || string(first) != string(second) {
		t.Errorf("%v\n%s\n%s", err, first, second)
	}
	if other.Restore([]byte(`{"colour":"red"}`)) == nil {
		t.Error("a snapshot of something else was restored")
	}
}

func TestMutations(t *testing.T) {
	names, bad := map[string]bool{}, 0
	for _, m := range Mutations(DemoCredentials().Platform) {
		if names[m.Name] || m.Name == "" || m.About == "" || m.Harmless != (len(m.Checks) == 0) || m.Harmless != (len(m.Words) == 0) {
			t.Errorf("mutation %+v", m)
		}
		names[m.Name] = true
		if !m.Harmless {
			bad++
		}
		s := newServer(Ready)
		before, _ := s.Snapshot()
		m.Apply(s)
		if after, _ := s.Snapshot(); string(before) == string(after) {
			t.Errorf("%s changes nothing", m.Name)
		}
	}
	if bad < 8 {
		t.Errorf("%d bad worlds", bad)
	}
}
