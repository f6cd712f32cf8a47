// Package monitors follows the monitors of the Prometheus Operator to what they are for: a target that Prometheus scrapes and that is up. That
// a ServiceMonitor exists proves nothing; most of those that a platform has select no Service, or a port that no Service has.
package monitors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
)

// Params are the parameters of the kind prometheus.monitors.
type Params struct {
	Monitors []Set `yaml:"monitors" jsonschema:"description=the monitors that there must be, by namespace,required"`
}

// Set names monitors of one namespace.
type Set struct {
	Namespace       string   `yaml:"namespace" jsonschema:"description=namespace of the monitors,required,minLength=1"`
	ServiceMonitors []string `yaml:"serviceMonitors,omitempty" jsonschema:"description=names of ServiceMonitors"`
	PodMonitors     []string `yaml:"podMonitors,omitempty" jsonschema:"description=names of PodMonitors"`
}

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	all := p.list()
	if len(all) == 0 {
		return errors.New("monitors must name at least one")
	}
	for i, m := range all {
		switch {
		case m.namespace == "" || m.name == "":
			return errors.New("monitors has one without namespace or name")
		case slices.Contains(all[:i], m):
			return fmt.Errorf("monitors names %s twice", m)
		}
	}
	return nil
}

// monitor names one monitor.
type monitor struct {
	pod             bool // a PodMonitor
	namespace, name string
}

func (m monitor) String() string {
	kind := "servicemonitor"
	if m.pod {
		kind = "podmonitor"
	}
	return fmt.Sprintf("%s %s/%s", kind, m.namespace, m.name)
}

// pool is what the operator calls the scrape pool of one of a monitor's endpoints.
func (m monitor) pool(endpoint int) string {
	kind := "serviceMonitor"
	if m.pod {
		kind = "podMonitor"
	}
	return fmt.Sprintf("%s/%s/%s/%d", kind, m.namespace, m.name, endpoint)
}

func (p *Params) list() (all []monitor) {
	for _, set := range p.Monitors {
		for _, name := range set.ServiceMonitors {
			all = append(all, monitor{false, set.Namespace, name})
		}
		for _, name := range set.PodMonitors {
			all = append(all, monitor{true, set.Namespace, name})
		}
	}
	return all
}

// Target is a target as Prometheus sees it.
type Target struct {
	Labels     map[string]string
	URL        string
	Health     string // up, down or unknown
	LastError  string
	LastScrape time.Time // zero if it was never scraped
}

// Scrapes asks a Prometheus. Targets lists the active targets of a scrape pool; one that does not exist has none. Query evaluates an instant
// query. Seen.Note is what the server warned of: then what is there may be a part of the whole. Both are called by several goroutines at
// once.
type Scrapes interface {
	Query(ctx context.Context, expr string) (probes.Seen[*model.Sample], error)
	Targets(ctx context.Context, pool string) (probes.Seen[Target], error)
}

// Objects reads what monitors select, as the interfaces of the package kube say.
type Objects interface {
	kube.Objects
	Pods(ctx context.Context, namespace string) (probes.Seen[*kube.Pod], error)
}

// Info describes the kind prometheus.monitors.
func Info() probes.KindInfo {
	return probes.KindInfo{
		Name: "prometheus.monitors",
		About: "Follows each declared ServiceMonitor and PodMonitor: from a Prometheus that picks it up, over the Services or Pods that it selects and their " +
			"ports, from a watch, to the targets of its scrape pool in Prometheus, of which one must be up.",
		Connection: "kubernetes", Others: []string{"prometheus"}, OnChange: true, Every: time.Minute, Timeout: 15 * time.Second, Confirm: 2,
		Params: func() any { return &Params{} },
	}
}

// New returns a probe of the kind prometheus.monitors. Parameters must be valid. The clock is that of scrapes; nil for the
// machine's.
func New(o Objects, s Scrapes, p Params, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	return probe{objects: o, scrapes: s, monitors: p.list(), now: now}
}

type probe struct {
	objects  Objects
	scrapes  Scrapes
	monitors []monitor
	now      func() time.Time
}

var _ probes.Watching = probe{}

// Watch wakes for what a person changes. Pods and endpoints come and go all the time; what becomes of them shows in the targets.
func (p probe) Watch(wake func()) func() {
	var stops []func()
	for _, r := range []schema.GroupVersionResource{serviceMonitors(), podMonitors(), prometheuses(), servicesResource()} {
		stops = append(stops, p.objects.Watch(r, wake))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
		stops = nil
	}
}

// verdict is what was found of one monitor.
type verdict struct {
	monitor   monitor
	selects   string   // what it selects: "service trino"
	services  []string // the Services of it, as namespace/name
	endpoints int
	short     string // the cause that others may share; empty if it binds
	err       error  // its targets could not be asked for
	evidence  probes.Evidence
	up, all   int // targets
}

func (v *verdict) fail(r probes.Request, format string, args ...any) {
	v.short = fmt.Sprintf(format, args...)
	v.evidence.Got, v.evidence.Wanting = v.short, true
	v.evidence = v.evidence.From(r)
}

func (p probe) Observe(ctx context.Context) (probes.Observation, error) {
	w, err := p.look(ctx)
	if err != nil {
		return probes.Observation{}, err
	}
	verdicts := make([]*verdict, len(p.monitors))
	for i, m := range p.monitors {
		what := "a Service"
		if m.pod {
			what = "a Pod"
		}
		verdicts[i] = &verdict{monitor: m, evidence: probes.Evidence{Subject: m.String(), Want: "selects " + what + ", yields a target that is up"}}
		if err := w.bind(verdicts[i]); err != nil {
			return probes.Observation{}, fmt.Errorf("following %s: %w", m, err)
		}
	}
	p.targets(ctx, verdicts)
	if err := p.explain(ctx, w, verdicts); err != nil {
		return probes.Observation{}, err
	}
	return conclude(verdicts, w.confirmed)
}

// staleAfter is how old the last scrape of a target may be.
const staleAfter = 5 * time.Minute

// atOnce is how many scrape pools are asked for at once.
const atOnce = 4

// targets asks for the targets of every monitor that selects something.
func (p probe) targets(ctx context.Context, all []*verdict) {
	slots := make(chan struct{}, atOnce)
	var asked sync.WaitGroup
	for _, v := range all {
		if v.short != "" {
			continue
		}
		asked.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			p.pools(ctx, v)
		})
	}
	asked.Wait()
}

// pools asks for the targets of one monitor and counts those that are up.
func (p probe) pools(ctx context.Context, v *verdict) {
	var down, unscraped *Target
	var request probes.Request
	for i := range v.endpoints {
		seen, err := p.scrapes.Targets(ctx, v.monitor.pool(i))
		if err == nil && seen.Note != "" {
			err = fmt.Errorf("asking Prometheus for the targets of %s: %s", v.monitor.pool(i), seen.Note)
		}
		if err != nil {
			v.err = err
			v.evidence.Got = "targets could not be asked for: " + err.Error()
			v.evidence = v.evidence.From(seen.Request)
			return
		}
		if request == (probes.Request{}) || v.up == 0 {
			request = seen.Request
		}
		for _, t := range seen.Items {
			v.all++
			switch {
			case t.Health == "up" && p.now().Sub(t.LastScrape) <= staleAfter:
				v.up++
			case t.Health == "unknown" || t.LastScrape.IsZero():
				unscraped = &t
			default:
				down = &t
			}
		}
	}
	v.evidence.Got = fmt.Sprintf("%s, %d of %s up", v.selects, v.up, plural(v.all, "target"))
	v.evidence = v.evidence.From(request)
	switch {
	case v.up > 0:
	case down != nil:
		p.recent(ctx, v, down, request)
	case unscraped != nil:
		v.err = fmt.Errorf("prometheus has not scraped %s yet", targetName(unscraped))
	default:
		v.fail(request, "Prometheus has no target of it")
	}
}

// recent lets pass what was up in the last 5 minutes: a pod that is replaced is down for a moment.
func (p probe) recent(ctx context.Context, v *verdict, t *Target, r probes.Request) {
	switch {
	case t.Health == "up":
		v.fail(r, "target %s was last scraped at %s", targetName(t), t.LastScrape.UTC().Format("15:04:05Z"))
		return
	case t.LastError != "":
		v.fail(r, "target %s is down: %s", targetName(t), probes.Clean(t.LastError, 160))
	default:
		v.fail(r, "target %s is %s", targetName(t), probes.Clean(t.Health, 20))
	}
	seen, err := p.scrapes.Query(ctx, fmt.Sprintf("max_over_time(up{job=%q,instance=%q}[5m])", t.Labels["job"], t.Labels["instance"]))
	if err == nil && slices.ContainsFunc(seen.Items, func(s *model.Sample) bool { return s.Value >= 1 }) {
		v.short, v.evidence.Wanting = "", false
		v.evidence.Got += ", was up in the last 5 minutes"
		v.up++
	}
}

func targetName(t *Target) string {
	for _, name := range []string{t.Labels["instance"], t.URL} {
		if name != "" {
			return probes.Clean(name, 120)
		}
	}
	return "without a name"
}

// conclude puts the verdicts together. What is measured wanting fails the claim, whatever could not be asked.
func conclude(all []*verdict, confirmed time.Time) (probes.Observation, error) {
	obs := probes.Observation{Status: probes.Pass, Confirmed: confirmed}
	byCause := map[string][]string{}
	var causes []string
	wrong, blind, up := 0, 0, 0
	var first error
	for _, v := range all {
		obs.Evidence = append(obs.Evidence, v.evidence)
		up += v.up
		switch {
		case v.short != "":
			wrong++
			if byCause[v.short] == nil {
				causes = append(causes, v.short)
			}
			byCause[v.short] = append(byCause[v.short], v.monitor.name)
		case v.err != nil:
			if blind++; first == nil {
				first = v.err
			}
		}
	}
	switch {
	case wrong > 0:
		obs.Status = probes.Fail
		var phrases []string
		for _, c := range causes {
			phrases = append(phrases, enumerate(byCause[c])+": "+c)
		}
		if more := len(phrases) - named; more > 0 {
			phrases = append(phrases[:named], fmt.Sprintf("%d more", more))
		}
		obs.Summary = fmt.Sprintf("%d of %s bind nothing: %s", wrong, plural(len(all), "monitor"), strings.Join(phrases, "; "))
		if blind > 0 {
			obs.Summary += fmt.Sprintf("; besides, the targets of %d could not be asked for", blind)
		}
	case blind > 0:
		return probes.Observation{}, first
	default:
		obs.Summary = fmt.Sprintf("%d of %s bind, %s up", len(all), plural(len(all), "monitor"), plural(up, "target"))
	}
	return obs, nil
}
