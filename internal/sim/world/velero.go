package world

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
)

// BackupSchedule is a schedule that the platform declares.
type BackupSchedule struct {
	Name, Cron string
	TTL        time.Duration
	Namespaces []string
	Labels     map[string]string
}

// BackupSchedules are the platform's schedules.
func BackupSchedules() []BackupSchedule {
	return []BackupSchedule{
		{Name: "daily-backup", Cron: "0 2 * * *", TTL: 720 * time.Hour, Namespaces: []string{"data-platform", "monitoring", "registry", "vault-prod", "cloudflare-tunnel"}},
		{Name: "critical-backup", Cron: "0 */6 * * *", TTL: 168 * time.Hour, Namespaces: []string{"data-platform", "vault-prod"}},
		{Name: "postgres-backup", Cron: "0 3 * * *", TTL: 168 * time.Hour, Namespaces: []string{"data-platform"}, Labels: map[string]string{"app": "postgres-shared"}},
	}
}

// The storage location of the platform's backups.
const (
	BackupLocation = "default"
	BackupBucket   = "254carbon-backups"
	BackupPrefix   = "cluster-backups"
	BackupHost     = "backups.254carbon.net" // of the store outside of the cluster
)

// BackupObjects are the keys of what Velero stores of the scheduled backups that are there at a time.
func BackupObjects(now time.Time) (keys []string) {
	for _, s := range BackupSchedules() {
		for _, run := range lastRuns(s.Cron, now, 3) {
			name := s.Name + "-" + run.UTC().Format("20060102150405")
			keys = append(keys, BackupPrefix+"/backups/"+name+"/velero-backup.json", BackupPrefix+"/backups/"+name+"/"+name+".tar.gz")
		}
	}
	return keys
}

const veleroAPI = "velero.io/v1"

func (p *plan) velero() []object {
	url := "http://minio-service.data-platform.svc.cluster.local:9000"
	if p.ready() { // not within what is backed up
		url = "https://" + BackupHost
	}
	all := []object{
		create("v1", "ServiceAccount", "velero", "velero", nil, nil),
		create(veleroAPI, "BackupStorageLocation", "velero", BackupLocation, nil, object{
			"spec": object{
				"provider": "aws", "default": true, "accessMode": "ReadWrite", "validationFrequency": "1m0s",
				"objectStorage": object{"bucket": BackupBucket, "prefix": BackupPrefix},
				"config":        object{"region": "us-east-1", "s3ForcePathStyle": "true", "s3Url": url, "publicUrl": url},
				"credential":    object{"name": "minio-backup-credentials", "key": "cloud"},
			},
			"status": object{"phase": "Available", "lastValidationTime": stamp(p.now.Add(-20 * time.Second)), "lastSyncedTime": stamp(p.now.Add(-40 * time.Second))},
		}),
	}
	for _, s := range BackupSchedules() {
		runs := lastRuns(s.Cron, p.now, 3)
		all = append(all, scheduleObject(s, runs[0]))
		for _, run := range runs {
			b := backupObject(s.Name, templateOf(s), run)
			complete(b, run.Add(backupTakes))
			all = append(all, b)
		}
	}
	return all
}

func templateOf(s BackupSchedule) object {
	names := []any{}
	for _, n := range s.Namespaces {
		names = append(names, n)
	}
	t := object{"includedNamespaces": names, "storageLocation": BackupLocation, "ttl": s.TTL.String(), "snapshotVolumes": true}
	if len(s.Labels) > 0 {
		t["labelSelector"] = object{"matchLabels": anyMap(s.Labels)}
	}
	return t
}

func scheduleObject(s BackupSchedule, last time.Time) object {
	return create(veleroAPI, "Schedule", "velero", s.Name, nil, object{
		"spec":   object{"schedule": s.Cron, "paused": false, "template": templateOf(s)},
		"status": object{"phase": "Enabled", "lastBackup": stamp(last)},
	})
}

// backupTakes is how long a simulated backup is under way.
const backupTakes = 24 * time.Second

// backupObject is a backup that a schedule has just started.
func backupObject(schedule string, template object, at time.Time) object {
	spec := object{}
	for k, v := range template {
		spec[k] = v
	}
	labels := map[string]string{"velero.io/schedule-name": schedule, "velero.io/storage-location": BackupLocation}
	b := create(veleroAPI, "Backup", "velero", schedule+"-"+at.UTC().Format("20060102150405"), labels, object{
		"spec": spec,
		"status": object{
			"phase": "InProgress", "version": 1, "formatVersion": "1.1.0", "startTimestamp": stamp(at), "progress": object{"totalItems": 697, "itemsBackedUp": 311},
		},
	})
	if ttl, err := time.ParseDuration(text(b, "spec", "ttl")); err == nil {
		sub(b, "status")["expiration"] = stamp(at.Add(ttl))
	}
	b["metadata"].(object)["creationTimestamp"] = stamp(at)
	return b
}

func complete(b object, at time.Time) {
	status := sub(b, "status")
	status["phase"], status["completionTimestamp"] = "Completed", stamp(at)
	status["progress"] = object{"totalItems": 697, "itemsBackedUp": 697}
}

// lastRuns are the latest times before now at which a cron expression fired, newest first.
func lastRuns(expression string, now time.Time, n int) []time.Time {
	when, err := cron.ParseStandard(expression)
	if err != nil {
		panic(fmt.Sprintf("world: %q is no cron expression: %v", expression, err)) // of the table above
	}
	var runs []time.Time
	for t := when.Next(now.UTC().AddDate(0, 0, -n-1)); t.Before(now); t = when.Next(t) {
		runs = append([]time.Time{t}, runs...)
	}
	return runs[:min(n, len(runs))]
}

// velero plays the server: it validates the location every minute and runs what is due. It does nothing while its Deployment has no ready
// pod, may not read the cluster, or is halted.
func (c *controllers) velero() error {
	server, err := c.get(deployments, "velero", "velero")
	if err != nil || server == nil || number(server, "status", "readyReplicas") < 1 || c.halted("velero") {
		return err
	}
	if err := c.validateLocations(); err != nil {
		return err
	}
	for _, step := range []func() error{c.finishBackups, c.takeBackups, c.takeRestores, c.takeDeletions, c.takeDownloads} {
		if err := step(); err != nil {
			return err
		}
	}
	all, err := c.all(schedules, "")
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := c.acceptSchedule(s); err != nil {
			return err
		}
		if err := c.runSchedule(s); err != nil {
			return err
		}
	}
	return nil
}

// acceptSchedule says what Velero has against a new schedule, or enables it.
func (c *controllers) acceptSchedule(s object) error {
	if text(s, "status", "phase") != "" {
		return nil
	}
	return c.edit(schedules, s, func(s object) {
		status := sub(s, "status")
		status["phase"] = "Enabled"
		if _, err := cron.ParseStandard(text(s, "spec", "schedule")); err != nil {
			status["phase"], status["validationErrors"] = "FailedValidation", []any{"invalid schedule: " + err.Error()}
		}
	})
}

func (c *controllers) validateLocations() error {
	all, err := c.all(locations, "")
	if err != nil {
		return err
	}
	for _, l := range all {
		every := time.Minute
		if d, err := time.ParseDuration(text(l, "spec", "validationFrequency")); err == nil {
			every = d
		}
		if every == 0 || c.now.Sub(parseTime(text(l, "status", "lastValidationTime"))) < every {
			continue
		}
		err := c.edit(locations, l, func(l object) { sub(l, "status")["lastValidationTime"] = stamp(c.now) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *controllers) finishBackups() error {
	all, err := c.all(backups, "")
	if err != nil {
		return err
	}
	for _, b := range all {
		end := parseTime(text(b, "status", "startTimestamp")).Add(backupTakes)
		if !scheduled(b) {
			continue
		}
		if text(b, "status", "phase") != "InProgress" || c.now.Before(end) {
			continue
		}
		if err := c.edit(backups, b, func(b object) { complete(b, end) }); err != nil {
			return err
		}
	}
	return nil
}

// runSchedule starts a backup when one is due and none of the schedule is under way, as Velero does.
func (c *controllers) runSchedule(s object) error {
	when, err := cron.ParseStandard(text(s, "spec", "schedule"))
	if err != nil || look(s, "spec", "paused") == true || text(s, "status", "phase") != "Enabled" {
		return nil //nolint:nilerr // a schedule that cannot be read never runs
	}
	base := parseTime(text(s, "metadata", "creationTimestamp"))
	for _, field := range []string{"lastBackup", "lastSkipped"} {
		if t := parseTime(text(s, "status", field)); t.After(base) {
			base = t
		}
	}
	if when.Next(base.UTC()).After(c.now) {
		return nil
	}
	all, err := c.all(backups, namespace(s))
	if err != nil {
		return err
	}
	for _, b := range all {
		phase := text(b, "status", "phase")
		if text(b, "metadata", "labels", "velero.io/schedule-name") == name(s) && (phase == "" || phase == "New" || phase == "InProgress") {
			return nil
		}
	}
	template, _ := look(s, "spec", "template").(object)
	if _, err := c.apply(backups, backupObject(name(s), template, c.now)); err != nil {
		return err
	}
	return c.edit(schedules, s, func(s object) { sub(s, "status")["lastBackup"] = stamp(c.now) })
}
