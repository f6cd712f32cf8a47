// Package observability holds the Grafana, the Loki and the Alertmanager of the simulated platform: state in memory, served as the real ones
// serve it, for the paths that gonogo asks. What is not simulated is not found; no answer is made up.
package observability

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/254carbon/gonogo/internal/sim/prom"
	"github.com/254carbon/gonogo/probes"
)

// Servers are the programs, each a handler. They are safe for concurrent use.
type Servers struct {
	Grafana      *Grafana
	Loki         *Loki
	Alertmanager *Alertmanager
}

// Platform returns the programs as they are in both scenarios, with what Alertmanager sent in the metrics of Prometheus.
func Platform(now func() time.Time, metrics *prom.Server) *Servers {
	s := &Servers{Grafana: newGrafana(), Loki: newLoki(now), Alertmanager: newAlertmanager(now)}
	for _, instance := range s.Alertmanager.instances() {
		for _, integration := range []string{"email", "webhook"} {
			labels := sendLabels(instance, integration)
			metrics.Count("alertmanager_notifications_total", labels, now().Add(-time.Hour), 4*time.Hour)
			metrics.Set("alertmanager_notifications_failed_total", labels, 0)
		}
	}
	return s
}

func sendLabels(instance, integration string) map[string]string {
	return map[string]string{"job": "kube-prometheus-stack-alertmanager", "instance": instance, "integration": integration}
}

// Mutation is one change to the programs of a platform that is ready, and what checks must make of it.
type Mutation struct {
	Name     string
	About    string
	Harmless bool        // no check may fail
	Checks   []probes.ID // of the built-in profile that must not pass
	Words    []string    // that the first of Checks must say in its summary, or why it could not be asked
	Apply    func(s *Servers, metrics *prom.Server)
}

// broken lets a handler answer otherwise as long as it is set.
type broken struct {
	mu      sync.Mutex
	instead http.Handler
}

// Break makes something else answer; nil ends it.
func (b *broken) Break(instead http.Handler) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.instead = instead
}

// serve lets something else answer, if there is anything, and reports whether it did.
func (b *broken) serve(w http.ResponseWriter, r *http.Request) bool {
	b.mu.Lock()
	instead := b.instead
	b.mu.Unlock()
	if instead != nil {
		instead.ServeHTTP(w, r)
	}
	return instead != nil
}

// placeholder is the web server that stood in for six services of the platform.
func placeholder() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "nginx/1.25.5")
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("<html><head><title>404 Not Found</title></head><body><center><h1>404 Not Found</h1></center></body></html>"))
			return
		}
		_, _ = w.Write([]byte("<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head></html>"))
	})
}

// saying answers everything with one text.
func saying(status int, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, text, status) })
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
