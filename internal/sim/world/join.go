package world

import (
	"fmt"
	"time"
)

// JoinWorkers makes the nodes of the ready scenario join a cluster that lacks them, as kubeadm join would: node agents and log shippers
// start on them, and new pods may be placed there; pods that run stay where they are. Nodes that are there already are left alone.
func JoinWorkers(s Store, now time.Time) error {
	c := &controllers{store: s, now: now, since: now}
	for i, node := range (&plan{scenario: Ready}).nodeNames() {
		known, err := c.get(nodes, "", node)
		if err != nil {
			return fmt.Errorf("looking for node %s: %w", node, err)
		}
		if known != nil {
			continue
		}
		for _, o := range nodeObject(node, false, i+1, now, now) {
			if _, err := s.Apply(o); err != nil {
				return fmt.Errorf("joining node %s: %w", node, err)
			}
		}
	}
	return Tick(s, now)
}

// Respread restarts the critical workloads, as kubectl rollout restart would: their new pods are placed over the nodes that there are now.
func Respread(s Store, now time.Time) error {
	for _, a := range apps() {
		if !a.critical {
			continue
		}
		r := deployments
		if a.kind == statefulSet {
			r = statefulSets
		}
		if _, err := s.Mutate(r, a.namespace, a.name, func(w map[string]any) {
			sub(w, "spec", "template", "metadata", "annotations")["kubectl.kubernetes.io/restartedAt"] = stamp(now)
		}); err != nil {
			return fmt.Errorf("restarting %s/%s: %w", a.namespace, a.name, err)
		}
	}
	return Tick(s, now)
}

// Stream makes the second server of postgres-shared a standby of the first, and lets the Service that writes go to the first alone.
func Stream(s Store, now time.Time) error {
	_, err := s.Mutate(statefulSets, "data-platform", "postgres-shared", func(w map[string]any) {
		sub(w, "spec", "template", "metadata", "labels")["replication"] = "streaming"
	})
	if err != nil {
		return fmt.Errorf("making postgres-shared-1 a standby: %w", err)
	}
	for _, o := range (&plan{scenario: Ready, now: now}).services() {
		if name(o) != "postgres-shared-service" && name(o) != "postgres-shared-standby" {
			continue
		}
		if _, err := s.Apply(o); err != nil {
			return fmt.Errorf("leading Service %s: %w", nameOf(o), err)
		}
	}
	return Tick(s, now)
}

// MoveBackups lets the backups go to a store outside of what they protect: the name by which people know the store leads there from now on.
func MoveBackups(s Store, now time.Time) error {
	_, err := s.Mutate(locations, "velero", BackupLocation, func(l map[string]any) {
		config := sub(l, "spec", "config")
		config["s3Url"], config["publicUrl"] = "https://"+DownloadHost, "https://"+DownloadHost
	})
	if err != nil {
		return fmt.Errorf("moving the backups: %w", err)
	}
	return Tick(s, now)
}
