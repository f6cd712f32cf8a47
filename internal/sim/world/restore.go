package world

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The server's part in backups that somebody asks for, restores, deletions and downloads.

// testTakes is how long a simulated backup or restore takes that somebody asked for.
const testTakes = 3 * time.Second

// contentOf is where a backup keeps, in this simulation, what is in the store of it.
const contentOf = "simulation.254carbon.com/content"

// scheduled reports whether a schedule made the backup, or whoever filled this world.
func scheduled(b object) bool {
	return text(b, "metadata", "labels", "velero.io/schedule-name") != "" || text(b, "metadata", "annotations", contentOf) == "" && text(b, "status", "phase") != ""
}

// backedUp are the resources that this simulation backs up and restores.
func backedUp(names []any) (all []schema.GroupVersionResource) {
	for _, r := range []schema.GroupVersionResource{configMaps, core("secrets"), claims, pods} {
		if len(names) == 0 || slices.Contains(names, any(r.Resource)) {
			all = append(all, r)
		}
	}
	return all
}

// takeBackups begins the backups that somebody asked for, and ends them.
func (c *controllers) takeBackups() error {
	all, err := c.all(backups, "")
	if err != nil {
		return err
	}
	for _, b := range all {
		switch phase := text(b, "status", "phase"); {
		case phase == "":
			err = c.beginBackup(b)
		case phase == "InProgress" && !scheduled(b) && !c.now.Before(parseTime(text(b, "status", "startTimestamp")).Add(testTakes)):
			err = c.edit(backups, b, func(b object) {
				status := sub(b, "status")
				n := number(b, "status", "progress", "totalItems")
				status["phase"], status["completionTimestamp"], status["progress"] = "Completed", stamp(c.now), object{"totalItems": n, "itemsBackedUp": n}
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *controllers) beginBackup(b object) error {
	location, err := c.get(locations, namespace(b), text(b, "spec", "storageLocation"))
	if err != nil {
		return err
	}
	status := object{"phase": "InProgress", "version": 1, "formatVersion": "1.1.0", "startTimestamp": stamp(c.now)}
	var content []object
	if text(location, "status", "phase") != "Available" {
		status = object{"phase": "FailedValidation", "validationErrors": []any{"backup can't be created because the storage location is not Available"}}
	} else if content, err = c.capture(b); err != nil {
		return err
	}
	raw, err := json.Marshal(content)
	if err != nil {
		return err
	}
	if ttl, err := time.ParseDuration(text(b, "spec", "ttl")); err == nil {
		status["expiration"] = stamp(c.now.Add(ttl))
	}
	status["progress"] = object{"totalItems": len(content), "itemsBackedUp": 0}
	return c.edit(backups, b, func(b object) {
		b["status"] = status
		sub(b, "metadata", "annotations")[contentOf] = string(raw)
		sub(b, "metadata", "labels")["velero.io/storage-location"] = text(b, "spec", "storageLocation")
	})
}

// capture is what a backup holds. What is in volumes goes along only by node agents, for the pods that want it.
func (c *controllers) capture(b object) (content []object, err error) {
	agents, err := c.get(daemonSets, namespace(b), "node-agent")
	if err != nil {
		return nil, err
	}
	selector, _ := look(b, "spec", "labelSelector", "matchLabels").(object)
	for _, r := range backedUp(nil) { // what was read earlier in this look may be older than the backup
		delete(c.cache, r)
	}
	for _, space := range list(b, "spec", "includedNamespaces") {
		in, _ := space.(string)
		wanted := map[string]bool{}
		known, err := c.all(pods, in)
		if err != nil {
			return nil, err
		}
		for _, p := range known {
			wants := strings.Split(text(p, "metadata", "annotations", "backup.velero.io/backup-volumes"), ",")
			for _, item := range list(p, "spec", "volumes") {
				m, _ := item.(object)
				if slices.Contains(wants, text(m, "name")) && number(agents, "status", "numberReady") > 0 {
					wanted[text(m, "persistentVolumeClaim", "claimName")] = true
				}
			}
		}
		for _, r := range backedUp(list(b, "spec", "includedResources")) {
			all, err := c.all(r, in)
			if err != nil {
				return nil, err
			}
			for _, o := range all {
				if !matches(o, selector) {
					continue
				}
				o = deepCopy(o)
				if r == claims && !wanted[name(o)] {
					delete(sub(o, "metadata", "annotations"), bytesOf)
				}
				content = append(content, o)
			}
		}
	}
	return content, nil
}

// takeRestores does the restores that somebody asked for.
func (c *controllers) takeRestores() error {
	all, err := c.all(restores, "")
	if err != nil {
		return err
	}
	for _, r := range all {
		switch phase := text(r, "status", "phase"); {
		case phase == "":
			err = c.beginRestore(r)
		case phase == "InProgress" && !c.now.Before(parseTime(text(r, "status", "startTimestamp")).Add(testTakes)):
			err = c.edit(restores, r, func(r object) {
				status := sub(r, "status")
				n := number(r, "status", "progress", "totalItems")
				status["phase"], status["completionTimestamp"], status["progress"] = "Completed", stamp(c.now), object{"totalItems": n, "itemsRestored": n}
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *controllers) beginRestore(r object) error {
	b, err := c.get(backups, namespace(r), text(r, "spec", "backupName"))
	if err != nil {
		return err
	}
	if b == nil || text(b, "status", "phase") != "Completed" {
		return c.edit(restores, r, func(r object) {
			r["status"] = object{"phase": "FailedValidation", "validationErrors": []any{"an error occurred retrieving the backup"}}
		})
	}
	var content []object
	if err := json.Unmarshal([]byte(text(b, "metadata", "annotations", contentOf)), &content); err != nil {
		return fmt.Errorf("reading the content of backup %s: %w", name(b), err)
	}
	mapping, _ := look(r, "spec", "namespaceMapping").(object)
	n := 0
	for _, o := range content {
		resource, ok := map[string]schema.GroupVersionResource{
			"ConfigMap": configMaps, "Secret": core("secrets"), "PersistentVolumeClaim": claims, "Pod": pods,
		}[text(o, "kind")]
		if !ok || !slices.Contains(backedUp(list(r, "spec", "includedResources")), resource) {
			continue
		}
		if to, _ := mapping[namespace(o)].(string); to != "" {
			sub(o, "metadata")["namespace"] = to
		}
		if there, err := c.get(resource, namespace(o), name(o)); err != nil || there != nil {
			continue
		}
		for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "ownerReferences"} {
			delete(sub(o, "metadata"), field)
		}
		delete(o, "status")
		if resource == pods {
			delete(sub(o, "spec"), "nodeName")
		}
		labels := sub(o, "metadata", "labels")
		labels["velero.io/backup-name"], labels["velero.io/restore-name"] = name(b), name(r)
		if _, err := c.apply(resource, o); err != nil {
			return err
		}
		n++
	}
	return c.edit(restores, r, func(r object) {
		r["status"] = object{"phase": "InProgress", "startTimestamp": stamp(c.now), "progress": object{"totalItems": n, "itemsRestored": 0}}
	})
}

// takeDeletions deletes backups, with what asked for that.
func (c *controllers) takeDeletions() error {
	all, err := c.all(deletions, "")
	if err != nil {
		return err
	}
	for _, d := range all {
		if text(d, "status", "phase") != "" {
			continue
		}
		b, err := c.get(backups, namespace(d), text(d, "spec", "backupName"))
		if err != nil {
			return err
		}
		if b != nil && text(b, "status", "phase") == "InProgress" {
			err = c.edit(deletions, d, func(d object) {
				d["status"] = object{"phase": "Processed", "errors": []any{"backup is still in progress"}}
			})
			if err != nil {
				return err
			}
			continue
		}
		if b != nil {
			if err := c.remove(backups, b); err != nil {
				return err
			}
		}
		if err := c.remove(deletions, d); err != nil {
			return err
		}
	}
	return nil
}

// Where what Velero stores of its work can be had from outside of the cluster, by requests that are signed.
const (
	DownloadHost = "minio-api.254carbon.com"
	Signature    = "X-Amz-Signature=0254c0ffee0254c0ffee0254c0ffee0254c0ffee"
)

// takeDownloads says where logs are.
func (c *controllers) takeDownloads() error {
	all, err := c.all(downloads, "")
	if err != nil {
		return err
	}
	for _, d := range all {
		if text(d, "status", "phase") != "" {
			continue
		}
		of := text(d, "spec", "target", "name")
		path, ok := map[string]string{
			"BackupLog":  "/backups/" + of + "/" + of + "-logs.gz",
			"RestoreLog": "/restores/" + of + "/restore-" + of + "-logs.gz",
		}[text(d, "spec", "target", "kind")]
		if !ok {
			continue
		}
		err := c.edit(downloads, d, func(d object) {
			d["status"] = object{
				"phase": "Processed", "downloadURL": "https://" + DownloadHost + "/" + BackupBucket + "/" + BackupPrefix + path + "?" + Signature,
				"expiration": stamp(c.now.Add(10 * time.Minute)),
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// VeleroLog is what Velero logged of a backup or restore, by the path at which it is stored; false if there is none.
func VeleroLog(s Store, path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "/"+BackupBucket+"/"+BackupPrefix+"/")
	kind, rest, _ := strings.Cut(rest, "/")
	of, _, _ := strings.Cut(rest, "/")
	r, known := map[string]schema.GroupVersionResource{"backups": backups, "restores": restores}[kind]
	if !ok || !known {
		return "", false
	}
	o, err := s.Get(r, "velero", of)
	if err != nil {
		return "", false
	}
	at, thing := text(o, "status", "startTimestamp"), strings.TrimSuffix(kind, "s")
	return fmt.Sprintf("time=%q level=info msg=\"Starting %s\" %s=velero/%s\ntime=%q level=info msg=\"%s completed, %d items\" %s=velero/%s\n",
		at, thing, thing, of, text(o, "status", "completionTimestamp"), thing, number(o, "status", "progress", "totalItems"), thing, of), true
}
