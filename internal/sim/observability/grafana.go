package observability

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// GrafanaToken is the token of a service account that may look; it protects nothing.
const GrafanaToken = "glsa_simulated_viewer"

// Dashboard is one that Grafana has.
type Dashboard struct {
	UID, Title, Folder string
}

// platformDashboards are the dashboards of the platform's ConfigMaps.
func platformDashboards() []Dashboard {
	return []Dashboard{
		{"platform-overview", "Platform Overview", "Platform"}, {"data-platform", "Data Platform", "Platform"}, {"slo", "Service Level Objectives", "Platform"},
		{"commodity-data", "Commodity Data", "Business"}, {"streaming", "Streaming", "Platform"}, {"api-gateway", "API Gateway", "Platform"},
		{"event-system", "Event System", "Platform"}, {"service-mesh", "Service Mesh", "Platform"}, {"ml-platform", "ML Platform", "Platform"},
		{"istio", "Istio Control Plane", "Platform"}, {"node-exporter", "Nodes", ""},
	}
}

// Grafana is a simulated Grafana. Its Break puts something else in its place.
type Grafana struct {
	broken

	mu         sync.Mutex
	database   string
	anonymous  bool // whether a reader without a credential may look
	dashboards []Dashboard
}

func newGrafana() *Grafana {
	return &Grafana{database: "ok", anonymous: true, dashboards: platformDashboards()}
}

// SetDatabase makes the health of the database say so; "ok" is well.
func (g *Grafana) SetDatabase(state string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.database = state
}

// SetAnonymous says whether a reader without a credential may look.
func (g *Grafana) SetAnonymous(may bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.anonymous = may
}

// SetDashboards replaces the dashboards.
func (g *Grafana) SetDashboards(change func([]Dashboard) []Dashboard) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dashboards = change(g.dashboards)
}

// ServeHTTP answers as Grafana does.
func (g *Grafana) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.serve(w, r) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case r.Method != http.MethodGet:
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case r.URL.Path == "/api/health":
		status := http.StatusOK
		if g.database != "ok" {
			status = http.StatusServiceUnavailable
		}
		write(w, status, map[string]string{"commit": "895fbafb7a", "database": g.database, "version": "10.2.0"})
	case r.URL.Path == "/api/search":
		g.search(w, r)
	default:
		write(w, http.StatusNotFound, map[string]string{"message": "Not found"})
	}
}

func (g *Grafana) search(w http.ResponseWriter, r *http.Request) {
	if credential := r.Header.Get("Authorization"); credential != "Bearer "+GrafanaToken && (credential != "" || !g.anonymous) {
		write(w, http.StatusUnauthorized, map[string]any{"message": "Unauthorized", "messageId": "session.token.missing", "statusCode": 401, "traceID": ""})
		return
	}
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil && n > 0 {
			return n
		}
		return otherwise
	}
	limit := min(number("limit", 1000), 5000)
	from := min(len(g.dashboards), limit*(number("page", 1)-1))
	list := []map[string]any{}
	for i, d := range g.dashboards[from:min(len(g.dashboards), from+limit)] {
		item := map[string]any{
			"id": from + i + 1, "uid": d.UID, "title": d.Title, "uri": "db/" + slug(d.Title), "url": "/d/" + d.UID + "/" + slug(d.Title), "slug": "",
			"type": "dash-db", "tags": []string{}, "isStarred": false, "sortMeta": 0,
		}
		if d.Folder != "" {
			item["folderId"], item["folderUid"], item["folderTitle"] = 1, slug(d.Folder), d.Folder
		}
		list = append(list, item)
	}
	write(w, http.StatusOK, list)
}

func slug(title string) string { return strings.ReplaceAll(strings.ToLower(title), " ", "-") }

func grafanaMutations() []Mutation {
	bad := func(name, about string, words []string, apply func(*Grafana)) Mutation {
		return Mutation{Name: name, About: about, Checks: checks("grafana-dashboards"), Words: words, Apply: onGrafana(apply)}
	}
	fine := func(name, about string, apply func(*Grafana)) Mutation {
		return Mutation{Name: name, About: about, Harmless: true, Apply: onGrafana(apply)}
	}
	without := func(uid string) func(*Grafana) {
		return func(g *Grafana) {
			g.SetDashboards(func(all []Dashboard) []Dashboard {
				return slices.DeleteFunc(all, func(d Dashboard) bool { return uid == "" || d.UID == uid })
			})
		}
	}
	return []Mutation{
		bad("grafana-database-failing", "Grafana's database is gone; its pages still load.", []string{"database is failing"},
			func(g *Grafana) { g.SetDatabase("failing") }),
		bad("grafana-dashboard-missing", "One dashboard was never provisioned: its ConfigMap lacks the label.", []string{"1 of 10", "streaming"}, without("streaming")),
		bad("grafana-empty", "Grafana was set up anew and has no dashboards.", []string{"10 of 10 dashboards not seen"}, without("")),
		bad("grafana-refuses", "Grafana lets nobody look without a credential, and none passes the API server.", []string{"read-only", "Authorization"},
			func(g *Grafana) { g.SetAnonymous(false) }),
		bad("grafana-placeholder", "A web server's welcome page stands where Grafana was.", []string{"not Grafana", "404"},
			func(g *Grafana) { g.Break(placeholder()) }),
		fine("grafana-dashboard-added", "Somebody made a dashboard.", func(g *Grafana) {
			g.SetDashboards(func(all []Dashboard) []Dashboard { return append(all, Dashboard{"abc123", "My first dashboard", ""}) })
		}),
		fine("grafana-dashboard-moved", "A dashboard was moved to another folder.", func(g *Grafana) {
			g.SetDashboards(func(all []Dashboard) []Dashboard {
				all[0].Folder = "Archive"
				return all
			})
		}),
	}
}
