package prometheus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/254carbon/gonogo/internal/platform/prom"
	simulated "github.com/254carbon/gonogo/internal/sim/prom"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/probetest"
)

var noon = time.Date(2025, 10, 20, 12, 0, 7, 0, time.UTC)

func clock() time.Time { return noon }

// over makes probes that ask a handler over HTTP with the client that the product uses.
func over(handler http.Handler, probe func(Querier) probes.Probe) func(*testing.T) probes.Probe {
	return func(t *testing.T) probes.Probe {
		t.Helper()
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		client, err := prom.New(prom.Options{BaseURL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		return probe(client)
	}
}

func platform(change func(*simulated.Server)) *simulated.Server {
	s := simulated.Platform(clock)
	if change != nil {
		change(s)
	}
	return s
}

func answer(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func hanging() http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

func TestTargets(t *testing.T) {
	params := TargetsParams{Min: 16, Jobs: simulated.Jobs()}
	if err := params.Validate(); err != nil {
		t.Fatal(err)
	}
	on := func(h http.Handler) func(*testing.T) probes.Probe {
		return over(h, func(q Querier) probes.Probe { return NewTargets(q, params) })
	}
	suite := probetest.Suite{
		New: on(platform(nil)),
		Errors: []probetest.Failure{
			{Name: "crashed", New: on(answer(500, "boom")), Says: []string{"500", "boom"}},
			{Name: "unauthorised", New: on(answer(401, "")), Says: []string{"gonogo's own credential"}, Is: func(err error) bool { return errors.Is(err, prom.ErrRefused) }},
			{Name: "garbage", New: on(answer(200, "<html>")), Says: []string{"not Prometheus's"}},
			{Name: "counts that are none", New: on(answer(200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1,"1.5"]}]}}`)), Says: []string{"1.5 is no count"}},
			{Name: "counts of nothing", New: on(answer(200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1,"NaN"]}]}}`)), Says: []string{"NaN is no count"}},
			{Name: "replaying", New: on(platform(func(s *simulated.Server) { s.SetReplaying(true) })), Says: []string{"not ready yet"}},
			{Name: "partial, and short", New: on(platform(func(s *simulated.Server) { s.SetWarnings("store x is away"); s.RemoveJob("trino") })), Says: []string{"store x is away", "trino", "missing"}},
		},
		Hanging: on(hanging()),
	}
	for _, m := range simulated.Mutations() {
		if !m.Harmless && !slices.Contains(m.Checks, "prometheus-targets") {
			continue // about what a metric says, not about targets
		}
		w := probetest.World{Name: m.Name, New: on(platform(m.Apply)), Want: probes.Fail, Says: m.Words}
		switch {
		case m.Harmless:
			w.Want = probes.Pass
		case m.Name == "prometheus-partial":
			w.Want, w.Ratio = probes.Warn, half()
		case m.Name == "prometheus-replaying":
			continue // above
		}
		suite.Worlds = append(suite.Worlds, w)
	}
	suite.Worlds = append(suite.Worlds, probetest.World{
		Name: "names what is down", Want: probes.Pass, Says: []string{"16 of 17 targets up; 1 down: superset superset.data-platform:9102"},
		New: on(platform(func(s *simulated.Server) {
			s.SetUpSince("superset", "superset.data-platform:9102", false, noon.Add(-time.Minute))
		})),
	}, probetest.World{
		Name: "a target that vanished a minute ago", Want: probes.Pass, Shows: []string{"has no target now"},
		New: on(vanished{platform(nil)}),
	})
	suite.Run(t)
}

// vanished is a Prometheus whose job trino lost its target a moment ago: nothing is up, but something was.
type vanished struct{ server *simulated.Server }

func (v vanished) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := simulated.Platform(clock)
	if !strings.Contains(r.FormValue("query"), "over_time") {
		s.RemoveJob("trino")
	}
	s.ServeHTTP(w, r)
}

// With thousands of targets a poll costs what its jobs cost, not what its targets do.
func TestTargetsStayCheap(t *testing.T) {
	s := simulated.New(clock)
	for i := range 400 {
		s.Add(fmt.Sprintf("job-%d", i%20), fmt.Sprintf("node-%d:9100", i))
	}
	for i := range 100 {
		s.SetUpSince(fmt.Sprintf("job-%d", i%20), fmt.Sprintf("node-%d:9100", i), false, noon.Add(-time.Hour))
	}
	asked, bytes := 0, 0
	counting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		record := httptest.NewRecorder()
		s.ServeHTTP(record, r)
		bytes += record.Body.Len()
		w.WriteHeader(record.Code)
		_, _ = w.Write(record.Body.Bytes())
	})
	one := make(chan struct{}, 1)
	serial := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one <- struct{}{}
		defer func() { <-one }()
		counting(w, r)
	})
	p := over(serial, func(q Querier) probes.Probe { return NewTargets(q, TargetsParams{Min: 350}) })(t)
	obs, err := p.Observe(t.Context())
	if err != nil || obs.Status != probes.Fail || !strings.Contains(obs.Summary, "300 of 400 targets up, want 350") || !strings.Contains(obs.Summary, "and 95 more") {
		t.Errorf("%s %q (%v)", obs.Status, obs.Summary, err)
	}
	if asked > 5 || bytes > 10_000 {
		t.Errorf("%d queries, %d bytes", asked, bytes)
	}
}

func TestPromQL(t *testing.T) {
	with := func(h http.Handler, edit func(*PromQLParams)) func(*testing.T) probes.Probe {
		p := *PromQLInfo().Params().(*PromQLParams)
		p.Query, p.Condition = "up", Condition{Op: ">=", Value: 1}
		if edit != nil {
			edit(&p)
		}
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		return over(h, func(q Querier) probes.Probe { return NewPromQL(q, p) })
	}
	query := func(q string, op string, value float64) func(*testing.T) probes.Probe {
		return with(platform(nil), func(p *PromQLParams) { p.Query, p.Condition = q, Condition{Op: op, Value: value} })
	}
	down := func(s *simulated.Server) {
		s.SetUpSince("trino", "trino.data-platform:8080", false, noon.Add(-time.Hour))
	}
	vector := func(value string) http.Handler {
		return answer(200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"\u001b[2Jx"},"value":[1,"`+value+`"]}]}}`)
	}
	histogram := answer(200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"x"},"histogram":[1,{"count":"1","sum":"1"}]}]}}`)
	pass := func(name string, p func(*testing.T) probes.Probe) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Pass}
	}
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	partial := func(s *simulated.Server) { s.SetWarnings("store x is away") }
	probetest.Suite{
		New: with(platform(nil), nil),
		Worlds: []probetest.World{
			pass("a scalar", query("time() - 1", ">", 1)),
			pass("equal", query("count(up)", "==", 17)),
			pass("at most", query("count(up)", "<=", 17)),
			pass("different", query("count(up)", "!=", 0)),
			pass("less", query("count(up)", "<", 18)),
			fail("not more", query("count(up)", ">", 17), "is 17, want > 17"),
			fail("one of many", with(platform(down), nil), `job="trino"`, "is 0, want >= 1"),
			pass("any", with(platform(down), func(p *PromQLParams) { p.Series = "any" })),
			fail("not any", with(platform(nil), func(p *PromQLParams) { p.Series, p.Condition.Value = "any", 2 }), "and 12 more", "want any >= 2"),
			fail("nothing", query("no_such_metric", ">=", 0), "yields nothing", "no_such_metric"),
			pass("nothing, as it should be", with(platform(nil), func(p *PromQLParams) { p.Query, p.Empty = "up == 0", "pass" })),
			fail("no number", with(vector("NaN"), nil), "NaN, which is no number"),
			fail("no number is not different", with(vector("NaN"), func(p *PromQLParams) { p.Condition.Op = "!=" }), "NaN"),
			pass("infinity", with(vector("+Inf"), nil)),
			{Name: "partial", New: with(platform(partial), nil), Want: probes.Warn, Ratio: probes.Part(1, 2), Says: []string{"store x is away"}},
		},
		Errors: []probetest.Failure{
			{Name: "partial, and short", New: with(platform(func(s *simulated.Server) { partial(s); down(s) }), nil), Says: []string{"store x is away", "falls short"}},
			{Name: "partial, and nothing", New: with(platform(partial), func(p *PromQLParams) { p.Query, p.Empty = "up == 0", "pass" }), Says: []string{"store x is away"}},
			{Name: "not PromQL", New: with(platform(nil), func(p *PromQLParams) { p.Query = "up up" }), Says: []string{"400 bad_data", "parse error"}},
			{Name: "histograms", New: with(histogram, nil), Says: []string{"histograms"}},
			{Name: "forbidden", New: with(answer(403, ""), nil), Says: []string{"gonogo's own credential"}},
			{Name: "a value of a wrong type", New: with(answer(200, `{"status":"success","data":{"resultType":"vector","result":[{"value":[1,{}]}]}}`), nil), Says: []string{"reading the vector"}},
		},
		Hanging: with(hanging(), nil),
	}.Run(t)
}

func TestParamsAreChecked(t *testing.T) {
	for _, p := range []TargetsParams{{}, {Min: 1, Jobs: []string{""}}, {Min: 1, Jobs: []string{"a", "a"}}} {
		if p.Validate() == nil {
			t.Errorf("%+v accepted", p)
		}
	}
	good := PromQLParams{Query: "up", Condition: Condition{Op: ">="}, Series: "every", Empty: "fail"}
	for _, edit := range []func(*PromQLParams){
		func(p *PromQLParams) { p.Query = " " }, func(p *PromQLParams) { p.Query = strings.Repeat("x", 5000) }, func(p *PromQLParams) { p.Condition.Op = "=" },
		func(p *PromQLParams) { p.Series = "most" }, func(p *PromQLParams) { p.Empty = "warn" },
	} {
		p := good
		edit(&p)
		if p.Validate() == nil {
			t.Errorf("%+v accepted", p)
		}
	}
}

// Every question must be answered: three of four are not an answer.
func TestOneQuestionFails(t *testing.T) {
	for _, q := range []string{upQuery, allQuery, recentQuery, staleQuery, downQuery} {
		s := platform(func(s *simulated.Server) { s.SetUpSince("trino", "trino.data-platform:8080", false, noon) })
		client := over(s, func(q Querier) probes.Probe { return NewTargets(q, TargetsParams{Min: 1}) })(t).(targetsProbe)
		client.querier = failing{client.querier, q}
		if obs, err := client.Observe(t.Context()); err == nil {
			t.Errorf("%s: %s %q", q, obs.Status, obs.Summary)
		}
	}
}

type failing struct {
	Querier
	query string
}

func (f failing) Query(ctx context.Context, expr string) (probes.Seen[*model.Sample], error) {
	if expr == f.query {
		return probes.Seen[*model.Sample]{}, errors.New("reset")
	}
	return f.Querier.Query(ctx, expr)
}
