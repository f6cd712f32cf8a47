package labtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestCacheDirIsTheScripts holds the two computations of the folder together.
func TestCacheDirIsTheScripts(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := labFolder()
	if err != nil {
		t.Fatal(err)
	}
	for _, cache := range []string{t.TempDir(), ""} {
		t.Setenv("XDG_CACHE_HOME", cache)
		got, err := CacheDir()
		if err != nil {
			t.Fatal(err)
		}
		want, err := exec.CommandContext(t.Context(), bash, filepath.Join(folder, "build.sh"), "--dir").Output()
		if err != nil {
			t.Fatal(err)
		}
		if got != strings.TrimSpace(string(want)) {
			t.Errorf("CacheDir is %s, build.sh builds into %s", got, want)
		}
	}
}

// TestMissingLabFails: a lab that was not built is an error that says what to do.
func TestMissingLabFails(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	_, err := New(t.Context(), Options{ControlPlane: true})
	if err == nil || !strings.Contains(err.Error(), "testdata/lab/build.sh") {
		t.Errorf("got %v, want an error that names the script", err)
	}
}

func TestEgress(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "reached") }))
	defer backend.Close()
	address := backend.Listener.Addr().String()
	socket := filepath.Join(t.TempDir(), "s")
	e, err := newEgress(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	e.route("10.128.0.7:9090", address)
	for _, test := range []struct {
		name, to string
		want     int
	}{
		{"a pod with a route", "10.128.0.7:9090", 200},
		{"another port of that pod", "10.128.0.7:9091", 502},
		{"a pod without a route", "10.128.0.8:9090", 502},
		{"loopback", address, 200},
		{"elsewhere", "198.51.100.1:443", 502},
		{"a name", "example.com:443", 502},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			from := bufio.NewReader(conn)
			if got := ask(t, conn, from, "CONNECT "+test.to+" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); got != test.want {
				t.Fatalf("CONNECT: got %d, want %d", got, test.want)
			}
			if test.want != 200 {
				return
			}
			if got := ask(t, conn, from, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); got != 200 {
				t.Errorf("GET: got %d", got)
			}
		})
	}
}

// ask sends a request as it is and returns the status.
func ask(t *testing.T, conn net.Conn, from *bufio.Reader, request string) int {
	t.Helper()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

func TestReadAudit(t *testing.T) {
	const log = `{"stage":"RequestReceived","auditID":"1","verb":"create","requestURI":"/api/v1/namespaces/a/pods/p/exec","user":{"username":"ann"},"objectRef":{"resource":"pods","namespace":"a","name":"p","subresource":"exec"},"requestReceivedTimestamp":"2026-01-02T03:04:05.000006Z"}
{"stage":"RequestReceived","auditID":"2","verb":"get","requestURI":"/version","user":{"username":"bob"}}
{"stage":"ResponseComplete","auditID":"1","verb":"create","requestURI":"/api/v1/namespaces/a/pods/p/exec","user":{"username":"ann"},"responseStatus":{"code":403}}
{"stage":"RequestRec`
	got, err := readAudit(strings.NewReader(log), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []AuditEvent{
		{ID: "1", User: "ann", Verb: "create", URI: "/api/v1/namespaces/a/pods/p/exec", Resource: "pods", Subresource: "exec", Namespace: "a", Name: "p", Code: 403, At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)},
		{ID: "2", User: "bob", Verb: "get", URI: "/version"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got, err = readAudit(strings.NewReader(log), []string{"bob"}); err != nil || len(got) != 1 || got[0].User != "bob" {
		t.Errorf("of bob: got %v, %v", got, err)
	}
	if _, err := readAudit(strings.NewReader("not JSON\n"), nil); err == nil {
		t.Error("a line that is no JSON was read")
	}
}

func TestChanges(t *testing.T) {
	for _, test := range []struct {
		event AuditEvent
		want  bool
	}{
		{AuditEvent{Verb: "get", Resource: "pods"}, false},
		{AuditEvent{Verb: "list", Resource: "secrets"}, false},
		{AuditEvent{Verb: "watch", Resource: "nodes"}, false},
		{AuditEvent{Verb: "get", URI: "/readyz"}, false},
		{AuditEvent{Verb: "get", Resource: "services", Subresource: "proxy"}, false},
		{AuditEvent{Verb: "create", Resource: "services", Subresource: "proxy"}, true},
		{AuditEvent{Verb: "get", Resource: "pods", Subresource: "exec"}, true},
		{AuditEvent{Verb: "get", Resource: "pods", Subresource: "portforward"}, true},
		{AuditEvent{Verb: "patch", Resource: "deployments", Group: "apps"}, true},
		{AuditEvent{Verb: "deletecollection", Resource: "pods"}, true},
		{AuditEvent{Verb: "create", Resource: "selfsubjectaccessreviews", Group: "authorization.k8s.io"}, false},
		{AuditEvent{Verb: "create", Resource: "subjectaccessreviews", Group: "authorization.k8s.io"}, true},
		{AuditEvent{Verb: "create", Resource: "selfsubjectaccessreviews", Group: "example.com"}, true},
		{AuditEvent{Verb: "post", URI: "/x"}, true},
	} {
		if got := test.event.Changes(); got != test.want {
			t.Errorf("%+v: got %v", test.event, got)
		}
	}
}

func TestPorts(t *testing.T) {
	var p ports
	seen := make(map[int]bool)
	for range 50 {
		port, err := p.free()
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] {
			t.Fatalf("port %d was given twice", port)
		}
		seen[port] = true
	}
}

func TestUsers(t *testing.T) {
	users, err := allUsers([]User{{Name: "extra", Groups: []string{"a", "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	tokens := make(map[string]bool)
	for _, u := range users {
		if u.token == "" || tokens[u.token] {
			t.Errorf("%s has no token of its own", u.Name)
		}
		tokens[u.token] = true
	}
	last := users[len(users)-1]
	if want := last.token + `,extra,extra,"a,b"` + "\n"; !strings.HasSuffix(tokenFile(users), want) {
		t.Errorf("the token file lacks %q", want)
	}
	if _, err := allUsers([]User{{Name: Viewer}}); err == nil {
		t.Error("a second viewer was accepted")
	}
}

func TestScrapeConfig(t *testing.T) {
	got, err := scrapeConfig([]ScrapeJob{{Name: "a", Targets: []string{"127.0.0.1:1", "127.0.0.1:2"}, Path: "/m"}}, "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	if want := `- {job_name: "a", metrics_path: "/m", static_configs: [{targets: ["127.0.0.1:1","127.0.0.1:2"]}]}`; !strings.Contains(got, want) {
		t.Errorf("got %s, want a line %s", got, want)
	}
	if _, err := scrapeConfig([]ScrapeJob{{Name: "a"}}, "127.0.0.1:9"); err == nil {
		t.Error("a job without targets was accepted")
	}
}

func TestParallel(t *testing.T) {
	done := make([]bool, 100)
	if err := parallel(t.Context(), len(done), func(_ context.Context, i int) error { done[i] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for i, ok := range done {
		if !ok {
			t.Errorf("%d was left out", i)
		}
	}
	want := errors.New("third")
	err := parallel(t.Context(), 1000, func(_ context.Context, i int) error {
		if i == 3 {
			return want
		}
		return nil
	})
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// TestServerThatEnds: a server that does not come up is an error with its log.
func TestServerThatEnds(t *testing.T) {
	dir := t.TempDir()
	program := "#!/bin/sh\necho first; echo no such luck >&2; exit 3\n"
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin", "unlucky"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	l := &Lab{dir: dir, built: dir}
	p, err := l.run(server{name: "unlucky"})
	if err != nil {
		t.Fatal(err)
	}
	err = p.await(t.Context(), func(context.Context) error { return fmt.Errorf("refused") })
	for _, want := range []string{"starting unlucky", "exit status 3", "no such luck"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
	if _, err := l.run(server{name: "no-such-server"}); err == nil {
		t.Error("a missing program was started")
	}
}
