package cluster

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/254carbon/gonogo/internal/sim/kubeapi"
	"github.com/254carbon/gonogo/probes"
)

func TestSingleReadsInReadOnlyMode(t *testing.T) {
	a := newAPI(t, limited(func(a kubeapi.Attributes) bool { return a.Resource != "pods" }))
	a.add(t, namespace("kube-system"), namespace("x"), &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "s"},
		Data: map[string][]byte{"token": []byte("hush"), "user": []byte("me")},
	})
	c := connect(t, a.URL, quick(), readOnly)

	body, about, err := c.Raw(t.Context(), "/version?x=1", 1<<20)
	if err != nil || !strings.Contains(string(body), "gitVersion") || about.Repeat != "kubectl get --raw '/version?x=1'" {
		t.Errorf("version: %q, %+v, %v", body, about, err)
	}
	if _, _, err := c.Raw(t.Context(), "/version", 10); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a body beyond the limit: %v", err)
	}
	if _, _, err := c.Raw(t.Context(), "/api/v1/pods", 1<<20); !apierrors.IsForbidden(err) {
		t.Errorf("a path without rights: %v", err)
	}
	for _, path := range []string{"", "x", "http://elsewhere/x", "//elsewhere/x"} {
		if _, _, err := c.Raw(t.Context(), path, 1<<20); err == nil {
			t.Errorf("%q was asked for", path)
		}
	}

	uid, err := c.UID(t.Context())
	if err != nil || len(uid) != 36 {
		t.Errorf("uid %q, %v", uid, err)
	}
	a.requests()
	if again, err := c.UID(t.Context()); again != uid || err != nil || len(a.requests()) != 0 {
		t.Errorf("asked again: %q, %v", again, err)
	}

	if yes, _, err := c.CanI(t.Context(), "list", "", "nodes", "", "", ""); !yes || err != nil {
		t.Errorf("may list nodes: %v, %v", yes, err)
	}
	if yes, _, err := c.CanI(t.Context(), "list", "", "pods", "", "x", ""); yes || err != nil {
		t.Errorf("may list pods: %v, %v", yes, err)
	}

	if value, err := c.Secret(t.Context(), "x", "s", "token"); value != "hush" || err != nil {
		t.Errorf("secret %q, %v", value, err)
	}
	if _, err := c.Secret(t.Context(), "x", "s", "password"); !errors.Is(err, probes.ErrNoSecret) || !strings.Contains(err.Error(), "it has token, user") || strings.Contains(err.Error(), "hush") {
		t.Errorf("a key that is not there: %v", err)
	}
	if _, err := c.Secret(t.Context(), "x", "none", "token"); !apierrors.IsNotFound(err) || !errors.Is(err, probes.ErrNoSecret) {
		t.Errorf("a secret that is not there: %v", err)
	}
	a.intercept(func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true })
	if _, err := c.Secret(t.Context(), "x", "s", "token"); err == nil || errors.Is(err, probes.ErrNoSecret) {
		t.Errorf("a server that knows nothing: %v", err)
	}
	a.intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"kind":"Secret","apiVersion":"v1","data":{"token":"hush!!"}}`))
		return true
	})
	if _, err := c.Secret(t.Context(), "x", "s", "token"); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("a secret that cannot be decoded: %v", err)
	}
	a.intercept(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := c.Raw(ctx, "/version", 10); err == nil {
		t.Error("a server that hangs answered")
	}
}

func TestRequestsBelowABasePath(t *testing.T) {
	a := newAPI(t, kubeapi.Options{})
	a.add(t, node("a"))
	a.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		rest, ok := strings.CutPrefix(r.URL.Path, "/k8s/clusters/c1")
		if !ok {
			http.NotFound(w, r)
			return true
		}
		r.URL.Path = rest
		return false
	})
	c := connect(t, a.URL+"/k8s/clusters/c1", quick())
	if seen, err := c.Nodes(t.Context()); err != nil || len(seen.Items) != 1 {
		t.Errorf("%d nodes, %v", len(seen.Items), err)
	}
	if _, _, err := c.Raw(t.Context(), "/version", 1<<20); err != nil {
		t.Error(err)
	}
}

const kubeconfig = `
apiVersion: v1
kind: Config
current-context: one
clusters:
- {name: c1, cluster: {server: "https://one.invalid:6443"}}
- {name: c2, cluster: {server: "https://two.invalid:6443", proxy-url: "http://proxy.invalid:3128"}}
users:
- {name: u, user: {token: hush}}
- name: plugin
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: some-plugin, interactiveMode: IfAvailable}}
contexts:
- {name: one, context: {cluster: c1, user: u, namespace: ns}}
- {name: two, context: {cluster: c2, user: plugin}}
- {name: broken, context: {cluster: absent, user: u}}
`

func TestLoadConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", kubeconfig)
	nowhere := write("nowhere", strings.Replace(kubeconfig, "current-context: one", "", 1))
	bad := write("bad", "\t{{not yaml")
	absent := filepath.Join(dir, "absent")
	t.Setenv("HOME", dir)
	t.Setenv("KUBERNETES_SERVICE_HOST", "")

	tests := []struct {
		name, env, path, context string
		server, kubectl, want    string
	}{
		{name: "current context", path: good, server: "https://one.invalid:6443", kubectl: "kubectl --kubeconfig=" + good},
		{name: "named context", path: good, context: "two", server: "https://two.invalid:6443", kubectl: "kubectl --kubeconfig=" + good + " --context=two"},
		{name: "environment", env: absent + string(filepath.ListSeparator) + good, server: "https://one.invalid:6443", kubectl: "kubectl"},
		{name: "no such context", path: good, context: "thre", want: `has no context "thre": it has broken, one, two`},
		{name: "no current context", path: nowhere, want: "has no current context: name one of broken, one, two"},
		{name: "context without cluster", path: good, context: "broken", want: `using context "broken"`},
		{name: "unreadable", path: bad, want: "reading kubeconfig " + bad},
		{name: "absent", path: absent, want: "reading kubeconfig " + absent + ": no such file or directory"},
		{name: "nothing", want: "no Kubernetes cluster is configured"},
		{name: "nothing but a context", context: "one", want: "the kubeconfig has no contexts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", tt.env)
			config, info, err := LoadConfig(tt.path, tt.context)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if config.Host != tt.server || info.Server != tt.server || info.kubectl() != tt.kubectl {
				t.Errorf("leads to %s (%+v) by %q", config.Host, info, info.kubectl())
			}
			if info.Context == "two" && (config.Proxy == nil || config.ExecProvider == nil || !config.ExecProvider.StdinUnavailable) {
				t.Errorf("the proxy or the plug-in was forgotten: %+v", config)
			}
		})
	}
}
