package prom

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2025, 10, 20, 12, 0, 7, 0, time.UTC)

// small is a server with three jobs: a up, b with one of two down for a minute, c up and frozen for 4 minutes.
func small() *Server {
	s := New(func() time.Time { return noon })
	s.Add("a", "a:1")
	s.Add("b", "b:1", "b:2")
	s.Add("c", "c:1")
	s.SetUpSince("b", "b:2", false, noon.Add(-time.Minute))
	s.Freeze("c", noon.Add(-4*time.Minute))
	s.Set("temperature", map[string]string{"room": "1"}, 21.5)
	s.Count("sent", map[string]string{"kind": "a"}, noon.Add(-2*time.Hour), 4*time.Hour)
	s.SetSince("sent", map[string]string{"kind": "b"}, 7, 48*time.Hour)
	s.SetSince("restarted", nil, 9, 2*time.Hour)
	s.Set("restarted", nil, 3) // fell from 9: it began anew
	return s
}

// ask evaluates over HTTP and writes the answer in one line per sample.
func ask(t *testing.T, url string) (int, []string) {
	t.Helper()
	resp, err := http.Get(url) //nolint:noctx // of this test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		Status, ErrorType, Error string
		Warnings                 []string
		Data                     struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return resp.StatusCode, []string{string(body)}
	}
	if e.Status != "success" {
		return resp.StatusCode, []string{e.ErrorType + ": " + e.Error}
	}
	if e.Data.ResultType == "" {
		return resp.StatusCode, []string{string(body)}
	}
	if e.Data.ResultType == "scalar" {
		return resp.StatusCode, []string{string(e.Data.Result)}
	}
	var samples []struct {
		Metric map[string]string
		Value  [2]any
	}
	if err := json.Unmarshal(e.Data.Result, &samples); err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, s := range samples {
		lines = append(lines, fmt.Sprintf("%v %v", s.Metric, s.Value[1]))
	}
	slices.Sort(lines)
	return resp.StatusCode, lines
}

func TestQueries(t *testing.T) {
	server := httptest.NewServer(small())
	defer server.Close()
	for query, want := range map[string][]string{
		`time()`:                               {`[1760961607,"1760961607"]`},
		`2 * (3 - 1) - 10 / 4`:                 {`[1760961607,"1.5"]`},
		`-1 + 1`:                               {`[1760961607,"0"]`},
		`temperature`:                          {"map[__name__:temperature room:1] 21.5"},
		`temperature - 1.5`:                    {"map[room:1] 20"},
		`up{job="a"}`:                          {"map[__name__:up instance:a:1 job:a] 1"},
		`up{job=~"a|c",instance!="c:1"}`:       {"map[__name__:up instance:a:1 job:a] 1"},
		`{__name__="up",job='a'}`:              {"map[__name__:up instance:a:1 job:a] 1"},
		`up == 0`:                              {"map[__name__:up instance:b:2 job:b] 0"},
		`0 == up`:                              {"map[__name__:up instance:b:2 job:b] 0"},
		`topk(1, up == 0)`:                     {"map[__name__:up instance:b:2 job:b] 0"},
		`count(up)`:                            {"map[] 4"},
		`count(up == 1)`:                       {"map[] 3"},
		`count(up == 2)`:                       {},
		`count by (job) (up)`:                  {"map[job:a] 1", "map[job:b] 2", "map[job:c] 1"},
		`sum(up) by (job)`:                     {"map[job:a] 1", "map[job:b] 1", "map[job:c] 1"},
		`avg by (job) (up{job="b"})`:           {"map[job:b] 0.5"},
		`max by (job) (max_over_time(up[5m]))`: {"map[job:a] 1", "map[job:b] 1", "map[job:c] 1"},
		`sum by (kind) (increase(sent[1d]))`:   {"map[kind:a] 6", "map[kind:b] 0"},
		`increase(sent{kind="a"}[1h])`:         {"map[kind:a] 0"},
		`increase(temperature[1h])`:            {"map[room:1] 0"},
		`increase(restarted[1h])`:              {"map[] 3"},
		`max_over_time(up{job="b"}[30s])`:      {"map[instance:b:1 job:b] 1", "map[instance:b:2 job:b] 0"},
		`max_over_time(up{job="c"}[3m])`:       {},
		`time() - timestamp(up{job="a"})`:      {"map[instance:a:1 job:a] 7"},
		`time() - timestamp(up{job="c"})`:      {"map[instance:c:1 job:c] 240"},
		`timestamp(up{job="c"} == 1)`:          {"map[instance:c:1 job:c] 1760961607"},
		`up and time() - timestamp(up) > 60`:   {"map[__name__:up instance:c:1 job:c] 1"},
		`up unless up == 1`:                    {"map[__name__:up instance:b:2 job:b] 0"},
		`absent(up{job="zzz"})`:                {"map[job:zzz] 1"},
		`absent(up)`:                           {},
		`absent(up) or vector(3)`:              {"map[] 3"},
		`nothing`:                              {},
	} {
		status, got := ask(t, server.URL+"/api/v1/query?query="+url.QueryEscape(query))
		if diff := cmp.Diff(want, got); status != http.StatusOK || diff != "" {
			t.Errorf("%s: %d %s", query, status, diff)
		}
	}
}

func TestRefusals(t *testing.T) {
	server := httptest.NewServer(small())
	defer server.Close()
	for query, status := range map[string]int{
		``: 400, `up{`: 400, `up{job}`: 400, `up{job=a}`: 400, `up[5m]`: 422, `count(up`: 400, `count()`: 400, `time() > 1`: 400, `up up`: 400, `topk(up)`: 400,
		`max_over_time(up)`: 400, `up{job=~"("}`: 400, `"text"`: 400, `$`: 400, `1 and 1`: 400, `{}`: 400, `timestamp(1)`: 400, `sum(1)`: 400,
		`rate(up[5m])`: 422, `up offset 5m`: 422, `up == bool 1`: 422, `up == on (job) up`: 422, `count without (job) (up)`: 422, `up ^ 2`: 422,
		strings.Repeat("(", 200): 422,
	} {
		got, text := ask(t, server.URL+"/api/v1/query?query="+url.QueryEscape(query))
		if got != status {
			t.Errorf("%q: %d %q, want %d", query, got, text, status)
		}
	}
}

func TestAnswersAsPrometheus(t *testing.T) {
	s := small()
	server := httptest.NewServer(s)
	defer server.Close()
	resp, err := http.PostForm(server.URL+"/api/v1/query", url.Values{"query": {"count(up)"}}) //nolint:noctx // of this test's own server
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
	for path, want := range map[string]string{
		"/-/ready": "Ready", "/api/v1/status/buildinfo": `"version":"2.48.0"`, "/api/v1/query?query=count(up)&time=2025-10-20T12:00:00Z": "map[] 4", "/nothing": "404",
	} {
		if _, got := ask(t, server.URL+path); !strings.Contains(strings.Join(got, ""), want) {
			t.Errorf("%s: %q", path, got)
		}
	}
	s.SetReplaying(true)
	if status, got := ask(t, server.URL+"/api/v1/query?query=up"); status != 503 || got[0] != "Service Unavailable" {
		t.Errorf("replaying: %d %q", status, got)
	}
}

func TestTheLookbackForgets(t *testing.T) {
	s := small()
	s.Freeze("a", noon.Add(-6*time.Minute))
	n, _ := parse(`up{job="a"}`)
	if r, err := s.eval(n, noon); err != nil || len(r.vector) != 0 {
		t.Errorf("a frozen target is still there: %v %v", r, err)
	}
	s.SetLookback(time.Hour)
	if r, err := s.eval(n, noon); err != nil || len(r.vector) != 1 {
		t.Errorf("looking back further does not show it: %v %v", r, err)
	}
}

func TestPlatform(t *testing.T) {
	s := Platform(func() time.Time { return noon })
	targets := s.Targets()
	if len(targets) != 17 || len(Jobs()) != 16 {
		t.Errorf("%d targets, %d jobs", len(targets), len(Jobs()))
	}
	for _, x := range targets {
		if !x.Up || noon.Sub(x.LastSample) > scrapeEvery {
			t.Errorf("%+v", x)
		}
	}
	names := map[string]bool{}
	for _, m := range Mutations() {
		if names[m.Name] || m.About == "" || m.Harmless != (len(m.Checks) == 0) || m.Harmless != (len(m.Words) == 0) {
			t.Errorf("mutation %+v", m)
		}
		names[m.Name] = true
	}
}

func FuzzQuery(f *testing.F) {
	for _, q := range []string{`count by (job) (up == 1)`, `topk(2, up{a=~"b.*"})`, `max_over_time(up[5m]) - time()`, `-(1)`, `''`, `{a="\"`} {
		f.Add(q)
	}
	s := small()
	f.Fuzz(func(t *testing.T, query string) {
		if n, err := parse(query); err == nil {
			_, _ = s.eval(n, noon)
		}
	})
}

func TestSnapshot(t *testing.T) {
	before := small()
	before.SetWarnings("x")
	before.Set("gap", nil, math.NaN())
	kept, err := before.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	after := New(func() time.Time { return noon })
	if err := after.Restore(kept); err != nil {
		t.Fatal(err)
	}
	again, err := after.Snapshot()
	if diff := cmp.Diff(string(kept), string(again)); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if diff := cmp.Diff(before.Targets(), after.Targets()); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"", "{", `{"serie":[]}`, `{"series":[{"changes":[{"value":"x"}]}]}`} {
		if after.Restore([]byte(bad)) == nil {
			t.Errorf("%q restored", bad)
		}
	}
	if len(after.Targets()) != 4 {
		t.Error("a bad snapshot replaced the state")
	}
}

func TestTargetsOfAPool(t *testing.T) {
	s := small()
	s.SetPool("a", "serviceMonitor/x/a/0")
	server := httptest.NewServer(s)
	defer server.Close()
	for query, want := range map[string]int{"": 4, "?scrapePool=serviceMonitor/x/a/0": 1, "?scrapePool=b": 2, "?scrapePool=a": 0} {
		resp, err := http.Get(server.URL + "/api/v1/targets" + query) //nolint:noctx // of this test's own server
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Data struct {
				ActiveTargets []struct{ Health, LastError, LastScrape string }
			}
		}
		err = json.NewDecoder(resp.Body).Decode(&answer)
		_ = resp.Body.Close()
		if err != nil || len(answer.Data.ActiveTargets) != want {
			t.Errorf("%q: %d targets, want %d (%v)", query, len(answer.Data.ActiveTargets), want, err)
		}
		for _, target := range answer.Data.ActiveTargets {
			if (target.Health == "up") != (target.LastError == "") || target.LastScrape == "" {
				t.Errorf("%q: %+v", query, target)
			}
		}
	}
}
