package sim_test

import (
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/internal/sim/checkout"
	"github.com/254carbon/gonogo/internal/sim/cloudflare"
	"github.com/254carbon/gonogo/internal/sim/edge"
	"github.com/254carbon/gonogo/internal/sim/harbor"
	"github.com/254carbon/gonogo/internal/sim/observability"
	"github.com/254carbon/gonogo/internal/sim/portal"
	"github.com/254carbon/gonogo/internal/sim/prom"
	"github.com/254carbon/gonogo/internal/sim/store"
	"github.com/254carbon/gonogo/internal/sim/world"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/all"
)

var nodesResource = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}

// change is one change to a platform that is ready.
type change struct {
	name     string
	harmless bool
	expect   []expectation
	apply    func(t *testing.T, s *sim.Sim)
}

// expectation is what one check must make of it.
type expectation struct {
	check   probes.ID
	warn    bool // a warning will do
	says    []string
	unknown bool // it cannot be told, and must not be called a failure
}

// changes gathers what every simulated server knows to go wrong, and the stand-ins of the checks without a probe.
func changes(t *testing.T) []change {
	t.Helper()
	var list []change
	for _, m := range world.Mutations() {
		c := change{name: m.Name, harmless: m.Harmless, apply: func(t *testing.T, s *sim.Sim) {
			if err := m.Apply(s.Kube, s.Now()); err != nil {
				t.Fatal(err)
			}
		}}
		for _, e := range m.Checks {
			c.expect = append(c.expect, expectation{check: e.Check, warn: e.Want == probes.Warn, says: e.Says})
		}
		list = append(list, c)
	}
	words := func(checks []probes.ID, says []string) []expectation {
		var all []expectation
		for i, check := range checks {
			e := expectation{check: check, warn: true}
			if i == 0 {
				e.says = says
			}
			all = append(all, e)
		}
		return all
	}
	for _, m := range harbor.Mutations() {
		list = append(list, change{m.Name, m.Harmless, words(m.Checks, m.Words), func(_ *testing.T, s *sim.Sim) { m.Apply(s.Harbor) }})
	}
	for _, m := range cloudflare.Mutations(cloudflare.DemoCredentials().Platform) {
		list = append(list, change{m.Name, m.Harmless, words(m.Checks, m.Words), func(_ *testing.T, s *sim.Sim) { m.Apply(s.Cloudflare) }})
	}
	for _, m := range observability.Mutations() {
		list = append(list, change{m.Name, m.Harmless, words(m.Checks, m.Words), func(_ *testing.T, s *sim.Sim) { m.Apply(s.Observability, s.Prometheus) }})
	}
	for _, m := range checkout.Mutations() {
		list = append(list, change{m.Name, m.Harmless, words([]probes.ID{m.Check}, m.Words), func(t *testing.T, s *sim.Sim) {
			dir, err := s.Checkout()
			if err == nil {
				err = m.Apply(dir, s.Now())
			}
			if err != nil {
				t.Fatal(err)
			}
		}})
	}
	for _, m := range store.Mutations() {
		list = append(list, change{m.Name, m.Harmless, words(m.Checks, m.Words), func(t *testing.T, s *sim.Sim) {
			if err := m.Apply(s.Backups); err != nil {
				t.Fatal(err)
			}
		}})
	}
	for _, m := range portal.Mutations() {
		list = append(list, change{m.Name, m.Harmless, words(m.Checks, m.Words), func(_ *testing.T, s *sim.Sim) { m.Apply(s.Portal) }})
	}
	for _, m := range edge.CertificateMutations() {
		c := change{name: m.Name, harmless: m.Harmless, apply: func(t *testing.T, s *sim.Sim) {
			if err := m.Apply(s.Certificates); err != nil {
				t.Fatal(err)
			}
		}}
		if !m.Harmless {
			c.expect = []expectation{{check: "certificates", warn: m.Warns, says: m.Words}}
		}
		list = append(list, c)
	}
	for _, m := range edge.Mutations() {
		c := change{name: m.Name, harmless: m.Harmless, expect: words(m.Checks, m.Words), apply: func(_ *testing.T, s *sim.Sim) { m.Apply(s.Edge) }}
		for i := range c.expect {
			c.expect[i].unknown = m.Unknown
		}
		list = append(list, c)
	}
	for _, m := range prom.Mutations() {
		list = append(list, change{m.Name, m.Harmless, words(m.Checks, m.Words), func(_ *testing.T, s *sim.Sim) { m.Apply(s.Prometheus) }})
	}
	return list
}

// TestNoBadWorldIsGo changes one thing about a platform that is ready, for everything known to go wrong, and asks the built-in profile
// through the whole stack. The check that is to notice names the cause. Judged with every check as a gate, no bad world is GO and every
// harmless one is; judged as the profile weighs, a bad world is GO only where the profile says that it may be: the check is no gate, and
// what it costs leaves the score at the threshold.
func TestNoBadWorldIsGo(t *testing.T) {
	list := changes(t)
	bad, harmless := 0, 0
	names := map[string]bool{}
	for _, c := range list {
		if names[c.name] {
			t.Errorf("%s is there twice", c.name)
		}
		names[c.name] = true
		if c.harmless {
			harmless++
		} else {
			bad++
		}
	}
	if bad < 120 || harmless < 30 {
		t.Errorf("%d bad worlds and %d harmless changes, want at least 120 and 30", bad, harmless)
	}
	for _, c := range list {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			weighed, strict := sweep(t, c)
			if c.harmless {
				if weighed.Verdict != probes.Go || strict.Verdict == probes.NoGo {
					t.Errorf("harmless, but %s (%s with every check a gate): %v", weighed.Verdict, strict.Verdict, strict.Reasons)
				}
				return
			}
			if strict.Verdict == probes.Go {
				t.Errorf("every check passes: %d %%", strict.Percent)
			}
			gateHit := false
			for _, e := range c.expect {
				item, ok := weighed.Item(e.check)
				if !ok {
					t.Fatalf("there is no check %s", e.check)
				}
				gateHit = gateHit || item.Spec.Gate
				if item.Status == probes.Pass || item.Status == probes.Warn && !e.warn {
					t.Errorf("%s is %s: %s", e.check, item.Status, item.Summary)
				}
				if e.unknown && item.Status != probes.Unknown {
					t.Errorf("%s is %s, want unknown: %s", e.check, item.Status, item.Summary)
				}
				for _, word := range e.says {
					if !strings.Contains(strings.ToLower(item.Summary), strings.ToLower(word)) {
						t.Errorf("%s does not say %q: %s", e.check, word, item.Summary)
					}
				}
			}
			if weighed.Verdict == probes.Go && (gateHit || weighed.Percent < 95) {
				t.Errorf("GO at %d %% although a gate is open", weighed.Percent)
			}
		})
	}
}

// concerns reports whether a check is one that must notice the change, or that such a check waits for. A harmless change concerns every check.
func (c change) concerns(p *profile.Profile, id probes.ID) bool {
	return c.harmless || slices.ContainsFunc(c.expect, func(e expectation) bool { return waitsFor(p, e.check, id) })
}

func waitsFor(p *profile.Profile, check, id probes.ID) bool {
	if check == id {
		return true
	}
	c, _ := p.Check(check)
	return slices.ContainsFunc(c.Spec.BlockedBy, func(by probes.ID) bool { return waitsFor(p, by, id) })
}

// sweep asks a changed platform once and judges the answers as the profile weighs, and with every check a gate.
func sweep(t *testing.T, c change) (weighed, strict probes.Assessment) {
	t.Helper()
	s, err := sim.Start(t.Context(), sim.Options{Scenario: sim.Ready})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	c.apply(t, s)
	p, err := profile.Builtin(profile.DefaultName, all.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	p = s.Profile(p)
	x, err := platform.Open(p, s.Platform(platform.Options{ReadOnly: true, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	var checks []probes.Check
	for _, check := range p.Checks() {
		if !thorough && !c.concerns(p, check.Spec.ID) {
			continue
		}
		probe, err := all.Build(check, x)
		if err != nil {
			t.Fatal(err)
		}
		checks = append(checks, probes.Check{Spec: check.Spec, Probe: probe})
	}
	outline := p.Outline()
	list, err := probes.NewChecklist(outline)
	if err != nil {
		t.Fatal(err)
	}
	list = probes.Sweep(t.Context(), list, checks, probes.SweepOptions{Now: s.Now})
	gated := p.Outline()
	for i := range gated.Specs {
		gated.Specs[i].Gate = true
	}
	severe, err := list.Over(gated, func(probes.ID) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if n := writes(s.Requests()); n > 0 {
		t.Errorf("%d requests in read-only mode were no reads", n)
	}
	now := s.Now()
	return list.Assess(now), severe.Assess(now)
}

// writes counts the requests that were neither reads nor questions about rights.
func writes(requests []sim.Request) int {
	n := 0
	for _, r := range requests {
		read := (r.Method == "GET" || r.Method == "HEAD") && r.Upgrade == ""
		review := r.Method == "POST" && r.Path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
		if !read && !review {
			n++
		}
	}
	return n
}

// TestTheDemosStateGoesOnAfterAnEnd joins nodes, ends, and starts again from what was kept.
func TestTheDemosStateGoesOnAfterAnEnd(t *testing.T) {
	dir := t.TempDir()
	start := func(reset bool) *sim.Sim {
		t.Helper()
		s, err := sim.Start(t.Context(), sim.Options{Dir: dir, Reset: reset})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	nodes := func(s *sim.Sim) int {
		list, err := s.Kube.List(nodesResource, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	first := start(false)
	if n := nodes(first); n != 1 {
		t.Fatalf("%d nodes in the documented scenario", n)
	}
	for _, key := range []string{"5", "6", "7"} {
		if err := first.Toggle(key); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Toggle("9"); err == nil {
		t.Error("a switch that does not exist was thrown")
	}
	ended := first.Now()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := start(false)
	if n := nodes(second); n != 3 {
		t.Errorf("%d nodes after joining two and starting again", n)
	}
	if gap := second.Now().Sub(ended); gap < 0 || gap > time.Minute {
		t.Errorf("the clock went on by %s", gap)
	}
	for _, w := range second.Switches() {
		if strings.Contains("567", w.Key) && !w.On {
			t.Errorf("%s is forgotten", w.Label)
		}
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	third := start(true)
	defer func() { _ = third.Close() }()
	if n := nodes(third); n != 1 || !third.Now().Before(sim.Epoch.Add(time.Minute)) {
		t.Errorf("%d nodes at %s after starting over", n, third.Now())
	}
}
