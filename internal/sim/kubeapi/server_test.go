package kubeapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"

	"github.com/254carbon/gonogo/internal/sim/kubeapi"
)

// ask sends one request straight to the handler.
func ask(h http.Handler, method, target, token string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// message is the message of a Status, or the whole body.
func message(w *httptest.ResponseRecorder) string {
	var st metav1.Status
	if json.Unmarshal(w.Body.Bytes(), &st) == nil && st.Kind == "Status" {
		return st.Message
	}
	return w.Body.String()
}

func seed(t *testing.T, s *kubeapi.Store, objs ...any) {
	t.Helper()
	for _, o := range objs {
		if _, err := s.Create(o); err != nil {
			t.Fatal(err)
		}
	}
}

func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func TestWhoMayWhat(t *testing.T) {
	h := kubeapi.New(kubeapi.Options{
		Authenticator: kubeapi.Tokens(map[string]kubeapi.User{"lister": {Name: "lister"}}),
		Authorizer: func(u kubeapi.User, a kubeapi.Attributes) (bool, string) {
			return a.Verb == "list" && a.Namespace != "closed", "because"
		},
	})
	for _, tc := range []struct {
		path, token, impersonate string
		code                     int
		says                     string
	}{
		{"/version", "", "", 200, ""},
		{"/readyz", "", "", 200, "ok"},
		{"/apis", "", "", 403, `forbidden: User "system:anonymous" cannot get path "/apis"`},
		{"/apis", "lister", "", 200, ""},
		{"/version", "unknown", "", 401, "Unauthorized"},
		{"/api/v1/pods", "", "", 403, `pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope`},
		{"/api/v1/pods", "lister", "", 200, ""},
		{"/api/v1/pods?watch=true", "lister", "", 403, `pods is forbidden: User "lister" cannot watch resource "pods" in API group "" at the cluster scope: because`},
		{"/api/v1/pods?watch=1&fieldSelector=metadata.name%3Dx", "lister", "", 403, `pods "x" is forbidden: User "lister" cannot watch resource "pods" in API group "" at the cluster scope: because`},
		{"/api/v1/namespaces/closed/pods", "lister", "", 403, `pods is forbidden: User "lister" cannot list resource "pods" in API group "" in the namespace "closed": because`},
		{"/api/v1/namespaces/open/pods/x/status", "lister", "", 403, `pods "x" is forbidden: User "lister" cannot get resource "pods/status" in API group "" in the namespace "open": because`},
		{"/apis/nothing.example.com/v1/things", "lister", "", 404, "the server could not find the requested resource"},
		{"/metrics", "lister", "", 403, `forbidden: User "lister" cannot get path "/metrics": because`},
		{"/api/v1/pods", "lister", "root", 403, `users "root" is forbidden: User "lister" cannot impersonate resource "users" in API group "" at the cluster scope: because`},
	} {
		var header []string
		if tc.impersonate != "" {
			header = []string{"Impersonate-User", tc.impersonate}
		}
		w := ask(h, "GET", tc.path, tc.token, header...)
		if w.Code != tc.code || tc.says != "" && message(w) != tc.says {
			t.Errorf("%s as %q: %d %q, want %d %q", tc.path, tc.token, w.Code, message(w), tc.code, tc.says)
		}
	}
}

func TestServiceProxy(t *testing.T) {
	store := newStore(0)
	api := kubeapi.New(kubeapi.Options{Store: store})
	port := func(name string, n int32) corev1.ServiceSpec {
		return corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: name, Port: n}}}
	}
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name, Namespace: "ns"} }
	no := false
	seed(t, store, &corev1.Service{ObjectMeta: meta("prom"), Spec: port("web", 9090)},
		&corev1.Service{ObjectMeta: meta("down"), Spec: port("web", 80)},
		&corev1.Service{ObjectMeta: meta("idle"), Spec: port("web", 80)},
		&discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Name: "down-1", Namespace: "ns", Labels: map[string]string{discoveryv1.LabelServiceName: "down"}},
			Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: &no}}},
		})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusFound)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s host=%s auth=%q body=%q", r.Method, r.URL.RequestURI(), r.Host, r.Header.Get("Authorization"), body)
	})
	api.HandleService("ns", "prom", "9090", h)
	api.HandleService("ns", "down", "web", h)
	const base = "/api/v1/namespaces/ns/services/"
	for _, tc := range []struct {
		method, path string
		code         int
		says         string
	}{
		{"GET", "prom:9090/proxy/api/v1/query?query=up%3D%3D1", 200, `GET /api/v1/query?query=up%3D%3D1 host=prom.ns.svc auth="" body=""`},
		{"GET", "http:prom:web/proxy/a%2Fb", 200, `GET /a%2Fb host=prom.ns.svc auth="" body=""`},
		{"POST", "https:prom:9090/proxy/x", 200, `POST /x host=prom.ns.svc auth="" body=""`},
		{"GET", "prom:9090/proxy", 301, ""},
		{"GET", "prom:9091/proxy/", 503, `no service port 9091 found for service "prom"`},
		{"GET", "prom:other/proxy/", 503, `no endpoints available for service "prom"`},
		{"GET", "down:80/proxy/", 503, `no endpoints available for service "down"`},
		{"GET", "idle:80/proxy/", 503, `no endpoints available for service "idle"`},
		{"GET", "absent:80/proxy/", 404, `services "absent" not found`},
		{"GET", "a:b:c:d/proxy/", 400, `invalid service request "a:b:c:d"`},
	} {
		w := ask(api, tc.method, base+tc.path, "secret")
		if w.Code != tc.code || tc.says != "" && message(w) != tc.says {
			t.Errorf("%s %s: %d %q, want %d %q", tc.method, tc.path, w.Code, message(w), tc.code, tc.says)
		}
	}
	if w := ask(api, "GET", base+"prom:9090/proxy/old", ""); w.Header().Get("Location") != base+"prom:9090/proxy/new" {
		t.Errorf("redirected to %q", w.Header().Get("Location"))
	}
	api.HandleService("ns", "prom", "9090", nil)
	if w := ask(api, "GET", base+"prom:9090/proxy/", ""); w.Code != 503 {
		t.Errorf("after the handler is gone: %d, want 503", w.Code)
	}
}

func TestNegotiation(t *testing.T) {
	store := newStore(0)
	seed(t, store, namespace("ns"), configMap("x", "1"))
	h := kubeapi.New(kubeapi.Options{Store: store})
	const partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	for _, tc := range []struct {
		accept string
		code   int
		kind   string
	}{
		{"", 200, "ConfigMap"},
		{"*/*", 200, "ConfigMap"},
		{"application/vnd.kubernetes.protobuf,application/json", 200, "ConfigMap"},
		{"application/json;as=Table;g=meta.k8s.io;v=v1,application/json", 200, "ConfigMap"},
		{"application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1," + partial, 200, "PartialObjectMetadata"},
		{"application/vnd.kubernetes.protobuf", 406, "Status"},
		{"application/json;as=Table;g=meta.k8s.io;v=v1", 406, "Status"},
	} {
		w := ask(h, "GET", "/api/v1/namespaces/ns/configmaps/x", "", "Accept", tc.accept)
		var got struct {
			Kind string
			Data map[string]string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if w.Code != tc.code || got.Kind != tc.kind || (got.Data != nil) != (tc.kind == "ConfigMap") {
			t.Errorf("Accept %q: %d %+v, want %d %s", tc.accept, w.Code, got, tc.code, tc.kind)
		}
	}
}

func TestReadOnlyResource(t *testing.T) {
	store := newStore(0)
	seed(t, store, kubeapi.Object{
		"apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetrics", "metadata": kubeapi.Object{"name": "n"}, "usage": kubeapi.Object{"cpu": "1"},
	})
	h := kubeapi.New(kubeapi.Options{Store: store})
	for target, want := range map[string]int{
		"GET /apis/metrics.k8s.io/v1beta1/nodes": 200, "GET /apis/metrics.k8s.io/v1beta1/nodes/n": 200,
		"GET /apis/metrics.k8s.io/v1beta1/nodes?watch=true": 405, "POST /apis/metrics.k8s.io/v1beta1/nodes": 405,
		"DELETE /apis/metrics.k8s.io/v1beta1/nodes/n": 405,
	} {
		method, path, _ := strings.Cut(target, " ")
		if w := ask(h, method, path, ""); w.Code != want {
			t.Errorf("%s: %d %s, want %d", target, w.Code, message(w), want)
		}
	}
}

// lines runs a watch in bubble time and returns its lines.
func lines(t *testing.T, h http.Handler, target string, during func()) []string {
	t.Helper()
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() { defer close(done); h.ServeHTTP(w, httptest.NewRequest("GET", target, nil)) }()
	synctest.Wait()
	if during != nil {
		during()
	}
	<-done
	return strings.Split(strings.TrimSpace(w.Body.String()), "\n")
}

func TestWatchBookmarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := kubeapi.New(kubeapi.Options{Store: newStore(0)})
		begun := time.Now()
		got := lines(t, h, "/api/v1/pods?watch=true&resourceVersion=1&allowWatchBookmarks=true&timeoutSeconds=200", nil)
		if took := time.Since(begun); took != 200*time.Second {
			t.Errorf("the watch took %v, want 200s", took)
		}
		if len(got) != 4 { // after 60, 120, 180 and 198 seconds
			t.Errorf("bookmarks: %q, want 4", got)
		}
		if got := lines(t, h, "/api/v1/pods?watch=true&resourceVersion=1&timeoutSeconds=200", nil); got[0] != "" {
			t.Errorf("bookmarks that nobody asked for: %q", got)
		}
	})
}

func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(3)
		seed(t, store, configMap("x", "0"))
		h := kubeapi.New(kubeapi.Options{Store: store})
		for i := range 20 {
			if _, err := store.Apply(configMap("x", fmt.Sprint(i, "!"))); err != nil {
				t.Fatal(err)
			}
		}
		got := lines(t, h, "/api/v1/configmaps?watch=true&resourceVersion=2", nil)
		if len(got) != 1 || !strings.HasPrefix(got[0], `{"type":"ERROR"`) || !strings.Contains(got[0], `"reason":"Expired","code":410`) {
			t.Errorf("from a version that is too old: %q", got)
		}
		got = lines(t, h, fmt.Sprintf("/api/v1/configmaps?watch=true&resourceVersion=%d", store.Version()), func() {
			if err := store.Delete(configMaps(), "ns", "x"); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			h.Close()
		})
		if len(got) != 1 || !strings.HasPrefix(got[0], `{"type":"DELETED"`) {
			t.Errorf("a watch until Close: %q", got)
		}
	})
}

func TestContinueExpires(t *testing.T) {
	store := newStore(3)
	seed(t, store, configMap("a", "0"), configMap("b", "0"))
	h := kubeapi.New(kubeapi.Options{Store: store})
	var list metav1.List
	if err := json.Unmarshal(ask(h, "GET", "/api/v1/configmaps?limit=1", "").Body.Bytes(), &list); err != nil || list.Continue == "" {
		t.Fatalf("first page: %+v, %v", list, err)
	}
	for i := range 20 {
		if _, err := store.Apply(configMap("a", fmt.Sprint(i, "!"))); err != nil {
			t.Fatal(err)
		}
	}
	if w := ask(h, "GET", "/api/v1/configmaps?limit=1&continue="+list.Continue, ""); w.Code != http.StatusGone {
		t.Errorf("the next page: %d %s, want 410", w.Code, message(w))
	}
}

// TestInformerSurvivesRestore has an informer find its way after the whole store was replaced.
func TestInformerSurvivesRestore(t *testing.T) {
	store := newStore(0)
	seed(t, store, namespace("ns"), configMap("kept", "1"))
	var image strings.Builder
	if err := store.Snapshot(&image); err != nil {
		t.Fatal(err)
	}
	seed(t, store, configMap("lost", "1"))
	_, cfg := serve(t, kubeapi.Options{Store: store, Logf: t.Errorf})
	kube, err := kubernetes.NewForConfig(cfg(""))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	factory := informers.NewSharedInformerFactory(kube, 0)
	lister := factory.Core().V1().ConfigMaps().Lister().ConfigMaps("ns")
	factory.Core().V1().ConfigMaps().Informer()
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	defer cancel()
	factory.WaitForCacheSync(ctx.Done())
	if _, err := lister.Get("lost"); err != nil {
		t.Fatal(err)
	}
	if err := store.Restore(strings.NewReader(image.String())); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := lister.Get("lost"); err != nil {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatal("the informer still holds what the restore took away")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if _, err := lister.Get("kept"); err != nil {
		t.Error(err)
	}
}
