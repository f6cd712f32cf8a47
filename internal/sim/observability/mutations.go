package observability

import (
	"regexp"
	"slices"
	"time"

	"github.com/254carbon/gonogo/internal/sim/prom"
	"github.com/254carbon/gonogo/probes"
)

// Mutations lists the changes.
func Mutations() []Mutation {
	return slices.Concat(grafanaMutations(), lokiMutations(), alertmanagerMutations())
}

func checks(ids ...probes.ID) []probes.ID { return ids }

func onGrafana(apply func(*Grafana)) func(*Servers, *prom.Server) {
	return func(s *Servers, _ *prom.Server) { apply(s.Grafana) }
}

func onLoki(apply func(*Loki)) func(*Servers, *prom.Server) {
	return func(s *Servers, _ *prom.Server) { apply(s.Loki) }
}

func onAlertmanager(apply func(*Alertmanager)) func(*Servers, *prom.Server) {
	return func(s *Servers, _ *prom.Server) { apply(s.Alertmanager) }
}

// covers reports whether a silence covers an alert with those labels.
func (s Silence) covers(labels map[string]string) bool {
	return !slices.ContainsFunc(s.Matchers, func(m Matcher) bool {
		found := labels[m.Name] == m.Value
		if m.IsRegex {
			pattern, err := regexp.Compile("^(?:" + m.Value + ")$")
			found = err == nil && pattern.MatchString(labels[m.Name])
		}
		return found != m.IsEqual
	})
}

func silenceOf(matchers ...Matcher) Silence {
	return Silence{By: "admin", Comment: "maintenance", Matchers: matchers}
}

func alertmanagerMutations() []Mutation {
	bad := func(name, about string, words []string, apply func(*Servers, *prom.Server)) Mutation {
		return Mutation{Name: name, About: about, Checks: checks("alert-routing"), Words: words, Apply: apply}
	}
	fine := func(name, about string, apply func(*Servers, *prom.Server)) Mutation {
		return Mutation{Name: name, About: about, Harmless: true, Apply: apply}
	}
	silencing := func(matchers ...Matcher) func(*Servers, *prom.Server) {
		return onAlertmanager(func(a *Alertmanager) { a.Silence(silenceOf(matchers...)) })
	}
	all := Matcher{Name: "alertname", Value: ".+", IsRegex: true, IsEqual: true}
	metrics := func(apply func(s *Servers, p *prom.Server, instance string)) func(*Servers, *prom.Server) {
		return func(s *Servers, p *prom.Server) {
			for _, instance := range s.Alertmanager.instances() {
				apply(s, p, instance)
			}
		}
	}
	return []Mutation{
		bad("alerts-peer-gone", "One of two Alertmanagers has left the cluster.", []string{"1 of 2 peers"}, onAlertmanager(func(a *Alertmanager) { a.SetPeers(1, "ready") })),
		bad("alerts-cluster-off", "Somebody turned clustering off.", []string{"cluster is disabled"}, onAlertmanager(func(a *Alertmanager) { a.SetPeers(0, "disabled") })),
		bad("alerts-settling", "The Alertmanagers do not find together.", []string{"settling"}, onAlertmanager(func(a *Alertmanager) { a.SetPeers(2, "settling") })),
		bad("alerts-unready", "Alertmanager says that it is not ready.", []string{"not ready", "503"}, onAlertmanager(func(a *Alertmanager) { a.SetReady(false) })),
		bad("alerts-no-watchdog", "Prometheus has no alerting block: nothing ever arrives.", []string{"Watchdog", "not there"}, onAlertmanager((*Alertmanager).Forget)),
		bad("alerts-watchdog-stale", "Prometheus stopped sending alerts an hour ago.", []string{"last confirmed"},
			onAlertmanager(func(a *Alertmanager) { a.Stale(time.Hour) })),
		bad("alerts-null-receiver", "The Watchdog goes to the receiver called null.", []string{"receiver null", "nobody"}, onAlertmanager(func(a *Alertmanager) { a.SetRoute("null") })),
		bad("alerts-blackhole", "The receiver is called heartbeat, but has nothing to send through.", []string{"receiver heartbeat", "nobody"}, onAlertmanager(func(a *Alertmanager) {
			a.SetConfig("- name: heartbeat\n  webhook_configs:\n  - url: <secret>\n", "- name: heartbeat\n")
		})),
		bad("alerts-all-else-dropped", "Only the Watchdog goes to somebody: everything else is dropped.", []string{"every alert but Watchdog", "receiver null", "nobody"},
			onAlertmanager(func(a *Alertmanager) { a.SetConfig("route:\n  receiver: on-call", "route:\n  receiver: \"null\"") })),
		bad("alerts-silence-all", "Somebody silenced everything for a maintenance and left it.", []string{"silence mutes every alert", "admin"}, silencing(all)),
		bad("alerts-silence-all-but-watchdog", "Everything but the Watchdog is silenced, so that it looks well.", []string{"silence mutes every alert", "Watchdog"},
			silencing(Matcher{Name: "alertname", Value: "Watchdog"})),
		bad("alerts-silence-critical", "Every critical alert is silenced.", []string{"every critical alert"},
			silencing(Matcher{Name: "severity", Value: "critical|warning", IsRegex: true, IsEqual: true})),
		bad("alerts-watchdog-silenced", "The Watchdog annoyed somebody.", []string{"Watchdog is silenced"},
			silencing(Matcher{Name: "alertname", Value: "Watchdog", IsEqual: true})),
		bad("alerts-watchdog-inhibited", "Another alert inhibits the Watchdog.", []string{"inhibited"}, onAlertmanager((*Alertmanager).Inhibit)),
		bad("alerts-sends-fail", "The mail server refuses what Alertmanager sends.", []string{"failed", "email"}, metrics(func(_ *Servers, p *prom.Server, instance string) {
			p.Set("alertmanager_notifications_failed_total", sendLabels(instance, "email"), 3)
		})),
		bad("alerts-nothing-sent", "Nothing was sent for days, although alerts fire.", []string{"nothing was sent"}, metrics(func(_ *Servers, p *prom.Server, instance string) {
			for _, integration := range []string{"email", "webhook"} {
				p.Remove("alertmanager_notifications_total", sendLabels(instance, integration))
				p.Set("alertmanager_notifications_total", sendLabels(instance, integration), 42)
			}
		})),
		bad("alerts-not-scraped", "Prometheus does not scrape Alertmanager any more.", []string{"no metrics"}, metrics(func(_ *Servers, p *prom.Server, instance string) {
			p.Remove("alertmanager_notifications_total", map[string]string{"instance": instance})
		})),
		bad("alerts-one-peer-scraped", "Prometheus scrapes one of two peers.", []string{"1 of 2 peers"}, func(s *Servers, p *prom.Server) {
			p.Remove("alertmanager_notifications_total", map[string]string{"instance": s.Alertmanager.instances()[0]})
		}),
		bad("alerts-placeholder", "A web server's welcome page stands where Alertmanager was.", []string{"not Alertmanager", "404"},
			onAlertmanager(func(a *Alertmanager) { a.Break(placeholder()) })),
		fine("alerts-silence-one", "One alert of one namespace is silenced.", silencing(
			Matcher{Name: "alertname", Value: "KubePodCrashLooping", IsEqual: true}, Matcher{Name: "namespace", Value: "sandbox", IsEqual: true})),
		fine("alerts-silence-namespace", "Everything of a namespace is silenced.", silencing(all, Matcher{Name: "namespace", Value: "sandbox", IsEqual: true})),
		fine("alerts-silence-info", "Everything that is only said for information is silenced.", silencing(Matcher{Name: "severity", Value: "info", IsEqual: true})),
		fine("alerts-failed-last-week", "Sends failed last week.", metrics(func(_ *Servers, p *prom.Server, instance string) {
			p.SetSince("alertmanager_notifications_failed_total", sendLabels(instance, "email"), 12, 7*24*time.Hour)
		})),
		fine("alerts-watchdog-elsewhere", "The Watchdog goes to the people on call.", onAlertmanager(func(a *Alertmanager) { a.SetRoute("on-call") })),
	}
}
