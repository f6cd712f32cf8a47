package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/254carbon/gonogo/probes"
)

// Limits of the exporter's evidence.
const (
	oldest = 2 * time.Minute // sample
	window = "2m"            // within which a standby that is behind must have come forward
)

// The questions to Prometheus; %s is the selector.
const (
	rolesQuery    = `pg_replication_is_replica%s`
	agesQuery     = `time() - timestamp(pg_replication_is_replica%s)`
	upQuery       = `pg_up%s`
	secondsQuery  = `pg_replication_lag_seconds%s`
	behindQuery   = `pg_stat_replication_pg_wal_lsn_diff%s`
	leastQuery    = `min_over_time(pg_stat_replication_pg_wal_lsn_diff%s[` + window + `])`
	positionQuery = `pg_stat_replication_pg_current_wal_lsn_bytes%s`
	beganQuery    = `min_over_time(pg_stat_replication_pg_current_wal_lsn_bytes%s[` + window + `])`
)

// metrics are the answers, by question.
type metrics map[string]probes.Seen[*model.Sample]

// exporter reads what postgres_exporter said of the servers. Two of its habits matter: without a standby it has no series of
// pg_stat_replication at all, and older versions let a primary that is merely quiet look like lag in seconds, so that seconds count only
// for a standby that the primary's own count of bytes shows behind.
func (p replicationProbe) exporter(ctx context.Context) (picture, error) {
	m, err := p.ask(ctx, rolesQuery, agesQuery, upQuery, secondsQuery, behindQuery, leastQuery, positionQuery, beganQuery)
	if err != nil {
		return picture{}, err
	}
	roles := m[rolesQuery]
	if len(roles.Items) == 0 {
		if slices.ContainsFunc(m[upQuery].Items, func(s *model.Sample) bool { return s.Value == 0 }) {
			return picture{}, fmt.Errorf("postgres_exporter cannot reach its PostgreSQL (pg_up%s is 0)", p.params.selector())
		}
		return picture{}, fmt.Errorf("Prometheus has no pg_replication_is_replica%s: postgres_exporter is not scraped, or its collector replication is off", p.params.selector())
	}
	if len(m[agesQuery].Items) < len(roles.Items) {
		return picture{}, errors.New("Prometheus does not say how old the samples of postgres_exporter are")
	}
	confirmed, err := ages(m[agesQuery], roles.Confirmed)
	if err != nil {
		return picture{}, err
	}
	seen := picture{
		request: m[behindQuery].Request, roles: roles.Request, confirmed: confirmed, empty: "pg_stat_replication is empty",
		want: fmt.Sprintf("streams, at most %s and %s behind", mebibytes(float64(p.params.MaxBytes)), p.params.MaxLag),
	}
	primary := map[string]bool{} // by server
	for _, s := range roles.Items {
		one := member{name: server(s.Metric), pod: string(s.Metric["pod"])}
		if host, _, ok := strings.Cut(string(s.Metric[model.InstanceLabel]), ":"); ok {
			one.addresses = []string{host}
		}
		switch s.Value {
		case 0:
			primary[server(s.Metric)] = true
			seen.primaries = append(seen.primaries, one)
		case 1:
			seen.followers = append(seen.followers, one)
		default:
			return picture{}, fmt.Errorf("pg_replication_is_replica of %s is %v, which is neither 0 nor 1", one.name, s.Value)
		}
	}
	for _, s := range m[behindQuery].Items {
		if primary[server(s.Metric)] { // a standby may send on to others
			// Without pg_monitor PostgreSQL shows the exporter that there is a standby, and nothing else of it.
			if s.Metric["state"] == "" && math.IsNaN(float64(s.Value)) {
				return picture{}, fmt.Errorf("PostgreSQL shows postgres_exporter its standby %s without its values: grant the exporter's user pg_monitor", receiver(s.Metric))
			}
			one, err := p.measure(s, m)
			if err != nil {
				return picture{}, err
			}
			seen.standbys = append(seen.standbys, one)
		}
	}
	byName := func(a, b member) int { return strings.Compare(a.name, b.name) }
	slices.SortFunc(seen.primaries, byName)
	slices.SortFunc(seen.followers, byName)
	slices.SortFunc(seen.standbys, func(a, b standby) int { return strings.Compare(a.name, b.name) })
	return seen, nil
}

// ask puts all questions at once. An answer that may be a part of the whole proves nothing.
func (p replicationProbe) ask(ctx context.Context, queries ...string) (metrics, error) {
	answers, errs := make([]probes.Seen[*model.Sample], len(queries)), make([]error, len(queries))
	var all sync.WaitGroup
	for i, q := range queries {
		all.Go(func() { answers[i], errs[i] = p.sources.Querier.Query(ctx, fmt.Sprintf(q, p.params.selector())) })
	}
	all.Wait()
	m := metrics{}
	for i, q := range queries {
		switch {
		case errs[i] != nil:
			return nil, errs[i]
		case answers[i].Note != "":
			return nil, errIncomplete("reading the metrics of postgres_exporter", answers[i].Note)
		}
		for _, s := range answers[i].Items {
			if s.Histogram != nil {
				return nil, errors.New("reading the metrics of postgres_exporter: they are histograms, not numbers")
			}
		}
		m[q] = answers[i]
	}
	return m, nil
}

// ages says when the stalest server was last scraped.
func ages(seen probes.Seen[*model.Sample], now time.Time) (time.Time, error) {
	confirmed := now
	for _, s := range seen.Items {
		if value := float64(s.Value); math.IsNaN(value) || math.Abs(value) > math.MaxInt32 {
			return time.Time{}, fmt.Errorf("the last sample of postgres_exporter at %s is of no known age", server(s.Metric))
		}
		age := time.Duration(float64(s.Value) * float64(time.Second))
		if age > oldest {
			return time.Time{}, fmt.Errorf("the last sample of postgres_exporter at %s is %s old", server(s.Metric), age.Round(time.Second))
		}
		if at := now.Add(-age); at.Before(confirmed) {
			confirmed = at
		}
	}
	return confirmed, nil
}

// measure judges one standby by the primary's count of bytes. Where it is behind, and what it did before is not known, nobody can tell whether
// it comes forward.
func (p replicationProbe) measure(s *model.Sample, m metrics) (standby, error) {
	out := standby{name: receiver(s.Metric), got: "connected, confirms nothing"}
	state := string(s.Metric["state"])
	if state != "" && state != "streaming" {
		out.got, out.fault = "in state "+probes.Clean(state, 40), "does not stream: it is in state "+probes.Clean(state, 40)
		return out, nil
	}
	behind := float64(s.Value)
	if math.IsNaN(behind) || math.IsInf(behind, 0) {
		out.fault = "takes the log and does not say that it replays it"
		return out, nil
	}
	behind = max(0, behind)
	out.got = mebibytes(behind) + " behind"
	least, began := value(m[leastQuery], s), value(m[beganQuery], s)
	grown := value(m[positionQuery], s) - began
	if behind > 0 && (math.IsNaN(least) || math.IsNaN(grown)) {
		return standby{}, fmt.Errorf("Prometheus does not say how far %s and the primary's log were in the last %s "+
			"(pg_stat_replication_pg_wal_lsn_diff and _pg_current_wal_lsn_bytes): whether it comes forward cannot be told", out.name, window)
	}
	// If the log grew by as much as the standby fell back, the standby did not move.
	still := least > 0 && behind-least >= grown
	seconds := 0.0
	for _, l := range m[secondsQuery].Items {
		if least > 0 && float64(l.Value) > seconds {
			seconds = float64(l.Value)
		}
	}
	if seconds > 0 {
		out.got += fmt.Sprintf(", %.1f s", seconds)
	}
	switch {
	case behind > float64(p.params.MaxBytes):
		out.fault = fmt.Sprintf("is %s behind, more than %s", mebibytes(behind), mebibytes(float64(p.params.MaxBytes)))
	case still:
		out.fault = fmt.Sprintf("stands still, %s behind: it replayed nothing in %s", mebibytes(behind), window)
	case seconds > p.params.MaxLag.Seconds():
		out.fault = fmt.Sprintf("is %.0f s behind, more than %s", seconds, p.params.MaxLag)
	}
	return out, nil
}

// value is that of the series with the same labels, or NaN, with which no comparison holds.
func value(seen probes.Seen[*model.Sample], like *model.Sample) float64 {
	key := unnamed(like.Metric)
	for _, s := range seen.Items {
		if unnamed(s.Metric) == key {
			return float64(s.Value)
		}
	}
	return math.NaN()
}

func unnamed(m model.Metric) string {
	rest := m.Clone()
	delete(rest, model.MetricNameLabel)
	return rest.String()
}

// server is what a series is of: the pod, or what was scraped.
func server(m model.Metric) string {
	if pod := m["pod"]; pod != "" {
		return probes.Clean(string(pod), 100)
	}
	return probes.Clean(string(m[model.InstanceLabel]), 100)
}

func receiver(m model.Metric) string {
	name, address := string(m["application_name"]), string(m["client_addr"])
	return Sender{Name: name, Address: address}.String()
}
