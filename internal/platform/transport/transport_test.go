package transport

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
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

func TestBodiesAreBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 64 {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	for limit, wantError := range map[int64]bool{1 << 20: true, 4 << 20: false, 5 << 20: false} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := Client(New(Options{MaxBody: limit})).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		read, err := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		var large *TooLargeError
		if errors.As(err, &large) != wantError || read > limit {
			t.Errorf("limit %d: read %d, error %v", limit, read, err)
		}
	}
}
