package backuptest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/kube"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
)

// The steps.
const (
	stepBucket        = "bucket"
	stepLocation      = "location"
	stepCanary        = "canary"
	stepBackup        = "backup"
	stepRestore       = "restore"
	stepCompare       = "compare"
	stepSampleBackup  = "sample-backup"
	stepSampleRestore = "sample-restore"
	stepSampleCompare = "sample-compare"
	stepRecord        = "record"
	stepNoRestores    = "remove-restores"
	stepNoBackups     = "remove-backups"
	stepNoNamespaces  = "remove-namespaces"
	stepNoRequests    = "remove-requests"
)

// chosen is what a plan settles, for its steps.
type chosen struct {
	Location     string   `json:"location"`
	Bucket       string   `json:"bucket,omitempty"`
	Volume       bool     `json:"volume"`
	StorageClass string   `json:"storageClass,omitempty"`
	Sample       []string `json:"sample,omitempty"`

	// What the profile said: clean-up goes where the test was, whatever it says later.
	Velero       string    `json:"velero"`
	Prefix       string    `json:"prefix,omitempty"` // in the bucket
	Image        string    `json:"image"`
	BackupCheck  probes.ID `json:"backupCheck"`
	RestoreCheck probes.ID `json:"restoreCheck"`
}

// Plan implements [actions.Action].
func (a action) Plan(ctx context.Context, in actions.Inputs) (actions.Plan, error) {
	p := actions.Plan{Parallel: 1}
	c := chosen{Location: a.Location, Velero: a.Namespace, Image: a.Image, BackupCheck: a.Params.Backup, RestoreCheck: a.Params.Restore}
	for name := range strings.SplitSeq(in[inputSample], ",") {
		if name = strings.TrimSpace(name); name != "" {
			c.Sample = append(c.Sample, name)
		}
	}
	if err := sampled(c.Sample); err != nil {
		return p, &actions.InputError{Name: inputSample, Err: err}
	}
	fresh, err := a.fresh(ctx)
	if err != nil {
		p.Notes = append(p.Notes, "what was proved before cannot be told: "+err.Error())
	}
	if fresh != "" && !in.Switch(inputAgain) && slices.Equal(c.Sample, a.Sample) {
		p.Already, p.Summary = 2, "0 steps: "+fresh
		p.Notes = append(p.Notes, fresh+", which is fresh enough: --set again=true tests again")
		return p, nil
	}
	location, err := a.location(ctx)
	if err != nil {
		return p, err
	}
	c.Location, c.Bucket = location.GetName(), kube.Text(location, "spec", "objectStorage", "bucket")
	c.Prefix = strings.Trim(kube.Text(location, "spec", "objectStorage", "prefix"), "/")
	for _, space := range c.Sample {
		o, err := a.Cluster.Get(ctx, namespaces, "", space)
		if err != nil {
			return p, err
		}
		if o == nil {
			return p, &actions.InputError{Name: inputSample, Err: fmt.Errorf("there is no namespace %s", space)}
		}
	}
	if phase := phaseOf(location); phase != "Available" {
		p.Notes = append(p.Notes, fmt.Sprintf("the storage location %s is %s now: the test waits for it to be Available", c.Location, orNothing(phase)))
	}
	if kube.Text(location, "spec", "accessMode") == "ReadOnly" {
		return p, actions.Refuse("the storage location %s is ReadOnly, so that nothing can be backed up to it", c.Location)
	}
	if err := a.volumes(ctx, &c, &p); err != nil {
		return p, err
	}
	made, err := a.bucket(ctx, c, &p)
	if err != nil {
		return p, err
	}
	if p.Data, err = json.Marshal(c); err != nil {
		return p, fmt.Errorf("planning: %w", err)
	}
	a.steps(c, made, &p)
	return p, a.allowed(ctx, c, &p)
}

// fresh says what was proved lately, if it still is proof and was the last word.
func (a action) fresh(ctx context.Context) (string, error) {
	if a.Fresh == 0 {
		return "", nil
	}
	seen, err := a.Record.Read(ctx)
	if err != nil {
		return "", err
	}
	for _, check := range []probes.ID{a.Backup, a.Restore} {
		entries := evidence.Of(seen.Items, evidence.Proof, check)
		if len(entries) == 0 || !entries[0].Readable() || entries[0].Result != evidence.Passed || !entries[0].HoldsAt(a.Now()) || a.Now().Sub(entries[0].At) > a.Fresh {
			return "", nil
		}
		if check == a.Restore {
			age := a.Now().Sub(entries[0].At).Round(time.Minute)
			return fmt.Sprintf("a restore of %s was verified %s ago, RTO %.0f s", orNothing(entries[0].Scope), age, entries[0].Details.RTOSeconds), nil
		}
	}
	return "", nil
}

// location finds the storage location.
func (a action) location(ctx context.Context) (*unstructured.Unstructured, error) {
	known, err := a.Cluster.List(ctx, locations, a.Namespace)
	if apierrors.IsNotFound(err) {
		return nil, actions.Refuse("Velero is not installed: the cluster does not serve backupstoragelocations.velero.io")
	}
	if err != nil {
		return nil, fmt.Errorf("listing the storage locations in %s: %w", a.Namespace, err)
	}
	for _, o := range known {
		usual, _, _ := unstructured.NestedBool(o.Object, "spec", "default")
		if o.GetName() == a.Location || a.Location == "" && usual {
			return o, nil
		}
	}
	if a.Location == "" {
		return nil, actions.Refuse("there is no default storage location in %s: mark one (spec.default), or name it in the profile", a.Namespace)
	}
	return nil, actions.Refuse("there is no storage location %s in %s", a.Location, a.Namespace)
}

// volumes settles whether the bytes of a volume are tested.
func (a action) volumes(ctx context.Context, c *chosen, p *actions.Plan) error {
	why := ""
	defer func() {
		if why != "" {
			p.Notes = append(p.Notes, "the proof is of objects alone, not of what volumes hold: "+why)
		}
	}()
	if a.Volume == "never" {
		why = "the profile says so"
		return nil
	}
	known, err := a.Cluster.List(ctx, classes, "")
	if err != nil && !apierrors.IsNotFound(err) {
		if apierrors.IsForbidden(err) {
			why = "storage classes may not be listed"
			return nil
		}
		return fmt.Errorf("listing the storage classes: %w", err)
	}
	for _, o := range known {
		if o.GetName() == a.StorageClass || a.StorageClass == "" && o.GetAnnotations()["storageclass.kubernetes.io/is-default-class"] == "true" {
			c.StorageClass = o.GetName()
			if kube.Text(o, "reclaimPolicy") == "Retain" {
				why = "volumes of storage class " + c.StorageClass + " stay when they are let go (reclaimPolicy Retain)"
			}
		}
	}
	if why != "" {
		return nil
	}
	if c.StorageClass == "" {
		if why = "the cluster has no default storage class"; a.StorageClass != "" {
			why = "there is no storage class " + a.StorageClass
		}
		return nil
	}
	agents, err := a.Cluster.Get(ctx, daemonSets, a.Namespace, "node-agent")
	if err != nil && !apierrors.IsForbidden(err) {
		return fmt.Errorf("looking for Velero's node agents: %w", err)
	}
	if numberAt(agents, "status", "numberReady") == 0 {
		why = "no node agent of Velero is ready (DaemonSet node-agent in " + a.Namespace + ")"
		return nil
	}
	c.Volume = true
	if a.Store == nil || a.Store.CanMake(ctx) != nil {
		p.Notes = append(p.Notes, "what Velero keeps of the volume's repository stays in the bucket, under kopia/gonogo-test-…: with connections.minio.write it is removed")
	}
	return nil
}

// bucket looks at where the backups are kept, and reports whether the bucket has to be made.
func (a action) bucket(ctx context.Context, c chosen, p *actions.Plan) (made bool, err error) {
	if a.Store == nil || c.Bucket == "" {
		p.Notes = append(p.Notes, "the bucket is not looked at, since the profile has no connection to the object store: Velero's word for it stands")
		return false, nil
	}
	b, _, err := a.Store.Bucket(ctx, c.Bucket, "")
	switch {
	case err != nil:
		p.Notes = append(p.Notes, fmt.Sprintf("the bucket %s could not be looked at (%v): Velero's word for it stands", c.Bucket, err))
	case !b.Exists:
		if err := a.Store.CanMake(ctx); err != nil {
			p.Missing = append(p.Missing, fmt.Sprintf("the bucket %s: it does not exist, and %v", c.Bucket, err))
		}
		return true, nil
	default:
		p.Notes = append(p.Notes, fmt.Sprintf("bucket %s: versioning %s, object lock %s", c.Bucket, orNothing(b.Versioning), orNothing(b.Lock)))
	}
	return false, nil
}

func orNothing(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}

func (a action) steps(c chosen, bucket bool, p *actions.Plan) {
	add := func(s actions.Step) { p.Steps = append(p.Steps, s) }
	if bucket {
		add(actions.Step{ID: stepBucket, Title: "Make bucket " + c.Bucket, Target: c.Bucket, Effect: actions.Creates})
	}
	add(actions.Step{ID: stepLocation, Title: "Wait for storage location " + c.Location, Target: a.Namespace + "/" + c.Location, Effect: actions.Reads})
	content, scope := []string{"a ConfigMap", "a Secret"}, "objects"
	if c.Volume {
		content, scope = append(content, "a volume of storage class "+c.StorageClass+" with 1 MiB of random bytes, written by a pod of "+a.Image), "objects and a volume"
	}
	add(actions.Step{ID: stepCanary, Title: "Make content to lose", Target: "a namespace of its own", Effect: actions.Creates, Detail: content})
	add(actions.Step{ID: stepBackup, Title: "Back it up", Target: a.Namespace, Effect: actions.Creates, Detail: []string{"kept for an hour in " + c.Location}})
	add(actions.Step{ID: stepRestore, Title: "Restore it under another name", Target: a.Namespace, Effect: actions.Creates, Detail: []string{
		"a namespace of its own, closed by a NetworkPolicy first", "kinds: " + strings.Join(kinds(c.Volume), ", "),
	}})
	add(actions.Step{ID: stepCompare, Title: "Compare what came back", Target: scope, Effect: actions.Reads, Detail: []string{"field by field, byte by byte"}})
	if len(c.Sample) > 0 {
		names := strings.Join(c.Sample, ", ")
		add(actions.Step{ID: stepSampleBackup, Title: "Back up a sample of what is real", Target: names, Effect: actions.Creates, Detail: []string{"kinds: configmaps, secrets"}})
		add(actions.Step{ID: stepSampleRestore, Title: "Restore the sample under other names", Target: names, Effect: actions.Creates, Detail: []string{
			"a namespace for each, closed by a NetworkPolicy first", "nothing that runs or routes",
		}})
		add(actions.Step{ID: stepSampleCompare, Title: "Compare the sample with what is there", Target: names, Effect: actions.Reads})
	}
	last := func(id, title, target string, effect actions.Effect) {
		add(actions.Step{ID: id, Title: title, Target: target, Effect: effect, Cleanup: true})
	}
	last(stepRecord, "Keep the evidence", evidence.ObjectName, actions.Updates)
	last(stepNoRestores, "Remove the restore", a.Namespace, actions.Updates)
	last(stepNoBackups, "Remove the backup, in the store too", a.Namespace, actions.Updates)
	last(stepNoNamespaces, "Remove the namespaces of the test", "those with its label", actions.Updates)
	last(stepNoRequests, "Remove what was asked of Velero", a.Namespace, actions.Updates)
	p.Summary = fmt.Sprintf("a backup and a restore of %s made for it", scope)
	if len(c.Sample) > 0 {
		p.Summary += fmt.Sprintf(", and of %d real namespaces", len(c.Sample))
	}
	p.Notes = append(p.Notes, "what is removed is what the test made: namespaces and backups without its label stay")
}

// kinds are the resources that are restored.
func kinds(volume bool) []string {
	all := []string{"configmaps", "secrets"}
	if volume {
		all = append(all, "persistentvolumeclaims", "persistentvolumes", "pods")
	}
	return all
}

// allowed names what is missing of the rights that the steps need.
func (a action) allowed(ctx context.Context, c chosen, p *actions.Plan) error {
	var rights []kube.Right
	add := func(namespace, resource string, verbs ...string) {
		group := ""
		if i := strings.IndexByte(resource, '.'); i > 0 {
			resource, group = resource[:i], resource[i+1:]
		}
		for _, verb := range verbs {
			r := kube.Right{Verb: verb, Namespace: namespace}
			r.Resource.Group = group
			r.Resource.Resource, r.Subresource, _ = strings.Cut(resource, "/")
			rights = append(rights, r)
		}
	}
	add("", "namespaces", "get", "create", "delete")
	add("", "configmaps", "get", "create")
	add("", "secrets", "get", "create")
	add("", "networkpolicies.networking.k8s.io", "get", "create")
	if c.Volume {
		add("", "persistentvolumeclaims", "get", "create")
		add("", "pods", "get", "create")
		add("", "pods/log", "get")
		add(a.Namespace, "backuprepositories.velero.io", "list", "delete")
	}
	if len(c.Sample) > 0 {
		add("", "configmaps", "list")
		add("", "secrets", "list")
	}
	add(a.Namespace, "backups.velero.io", "get", "list", "create")
	add(a.Namespace, "restores.velero.io", "get", "create", "delete")
	add(a.Namespace, "deletebackuprequests.velero.io", "get", "list", "create", "delete")
	add(a.Namespace, "downloadrequests.velero.io", "get", "list", "create", "delete")
	var err error
	p.Missing, err = kube.Missing(ctx, a.Cluster, rights...)
	slices.Sort(p.Missing)
	return err
}
