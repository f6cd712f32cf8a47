package world_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/sim/kubeapi"
	"github.com/254carbon/gonogo/internal/sim/world"
	"github.com/254carbon/gonogo/probes"
)

// TestMutations holds that every bad change is named by the check that is to see it, at once and still after three minutes, and that no
// harmless one costs anything.
func TestMutations(t *testing.T) {
	var ready bytes.Buffer
	if err := seed(t, world.Ready, noon.Add(17*time.Minute)).Snapshot(&ready); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	bad, harmless := 0, 0
	for _, m := range world.Mutations() {
		if seen[m.Name] {
			t.Errorf("%s is there twice", m.Name)
		}
		seen[m.Name] = true
		if m.Harmless {
			harmless++
		} else {
			bad++
		}
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			now := noon.Add(17 * time.Minute)
			s := kubeapi.NewStore(kubeapi.StoreOptions{Now: func() time.Time { return now }})
			if err := s.Restore(bytes.NewReader(ready.Bytes())); err != nil {
				t.Fatal(err)
			}
			before := s.Version()
			if err := m.Apply(s, now); err != nil {
				t.Fatal(err)
			}
			if s.Version() == before {
				t.Error("nothing was changed")
			}
			judge(t, m, ask(t, s, now))
			for range 3 {
				now = now.Add(time.Minute)
				if err := world.Tick(s, now); err != nil {
					t.Fatal(err)
				}
			}
			judge(t, m, ask(t, s, now))
		})
	}
	if bad < 60 || harmless < 10 {
		t.Errorf("%d bad and %d harmless changes, want at least 60 and 10", bad, harmless)
	}
}

func judge(t *testing.T, m world.Mutation, results map[probes.ID]probes.Result) {
	t.Helper()
	for id, r := range results {
		if r.Err != nil {
			t.Errorf("%s could not be asked: %v", id, r.Err)
		}
		if m.Harmless && r.Status != probes.Pass {
			t.Errorf("%s: %s %q", id, r.Status, r.Summary)
		}
	}
	if m.Harmless != (len(m.Checks) == 0) {
		t.Errorf("harmless %v, and %d checks are to see it", m.Harmless, len(m.Checks))
	}
	for _, e := range m.Checks {
		r, ok := results[e.Check]
		if !ok { // needs more than the cluster; the test of the whole stack asks it
			continue
		}
		if r.Status != e.Want {
			t.Errorf("%s: %s %q, want %s", e.Check, r.Status, r.Summary, e.Want)
		}
		for _, word := range e.Says {
			if !strings.Contains(strings.ToLower(r.Summary), strings.ToLower(word)) {
				t.Errorf("%s does not say %q: %s", e.Check, word, r.Summary)
			}
		}
	}
}
