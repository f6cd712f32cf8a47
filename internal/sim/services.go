package sim

import (
	"net/http"
)

// page is what one path of one service answers.
type page struct {
	namespace, service, port, path string
	header                         [2]string
	body                           string // none at all answers 204
}

// pages are what only the real programs answer: a placeholder web server has none of these.
var pages = []page{
	{"data-platform", "portal", "8080", "/", [2]string{"Content-Type", "text/html"}, "<!doctype html><title>254Carbon Portal</title>"},
	{"data-platform", "superset", "8088", "/health", [2]string{"Content-Type", "text/html"}, "OK"},
	{"data-platform", "datahub-gms", "8080", "/health", [2]string{"Content-Type", "application/json"}, `{"status":"UP"}`},
	{"data-platform", "datahub-gms", "8080", "/config", [2]string{"Content-Type", "application/json"}, `{"noCode":"true","versions":{"acryldata/datahub":{"version":"v0.12.0"}}}`},
	{"data-platform", "trino-coordinator", "8080", "/v1/info", [2]string{"Content-Type", "application/json"}, `{"nodeVersion":{"version":"424"},"environment":"production","coordinator":true,"starting":false,"uptime":"2.11d"}`},
	{"data-platform", "doris-fe-service", "8030", "/api/bootstrap", [2]string{"Content-Type", "application/json"}, `{"msg":"success","code":0,"data":{"replayedJournalId":0,"queryPort":0,"rpcPort":0,"version":""},"count":0}`},
	{"vault-prod", "vault", "8200", "/v1/sys/health", [2]string{"Content-Type", "application/json"}, `{"initialized":true,"sealed":false,"standby":false,"version":"1.15.0","cluster_name":"vault-cluster-254"}`},
	{"data-platform", "minio-service", "9000", "/minio/health/live", [2]string{"Server", "MinIO"}, "\n"},
	{"data-platform", "dolphinscheduler-api", "12345", "/actuator/health", [2]string{"Content-Type", "application/json"}, `{"status":"UP","components":{"db":{"status":"UP"}}}`},
	{"data-platform", "lakefs", "8000", "/health", [2]string{"X-Content-Type-Options", "nosniff"}, "alive!"},
	{"data-platform", "lakefs", "8000", "/api/v1/healthcheck", [2]string{"X-Request-Id", "lakefs"}, ""},
}

// serveObservability lets the programs with a state of their own answer behind their Services.
func (s *Sim) serveObservability() {
	const ns = "monitoring"
	s.API.HandleService(ns, "kube-prometheus-stack-prometheus", "9090", s.injectors["prometheus"])
	s.API.HandleService(ns, "grafana", "3000", s.Observability.Grafana)
	s.API.HandleService(ns, "loki", "3100", s.Observability.Loki)
	s.API.HandleService(ns, "kube-prometheus-stack-alertmanager", "9093", s.Observability.Alertmanager)
}

// servePortal lets the portal's list of services answer behind its Service.
func (s *Sim) servePortal() {
	s.API.HandleService("data-platform", "portal-services", "8080", s.Portal)
}

// serveServices lets the platform's programs answer behind their Services. Whether a Service has endpoints is the store's to say.
func (s *Sim) serveServices() {
	type key struct{ namespace, service, port string }
	programs := map[key]*http.ServeMux{}
	for _, p := range pages {
		k := key{p.namespace, p.service, p.port}
		mux := programs[k]
		if mux == nil {
			mux = http.NewServeMux()
			programs[k] = mux
			s.API.HandleService(p.namespace, p.service, p.port, mux)
		}
		path := p.path
		if path == "/" {
			path = "/{$}"
		}
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(p.header[0], p.header[1])
			if p.body == "" {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			_, _ = w.Write([]byte(p.body))
		})
	}
}
