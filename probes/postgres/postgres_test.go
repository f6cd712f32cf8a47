package postgres

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/254carbon/gonogo/internal/platform/prom"
	simulated "github.com/254carbon/gonogo/internal/sim/prom"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

type object = map[string]any

var noon = time.Date(2025, 10, 20, 12, 0, 7, 0, time.UTC)

func clock() time.Time { return noon }

func named(apiVersion, kind, name string, rest object) object {
	o := object{"apiVersion": apiVersion, "kind": kind, "metadata": object{"namespace": "data-platform", "name": name}}
	for k, v := range rest {
		o[k] = v
	}
	return o
}

// endpoint is a pod behind the write Service.
func endpoint(pod, address string, ready bool) object {
	e := object{"addresses": []any{address}, "conditions": object{"ready": ready}}
	if pod != "" {
		e["targetRef"] = object{"kind": "Pod", "name": pod}
	}
	return e
}

// cluster has the write Service with these endpoints, and a slice of another Service.
func cluster(endpoints ...any) *kubefake.Cluster {
	slice := func(service string, endpoints []any) object {
		o := named("discovery.k8s.io/v1", "EndpointSlice", service+"-x", object{"addressType": "IPv4", "endpoints": endpoints})
		o["metadata"].(object)["labels"] = object{"kubernetes.io/service-name": service}
		return o
	}
	return kubefake.New(
		named("v1", "Service", "pg", object{"spec": object{"clusterIP": "10.96.0.9"}}), slice("pg", endpoints),
		slice("pg-readers", []any{endpoint("pg-1", "10.0.0.2", true), endpoint("pg-0", "10.0.0.1", true)}),
	)
}

// right is the write Service as it should be.
func right() *kubefake.Cluster {
	return cluster(endpoint("postgres-shared-0", "10.0.0.1", true), endpoint("postgres-shared-1", "10.0.0.2", false))
}

func params(t *testing.T, source string, edit func(*ReplicationParams)) ReplicationParams {
	t.Helper()
	p := ReplicationInfo().Params().(*ReplicationParams)
	p.Source, p.Service, p.Settle = source, "data-platform/pg", 30*time.Millisecond
	if edit != nil {
		edit(p)
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return *p
}

// querier is a real client of a Prometheus.
func querier(t *testing.T, h http.Handler) *prom.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	client, err := prom.New(prom.Options{BaseURL: server.URL, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestExporter(t *testing.T) {
	over := func(c func() *kubefake.Cluster, h http.Handler, edit func(*ReplicationParams)) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe {
			return NewReplication(Sources{Objects: c(), Querier: querier(t, h)}, params(t, Exporter, edit))
		}
	}
	streaming := func(change func(*simulated.Server)) http.Handler {
		s := simulated.New(clock)
		s.SetReplication(true)
		if change != nil {
			change(s)
		}
		return s
	}
	on := func(change func(*simulated.Server)) func(*testing.T) probes.Probe {
		return over(right, streaming(change), nil)
	}
	behind := func(c *kubefake.Cluster) func(*testing.T) probes.Probe {
		return over(func() *kubefake.Cluster { return c }, streaming(nil), nil)
	}
	answer := func(status int, body string) func(*testing.T) probes.Probe {
		return over(right, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}), nil)
	}
	const diff = "pg_stat_replication_pg_wal_lsn_diff"
	labels := func(name, state string) map[string]string {
		return map[string]string{"job": "postgres", "pod": "postgres-shared-0", "application_name": name, "state": state}
	}
	suite := probetest.Suite{
		New: on(nil),
		Worlds: []probetest.World{
			{Name: "streams", New: on(nil), Want: probes.Pass, Says: []string{"postgres-shared-1 at 10.244.1.17 streams from postgres-shared-0", "0 B behind"}},
			{Name: "selected by address", Want: probes.Pass, New: over(func() *kubefake.Cluster { return cluster(endpoint("", "10.0.0.1", true)) },
				streaming(func(s *simulated.Server) {
					s.Remove("pg_replication_is_replica", nil)
					s.Set("pg_replication_is_replica", map[string]string{"instance": "10.0.0.1:9187", "pod": ""}, 0)
					s.Set("pg_stat_replication_pg_wal_lsn_diff", map[string]string{"instance": "10.0.0.1:9187", "application_name": "b", "state": "streaming"}, 0)
				}), nil)},
			{Name: "labels select", Want: probes.Pass, New: over(right, streaming(func(s *simulated.Server) {
				s.Set("pg_replication_is_replica", map[string]string{"job": "other"}, 0)
			}), func(p *ReplicationParams) { p.Labels = map[string]string{"job": "postgres"} })},
			{Name: "a standby sends on", Want: probes.Pass, New: on(func(s *simulated.Server) {
				l := labels("third", "streaming")
				l["pod"] = "postgres-shared-1"
				s.Set(diff, l, 1<<30)
			})},
			{Name: "a copy for a moment", Want: probes.Pass, Shows: []string{"pg_basebackup", "in state backup"}, New: on(func(s *simulated.Server) { s.Set(diff, labels("pg_basebackup", "backup"), 1<<30) })},
			{Name: "two wanted", Want: probes.Fail, Says: []string{"1 of 2 standbys stream"}, New: over(right, streaming(nil), func(p *ReplicationParams) { p.Standbys = 2 })},
			{Name: "only a receiver", Want: probes.Fail, Says: []string{"pg_receivewal", "does not say that it replays"}, New: on(func(s *simulated.Server) {
				s.Remove(diff, nil)
				s.Set(diff, labels("pg_receivewal", "streaming"), nan())
			})},
			{Name: "no Service", Want: probes.Fail, Says: []string{"the write Service data-platform/pg does not exist"}, New: behind(kubefake.New())},
			{Name: "nothing ready", Want: probes.Fail, Says: []string{"selects nothing that is ready"}, New: behind(cluster(endpoint("postgres-shared-0", "10.0.0.1", false)))},
			{Name: "a standby too", Want: probes.Fail, Says: []string{"selects a standby, pod postgres-shared-1"},
				New: behind(cluster(endpoint("postgres-shared-0", "10.0.0.1", true), endpoint("postgres-shared-1", "10.0.0.2", true)))},
			{Name: "something else", Want: probes.Fail, Says: []string{"selects pod nginx, and the primary is postgres-shared-0"}, New: behind(cluster(endpoint("nginx", "10.0.0.3", true)))},
			{Name: "unrelated databases behind one Service", Want: probes.Fail,
				Says: []string{"no standby: pg_stat_replication is empty", "2 primaries", "unrelated databases behind one Service"},
				New: over(func() *kubefake.Cluster {
					return cluster(endpoint("postgres-shared-0", "10.0.0.1", true), endpoint("postgres-shared-1", "10.0.0.2", true))
				}, streaming(func(s *simulated.Server) { s.SetReplication(false) }), nil)},
		},
		Errors: []probetest.Failure{
			{Name: "crashed", New: answer(500, "boom"), Says: []string{"500"}},
			{Name: "unauthorised", New: answer(401, ""), Says: []string{"gonogo's own credential"}},
			{Name: "garbage", New: answer(200, "<html>"), Says: []string{"not Prometheus's"}},
			{Name: "nothing scraped", New: over(right, simulated.New(clock), nil), Says: []string{"postgres_exporter is not scraped"}},
			{Name: "old samples", Says: []string{"4m"}, New: on(func(s *simulated.Server) { s.Freeze("postgres", noon.Add(-4*time.Minute)) })},
			{Name: "behind, and the log's growth is not known", Says: []string{"another", "whether it comes forward cannot be told"}, New: on(func(s *simulated.Server) {
				s.Set(diff, labels("another", "streaming"), 4096)
			})},
			{Name: "partial", Says: []string{"store x is away"}, New: on(func(s *simulated.Server) { s.SetWarnings("store x is away") })},
			{Name: "an exporter without pg_monitor", Says: []string{"without its values", "pg_monitor"}, New: on(func(s *simulated.Server) {
				s.Remove(diff, nil)
				s.Set(diff, labels("walreceiver", ""), nan())
			})},
			{Name: "a role that is none", Says: []string{"neither 0 nor 1"}, New: on(func(s *simulated.Server) { s.Set("pg_replication_is_replica", map[string]string{"pod": "x"}, 7) })},
			{Name: "endpoints forbidden", Is: apierrors.IsForbidden, New: behind(right().Forbid(slicesResource))},
			{Name: "services forbidden", Is: apierrors.IsForbidden, New: behind(right().Forbid(servicesResource))},
			{Name: "only a part seen", Says: []string{"only the namespaces"}, New: behind(right().Narrow("only the namespaces a, b"))},
		},
		Hanging: over(right, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), nil),
	}
	for _, m := range simulated.Mutations() {
		if !strings.HasPrefix(m.Name, "postgres-") || strings.HasPrefix(m.Name, "postgres-exporter") {
			continue
		}
		w := probetest.World{Name: m.Name, New: on(m.Apply), Want: probes.Fail, Says: m.Words}
		if m.Harmless {
			w.Want = probes.Pass
		}
		suite.Worlds = append(suite.Worlds, w)
	}
	suite.Run(t)
}

func nan() float64 {
	zero := 0.0
	return zero / zero
}

// film is a server that is another at every look; the last stays.
type film struct {
	scenes []Server
	err    error
	hang   bool
	looks  int
}

func (f *film) Look(ctx context.Context) (Server, probes.Request, error) {
	request := probes.Request{Source: "SELECT … FROM pg_stat_replication", Repeat: `psql "$POSTGRES_DSN"`}
	if f.hang {
		<-ctx.Done()
		return Server{}, request, ctx.Err()
	}
	if f.err != nil {
		return Server{}, request, f.err
	}
	s := f.scenes[min(f.looks, len(f.scenes)-1)]
	f.looks++
	return s, request, ctx.Err()
}

func primary(position uint64, senders ...Sender) Server {
	return Server{System: "7001", Address: "10.0.0.1", User: "gonogo", SeesAll: true, Position: position, Senders: senders}
}

func sender(replayed uint64) Sender {
	return Sender{PID: 1, Name: "pg-1", Address: "10.0.0.2", State: "streaming", Confirms: true, Replayed: replayed}
}

func edited(s Sender, edit func(*Sender)) Sender {
	edit(&s)
	return s
}

func TestSQL(t *testing.T) {
	write := func() *kubefake.Cluster { return cluster(endpoint("pg-0", "10.0.0.1", true)) }
	with := func(c func() *kubefake.Cluster, edit func(*ReplicationParams), others map[string]*film, scenes ...Server) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe {
			at := func(ref probes.SecretRef) Database { return others[ref.Env] }
			return NewReplication(Sources{Objects: c(), Database: &film{scenes: scenes}, At: at}, params(t, SQL, edit))
		}
	}
	on := func(scenes ...Server) func(*testing.T) probes.Probe { return with(write, nil, nil, scenes...) }
	second := func(s Server, err error) func(*testing.T) probes.Probe {
		return with(write, func(p *ReplicationParams) { p.DSNs = []probes.SecretRef{{Env: "B"}} }, map[string]*film{"B": {scenes: []Server{s}, err: err}}, primary(100, sender(100)))
	}
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	pass := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Pass, Says: says}
	}
	standby := Server{System: "7001", Address: "10.0.0.2", SeesAll: true, Recovery: true}
	anew := func(s *Sender) { s.PID = 2 }
	logical := edited(sender(0), func(s *Sender) { s.Logical, s.Name = true, "subscription" })
	broken := func(err error) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe {
			return NewReplication(Sources{Objects: write(), Database: &film{err: err}}, params(t, SQL, nil))
		}
	}
	probetest.Suite{
		New: on(primary(100, sender(100))),
		Worlds: []probetest.World{
			pass("streams", on(primary(100, sender(100))), "pg-1 at 10.0.0.2 streams from the primary at 10.0.0.1", "exactly the primary"),
			pass("quiet for hours", on(primary(100, edited(sender(100), func(s *Sender) { s.LagKnown, s.Lag = true, time.Hour })))),
			pass("a little behind, and comes forward", on(primary(5000, sender(1000)), primary(9000, sender(5000))), "3.9 KiB behind"),
			pass("comes forward at last", on(primary(5000, sender(1000)), primary(5000, sender(5000)))),
			pass("besides a subscription", on(primary(100, sender(100), logical))),
			pass("a standby of its own connection", second(standby, nil)),
			fail("no standby", on(primary(100)), "no standby: pg_stat_replication is empty"),
			fail("only a subscription", on(primary(100, logical)), "no standby"),
			fail("stands still while the primary moves on", on(primary(5000, sender(1000)), primary(9000, sender(1000))), "stands still", "7.8 KiB behind"),
			fail("stands still behind a quiet primary", on(primary(5000, sender(1000))), "stands still"),
			fail("confirms nothing", on(primary(100, edited(sender(0), func(s *Sender) { s.Confirms, s.Name = false, "pg_receivewal" }))), "pg_receivewal", "does not say that it replays"),
			fail("catches up", on(primary(100, edited(sender(100), func(s *Sender) { s.State = "catchup" }))), "state catchup"),
			fail("far behind", on(primary(64<<20, sender(1)), primary(64<<20, sender(2))), "64.0 MiB behind, more than 16.0 MiB"),
			fail("long behind", on(primary(9000, sender(1)), primary(9000, edited(sender(2), func(s *Sender) { s.LagKnown, s.Lag = true, time.Minute }))), "1m0s behind, more than 10s"),
			pass("connected anew, and comes forward", on(primary(5000, sender(1000)), primary(5000, edited(sender(1000), anew)), primary(9000, edited(sender(4000), anew)))),
			fail("connected anew and behind", on(primary(5000, sender(1000)), primary(5000, edited(sender(1000), anew))), "stands still"),
			fail("two databases behind one address", on(primary(500, sender(100)), Server{System: "7002", Address: "10.0.0.9", SeesAll: true, Position: 900}),
				"one connection leads to a primary of database 7001, the next to a primary of database 7002", "2 primaries of unrelated databases"),
			fail("the standby is a primary of its own", second(Server{System: "7002", Address: "10.0.0.2"}, nil), "2 primaries of unrelated databases"),
			fail("the standby was promoted", second(Server{System: "7001", Address: "10.0.0.2"}, nil), "2 primaries of one database, which has split"),
			fail("the standby is another database's", second(Server{System: "7002", Recovery: true}, nil), "one of another database, 7002 and not 7001"),
			fail("the write Service selects another", with(func() *kubefake.Cluster { return cluster(endpoint("pg-1", "10.0.0.2", true)) }, nil, nil, primary(100, sender(100))),
				"selects pod pg-1, and the primary is the primary at 10.0.0.1"),
			fail("the write Service selects two", with(func() *kubefake.Cluster {
				return cluster(endpoint("pg-0", "10.0.0.1", true), endpoint("pg-1", "10.0.0.2", true))
			}, nil, nil, primary(100, sender(100))), "selects pod pg-1 besides the primary"),
			fail("the write Service leads to a standby", on(Server{System: "7001", Address: "10.0.0.1", Recovery: true}), "a standby at 10.0.0.1 answers where programs write"),
		},
		Errors: []probetest.Failure{
			{Name: "refused", New: broken(errors.New("PostgreSQL refuses gonogo's own credential")), Says: []string{"own credential"}},
			{Name: "may not see", Says: []string{"grant it pg_monitor", "gonogo"}, New: on(Server{User: "gonogo", Address: "10.0.0.1", Senders: []Sender{{PID: 1, Name: "pg-1"}}})},
			{Name: "leads to a standby elsewhere", Says: []string{"must lead to the primary"}, New: on(standby)},
			{Name: "through a port-forward", Says: []string{"cannot be told", "nothing ties the primary"}, New: with(write, nil, nil, Server{System: "7001", Address: "127.0.0.1", SeesAll: true, Position: 100, Senders: []Sender{sender(100)}})},
			{Name: "the standby connects anew all the time", Says: []string{"connected anew while it was watched"}, New: on(primary(5000, sender(1000)), primary(5000, edited(sender(1000), anew)),
				primary(5000, edited(sender(1000), func(s *Sender) { s.PID = 3 })))},
			{Name: "the standby cannot be asked", New: second(Server{}, errors.New("connection refused")), Says: []string{"asking the standby of environment variable B", "connection refused"}},
		},
		Hanging: func(t *testing.T) probes.Probe {
			return NewReplication(Sources{Objects: write(), Database: &film{hang: true}}, params(t, SQL, nil))
		},
	}.Run(t)
}

func TestOperator(t *testing.T) {
	of := func(status object) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe {
			c := cluster(endpoint("pg-1", "10.0.0.1", true))
			c.Add(named("postgresql.cnpg.io/v1", "Cluster", "pg", object{"status": status}))
			return NewReplication(Sources{Objects: c}, params(t, CloudNativePG, func(p *ReplicationParams) { p.Cluster = "data-platform/pg" }))
		}
	}
	over := func(c *kubefake.Cluster) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe {
			return NewReplication(Sources{Objects: c}, params(t, CloudNativePG, func(p *ReplicationParams) { p.Cluster = "data-platform/pg" }))
		}
	}
	status := func(more object) object {
		s := object{
			"phase": "Cluster in healthy state", "currentPrimary": "pg-1", "targetPrimary": "pg-1", "instancesStatus": object{"healthy": []any{"pg-1", "pg-2"}},
			"instancesReportedState": object{"pg-1": object{"isPrimary": true}, "pg-2": object{"isPrimary": false}},
		}
		for k, v := range more {
			s[k] = v
		}
		return s
	}
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	served := kubefake.New().Serve(clustersResource)
	probetest.Suite{
		New: of(status(nil)),
		Worlds: []probetest.World{
			{Name: "healthy", New: of(status(nil)), Want: probes.Pass, Says: []string{"pg-2 streams from pg-1"}},
			fail("one instance", of(status(object{"instancesStatus": object{"healthy": []any{"pg-1"}}})), "no standby"),
			fail("the standby failed", of(status(object{"instancesStatus": object{"healthy": []any{"pg-1"}, "failed": []any{"pg-2"}}})), "standby pg-2 is failed"),
			fail("switching over", of(status(object{"targetPrimary": "pg-2", "phase": "Switchover in progress"})), "making pg-2 the primary: Switchover in progress"),
			fail("the primary fails", of(status(object{"currentPrimaryFailingSinceTimestamp": "2025-10-20T12:00:00Z"})), "failing since 2025-10-20T12:00:00Z"),
			fail("two primaries", of(status(object{"instancesReportedState": object{"pg-1": object{"isPrimary": true}, "pg-2": object{"isPrimary": true}}})), "2 primaries, pg-1 and pg-2"),
			fail("no status", of(nil), "no server is a primary", "no standby"),
			fail("not installed", over(right()), "CloudNativePG is not installed"),
			fail("no Cluster", over(served), "there is no CloudNativePG Cluster data-platform/pg"),
		},
		Errors: []probetest.Failure{
			{Name: "forbidden", Is: apierrors.IsForbidden, New: over(right().Forbid(clustersResource))},
			{Name: "wrong type", Says: []string{"reading cluster data-platform/pg"}, New: of(object{"currentPrimary": 7.5})},
		},
		Hanging: over(right().Hang()),
	}.Run(t)
}

func TestParamsAreChecked(t *testing.T) {
	good := func() *ReplicationParams {
		p := ReplicationInfo().Params().(*ReplicationParams)
		p.Source, p.Service = SQL, "a/b"
		return p
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for i, edit := range []func(*ReplicationParams){
		func(p *ReplicationParams) { p.Source = "guess" }, func(p *ReplicationParams) { p.Service = "b" }, func(p *ReplicationParams) { p.Cluster = "a/b" },
		func(p *ReplicationParams) { p.Labels = map[string]string{"job": "x"} }, func(p *ReplicationParams) { p.Standbys = 0 }, func(p *ReplicationParams) { p.MaxBytes = 0 },
		func(p *ReplicationParams) { p.MaxLag = 0 }, func(p *ReplicationParams) { p.DSNs = []probes.SecretRef{{}} },
		func(p *ReplicationParams) { p.Source, p.Labels = Exporter, map[string]string{`a"`: "x"} }, func(p *ReplicationParams) { p.Source = CloudNativePG },
		func(p *ReplicationParams) { p.Source, p.DSNs = Exporter, []probes.SecretRef{{Env: "A"}} },
	} {
		p := good()
		if edit(p); p.Validate() == nil {
			t.Errorf("%d: %+v accepted", i, p)
		}
	}
	for source, want := range map[string]string{SQL: "postgres kubernetes", Exporter: "prometheus kubernetes", CloudNativePG: "kubernetes"} {
		p := good()
		p.Source = source
		if got := strings.Join(p.Connections(), " "); got != want {
			t.Errorf("%s asks over %s, want %s", source, got, want)
		}
	}
	p := ReplicationParams{Labels: map[string]string{"job": `a"b`, "b": "c"}}
	if got := p.selector(); got != `{b="c",job="a\"b"}` {
		t.Errorf("selector %s", got)
	}
}

// TestAges holds that an age that is none does not count as a young one.
func TestAges(t *testing.T) {
	for _, age := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e18, 300} {
		seen := probes.Seen[*model.Sample]{Items: []*model.Sample{{Value: model.SampleValue(age)}}}
		if _, err := ages(seen, time.Now()); err == nil {
			t.Errorf("an age of %v was believed", age)
		}
	}
}
