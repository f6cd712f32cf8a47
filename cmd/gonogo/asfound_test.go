package main

import (
	"strings"
	"testing"

	"github.com/254carbon/gonogo/internal/report"
)

// TestAsFound holds that the board of the scenario as-found says how far the document was from the truth: for every discrepancy that the
// evidence of that day shows, the checks that fail of it, and the words that tell a person the cause.
func TestAsFound(t *testing.T) {
	code, out, errs := demo(t, "as-found", "check", "-o", "json")
	if code != 1 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	r := decode(t, out)
	if r.Verdict != "NO-GO" || r.Score.Percent >= 87 {
		t.Errorf("%s at %d %%", r.Verdict, r.Score.Percent)
	}
	for _, d := range []struct {
		discrepancy string
		checks      map[string][]string
	}{
		{"monitoring is not there, and most monitors bind nothing", map[string][]string{
			"prometheus-operator": {"no deployment in monitoring runs the operator"},
			"log-shipper":         {"none of these exists: promtail"},
			"monitors-bind":       {"12 of 16 monitors bind nothing", "Service datahub-gms has no port metrics", "no Service with app=trino"},
			"grafana-dashboards":  {"Grafana", "no ready endpoints"},
			"loki-ingesting":      {"Loki", "no ready endpoints"},
			"alert-routing":       {"Alertmanager", "does not exist"},
		}},
		{"Velero does not run", map[string][]string{
			"velero-ready":     {"no deployment velero in velero"},
			"backup-schedules": {"missed its run"},
			"backup-newest":    {"no backup of schedule daily-backup"},
		}},
		{"placeholders count as services", map[string][]string{
			"services-inventory": {"grafana is to run nginx:1.25, not grafana/grafana", "trino-coordinator is to run nginx:1.25"},
			"services-answer":    {"grafana", "trino", "no ready endpoints"},
		}},
		{"a page that answers is no door that is closed", map[string][]string{
			"services-protected": {"open: ", "200 OK without Access"},
		}},
		{"the Access applications were never made", map[string][]string{
			"access-apps": {"10 of 10 applications do not exist"},
			"access-otp":  {"one-time PIN"},
		}},
		{"the bucket in use is not the one that was made", map[string][]string{
			"backup-location":       {"NoSuchBucket", "254carbon-backups", "velero-backups"},
			"backup-failure-domain": {"StatefulSet minio"},
			"test-backup":           {"no test backup"},
		}},
		{"Harbor was blocked on its door, not on a credential", map[string][]string{
			"harbor-door":  {"internal registry", "harbor-core"},
			"harbor-robot": {"no robot account"},
		}},
		{"autoscalers without metrics, budgets that guard nothing", map[string][]string{
			"hpa-trino":       {"FailedGetResourceMetric"},
			"hpa-superset":    {"FailedGetResourceMetric"},
			"metrics-api":     {"metrics-server", "not Available"},
			"workload-guards": {"pdb data-platform/trino-worker-pdb selects no pod", "allows no disruption: 0 of 1 pods healthy"},
		}},
		{"stabilised by deletion", map[string][]string{
			"services-inventory": {"gone: doris-fe, doris-be, lakefs", "scaled to zero: dolphinscheduler-api"},
		}},
		{"an issuer is not what it is called, and most certificates are signed by nobody", map[string][]string{
			"certificates": {"ClusterIssuer letsencrypt-prod: it is ca, not ACME", "portal.254carbon.com: it is signed by itself", "from ClusterIssuer selfsigned"},
		}},
		{"a quota of a third of what is used", map[string][]string{
			"workload-guards": {"quota data-platform/data-platform-quota is exceeded: requests.cpu 25600m of 8"},
		}},
		{"selectors that select nothing", map[string][]string{
			"ingress-binds":    {"trino.254carbon.com: service data-platform/trino does not exist", "two Ingresses own it", "service data-platform/lakefs selects no pod"},
			"network-policies": {"namespace monitoring has no default-deny", "relies on label name=kube-system, which namespace kube-system lacks", "name=velero"},
			"monitors-bind":    {"no Service with app=postgres"},
		}},
		{"what else the day showed", map[string][]string{
			"rbac":         {"4 roles allow every verb on every resource", "openebs-maya-operator"},
			"pod-security": {"registry has no enforced level"},
			"worker-nodes": {"0 workers"},
		}},
	} {
		for id, words := range d.checks {
			c := r.check(id)
			if c.Status != "fail" {
				t.Errorf("%s: %s is %s: %s%s", d.discrepancy, id, c.Status, c.Summary, c.Error)
				continue
			}
			said := saidBy(c)
			for _, word := range words {
				if !strings.Contains(said, word) {
					t.Errorf("%s: %s does not say %q:\n%s", d.discrepancy, id, word, said)
				}
			}
		}
	}
	for id, words := range map[string][]string{ // what was said to be missing, and was not
		"harbor-credentials": {"may push to 254carbon"},
		"harbor-healthy":     {"healthy"},
	} {
		if c := r.check(id); c.Status != "pass" || !strings.Contains(saidBy(c), words[0]) {
			t.Errorf("%s is %s: %s%s", id, c.Status, c.Summary, c.Error)
		}
	}
}

// saidBy is everything that a person reads of a check.
func saidBy(c report.Check) string {
	text := c.Summary
	for _, e := range c.Evidence {
		text += "\n" + e.Subject + ": " + e.Got
	}
	return text
}
