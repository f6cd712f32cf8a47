package world

import (
	"time"
)

func harmlessMutations() []Mutation {
	const dp = "data-platform"
	extra := func(image string) app {
		return app{namespace: "sandbox", kind: deployment, name: "playground", replicas: 1, image: image, cpu: 10, memory: 16}
	}
	sandbox := func(c *changer, image string) {
		p := &plan{scenario: Documented, now: c.now, built: c.now}
		c.add(create("v1", "Namespace", "", "sandbox", nil, nil), p.workload(extra(image), nil))
	}
	return []Mutation{
		harmless("rollout-in-progress", "an update of Superset has been begun and both pods still serve", func(c *changer) {
			c.edit(deployments, dp, "superset-web", func(d object) {
				sub(d, "spec")["paused"] = true
				sub(d, "spec", "template", "metadata")["annotations"] = object{"kubectl.kubernetes.io/restartedAt": stamp(c.now)}
			})
		}),
		harmless("pod-renamed", "a pod of the portal was replaced by another", func(c *changer) {
			done := false
			c.pods(dp, "portal", 1, func(p object) {
				if done {
					return
				}
				done = true
				other := deepCopy(p)
				sub(other, "metadata")["name"] = "portal-" + text(p, "metadata", "labels", "pod-template-hash") + "-zzzzz"
				sub(other, "metadata")["uid"] = uid("Pod", nameOf(other))
				c.add(other)
				c.remove(pods, dp, name(p))
			})
		}),
		harmless("node-added", "a third worker has joined", func(c *changer) { c.add(nodeObject("k8s-worker-3", false, 4, c.now, c.now)...) }),
		harmless("node-added-cordoned", "a third worker has joined and does not take pods yet", func(c *changer) {
			objects := nodeObject("k8s-worker-3", false, 4, c.now, c.now)
			sub(objects[0], "spec")["unschedulable"] = true
			c.add(objects...)
		}),
		harmless("control-plane-tainted", "the control plane takes no more pods of the platform", func(c *changer) {
			c.edit(nodes, "", ControlPlane, setField([]any{object{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}}, "spec", "taints"))
		}),
		harmless("namespace-added", "somebody has a namespace of their own", func(c *changer) { c.add(create("v1", "Namespace", "", "sandbox", nil, nil)) }),
		harmless("workload-added", "somebody runs something of their own", func(c *changer) { sandbox(c, "registry.k8s.io/pause:3.10") }),
		harmless("scaled-up", "the portal has a third replica", func(c *changer) { c.edit(deployments, dp, "portal", replicate(3)) }),
		harmless("image-updated", "Grafana was updated", func(c *changer) {
			c.edit(deployments, "monitoring", "grafana", runsTemplate(HarborHost+"/"+HarborProject+"/grafana:10.2.3"))
		}),
		harmless("hpa-at-minimum", "Trino's autoscaler rests at its minimum", func(c *changer) { c.edit(deployments, dp, "trino-worker", replicate(2)) }),
		harmless("job-finished", "a Job has run to its end", func(c *changer) {
			spec := object{"nodeName": ControlPlane, "containers": []any{object{"name": "job", "image": "registry.k8s.io/pause:3.10"}}}
			p := create("v1", "Pod", dp, "reindex-29348210-abcde", map[string]string{"job-name": "reindex-29348210"}, object{"spec": spec, "status": object{"phase": "Succeeded"}})
			sub(p, "metadata")["ownerReferences"] = []any{object{"apiVersion": "batch/v1", "kind": "Job", "name": "reindex-29348210", "uid": uid("Job", "reindex"), "controller": true}}
			c.add(p)
		}),
		harmless("pod-evicted", "what is left of a pod that was evicted long ago", func(c *changer) {
			spec := object{"nodeName": "k8s-worker-1", "containers": []any{object{"name": "portal", "image": "254carbon-portal:1.3.0"}}}
			set := ""
			c.pods(dp, "portal", 1, func(p object) { set = text(ownerOf(p), "name") })
			p := create("v1", "Pod", dp, "portal-evicted", map[string]string{"app": "portal"}, object{"spec": spec, "status": object{"phase": "Failed", "reason": "Evicted"}})
			sub(p, "metadata")["ownerReferences"] = []any{object{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set, "uid": uid("ReplicaSet", set), "controller": true}}
			c.add(p)
		}),
		harmless("backup-by-hand-failed", "somebody's own backup has failed", func(c *changer) {
			b := backupObject("mine", object{"includedNamespaces": []any{"sandbox"}, "ttl": "1h0m0s"}, c.now.Add(-time.Hour))
			delete(sub(b, "metadata"), "labels")
			sub(b, "status")["phase"] = "Failed"
			c.add(b)
		}),
		harmless("backup-warnings", "the newest backup has warnings", func(c *changer) {
			c.edit(backups, veleroSpace, c.newest("daily-backup", "0 2 * * *", 0), setField(4, "status", "warnings"))
		}),
		harmless("backup-under-way", "a backup has just begun", func(c *changer) {
			c.add(backupObject("daily-backup", object{"storageLocation": BackupLocation, "ttl": "720h0m0s"}, c.now.Add(-10*time.Second)))
		}),
		harmless("location-added", "a second storage location, not the default, is Unavailable", func(c *changer) {
			c.add(create(veleroAPI, "BackupStorageLocation", veleroSpace, "offsite", nil, object{
				"spec":   object{"provider": "aws", "objectStorage": object{"bucket": "offsite"}},
				"status": object{"phase": "Unavailable", "lastValidationTime": stamp(c.now)},
			}))
		}),
		harmless("schedule-added", "somebody's own schedule is paused", func(c *changer) {
			s := scheduleObject(BackupSchedule{Name: "mine", Cron: "0 4 * * *", TTL: time.Hour}, c.now)
			sub(s, "spec")["paused"] = true
			c.add(s)
		}),
	}
}
