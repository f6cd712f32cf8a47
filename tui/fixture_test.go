package tui

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// table is that of the embedded profile, with its scenarios.
func table() string {
	text, err := os.ReadFile(filepath.Join("..", "testdata", "platform", "checks.tsv"))
	if err != nil {
		panic(err)
	}
	return string(text)
}

func noon() time.Time { return time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC) }

type tableRow struct{ component, points, id, claim, weight, gate, blockedBy, documented, ready, every string }

func tableRows() []tableRow {
	var rows []tableRow
	for n, l := range strings.Split(strings.TrimSpace(table()), "\n") {
		f := strings.Split(l, "\t")
		if n > 0 {
			rows = append(rows, tableRow{f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9]})
		}
	}
	return rows
}

func rat(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic("not a number: " + s)
	}
	return r
}

func percent(n int) *int { return &n }

func platform() *probes.Outline {
	type about struct {
		title    string
		declared int
		effort   probes.Effort
	}
	h := func(low, high int) probes.Effort {
		return probes.Effort{Min: time.Duration(low) * time.Hour, Max: time.Duration(high) * time.Hour}
	}
	components := map[string]about{
		"monitoring": {"Enhanced monitoring", 100, h(0, 0)}, "sso-infrastructure": {"SSO infrastructure", 100, h(0, 0)},
		"backup-strategy": {"Backup strategy", 100, h(0, 0)}, "autoscaling": {"Autoscaling", 100, h(0, 0)},
		"service-registry": {"Service registry", 100, h(0, 0)}, "documentation": {"Documentation and automation", 100, h(0, 0)},
		"security": {"Security hardening", 100, h(0, 0)}, "image-mirroring": {"Image mirroring", 75, h(2, 3)},
		"sso-deployment": {"SSO deployment", 0, h(1, 2)}, "backup-testing": {"Backup testing", 0, h(1, 2)},
		"multi-node-ha": {"Multi-node HA", 25, h(32, 53)},
	}
	o := &probes.Outline{Platform: "254Carbon", Profile: "254carbon", Threshold: rat("95")}
	seen := map[string]bool{}
	for _, r := range tableRows() {
		if !seen[r.component] {
			seen[r.component] = true
			c := components[r.component]
			o.Components = append(o.Components, probes.Component{
				ID: probes.ID(r.component), Title: c.title, Weight: rat(r.points), Declared: percent(c.declared), Remaining: c.effort,
			})
		}
		s := probes.Spec{
			ID: probes.ID(r.id), Component: probes.ID(r.component), Title: r.claim, Weight: rat(r.weight), Gate: r.gate == "gate",
			Timeout: 10 * time.Second, Confirm: 2,
		}
		if r.blockedBy != "" {
			s.BlockedBy = []probes.ID{probes.ID(r.blockedBy)}
		}
		if s.OnChange = r.every == "watch"; s.OnChange {
			s.Every = 5 * time.Minute
		} else {
			s.Every, _ = time.ParseDuration(r.every)
		}
		describe(&s)
		o.Specs = append(o.Specs, s)
	}
	return o
}

func describe(s *probes.Spec) {
	switch s.Component {
	case "image-mirroring":
		s.Action = "mirror"
	case "sso-deployment":
		s.Action = "sso"
	case "backup-testing":
		s.Action = "backup-test"
	}
	switch s.ID {
	case "harbor-credentials":
		s.Confirm = 1
		s.Remedy = "Create a robot account in the project library with push and pull, and put its name and secret where the profile's write credential points."
	case "worker-nodes":
		s.Remedy = "Join two workers: kubeadm token create --print-join-command prints the command for each machine."
	}
}

// answers are the results of a sweep in which every check has the status that a scenario says.
func answers(status func(tableRow) string, at time.Time) []probes.Result {
	var all []probes.Result
	for n, r := range tableRows() {
		res := probes.Result{ID: probes.ID(r.id), Started: at.Add(-time.Duration(n) * time.Second), Took: time.Duration(20+7*n) * time.Millisecond}
		res.Confirmed = res.Started
		switch status(r) {
		case "pass":
			res.Status, res.Summary = probes.Pass, "as it should be"
			res.Evidence = passing(r.id)
		case "fail":
			res.Status, res.Summary, res.Failures = probes.Fail, "it is not so", 2
			failing(&res)
		case "warn":
			res.Status, res.Ratio, res.Summary = probes.Warn, probes.Part(1, 2), "in part"
		case "unknown":
			res.Err, res.Failures, res.Confirmed = errors.New("dialing harbor.254carbon.com:443: connection refused"), 2, time.Time{}
		default:
			continue
		}
		all = append(all, res)
	}
	return all
}

const promQuery = "GET http://prometheus.monitoring:9090/api/v1/query?query=up"

func passing(id string) []probes.Evidence {
	if id != "prometheus-targets" {
		return []probes.Evidence{{Subject: id, Want: "as declared", Got: "as declared", Source: "GET /apis/…"}}
	}
	repeat := "kubectl get --raw '/api/v1/namespaces/monitoring/services/kube-prometheus-stack-prometheus:9090/proxy/api/v1/query?query=up'"
	var all []probes.Evidence
	for _, job := range []string{"trino", "superset", "grafana", "loki", "node-exporter", "kube-state-metrics", "apiserver", "kubelet"} {
		all = append(all, probes.Evidence{Subject: "job " + job, Want: "up", Got: "up (2)", Source: promQuery, Repeat: repeat})
	}
	return all
}

func failing(r *probes.Result) {
	switch r.ID {
	case "harbor-credentials":
		r.Summary = "anonymous: Harbor does not know this user or password of robot$gonogo"
		r.Evidence = []probes.Evidence{
			{
				Subject: "the credential of the project library", Want: "200 or 404 with a session of robot$gonogo", Got: "401, and /users/current says anonymous", Wanting: true,
				Source: "HEAD https://harbor.254carbon.com/api/v2.0/projects?project_name=library",
				Repeat: `curl -sS -I -u "$HARBOR_USER:$HARBOR_PASSWORD" 'https://harbor.254carbon.com/api/v2.0/projects?project_name=library'`,
			},
			{
				Subject: "the core of Harbor", Want: "healthy", Got: "healthy", Source: "GET https://harbor.254carbon.com/api/v2.0/health",
				Repeat: "curl -sS https://harbor.254carbon.com/api/v2.0/health",
			},
		}
	case "worker-nodes":
		r.Summary = "1 of at least 3 nodes is Ready, no worker"
		r.Evidence = []probes.Evidence{
			{Subject: "nodes that are Ready", Want: "at least 3, two of them workers", Got: "cpu1 (control plane)", Wanting: true, Source: "watch nodes", Repeat: "kubectl get nodes"},
			{Subject: "node cpu1", Want: "Ready", Got: "Ready since 2 Sep", Source: "watch nodes", Repeat: "kubectl get nodes"},
		}
	default:
		r.Evidence = []probes.Evidence{{Subject: string(r.ID), Want: "that it holds", Got: "it does not", Wanting: true, Source: "GET https://api.example/" + string(r.ID), Repeat: "curl -sS https://api.example/" + string(r.ID)}}
	}
}

func checklist(results []probes.Result) probes.Checklist {
	l, err := probes.NewChecklist(platform())
	if err != nil {
		panic(err)
	}
	// Twice, so that what needs two answers to stand has them.
	older := make([]probes.Result, len(results))
	for i, r := range results {
		r.Started = r.Started.Add(-51*time.Hour - 12*time.Minute)
		if r.Err == nil {
			r.Confirmed = r.Started
		}
		older[i] = r
	}
	return l.With(older...).With(results...)
}

func documented() probes.Checklist {
	return checklist(answers(func(r tableRow) string { return r.documented }, noon()))
}

func ready() probes.Checklist {
	return checklist(answers(func(r tableRow) string { return r.ready }, noon()))
}

func blind() probes.Checklist {
	return checklist(answers(func(tableRow) string { return "unknown" }, noon()))
}

// drifted is documented with a status document that has not noticed that monitoring is complete.
func drifted() probes.Checklist {
	l := documented()
	o := *l.Outline()
	o.Components = slices.Clone(o.Components)
	o.Components[0].Declared = percent(60)
	o.Components[0].Invested = probes.Effort{Min: 2 * time.Hour, Max: 2 * time.Hour}
	l, err := l.Over(&o, func(probes.ID) bool { return true })
	if err != nil {
		panic(err)
	}
	return l
}

// halfBlind is documented with Harbor not answering.
func halfBlind() probes.Checklist {
	return checklist(answers(func(r tableRow) string {
		if r.component == "image-mirroring" && r.documented != "blocked" {
			return "unknown"
		}
		if r.id == "certificates" {
			return "warn"
		}
		return r.documented
	}, noon()))
}

// record is a history that is always the same.
type record struct{}

func (record) Previous(context.Context) (int, time.Time, bool, error) {
	return 85, noon().AddDate(0, 0, -1), true, nil
}

func (record) Scores(_ context.Context, n int) ([]Score, error) {
	var scores []Score
	for i, percent := range []int{72, 72, 74, 78, 78, 80, 80, 82, 84, 85, 85, 87} {
		scores = append(scores, Score{At: noon().AddDate(0, 0, 2*i-23), Percent: percent, Verdict: probes.NoGo})
	}
	return scores[max(0, len(scores)-n):], nil
}

func (record) Flips(_ context.Context, n int) ([]Flip, error) {
	flips := []Flip{
		{noon().Add(-4 * time.Minute), "worker-nodes", probes.Unknown, probes.Fail, "1 of at least 3 nodes is Ready, no worker"},
		{noon().Add(-9 * time.Minute), "worker-nodes", probes.Fail, probes.Unknown, "the API server does not answer: no route to host"},
		{noon().Add(-51 * time.Hour), "harbor-credentials", probes.Pass, probes.Fail, "anonymous: Harbor does not know this user or password of robot$gonogo"},
		{noon().Add(-51 * time.Hour), "images-mirrored", probes.Fail, probes.Blocked, "blocked by harbor-credentials"},
		{noon().AddDate(0, 0, -9), "loki-ingesting", probes.Warn, probes.Pass, "a line of every namespace in the last 5 minutes"},
		{noon().AddDate(0, 0, -19), "certificates", probes.Fail, probes.Warn, "portal.254carbon.com expires in 12 days"},
	}
	for i := range 30 {
		flips = append(flips, Flip{noon().AddDate(0, 0, -20).Add(-time.Duration(i) * time.Hour), "prometheus-targets", probes.Status(1 + i%2), probes.Status(1 + (i+1)%2), "15 of 16 targets are up"})
	}
	return flips[:min(n, len(flips))], nil
}

func (record) Strip(_ context.Context, id probes.ID, n int) ([]probes.Status, error) {
	if id == "" || n <= 0 {
		return nil, fmt.Errorf("asked for %d statuses of %q", n, id)
	}
	return []probes.Status{probes.Pass, probes.Pass, probes.Unknown, probes.Pass, probes.Fail, probes.Fail, probes.Fail, probes.Fail}, nil
}
