//go:build e2e

package e2e

import (
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/254carbon/gonogo/internal/labtest"
)

const scraped = "connections:\n  prometheus: {service: \"monitoring/prometheus:9090\"}\n"

var prometheusChecks = checks(`
- {id: targets, title: t, probe: prometheus.targets, with: {min: 1, jobs: [prometheus]}, weight: 1}
- {id: query, title: t, probe: promql, with: {query: 'count(up == 1)', condition: {op: '>=', value: 1}}, weight: 1}
`)

// serviceAccount makes a service account and a kubeconfig of it, and returns the file and the name that the audit log has.
func serviceAccount(t *testing.T, lab *labtest.Lab, name string, rules ...rbacv1.PolicyRule) (file, user string) {
	t.Helper()
	const namespace = "e2e-accounts"
	token, err := lab.ServiceAccount(t.Context(), namespace, name, rules...)
	must(t, err)
	file, err = lab.Kubeconfig("lab", token)
	must(t, err)
	return file, "system:serviceaccount:" + namespace + ":" + name
}

// TestPrometheusByProxy reaches a real Prometheus through the API server with an account that may do nothing else.
func TestPrometheusByProxy(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	file, user := serviceAccount(t, lab, "proxy",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services/proxy"}, Verbs: []string{"get"}})
	s := newStation(t, file, scraped+prometheusChecks)
	for _, mode := range [][]string{nil, {"--read-only"}} {
		d, code := s.check(t, mode...)
		d.want(t, "targets", "pass")
		d.want(t, "query", "pass")
		if code != 0 {
			t.Errorf("%v: exit code %d, want 0", mode, code)
		}
	}
	events, err := lab.Audit(user)
	must(t, err)
	if len(events) == 0 {
		t.Error("the API server saw no request")
	}
	for _, e := range events {
		if e.Verb != "get" || e.Resource != "services" || e.Subresource != "proxy" || e.Code != 200 {
			t.Errorf("unexpected request: %v", e)
		}
	}
}

// TestPrometheusByPortForward reaches it where the proxy is not allowed and a port-forward is; in read-only mode, that is not to be had.
func TestPrometheusByPortForward(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	file, user := serviceAccount(t, lab, "forward",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services", "pods"}, Verbs: []string{"get", "list"}},
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/portforward"}, Verbs: []string{"get", "create"}})
	s := newStation(t, file, scraped+prometheusChecks)

	d, code := s.check(t, "--read-only")
	for _, id := range []string{"targets", "query"} {
		d.want(t, id, "unknown", "needs a url in read-only mode", "services/proxy")
	}
	if code != 3 {
		t.Errorf("read-only: exit code %d, want 3", code)
	}
	forwards := func() (n int) {
		events, err := lab.Audit(user)
		must(t, err)
		for _, e := range events {
			if e.Subresource == "portforward" {
				n++
			}
		}
		return n
	}
	if n := forwards(); n != 0 {
		t.Errorf("read-only: %d port-forwards", n)
	}

	d, code = s.check(t)
	d.want(t, "targets", "pass")
	d.want(t, "query", "pass")
	if code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if n := forwards(); n == 0 {
		t.Error("the API server saw no port-forward")
	}

	// With neither right, the answer names what is missing.
	file, _ = serviceAccount(t, lab, "neither")
	s = newStation(t, file, scraped+prometheusChecks)
	d, code = s.check(t)
	d.want(t, "targets", "unknown", "services/proxy")
	if code != 3 || strings.Contains(d.of(t, "targets").said(), "read-only") {
		t.Errorf("exit code %d, %s", code, d.of(t, "targets").said())
	}
}
