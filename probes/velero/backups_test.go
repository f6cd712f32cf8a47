package velero

import (
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

func TestBackups(t *testing.T) {
	params := *BackupsInfo().Params().(*BackupsParams)
	params.Schedules = declared()
	if err := params.Validate(); err != nil {
		t.Fatal(err)
	}
	on := func(c func() *kubefake.Cluster) func(*testing.T) probes.Probe {
		return always(c, func(c *kubefake.Cluster) probes.Probe { return NewBackups(c, params, clock) })
	}
	others := func() []object {
		return []object{
			backupOf("daily-1", "daily-backup", 34*time.Hour, nil),
			backupOf("critical-1", "critical-backup", 6*time.Hour, nil),
			backupOf("postgres-1", "postgres-backup", 9*time.Hour, nil),
			thing("velero.io/v1", "Backup", "by-hand", object{"status.phase": "Failed", "status.startTimestamp": ago(time.Minute)}),
			backupOf("other", "of-somebody", time.Minute, object{"status.phase": "Failed"}),
		}
	}
	daily := func(began time.Duration, over object) func(*testing.T) probes.Probe {
		return on(func() *kubefake.Cluster {
			return cluster(append(others(), backupOf("daily-2", "daily-backup", began, over))...)
		})
	}
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	phase := func(p string, more object) func(*testing.T) probes.Probe {
		return daily(10*time.Hour, with(object{"status.phase": p}, more))
	}
	probetest.Suite{
		New: daily(10*time.Hour, nil),
		Worlds: []probetest.World{
			fail("not installed", on(func() *kubefake.Cluster { return kubefake.New() }), "not installed"),
			fail("none at all", on(func() *kubefake.Cluster { return cluster() }), "no backup of schedule daily-backup"),
			fail("none of one schedule", on(func() *kubefake.Cluster { return cluster(others()[:2]...) }), "no backup of schedule postgres-backup"),
			fail("the first is under way", on(func() *kubefake.Cluster {
				return cluster(append(others()[1:], backupOf("daily-1", "daily-backup", time.Minute, object{"status.phase": "InProgress"}))...)
			}), "the first is under way"),
			fail("the newest is a day too old", on(func() *kubefake.Cluster { return cluster(others()...) }), "daily-1", "too old", "10 h ago"),
			fail("partially failed", phase("PartiallyFailed", object{"status.errors": int64(3), "status.warnings": int64(1)}), "daily-2 is PartiallyFailed", "3 errors", "1 warning"),
			fail("certain to fail", phase("FinalizingPartiallyFailed", object{"status.errors": int64(1)}), "FinalizingPartiallyFailed: 1 error"),
			fail("waiting, certain to fail", phase("WaitingForPluginOperationsPartiallyFailed", nil), "WaitingForPluginOperationsPartiallyFailed"),
			fail("failed", phase("Failed", object{"status.failureReason": "no space left\x1b]0;x\x07"}), "Failed: no space left"),
			fail("refused", phase("FailedValidation", object{"status.startTimestamp": nil, "metadata.creationTimestamp": ago(10 * time.Hour), "status.validationErrors": []any{"location x is unavailable"}}),
				"FailedValidation: location x is unavailable"),
			fail("being deleted", phase("Deleting", nil), "daily-2 is Deleting"),
			fail("completed with errors", phase("Completed", object{"status.errors": int64(2)}), "Completed but has 2 errors"),
			fail("expired", phase("Completed", object{"status.expiration": ago(time.Hour)}), "expired 60 min ago"),
			fail("stuck", daily(10*time.Hour, object{"status.phase": "InProgress"}), "daily-2 is stuck", "InProgress for 10 h"),
			fail("a phase that nobody knows, for too long", daily(10*time.Hour, object{"status.phase": "Ascending"}), "stuck", "Ascending"),
			fail("late and under way", daily(time.Hour, object{"status.phase": "InProgress"}), "began 9 h late"),
			{Name: "with warnings", New: phase("Completed", object{"status.warnings": int64(2)}), Want: probes.Pass, Says: []string{"daily-2 has 2 warnings"}},
			{Name: "synced into a new cluster", New: phase("Completed", object{"metadata.creationTimestamp": ago(time.Minute)}), Want: probes.Pass, Shows: []string{"02:00:00Z"}},
		},
		Errors: []probetest.Failure{
			{Name: "forbidden", New: on(func() *kubefake.Cluster { return cluster().Forbid(backupsResource()) }), Is: apierrors.IsForbidden},
			{Name: "only a part seen", New: on(func() *kubefake.Cluster { return cluster().Narrow("only the namespaces a") }), Says: []string{"only the namespaces"}},
			{Name: "wrong type", New: phase("Completed", object{"status.errors": "many"}), Says: []string{"reading backup daily-2"}},
			{Name: "from the future", New: daily(-time.Hour, nil), Says: []string{"clocks"}},
		},
		Hanging: on(func() *kubefake.Cluster { return cluster().Hang() }),
	}.Run(t)
}

// The newest that has ended counts while the next is under way in time.
func TestBackupUnderWay(t *testing.T) {
	params := BackupsParams{Namespace: "velero", Schedules: []Declared{{"s", "0 11 * * *"}}, Grace: 30 * time.Minute, Running: 4 * time.Hour}
	for _, phase := range []any{"New", "Queued", "ReadyToStart", "InProgress", "WaitingForPluginOperations", "Finalizing", "Ascending", ""} {
		c := cluster(backupOf("s-1", "s", 25*time.Hour, nil), backupOf("s-2", "s", time.Hour, object{"status.phase": phase}))
		obs, err := NewBackups(c, params, clock).Observe(t.Context())
		if err != nil || obs.Status != probes.Pass {
			t.Errorf("%q: %s %q (%v), want pass", phase, obs.Status, obs.Summary, err)
		}
	}
}
