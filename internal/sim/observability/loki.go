package observability

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Loki is a simulated Loki. Its Break puts something else in its place.
type Loki struct {
	broken

	now     func() time.Time
	mu      sync.Mutex
	unready string         // why it is not ready; empty if it is
	tenants bool           // whether a request must name a tenant
	lines   map[string]int // that came in each minute, by namespace
	since   time.Duration  // since when none come in any more; 0 if they do
}

func newLoki(now func() time.Time) *Loki {
	return &Loki{now: now, lines: map[string]int{
		"cert-manager": 4, "cloudflare-tunnel": 21, "data-platform": 1840, "ingress-nginx": 312, "kube-system": 96, "monitoring": 230, "registry": 58, "vault-prod": 12,
	}}
}

// SetUnready makes it say why it is not ready; nothing makes it ready.
func (l *Loki) SetUnready(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unready = why
}

// SetTenants says whether a request must name a tenant.
func (l *Loki) SetTenants(must bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tenants = must
}

// SetLines changes how many lines come in each minute from which namespaces.
func (l *Loki) SetLines(change func(map[string]int)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l.lines)
}

// Stop makes no more lines have come in for a while.
func (l *Loki) Stop(since time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = since
}

// counting is the one query that is simulated.
var counting = regexp.MustCompile(`^sum by \(namespace\) \(count_over_time\(\{namespace=~"\.\+"\}\[([0-9]{1,5})s\]\)\)$`)

// ServeHTTP answers as Loki does.
func (l *Loki) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.serve(w, r) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	switch r.URL.Path {
	case "/ready":
		if l.unready != "" {
			http.Error(w, l.unready, http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n")
	case "/loki/api/v1/query":
		l.query(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (l *Loki) query(w http.ResponseWriter, r *http.Request) {
	if l.tenants && r.Header.Get("X-Scope-OrgID") == "" {
		http.Error(w, "no org id", http.StatusUnauthorized)
		return
	}
	m := counting.FindStringSubmatch(r.URL.Query().Get("query"))
	if m == nil {
		http.Error(w, "parse error at line 1, col 1: the simulated Loki does not evaluate this", http.StatusBadRequest)
		return
	}
	seconds, _ := strconv.Atoi(m[1])
	minutes := max(0, time.Duration(seconds)*time.Second-l.since).Minutes()
	result := []any{}
	for _, name := range slices.Sorted(maps.Keys(l.lines)) {
		if n := int(float64(l.lines[name]) * minutes); n > 0 {
			result = append(result, map[string]any{
				"metric": map[string]string{"namespace": name}, "value": []any{float64(l.now().UnixMilli()) / 1000, fmt.Sprint(n)},
			})
		}
	}
	write(w, http.StatusOK, map[string]any{"status": "success", "data": map[string]any{"resultType": "vector", "result": result, "stats": map[string]any{}}})
}

func lokiMutations() []Mutation {
	bad := func(name, about string, words []string, apply func(*Loki)) Mutation {
		return Mutation{Name: name, About: about, Checks: checks("loki-ingesting"), Words: words, Apply: onLoki(apply)}
	}
	fine := func(name, about string, apply func(*Loki)) Mutation {
		return Mutation{Name: name, About: about, Harmless: true, Apply: onLoki(apply)}
	}
	only := func(names ...string) func(*Loki) {
		return func(l *Loki) {
			l.SetLines(func(lines map[string]int) {
				maps.DeleteFunc(lines, func(name string, _ int) bool { return !slices.Contains(names, name) })
			})
		}
	}
	return []Mutation{
		bad("loki-stopped-ingesting", "Loki runs, but no line has come in for a quarter of an hour: Promtail pushes to a name that is not there.",
			[]string{"no line in the last 5 minutes"}, func(l *Loki) { l.Stop(15 * time.Minute) }),
		bad("loki-one-namespace", "Only the lines of Loki's own namespace come in.", []string{"only 1 namespace", "monitoring", "want 2"}, only("monitoring")),
		bad("loki-empty", "Loki's volume was lost, and nothing has come in since.", []string{"no line"}, only()),
		bad("loki-unready", "Loki's ingester does not join its ring.", []string{"not ready", "ingester"},
			func(l *Loki) { l.SetUnready("Ingester not ready: instance loki-0 in state JOINING") }),
		bad("loki-wants-tenant", "Somebody gave Loki tenants, and gonogo was not told.", []string{"tenant"}, func(l *Loki) { l.SetTenants(true) }),
		bad("loki-placeholder", "A web server's welcome page stands where Loki was.", []string{"not Loki", "404"}, func(l *Loki) { l.Break(placeholder()) }),
		bad("loki-overloaded", "Loki is ready and answers no query in time.", []string{"504", "deadline"}, func(l *Loki) {
			l.Break(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/ready" {
					_, _ = io.WriteString(w, "ready\n")
					return
				}
				http.Error(w, "context deadline exceeded", http.StatusGatewayTimeout)
			}))
		}),
		fine("loki-quiet-namespace", "A namespace says nothing.", only("data-platform", "monitoring", "kube-system")),
		fine("loki-other-namespace", "Lines come in from a namespace that the platform does not know.", func(l *Loki) {
			l.SetLines(func(lines map[string]int) { lines["sandbox"] = 7 })
		}),
	}
}
