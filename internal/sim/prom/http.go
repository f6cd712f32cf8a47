package prom

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const maxForm = 1 << 20

// ServeHTTP answers as a Prometheus does, for the paths that are simulated.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	replaying := s.replaying
	s.mu.Unlock()
	if r.URL.Path == "/-/healthy" {
		_, _ = io.WriteString(w, "Prometheus Server is Healthy.\n")
		return
	}
	if replaying {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "Service Unavailable")
		return
	}
	switch r.URL.Path {
	case "/-/ready":
		_, _ = io.WriteString(w, "Prometheus Server is Ready.\n")
	case "/api/v1/status/buildinfo":
		s.success(w, map[string]string{"version": "2.48.0", "revision": "simulated", "branch": "HEAD", "goVersion": "go1.21.4"}, nil)
	case "/api/v1/query":
		s.query(w, r)
	case "/api/v1/targets":
		s.targets(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		fail(w, http.StatusBadRequest, "bad_data", "error parsing form values: "+err.Error())
		return
	}
	now := s.now()
	if t := r.Form.Get("time"); t != "" {
		var err error
		if now, err = moment(t); err != nil {
			fail(w, http.StatusBadRequest, "bad_data", `invalid parameter "time": `+err.Error())
			return
		}
	}
	n, err := parse(r.Form.Get("query"))
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		var answer result
		if answer, err = s.eval(n, now); err == nil {
			s.success(w, encode(answer, now), s.warnings)
			return
		}
	}
	if bad := (badQueryError{}); errors.As(err, &bad) {
		fail(w, http.StatusBadRequest, "bad_data", `invalid parameter "query": `+bad.Error())
		return
	}
	fail(w, http.StatusUnprocessableEntity, "execution", err.Error())
}

// targets lists the active targets, of one scrape pool if one is named.
func (s *Server) targets(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	active := []any{}
	only := r.URL.Query().Get("scrapePool")
	for _, m := range s.series {
		pool := m.pool
		if pool == "" {
			pool = m.labels["job"]
		}
		if m.labels["__name__"] != "up" || only != "" && pool != only {
			continue
		}
		v, at, _ := m.last(s.now())
		health, wrong := "up", ""
		address := "http://" + m.labels["instance"] + "/metrics"
		if v != 1 {
			health, wrong = "down", "Get \""+address+"\": dial tcp: connect: connection refused"
		}
		active = append(active, map[string]any{
			"labels": unnamed(m.labels), "discoveredLabels": map[string]string{}, "scrapePool": pool, "scrapeUrl": address, "globalUrl": address,
			"lastError": wrong, "lastScrape": at.UTC().Format(time.RFC3339Nano), "lastScrapeDuration": 0.004, "health": health,
			"scrapeInterval": "30s", "scrapeTimeout": "10s",
		})
	}
	s.success(w, map[string]any{"activeTargets": active, "droppedTargets": []any{}, "droppedTargetCounts": map[string]int{}}, s.warnings)
}

func moment(t string) (time.Time, error) {
	if f, err := strconv.ParseFloat(t, 64); err == nil && math.Abs(f) < 1e11 {
		return time.UnixMilli(int64(f * 1000)), nil
	}
	at, err := time.Parse(time.RFC3339, t)
	if err != nil {
		return at, errors.New("cannot parse " + strconv.Quote(t) + " to a valid timestamp")
	}
	return at, nil
}

func encode(r result, now time.Time) any {
	pair := func(v float64) [2]any { return [2]any{seconds(now), number(v)} }
	if r.scalar != nil {
		return map[string]any{"resultType": "scalar", "result": pair(*r.scalar)}
	}
	list := []any{}
	for _, x := range r.vector {
		labels := maps.Clone(x.labels)
		if labels == nil {
			labels = map[string]string{}
		}
		list = append(list, map[string]any{"metric": labels, "value": pair(x.value)})
	}
	return map[string]any{"resultType": "vector", "result": list}
}

func number(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func (s *Server) success(w http.ResponseWriter, data any, warnings []string) {
	body := map[string]any{"status": "success", "data": data}
	if len(warnings) > 0 {
		body["warnings"] = warnings
	}
	write(w, http.StatusOK, body)
}

func fail(w http.ResponseWriter, status int, kind, text string) {
	write(w, status, map[string]any{"status": "error", "errorType": kind, "error": strings.ToValidUTF8(text, "?")})
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
