// Package record keeps the evidence record of a platform: a ConfigMap of its cluster, so that every board, pipeline and operator sees the
// same, and beside it, for what could not be written there, a folder of this machine.
package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/platform/cluster"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
)

// DefaultNamespace is where the record is kept if nobody says otherwise.
const DefaultNamespace = "default"

// Options are the settings of [New].
type Options struct {
	Cluster   *cluster.Cluster // nil where there is none
	Trouble   error            // why there is none
	Namespace string           // of the ConfigMap; empty for DefaultNamespace
	Dir       string           // for what cannot be written to the cluster; empty for nowhere
	ReadOnly  bool             // nothing is written to the cluster
}

// Record is the evidence record of one platform. Its methods may be called by several goroutines.
type Record struct {
	object   *cluster.Object // nil where there is no cluster
	trouble  error
	readOnly bool
	local    local
	where    string // the ConfigMap, for people

	mu       sync.Mutex
	declared []evidence.Entry
}

var _ evidence.Record = (*Record)(nil)

// New returns a record without asking anybody anything.
func New(o Options) *Record {
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	r := &Record{
		trouble: o.Trouble, readOnly: o.ReadOnly, local: local{dir: o.Dir}, where: fmt.Sprintf("ConfigMap %s/%s", o.Namespace, evidence.ObjectName),
	}
	if o.Cluster != nil {
		r.object = o.Cluster.Object(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, o.Namespace, evidence.ObjectName)
		r.local.of(o.Cluster.Server())
	} else if r.trouble == nil {
		r.trouble = errors.New("there is no cluster to keep the evidence record in")
	}
	return r
}

// Declare says what else counts as if it were in the record: what the profile declares.
func (r *Record) Declare(entries []evidence.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.declared = slices.Clone(entries)
}

// Read implements [evidence.Record].
func (r *Record) Read(ctx context.Context) (probes.Seen[evidence.Entry], error) {
	r.mu.Lock()
	seen := probes.Seen[evidence.Entry]{Items: slices.Clone(r.declared)}
	r.mu.Unlock()
	kept, err := r.local.read()
	seen.Items = append(seen.Items, kept...)
	if err != nil {
		seen.Note = err.Error()
	}
	if r.object == nil {
		return seen, r.trouble
	}
	object, err := r.object.Read(ctx)
	seen.Request, seen.Confirmed = object.Request, object.Confirmed
	if err != nil {
		return seen, fmt.Errorf("reading %s: %w", r.where, err)
	}
	for _, o := range object.Items {
		data, err := dataOf(o)
		if err != nil {
			return seen, fmt.Errorf("reading %s: %w", r.where, err)
		}
		for key, text := range data {
			seen.Items = append(seen.Items, evidence.Decode(key, text))
		}
	}
	return seen, nil
}

// Watch implements [evidence.Record].
func (r *Record) Watch(wake func()) (stop func()) {
	if r.object == nil {
		return func() {}
	}
	return r.object.Watch(wake)
}

// Kept says where entries were written.
type Kept struct {
	Cluster bool
	Where   string // for people: "ConfigMap default/gonogo-evidence", "/home/…"
	Why     error  // why not in the cluster
}

// Write adds entries to the record. What cannot be written to the cluster, for want of rights, of an answer, or since it is not allowed to, is
// kept on this machine, and Kept says why; the error is that it could not be kept anywhere.
func (r *Record) Write(ctx context.Context, entries ...evidence.Entry) (Kept, error) {
	entries = slices.Clone(entries)
	for _, e := range entries {
		if _, _, err := e.Encode(); err != nil {
			return Kept{}, err
		}
	}
	why := r.toCluster(ctx, entries)
	if why == nil {
		return Kept{Cluster: true, Where: r.where}, nil
	}
	if ctx.Err() != nil {
		return Kept{}, why
	}
	known, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	seen, _ := r.Read(known) // what is not known cannot be followed
	for i := range entries {
		entries[i] = after(entries[i], seen.Items)
	}
	where, err := r.local.write(entries)
	if err != nil {
		return Kept{}, errors.Join(why, err)
	}
	return Kept{Where: where, Why: why}, nil
}

// Keep is Write for those who know nothing of this package: it says where the entries are kept and, if that is not the cluster, why.
func (r *Record) Keep(ctx context.Context, entries ...evidence.Entry) (where string, why error, err error) {
	kept, err := r.Write(ctx, entries...)
	return kept.Where, kept.Why, err
}

// patience is how long the cluster may take before an entry is kept on this machine instead.
const patience = 15 * time.Second

func (r *Record) toCluster(ctx context.Context, entries []evidence.Entry) error {
	switch {
	case r.object == nil:
		return r.trouble
	case r.readOnly:
		return errors.New("in read-only mode nothing is written to the cluster")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	namespace, _, _ := strings.Cut(strings.TrimPrefix(r.where, "ConfigMap "), "/")
	template := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{
			"namespace": namespace, "name": evidence.ObjectName, "labels": map[string]any{"app.kubernetes.io/managed-by": "gonogo"},
		},
	}}
	return r.object.Change(ctx, template, func(o *unstructured.Unstructured) error {
		data, err := dataOf(o)
		if err != nil {
			return err
		}
		if err := add(data, entries); err != nil {
			return err
		}
		if err := bound(data); err != nil {
			return err
		}
		return unstructured.SetNestedStringMap(o.Object, data, "data")
	})
}

// add puts entries among others.
func add(data map[string]string, entries []evidence.Entry) error {
	var known []evidence.Entry
	for key, text := range data {
		known = append(known, evidence.Decode(key, text))
	}
	for _, e := range entries {
		key, text, err := after(e, known).Encode()
		if err != nil {
			return err
		}
		data[key] = text
	}
	return nil
}

// after returns the entry as one that is newer than what it is to come after, if only by a second, which is what the record tells times by.
func after(e evidence.Entry, known []evidence.Entry) evidence.Entry {
	for _, before := range evidence.Of(known, e.Kind, e.Check) {
		if before.At.Sub(e.At) < clockSkew && !before.At.Before(e.At.Truncate(time.Second)) {
			e.At = before.At.Add(time.Second)
		}
	}
	return e
}

// clockSkew is how far the clocks of those who write the record may be apart.
const clockSkew = 2 * time.Minute

func dataOf(o *unstructured.Unstructured) (map[string]string, error) {
	data, found, err := unstructured.NestedStringMap(o.Object, "data")
	if err != nil {
		return nil, errors.New("its data are no texts")
	}
	if !found {
		data = map[string]string{}
	}
	return data, nil
}

// Bounds of the record; a ConfigMap may have a mebibyte.
const (
	maxBytes    = 512 << 10
	maxPerGroup = 20
)

// bound drops the oldest entries of what is too much, never the newest of what it is about, and never what this program cannot read.
func bound(data map[string]string) error {
	var all []evidence.Entry
	size := 0
	for key, text := range data {
		size += len(key) + len(text)
		if e := evidence.Decode(key, text); e.Readable() {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b evidence.Entry) int { // newest first
		if c := b.At.Compare(a.At); c != 0 {
			return c
		}
		return strings.Compare(a.Key, b.Key)
	})
	count := map[string]int{}
	var old []evidence.Entry
	for _, e := range all {
		count[e.Group()]++
		if count[e.Group()] > 1 {
			old = append(old, e)
		}
	}
	for i := len(old) - 1; i >= 0; i-- {
		e := old[i]
		if size <= maxBytes && count[e.Group()] <= maxPerGroup {
			continue
		}
		count[e.Group()]--
		size -= len(e.Key) + len(data[e.Key])
		delete(data, e.Key)
	}
	if size > maxBytes {
		return fmt.Errorf("the evidence record is full: %d KiB of it cannot be dropped", size>>10)
	}
	return nil
}
