package harbor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var noon = time.Date(2025, time.October, 20, 12, 0, 0, 0, time.UTC)

func newServer(state func(time.Time, Accounts) State) *Server {
	return New(state(noon, DemoAccounts()), Options{Now: func() time.Time { return noon }, LockTime: time.Nanosecond})
}

func do(t *testing.T, s http.Handler, who Account, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if who.Username != "" {
		r.SetBasicAuth(who.Username, who.Password)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// Which answers tell who is logged in, as Harbor has it.
func TestWhichCallsProveCredentials(t *testing.T) {
	s, a := newServer(Ready), DemoAccounts()
	nobody, wrong := Account{}, Account{Username: a.Admin.Username, Password: "wrong"}
	for _, test := range []struct {
		method, path                      string
		anonymous, mistaken, admin, robot int
	}{
		{"GET", "/api/v2.0/health", 200, 200, 200, 200},
		{"GET", "/api/v2.0/ping", 200, 200, 200, 200},
		{"GET", "/api/v2.0/systeminfo", 200, 200, 200, 200},
		{"GET", "/api/v2.0/projects", 200, 200, 200, 200},
		{"GET", "/api/v2.0/users/current", 401, 401, 200, 412},
		{"HEAD", "/api/v2.0/projects?project_name=254carbon", 401, 401, 200, 200},
		{"HEAD", "/api/v2.0/projects?project_name=nowhere", 401, 401, 404, 404},
		{"GET", "/api/v2.0/users/current/permissions", 401, 401, 200, 200},
		{"GET", "/service/token?service=harbor-registry", 401, 401, 200, 200},
		{"GET", "/service/token?service=harbor-registry&scope=repository:254carbon/a:pull", 200, 200, 200, 200},
		{"GET", "/v2/", 401, 401, 200, 200},
		{"GET", "/api/v2.0/projects/254carbon", 401, 401, 200, 403},
		{"GET", "/api/v2.0/projects/nowhere", 401, 401, 404, 403},
		{"GET", "/api/v2.0/projects?page_size=101", 422, 422, 422, 422},
		{"GET", "/api/v2.0/projects?colour=red", 422, 422, 422, 422},
		{"GET", "/api/v2.0/robots?q=Level=project", 400, 400, 400, 400},
		{"GET", "/api/v2.0/projects/library/repositories/none/artifacts", 200, 200, 200, 200},
		{"GET", "/api/v2.0/projects/library/repositories/none/artifacts/latest", 404, 404, 404, 404},
	} {
		for _, c := range []struct {
			name string
			who  Account
			want int
		}{{"anonymous", nobody, test.anonymous}, {"mistaken", wrong, test.mistaken}, {"admin", a.Admin, test.admin}, {"robot", a.Platform, test.robot}} {
			time.Sleep(time.Microsecond) // a mistaken login locks its user for a nanosecond here
			if w := do(t, s, c.who, test.method, test.path, ""); w.Code != c.want {
				t.Errorf("%s %s as %s: %d, want %d: %s", test.method, test.path, c.name, w.Code, c.want, w.Body)
			}
		}
	}
	for who, want := range map[Account]string{nobody: "Bearer", wrong: `Basic realm="harbor"`} {
		if got := do(t, s, who, "GET", "/v2/", "").Header().Get("Www-Authenticate"); !strings.HasPrefix(got, want) {
			t.Errorf("the door: %q, want %q", got, want)
		}
	}
}

func TestLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := DemoAccounts()
		s := New(Ready(noon, a), Options{})
		at := func(password string) (int, time.Duration) {
			began := time.Now()
			w := do(t, s, Account{a.Admin.Username, password}, "GET", "/api/v2.0/users/current", "")
			return w.Code, time.Since(began)
		}
		if code, took := at("wrong"); code != 401 || took != defaultLockTime {
			t.Errorf("a wrong password: %d after %s", code, took)
		}
		go at("wrong")
		time.Sleep(defaultLockTime / 2)
		if code, took := at(a.Admin.Password); code != 401 || took != 0 {
			t.Errorf("the right password while locked: %d after %s", code, took)
		}
		time.Sleep(defaultLockTime)
		if code, _ := at(a.Admin.Password); code != 200 {
			t.Errorf("the right password after the lock: %d", code)
		}
	})
}

func TestRobots(t *testing.T) {
	s, a := newServer(Documented), DemoAccounts()
	const body = `{"name":"mirror","level":"project","duration":%s,"permissions":[{"kind":"project","namespace":"254carbon","access":[{"resource":"repository","action":"push"},{"resource":"repository","action":"pull"}]}]}`
	create := func(duration string, who Account) *httptest.ResponseRecorder {
		return do(t, s, who, "POST", "/api/v2.0/robots", fmt.Sprintf(body, duration))
	}
	if w := create("0", a.Admin); w.Code != 400 {
		t.Errorf("a duration of 0: %d", w.Code)
	}
	if w := create("-1", a.Reader); w.Code != 403 {
		t.Errorf("by a robot that may not: %d", w.Code)
	}
	w := create("30", a.Admin)
	var made struct {
		ID           int64
		Name, Secret string
		Expires      int64 `json:"expires_at"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != 201 || made.Name != "robot$254carbon+mirror" || made.Expires != noon.AddDate(0, 0, 30).Unix() {
		t.Fatalf("%d %s, %v", w.Code, w.Body, err)
	}
	if w := create("-1", a.Admin); w.Code != 409 {
		t.Errorf("a second one: %d", w.Code)
	}
	login := Account{made.Name, made.Secret}
	if w := do(t, s, login, "HEAD", "/api/v2.0/projects?project_name=254carbon", ""); w.Code != 200 {
		t.Errorf("its login: %d", w.Code)
	}
	if w := do(t, s, a.Reader, "GET", fmt.Sprintf("/api/v2.0/robots/%d", made.ID), ""); w.Code != 200 || strings.Contains(w.Body.String(), made.Secret) {
		t.Errorf("its description: %d %s", w.Code, w.Body)
	}
	if w := do(t, s, login, "PATCH", fmt.Sprintf("/api/v2.0/robots/%d", made.ID), `{"secret":""}`); w.Code != 403 {
		t.Errorf("a robot gives itself a secret: %d", w.Code)
	}
	if w := do(t, s, a.Admin, "PATCH", fmt.Sprintf("/api/v2.0/robots/%d", made.ID), `{"secret":"","colour":"red"}`); w.Code != 400 {
		t.Errorf("an unknown field: %d", w.Code)
	}
	w = do(t, s, a.Admin, "PATCH", fmt.Sprintf("/api/v2.0/robots/%d", made.ID), `{"secret":""}`)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"secret":"Aa1`) {
		t.Errorf("a new secret: %d %s", w.Code, w.Body)
	}
	if w := do(t, s, login, "HEAD", "/api/v2.0/projects?project_name=254carbon", ""); w.Code != 401 {
		t.Errorf("the old secret: %d", w.Code)
	}
	for _, bad := range []string{`{"name":"Upper"`, `{"name":"a+b"`, `{"name":"a..b"`} {
		if w := do(t, s, a.Admin, "POST", "/api/v2.0/robots", strings.Replace(fmt.Sprintf(body, "-1"), `{"name":"mirror"`, bad, 1)); w.Code != 400 {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
}

func TestSessionsWantTokensAgainstForgery(t *testing.T) {
	s, a := newServer(Ready), DemoAccounts()
	cookies := do(t, s, a.Admin, "GET", "/api/v2.0/users/current", "").Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies %v", cookies)
	}
	r := httptest.NewRequest("POST", "/api/v2.0/projects", strings.NewReader(`{"project_name":"x"}`))
	r.SetBasicAuth(a.Admin.Username, a.Admin.Password)
	r.AddCookie(cookies[0])
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != 403 || !strings.Contains(w.Body.String(), "CSRF") {
		t.Errorf("with a session: %d", w.Code)
	}
	if w := do(t, s, a.Admin, "POST", "/api/v2.0/projects", `{"project_name":"x","metadata":{"public":"false"}}`); w.Code != 201 {
		t.Errorf("without: %d %s", w.Code, w.Body)
	}
	if w := do(t, s, a.Admin, "POST", "/api/v2.0/projects", `{"project_name":"x"}`); w.Code != 409 {
		t.Errorf("again: %d", w.Code)
	}
}

func TestSnapshot(t *testing.T) {
	s, a := newServer(Documented), DemoAccounts()
	do(t, s, a.Admin, "POST", "/api/v2.0/projects", `{"project_name":"kept"}`)
	first, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	other := newServer(Ready)
	if err := other.Restore(first); err != nil {
		t.Fatal(err)
	}
	second, err := other.Snapshot()
	if err != nil || string(first) != string(second) || !strings.Contains(string(second), "kept") {
		t.Errorf("%v\n%s\n%s", err, first, second)
	}
	if other.Restore([]byte(`{"colour":"red"}`)) == nil || other.Restore([]byte(`{`)) == nil {
		t.Error("a snapshot of something else was restored")
	}
	if third, _ := other.Snapshot(); string(third) != string(second) {
		t.Error("a refused snapshot changed the state")
	}
}

func TestMutations(t *testing.T) {
	names, bad := map[string]bool{}, 0
	for _, m := range Mutations() {
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
	if bad < 10 {
		t.Errorf("%d bad worlds", bad)
	}
}
