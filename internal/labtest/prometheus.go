package labtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
)

// ScrapeJob is a job of Prometheus with fixed targets.
type ScrapeJob struct {
	Name    string
	Targets []string // host:port
	Self    bool     // scrapes Prometheus itself, whose port is not known before
	Path    string   // /metrics when empty
}

// startPrometheus starts it with the jobs, scraped each second, and the groups of
// rules.
func (l *Lab) startPrometheus(ctx context.Context, jobs []ScrapeJob, rules string) error {
	port, err := l.ports.free()
	if err != nil {
		return err
	}
	own := []ScrapeJob{{Name: "prometheus", Self: true}}
	if l.alertmanager != "" {
		own = append(own, ScrapeJob{Name: "alertmanager", Targets: []string{l.alertmanager}})
	}
	text, err := scrapeConfig(append(own, jobs...), loopback(port))
	if err != nil {
		return err
	}
	if l.alertmanager != "" {
		text += fmt.Sprintf("alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}\n", l.alertmanager)
	}
	if rules != "" {
		path, err := l.file("rules.yml", rules)
		if err != nil {
			return err
		}
		text += fmt.Sprintf("rule_files: [%q]\n", path)
	}
	config, err := l.file("prometheus.yml", text)
	if err != nil {
		return err
	}
	p, err := l.run(server{name: "prometheus", args: []string{
		"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(l.dir, "prometheus"),
		"--web.listen-address=" + loopback(port),
		// The first alerts find no Alertmanager yet: they are not to wait a minute.
		"--rules.alert.resend-delay=2s",
	}})
	if err != nil {
		return err
	}
	l.prometheus = loopback(port)
	return p.await(ctx, func(ctx context.Context) error { return l.get(ctx, "http://"+loopback(port)+"/-/ready") })
}

// scrapeConfig is Prometheus' configuration for the jobs; self is its own address.
func scrapeConfig(jobs []ScrapeJob, self string) (string, error) {
	var text strings.Builder
	text.WriteString("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nscrape_configs:\n")
	for _, job := range jobs {
		if job.Self {
			job.Targets = append(slices.Clone(job.Targets), self)
		}
		if job.Name == "" || len(job.Targets) == 0 {
			return "", errors.New("configuring Prometheus: a job needs a name and targets")
		}
		if job.Path == "" {
			job.Path = "/metrics"
		}
		// JSON's strings and lists are YAML's too.
		targets, err := json.Marshal(job.Targets)
		if err != nil {
			return "", fmt.Errorf("configuring Prometheus: %w", err)
		}
		fmt.Fprintf(&text, "- {job_name: %q, metrics_path: %q, static_configs: [{targets: %s}]}\n", job.Name, job.Path, targets)
	}
	return text.String(), nil
}

// Prometheus is the host:port of the running Prometheus, or "" when the lab has
// none.
func (l *Lab) Prometheus() string { return l.prometheus }

// toNobody is a configuration of Alertmanager that drops every alert.
const toNobody = "route: {receiver: nobody, group_wait: 0s}\nreceivers: [{name: nobody}]\n"

// alertmanagerFile is the name of its configuration.
const alertmanagerFile = "alertmanager.yml"

// startAlertmanager starts one with a configuration, or one that sends alerts to nobody.
func (l *Lab) startAlertmanager(ctx context.Context, routing string) error {
	port, err := l.ports.free()
	if err != nil {
		return err
	}
	if routing == "" {
		routing = toNobody
	}
	config, err := l.file(alertmanagerFile, routing)
	if err != nil {
		return err
	}
	p, err := l.run(server{name: "prometheus-alertmanager", args: []string{
		"--config.file=" + config, "--storage.path=" + filepath.Join(l.dir, "alertmanager"),
		"--web.listen-address=" + loopback(port), "--cluster.listen-address=",
	}})
	if err != nil {
		return err
	}
	l.alertmanager = loopback(port)
	return p.await(ctx, func(ctx context.Context) error { return l.get(ctx, "http://"+l.alertmanager+"/-/ready") })
}

// Alertmanager is the host:port of the running Alertmanager, or "" when the lab has
// none.
func (l *Lab) Alertmanager() string { return l.alertmanager }

// Route gives Alertmanager another configuration.
func (l *Lab) Route(ctx context.Context, routing string) error {
	if l.alertmanager == "" {
		return errors.New("routing alerts: the lab has no Alertmanager")
	}
	if _, err := l.file(alertmanagerFile, routing); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+l.alertmanager+"/-/reload", nil)
	if err != nil {
		return fmt.Errorf("routing alerts: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("routing alerts: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("routing alerts: Alertmanager does not take the configuration: %s", response.Status)
	}
	return nil
}
