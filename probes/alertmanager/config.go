package alertmanager

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/254carbon/gonogo/probes"
)

// config is what is read of Alertmanager's configuration.
type config struct {
	Route     route            `yaml:"route"`
	Receivers []map[string]any `yaml:"receivers"`
}

// route is one of its routes with those below it; one without a receiver has that of the route above.
type route struct {
	Receiver string            `yaml:"receiver"`
	Match    map[string]string `yaml:"match"`
	MatchRE  map[string]string `yaml:"match_re"`
	Matchers []string          `yaml:"matchers"`
	Continue bool              `yaml:"continue"`
	Routes   []route           `yaml:"routes"`
}

func readConfig(text string) (config, error) {
	var c config
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return c, err
	}
	if len(c.Receivers) == 0 || c.Route.Receiver == "" {
		return c, errors.New("no receivers")
	}
	return c, nil
}

// senders counts what each receiver sends through.
func (c config) senders() map[string]int {
	count := map[string]int{}
	for _, r := range c.Receivers {
		name, _ := r["name"].(string)
		count[name] += 0
		for key, value := range r {
			if list, ok := value.([]any); ok && strings.HasSuffix(key, "_configs") {
				count[name] += len(list)
			}
		}
	}
	return count
}

// noise are alerts that are about alerting itself: that they arrive somewhere says nothing of those that matter.
var noise = []string{"InfoInhibitor"}

// only reports whether a route takes nothing but one alert and such as are noise.
func (r route) only(alert string) bool {
	return slices.ContainsFunc(r.conditions(), func(m matcher) bool {
		names, known := m.names()
		return known && m.Name == "alertname" && !slices.ContainsFunc(names, func(n string) bool { return n != alert && !slices.Contains(noise, n) })
	})
}

// all reports whether a route takes every alert.
func (r route) all() bool {
	return !slices.ContainsFunc(r.conditions(), func(m matcher) bool { return !m.everything() })
}

// reach adds the receivers that other alerts than that one may reach. As Alertmanager does it, the first route below that takes an alert keeps
// it, unless it says continue; only what none below takes is the route's own.
func (r route) reach(alert, above string, into map[string]bool) {
	if r.only(alert) {
		return
	}
	if r.Receiver == "" {
		r.Receiver = above
	}
	taken := false
	for _, below := range r.Routes {
		below.reach(alert, r.Receiver, into)
		taken = taken || below.all()
		if below.all() && !below.Continue {
			return
		}
	}
	if !taken {
		into[r.Receiver] = true
	}
}

// rest looks where everything but the Watchdog may go: if that alone reaches a receiver that sends, it proves nothing.
func (p probe) rest(a *asking, root route, senders map[string]int, r probes.Request) {
	reached := map[string]bool{}
	root.reach(p.params.Watchdog, "", reached)
	names := slices.Sorted(maps.Keys(reached))
	cause := ""
	if !slices.ContainsFunc(names, func(name string) bool { return senders[name] > 0 }) {
		cause = fmt.Sprintf("every alert but %s goes to receiver %s, which sends to nobody", p.params.Watchdog, strings.Join(names, ", "))
	}
	a.note(probes.Evidence{Subject: "routes of all other alerts", Want: "one to a receiver that sends", Got: "receiver " + strings.Join(names, ", ")}, r, cause)
}
