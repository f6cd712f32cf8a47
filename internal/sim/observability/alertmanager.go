package observability

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// platformConfig is Alertmanager's configuration, with secrets as it shows them itself.
const platformConfig = `global:
  resolve_timeout: 5m
route:
  receiver: on-call
  group_by: [namespace, alertname]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 4h
  routes:
  - receiver: heartbeat
    matchers: [alertname="Watchdog"]
    repeat_interval: 4h
receivers:
- name: on-call
  email_configs:
  - to: on-call@254carbon.com
    auth_password: <secret>
- name: heartbeat
  webhook_configs:
  - url: <secret>
- name: "null"
`

// Matcher is one condition of a silence.
type Matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual bool   `json:"isEqual"`
}

// Silence is a silence that is active.
type Silence struct {
	By, Comment string
	Matchers    []Matcher
}

// Alertmanager is a simulated Alertmanager. Its Break puts something else in its place.
type Alertmanager struct {
	broken

	now      func() time.Time
	mu       sync.Mutex
	ready    bool
	cluster  string
	peers    int
	config   string
	watchdog watchdog
	silences []Silence
}

// watchdog is the alert that always fires.
type watchdog struct {
	gone      bool
	confirmed time.Duration // how long ago Prometheus stopped confirming it; 0 if it has not
	receiver  string
	inhibited bool
}

func newAlertmanager(now func() time.Time) *Alertmanager {
	return &Alertmanager{now: now, ready: true, cluster: "ready", peers: 2, config: platformConfig, watchdog: watchdog{receiver: "heartbeat"}}
}

// instances are the addresses under which Prometheus scrapes the peers.
func (a *Alertmanager) instances() []string {
	var all []string
	for i := range a.peers {
		all = append(all, fmt.Sprintf("10.244.0.%d:9093", 90+i))
	}
	return all
}

// change changes the state.
func (a *Alertmanager) change(edit func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	edit()
}

// SetPeers says how many peers see each other, and what the cluster calls itself.
func (a *Alertmanager) SetPeers(n int, status string) {
	a.change(func() { a.peers, a.cluster = n, status })
}

// SetReady says whether it is ready.
func (a *Alertmanager) SetReady(ready bool) { a.change(func() { a.ready = ready }) }

// SetRoute makes the Watchdog go to a receiver.
func (a *Alertmanager) SetRoute(receiver string) {
	a.change(func() { a.watchdog.receiver = receiver })
}

// SetConfig replaces text of the configuration.
func (a *Alertmanager) SetConfig(old, text string) {
	a.change(func() { a.config = strings.ReplaceAll(a.config, old, text) })
}

// Forget makes the Watchdog be gone.
func (a *Alertmanager) Forget() { a.change(func() { a.watchdog.gone = true }) }

// Stale makes Prometheus have confirmed the Watchdog no more for a while.
func (a *Alertmanager) Stale(ago time.Duration) { a.change(func() { a.watchdog.confirmed = ago }) }

// Inhibit makes another alert inhibit the Watchdog.
func (a *Alertmanager) Inhibit() { a.change(func() { a.watchdog.inhibited = true }) }

// Silence adds a silence.
func (a *Alertmanager) Silence(s Silence) { a.change(func() { a.silences = append(a.silences, s) }) }

// ServeHTTP answers as Alertmanager does.
func (a *Alertmanager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.serve(w, r) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch r.URL.Path {
	case "/-/ready":
		if !a.ready {
			http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "OK")
	case "/api/v2/status":
		a.status(w)
	case "/api/v2/alerts":
		a.alerts(w, r)
	case "/api/v2/silences":
		a.listSilences(w)
	default:
		http.NotFound(w, r)
	}
}

func (a *Alertmanager) status(w http.ResponseWriter) {
	peers := []any{}
	for i := range a.peers {
		peers = append(peers, map[string]string{"name": fmt.Sprintf("01J9ZK7W%018d", i), "address": fmt.Sprintf("10.244.0.%d:9094", 90+i)})
	}
	cluster := map[string]any{"status": a.cluster, "name": "01J9ZK7W000000000000000000", "peers": peers}
	if a.cluster == "disabled" {
		cluster = map[string]any{"status": a.cluster, "peers": []any{}}
	}
	write(w, http.StatusOK, map[string]any{
		"cluster": cluster, "config": map[string]string{"original": a.config}, "uptime": stamp(a.now().Add(-72 * time.Hour)),
		"versionInfo": map[string]string{"version": "0.26.0", "revision": "simulated", "branch": "HEAD", "buildUser": "", "buildDate": "", "goVersion": "go1.21.4"},
	})
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func (a *Alertmanager) alerts(w http.ResponseWriter, r *http.Request) {
	list := []any{}
	wanted := r.URL.Query()["filter"]
	if d := a.watchdog; !d.gone && (len(wanted) == 0 || slices.Contains(wanted, `alertname="Watchdog"`)) {
		confirmed := a.now().Add(-d.confirmed).Truncate(time.Minute)
		labels := map[string]string{"alertname": "Watchdog", "severity": "none", "prometheus": "monitoring/kube-prometheus-stack-prometheus"}
		by := []string{}
		for i, s := range a.silences {
			if s.covers(labels) {
				by = append(by, silenceID(i))
			}
		}
		inhibitors := []string{}
		if d.inhibited {
			inhibitors = append(inhibitors, "6f2a1c0e9b7d4e55")
		}
		state := "active"
		if len(by)+len(inhibitors) > 0 {
			state = "suppressed"
		}
		list = append(list, map[string]any{
			"labels": labels, "annotations": map[string]string{"summary": "An alert that should always be firing to certify that Alertmanager is working properly."},
			"startsAt": stamp(a.now().Add(-72 * time.Hour)), "endsAt": stamp(confirmed.Add(4 * time.Minute)), "updatedAt": stamp(confirmed),
			"fingerprint": "e1749c6acb64267b", "generatorURL": "http://kube-prometheus-stack-prometheus.monitoring:9090/graph?g0.expr=vector%281%29&g0.tab=1",
			"receivers": []any{map[string]string{"name": d.receiver}},
			"status":    map[string]any{"state": state, "silencedBy": by, "inhibitedBy": inhibitors, "mutedBy": []string{}},
		})
	}
	write(w, http.StatusOK, list)
}

func silenceID(i int) string { return fmt.Sprintf("5d1f6a44-8a8e-4b57-a3f7-%012d", i) }

func (a *Alertmanager) listSilences(w http.ResponseWriter) {
	list := []any{}
	for i, s := range a.silences {
		list = append(list, map[string]any{
			"id": silenceID(i), "status": map[string]string{"state": "active"}, "createdBy": s.By, "comment": s.Comment, "matchers": s.Matchers,
			"startsAt": stamp(a.now().Add(-time.Hour)), "endsAt": stamp(a.now().Truncate(time.Hour).Add(24 * time.Hour)), "updatedAt": stamp(a.now().Add(-time.Hour)),
		})
	}
	write(w, http.StatusOK, list)
}
