//go:build e2e

package e2e

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/254carbon/gonogo/internal/labtest"
	"github.com/254carbon/gonogo/internal/platform/postgres"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	asked "github.com/254carbon/gonogo/probes/postgres"
)

// writeService is a cluster whose write Service sends to the primary of the lab. An API server takes no endpoints on loopback.
func writeService() *kubefake.Cluster {
	meta := func(name string) map[string]any { return map[string]any{"namespace": "data", "name": name} }
	slice := meta("pg-x")
	slice["labels"] = map[string]any{"kubernetes.io/service-name": "pg"}
	return kubefake.New(
		map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": meta("pg")},
		map[string]any{
			"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": slice, "addressType": "IPv4",
			"endpoints": []any{map[string]any{"addresses": []any{"127.0.0.1"}, "targetRef": map[string]any{"kind": "Pod", "name": "pg-0"}}},
		},
	)
}

// TestPostgresReplication asks a real primary and its standby through all that can become of them.
func TestPostgresReplication(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t, labtest.Options{Postgres: true})
	pg := lab.Postgres()
	ctx := t.Context()
	client := func(dsn string) *postgres.Client {
		return postgres.New(postgres.Options{Place: "the lab", DSN: func(context.Context) (string, error) { return dsn, nil }})
	}
	params := asked.ReplicationInfo().Params().(*asked.ReplicationParams)
	params.Source, params.Service = asked.SQL, "data/pg"
	must(t, params.Validate())
	look := func(name, dsn string, edit func(*asked.ReplicationParams)) probes.Result {
		t.Helper()
		p := *params
		if edit != nil {
			edit(&p)
		}
		probe := asked.NewReplication(asked.Sources{
			Objects: writeService(), Database: client(dsn), At: func(probes.SecretRef) asked.Database { return client(pg.Standby) },
		}, p)
		info := asked.ReplicationInfo()
		r := probes.AskConfirmed(ctx, probes.Check{Probe: probe, Spec: probes.Spec{
			ID: "postgres-replication", Title: name, Every: info.Every, Timeout: info.Timeout, Confirm: info.Confirm,
		}}, nil)
		t.Logf("%s: %s %q %v, after %s", name, r.Status, r.Summary, r.Err, r.Took)
		return r
	}
	expect := func(name string, r probes.Result, want probes.Status, says ...string) {
		t.Helper()
		text := r.Summary
		if r.Err != nil {
			text, r.Status = r.Err.Error(), probes.Unknown
		}
		if r.Status != want {
			t.Errorf("%s: %s %q, want %s", name, r.Status, text, want)
		}
		for _, word := range says {
			if !strings.Contains(text, word) {
				t.Errorf("%s does not say %q: %s", name, word, text)
			}
		}
	}
	on := func(name string, want probes.Status, says ...string) {
		t.Helper()
		expect(name, look(name, pg.Primary, nil), want, says...)
	}
	run := func(dsn, statements string) {
		t.Helper()
		_, err := pg.SQL(ctx, dsn, statements)
		must(t, err)
	}
	standbyToo := func(p *asked.ReplicationParams) { p.DSNs = []probes.SecretRef{{Env: "STANDBY"}} }

	on("streaming", probes.Pass, "standby at 127.0.0.1 streams from the primary at 127.0.0.1")
	expect("with the standby asked too", look("with the standby asked too", pg.Primary, standbyToo), probes.Pass)
	run(pg.Primary, "create table t (n int); insert into t select generate_series(1, 200000)")
	on("busy", probes.Pass)

	wrong, err := url.Parse(pg.Primary)
	must(t, err)
	wrong.User = url.UserPassword(wrong.User.Username(), "hunter22")
	r := look("refused", wrong.String(), nil)
	expect("refused", r, probes.Unknown, "refuses gonogo's own credential", "28P01")
	if r.Err != nil && strings.Contains(r.Err.Error(), "hunter22") {
		t.Errorf("the password is shown: %v", r.Err)
	}
	run(pg.Primary, "create role narrow login password 'narrow-secret'")
	wrong.User = url.UserPassword("narrow", "narrow-secret")
	expect("without pg_monitor", look("without pg_monitor", wrong.String(), nil), probes.Unknown, "pg_monitor", "narrow")
	run(pg.Primary, "grant pg_monitor to narrow")
	expect("with pg_monitor", look("with pg_monitor", wrong.String(), nil), probes.Pass)

	run(pg.Standby, "select pg_wal_replay_pause()")
	run(pg.Primary, "insert into t select generate_series(1, 1000)")
	on("replay paused", probes.Fail, "stands still")
	run(pg.Standby, "select pg_wal_replay_resume()")
	on("replay resumed", probes.Pass)

	must(t, pg.StopStandby(ctx))
	on("standby stopped", probes.Fail, "no standby: pg_stat_replication is empty")
	stop, err := pg.Receive(ctx)
	must(t, err)
	on("a receiver that replays nothing", probes.Fail, "does not say that it replays it")
	stop()
	must(t, pg.StartStandby(ctx))
	on("standby started", probes.Pass)

	run(pg.Standby, "select pg_promote()")
	expect("promoted", look("promoted", pg.Primary, standbyToo), probes.Fail, "no standby", "2 primaries of one database, which has split")
	expect("asked at a standby", look("asked at what was a standby", pg.Standby, nil), probes.Fail, "no standby")
}
