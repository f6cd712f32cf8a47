package world

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/254carbon/gonogo/probes/evidence"
)

var persistentVolumes = core("persistentvolumes")

// volumes are those that hold what the platform must not lose.
func (p *plan) volumes() []object {
	all := []object{create("storage.k8s.io/v1", "StorageClass", "", "local-path", nil, object{
		"provisioner": "rancher.io/local-path", "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
	})}
	sub(all[0], "metadata")["annotations"] = object{"storageclass.kubernetes.io/is-default-class": "true"}
	for i, claim := range []string{"data-postgres-shared-0", "data-minio-0", "data-doris-fe-0", "data-zookeeper-0", "data-redis-0"} {
		name := "pvc-" + uid("PersistentVolumeClaim", "data-platform/"+claim)
		all = append(all, create("v1", "PersistentVolume", "", name, nil, object{
			"spec": object{
				"capacity": object{"storage": fmt.Sprintf("%dGi", 20*(i+1))}, "accessModes": []any{"ReadWriteOnce"}, "storageClassName": "local-path",
				"persistentVolumeReclaimPolicy": "Delete", "claimRef": object{"kind": "PersistentVolumeClaim", "namespace": "data-platform", "name": claim},
				"hostPath": object{"path": "/opt/local-path-provisioner/" + name},
			},
			"status": object{"phase": "Bound"},
		}))
	}
	return all
}

// Ages of what the scenario ready has in its evidence record.
const (
	backupTested    = 26 * time.Hour
	restoreVerified = 25 * time.Hour
)

// testedBackup is the backup that the evidence record of the scenario ready is about.
const testedBackup = "test-backup-1"

// proved is the evidence record of the scenario ready, and the backup that it is about.
func (p *plan) proved() []object {
	if !p.ready() {
		return nil
	}
	at := p.now.Add(-backupTested)
	b := backupObject("test-backup", object{"includedNamespaces": []any{"data-platform"}, "storageLocation": BackupLocation, "ttl": "720h0m0s", "snapshotVolumes": true}, at)
	delete(sub(b, "metadata"), "labels")
	sub(b, "metadata")["name"] = testedBackup // whatever the second in which it began
	complete(b, at.Add(backupTakes))
	details := evidence.Details{Backup: nameOf(b), Phase: "Completed", Items: 697}
	restore := details
	restore.Equal, restore.RTOSeconds = true, 41
	entry := evidence.Entry{Kind: evidence.Proof, Result: evidence.Passed, Scope: evidence.Volumes, By: "gonogo", Run: "backup-test #1", Details: details}
	first, second := entry, entry
	first.Check, first.At, first.Summary = "test-backup", at.Add(backupTakes), "backup Completed"
	second.Check, second.At, second.Summary, second.Details = "restore-verified", p.now.Add(-restoreVerified), "content equal", restore
	second.Digest = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("what was restored")))
	return []object{b, recordOf(first, second)}
}

// recordOf is the ConfigMap with these entries.
func recordOf(entries ...evidence.Entry) object {
	data := object{}
	for _, e := range entries {
		key, text, err := e.Encode()
		if err != nil {
			panic(fmt.Sprintf("world: %v", err)) // of the entries above
		}
		data[key] = text
	}
	return create("v1", "ConfigMap", "default", evidence.ObjectName, map[string]string{"app.kubernetes.io/managed-by": "gonogo"}, object{"data": data})
}

// entries edits the entries about a check in the record.
func (c *changer) entries(check string, change func(e *evidence.Entry)) {
	c.edit(configMaps, "default", evidence.ObjectName, func(o object) {
		data := sub(o, "data")
		for _, key := range sortedKeys(data) {
			value, _ := data[key].(string)
			e := evidence.Decode(key, value)
			if string(e.Check) != check {
				continue
			}
			delete(data, key)
			change(&e)
			if key, text, err := e.Encode(); err == nil {
				data[key] = text
			} else {
				c.err = err
			}
		}
	})
}

func evidenceMutations() []Mutation {
	entry := func(check string, change func(c *changer, e *evidence.Entry)) func(*changer) {
		return func(c *changer) { c.entries(check, func(e *evidence.Entry) { change(c, e) }) }
	}
	return []Mutation{
		bad("record-missing", "the evidence record was deleted", func(c *changer) { c.remove(configMaps, "default", evidence.ObjectName) },
			fails("test-backup", "no test backup was ever recorded")),
		bad("record-empty", "the evidence record has lost its entries", func(c *changer) {
			c.edit(configMaps, "default", evidence.ObjectName, func(o object) { delete(o, "data") })
		}, fails("test-backup", "no test backup")),
		bad("test-backup-old", "the last test backup was eight days ago", entry("test-backup", func(c *changer, e *evidence.Entry) { e.At = c.now.Add(-8 * 24 * time.Hour) }),
			fails("test-backup", "8 days old")),
		bad("test-backup-partial", "the test backup failed in part", entry("test-backup", func(_ *changer, e *evidence.Entry) { e.Details.Phase = "PartiallyFailed" }),
			fails("test-backup", "PartiallyFailed")),
		bad("test-backup-objects", "the test backup is of objects alone", entry("test-backup", func(_ *changer, e *evidence.Entry) { e.Scope = evidence.Objects }),
			warns("test-backup", "objects alone", "5 volumes")),
		bad("test-backup-contradicted", "the backup itself says something else", func(c *changer) {
			c.edit(backups, veleroSpace, testedBackup, setField("Failed", "status", "phase"))
		}, fails("test-backup", "is Failed")),
		bad("restore-old", "nobody has restored anything for 31 days", entry("restore-verified", func(c *changer, e *evidence.Entry) { e.At = c.now.Add(-31 * 24 * time.Hour) }),
			fails("restore-verified", "31 days old")),
		bad("restore-expired", "the proof of a restore is not valid any more", entry("restore-verified", func(c *changer, e *evidence.Entry) { e.ValidUntil = c.now.Add(-time.Hour) }),
			fails("restore-verified", "was valid until")),
		bad("restore-failed", "the last restore had other content", entry("restore-verified", func(c *changer, e *evidence.Entry) {
			e.Result, e.Summary, e.Details.Equal = evidence.Failed, "3 of 697 items differ", false
		}), fails("restore-verified", "3 of 697 items differ")),
		bad("restore-not-compared", "nobody compared what was restored", entry("restore-verified", func(_ *changer, e *evidence.Entry) { e.Details.Equal = false }),
			fails("restore-verified", "content")),
		bad("restore-untimed", "nobody knows how long the restore took", entry("restore-verified", func(_ *changer, e *evidence.Entry) { e.Details.RTOSeconds = 0 }),
			fails("restore-verified", "RTO")),
		bad("restore-objects", "only objects were restored", entry("restore-verified", func(_ *changer, e *evidence.Entry) { e.Scope = evidence.Objects }),
			warns("restore-verified", "objects alone")),
		harmless("record-of-others", "somebody keeps something of their own in the record", func(c *changer) {
			c.edit(configMaps, "default", evidence.ObjectName, setField("not ours", "data", "notes"))
		}),
		harmless("restore-of-objects-since", "objects were restored once more since the volumes were", func(c *changer) {
			c.edit(configMaps, "default", evidence.ObjectName, func(o object) {
				data := sub(o, "data")
				for _, key := range sortedKeys(data) {
					value, _ := data[key].(string)
					e := evidence.Decode(key, value)
					e.Scope, e.At = evidence.Objects, c.now.Add(-time.Hour)
					if key, text, err := e.Encode(); err == nil {
						data[key] = text
					}
				}
			})
		}),
		harmless("objects-alone-without-volumes", "objects alone were restored, and there is nothing else", func(c *changer) {
			c.entries("restore-verified", func(e *evidence.Entry) { e.Scope = evidence.Objects })
			c.entries("test-backup", func(e *evidence.Entry) { e.Scope = evidence.Objects })
			if c.err == nil {
				all, err := c.store.List(persistentVolumes, "", nil)
				c.err = err
				for _, v := range all {
					c.remove(persistentVolumes, "", name(v))
				}
			}
		}),
	}
}
