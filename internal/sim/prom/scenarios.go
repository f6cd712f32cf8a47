package prom

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// platformTargets are what the platform's Prometheus scrapes: one target for each of its 14 ServiceMonitors and 2 PodMonitors, and itself.
func platformTargets() []Target {
	service := func(job, namespace, port string) Target {
		return Target{Job: job, Instance: fmt.Sprintf("%s.%s:%s", job, namespace, port)}
	}
	const dp = "data-platform"
	return []Target{
		service("datahub-gms", dp, "4318"), service("datahub-frontend", dp, "9002"), service("trino", dp, "8080"), service("doris", dp, "8030"),
		service("superset", dp, "9102"), service("minio", dp, "9000"), service("postgres", dp, "9187"), service("kafka", dp, "9308"),
		service("elasticsearch", dp, "9114"), service("iceberg-rest-catalog", dp, "8181"), service("spark-operator", dp, "8080"),
		service("spark-history-server", dp, "18080"), service("vault", "vault-prod", "8200"), service("loki", "monitoring", "3100"),
		service("promtail", "monitoring", "9080"), service("ingress-nginx-controller", "ingress-nginx", "10254"),
		{Job: "prometheus", Instance: "localhost:9090"},
	}
}

func namespaceOf(t Target) string {
	_, rest, _ := strings.Cut(t.Instance, ".")
	namespace, _, _ := strings.Cut(rest, ":")
	return namespace
}

// Jobs are the jobs that the platform expects: those of its 16 monitors.
func Jobs() []string {
	var jobs []string
	for _, t := range platformTargets() {
		if t.Job != "prometheus" {
			jobs = append(jobs, t.Job)
		}
	}
	slices.Sort(jobs)
	return jobs
}

// Platform returns a server as it is in both scenarios: 17 of 17 targets are up.
func Platform(now func() time.Time) *Server {
	s := New(now)
	for _, t := range platformTargets() {
		s.Add(t.Job, t.Instance)
		switch t.Job { // as the operator calls them
		case "prometheus":
		case "promtail", "ingress-nginx-controller":
			s.SetPool(t.Job, "podMonitor/"+namespaceOf(t)+"/"+t.Job+"/0")
		default:
			s.SetPool(t.Job, "serviceMonitor/"+namespaceOf(t)+"/"+t.Job+"/0")
		}
	}
	return s
}

// Mutation is one change to the Prometheus of a platform that is ready, and what checks must make of it.
type Mutation struct {
	Name     string
	About    string
	Harmless bool        // no check may fail
	Checks   []probes.ID // of the built-in profile that must not pass
	Words    []string    // that the first of Checks must say in its summary, or why it could not be asked
	Apply    func(s *Server)
}

// Mutations lists the changes.
func Mutations() []Mutation {
	targets := []probes.ID{"prometheus-targets"}
	bad := func(name, about string, words []string, apply func(*Server)) Mutation {
		return Mutation{Name: name, About: about, Checks: targets, Words: words, Apply: apply}
	}
	fine := func(name, about string, apply func(*Server)) Mutation {
		return Mutation{Name: name, About: about, Harmless: true, Apply: apply}
	}
	return append(replicationMutations(), []Mutation{
		bad("prometheus-job-missing", "The job trino is in no configuration any more; 16 targets are still up.", []string{"no target of job trino"},
			func(s *Server) { s.RemoveJob("trino") }),
		bad("prometheus-job-down", "The only target of the job vault has been down for an hour; 16 are still up.", []string{"nothing up of job vault"},
			func(s *Server) { s.downAll(time.Hour, "vault") }),
		bad("prometheus-several-jobs-down", "Kafka and Elasticsearch have been down for an hour.", []string{"15 of 17", "elasticsearch, kafka"},
			func(s *Server) { s.downAll(time.Hour, "kafka", "elasticsearch") }),
		bad("prometheus-half-down", "Every second target has been down for ten minutes.", []string{"9 of 17"}, func(s *Server) {
			for i, t := range s.Targets() {
				if i%2 == 1 {
					s.SetUpSince(t.Job, t.Instance, false, s.now().Add(-10*time.Minute))
				}
			}
		}),
		bad("prometheus-all-down", "Every target has been down for an hour, as when the cluster's network is gone.", []string{"0 of 17"},
			func(s *Server) { s.downAll(time.Hour) }),
		bad("prometheus-no-targets", "Prometheus runs with an empty configuration.", []string{"no target"}, func(s *Server) {
			for _, t := range s.Targets() {
				s.RemoveJob(t.Job)
			}
		}),
		bad("prometheus-stale", "The samples of two jobs are half an hour old, and Prometheus looks back an hour: they still say up.",
			[]string{"15 of 17", "minio, postgres"}, func(s *Server) {
				s.SetLookback(time.Hour)
				s.Freeze("minio", s.now().Add(-30*time.Minute))
				s.Freeze("postgres", s.now().Add(-30*time.Minute))
			}),
		bad("prometheus-forgotten", "The job loki has had no samples for ten minutes, so that Prometheus has forgotten it.", []string{"no target of job loki"},
			func(s *Server) { s.Freeze("loki", s.now().Add(-10*time.Minute)) }),
		bad("prometheus-partial", "Prometheus answers for a part of its stores only.", []string{"partial"},
			func(s *Server) { s.SetWarnings("store 10.0.0.7:10901 did not answer in time") }),
		bad("prometheus-replaying", "Prometheus was started a moment ago and replays its log.", []string{"not ready yet", "write-ahead log"},
			func(s *Server) { s.SetReplaying(true) }),
		fine("prometheus-flap", "One target went down a minute ago, as while its pod is replaced; its job was up in the last 5 minutes.",
			func(s *Server) { s.downAll(time.Minute, "superset") }),
		fine("prometheus-flapped", "One target was down for a moment and is up again.", func(s *Server) {
			s.downAll(2*time.Minute, "superset")
			for _, t := range s.Targets() {
				if t.Job == "superset" {
					s.SetUpSince(t.Job, t.Instance, true, s.now().Add(-time.Minute))
				}
			}
		}),
		fine("prometheus-extra-job", "Somebody scrapes one more thing, which is down.", func(s *Server) {
			s.SetUpSince("neo4j", "neo4j.data-platform:2004", false, time.Time{})
		}),
		fine("prometheus-second-instance", "A job has a second target.", func(s *Server) { s.Add("trino", "trino.data-platform:8081") }),
	}...)
}

// downAll makes the targets of some jobs, or of all, have been down for a while.
func (s *Server) downAll(ago time.Duration, jobs ...string) {
	for _, t := range s.Targets() {
		if len(jobs) == 0 || slices.Contains(jobs, t.Job) {
			s.SetUpSince(t.Job, t.Instance, false, s.now().Add(-ago))
		}
	}
}
