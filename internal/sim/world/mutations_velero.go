package world

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

const veleroSpace = "velero"

func veleroServerMutations() []Mutation {
	const check = "velero-ready"
	server := func(r schema.GroupVersionResource, name string, change func(object)) func(*changer) {
		return func(c *changer) { c.edit(r, veleroSpace, name, change) }
	}
	return []Mutation{
		bad("velero-gone", "Velero's server was deleted", func(c *changer) { c.remove(deployments, veleroSpace, "velero") }, fails(check, "no deployment velero")),
		bad("velero-stopped", "Velero's server is scaled to zero", server(deployments, "velero", replicate(0)), fails(check, "scaled to zero")),
		bad("velero-crashing", "Velero's server does not start", func(c *changer) { c.pods(veleroSpace, "velero", 0, c.broken("CrashLoopBackOff", 21)) },
			fails(check, "no ready pod")),
		bad("velero-placeholder", "Velero's server is something else", server(deployments, "velero", runsTemplate("busybox:latest")), fails(check, "busybox")),
		bad("velero-no-account", "the account that Velero runs as is missing", func(c *changer) { c.remove(accounts, veleroSpace, "velero") }, fails(check, "serviceaccount velero")),
		bad("velero-no-rights", "Velero's account is bound to no role", func(c *changer) { c.remove(bindings, "", "velero-server") }, fails(check, "no cluster role")),
		bad("velero-few-rights", "Velero's account may only look", func(c *changer) { c.edit(bindings, "", "velero-server", setField("view", "roleRef", "name")) },
			fails(check, "view")),
		bad("velero-no-agents", "the node agents were deleted, although volumes go through them", func(c *changer) { c.remove(daemonSets, veleroSpace, "node-agent") },
			fails(check, "node-agent")),
		bad("velero-agent-missing", "the node agent of one node does not run", func(c *changer) { c.pods(veleroSpace, "node-agent", 1, c.broken("CrashLoopBackOff", 2)) },
			warns(check, "node-agent", "2 of 3")),
	}
}

func locationMutations() []Mutation {
	const check = "backup-location"
	location := func(change func(object)) func(*changer) {
		return func(c *changer) { c.edit(locations, veleroSpace, BackupLocation, change) }
	}
	return []Mutation{
		bad("location-gone", "the storage location was deleted", func(c *changer) { c.remove(locations, veleroSpace, BackupLocation) }, fails(check, "no backup storage location")),
		bad("location-unavailable", "the storage location is Unavailable", location(func(l object) {
			sub(l, "status")["phase"], sub(l, "status")["message"] = "Unavailable", "BackupStorageLocation \"default\" is unavailable: rpc error: NoSuchBucket"
		}), fails(check, "Unavailable", "NoSuchBucket")),
		bad("location-stale", "the storage location says Available, and nobody has looked for ten minutes", func(c *changer) {
			c.halt("velero")
			c.edit(locations, veleroSpace, BackupLocation, setField(stamp(c.now.Add(-10*time.Minute)), "status", "lastValidationTime"))
		}, fails(check, "last validated")),
		bad("location-never-validated", "the storage location was never validated", func(c *changer) {
			c.halt("velero")
			c.edit(locations, veleroSpace, BackupLocation, setField(object{}, "status"))
		}, fails(check, "never validated")),
		bad("location-wrong-bucket", "the storage location uses the bucket that the setup job made", location(setField("velero-backups", "spec", "objectStorage", "bucket")),
			fails(check, "velero-backups")),
		bad("location-wrong-prefix", "the storage location writes elsewhere in the bucket", location(setField("", "spec", "objectStorage", "prefix")), fails(check, "prefix")),
		bad("location-read-only", "the storage location may only be read", location(setField("ReadOnly", "spec", "accessMode")), fails(check, "ReadOnly")),
		bad("location-not-default", "no storage location is the default", location(setField(false, "spec", "default")), fails(check, "default")),
	}
}

func scheduleMutations() []Mutation {
	const check = "backup-schedules"
	schedule := func(name string, change func(object)) func(*changer) {
		return func(c *changer) { c.edit(schedules, veleroSpace, name, change) }
	}
	return []Mutation{
		bad("schedule-gone", "a schedule was deleted", func(c *changer) { c.remove(schedules, veleroSpace, "postgres-backup") }, fails(check, "postgres-backup does not exist")),
		bad("schedule-paused", "a schedule is paused", schedule("daily-backup", setField(true, "spec", "paused")), fails(check, "daily-backup", "paused")),
		bad("schedule-other-time", "a schedule runs weekly, not daily", schedule("daily-backup", setField("0 2 * * 0", "spec", "schedule")), fails(check, "daily-backup", "0 2 * * 0")),
		bad("schedule-invalid", "Velero refused a schedule", schedule("critical-backup", func(s object) {
			sub(s, "status")["phase"], sub(s, "status")["validationErrors"] = "FailedValidation", []any{"invalid schedule: expected exactly 5 fields"}
		}), fails(check, "critical-backup", "FailedValidation")),
		bad("schedule-missed", "a schedule missed its last two runs, while all else looks well", func(c *changer) {
			c.halt("velero")
			c.edit(schedules, veleroSpace, "daily-backup", setField(stamp(lastRuns("0 2 * * *", c.now, 3)[2]), "status", "lastBackup"))
		}, fails(check, "daily-backup", "missed")),
	}
}

// newest is the name of the newest backup of a schedule, the given number of runs back.
func (c *changer) newest(schedule, cron string, back int) string {
	return schedule + "-" + lastRuns(cron, c.now, back+1)[back].Format("20060102150405")
}

func backupMutations() []Mutation {
	const check, daily, at = "backup-newest", "daily-backup", "0 2 * * *"
	newest := func(change func(status object, c *changer)) func(*changer) {
		return func(c *changer) {
			c.edit(backups, veleroSpace, c.newest(daily, at, 0), func(b object) { change(sub(b, "status"), c) })
		}
	}
	return []Mutation{
		bad("backup-partially-failed", "the newest backup is PartiallyFailed", newest(func(s object, _ *changer) { s["phase"], s["errors"] = "PartiallyFailed", 3 }),
			fails(check, daily, "PartiallyFailed", "3 errors")),
		bad("backup-failed", "the newest backup is Failed", newest(func(s object, _ *changer) { s["phase"], s["failureReason"] = "Failed", "error uploading: 503 SlowDown" }),
			fails(check, daily, "Failed", "SlowDown")),
		bad("backup-refused", "Velero refused the newest backup", newest(func(s object, _ *changer) {
			s["phase"], s["validationErrors"] = "FailedValidation", []any{"backup storage location is currently in read-only mode"}
		}), fails(check, daily, "read-only")),
		bad("backup-errors", "the newest backup is Completed and has errors", newest(func(s object, _ *changer) { s["errors"] = 2 }), fails(check, daily, "2 errors")),
		bad("backup-expired", "the newest backup has expired", newest(func(s object, c *changer) { s["expiration"] = stamp(c.now.Add(-time.Hour)) }), fails(check, daily, "expired")),
		bad("backup-too-old", "the newest backup is of two days ago", func(c *changer) {
			for back := range 2 {
				c.remove(backups, veleroSpace, c.newest(daily, at, back))
			}
		}, fails(check, daily, "too old")),
		bad("backup-none", "no backup of a schedule was ever made", func(c *changer) {
			for back := range 3 {
				c.remove(backups, veleroSpace, c.newest(daily, at, back))
			}
		}, fails(check, daily)),
		bad("backup-stuck", "the newest backup has been under way for hours", func(c *changer) {
			c.halt("velero")
			c.edit(backups, veleroSpace, c.newest(daily, at, 0), func(b object) {
				delete(sub(b, "status"), "completionTimestamp")
				sub(b, "status")["phase"] = "InProgress"
			})
		}, fails(check, daily, "stuck")),
	}
}
