// Package velero asks whether a platform's backups can be relied on: does Velero's server work, is its storage location really there, do
// the declared schedules run, and did the newest backup of each succeed. Everything is read from Velero's objects, never from its metrics,
// which die with the server.
package velero

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// Connection is the connection that every kind of this package asks over.
const Connection = "kubernetes"

// Objects reads collections of a cluster's objects from shared watches.
//
// List waits, within ctx, until the collection was seen as a whole once. A resource that the cluster does not serve is an error for which
// apierrors.IsNotFound holds; missing rights are an error that names them. Where rights end at some namespaces, Note says so. Watch calls
// wake whenever the collection may have changed, until stop is called.
type Objects interface {
	List(ctx context.Context, r schema.GroupVersionResource, namespace string) (probes.Seen[*unstructured.Unstructured], error)
	Watch(r schema.GroupVersionResource, wake func()) (stop func())
}

// Buckets looks into the object store that holds the backups, with a credential that may read there. An error means that it could not be
// asked, a refusal of that credential included; that there is no credential is one that wraps probes.ErrNoSecret.
type Buckets interface {
	Host() string // of the store
	Bucket(ctx context.Context, name, prefix string) (Bucket, probes.Request, error)
}

// Bucket is what an object store shows of a bucket.
type Bucket struct {
	Exists     bool
	Holds      bool   // something is stored under the prefix
	Versioning string // in a word; empty if it may not be seen
	Lock       string // likewise, of objects
}

// DefaultNamespace is where an installation of Velero usually lives.
const DefaultNamespace = "velero"

// clockSkew is how far the clocks of the cluster and of this machine may be apart before ages say nothing.
const clockSkew = 2 * time.Minute

func veleroResource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "velero.io", Version: "v1", Resource: plural}
}

func locationsResource() schema.GroupVersionResource { return veleroResource("backupstoragelocations") }
func schedulesResource() schema.GroupVersionResource { return veleroResource("schedules") }
func backupsResource() schema.GroupVersionResource   { return veleroResource("backups") }

// reader reads the collections of one asking and remembers the oldest confirmation: an answer from several is as fresh as the stalest.
type reader struct {
	objects   Objects
	namespace string
	confirmed time.Time
}

type list = probes.Seen[*unstructured.Unstructured]

// list reads a collection of the installation's namespace. Without Velero's definitions in the cluster it is errNotInstalled.
func (r *reader) list(ctx context.Context, resource schema.GroupVersionResource) (list, error) {
	return r.listIn(ctx, resource, r.namespace)
}

func (r *reader) listIn(ctx context.Context, resource schema.GroupVersionResource, namespace string) (list, error) {
	seen, err := r.objects.List(ctx, resource, namespace)
	switch {
	case err == nil:
	case apierrors.IsNotFound(err) && resource.Group == "velero.io":
		return seen, notInstalledError{resource: resource, request: seen.Request}
	case namespace == "":
		return seen, fmt.Errorf("listing %s: %w", resource.GroupResource(), err)
	default:
		return seen, fmt.Errorf("listing %s in %s: %w", resource.GroupResource(), namespace, err)
	}
	if r.confirmed.IsZero() || !seen.Confirmed.IsZero() && seen.Confirmed.Before(r.confirmed) {
		r.confirmed = seen.Confirmed
	}
	return seen, nil
}

// notInstalledError is the answer of a cluster that does not know Velero's kinds. That is a finding, not a failure to ask.
type notInstalledError struct {
	resource schema.GroupVersionResource
	request  probes.Request
}

func (e notInstalledError) Error() string {
	return fmt.Sprintf("the cluster does not serve %s", e.resource.GroupResource())
}

func (e notInstalledError) observation() probes.Observation {
	request := e.request
	if request.Source == "" {
		request = probes.Request{
			Source: fmt.Sprintf("GET /apis/%s/%s", e.resource.Group, e.resource.Version),
			Repeat: "kubectl api-resources --api-group=" + e.resource.Group,
		}
	}
	return probes.Observation{
		Status: probes.Fail, Summary: "Velero is not installed: " + e.Error(),
		Evidence: []probes.Evidence{probes.Evidence{
			Subject: "resource " + e.resource.GroupResource().String(), Want: "served", Got: "not served", Wanting: true,
		}.From(request)},
	}
}

// find returns the object of a name, or nil. Where only a part could be seen, what is not in it may be elsewhere.
func find(seen list, name string) (*unstructured.Unstructured, error) {
	for _, o := range seen.Items {
		if o.GetName() == name {
			return o, nil
		}
	}
	if seen.Note != "" {
		return nil, fmt.Errorf("looking for %s: %s", name, seen.Note)
	}
	return nil, nil
}

// decode reads an object into a local struct; fields that the struct does not have are ignored, so that every version of Velero can be read.
func decode[T any](o *unstructured.Unstructured) (*T, error) {
	into := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, into); err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", strings.ToLower(o.GetKind()), o.GetName(), err)
	}
	return into, nil
}

// watchAll watches several resources and returns one stop for all, which may be called again.
func watchAll(o Objects, wake func(), resources ...schema.GroupVersionResource) func() {
	stops := make([]func(), 0, len(resources))
	for _, r := range resources {
		stops = append(stops, o.Watch(r, wake))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
		stops = nil
	}
}
