package backuptest

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/kube"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
)

// record keeps what was measured. What could not be measured leaves no evidence, neither good nor bad.
func (d *doer) record(ctx context.Context, r actions.Reporter) error {
	if err := d.note(func() { d.Over = true }); err != nil {
		return err
	}
	if d.Kept {
		return nil
	}
	run := d.run + " " + d.Suffix
	scope := evidence.Objects
	if d.chosen.Volume {
		scope = evidence.Volumes
	}
	entry := evidence.Entry{
		Kind: evidence.Proof, Scope: scope, By: d.By, Run: run,
		Details: evidence.Details{Backup: d.Velero + "/" + d.canary(), Phase: d.Phase, Items: d.Items},
	}
	var entries []evidence.Entry
	// An entry is as old as what was measured: one that is kept late proves nothing of today.
	add := func(check probes.ID, at time.Time, wrong, well string) {
		e := entry
		e.Check, e.At, e.Result, e.Summary = check, at, evidence.Passed, well
		if wrong != "" {
			e.Result, e.Summary = evidence.Failed, wrong
		}
		entries = append(entries, e)
	}
	if d.state.Backup != "" || d.Phase == "Completed" {
		add(d.BackupCheck, d.Ended, d.state.Backup, "backup Completed")
	}
	sampled := len(d.chosen.Sample) == 0 || d.Sampled > 0
	if d.Content != "" || !d.Equal.IsZero() && sampled {
		well := "content equal"
		if d.Sampled > 0 {
			well += fmt.Sprintf(", and of %d objects of real namespaces", d.Sampled)
		}
		if d.RPO != "" {
			well += "; RPO " + d.RPO
		}
		at := d.Equal
		if d.Content != "" {
			at = d.Wrong
		}
		add(d.RestoreCheck, at, d.Content, well)
		last := &entries[len(entries)-1]
		if last.Result == evidence.Passed {
			last.Details.Equal, last.Details.RTOSeconds, last.Digest = true, d.RTO, d.Found
		}
	}
	if len(entries) == 0 {
		r.Log("nothing was measured, so that there is no evidence to keep")
		return nil
	}
	if seen, err := d.Record.Read(ctx); err == nil { // an earlier process may have kept it and died
		for _, e := range seen.Items {
			if e.Run == run && e.Kind == evidence.Proof {
				return d.note(func() { d.Kept = true })
			}
		}
	}
	where, why, err := d.Record.Keep(ctx, entries...)
	if err != nil {
		return err
	}
	for _, e := range entries {
		r.Log(fmt.Sprintf("%s: %s, %s", e.Check, e.Result, e.Summary))
	}
	r.Log("kept in " + where)
	if why != nil {
		r.Log("not in the cluster: " + why.Error())
	}
	return d.note(func() { d.Kept = true })
}

// mine returns an object of the test; one of that name without its label is an error.
func (d *doer) mine(ctx context.Context, resource schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error) {
	o, err := d.Cluster.Get(ctx, resource, namespace, name)
	if err != nil || o == nil {
		return nil, err
	}
	if o.GetLabels()[runLabel] != d.Suffix {
		return nil, final("%s %s does not have the label of this test and stays", resource.Resource, name)
	}
	return o, nil
}

// named is an object by its place.
type named struct {
	resource        schema.GroupVersionResource
	namespace, name string
}

// remove deletes objects of the test, all of them before it waits for any, and waits until they are gone.
func (d *doer) remove(ctx context.Context, r actions.Reporter, all ...named) error {
	var errs []error
	for _, n := range all {
		if o, err := d.mine(ctx, n.resource, n.namespace, n.name); err == nil && o != nil && o.GetDeletionTimestamp() == nil {
			_ = d.Cluster.Delete(ctx, n.resource, n.namespace, n.name) // what fails is tried again below
		}
	}
	ctx, cancel := context.WithTimeout(ctx, d.Cleaning)
	defer cancel()
	for _, n := range all {
		err := d.await(ctx, d.Cleaning, r, func(ctx context.Context) (bool, string, error) {
			o, err := d.mine(ctx, n.resource, n.namespace, n.name)
			if err != nil || o == nil {
				return err == nil, "", err
			}
			if o.GetDeletionTimestamp() == nil {
				if err := d.Cluster.Delete(ctx, n.resource, n.namespace, n.name); err != nil {
					return false, "", err
				}
			}
			waits := "it is not gone yet"
			if f := o.GetFinalizers(); len(f) > 0 {
				waits += ", held by " + probes.Clean(strings.Join(f, ", "), 200)
			}
			return false, waits, nil
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("removing %s %s: %w", n.resource.Resource, n.name, err))
		}
	}
	return errors.Join(errs...)
}

func (d *doer) removeRestores(ctx context.Context, r actions.Reporter) error {
	return d.remove(ctx, r, named{restores, d.Velero, d.canary()}, named{restores, d.Velero, d.sampleBackup()})
}

func (d *doer) removeBackups(ctx context.Context, r actions.Reporter) error {
	ctx, cancel := context.WithTimeout(ctx, d.Cleaning)
	defer cancel()
	err := errors.Join(d.removeBackup(ctx, d.canary(), r), d.removeBackup(ctx, d.sampleBackup(), r))
	if err != nil || !d.chosen.Volume {
		return err
	}
	return d.removeRepository(ctx, r)
}

// removeRepository removes what Velero made for the volumes of the test's namespace and would keep and look after for ever.
func (d *doer) removeRepository(ctx context.Context, r actions.Reporter) error {
	all, err := d.Cluster.List(ctx, repositories, d.Velero)
	if err != nil {
		return err
	}
	for _, o := range all {
		if kube.Text(o, "spec", "volumeNamespace") == d.canary() {
			if err := d.Cluster.Delete(ctx, repositories, d.Velero, o.GetName()); err != nil {
				return err
			}
		}
	}
	if d.Store == nil || d.Store.CanMake(ctx) != nil {
		return nil // as the plan has said
	}
	prefix := strings.TrimPrefix(d.Prefix+"/kopia/"+d.canary()+"/", "/")
	if err := d.Store.RemovePrefix(ctx, d.Bucket, prefix); err != nil {
		r.Log("what is in the bucket under " + prefix + " stays: " + err.Error())
	}
	return nil
}

// removeBackup has Velero delete a backup with what it has in the store. A refusal, as while the store cannot be reached or the backup is
// still being made, is tried again.
func (d *doer) removeBackup(ctx context.Context, name string, r actions.Reporter) error {
	err := d.await(ctx, d.Cleaning, r, func(ctx context.Context) (bool, string, error) {
		o, err := d.mine(ctx, backups, d.Velero, name)
		if err != nil || o == nil {
			return err == nil, "", err
		}
		asked, err := d.Cluster.Get(ctx, deletions, d.Velero, name)
		switch {
		case err != nil:
			return false, "", err
		case asked == nil:
			request := d.object("velero.io/v1", "DeleteBackupRequest", d.Velero, name, map[string]any{"spec": map[string]any{"backupName": name}})
			labels := request.GetLabels()
			labels["velero.io/backup-name"], labels["velero.io/backup-uid"] = name, string(o.GetUID())
			request.SetLabels(labels)
			_, err := d.Cluster.Create(ctx, deletions, request)
			return false, "Velero was asked to delete it", err
		case phaseOf(asked) != "Processed":
			return false, "Velero has not deleted it: " + orNothing(phaseOf(asked)), nil
		}
		why, _, _ := unstructured.NestedStringSlice(asked.Object, "status", "errors")
		if len(why) == 0 {
			return false, "Velero has deleted it, and it is still there", nil
		}
		if err := d.Cluster.Delete(ctx, deletions, d.Velero, name); err != nil {
			return false, "", err
		}
		return false, "Velero refuses to delete it: " + probes.Clean(strings.Join(why, "; "), 300), nil
	})
	if err != nil {
		return fmt.Errorf("removing backup %s: %w", name, err)
	}
	return nil
}

// removeNamespaces removes the namespaces of the test. While a restore of it goes on, Velero would make them again, without their label.
func (d *doer) removeNamespaces(ctx context.Context, r actions.Reporter) error {
	for _, name := range []string{d.canary(), d.sampleBackup()} {
		o, err := d.mine(ctx, restores, d.Velero, name)
		if err != nil {
			return err
		}
		if phase := phaseOf(o); o != nil && phase != "Completed" && !slices.Contains(unwell, phase) {
			return fmt.Errorf("restore %s is still %s, and makes what would be removed: resume when it has ended", name, orNothing(phase))
		}
	}
	all := []named{{namespaces, "", d.scratch()}, {namespaces, "", d.canary()}}
	for i := range d.chosen.Sample {
		all = append(all, named{namespaces, "", d.sampleSpace(i)})
	}
	return d.remove(ctx, r, all...)
}

func (d *doer) removeRequests(ctx context.Context, _ actions.Reporter) error {
	var errs []error
	for _, resource := range []schema.GroupVersionResource{downloads, deletions} {
		all, err := d.Cluster.List(ctx, resource, d.Velero)
		errs = append(errs, err)
		for _, o := range all {
			if o.GetLabels()[runLabel] == d.Suffix {
				errs = append(errs, d.Cluster.Delete(ctx, resource, d.Velero, o.GetName()))
			}
		}
	}
	return errors.Join(errs...)
}

// Limits of what is shown of a log.
const (
	logPatience = 20 * time.Second
	logLines    = 200
	logBytes    = 4 << 20
)

// logs shows what Velero logged. A log that cannot be had is said and is no failure.
func (d *doer) logs(ctx context.Context, kind, name string, r actions.Reporter) {
	if err := d.fetchLogs(ctx, kind, name, r); err != nil && ctx.Err() == nil {
		r.Log("Velero's log cannot be fetched: " + err.Error())
	}
}

func (d *doer) fetchLogs(ctx context.Context, kind, name string, r actions.Reporter) error {
	if d.Fetch == nil {
		return nil
	}
	request := strings.ToLower(kind) + "-" + name
	if err := d.make(ctx, downloads, d.object("velero.io/v1", "DownloadRequest", d.Velero, request, map[string]any{
		"spec": map[string]any{"target": map[string]any{"kind": kind, "name": name}},
	})); err != nil {
		return err
	}
	var address string
	err := d.await(ctx, logPatience, r, func(ctx context.Context) (bool, string, error) {
		o, err := d.Cluster.Get(ctx, downloads, d.Velero, request)
		if err != nil {
			return false, "", err
		}
		address = kube.Text(o, "status", "downloadURL")
		return address != "", "Velero has not said where it is", nil
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	resp, err := d.Fetch(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the store answers %d", resp.StatusCode)
	}
	return show(resp.Body, r)
}

// source is where in Velero's code a line comes from.
var source = regexp.MustCompile(` logSource="[^"]*"`)

// show shows the last lines of a log.
func show(body io.Reader, r actions.Reporter) error {
	unzipped, err := gzip.NewReader(body)
	if err != nil {
		return fmt.Errorf("unpacking it: %w", err)
	}
	var lines []string
	n := 0
	scanner := bufio.NewScanner(io.LimitReader(unzipped, logBytes))
	scanner.Buffer(nil, 256<<10)
	for scanner.Scan() {
		n++
		lines = append(lines, scanner.Text())
		if len(lines) > logLines {
			lines = lines[1:]
		}
	}
	if n > len(lines) {
		r.Log(fmt.Sprintf("Velero's log, the last %d of %d lines:", len(lines), n))
	}
	for _, line := range lines {
		r.Log(probes.Clean(source.ReplaceAllString(line, ""), 500))
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	return nil
}
