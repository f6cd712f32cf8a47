//go:build e2e

package cluster_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/labtest"
	"github.com/254carbon/gonogo/internal/platform/cluster"
	"github.com/254carbon/gonogo/internal/platform/transport"
)

func open(t *testing.T, lab *labtest.Lab, user string, readOnly bool) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Open(cluster.Options{
		RESTConfig: lab.Config(user), ReadOnly: readOnly,
		WrapTransport: func(rt http.RoundTripper) http.RoundTripper {
			return transport.Wrap(rt, transport.Options{ReadOnly: readOnly, Kubernetes: true, MaxBody: transport.KubernetesLimit})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestRealAPIServer reads a real cluster in read-only mode, and wants its audit log to show watches and single reads alone.
func TestRealAPIServer(t *testing.T) {
	lab := labtest.Start(t, labtest.Options{Nodes: 3})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.RequestURI()) }))
	defer web.Close()
	backend := labtest.Backend{Namespace: "mon", Name: "web", Port: 8080, Target: strings.TrimPrefix(web.URL, "http://")}
	if _, err := lab.Serve(t.Context(), backend); err != nil {
		t.Fatal(err)
	}
	c := open(t, lab, labtest.Viewer, true)
	nodes, err := c.Nodes(t.Context())
	if err != nil || len(nodes.Items) != 3 || nodes.Note != "" {
		t.Fatalf("%d nodes, note %q, %v", len(nodes.Items), nodes.Note, err)
	}
	if pods, err := c.Pods(t.Context(), "mon"); err != nil || len(pods.Items) != 1 || !pods.Items[0].Ready || len(pods.Items[0].Containers) != 1 {
		t.Errorf("pods %+v, %v", pods.Items, err)
	}
	services := schema.GroupVersionResource{Version: "v1", Resource: "services"}
	if seen, err := c.List(t.Context(), services, "mon"); err != nil || len(seen.Items) != 1 {
		t.Errorf("%d services, %v", len(seen.Items), err)
	}
	if _, err := c.List(t.Context(), schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "widgets"}, ""); !apierrors.IsNotFound(err) {
		t.Errorf("a resource that is not served: %v", err)
	}
	if yes, _, err := c.CanI(t.Context(), "delete", "", "pods", "", "", ""); yes || err != nil {
		t.Errorf("may delete pods: %v, %v", yes, err)
	}
	if uid, err := c.UID(t.Context()); err != nil || len(uid) != 36 {
		t.Errorf("uid %q, %v", uid, err)
	}
	if body, _, err := c.Raw(t.Context(), "/readyz?verbose", 1<<20); err != nil || !strings.Contains(string(body), "etcd") {
		t.Errorf("readyz %q, %v", body, err)
	}
	if got, err := fetch(t, c); err != nil || got != "/x?y=z" {
		t.Errorf("the service answered %q, %v", got, err)
	}
	if got, err := fetch(t, open(t, lab, labtest.ProxyOnly, true)); err != nil || got != "/x?y=z" {
		t.Errorf("with the proxy's right alone: %q, %v", got, err)
	}
	if got, err := fetch(t, open(t, lab, labtest.Forwarder, false)); err != nil || got != "/x?y=z" {
		t.Errorf("by port-forward: %q, %v", got, err)
	}
	if _, err := fetch(t, open(t, lab, labtest.Forwarder, true)); err == nil || !strings.Contains(err.Error(), "needs a url in read-only mode") {
		t.Errorf("where only a port-forward would do, in read-only mode: %v", err)
	}
	if _, err := open(t, lab, labtest.Outsider, true).Nodes(t.Context()); !apierrors.IsForbidden(err) {
		t.Errorf("without rights: %v", err)
	}
	if err := lab.SilenceNode(t.Context(), nodes.Items[0].Name); err != nil {
		t.Fatal(err)
	}
	waitFor(t, time.Minute, func() bool {
		seen, err := c.Nodes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range seen.Items[0].Status.Conditions {
			if n.Type == corev1.NodeReady && n.Status != corev1.ConditionTrue {
				return true
			}
		}
		return false
	})
	events, err := lab.Audit(labtest.Viewer)
	if err != nil {
		t.Fatal(err)
	}
	watches := 0
	for _, e := range events {
		if e.Verb == "watch" && e.Code < 400 {
			watches++
		}
		if e.Changes() || e.Verb == "list" && e.Group != "example.com" {
			t.Errorf("the API server was asked: %s", e)
		}
	}
	if watches == 0 {
		t.Error("the audit log has no watches")
	}
}

func fetch(t *testing.T, c *cluster.Cluster) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/x?y=z", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, _, err := c.Service(t.Context(), "mon/web:8080", r, 1<<20)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func waitFor(t *testing.T, limit time.Duration, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("it did not happen within %s", limit)
}

// TestLargeCluster measures what 1,000 nodes and 10,000 pods cost.
func TestLargeCluster(t *testing.T) {
	lab := labtest.Start(t, labtest.Options{KWOK: true})
	if _, err := lab.Scale(t.Context(), 1000, 10_000); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	debug.FreeOSMemory()
	before := resident(t)
	c := open(t, lab, labtest.Viewer, true)
	began := time.Now()
	nodes, err := c.Nodes(t.Context())
	if err != nil || len(nodes.Items) != 1000 {
		t.Fatalf("%d nodes, %v", len(nodes.Items), err)
	}
	pods, err := c.Pods(t.Context(), "")
	if err != nil || len(pods.Items) < 10_000 {
		t.Fatalf("%d pods, %v", len(pods.Items), err)
	}
	took, peak := time.Since(began), resident(t)
	runtime.GC()
	debug.FreeOSMemory()
	after := resident(t)
	t.Logf("1,000 nodes and 10,000 pods after %s: %d MiB more resident at once, %d MiB to stay", took.Round(time.Millisecond), peak-before, after-before)
	const most = 60
	if peak-before > most {
		t.Errorf("%d MiB, want no more than %d", peak-before, most)
	}
}

// resident is this process' resident memory in MiB.
func resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kib >> 10
		}
	}
	t.Fatal("no resident memory")
	return 0
}
