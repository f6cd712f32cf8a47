// Package portal is the part of the simulated platform's portal that serves its list of services.
package portal

import (
	"net/http"
	"sync"
)

// catalogue is the portal's list of services.
const catalogue = `{"services":[
 {"id":"portal","name":"254Carbon Portal","category":"Portal","url":"https://254carbon.com","icon":"home","description":"The way in"},
 {"id":"grafana","name":"Grafana","category":"Monitoring","url":"https://grafana.254carbon.com","icon":"chart","description":"Dashboards"},
 {"id":"superset","name":"Apache Superset","category":"BI","url":"https://superset.254carbon.com","icon":"bars","description":"Exploration"},
 {"id":"datahub","name":"DataHub","category":"Catalog","url":"https://datahub.254carbon.com","icon":"books","description":"Metadata"},
 {"id":"trino","name":"Trino","category":"SQL","url":"https://trino.254carbon.com","icon":"query","description":"Queries"},
 {"id":"doris","name":"Apache Doris","category":"OLAP","url":"https://doris.254carbon.com","icon":"abacus","description":"Analytics"},
 {"id":"vault","name":"Vault","category":"Security","url":"https://vault.254carbon.com","icon":"lock","description":"Secrets"},
 {"id":"minio","name":"MinIO Console","category":"Storage","url":"https://minio.254carbon.com","icon":"cabinet","description":"Objects"},
 {"id":"dolphinscheduler","name":"DolphinScheduler","category":"Orchestration","url":"https://dolphin.254carbon.com","icon":"dolphin","description":"Workflows"},
 {"id":"lakefs","name":"lakeFS","category":"Data Lake","url":"https://lakefs.254carbon.com","icon":"wave","description":"Versioned data"}
]}`

// Server serves the list. It is safe for concurrent use.
type Server struct {
	mu   sync.Mutex
	list string
}

// New returns a server with the list as it is in both scenarios.
func New() *Server { return &Server{list: catalogue} }

// Set makes the server serve another text in place of the list.
func (s *Server) Set(list string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = list
}

// ServeHTTP answers for the list and for the server's own health.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text := ""
	switch r.URL.Path {
	case "/healthz":
		text = `{"status":"ok","service":"portal-services"}`
	case "/api/services":
		s.mu.Lock()
		text = s.list
		s.mu.Unlock()
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(text))
}
