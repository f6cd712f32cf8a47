package cluster

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	tunnel "k8s.io/apimachinery/pkg/util/portforward"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/254carbon/gonogo/internal/platform/transport"
	"github.com/254carbon/gonogo/internal/sim/kubeapi"
)

// kubelet is the far end of port-forwards: it leads every stream to a backend.
type kubelet struct {
	backend  string // host:port; empty for nobody listening
	sockets  bool   // speaks WebSocket
	sessions atomic.Int32
	streams  atomic.Int32
	mu       sync.Mutex
	open     []httpstream.Connection
}

// serve waits for the end of a session.
func (k *kubelet) serve(session httpstream.Connection) {
	k.sessions.Add(1)
	k.mu.Lock()
	k.open = append(k.open, session)
	k.mu.Unlock()
	<-session.CloseChan()
}

// end ends all sessions, as the end of a pod does.
func (k *kubelet) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, session := range k.open {
		_ = session.Close()
	}
}

func (k *kubelet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if websocket.IsWebSocketUpgrade(r) {
		if !k.sockets {
			http.Error(w, "websockets are not known here", http.StatusBadRequest)
			return
		}
		up := websocket.Upgrader{Subprotocols: []string{tunnel.WebsocketsSPDYTunnelingPortForwardV1}}
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		session, err := spdy.NewServerConnection(portforward.NewTunnelingConnection("server", conn), k.stream)
		if err == nil {
			k.serve(session)
		}
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
		return
	}
	session := spdy.NewResponseUpgrader().UpgradeResponse(w, r, k.stream)
	if session == nil {
		return
	}
	k.serve(session)
}

// stream serves one stream as a kubelet does.
func (k *kubelet) stream(s httpstream.Stream, _ <-chan struct{}) error {
	k.streams.Add(1)
	failing := s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError
	go func() {
		if failing {
			if k.backend == "" {
				_, _ = fmt.Fprintf(s, "connection refused\x1b[2J inside the pod")
				_ = s.Close()
			}
			return
		}
		if k.backend == "" {
			_, _ = io.Copy(io.Discard, s)
			return
		}
		conn, err := net.Dial("tcp", k.backend)
		if err != nil {
			_ = s.Reset()
			return
		}
		defer func() { _ = conn.Close(); _ = s.Close() }()
		go func() { _, _ = io.Copy(conn, s); _ = conn.Close() }()
		_, _ = io.Copy(s, conn)
	}()
	return nil
}

// backend answers what it was asked.
func backend(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
		case "/forbidden":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error":"mine"}`)
		case "/huge":
			for range 64 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		default:
			_, _ = fmt.Fprintf(w, "%s %s auth=%q", r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// withService is an API server with a service, its pod, and a kubelet behind it.
func withService(t *testing.T, o kubeapi.Options, k *kubelet) *fakeAPI {
	t.Helper()
	a := newAPI(t, o)
	b := backend(t)
	if k.backend == "" {
		k.backend = strings.TrimPrefix(b.URL, "http://")
	} else {
		k.backend = ""
	}
	a.add(t, namespace("mon"), &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: metav1.ObjectMeta{Namespace: "mon", Name: "prom"},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "prom"},
			Ports:    []corev1.ServicePort{{Name: "other", Port: 1}, {Name: "web", Port: 9090, TargetPort: intstr.FromString("http")}},
		},
	}, webPod("prom-0", false), webPod("prom-1", true), pod("mon", "other"))
	a.sim.HandleService("mon", "prom", "9090", b.Config.Handler)
	a.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/portforward") {
			if r.URL.Path != "/api/v1/namespaces/mon/pods/prom-1/portforward" {
				status(w, 404, "NotFound", "no such pod")
				return true
			}
			k.ServeHTTP(w, r)
			return true
		}
		return false
	})
	return a
}

// webPod is a pod of the service.
func webPod(name string, ready bool) *corev1.Pod {
	p := pod("mon", name)
	p.Labels = map[string]string{"app": "prom"}
	p.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "metrics", ContainerPort: 1}, {Name: "http", ContainerPort: 8080}}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	if ready {
		p.Status.Conditions[0].Status = corev1.ConditionTrue
	}
	return p
}

func noProxy(a kubeapi.Attributes) bool { return a.Subresource != "proxy" }

func ask(t *testing.T, c *Cluster, path string, header ...string) (string, *http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(header) == 2 {
		r.Header.Set(header[0], header[1])
	}
	resp, about, err := c.Service(t.Context(), "mon/prom:9090", r, 1<<20)
	if want := "kubectl get --raw "; !strings.HasPrefix(about.Repeat, want) {
		t.Errorf("repeated by %q", about.Repeat)
	}
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), resp, err
}

func readOnly(o *Options) {
	o.ReadOnly = true
	o.WrapTransport = func(rt http.RoundTripper) http.RoundTripper {
		return transport.Wrap(rt, transport.Options{ReadOnly: true, Kubernetes: true, MaxBody: transport.KubernetesLimit})
	}
}

func TestServiceThroughTheProxy(t *testing.T) {
	a := withService(t, kubeapi.Options{}, &kubelet{})
	c := connect(t, a.URL, quick(), readOnly)
	got, _, err := ask(t, c, "/api/v1/query?query=up%2Bx")
	if err != nil || got != `GET /api/v1/query?query=up%2Bx auth=""` {
		t.Errorf("got %q, %v", got, err)
	}
	if _, resp, err := ask(t, c, "/redirect"); err != nil || resp.StatusCode != http.StatusFound {
		t.Errorf("a redirect was followed: %v, %v", resp, err)
	}
	if got, resp, err := ask(t, c, "/forbidden"); err != nil || resp.StatusCode != http.StatusForbidden || got != `{"error":"mine"}` {
		t.Errorf("a refusal of the service's own: %q, %v", got, err)
	}
	var large *tooLargeError
	if got, _, err := ask(t, c, "/huge"); !errors.As(err, &large) || len(got) > 2<<20 {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	for _, r := range a.requests() {
		if !strings.HasPrefix(r.Path, "/api/v1/namespaces/mon/services/http:prom:9090/proxy/") {
			t.Errorf("asked for %s", r.Path)
		}
	}
}

func TestServiceThatTheProxyCannotServeReadOnly(t *testing.T) {
	k := &kubelet{sockets: true}
	c := connect(t, withService(t, limited(noProxy), k).URL, quick(), readOnly)
	for _, header := range [][]string{nil, {"Authorization", "Basic abc"}} {
		_, _, err := ask(t, c, "/", header...)
		if !errors.Is(err, ErrNeedsURL) || !strings.Contains(err.Error(), "needs a url in read-only mode") || strings.Contains(err.Error(), "abc") {
			t.Errorf("error %v", err)
		}
		if header == nil && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "services/proxy")) {
			t.Errorf("the missing right is not named: %v", err)
		}
	}
	if k.sessions.Load() != 0 {
		t.Error("a port-forward in read-only mode")
	}
}

func TestServiceByPortForward(t *testing.T) {
	for name, sockets := range map[string]bool{"WebSocket": true, "SPDY": false} {
		t.Run(name, func(t *testing.T) {
			k := &kubelet{sockets: sockets}
			a := withService(t, limited(noProxy), k)
			c := connect(t, a.URL, quick())
			for range 3 {
				got, _, err := ask(t, c, "/api/v1/query?query=up", "Authorization", "Basic abc")
				if err != nil || got != `GET /api/v1/query?query=up auth="Basic abc"` {
					t.Fatalf("got %q, %v", got, err)
				}
			}
			if k.sessions.Load() != 1 {
				t.Errorf("%d sessions, want one", k.sessions.Load())
			}
			var large *tooLargeError
			if got, _, err := ask(t, c, "/huge"); !errors.As(err, &large) || len(got) > 2<<20 {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
			a.requests()
			if got, _, err := ask(t, c, "/again"); err != nil || got != `GET /again auth=""` {
				t.Errorf("got %q, %v", got, err)
			}
			for _, r := range a.requests() {
				if strings.Contains(r.Path, "/proxy") {
					t.Errorf("the way is not remembered: %s", r.Path)
				}
			}
			c.mu.Lock()
			session := c.reach[ServiceTarget{Namespace: "mon", Name: "prom", Port: "9090", Scheme: "http"}].forward.session
			c.mu.Unlock()
			k.end()
			<-session.CloseChan()
			eventually(t, "a new session is made", func() bool { got, _, _ := ask(t, c, "/anew"); return got == `GET /anew auth=""` })
			if k.sessions.Load() != 2 {
				t.Errorf("%d sessions, want a second one", k.sessions.Load())
			}
		})
	}
}

func TestPodThatRefusesTheConnection(t *testing.T) {
	k := &kubelet{sockets: true, backend: "nobody"}
	a := withService(t, limited(noProxy), k)
	c := connect(t, a.URL, quick())
	_, _, err := ask(t, c, "/")
	if err == nil || !strings.Contains(err.Error(), "connecting to prom-1:8080: connection refused inside the pod") || !strings.Contains(err.Error(), "services/proxy") {
		t.Errorf("error %v", err)
	}
}

func TestServiceErrors(t *testing.T) {
	a := withService(t, kubeapi.Options{}, &kubelet{})
	c := connect(t, a.URL, quick())
	a.sim.HandleService("mon", "prom", "9090", nil)
	if _, _, err := ask(t, c, "/"); err == nil || !strings.Contains(err.Error(), "no ready endpoints") {
		t.Errorf("no endpoints: %v", err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if _, _, err := c.Service(t.Context(), "mon/absent:80", r, 1<<16); !apierrors.IsNotFound(err) && (err == nil || !strings.Contains(err.Error(), "endpoints")) {
		t.Errorf("no service: %v", err)
	}
	a.intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		status(w, 401, "Unauthorized", "Unauthorized")
		return true
	})
	if _, _, err := ask(t, c, "/"); !apierrors.IsUnauthorized(err) {
		t.Errorf("an expired token: %v", err)
	}
}

func TestParseServiceTarget(t *testing.T) {
	good := map[string]ServiceTarget{
		"a/b:80":        {Namespace: "a", Name: "b", Port: "80", Scheme: "http"},
		"https:a/b:web": {Namespace: "a", Name: "b", Port: "web", Scheme: "https"},
		"http:a/b:80":   {Namespace: "a", Name: "b", Port: "80", Scheme: "http"},
	}
	for text, want := range good {
		if got, err := ParseServiceTarget(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a", "a/b", "a/b:", "/b:80", "a/:80", "ftp:a/b:80", "a/b/c:80", "a/b:80:90", "../b:80", "a/b:8 0", "a/b:80/x", "a/b:80?x"} {
		if got, err := ParseServiceTarget(text); err == nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

func FuzzParseServiceTarget(f *testing.F) {
	f.Add("https:a/b:80")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseServiceTarget(text)
		if err != nil {
			return
		}
		if path := got.ProxyPath("/"); strings.Count(path, "/") != 8 || strings.ContainsAny(path, "?#%") {
			t.Errorf("%q leads to %q", text, path)
		}
	})
}
