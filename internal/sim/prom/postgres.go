package prom

import (
	"time"

	"github.com/254carbon/gonogo/probes"
)

// What postgres_exporter says of the two servers of postgres-shared.
const (
	postgresPrimary, postgresStandby = "postgres-shared-0", "postgres-shared-1"

	replicaMetric  = "pg_replication_is_replica"
	secondsMetric  = "pg_replication_lag_seconds"
	behindMetric   = "pg_stat_replication_pg_wal_lsn_diff"
	positionMetric = "pg_stat_replication_pg_current_wal_lsn_bytes"
)

// position is where the primary's log is.
const position = 5_905_580_032

func postgresLabels(pod string) map[string]string {
	return map[string]string{"job": "postgres", "namespace": "data-platform", "pod": pod, "instance": pod + ".postgres-shared:9187"}
}

// walreceiver is the standby as the primary shows it.
func walreceiver(state string) map[string]string {
	labels := postgresLabels(postgresPrimary)
	labels["application_name"], labels["client_addr"], labels["state"] = postgresStandby, "10.244.1.17", state
	return labels
}

// SetReplication makes the second server of postgres-shared a standby that streams, or else a primary of its own.
func (s *Server) SetReplication(streams bool) {
	for _, pod := range []string{postgresPrimary, postgresStandby} {
		s.Set("pg_up", postgresLabels(pod), 1)
		s.Set(replicaMetric, postgresLabels(pod), 0)
		s.Set(secondsMetric, postgresLabels(pod), 0)
	}
	s.Remove(behindMetric, nil)
	s.Remove(positionMetric, nil)
	if streams {
		s.Remove(replicaMetric, postgresLabels(postgresStandby))
		s.Set(replicaMetric, postgresLabels(postgresStandby), 1)
		s.Set(behindMetric, walreceiver("streaming"), 0)
		s.Set(positionMetric, walreceiver("streaming"), position)
	}
}

// fallBack makes the standby have been behind for a while: at first by a little, then by as much as the primary has written since.
func (s *Server) fallBack(first, then, written float64, ago time.Duration) {
	labels := walreceiver("streaming")
	s.Remove(behindMetric, labels)
	s.Remove(positionMetric, labels)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.find(behindMetric, labels).changes = []change{{value: first}, {since: s.now().Add(-ago), value: then}}
	s.find(positionMetric, labels).changes = []change{{value: position}, {since: s.now().Add(-ago), value: position + written}}
}

// replicationMutations are about postgres-shared as its exporter shows it.
func replicationMutations() []Mutation {
	checks := []probes.ID{"postgres-replication"}
	bad := func(name, about string, words []string, apply func(*Server)) Mutation {
		return Mutation{Name: name, About: about, Checks: checks, Words: words, Apply: apply}
	}
	fine := func(name, about string, apply func(*Server)) Mutation {
		return Mutation{Name: name, About: about, Harmless: true, Apply: apply}
	}
	const mib = 1 << 20
	return []Mutation{
		bad("postgres-no-standby", "The standby is gone: the primary sends to nobody.", []string{"no standby: pg_stat_replication is empty"}, func(s *Server) {
			s.Remove(behindMetric, nil)
			s.Remove(positionMetric, nil)
			s.Remove(replicaMetric, postgresLabels(postgresStandby))
		}),
		bad("postgres-two-primaries", "Nothing replicates: the two servers hold databases of their own.",
			[]string{"no standby: pg_stat_replication is empty", "2 primaries, postgres-shared-0 and postgres-shared-1"}, func(s *Server) { s.SetReplication(false) }),
		bad("postgres-far-behind", "The standby is 64 MiB behind.", []string{"postgres-shared-1", "64.0 MiB behind, more than 16.0 MiB"},
			func(s *Server) { s.fallBack(64*mib, 64*mib, 0, time.Minute) }),
		bad("postgres-stands-still", "The standby is connected and replays nothing, while the primary writes a little.", []string{"stands still"},
			func(s *Server) { s.fallBack(4096, 4096+mib, mib, time.Minute) }),
		bad("postgres-slow", "The standby moves, and what it replays is a minute old.", []string{"75 s behind, more than 10s"}, func(s *Server) {
			s.fallBack(mib, 2*mib, 8*mib, time.Minute)
			s.Set(secondsMetric, postgresLabels(postgresStandby), 75)
		}),
		bad("postgres-catching-up", "The standby is still copying.", []string{"does not stream", "catchup"}, func(s *Server) {
			s.Remove(behindMetric, nil)
			s.Set(behindMetric, walreceiver("catchup"), 3*mib)
		}),
		bad("postgres-all-in-recovery", "After a failed promotion both servers are standbys.", []string{"no server is a primary"}, func(s *Server) {
			s.Set(replicaMetric, postgresLabels(postgresPrimary), 1)
		}),
		bad("postgres-exporter-gone", "No exporter says anything of PostgreSQL.", []string{"postgres_exporter is not scraped"}, func(s *Server) {
			for _, metric := range []string{"pg_up", replicaMetric, secondsMetric, behindMetric, positionMetric} {
				s.Remove(metric, nil)
			}
		}),
		bad("postgres-exporter-blind", "The exporters cannot log in to PostgreSQL.", []string{"cannot reach its PostgreSQL"}, func(s *Server) {
			s.Remove(replicaMetric, nil)
			for _, pod := range []string{postgresPrimary, postgresStandby} {
				s.Set("pg_up", postgresLabels(pod), 0)
			}
		}),
		fine("postgres-quiet", "Nobody has written for an hour; an old exporter makes seconds of that.", func(s *Server) {
			s.Set(secondsMetric, postgresLabels(postgresStandby), 3600)
		}),
		fine("postgres-busy", "The primary writes much, and the standby is a little behind it.", func(s *Server) { s.fallBack(2*mib, mib, 90*mib, time.Minute) }),
	}
}
