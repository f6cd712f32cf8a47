package sim

import (
	"fmt"
	"slices"

	"github.com/254carbon/gonogo/internal/sim/faults"
	"github.com/254carbon/gonogo/internal/sim/harbor"
	"github.com/254carbon/gonogo/internal/sim/world"
)

// Switch is something that a person can switch on the simulated platform.
type Switch struct {
	Key   string
	Label string
	State string
	On    bool
}

// faultKeys are the keys that break a connection, each press in another way.
var faultKeys = []struct{ key, connection string }{{"1", "prometheus"}, {"2", "harbor"}, {"3", "cloudflare"}, {"4", "kubernetes"}}

// Switches lists what can be switched, and how it stands.
func (s *Sim) Switches() []Switch {
	var all []Switch
	for _, f := range faultKeys {
		w := Switch{Key: f.key, Label: "break " + f.connection, State: "works"}
		if kind := s.injectors[f.connection].Kind(); kind != faults.None {
			w.State, w.On = string(kind), true
		}
		all = append(all, w)
	}
	if s.scenario == Documented {
		s.mu.Lock()
		defer s.mu.Unlock()
		all = append(all,
			Switch{Key: "5", Label: "join two worker nodes", State: onOff(s.thrown["nodes"], "joined", "one node"), On: s.thrown["nodes"]},
			Switch{Key: "6", Label: "mend the Harbor credential", State: onOff(s.thrown["harbor"], "mended", "refused"), On: s.thrown["harbor"]},
			Switch{Key: "7", Label: "restart the critical workloads", State: onOff(s.thrown["spread"], "spread anew", "as they were"), On: s.thrown["spread"]},
		)
	}
	return all
}

func onOff(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}

// Toggle throws a switch. Faults go round through all their kinds; what was joined or mended stays so.
func (s *Sim) Toggle(key string) error {
	for _, f := range faultKeys {
		if f.key == key {
			order := append([]faults.Kind{faults.None}, faults.Kinds()...)
			at := slices.Index(order, s.injectors[f.connection].Kind())
			s.injectors[f.connection].Set(order[(at+1)%len(order)])
			return nil
		}
	}
	if s.scenario != Documented {
		return fmt.Errorf("there is no switch %q", key)
	}
	var name string
	var err error
	switch key {
	case "5":
		name, err = "nodes", world.JoinWorkers(s.Kube, s.Now())
	case "6":
		name = "harbor"
		s.mendCredential()
	case "7":
		name, err = "spread", world.Respread(s.Kube, s.Now())
	default:
		return fmt.Errorf("there is no switch %q", key)
	}
	if err != nil {
		return fmt.Errorf("switching %s on the simulated platform: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.thrown[name] = true
	s.changed++
	return nil
}

// mendCredential gives the platform the secret that its robot account really has. It is the platform's side that changes: Harbor's refusal
// of the old one is remembered, as it should be.
func (s *Sim) mendCredential() {
	s.Harbor.Change(func(state *harbor.State) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.accounts.Platform.Password = state.Robot(harbor.PlatformRobot).Secret
	})
}

func (s *Sim) restoreDone(names []string) {
	for _, name := range names {
		s.thrown[name] = true
		if name == "harbor" {
			s.mendCredential()
		}
	}
}
