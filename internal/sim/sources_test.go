package sim_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/all"
)

// How a source is named in the table below: a resource that is watched, a Service behind the API server, a handshake, a file.
func watched(resource string) string {
	return "GET kubernetes.254carbon.com/" + resource + "?allowWatchBookmarks=true"
}
func behind(service string) string {
	namespace, rest, _ := strings.Cut(service, "/")
	return "GET kubernetes.254carbon.com/api/v1/namespaces/" + namespace + "/services/http:" + strings.Replace(rest, "/", "/proxy/", 1)
}
func metric(start string) string { return "GET prometheus.254carbon.com/api/v1/query?query=" + start }
func account(path string) string {
	return "GET api.cloudflare.com/client/v4/accounts/0254ca0254ca0254ca0254ca0254ca02/" + path
}
func handshake(host string) string { return "TLS " + host }

// checkoutFile stands for what is read from the checkout: without its files the check passes no more.
const checkoutFile = "FILE"

// sources says what every check of the built-in profile must have asked for.
var sources = map[probes.ID][]string{
	"prometheus-operator": {watched("apis/monitoring.coreos.com/v1/prometheuses"), watched("apis/apps/v1/deployments")},
	"prometheus-targets":  {metric("max+by+%28job%29+%28max_over_time%28up"), metric("count+by+%28job%29+%28up+%3D%3D+1%29")},
	"monitors-bind": {
		watched("apis/monitoring.coreos.com/v1/servicemonitors"), watched("apis/monitoring.coreos.com/v1/podmonitors"), watched("api/v1/services"),
		"GET prometheus.254carbon.com/api/v1/targets?scrapePool=serviceMonitor%2Fdata-platform%2Ftrino%2F0",
	},
	"grafana-dashboards": {behind("monitoring/grafana:3000/api/health"), behind("monitoring/grafana:3000/api/search")},
	"loki-ingesting":     {behind("monitoring/loki:3100/ready"), behind("monitoring/loki:3100/loki/api/v1/query?query=sum+by+%28namespace%29")},
	"log-shipper":        {watched("apis/apps/v1/daemonsets"), watched("api/v1/nodes")},
	"alert-routing": {
		behind("monitoring/kube-prometheus-stack-alertmanager:9093/api/v2/status"), behind("monitoring/kube-prometheus-stack-alertmanager:9093/api/v2/alerts"),
		behind("monitoring/kube-prometheus-stack-alertmanager:9093/api/v2/silences"), metric("sum+by+%28integration%29+%28increase%28alertmanager_notifications_failed_total"),
	},
	"portal-ready":     {watched("apis/apps/v1/deployments"), watched("api/v1/pods")},
	"portal-catalogue": {behind("data-platform/portal-services:8080/api/services")},
	"tunnel-connected": {account("cfd_tunnel?is_deleted=false"), account("cfd_tunnel/02540000-0000-4000-8000-000000000254/connections")},
	"cloudflare-token": {"GET api.cloudflare.com/client/v4/user/tokens/verify"},
	"ingress-binds":    {watched("apis/networking.k8s.io/v1/ingresses"), watched("apis/discovery.k8s.io/v1/endpointslices")},
	"sso-scripts":      {checkoutFile},
	"velero-ready":     {watched("apis/apps/v1/deployments"), watched("apis/rbac.authorization.k8s.io/v1/clusterrolebindings")},
	"backup-location":  {watched("apis/velero.io/v1/backupstoragelocations")},
	"backup-schedules": {watched("apis/velero.io/v1/schedules")},
	"backup-newest":    {watched("apis/velero.io/v1/backups")},
	"hpa-trino":        {watched("apis/autoscaling/v2/horizontalpodautoscalers")},
	"hpa-superset":     {watched("apis/autoscaling/v2/horizontalpodautoscalers")},
	"metrics-api":      {watched("apis/apiregistration.k8s.io/v1/apiservices"), "GET kubernetes.254carbon.com/apis/metrics.k8s.io/v1beta1/nodes?limit="},

	"catalogue-complete": {behind("data-platform/portal-services:8080/api/services")},
	"services-inventory": {watched("apis/apps/v1/statefulsets"), watched("api/v1/pods")},
	"services-answer": {
		behind("data-platform/portal-services:8080/healthz"), behind("monitoring/grafana:3000/api/health"), behind("data-platform/superset:8088/health"),
		behind("data-platform/datahub-gms:8080/config"), behind("data-platform/trino-coordinator:8080/v1/info"), behind("data-platform/doris-fe-service:8030/api/bootstrap"),
		behind("vault-prod/vault:8200/v1/sys/health"), behind("data-platform/minio-service:9000/minio/health/live"),
		behind("data-platform/dolphinscheduler-api:12345/actuator/health"), behind("data-platform/lakefs:8000/api/v1/healthcheck"),
	},
	"guides":         {checkoutFile},
	"scripts":        {checkoutFile},
	"readme-current": {checkoutFile},
	"certificates": {
		handshake("grafana.254carbon.com"), handshake("portal.254carbon.com"), handshake("harbor.254carbon.com"), watched("apis/cert-manager.io/v1/certificates"),
		watched("apis/cert-manager.io/v1/clusterissuers"),
	},
	"network-policies": {watched("apis/networking.k8s.io/v1/networkpolicies"), watched("api/v1/namespaces")},
	"rbac":             {watched("apis/rbac.authorization.k8s.io/v1/clusterroles"), watched("apis/rbac.authorization.k8s.io/v1/rolebindings")},
	"pod-security":     {watched("api/v1/namespaces"), watched("apis/kyverno.io/v1/clusterpolicies")},

	"harbor-healthy":     {"GET harbor.254carbon.com/api/v2.0/health"},
	"harbor-door":        {"GET harbor.254carbon.com/v2/"},
	"harbor-credentials": {"HEAD harbor.254carbon.com/api/v2.0/projects?project_name=254carbon"},
	"harbor-robot":       {"GET harbor.254carbon.com/api/v2.0/projects/254carbon", "GET harbor.254carbon.com/api/v2.0/robots"},
	"images-mirrored":    {"HEAD harbor.254carbon.com/v2/254carbon/trino/manifests/424", "HEAD harbor.254carbon.com/v2/254carbon/alpine/manifests/latest"},
	"images-origin":      {watched("api/v1/pods")},

	"access-apps":        {account("access/apps"), account("access/identity_providers")},
	"access-otp":         {account("access/identity_providers"), account("access/apps")},
	"services-protected": {"GET grafana.254carbon.com/", "GET vault.254carbon.com/", "GET dolphin.254carbon.com/", "GET cloudflare-dns.com/dns-query?name=grafana.254carbon.com"},
	"routes-covered":     {account("cfd_tunnel/02540000-0000-4000-8000-000000000254/configurations"), account("access/apps")},

	"test-backup":      {watched("api/v1/namespaces/default/configmaps")},
	"restore-verified": {watched("api/v1/namespaces/default/configmaps")},

	"workload-guards":       {watched("apis/policy/v1/poddisruptionbudgets"), watched("api/v1/resourcequotas")},
	"worker-nodes":          {watched("api/v1/nodes")},
	"replicas-spread":       {watched("api/v1/pods"), watched("api/v1/nodes")},
	"postgres-replication":  {metric("pg_replication_is_replica"), watched("apis/discovery.k8s.io/v1/endpointslices")},
	"backup-failure-domain": {watched("apis/velero.io/v1/backupstoragelocations"), watched("api/v1/services")},
}

// TestEveryCheckAsksItsSource asks every check of the built-in profile once, those that are blocked too, and looks into what reached the
// simulated servers: nothing is answered from thin air.
func TestEveryCheckAsksItsSource(t *testing.T) {
	s, err := sim.Start(t.Context(), sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	p, err := profile.Builtin(profile.DefaultName, all.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	p = s.Profile(p)
	x, err := platform.Open(p, s.Platform(platform.Options{ReadOnly: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	ask := func(c profile.Check) probes.Result {
		t.Helper()
		probe, err := all.Build(c, x)
		if err != nil {
			t.Fatal(err)
		}
		return probes.Ask(t.Context(), probes.Check{Spec: c.Spec, Probe: probe}, s.Now)
	}
	for _, c := range p.Checks() {
		if r := ask(c); r.Err != nil {
			t.Errorf("%s could not be asked: %v", c.Spec.ID, r.Err)
		}
	}
	var asked []string
	for _, r := range s.Requests() {
		line := r.Method + " " + r.Host + r.Path
		if r.Query != "" {
			line += "?" + r.Query
		}
		asked = append(asked, line)
	}
	for host := range s.Handshakes() {
		asked = append(asked, handshake(host))
	}
	emptied := false
	for _, c := range p.Checks() {
		wanted := sources[c.Spec.ID]
		if len(wanted) == 0 {
			t.Errorf("%s: nobody says what it asks", c.Spec.ID)
		}
		for _, want := range wanted {
			if want == checkoutFile {
				if !emptied {
					empty(t, s)
					emptied = true
				}
				if r := ask(c); r.Err == nil && r.Status == probes.Pass {
					t.Errorf("%s passes without a file in the checkout: %s", c.Spec.ID, r.Summary)
				}
				continue
			}
			if !slices.ContainsFunc(asked, func(line string) bool { return strings.HasPrefix(line, want) }) {
				t.Errorf("%s: %s was never asked", c.Spec.ID, want)
			}
		}
	}
	for id := range sources {
		if _, ok := p.Check(id); !ok {
			t.Errorf("there is no check %s", id)
		}
	}
}

// empty takes every file out of the checkout of the simulated platform.
func empty(t *testing.T, s *sim.Sim) {
	t.Helper()
	dir, err := s.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d files in the checkout: %v", len(entries), err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
}
