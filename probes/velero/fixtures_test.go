package velero

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
)

type object = map[string]any

// noon is when the tests ask.
var noon = time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

func ago(d time.Duration) string { return noon.Add(-d).Format(time.RFC3339) }

// thing returns an object of the namespace velero. Each setting has a dotted path: "spec.paused".
func thing(apiVersion, kind, name string, settings object) object {
	o := object{"apiVersion": apiVersion, "kind": kind, "metadata": object{
		"name": name, "namespace": "velero", "creationTimestamp": ago(720 * time.Hour),
	}}
	for _, path := range sortedKeys(settings) {
		set(o, path, settings[path])
	}
	return o
}

// sortedKeys puts what is to be removed last.
func sortedKeys(m object) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if gone := m[a] == nil; gone != (m[b] == nil) {
			return map[bool]int{true: 1, false: -1}[gone]
		}
		return strings.Compare(a, b)
	})
}

// set puts a value at a path, or removes it if it is nil. A slash stands for a dot within a name.
func set(o object, path string, value any) {
	parts := strings.Split(path, ".")
	for _, p := range parts[:len(parts)-1] {
		inner, ok := o[p].(object)
		if !ok {
			inner = object{}
			o[p] = inner
		}
		o = inner
	}
	last := strings.ReplaceAll(parts[len(parts)-1], "~", ".")
	if value == nil {
		delete(o, last)
		return
	}
	o[last] = value
}

// with is thing settings over defaults.
func with(defaults, over object) object {
	all := maps.Clone(defaults)
	maps.Copy(all, over)
	return all
}

func locationOf(name string, over object) object {
	return thing("velero.io/v1", "BackupStorageLocation", name, with(object{
		"spec.provider": "aws", "spec.default": true, "spec.objectStorage.bucket": "254carbon-backups", "spec.objectStorage.prefix": "cluster-backups",
		"spec.ofAnotherVersion": object{"a": int64(1)},
		"status.phase":          "Available", "status.lastValidationTime": ago(40 * time.Second),
	}, over))
}

func scheduleOf(name, cron string, last time.Duration, over object) object {
	return thing("velero.io/v1", "Schedule", name, with(object{
		"spec.schedule": cron, "status.phase": "Enabled", "status.lastBackup": ago(last), "status.ofAnotherVersion": "x",
	}, over))
}

func backupOf(name, schedule string, began time.Duration, over object) object {
	return thing("velero.io/v1", "Backup", name, with(object{
		"metadata.labels." + strings.ReplaceAll(scheduleLabel, ".", "~"): schedule,
		"status.phase": "Completed", "status.startTimestamp": ago(began), "status.completionTimestamp": ago(began - time.Minute),
		"status.expiration": noon.Add(600 * time.Hour).Format(time.RFC3339), "status.progress.totalItems": int64(697), "status.progress.itemsBackedUp": int64(697),
	}, over))
}

// cluster makes a cluster that serves Velero's kinds.
func cluster(objects ...object) *kubefake.Cluster {
	c := kubefake.New()
	for _, r := range []string{"backups", "schedules", "backupstoragelocations"} {
		c.Serve(veleroResource(r))
	}
	c.Add(objects...)
	return c
}

// always makes a constructor of what makes a probe from a cluster.
func always(c func() *kubefake.Cluster, probe func(*kubefake.Cluster) probes.Probe) func(*testing.T) probes.Probe {
	return func(*testing.T) probes.Probe { return probe(c()) }
}
