package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/254carbon/gonogo/probes/simulated"
)

// answers is the part of the simulated platform that answers for checks whose probes are not written yet.
type answers struct {
	mu    sync.Mutex
	ready bool
	done  map[string]bool // what a person has mended since
}

// stand is what the simulated platform says of one check in its scenarios.
type stand struct {
	id, subject, want string
	ready             string // what is found in the scenario ready
	documented        string // what is found in the scenario documented, if that falls short
}

// stands follow the status document: what it calls complete is complete, what it lists as remaining is not there yet.
var stands = []stand{}

// ServeHTTP answers GET /simulated/CHECK.
func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, ok := strings.CutPrefix(r.URL.Path, "/simulated/")
	i := slices.IndexFunc(stands, func(s stand) bool { return s.id == id })
	if !ok || i < 0 || r.Method != http.MethodGet {
		http.NotFound(w, r)
		return
	}
	a.mu.Lock()
	answer := stands[i].answer(a.ready)
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (s stand) answer(ready bool) simulated.Answer {
	status, found := "pass", s.ready
	if !ready && s.documented != "" {
		status, found = "fail", s.documented
	}
	return simulated.Answer{
		Status: status, Summary: found,
		Evidence: []simulated.Item{{Subject: s.subject, Want: s.want, Got: found, Wanting: status == "fail"}},
	}
}
