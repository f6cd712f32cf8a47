package velero

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

// confirmedAt is a cluster whose collections were confirmed at some time.
type confirmedAt struct {
	Objects
	at time.Time
}

func (c confirmedAt) List(ctx context.Context, r schema.GroupVersionResource, namespace string) (list, error) {
	seen, err := c.Objects.List(ctx, r, namespace)
	seen.Confirmed = c.at
	return seen, err
}

// The platform's schedules; asked at noon they last ran 10, 6 (due now) and 9 hours ago.
func declared() []Declared {
	return []Declared{{"daily-backup", "0 2 * * *"}, {"critical-backup", "0 */6 * * *"}, {"postgres-backup", "0 3 * * *"}}
}

func theSchedules(daily object) []object {
	return []object{
		scheduleOf("daily-backup", "0 2 * * *", 10*time.Hour-time.Second, daily),
		scheduleOf("critical-backup", "0 */6 * * *", 6*time.Hour-time.Second, nil),
		scheduleOf("postgres-backup", "0 3 * * *", 9*time.Hour-time.Second, nil),
		scheduleOf("of-somebody", "nonsense", 0, object{"status.phase": "FailedValidation"}),
	}
}

func TestSchedules(t *testing.T) {
	params := *SchedulesInfo().Params().(*SchedulesParams)
	params.Schedules = declared()
	if err := params.Validate(); err != nil {
		t.Fatal(err)
	}
	on := func(c func() *kubefake.Cluster) func(*testing.T) probes.Probe {
		return always(c, func(c *kubefake.Cluster) probes.Probe { return NewSchedules(c, params, clock) })
	}
	daily := func(over object, more ...object) func(*testing.T) probes.Probe {
		return on(func() *kubefake.Cluster { return cluster(append(theSchedules(over), more...)...) })
	}
	late := object{"status.lastBackup": ago(34*time.Hour - time.Second)}
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	pass := func(name string, p func(*testing.T) probes.Probe) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Pass}
	}
	probetest.Suite{
		New: daily(nil),
		Worlds: []probetest.World{
			fail("not installed", on(func() *kubefake.Cluster { return kubefake.New() }), "not installed"),
			fail("all gone", on(func() *kubefake.Cluster { return cluster() }), "daily-backup does not exist", "postgres-backup does not exist"),
			fail("one gone", on(func() *kubefake.Cluster { return cluster(theSchedules(nil)[1:]...) }), "daily-backup does not exist"),
			fail("paused", daily(object{"spec.paused": true}), "daily-backup is paused"),
			fail("new", daily(object{"status": nil}), "not taken up"),
			fail("refused", daily(object{"status.phase": "FailedValidation", "status.validationErrors": []any{"invalid schedule: x"}}), "FailedValidation", "invalid schedule: x"),
			fail("phase of another version", daily(object{"status.phase": "Suspended"}), "Suspended"),
			fail("another cron", daily(object{"spec.schedule": "0 4 * * *"}), `"0 4 * * *"`, `"0 2 * * *"`),
			fail("another zone", daily(object{"spec.schedule": "CRON_TZ=Asia/Tokyo 0 2 * * *"}), "CRON_TZ=Asia/Tokyo"),
			fail("a run missed", daily(late), "daily-backup missed its run of 2025-10-20 02:00:00Z", "10 h ago"),
			fail("never ran since it was created", daily(object{"status.lastBackup": nil}), "missed its run of 2025-09-21 02:00:00Z"),
			fail("waiting for ever", daily(late, backupOf("stuck", "daily-backup", 34*time.Hour, object{"status.phase": "InProgress"})), "missed", "stuck has been under way"),
			pass("a backup is under way", daily(late, backupOf("slow", "daily-backup", 3*time.Hour, object{"status.phase": "InProgress"}))),
			pass("a backup was just made", daily(late, backupOf("slow", "daily-backup", time.Minute, object{"status": nil, "metadata.creationTimestamp": ago(time.Minute)}))),
			fail("a backup of another schedule is under way", daily(late, backupOf("slow", "critical-backup", time.Hour, object{"status.phase": "InProgress"})), "missed"),
			pass("skipped", daily(object{"status.lastBackup": ago(34 * time.Hour), "status.lastSkipped": ago(10 * time.Hour)})),
			pass("created after the last run", daily(object{"status.lastBackup": nil, "metadata.creationTimestamp": ago(9 * time.Hour)})),
			pass("written with other blanks", daily(object{"spec.schedule": " 0  2 * * * "})),
		},
		Errors: []probetest.Failure{
			{Name: "forbidden", New: on(func() *kubefake.Cluster { return cluster().Forbid(schedulesResource()) }), Is: apierrors.IsForbidden},
			{Name: "backups forbidden", New: on(func() *kubefake.Cluster { return cluster(theSchedules(nil)...).Forbid(backupsResource()) }), Says: []string{"backups"}},
			{Name: "only a part seen", New: on(func() *kubefake.Cluster { return cluster().Narrow("only the namespaces a") }), Says: []string{"only the namespaces"}},
			{Name: "wrong type", New: daily(object{"spec.schedule": int64(5)}), Says: []string{"reading schedule daily-backup"}},
			{Name: "clocks apart", New: daily(object{"status.lastBackup": ago(-time.Hour)}), Says: []string{"clocks"}},
		},
		Hanging: on(func() *kubefake.Cluster { return cluster().Hang() }),
	}.Run(t)
}

func TestScheduleZones(t *testing.T) {
	// 02:00 in Tokyo is 17:00 UTC of the day before, which at noon was 19 hours ago.
	const cron = "CRON_TZ=Asia/Tokyo 0 2 * * *"
	for _, c := range []struct {
		name, cron, zone string
		last             time.Duration
		want             probes.Status
	}{
		{"zone in the expression, in time", cron, "", 19 * time.Hour, probes.Pass},
		{"zone in the expression, missed", cron, "", 43 * time.Hour, probes.Fail},
		{"zone of the server, in time", "0 2 * * *", "Asia/Tokyo", 19 * time.Hour, probes.Pass},
		{"zone of the server, missed", "0 2 * * *", "Asia/Tokyo", 43 * time.Hour, probes.Fail},
		{"within the grace", "55 11 * * *", "", 24 * time.Hour, probes.Pass},
		{"beyond the grace", "45 11 * * *", "", 24 * time.Hour, probes.Fail},
		{"a day that never comes", "0 0 30 2 *", "", time.Hour, probes.Fail},
		{"every so often", "@every 6h", "", 5 * time.Hour, probes.Pass},
		{"every so often, missed", "@every 6h", "", 7 * time.Hour, probes.Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := SchedulesParams{Namespace: "velero", Schedules: []Declared{{"s", c.cron}}, Grace: 10 * time.Minute, Running: time.Hour, Timezone: c.zone}
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			obs, err := NewSchedules(cluster(scheduleOf("s", c.cron, c.last, nil)), p, clock).Observe(t.Context())
			if err != nil || obs.Status != c.want {
				t.Errorf("%s %q (%v), want %s", obs.Status, obs.Summary, err, c.want)
			}
		})
	}
}

func TestParamsAreChecked(t *testing.T) {
	for name, p := range map[string]SchedulesParams{
		"no schedule":      {Namespace: "velero", Running: time.Hour},
		"no namespace":     {Schedules: declared(), Running: time.Hour},
		"no name":          {Namespace: "velero", Schedules: []Declared{{"", "0 2 * * *"}}, Running: time.Hour},
		"no cron":          {Namespace: "velero", Schedules: []Declared{{"a", ""}}, Running: time.Hour},
		"bad cron":         {Namespace: "velero", Schedules: []Declared{{"a", "0 25 * * *"}}, Running: time.Hour},
		"zone and no more": {Namespace: "velero", Schedules: []Declared{{"a", "CRON_TZ=UTC"}}, Running: time.Hour},
		"twice":            {Namespace: "velero", Schedules: []Declared{{"a", "@daily"}, {"a", "@daily"}}, Running: time.Hour},
		"bad zone":         {Namespace: "velero", Schedules: declared(), Running: time.Hour, Timezone: "Mars/Olympus"},
		"negative grace":   {Namespace: "velero", Schedules: declared(), Running: time.Hour, Grace: -1},
		"no time to run":   {Namespace: "velero", Schedules: declared()},
	} {
		if err := p.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
		b := BackupsParams(p)
		if err := b.Validate(); err == nil {
			t.Errorf("%s: accepted for backups", name)
		}
	}
	if p := (&ServerParams{}); p.Validate() == nil {
		t.Error("empty parameters of the server accepted")
	}
	if p := (&StorageParams{}); p.Validate() == nil {
		t.Error("empty parameters of the storage accepted")
	}
}

func FuzzParseCron(f *testing.F) {
	for _, s := range []string{"0 2 * * *", "TZ=UTC", "CRON_TZ=Asia/Tokyo 0 2 * * *", "@every 1h", "*/0 * * * *", "@", "1-", "TZ= 0 0 * * *", "* * * * 1/2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		if s, err := parseCron(expr); err == nil {
			nextRun(s, noon, time.UTC)
		}
	})
}
