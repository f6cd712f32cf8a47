package prom

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestTargets(t *testing.T) {
	const target = `{"scrapePool":%q,"labels":{"job":"trino","instance":"a:1"},"scrapeUrl":"http://a:1/metrics","health":"down","lastError":"refused","lastScrape":"2025-10-20T12:00:00.5Z"}`
	body := `{"status":"success","data":{"activeTargets":[` + fmt.Sprintf(target, "other/0") + "," + fmt.Sprintf(target, "serviceMonitor/a/b/0") + `],"droppedTargets":[]}}`
	var asked string
	c := serving(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.URL.RequestURI()
		_, _ = w.Write([]byte(body))
	})
	seen, err := c.Targets(t.Context(), "serviceMonitor/a/b/0")
	if err != nil || len(seen.Items) != 1 || seen.Confirmed.IsZero() || seen.Note != "" {
		t.Fatalf("%+v %v", seen, err)
	}
	if got := seen.Items[0]; got.Labels["instance"] != "a:1" || got.Health != "down" || got.LastError != "refused" || got.LastScrape.Second() != 0 || got.URL != "http://a:1/metrics" {
		t.Errorf("%+v", got)
	}
	if want := "GET /api/v1/targets?scrapePool=serviceMonitor%2Fa%2Fb%2F0&state=active"; asked != want {
		t.Errorf("sent %q, want %q", asked, want)
	}
	if want := "/api/v1/targets?scrapePool=serviceMonitor%2Fa%2Fb%2F0&state=active'"; !strings.HasPrefix(seen.Request.Repeat, "curl -fsS 'http") || !strings.HasSuffix(seen.Request.Repeat, want) {
		t.Errorf("repeat %q", seen.Request.Repeat)
	}
	body = `{"status":"success","data":{"activeTargets":[]},"warnings":["store x is away"]}`
	if seen, err = c.Targets(t.Context(), "x"); err != nil || len(seen.Items) > 0 || !strings.Contains(seen.Note, "store x is away") {
		t.Errorf("%+v %v", seen, err)
	}
}

func TestBadTargets(t *testing.T) {
	for body, says := range map[string]string{
		``:                                 "not Prometheus's",
		`<html>`:                           "not Prometheus's",
		`{"status":"success"}`:             "no data",
		`{"status":"success","data":null}`: "no data",
		`{"status":"success","data":{}}`:   "no list of active targets",
		`{"status":"success","data":[]}`:   "JSON",
		`{"status":"success","data":{"activeTargets":[{"lastScrape":"yesterday"}]}}`: "JSON",
		`{"status":"success","data":{"activeTargets":[{"labels":7}]}}`:               "JSON",
		`{"status":"error","errorType":"bad_data","error":"no such pool"}`:           "no such pool",
	} {
		seen, err := answering(t, 200, body).Targets(t.Context(), "pool")
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "targets of pool") || len(seen.Items) > 0 {
			t.Errorf("%s: %+v %v, want %q", body, seen.Items, err, says)
		}
	}
}

func FuzzTargets(f *testing.F) {
	f.Add(200, []byte(`{"status":"success","data":{"activeTargets":[{"scrapePool":"p","labels":{"job":"a"},"health":"up","lastScrape":"2025-10-20T12:00:00Z"}]}}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		items, _, err := targets(status, body, "p")
		if len(items) > 0 && (err != nil || status != 200) {
			t.Errorf("%d with %d items, %v", status, len(items), err)
		}
	})
}
