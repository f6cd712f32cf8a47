// Package backuptest proves that a platform's backups can be restored: it makes a namespace with content of its own, has Velero back it up
// and restore it under another name where nothing can act, compares what came back with what went in, and keeps the result in the evidence
// record. Whatever it made is taken away again, however the test ends.
package backuptest

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/254carbon/gonogo/probes/velero"
)

// Params are the parameters of the kind backup-test.
type Params struct {
	Namespace    string        `yaml:"namespace,omitempty" jsonschema:"description=namespace of the installation of Velero"`
	Location     string        `yaml:"location,omitempty" jsonschema:"description=storage location; empty for the default one"`
	Volume       string        `yaml:"volume,omitempty" jsonschema:"enum=auto,enum=never,description=whether the bytes of a volume are tested; auto: if the cluster has storage and Velero's node agents"`
	StorageClass string        `yaml:"storageClass,omitempty" jsonschema:"description=of that volume; empty for the default one"`
	Image        string        `yaml:"image,omitempty" jsonschema:"description=image with a shell for the pod that writes to the volume"`
	Sample       []string      `yaml:"sample,omitempty" jsonschema:"description=namespaces whose ConfigMaps and Secrets are restored and compared too"`
	Backup       probes.ID     `yaml:"backupCheck,omitempty" jsonschema:"description=check that the backup is evidence for"`
	Restore      probes.ID     `yaml:"restoreCheck,omitempty" jsonschema:"description=check that the restore is evidence for"`
	Fresh        time.Duration `yaml:"fresh,omitempty" jsonschema:"description=how long a test is good enough, so that another one has nothing to do"`
	Patience     time.Duration `yaml:"patience,omitempty" jsonschema:"description=how long Velero may take for a backup, and for a restore"`
	Cleaning     time.Duration `yaml:"cleaning,omitempty" jsonschema:"description=how long one part of the clean-up may take"`
}

var objectName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// maxSample is how many namespaces are restored as a sample at most.
const maxSample = 10

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	switch {
	case !objectName.MatchString(p.Namespace):
		return fmt.Errorf("namespace %q is not the name of a namespace", p.Namespace)
	case p.Volume != "auto" && p.Volume != "never":
		return fmt.Errorf("volume is auto or never, not %q", p.Volume)
	case p.Image == "":
		return errors.New("image must not be empty")
	case p.Backup == "" || p.Restore == "" || p.Backup == p.Restore:
		return errors.New("backupCheck and restoreCheck must name two checks")
	case p.Fresh < 0:
		return errors.New("fresh must not be negative")
	case p.Patience <= 0 || p.Cleaning <= 0:
		return errors.New("patience and cleaning must be longer than nothing")
	}
	return sampled(p.Sample)
}

// sampled reports what is wrong with a list of namespaces.
func sampled(names []string) error {
	if len(names) > maxSample {
		return fmt.Errorf("%d namespaces are more than the %d of a sample", len(names), maxSample)
	}
	for i, name := range names {
		if !objectName.MatchString(name) || slices.Contains(names[:i], name) {
			return fmt.Errorf("%q is not the name of a namespace, or is there twice", probes.Clean(name, 100))
		}
	}
	return nil
}

// The inputs.
const (
	inputAgain  = "again"
	inputSample = "sample"
)

// Info describes the kind.
func Info() actions.KindInfo {
	return actions.KindInfo{
		Name:  "backup-test",
		Key:   "b",
		About: "Backs up content made for it, restores it where nothing can act, compares both, and keeps the result as evidence. What it made is taken away again.",
		Params: func() any {
			return &Params{
				Namespace: "velero", Volume: "auto", Image: "registry.k8s.io/e2e-test-images/busybox:1.36.1-1", Backup: "test-backup", Restore: "restore-verified",
				Fresh: 24 * time.Hour, Patience: 15 * time.Minute, Cleaning: 9 * time.Minute,
			}
		},
	}
}

// Cluster is what the action needs of Kubernetes. Get returns nil for what is not there, and deleting what is not there is fine.
type Cluster interface {
	List(ctx context.Context, resource schema.GroupVersionResource, namespace string) ([]*unstructured.Unstructured, error)
	Get(ctx context.Context, resource schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error)
	Create(ctx context.Context, resource schema.GroupVersionResource, o *unstructured.Unstructured) (*unstructured.Unstructured, error)
	Delete(ctx context.Context, resource schema.GroupVersionResource, namespace, name string) error
	CanI(ctx context.Context, verb, group, resource, subresource, namespace, name string) (allowed bool, why string, err error)
}

// Store is the object store of the backups.
type Store interface {
	velero.Buckets
	// MakeBucket makes a bucket; one that is there is fine.
	MakeBucket(ctx context.Context, name string) error
	// RemovePrefix removes every object of a bucket under a prefix.
	RemovePrefix(ctx context.Context, bucket, prefix string) error
	// CanMake says why the store cannot be changed, for want of a credential; nil if it may be tried.
	CanMake(ctx context.Context) error
}

// Record is the evidence record.
type Record interface {
	Read(ctx context.Context) (probes.Seen[evidence.Entry], error)
	// Keep adds entries, and says where they are kept and, if that is not the cluster, why.
	Keep(ctx context.Context, entries ...evidence.Entry) (where string, why error, err error)
}

// Deps are what the action needs of the platform.
type Deps struct {
	Cluster Cluster
	Record  Record
	// Log reads the newest lines of a pod's log.
	Log   func(ctx context.Context, namespace, pod string) (string, error)
	Store Store // nil if the profile has no connection to it
	// Fetch gets what Velero signed a URL for, as it is written, wherever its host can be reached from.
	Fetch func(ctx context.Context, url string) (*http.Response, error)
	By    string           // who answers for the evidence: user@host
	Now   func() time.Time // nil for the machine's clock
	// Pause waits between two looks; nil for a pause on the machine's clock.
	Pause func(ctx context.Context, d time.Duration) error
}

// New returns the action.
func New(spec actions.Spec, p Params, d Deps) actions.Action {
	if d.Pause == nil {
		d.Pause = actions.Pause
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	spec.Inputs = []actions.Input{
		{Name: inputAgain, Title: "Test again", About: "although there is fresh evidence", Default: "false", Options: []string{"false", "true"}},
		{Name: inputSample, Title: "Real namespaces", About: "a sample of them, by commas: their ConfigMaps and Secrets", Default: strings.Join(p.Sample, ",")},
	}
	return action{spec: spec, Params: p, Deps: d}
}

type action struct {
	Params
	Deps
	spec actions.Spec
}

// Spec implements [actions.Action].
func (a action) Spec() actions.Spec { return a.spec }

func core(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: resource}
}

func ofVelero(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "velero.io", Version: "v1", Resource: resource}
}

var (
	namespaces   = core("namespaces")
	configMaps   = core("configmaps")
	secrets      = core("secrets")
	claims       = core("persistentvolumeclaims")
	pods         = core("pods")
	policies     = schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}
	classes      = schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"}
	daemonSets   = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}
	backups      = ofVelero("backups")
	restores     = ofVelero("restores")
	locations    = ofVelero("backupstoragelocations")
	deletions    = ofVelero("deletebackuprequests")
	downloads    = ofVelero("downloadrequests")
	repositories = ofVelero("backuprepositories")
)

// manager is who makes objects, and runLabel says of an object which test it belongs to.
const (
	manager  = "gonogo"
	runLabel = "gonogo.io/backup-test"
)

func numberAt(o *unstructured.Unstructured, fields ...string) int64 {
	if o == nil {
		return 0
	}
	n, _, _ := unstructured.NestedInt64(o.Object, fields...)
	return n
}

// phaseOf is the phase of one of Velero's objects, empty as long as Velero has not looked at it.
func phaseOf(o *unstructured.Unstructured) string {
	return probes.Clean(kube.Text(o, "status", "phase"), 60)
}
