package monitors_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	client "github.com/254carbon/gonogo/internal/platform/prom"
	"github.com/254carbon/gonogo/internal/sim/prom"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/monitors"
	"github.com/254carbon/gonogo/probes/probetest"
)

var noon = time.Date(2025, 10, 20, 12, 0, 7, 0, time.UTC)

func clock() time.Time { return noon }

type object = map[string]any

func operatorResource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: plural}
}

func meta(namespace, name string, labels object) object {
	m := object{"name": name, "labels": labels}
	if namespace != "" {
		m["namespace"] = namespace
	}
	return m
}

// operated is an object of the operator's.
func operated(kind, namespace, name string, spec object) object {
	o := object{"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": meta(namespace, name, nil)}
	if spec != nil {
		o["spec"] = spec
	}
	return o
}

func app(name string) object { return object{"matchLabels": object{"app": name}} }

func service(namespace, name, label string, ports ...any) object {
	return object{"apiVersion": "v1", "kind": "Service", "metadata": meta(namespace, name, object{"app": label}), "spec": object{
		"selector": object{"app": name}, "ports": ports,
	}}
}

func port(name string, number int64) object { return object{"name": name, "port": number} }

func pod(namespace, name, label, phase string, ports ...any) object {
	return object{"apiVersion": "v1", "kind": "Pod", "metadata": meta(namespace, name, object{"app": label}), "status": object{"phase": phase}, "spec": object{
		"containers": []any{object{"name": "c", "ports": ports}},
	}}
}

func containerPort(name string, number int64) object {
	return object{"name": name, "containerPort": number}
}

// slice is the endpoints of a Service, ready or not.
func slice(namespace, name string, ready bool) object {
	return object{
		"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta(namespace, name+"-x", object{"kubernetes.io/service-name": name}),
		"addressType": "IPv4", "endpoints": []any{object{"addresses": []any{"10.0.0.1"}, "conditions": object{"ready": ready}}},
	}
}

// world is a small platform: a monitor of a Service, trino, and one of pods, promtail.
type world struct {
	prometheus, trino, promtail object
	service, pod, endpoints     object
	more                        []object
	metrics                     *prom.Server
	asked                       http.Handler // instead of metrics
	cluster                     *kubefake.Cluster
}

func fresh() *world {
	w := &world{
		prometheus: object{"serviceMonitorSelector": object{}, "serviceMonitorNamespaceSelector": object{}, "podMonitorSelector": object{}, "podMonitorNamespaceSelector": object{}},
		trino:      object{"selector": app("trino"), "endpoints": []any{object{"port": "metrics"}}},
		promtail:   object{"selector": app("promtail"), "podMetricsEndpoints": []any{object{"port": "http-metrics"}}},
		service:    service("data", "trino", "trino", port("http", 8080), port("metrics", 9090)),
		pod:        pod("monitoring", "promtail-0", "promtail", "Running", containerPort("http-metrics", 9080)),
		endpoints:  slice("data", "trino", true),
		metrics:    prom.New(clock),
	}
	for job, pool := range map[string]string{"trino": "serviceMonitor/data/trino/0", "promtail": "podMonitor/monitoring/promtail/0"} {
		w.metrics.Add(job, job+":9090")
		w.metrics.SetPool(job, pool)
	}
	w.asked = w.metrics
	return w
}

// objects are what the cluster holds; what is nil is not there.
func (w *world) objects() []object {
	all := []object{pod("data", "trino-0", "trino", "Running", containerPort("web", 8080), containerPort("", 9090))}
	add := func(kind, namespace, name string, spec object) {
		if spec != nil {
			all = append(all, operated(kind, namespace, name, spec))
		}
	}
	add("Prometheus", "monitoring", "k8s", w.prometheus)
	add("ServiceMonitor", "data", "trino", w.trino)
	add("PodMonitor", "monitoring", "promtail", w.promtail)
	for _, o := range append([]object{w.service, w.pod, w.endpoints}, w.more...) {
		if o != nil {
			all = append(all, o)
		}
	}
	return all
}

// with makes probes of a world, changed; late changes come once the cluster is there.
func with(changes ...func(*world)) func(*testing.T) probes.Probe {
	return func(t *testing.T) probes.Probe {
		t.Helper()
		w := fresh()
		for _, change := range changes {
			change(w)
		}
		if w.cluster == nil {
			w.cluster = kubefake.New()
		}
		w.cluster.Serve(operatorResource("servicemonitors")).Serve(operatorResource("podmonitors")).Serve(operatorResource("prometheuses")).Add(w.objects()...)
		server := httptest.NewServer(w.asked)
		t.Cleanup(server.Close)
		c, err := client.New(client.Options{BaseURL: server.URL, Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		p := monitors.Params{Monitors: []monitors.Set{{Namespace: "data", ServiceMonitors: []string{"trino"}}, {Namespace: "monitoring", PodMonitors: []string{"promtail"}}}}
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		return monitors.New(w.cluster, c, p, clock)
	}
}

func answer(status int, body string) func(*world) {
	return func(w *world) {
		w.asked = http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
			out.WriteHeader(status)
			_, _ = io.WriteString(out, body)
		})
	}
}

func down(ago time.Duration, jobs ...string) func(*world) {
	return func(w *world) {
		for _, job := range jobs {
			w.metrics.SetUpSince(job, job+":9090", false, noon.Add(-ago))
		}
	}
}

// set sets a field of the monitor trino.
func set(value any, field string) func(*world) { return func(w *world) { w.trino[field] = value } }

func TestMonitors(t *testing.T) {
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: append(says, "bind nothing")}
	}
	pass := func(name string, p func(*testing.T) probes.Probe) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Pass, Says: []string{"2 of 2 monitors bind"}}
	}
	unknown := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.Failure {
		return probetest.Failure{Name: name, New: p, Says: says}
	}
	picking := func(field string, value any) func(*world) { return func(w *world) { w.prometheus[field] = value } }
	namespaces := func(w *world) {
		w.more = append(w.more, object{"apiVersion": "v1", "kind": "Namespace", "metadata": meta("", "data", object{"team": "data"})})
	}
	endpoints := func(all ...any) func(*world) { return set(all, "endpoints") }
	second := func(w *world) {
		w.metrics.Add("trino-2", "trino-2:9090")
		w.metrics.SetPool("trino-2", "serviceMonitor/data/trino/0")
	}
	forbidden := func(w *world) {
		w.cluster = kubefake.New().Forbid(schema.GroupVersionResource{Version: "v1", Resource: "services"})
	}
	narrow := func(w *world) { w.cluster = kubefake.New().Narrow("only the namespaces a, b") }
	gone := func(w *world) { w.service = nil }
	const targets = `{"status":"success","data":{"activeTargets":[%s]}}`
	probetest.Suite{
		New: with(),
		Worlds: []probetest.World{
			pass("one of two targets is down", with(second, down(time.Hour, "trino"))),
			pass("down for a moment", with(down(time.Minute, "trino"))),
			pass("without a port, all are scraped", with(endpoints(object{"interval": "30s"}))),
			pass("a port of the pods, by number", with(endpoints(object{"targetPort": int64(9090)}))),
			pass("a port of the pods, by name", with(endpoints(object{"targetPort": "web"}))),
			pass("a second endpoint that is not there", with(endpoints(object{"port": "metrics"}, object{"port": "jmx"}))),
			pass("any namespace", with(set(object{"any": true}, "namespaceSelector"))),
			pass("its namespace by name", with(set(object{"matchNames": []any{"other", "data"}}, "namespaceSelector"))),
			pass("picked up by the label of its namespace", with(namespaces, picking("serviceMonitorNamespaceSelector", object{"matchLabels": object{"team": "data"}}))),
			pass("an expression", with(set(object{"matchExpressions": []any{object{"key": "app", "operator": "In", "values": []any{"trino", "presto"}}}}, "selector"))),
			pass("pods by port number", with(func(w *world) { w.promtail["podMetricsEndpoints"] = []any{object{"portNumber": int64(9080)}} })),
			pass("a Prometheus that knows no pools lists all targets", with(func(w *world) {
				w.asked = http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
					r.URL.RawQuery = ""
					w.metrics.ServeHTTP(out, r)
				})
			})),
			fail("monitor gone", with(func(w *world) { w.trino = nil }), "1 of 2", "trino: does not exist"),
			fail("both gone", with(func(w *world) { w.trino, w.promtail = nil, nil }), "2 of 2", "trino, promtail: does not exist"),
			fail("no Service", with(gone), "trino: no Service with app=trino in data"),
			fail("another label", with(func(w *world) { w.service = service("data", "trino", "trino-coordinator", port("metrics", 1)) }), "no Service with app=trino"),
			fail("another namespace", with(func(w *world) { w.service = service("other", "trino", "trino", port("metrics", 1)) }), "no Service with app=trino in data"),
			fail("no such port", with(func(w *world) { w.service = service("data", "trino", "trino", port("http", 8080), port("", 9090)) }), "Service trino has no port metrics, only http, 9090"),
			fail("no such port of the pods", with(endpoints(object{"targetPort": "jmx"})), "no port jmx"),
			fail("two Services without the port", with(func(w *world) {
				w.service = service("data", "trino", "trino", port("http", 8080))
				w.more = []object{service("data", "trino-2", "trino", port("ui", 8081))}
			}), "Services trino, trino-2 have no port metrics, only http, ui"),
			fail("no ports", with(func(w *world) { w.service = service("data", "trino", "trino") }), "Service trino has no port at all"),
			fail("no endpoints of the monitor", with(endpoints()), "names no endpoint"),
			fail("not picked up", with(picking("serviceMonitorSelector", object{"matchLabels": object{"release": "x"}})), "no Prometheus picks it up", "k8s wants the label release=x"),
			fail("no selector picks nothing", with(picking("serviceMonitorSelector", nil)), "k8s has no selector"),
			fail("picked up in its own namespace", with(picking("serviceMonitorNamespaceSelector", nil)), "only into its own namespace monitoring"),
			fail("picked up in another namespace", with(namespaces, picking("serviceMonitorNamespaceSelector", object{"matchLabels": object{"team": "web"}})), "namespaces with team=web"),
			fail("no Prometheus", with(func(w *world) { w.prometheus = nil }), "no Prometheus object"),
			fail("no pods", with(func(w *world) { w.pod = nil }), "promtail: no running Pod with app=promtail in monitoring"),
			fail("pods that wait", with(func(w *world) {
				w.pod = pod("monitoring", "p", "promtail", "Pending", containerPort("http-metrics", 1))
			}), "no running Pod"),
			fail("pods without the port", with(func(w *world) { w.pod = pod("monitoring", "p", "promtail", "Running", containerPort("http", 1)) }), "1 Pod selected, but none has the port http-metrics"),
			fail("no target", with(func(w *world) { w.metrics.RemoveJob("trino") }), "trino: Prometheus has no target of it"),
			fail("no target, for want of endpoints", with(func(w *world) { w.metrics.RemoveJob("trino"); w.endpoints = nil }), "Service trino has no ready endpoint"),
			fail("down", with(down(time.Hour, "trino")), "target trino:9090 is down", "connection refused"),
			fail("down, for want of ready endpoints", with(down(time.Hour, "trino"), func(w *world) { w.endpoints = slice("data", "trino", false) }), "Service trino has no ready endpoint"),
			fail("both down", with(down(time.Hour, "trino", "promtail")), "2 of 2", "trino:9090", "promtail:9090"),
			fail("up, but not scraped any more", with(func(w *world) { w.metrics.SetLookback(time.Hour); w.metrics.Freeze("trino", noon.Add(-20*time.Minute)) }), "last scraped at 11:40:07Z"),
			fail("Prometheus cannot be asked of the other", with(gone, answer(500, "boom")), "no Service", "1 could not be asked for"),
			fail("up and without a time", with(answer(200, fmt.Sprintf(targets, `{"scrapePool":"serviceMonitor/data/trino/0","health":"up","labels":{"instance":"a"}}`))), "no target", "1 could not be asked for"),
		},
		Errors: []probetest.Failure{
			unknown("services are not to be seen", with(forbidden), "may not list", "services"),
			unknown("a monitor may be where one may not look", with(narrow, func(w *world) { w.trino = nil }), "only the namespaces a, b"),
			unknown("a Service may be where one may not look", with(narrow, gone), "Services", "only the namespaces a, b"),
			unknown("a Prometheus may be where one may not look", with(narrow, func(w *world) { w.prometheus = nil }), "only the namespaces a, b"),
			unknown("a selector of later", with(set(object{"matchExpressions": []any{object{"key": "a", "operator": "Near"}}}, "selector")), "selector"),
			unknown("no spec", with(func(w *world) { w.trino = nil; w.more = []object{operated("ServiceMonitor", "data", "trino", nil)} }), "trino", "no spec"),
			unknown("another type", with(set("trino", "selector")), "reading servicemonitor data/trino"),
			unknown("Prometheus crashed", with(answer(500, "boom")), "serviceMonitor/data/trino/0", "500", "boom"),
			unknown("refused", with(answer(401, "")), "own credential"),
			unknown("garbage", with(answer(200, "<html>")), "not Prometheus's"),
			unknown("no data", with(answer(200, `{"status":"success"}`)), "no data"),
			unknown("no list", with(answer(200, `{"status":"success","data":{}}`)), "no list of active targets"),
			unknown("a part", with(func(w *world) { w.metrics.SetWarnings("store x is away") }), "store x is away"),
			unknown("replaying", with(func(w *world) { w.metrics.SetReplaying(true) }), "not ready yet"),
			unknown("not scraped yet", with(answer(200, fmt.Sprintf(targets, `{"scrapePool":"serviceMonitor/data/trino/0","health":"unknown","labels":{"instance":"a:1"}},`+
				`{"scrapePool":"podMonitor/monitoring/promtail/0","health":"up","lastScrape":"2025-10-20T12:00:00Z"}`))), "not scraped a:1 yet"),
		},
		Hanging: with(func(w *world) {
			w.asked = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		}),
	}.Run(t)
}

// TestNotInstalled holds that a cluster without the operator's definitions is a finding.
func TestNotInstalled(t *testing.T) {
	p := monitors.New(kubefake.New(), nil, monitors.Params{Monitors: []monitors.Set{{Namespace: "a", ServiceMonitors: []string{"b"}}}}, clock)
	obs, err := p.Observe(t.Context())
	if err != nil || obs.Status != probes.Fail || !strings.Contains(obs.Summary, "does not serve servicemonitors: the Prometheus Operator is not installed") {
		t.Errorf("%v %+v", err, obs)
	}
}

// TestWatch holds that a change to a Service wakes, and that nothing does after the end.
func TestWatch(t *testing.T) {
	c := kubefake.New()
	p, ok := monitors.New(c, nil, monitors.Params{Monitors: []monitors.Set{{Namespace: "a", ServiceMonitors: []string{"b"}}}}, nil).(probes.Watching)
	if !ok {
		t.Fatal("it does not watch")
	}
	woken := 0
	stop := p.Watch(func() { woken++ })
	c.Add(service("a", "b", "b"))
	c.Add(operated("ServiceMonitor", "a", "b", object{}))
	c.Add(pod("a", "b", "b", "Running"))
	stop()
	c.Add(service("a", "c", "c"))
	if woken != 2 {
		t.Errorf("woken %d times, want 2", woken)
	}
}

func TestParams(t *testing.T) {
	for name, p := range map[string]monitors.Params{
		"nothing":      {},
		"no names":     {Monitors: []monitors.Set{{Namespace: "a"}}},
		"no namespace": {Monitors: []monitors.Set{{PodMonitors: []string{"b"}}}},
		"no name":      {Monitors: []monitors.Set{{Namespace: "a", PodMonitors: []string{""}}}},
		"twice":        {Monitors: []monitors.Set{{Namespace: "a", PodMonitors: []string{"b"}}, {Namespace: "a", PodMonitors: []string{"b"}}}},
	} {
		if err := p.Validate(); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	both := monitors.Params{Monitors: []monitors.Set{{Namespace: "a", PodMonitors: []string{"b"}, ServiceMonitors: []string{"b"}}}}
	if err := both.Validate(); err != nil {
		t.Error(err)
	}
}
