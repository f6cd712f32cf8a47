package sim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

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
			Switch{Key: "5", Label: "join two worker nodes, a standby, a second store", State: onOff(s.thrown["nodes"], "joined", "one node"), On: s.thrown["nodes"]},
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
		name, err = "nodes", s.grow()
	case "6":
		name = "harbor"
		err = s.mendCredential()
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

// grow takes the platform from one node to three, with what more nodes are for: the critical workloads spread over them, a standby of the
// database, and backups outside of what they protect.
func (s *Sim) grow() error {
	for _, step := range []func(world.Store, time.Time) error{world.JoinWorkers, world.Stream, world.MoveBackups, world.Respread} {
		if err := step(s.Kube, s.Now()); err != nil {
			return err
		}
	}
	s.Prometheus.SetReplication(true)
	return nil
}

// mendCredential gives the platform the secret that its robot account really has. It is the platform's side that changes: Harbor's refusal
// of the old one is remembered, as it should be.
func (s *Sim) mendCredential() error {
	account := s.accounts.Platform
	s.Harbor.Change(func(state *harbor.State) { account.Password = state.Robot(harbor.PlatformRobot).Secret })
	return s.keepCredential(account)
}

// keepCredential puts what the platform pushes images with where it is looked for.
func (s *Sim) keepCredential(account harbor.Account) error {
	encode := base64.StdEncoding.EncodeToString
	_, err := s.Kube.Apply(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": map[string]any{"namespace": "registry", "name": "harbor-robot"},
		"data": map[string]any{"username": encode([]byte(account.Username)), "password": encode([]byte(account.Password))},
	})
	return err
}

// pull says why the nodes cannot pull an image with these pull secrets, or nothing. Images of elsewhere are always there.
func (s *Sim) pull(namespace, image string, pullSecrets []string) string {
	rest, ours := strings.CutPrefix(image, harborHost+"/")
	if !ours {
		return ""
	}
	repository, tag, _ := strings.Cut(rest, ":")
	project, _, _ := strings.Cut(repository, "/")
	tag, _, _ = strings.Cut(tag, "@")
	there, allowed := false, false
	var robots []harbor.Robot
	s.Harbor.Change(func(state *harbor.State) {
		for _, a := range state.Artifacts {
			there = there || a.Repository == repository && slices.Contains(a.Tags, tag)
		}
		p := state.Project(project)
		allowed = p != nil && p.Public
		robots = slices.Clone(state.Robots)
	})
	for _, name := range pullSecrets {
		user, password := s.pullSecret(namespace, name)
		allowed = allowed || slices.ContainsFunc(robots, func(r harbor.Robot) bool { return r.Login() == user && r.Secret == password && !r.Disabled })
	}
	switch {
	case !allowed && s.scenario == Documented: // what is ready needs no secrets: its nodes have been given them
		return world.PullTrouble + ` "` + image + `": failed to authorize: 401 Unauthorized`
	case !there:
		return world.PullTrouble + ` "` + image + `": not found`
	}
	return ""
}

// pullSecret reads the credential for Harbor of a pull secret.
func (s *Sim) pullSecret(namespace, name string) (username, password string) {
	o, err := s.Kube.Get(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, namespace, name)
	if err != nil {
		return "", ""
	}
	data, _ := o["data"].(map[string]any)
	text, _ := data[".dockerconfigjson"].(string)
	raw, _ := base64.StdEncoding.DecodeString(text)
	var config struct {
		Auths map[string]struct{ Username, Password string } `json:"auths"`
	}
	_ = json.Unmarshal(raw, &config) // what is none holds nothing
	return config.Auths[harborHost].Username, config.Auths[harborHost].Password
}

func (s *Sim) restoreDone(names []string) {
	for _, name := range names {
		s.thrown[name] = true
	}
	if s.thrown["nodes"] {
		s.Prometheus.SetReplication(true)
	}
}
