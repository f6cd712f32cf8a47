package probetest

import (
	"context"
	"errors"
	"testing"

	"github.com/254carbon/gonogo/probes"
)

// door is a probe of one thing, complete enough to keep the contract.
type door struct {
	open bool
	err  error
	hang bool
}

func (d door) Observe(ctx context.Context) (probes.Observation, error) {
	if d.hang {
		<-ctx.Done()
		return probes.Observation{}, ctx.Err()
	}
	if d.err != nil {
		return probes.Observation{}, d.err
	}
	obs := probes.Observation{Status: probes.Pass, Summary: "the door is closed", Evidence: []probes.Evidence{
		{Subject: "door", Want: "closed", Got: "closed", Source: "GET /door", Repeat: "curl /door"},
	}}
	if d.open {
		obs.Status, obs.Summary = probes.Fail, "the door is open \x1b[31m"
		obs.Evidence[0].Got, obs.Evidence[0].Wanting = "open", true
	}
	return obs, nil
}

func (d door) Watch(func()) func() { return func() {} }

func TestSuite(t *testing.T) {
	make := func(d door) func(*testing.T) probes.Probe { return func(*testing.T) probes.Probe { return d } }
	Suite{
		New:     make(door{}),
		Worlds:  []World{{Name: "open", New: make(door{open: true}), Want: probes.Fail, Says: []string{"OPEN"}, Shows: []string{"curl"}}},
		Errors:  []Failure{{Name: "no answer", New: make(door{err: errors.New("no answer")}), Says: []string{"no answer"}}},
		Hanging: make(door{hang: true}),
		Secrets: []string{"sesame"},
	}.Run(t)
}

func TestFaults(t *testing.T) {
	whole := probes.Evidence{Subject: "s", Want: "w", Got: "g", Source: "GET", Repeat: "curl", Wanting: true}
	holed := whole
	holed.Repeat = " "
	satisfied := whole
	satisfied.Wanting = false
	for _, c := range []struct {
		name string
		obs  probes.Observation
		want int
	}{
		{"whole", probes.Observation{Status: probes.Fail, Summary: "x", Evidence: []probes.Evidence{whole}}, 0},
		{"no status", probes.Observation{Summary: "x", Evidence: []probes.Evidence{whole}}, 1},
		{"a status that is not the probe's", probes.Observation{Status: probes.Unknown, Summary: "x", Evidence: []probes.Evidence{whole}}, 1},
		{"warning without a ratio", probes.Observation{Status: probes.Warn, Summary: "x", Evidence: []probes.Evidence{whole}}, 1},
		{"no summary", probes.Observation{Status: probes.Fail, Evidence: []probes.Evidence{whole}}, 1},
		{"no evidence", probes.Observation{Status: probes.Fail, Summary: "x"}, 1},
		{"no command", probes.Observation{Status: probes.Fail, Summary: "x", Evidence: []probes.Evidence{holed}}, 1},
		{"nothing wanting", probes.Observation{Status: probes.Fail, Summary: "x", Evidence: []probes.Evidence{satisfied}}, 1},
	} {
		if got := faults(c.obs); len(got) != c.want {
			t.Errorf("%s: %q, want %d", c.name, got, c.want)
		}
	}
}
