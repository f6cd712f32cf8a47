package backuptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/kube"
	"github.com/254carbon/gonogo/probes"
)

// Open implements [actions.Action]. The names of what the test makes are settled here, and kept in the run's folder.
func (a action) Open(_ context.Context, p actions.Plan, folder string) (actions.Doer, error) {
	d := &doer{action: a, folder: folder, run: string(p.Action)}
	if len(p.Data) > 0 {
		if err := json.Unmarshal(p.Data, &d.chosen); err != nil {
			return nil, fmt.Errorf("reading the plan: %w", err)
		}
	}
	var err error
	d.state, err = load(folder)
	return d, err
}

// doer carries out one test; its steps follow each other.
type doer struct {
	action
	chosen
	*state
	folder string
	run    string
}

// Close implements [actions.Doer].
func (d *doer) Close() error { return nil }

// Done implements [actions.Doer]. Whether a step is done shows in doing it again, which does nothing twice.
func (d *doer) Done(context.Context, actions.Step) (bool, error) { return false, nil }

// errOver is what is left of a test whose clean-up has begun.
var errOver = errors.New("this test has ended and what it made is being taken away: run another one")

// Do implements [actions.Doer].
func (d *doer) Do(ctx context.Context, s actions.Step, r actions.Reporter) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.Over && !s.Cleanup {
		return errOver
	}
	do, ok := map[string]func(context.Context, actions.Reporter) error{
		stepBucket: d.makeBucket, stepLocation: d.awaitLocation, stepCanary: d.makeCanary, stepBackup: d.backUp, stepRestore: d.restore, stepCompare: d.compare,
		stepSampleBackup: d.backUpSample, stepSampleRestore: d.restoreSample, stepSampleCompare: d.compareSample,
		stepRecord: d.record, stepNoRestores: d.removeRestores, stepNoBackups: d.removeBackups, stepNoNamespaces: d.removeNamespaces, stepNoRequests: d.removeRequests,
	}[s.ID]
	if !ok {
		return fmt.Errorf("there is no step %q in a test of backups", s.ID)
	}
	return do(ctx, r)
}

// note changes the state and keeps it.
func (d *doer) note(change func()) error {
	change()
	return d.save(d.folder)
}

func (d *doer) makeBucket(ctx context.Context, _ actions.Reporter) error {
	return d.Store.MakeBucket(ctx, d.Bucket)
}

// await looks until something is as wanted, for so long as patience lasts. A right that is missing does not come by waiting.
func (d *doer) await(ctx context.Context, patience time.Duration, r actions.Reporter, look func(ctx context.Context) (done bool, waits string, err error)) error {
	return actions.Await(ctx, patience, d.Pause, r, func(ctx context.Context) (bool, string, error) {
		done, waits, err := look(ctx)
		if apierrors.IsForbidden(err) {
			err = actions.Final(err)
		}
		return done, waits, err
	})
}

func final(format string, args ...any) error { return actions.Final(fmt.Errorf(format, args...)) }

func (d *doer) awaitLocation(ctx context.Context, r actions.Reporter) error {
	err := d.await(ctx, d.Patience, r, func(ctx context.Context) (bool, string, error) {
		o, err := d.Cluster.Get(ctx, locations, d.Velero, d.chosen.Location)
		if err != nil {
			return false, "", err
		}
		if phaseOf(o) == "Available" {
			return true, "", nil
		}
		return false, fmt.Sprintf("it is %s: %s", orNothing(phaseOf(o)), probes.Clean(kube.Text(o, "status", "message"), 300)), nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the storage location %s to be Available: %w", d.chosen.Location, err)
	}
	return nil
}

// make makes an object of the test; one that is there must be the test's.
func (d *doer) make(ctx context.Context, resource schema.GroupVersionResource, o *unstructured.Unstructured) error {
	_, err := d.Cluster.Create(ctx, resource, o)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	there, err := d.Cluster.Get(ctx, resource, o.GetNamespace(), o.GetName())
	switch {
	case err != nil:
		return err
	case there == nil:
		return fmt.Errorf("%s %s was there and is gone: resume", resource.Resource, o.GetName())
	case there.GetLabels()[runLabel] != d.Suffix:
		return fmt.Errorf("there is a %s %s already, which is not this test's", o.GetKind(), o.GetName())
	case there.GetDeletionTimestamp() != nil:
		return fmt.Errorf("%s %s of this test is being deleted", resource.Resource, o.GetName())
	}
	return nil
}

// object is one of the test's, with its label.
func (d *doer) object(apiVersion, kind, namespace, name string, rest map[string]any) *unstructured.Unstructured {
	metadata := map[string]any{"name": name, "labels": d.labels()}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	o := map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
	for k, v := range rest {
		o[k] = v
	}
	return &unstructured.Unstructured{Object: o}
}

// canaryName is the name of everything in the namespace of the test.
const canaryName = "gonogo-canary"

// configData and secretData are the content of the test.
func (d *doer) configData() map[string]any {
	return map[string]any{"nonce": d.Nonce, "words": d.words("config"), "empty": "", "lines": "a\n\tb\n  c: \"d\"\n", "unicode": "254 ⚛ ¼"}
}

// secretData is in base64, as the API has it.
func (d *doer) secretData() map[string]any {
	return map[string]any{"password": base64Of(d.words("secret")), "bytes": base64Of("\x00\x01\xfe\xff" + d.words("bytes")[:8])}
}

func (d *doer) makeCanary(ctx context.Context, r actions.Reporter) error {
	space := d.canary()
	r.Log("namespace " + space)
	if err := d.make(ctx, namespaces, d.object("v1", "Namespace", "", space, nil)); err != nil {
		return err
	}
	if err := d.make(ctx, configMaps, d.object("v1", "ConfigMap", space, canaryName, map[string]any{"data": d.configData()})); err != nil {
		return err
	}
	if err := d.make(ctx, secrets, d.object("v1", "Secret", space, canaryName, map[string]any{"type": "Opaque", "data": d.secretData()})); err != nil {
		return err
	}
	if !d.chosen.Volume {
		return nil
	}
	if err := d.make(ctx, claims, d.claim(space)); err != nil {
		return err
	}
	if err := d.make(ctx, pods, d.pod(space)); err != nil {
		return err
	}
	sum, err := d.sum(ctx, space, r)
	if err != nil {
		return err
	}
	r.Log("1 MiB of random bytes, sha256 " + sum)
	return d.note(func() { d.Bytes = sum })
}

func (d *doer) claim(space string) *unstructured.Unstructured {
	return d.object("v1", "PersistentVolumeClaim", space, canaryName, map[string]any{"spec": map[string]any{
		"accessModes": []any{"ReadWriteOnce"}, "storageClassName": d.chosen.StorageClass, "resources": map[string]any{"requests": map[string]any{"storage": "16Mi"}},
	}})
}

// writer writes random bytes if there are none, and says what there is. Where they were restored, none are written.
const writer = `[ -s /data/bytes ] || head -c 1048576 /dev/urandom > /data/bytes; sync; sha256sum /data/bytes; exec sleep 86400`

func (d *doer) pod(space string) *unstructured.Unstructured {
	o := d.object("v1", "Pod", space, canaryName, map[string]any{"spec": map[string]any{
		"restartPolicy": "Always", "automountServiceAccountToken": false, "enableServiceLinks": false, "terminationGracePeriodSeconds": int64(0),
		"securityContext": map[string]any{
			"runAsNonRoot": true, "runAsUser": int64(65534), "runAsGroup": int64(65534), "fsGroup": int64(65534), "seccompProfile": map[string]any{"type": "RuntimeDefault"},
		},
		"containers": []any{map[string]any{
			"name": "writer", "image": d.chosen.Image, "command": []any{"sh", "-c", writer},
			"volumeMounts":    []any{map[string]any{"name": "data", "mountPath": "/data"}},
			"resources":       map[string]any{"requests": map[string]any{"cpu": "10m", "memory": "16Mi"}, "limits": map[string]any{"cpu": "200m", "memory": "64Mi"}},
			"securityContext": map[string]any{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": map[string]any{"drop": []any{"ALL"}}},
		}},
		"volumes": []any{map[string]any{"name": "data", "persistentVolumeClaim": map[string]any{"claimName": canaryName}}},
	}})
	o.SetAnnotations(map[string]string{"backup.velero.io/backup-volumes": "data"})
	return o
}

// sum is what the pod of a namespace says of the bytes in its volume.
func (d *doer) sum(ctx context.Context, space string, r actions.Reporter) (sum string, err error) {
	err = d.await(ctx, d.Patience, r, func(ctx context.Context) (bool, string, error) {
		o, err := d.Cluster.Get(ctx, pods, space, canaryName)
		if err != nil {
			return false, "", err
		}
		if o == nil {
			return false, "", final("the pod of the volume is not there")
		}
		if kube.Text(o, "status", "phase") != "Running" {
			return false, "the pod of the volume is " + orNothing(probes.Clean(kube.Text(o, "status", "phase"), 40)) + waitsFor(o), nil
		}
		log, err := d.Log(ctx, space, canaryName)
		if err != nil {
			return false, "", err
		}
		for line := range strings.Lines(log) {
			if first, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.TrimSpace(rest) == "/data/bytes" && len(first) == 64 {
				sum = probes.Clean(first, 64)
				return true, "", nil
			}
		}
		return false, "the pod has not said what it wrote", nil
	})
	if err != nil {
		return "", fmt.Errorf("reading the bytes of the volume in %s: %w", space, err)
	}
	return sum, nil
}

// waitsFor says why containers of a pod wait.
func waitsFor(o *unstructured.Unstructured) string {
	var why []string
	for _, field := range []string{"initContainerStatuses", "containerStatuses"} {
		states, _, _ := unstructured.NestedSlice(o.Object, "status", field)
		for _, s := range states {
			m, ok := s.(map[string]any)
			if !ok {
				continue
			}
			if reason, _, _ := unstructured.NestedString(m, "state", "waiting", "reason"); reason != "" {
				message, _, _ := unstructured.NestedString(m, "state", "waiting", "message")
				why = append(why, probes.Clean(strings.TrimSpace(reason+" "+message), 200))
			}
		}
	}
	if len(why) == 0 {
		return ""
	}
	return ": " + strings.Join(why, "; ")
}

// backUp has Velero back up the namespace of the test.
func (d *doer) backUp(ctx context.Context, r actions.Reporter) error {
	resources := []any{}
	for _, k := range kinds(d.chosen.Volume) {
		resources = append(resources, k)
	}
	spec := map[string]any{
		"includedNamespaces": []any{d.canary()}, "includedResources": resources, "storageLocation": d.chosen.Location, "ttl": "1h0m0s",
		"labelSelector": map[string]any{"matchLabels": map[string]any{runLabel: d.Suffix}}, "snapshotVolumes": false,
	}
	if !d.chosen.Volume {
		spec["includeClusterResources"] = false
	} else {
		delete(spec, "labelSelector") // the volume behind a claim has no label of ours
	}
	o, err := d.velero(ctx, "Backup", backups, d.canary(), spec, r)
	if err != nil {
		return errors.Join(err, d.wrongBackup(o))
	}
	started, _ := time.Parse(time.RFC3339, kube.Text(o, "status", "startTimestamp"))
	ended, err := time.Parse(time.RFC3339, kube.Text(o, "status", "completionTimestamp"))
	if err != nil {
		ended = d.Now()
	}
	items := int(numberAt(o, "status", "progress", "itemsBackedUp"))
	rpo := d.rpo(ctx)
	if rpo != "" {
		r.Log("RPO: the newest completed backup of a schedule began " + rpo + " ago: what is newer would be lost now")
	}
	if !started.IsZero() {
		r.Log(fmt.Sprintf("%d items in %s", items, ended.Sub(started)))
	}
	now := d.Now()
	return d.note(func() { d.Phase, d.Items, d.Ended, d.RPO = phaseOf(o), items, now, rpo })
}

// wrongBackup keeps what was measured of a backup that did not do.
func (d *doer) wrongBackup(o *unstructured.Unstructured) error {
	if o == nil || !slices.Contains(measured, phaseOf(o)) {
		return nil
	}
	now, what := d.Now(), "the backup "
	if o.GetName() != d.canary() {
		what = "the backup of the sample "
	}
	return d.note(func() {
		if d.state.Backup, d.Ended = what+"is "+phaseOf(o)+because(o), now; o.GetName() == d.canary() {
			d.Phase = phaseOf(o)
		}
	})
}

// wanting keeps what was found wrong with what came back.
func (d *doer) wanting(text string) error {
	now := d.Now()
	return d.note(func() { d.Content, d.Wrong = text, now })
}

// rpo is how old the newest completed backup of a schedule is.
func (d *doer) rpo(ctx context.Context) string {
	all, err := d.Cluster.List(ctx, backups, d.Velero)
	if err != nil {
		return ""
	}
	var newest time.Time
	for _, o := range all {
		at, err := time.Parse(time.RFC3339, kube.Text(o, "status", "startTimestamp"))
		if err == nil && phaseOf(o) == "Completed" && o.GetLabels()["velero.io/schedule-name"] != "" && at.After(newest) {
			newest = at
		}
	}
	if newest.IsZero() {
		return ""
	}
	return d.Now().Sub(newest).Round(time.Second).String()
}

// unwell are the phases in which a backup or a restore has ended otherwise than it should.
var unwell = []string{"PartiallyFailed", "Failed", "FailedValidation"}

// measured are those of them in which Velero has tried; what it would not even begin says nothing of backups.
var measured = []string{"PartiallyFailed", "Failed"}

// because says what Velero says of an end that is not Completed.
func because(o *unstructured.Unstructured) string {
	var why []string
	if n := numberAt(o, "status", "errors"); n > 0 {
		why = append(why, fmt.Sprintf("%d errors", n))
	}
	if text := kube.Text(o, "status", "failureReason"); text != "" {
		why = append(why, text)
	}
	reasons, _, _ := unstructured.NestedStringSlice(o.Object, "status", "validationErrors")
	why = append(why, reasons...)
	if len(why) == 0 {
		return ""
	}
	return " (" + probes.Clean(strings.Join(why, "; "), 300) + ")"
}

// velero makes a Backup or a Restore and waits for its end. One that ended otherwise than Completed is returned with an error.
func (d *doer) velero(ctx context.Context, kind string, resource schema.GroupVersionResource, name string, spec map[string]any, r actions.Reporter) (*unstructured.Unstructured, error) {
	if err := d.make(ctx, resource, d.object("velero.io/v1", kind, d.Velero, name, map[string]any{"spec": spec})); err != nil {
		return nil, err
	}
	r.Log(strings.ToLower(kind) + " " + d.Velero + "/" + name)
	var o *unstructured.Unstructured
	said := ""
	field := map[string]string{"Backup": "itemsBackedUp", "Restore": "itemsRestored"}[kind]
	err := d.await(ctx, d.Patience, r, func(ctx context.Context) (bool, string, error) {
		seen, err := d.Cluster.Get(ctx, resource, d.Velero, name)
		if err != nil {
			return false, "", err
		}
		if o = seen; o == nil {
			return false, "", final("%s %s is gone", strings.ToLower(kind), name)
		}
		phase := phaseOf(o)
		if phase != said && phase != "" {
			r.Log(phase)
			said = phase
		}
		r.Progress(actions.Amount{Units: numberAt(o, "status", "progress", field)}, actions.Amount{Units: numberAt(o, "status", "progress", "totalItems")})
		switch {
		case phase == "Completed":
			return true, "", nil
		case slices.Contains(unwell, phase):
			return false, "", final("%s %s is %s, not Completed%s", strings.ToLower(kind), name, phase, because(o))
		case phase == "":
			return false, "for Velero's server to look at it", nil
		}
		return false, "Velero says " + phase, nil
	})
	if phase := phaseOf(o); phase == "Completed" || slices.Contains(unwell, phase) { // there is no log before
		d.logs(ctx, kind+"Log", name, r)
	}
	return o, err
}

// denyAll is a policy that lets no pod of a namespace talk to anybody.
func (d *doer) denyAll(space string) *unstructured.Unstructured {
	return d.object("networking.k8s.io/v1", "NetworkPolicy", space, "deny-all", map[string]any{"spec": map[string]any{
		"podSelector": map[string]any{}, "policyTypes": []any{"Ingress", "Egress"},
	}})
}

// enclose makes a namespace in which nothing can act.
func (d *doer) enclose(ctx context.Context, space string) error {
	if err := d.make(ctx, namespaces, d.object("v1", "Namespace", "", space, nil)); err != nil {
		return err
	}
	return d.make(ctx, policies, d.denyAll(space))
}

func (d *doer) restore(ctx context.Context, r actions.Reporter) error {
	if o, err := d.mine(ctx, backups, d.Velero, d.canary()); err != nil || o == nil {
		return errors.Join(err, errors.New("the backup of this test is there no more: run another test"))
	}
	if err := d.enclose(ctx, d.scratch()); err != nil {
		return err
	}
	if d.Restore.IsZero() {
		if err := d.note(func() { d.Restore = d.Now() }); err != nil {
			return err
		}
	}
	resources := []any{}
	for _, k := range kinds(d.chosen.Volume) {
		resources = append(resources, k)
	}
	o, err := d.velero(ctx, "Restore", restores, d.canary(), map[string]any{
		"backupName": d.canary(), "includedNamespaces": []any{d.canary()}, "includedResources": resources,
		"namespaceMapping": map[string]any{d.canary(): d.scratch()}, "restorePVs": d.chosen.Volume, "existingResourcePolicy": "none",
	}, r)
	if err == nil {
		return d.back(o)
	}
	if o == nil || !slices.Contains(measured, phaseOf(o)) {
		return err
	}
	wrong, _, blind := d.objects(ctx, r) // which of them did not come back
	if len(wrong) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.Join(wrong, "; "))
	}
	text := strings.Join(append([]string{"the restore is " + phaseOf(o) + because(o)}, wrong...), "; ")
	return errors.Join(err, blind, d.wanting(text))
}

// back notes when a restore ended, as Velero says.
func (d *doer) back(o *unstructured.Unstructured) error {
	ended, err := time.Parse(time.RFC3339, kube.Text(o, "status", "completionTimestamp"))
	if err != nil || ended.Before(d.state.Restore) {
		ended = d.Now()
	}
	return d.note(func() { d.Back = ended })
}
