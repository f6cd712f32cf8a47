//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// findings runs gonogo doctor and returns what it found by "area subject", and the exit code.
func (s *station) findings(t *testing.T, args ...string) (map[string]finding, int) {
	t.Helper()
	o := s.run(t, append(args, "doctor", "-o", "json")...)
	var report struct{ Findings []finding }
	if err := json.Unmarshal([]byte(o.stdout), &report); err != nil {
		t.Fatalf("reading the answer of gonogo doctor (exit code %d): %v\n%s\n%s", o.code, err, o.stdout, o.stderr)
	}
	all := map[string]finding{}
	for _, f := range report.Findings {
		all[f.Area+" "+f.Subject] = f
	}
	return all, o.code
}

var pinned = regexp.MustCompile(`cluster: \{uid: [^}]*\}`)

type finding struct{ Area, Subject, State, Text, Do string }

// TestAFirstProfileOfARealCluster drafts a profile of the lab and asks it whole.
func TestAFirstProfileOfARealCluster(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	deploy(t, lab, "drafted", "api", "registry.example/api:1", 2)
	s := newStation(t, kubeconfig(t, lab, userCheck), "")
	s.profile = filepath.Join(s.dir, "first.yaml")
	o := s.run(t, "profile", "init", "--output", s.profile)
	if o.code != 0 || !strings.Contains(o.stderr, "wrote a first profile of lab") {
		t.Fatalf("exit code %d: %s", o.code, o.stderr)
	}
	text, err := os.ReadFile(s.profile)
	must(t, err)
	for _, want := range []string{"monitoring/prometheus:9090", "id: inventory-drafted", "id: nodes-ready", "id: backup-location", "cluster: {uid: "} {
		if !strings.Contains(string(text), want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	if o := s.run(t, "profile", "validate", s.profile); o.code != 0 {
		t.Errorf("it is not valid: %s", o.stderr)
	}
	d, _ := s.check(t)
	if d.Counts["unknown"] > 0 || d.Counts["pass"] == 0 {
		t.Errorf("its checks stand at %v: %+v", d.Counts, d.Components)
	}
	d.want(t, "inventory-drafted", "pass")
	d.want(t, "targets-up", "pass")
	found, code := s.findings(t)
	if f := found["kubernetes cluster"]; code != 0 || f.State != "ok" {
		t.Errorf("doctor exits with %d, and says of the cluster: %+v", code, f)
	}
	const other = "11111111-2222-3333-4444-555555555555"
	must(t, os.WriteFile(s.profile, pinned.ReplaceAll(text, []byte("cluster: {uid: "+other+"}")), 0o600))
	found, code = s.findings(t)
	if f := found["kubernetes cluster"]; code != 1 || f.State != "wrong" || !strings.Contains(f.Text, "the profile is about "+other) {
		t.Errorf("of another cluster, doctor exits with %d and says: %+v", code, f)
	}
}

// TestDoctorNamesMissingRights has an account that lacks some, on a real API server.
func TestDoctorNamesMissingRights(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	file, user := serviceAccount(t, lab, "patient",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get", "list", "watch"}},
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get"}})
	s := newStation(t, file, scraped+checks(`
- {id: nodes, title: t, probe: kubernetes.nodes, weight: 1, with: {min: 1, workers: 0}}
- {id: hpa, title: t, probe: kubernetes.hpa, weight: 1, with: {namespace: team-z, name: hpa}}
- {id: targets, title: t, probe: prometheus.targets, with: {min: 1}, weight: 1}
`))
	found, code := s.findings(t, "--read-only")
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for key, want := range map[string][]string{
		"kubernetes connection": {"ok", "Kubernetes v"},
		"kubernetes cluster":    {"note", "does not pin"},
		"kubernetes clock":      {"ok", "agree"},
		"kubernetes right to read horizontalpodautoscalers.autoscaling": {"missing", "may not list"},
		"kubernetes right to reach monitoring/prometheus:9090":          {"missing", "services/proxy"},
		"prometheus connection": {"wrong", "Prometheus"},
	} {
		f, ok := found[key]
		if !ok || f.State != want[0] || !strings.Contains(f.Text+f.Do, want[1]) {
			t.Errorf("%s: %+v, want %v", key, f, want)
		}
	}
	if f, ok := found["kubernetes right to read nodes"]; ok {
		t.Errorf("it has the right to read nodes: %+v", f)
	}
	events, err := lab.Audit(user)
	must(t, err)
	for _, e := range events {
		review := e.Verb == "create" && e.Resource == "selfsubjectaccessreviews"
		if e.Verb != "get" && e.Verb != "list" && e.Verb != "watch" && !review {
			t.Errorf("doctor sent %v", e)
		}
	}
}
