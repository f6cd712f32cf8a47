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
	Matchers []string          `yaml:"matchers"`
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

// only reports whether a route takes a single alert.
func (r route) only(alert string) bool {
	plain := strings.NewReplacer(" ", "", `"`, "", "'", "")
	return r.Match["alertname"] == alert || slices.ContainsFunc(r.Matchers, func(m string) bool {
		name, value, _ := strings.Cut(plain.Replace(m), "=")
		return name == "alertname" && strings.TrimPrefix(value, "~") == alert
	})
}

// reach adds the receivers that other alerts than that one may reach.
func (r route) reach(alert, above string, into map[string]bool) {
	if r.only(alert) {
		return
	}
	if r.Receiver == "" {
		r.Receiver = above
	}
	into[r.Receiver] = true
	for _, below := range r.Routes {
		below.reach(alert, r.Receiver, into)
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
