package transport

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

func TestReadOnlyGuardIsClosedByDefault(t *testing.T) {
	reached := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer server.Close()
	const pod = "/api/v1/namespaces/a/pods/p"
	tests := []struct {
		method, path string
		kubernetes   bool
		header       [2]string
		body         string
		allowed      bool
	}{
		{method: "GET", path: "/api/v1/pods", kubernetes: true, allowed: true},
		{method: "GET", path: "/api/v1/pods?watch=true", kubernetes: true, allowed: true},
		{method: "HEAD", path: "/v2/", allowed: true},
		{method: "POST", path: reviewPath, kubernetes: true, body: "{}", allowed: true},
		{method: "POST", path: reviewPath, body: "{}"},
		{method: "POST", path: reviewPath + "?dryRun=All", kubernetes: true, body: "{}"},
		{method: "POST", path: reviewPath + "/x", kubernetes: true, body: "{}"},
		{method: "POST", path: "/apis/authorization.k8s.io/v1/subjectaccessreviews", kubernetes: true, body: "{}"},
		{method: "POST", path: "/api/v1/query", body: "query=up"},
		{method: "PUT", path: pod, kubernetes: true},
		{method: "PATCH", path: pod, kubernetes: true},
		{method: "DELETE", path: pod, kubernetes: true},
		{method: "OPTIONS", path: "/"},
		{method: "PROPFIND", path: "/"},
		{method: "get", path: "/"},
		{method: "GET", path: pod + "/exec?command=sh", kubernetes: true},
		{method: "GET", path: pod + "/attach", kubernetes: true},
		{method: "GET", path: pod + "/portforward", kubernetes: true},
		{method: "GET", path: "/api/v1//namespaces/a/pods/p/./portforward", kubernetes: true},
		{method: "GET", path: "/api/v1/namespaces/a/pods/p/%65xec", kubernetes: true},
		{method: "GET", path: "/api/v1/namespaces/proxy/pods/p/exec", kubernetes: true},
		{method: "GET", path: "/bastion/proxy/api/v1/namespaces/a/pods/p/portforward", kubernetes: true},
		{method: "GET", path: "/api/v1/namespaces/a/pods/proxy/attach", kubernetes: true},
		{method: "GET", path: "/api/v1/nodes/n/proxy/exec/a/p/c", kubernetes: true},
		{method: "GET", path: "/api/v1/nodes/n:10250/proxy/portForward/a/p", kubernetes: true},
		{method: "GET", path: "/api/v1/nodes/n/proxy/run/a/p/c", kubernetes: true},
		{method: "GET", path: "/api/v1/nodes/n/proxy/cri/exec/token", kubernetes: true},
		{method: "GET", path: "/api/v1/nodes/n", kubernetes: true, allowed: true},
		{method: "GET", path: "/api/v1/namespaces/proxy/pods", kubernetes: true, allowed: true},
		{method: "POST", path: "/k8s/clusters/c-1" + reviewPath, kubernetes: true, body: "{}"},
		{method: "POST", path: "/x/.." + reviewPath, kubernetes: true, body: "{}"},
		{method: "POST", path: "//" + reviewPath, kubernetes: true, body: "{}"},
		{method: "GET", path: pod + "/log", kubernetes: true, allowed: true},
		{method: "GET", path: "/api/v1/namespaces/a/services/s:80/proxy/exec", kubernetes: true, allowed: true},
		{method: "POST", path: "/api/v1/namespaces/a/services/s:80/proxy/x", kubernetes: true},
		{method: "GET", path: "/", header: [2]string{"Upgrade", "websocket"}},
		{method: "GET", path: "/", header: [2]string{"Connection", "keep-alive, Upgrade"}},
		{method: "GET", path: "/", header: [2]string{"X-HTTP-Method-Override", "DELETE"}},
		{method: "GET", path: "/", body: "something"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			reached = 0
			var body io.Reader
			if tt.body != "" {
				body = strings.NewReader(tt.body)
			}
			r, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL+tt.path, body)
			if err != nil {
				t.Fatal(err)
			}
			if tt.header[0] != "" {
				r.Header.Set(tt.header[0], tt.header[1])
			}
			resp, err := New(Options{ReadOnly: true, Kubernetes: tt.kubernetes}).RoundTrip(r)
			if err == nil {
				_ = resp.Body.Close()
			}
			var refused *RefusedError
			if tt.allowed && (err != nil || reached != 1) || !tt.allowed && (!errors.As(err, &refused) || reached != 0) {
				t.Errorf("error %v, reached the server %d times; want allowed %v", err, reached, tt.allowed)
			}
		})
	}
}

func TestGuardSeesWhatIsSent(t *testing.T) {
	reached := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached++
		if r.URL.Path == "/stream" { // a server that changes the protocol unasked
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Connection", "Upgrade")
			w.WriteHeader(http.StatusSwitchingProtocols)
		}
	}))
	defer server.Close()
	tests := map[string]struct {
		method, path string
		change       func(r *http.Request)
		reaches      int
	}{
		"header in lower case":           {"GET", "/", func(r *http.Request) { r.Header["upgrade"] = []string{"websocket"} }, 0},
		"second value":                   {"GET", "/", func(r *http.Request) { r.Header["Upgrade"] = []string{"", "websocket"} }, 0},
		"connection in odd case":         {"GET", "/", func(r *http.Request) { r.Header["cOnnection"] = []string{"Upgrade"} }, 0},
		"method override in lower case":  {"GET", "/", func(r *http.Request) { r.Header["x-http-method-override"] = []string{"PUT"} }, 0},
		"another path behind the review": {"POST", reviewPath, func(r *http.Request) { r.URL.Opaque = "//h/api/v1/namespaces/a/pods" }, 0},
		"another path behind a read":     {"GET", "/", func(r *http.Request) { r.URL.Opaque = "//h/api/v1/namespaces/a/pods/p/exec" }, 0},
		"upgrade nobody asked for":       {"GET", "/stream", func(*http.Request) {}, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			reached = 0
			r, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			tt.change(r)
			resp, err := New(Options{ReadOnly: true, Kubernetes: true}).RoundTrip(r)
			if err == nil {
				_ = resp.Body.Close()
			}
			var refused *RefusedError
			if !errors.As(err, &refused) || reached != tt.reaches {
				t.Errorf("error %v, reached the server %d times", err, reached)
			}
		})
	}
}

func TestBodiesAreBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 64 {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	tests := []struct {
		limit      int64
		query      string
		kubernetes bool
		wantError  bool
	}{
		{limit: 1 << 20, wantError: true},
		{limit: 4 << 20},
		{limit: 5 << 20},
		{limit: 1 << 20, query: "?watch=true", wantError: true}, // a watch is the word of an API server alone
		{limit: 1 << 20, query: "?watch=1", wantError: true},
		{limit: 1 << 20, query: "?watch=1", kubernetes: true},
	}
	for _, tt := range tests {
		limit, wantError := tt.limit, tt.wantError
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+tt.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := Client(New(Options{MaxBody: limit, Kubernetes: tt.kubernetes})).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		read, err := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		var large *TooLargeError
		if errors.As(err, &large) != wantError || wantError && read > limit {
			t.Errorf("limit %d: read %d, error %v", limit, read, err)
		}
	}
}

// An answer that says itself that it is too large is not read at all; what a HEAD says of a size is no body.
func TestWhatSaysItIsTooLargeIsNotRead(t *testing.T) {
	wrote := make(chan int, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(64<<20))
		n := 0
		for block := make([]byte, 1<<20); r.Method == http.MethodGet && n < 64; n++ {
			if _, err := w.Write(block); err != nil {
				break
			}
		}
		wrote <- n
	}))
	defer server.Close()
	client := Client(New(Options{MaxBody: 32 << 20}))
	resp, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	var large *TooLargeError
	if _, err := io.ReadAll(resp.Body); !errors.As(err, &large) || large.Limit != 32<<20 {
		t.Errorf("%v", err)
	}
	_ = resp.Body.Close()
	if n := <-wrote; n > 16 {
		t.Errorf("%d MiB were sent all the same", n)
	}
	if resp, err = client.Head(server.URL); err != nil || resp.ContentLength != 64<<20 {
		t.Fatalf("%+v %v", resp, err)
	}
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Errorf("of a HEAD: %v", err)
	}
	_ = resp.Body.Close()
}
