// Package postgres asks whether a PostgreSQL could lose its primary: does at least one standby stream from it and keep up, and does the
// Service that programs write to select exactly the primary?
//
// The evidence comes from one of three sources, which are not equally good: the servers themselves by SQL, which can be asked twice within
// one question; the metrics of postgres_exporter in Prometheus, which are as old as their last scrape; the status that CloudNativePG writes
// of its Cluster, which knows who is healthy and says nothing of lag. Which pods the write Service selects is read from its EndpointSlices.
package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/prometheus"
)

// Objects reads collections of a cluster's objects from shared watches. A resource that the cluster does not serve is an error for which
// apierrors.IsNotFound holds; where rights end at some namespaces, Note says so.
type Objects interface {
	List(ctx context.Context, r schema.GroupVersionResource, namespace string) (probes.Seen[*unstructured.Unstructured], error)
}

// Sources are what can be asked. Those that the parameters do not name may be nil.
type Sources struct {
	Objects  Objects
	Querier  prometheus.Querier
	Database Database
	At       func(dsn probes.SecretRef) Database // another server, by its own connection string
}

// ReplicationInfo describes the kind postgres.replication.
func ReplicationInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "postgres.replication",
		About: "Looks whether PostgreSQL streams to a standby that keeps up, from the servers by SQL, from postgres_exporter's metrics or from CloudNativePG's " +
			"status, and whether the write Service selects exactly the primary, from its EndpointSlices.",
		Connection: "kubernetes", Every: time.Minute, Timeout: 20 * time.Second, Confirm: 2,
		Params: func() any {
			return &ReplicationParams{Standbys: 1, MaxBytes: 16 << 20, MaxLag: 10 * time.Second, Settle: 5 * time.Second}
		},
	}
}

// NewReplication returns a probe of the kind postgres.replication. Parameters must be valid.
func NewReplication(s Sources, p ReplicationParams) probes.Probe {
	return replicationProbe{sources: s, params: p}
}

type replicationProbe struct {
	sources Sources
	params  ReplicationParams
}

// member is one server as a source shows it.
type member struct {
	name      string // for people
	pod       string // empty if not known
	addresses []string
	system    string // identifier of the database that it serves; empty if not known
}

// standby is a server that the primary sends to.
type standby struct {
	name  string
	got   string // what is known of it, for people
	fault string // why it does not count; empty if it does
}

// picture is what a source shows of all servers.
type picture struct {
	primaries, followers []member
	standbys             []standby
	only                 string   // what is wrong, if nothing else can be told
	faults               []string // besides
	want                 string   // of a standby
	empty                string   // what it means that there are no standbys
	request              probes.Request
	roles                probes.Request // that told primaries from standbys, if it was another
	confirmed            time.Time
}

func (p replicationProbe) Observe(ctx context.Context) (probes.Observation, error) {
	var seen picture
	var err error
	switch p.params.Source {
	case SQL:
		seen, err = p.sql(ctx)
	case Exporter:
		seen, err = p.exporter(ctx)
	default:
		seen, err = p.operator(ctx)
	}
	if err != nil {
		return probes.Observation{}, err
	}
	causes, evidence := p.replicas(seen)
	wrong, more, err := p.service(ctx, seen)
	if err != nil && len(causes) == 0 {
		return probes.Observation{}, err
	}
	causes, evidence = append(causes, wrong...), append(evidence, more...)
	obs := probes.Observation{Status: probes.Pass, Evidence: evidence, Confirmed: seen.confirmed}
	if len(causes) > 0 {
		obs.Status, obs.Summary = probes.Fail, strings.Join(causes, "; ")
		return obs, nil
	}
	good := slices.DeleteFunc(slices.Clone(seen.standbys), func(s standby) bool { return s.fault != "" })
	obs.Summary = fmt.Sprintf("%s streams from %s, %s; %s selects exactly the primary", good[0].name, seen.primaries[0].name, good[0].got, p.params.Service)
	if len(good) > 1 {
		obs.Summary = fmt.Sprintf("%d standbys stream from %s; %s selects exactly the primary", len(good), seen.primaries[0].name, p.params.Service)
	}
	return obs, nil
}

// replicas judges the servers by themselves.
func (p replicationProbe) replicas(seen picture) (causes []string, evidence []probes.Evidence) {
	add := func(e probes.Evidence) { evidence = append(evidence, e.From(seen.request)) }
	if seen.only != "" {
		add(probes.Evidence{Subject: "primary", Want: "answers", Got: seen.only, Wanting: true})
		return []string{seen.only}, evidence
	}
	roles := probes.Evidence{Subject: "primaries", Want: "exactly one", Got: names(seen.primaries), Wanting: len(seen.primaries) != 1}
	if add(roles); seen.roles.Source != "" {
		evidence[0] = roles.From(seen.roles)
	}
	if len(seen.primaries) == 0 {
		causes = append(causes, "no server is a primary")
	}
	good := 0
	var faults []string
	for _, s := range seen.standbys {
		e := probes.Evidence{Subject: "standby " + s.name, Want: seen.want, Got: s.got, Wanting: s.fault != ""}
		if s.fault == "" {
			good++
		} else {
			faults = append(faults, fmt.Sprintf("standby %s %s", s.name, s.fault))
		}
		add(e)
	}
	if len(seen.standbys) == 0 {
		causes = append(causes, "no standby: "+seen.empty)
		add(probes.Evidence{Subject: "standbys", Want: seen.want, Got: seen.empty, Wanting: true})
	} else if good < p.params.Standbys {
		if good > 0 || len(faults) == 0 {
			few := fmt.Sprintf("%d of %d standbys stream", good, p.params.Standbys)
			faults = append(faults, few)
			add(probes.Evidence{Subject: "standbys", Want: fmt.Sprintf("%d that stream", p.params.Standbys), Got: few, Wanting: true})
		}
		causes = append(causes, faults...)
	}
	if len(seen.primaries) > 1 {
		causes = append(causes, several(seen.primaries))
	}
	for _, fault := range seen.faults {
		causes = append(causes, fault)
		add(probes.Evidence{Subject: "servers", Want: "one primary, and standbys of the same database", Got: fault, Wanting: true})
	}
	return causes, evidence
}

// several says what it means that there is more than one primary.
func several(primaries []member) string {
	first := primaries[0].system
	for _, m := range primaries[1:] {
		if m.system == "" || first == "" {
			return fmt.Sprintf("%d primaries, %s", len(primaries), names(primaries))
		}
		if m.system != first {
			return fmt.Sprintf("%d primaries of unrelated databases, %s", len(primaries), names(primaries))
		}
	}
	return fmt.Sprintf("%d primaries of one database, which has split: %s", len(primaries), names(primaries))
}

func names(members []member) string {
	if len(members) == 0 {
		return "none"
	}
	all := make([]string, len(members))
	for i, m := range members {
		all[i] = m.name
	}
	return strings.Join(all, " and ")
}

// errIncomplete is the error of evidence that is only a part.
func errIncomplete(what, note string) error { return fmt.Errorf("%s: %s", what, note) }

// mebibytes writes an amount as a person would say it.
func mebibytes(n float64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%.0f B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", n/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", n/(1<<20))
}
