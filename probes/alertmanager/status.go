package alertmanager

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/web"
)

// get asks for JSON of the API. An answer that is not a 200 is an error, which says so.
func (p probe) get(ctx context.Context, path string, into any) (web.Page, error) {
	page, err := p.params.Get(ctx, p.fetcher, path, nil)
	switch {
	case err != nil:
		return page, err
	case page.Status == http.StatusUnauthorized || page.Status == http.StatusForbidden:
		return page, fmt.Errorf("what stands before it refused gonogo (%s): it needs a url that lets its readers in", page)
	case page.Status == http.StatusNotFound:
		return page, page.Foreign("Alertmanager's API v2", nil)
	case page.Status != http.StatusOK:
		return page, fmt.Errorf("it answers %s with %s", strings.SplitN(path, "?", 2)[0], page)
	}
	if err := page.JSON(into); err != nil {
		return page, page.Foreign("Alertmanager's API v2", err)
	}
	return page, nil
}

// status looks at readiness and peers, and returns how many integrations each receiver sends through.
func (p probe) status(ctx context.Context, a *asking) (map[string]int, error) {
	var status struct {
		Cluster struct {
			Status string
			Peers  []struct{ Name string }
		}
		Config      struct{ Original string }
		VersionInfo struct{ Version string }
	}
	page, err := p.get(ctx, "/api/v2/status", &status)
	if err != nil {
		return nil, err
	}
	if status.Cluster.Status == "" || status.Config.Original == "" {
		return nil, page.Foreign("Alertmanager's status", errors.New("another form of JSON"))
	}
	have := max(1, len(status.Cluster.Peers)) // one that is alone names none
	want := "ready, " + plural(p.params.Peers, "peer")
	e := probes.Evidence{Subject: "cluster of Alertmanager", Want: want, Got: fmt.Sprintf("%s, %s", status.Cluster.Status, plural(have, "peer"))}
	cause := ""
	switch {
	case status.Cluster.Status == "disabled" && p.params.Peers == 1:
	case status.Cluster.Status == "disabled":
		cause = fmt.Sprintf("Alertmanager runs alone, its cluster is disabled: want %s", plural(p.params.Peers, "peer"))
	case status.Cluster.Status != "ready":
		cause = fmt.Sprintf("Alertmanager's cluster is %s, not ready", status.Cluster.Status)
	case have < p.params.Peers:
		cause = fmt.Sprintf("%d of %s of Alertmanager in its cluster", have, plural(p.params.Peers, "peer"))
	}
	a.note(e, page.Request, cause)
	a.words = append(a.words, fmt.Sprintf("%d of %s", min(have, p.params.Peers), plural(p.params.Peers, "peer")))
	config, err := readConfig(status.Config.Original)
	if err != nil { // the text may hold secrets
		return nil, errors.New("its configuration cannot be read as YAML with a route and receivers")
	}
	senders := config.senders()
	p.rest(a, config.Route, senders, page.Request)
	return senders, p.ready(ctx, a)
}

// ready asks for readiness by itself: the status is served before.
func (p probe) ready(ctx context.Context, a *asking) error {
	page, err := p.params.Get(ctx, p.fetcher, "/-/ready", nil)
	if err != nil {
		return err
	}
	cause := ""
	switch {
	case page.Status == http.StatusOK:
	case page.Status < http.StatusInternalServerError: // something before it answers
		return fmt.Errorf("it answers /-/ready with %s", page)
	default:
		cause = fmt.Sprintf("Alertmanager is not ready (%s)", page)
	}
	a.note(probes.Evidence{Subject: "readiness of Alertmanager", Want: "200 OK", Got: page.String()}, page.Request, cause)
	return nil
}

// alert is what is read of an alert.
type alert struct {
	Labels    map[string]string
	UpdatedAt time.Time
	Receivers []struct{ Name string }
	Status    struct {
		State       string
		SilencedBy  []string
		InhibitedBy []string
		MutedBy     []string
	}
}

// watchdog looks at the alert that always fires: it comes from Prometheus and goes on to a receiver that sends.
func (p probe) watchdog(ctx context.Context, a *asking, senders map[string]int) error {
	var all []alert
	name := p.params.Watchdog
	page, err := p.get(ctx, "/api/v2/alerts?"+url.Values{"filter": {fmt.Sprintf("alertname=%q", name)}}.Encode(), &all)
	if err != nil {
		return err
	}
	if all == nil {
		return page.Foreign("Alertmanager's alerts", errors.New("another form of JSON"))
	}
	all = slices.DeleteFunc(all, func(x alert) bool { return x.Labels["alertname"] != name })
	e := probes.Evidence{Subject: "alert " + name, Want: "active, confirmed in the last " + span(p.params.Within)}
	if len(all) == 0 {
		e.Got = "not there"
		a.note(e, page.Request, fmt.Sprintf("the alert %s, which always fires, is not there: Prometheus sends Alertmanager nothing", name))
		return nil
	}
	slices.SortStableFunc(all, func(x, y alert) int { return y.UpdatedAt.Compare(x.UpdatedAt) })
	w := all[0]
	e.Got = fmt.Sprintf("%s, confirmed %s", orWord(w.Status.State, "in no state"), moment(w.UpdatedAt))
	age, cause := p.now().Sub(w.UpdatedAt), ""
	switch {
	case w.UpdatedAt.IsZero() || age > p.params.Within:
		cause = fmt.Sprintf("the alert %s was last confirmed at %s: Prometheus sends Alertmanager nothing any more", name, moment(w.UpdatedAt))
	case age < -p.params.Within:
		return fmt.Errorf("the alert %s was confirmed at %s, which is in the future: the clocks of Alertmanager and of this machine disagree", name, moment(w.UpdatedAt))
	case len(w.Status.SilencedBy) > 0:
		cause = fmt.Sprintf("the alert %s is silenced (%s)", name, strings.Join(w.Status.SilencedBy, ", "))
	case len(w.Status.InhibitedBy) > 0:
		cause = fmt.Sprintf("the alert %s is inhibited by another", name)
	case len(w.Status.MutedBy) > 0:
		cause = fmt.Sprintf("the alert %s is muted by a time interval (%s)", name, strings.Join(w.Status.MutedBy, ", "))
	case w.Status.State != "active":
		cause = fmt.Sprintf("the alert %s is %s, not active", name, orWord(w.Status.State, "in no state"))
	}
	a.note(e, page.Request, cause)
	p.route(a, w, senders, page.Request)
	return nil
}

// route looks where an alert goes: a receiver without anything to send through drops it, whatever its name.
func (p probe) route(a *asking, w alert, senders map[string]int, r probes.Request) {
	var sending, dropping []string
	for _, to := range w.Receivers {
		if senders[to.Name] > 0 {
			sending = append(sending, to.Name)
		} else {
			dropping = append(dropping, to.Name)
		}
	}
	e := probes.Evidence{Subject: "route of alert " + p.params.Watchdog, Want: "a receiver that sends", Got: "receiver " + strings.Join(sending, ", ")}
	cause := ""
	switch {
	case len(sending) > 0:
		a.words = append(a.words, p.params.Watchdog+" goes to "+strings.Join(sending, ", "))
	case len(dropping) > 0:
		e.Got = fmt.Sprintf("receiver %s, which has nothing to send through", strings.Join(dropping, ", "))
		cause = fmt.Sprintf("the alert %s goes to receiver %s, which sends to nobody", p.params.Watchdog, strings.Join(dropping, ", "))
	default:
		e.Got = "no receiver"
		cause = fmt.Sprintf("the alert %s goes to no receiver", p.params.Watchdog)
	}
	a.note(e, r, cause)
}

// moment writes a time of a cluster; all of them are in UTC.
func moment(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// span writes a duration as a person would say it.
func span(d time.Duration) string {
	if d%time.Minute == 0 {
		return plural(int(d.Minutes()), "minute")
	}
	return plural(int(d.Seconds()), "second")
}
