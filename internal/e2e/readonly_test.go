//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/labtest"
)

// everything has a check of each kind that asks the cluster.
var everything = scraped + checks(`
- {id: nodes, title: t, probe: kubernetes.nodes, with: {min: 2, workers: 1}, weight: 1, every: 2s}
- {id: hpa, title: t, probe: kubernetes.hpa, with: {namespace: monitoring, name: none}, weight: 1, every: 2s}
- {id: workloads, title: t, probe: kubernetes.workloads, weight: 1, every: 2s, with: {workloads: [{kind: Deployment, namespace: velero, name: velero, image: velero/velero}]}}
- {id: inventory, title: t, probe: kubernetes.inventory, weight: 1, every: 2s, with: {services: [{name: Velero, workloads: [{kind: Deployment, namespace: velero, name: velero, image: velero/velero}]}]}}
- {id: objects, title: t, probe: kubernetes, weight: 1, every: 2s, with: {resource: v1/namespaces, expr: "objects.exists(o, o.metadata.name == 'kube-system')", want: kube-system}}
- {id: server, title: t, probe: velero.server, weight: 1, every: 2s}
- {id: storage, title: t, probe: velero.storage, weight: 1, every: 2s}
- {id: schedules, title: t, probe: velero.schedules, weight: 1, every: 2s, with: {schedules: [{name: none, cron: "0 2 * * *"}]}}
- {id: backups, title: t, probe: velero.backups, weight: 1, every: 2s, with: {schedules: [{name: none, cron: "0 2 * * *"}]}}
- {id: targets, title: t, probe: prometheus.targets, weight: 1, every: 2s, with: {min: 1}}
- {id: query, title: t, probe: promql, weight: 1, every: 2s, with: {query: "count(up)", condition: {op: ">=", value: 1}}}
- {id: page, title: t, probe: http, weight: 1, every: 2s, with: {service: "monitoring/prometheus:9090", path: /-/ready, expect: {contains: Ready}}}
`)

// onlyReads wants a user's requests to be reads, and some of them.
func onlyReads(t *testing.T, lab *labtest.Lab, user string) []labtest.AuditEvent {
	t.Helper()
	events, err := lab.Audit(user)
	must(t, err)
	seen := map[string]bool{}
	for _, e := range events {
		review := e.Verb == "create" && e.Group == "authorization.k8s.io" && e.Resource == "selfsubjectaccessreviews"
		if !review && !slices.Contains([]string{"get", "list", "watch"}, e.Verb) || e.Changes() {
			t.Errorf("a write: %v", e)
		}
		if slices.Contains([]string{"exec", "attach", "portforward"}, e.Subresource) || e.Code == 101 {
			t.Errorf("an upgrade: %v", e)
		}
		if e.User != user {
			t.Errorf("a request of %s", e.User)
		}
		seen[e.Resource] = true
	}
	for _, resource := range []string{
		"nodes", "pods", "deployments", "namespaces", "horizontalpodautoscalers", "services", "clusterrolebindings",
		"schedules", "backups", "backupstoragelocations",
	} {
		if !seen[resource] {
			t.Errorf("%s never asked for %s", user, resource)
		}
	}
	return events
}

// TestCheckWritesNothing runs a whole check as an administrator, in both modes.
func TestCheckWritesNothing(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	for user, flags := range map[string][]string{userCheck: nil, userCheckReadOnly: {"--read-only"}} {
		s := newStation(t, kubeconfig(t, lab, user), everything)
		d, code := s.check(t, flags...)
		for _, id := range []string{"nodes", "workloads", "inventory", "objects", "storage", "targets", "query", "page"} {
			d.want(t, id, "pass")
		}
		if code != 1 {
			t.Errorf("%v: exit code %d, want 1", flags, code)
		}
		t.Logf("%v: %d requests", flags, len(onlyReads(t, lab, user)))
	}
}

// TestBoardWritesNothing has a board in read-only mode run for a while, refreshed by hand meanwhile.
func TestBoardWritesNothing(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	s := newStation(t, kubeconfig(t, lab, userBoardReadOnly), everything)
	b := s.start(t, 120, 36, "--read-only")
	s.awaitHistory(t, "page", "pass", 30*time.Second)
	for range 10 {
		b.keys(t, "rR\x1b[B") // refresh the one, refresh all, down
		time.Sleep(2 * time.Second)
	}
	if !strings.Contains(strings.ToLower(b.text()), "read-only") {
		t.Error("the board does not say that it is read-only")
	}
	if end := b.signal(t, syscall.SIGTERM); end.ExitCode() != 0 {
		t.Errorf("the board ended with %v", end)
	}
	events := onlyReads(t, lab, userBoardReadOnly)
	watches := map[string]int{}
	for _, e := range events {
		if e.Verb == "watch" {
			watches[e.Resource]++
		}
		if e.Verb == "list" {
			t.Errorf("a list where there is a watch: %v", e)
		}
	}
	for resource, n := range watches {
		if n > 1 {
			t.Errorf("%d watches of %s, want one", n, resource)
		}
	}
	t.Logf("%d requests, watches %v", len(events), watches)
}
