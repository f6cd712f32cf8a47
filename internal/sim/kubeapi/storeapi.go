package kubeapi

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// The methods below are for the simulation's controllers and for tests. They write what they are
// given, status and spec alike, check no rights and no schema, want no namespace to exist, and record
// no managedFields; everything else (versions, uids, generation, finalizers, events) is as over HTTP.

// Create stores a new object: a map, an unstructured or a typed object. A uid, creationTimestamp or
// generation that it already has is kept. The result is a copy of what was stored.
func (s *Store) Create(in any) (Object, error) {
	r, obj, err := s.own(in)
	if err != nil {
		return nil, err
	}
	if metaString(obj, "name") == "" {
		setMeta(obj, "name", metaString(obj, "generateName")+s.suffix())
	}
	s.settle(r, nil, obj)
	stored, err := s.insert(r, keyOf(obj), obj)
	if err != nil {
		return nil, err
	}
	return runtime.DeepCopyJSON(stored), nil
}

// Update replaces a stored object. With a resourceVersion it fails with Conflict when that is no
// longer the stored one.
func (s *Store) Update(in any) (Object, error) {
	r, obj, err := s.own(in)
	if err != nil {
		return nil, err
	}
	want := metaString(obj, "resourceVersion")
	return s.retry(r, keyOf(obj), func(old Object) (Object, error) {
		if want != "" && want != metaString(old, "resourceVersion") {
			return nil, moved(r, metaString(old, "name"))
		}
		return runtime.DeepCopyJSON(obj), nil
	})
}

// Apply creates the object, or replaces the stored one whatever its resourceVersion.
func (s *Store) Apply(in any) (Object, error) {
	_, obj, err := s.own(in)
	if err != nil {
		return nil, err
	}
	setMeta(obj, "resourceVersion", nil)
	for {
		stored, err := s.Update(obj)
		if !apierrors.IsNotFound(err) {
			return stored, err
		}
		if stored, err = s.Create(obj); !apierrors.IsAlreadyExists(err) {
			return stored, err
		}
	}
}

// Mutate changes one object by a function that edits a copy of it. The function may be called again
// when something else changed the object meanwhile; a function that changes nothing writes nothing.
func (s *Store) Mutate(gvr schema.GroupVersionResource, namespace, name string, edit func(Object)) (Object, error) {
	r, err := s.resource(gvr)
	if err != nil {
		return nil, err
	}
	return s.retry(r, key{namespace, name}, func(old Object) (Object, error) {
		obj := runtime.DeepCopyJSON(old)
		edit(obj)
		return toObject(obj)
	})
}

// Delete deletes an object; one with finalizers stays, marked, until they are removed.
func (s *Store) Delete(gvr schema.GroupVersionResource, namespace, name string) error {
	r, err := s.resource(gvr)
	if err != nil {
		return err
	}
	_, _, err = s.erase(r, key{namespace, name}, preconditions{}, false)
	return err
}

// Get returns a copy of one object.
func (s *Store) Get(gvr schema.GroupVersionResource, namespace, name string) (Object, error) {
	r, err := s.resource(gvr)
	if err != nil {
		return nil, err
	}
	obj, err := s.lookup(r, key{namespace, name})
	if err != nil {
		return nil, err
	}
	return runtime.DeepCopyJSON(obj), nil
}

// List returns copies of the objects of one namespace ("" for all) that match the selector (nil for
// all), sorted by namespace and name.
func (s *Store) List(gvr schema.GroupVersionResource, namespace string, match labels.Selector) ([]Object, error) {
	if _, err := s.resource(gvr); err != nil {
		return nil, err
	}
	entries, _, err := s.entriesAt(gvr, namespace, 0)
	if err != nil {
		return nil, err
	}
	list := make([]Object, 0, len(entries))
	for _, e := range entries {
		if match == nil || match.Matches(labelsOf(e.obj)) {
			list = append(list, runtime.DeepCopyJSON(e.obj))
		}
	}
	return list, nil
}

func (s *Store) resource(gvr schema.GroupVersionResource) (Resource, error) {
	r, ok := s.table.byGVR[gvr]
	if !ok {
		return Resource{}, fmt.Errorf("finding resource %s: not in the table", gvr)
	}
	return r, nil
}

// own makes a private copy of the input and finds its resource.
func (s *Store) own(in any) (Resource, Object, error) {
	obj, err := toObject(in)
	if err != nil {
		return Resource{}, nil, err
	}
	r, err := s.table.forObject(obj)
	if err != nil {
		return Resource{}, nil, err
	}
	if namespaced := metaString(obj, "namespace") != ""; namespaced != r.Namespaced {
		return Resource{}, nil, fmt.Errorf("storing %s %q: namespaced %v, wanted %v", r.Kind, metaString(obj, "name"), namespaced, r.Namespaced)
	}
	return r, obj, nil
}

// retry replaces an object by what change makes of it, again when another write came first.
func (s *Store) retry(r Resource, k key, change func(old Object) (Object, error)) (Object, error) {
	for {
		old, err := s.lookup(r, k)
		if err != nil {
			return nil, err
		}
		obj, err := change(old)
		if err != nil {
			return nil, err
		}
		if keyOf(obj) != k {
			return nil, fmt.Errorf("changing %s %q: its name or namespace was changed", r.Kind, k.name)
		}
		s.settle(r, old, obj)
		if unchanged(old, obj) {
			return runtime.DeepCopyJSON(old), nil
		}
		stored, err := s.replace(r, k, old, obj)
		if apierrors.IsConflict(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return runtime.DeepCopyJSON(stored), nil
	}
}

// image is the stored form of a whole store.
type image struct {
	Format          string   `json:"format"`
	ResourceVersion string   `json:"resourceVersion"`
	Objects         []Object `json:"objects"`
}

const imageFormat = "gonogo.kubeapi/v1"

// Snapshot writes every object and the current resourceVersion as JSON, the same bytes for the same
// state. It holds Secrets in clear: keep it where only the user can read it.
func (s *Store) Snapshot(w io.Writer) error {
	s.mu.RLock()
	img := image{Format: imageFormat, ResourceVersion: strconv.FormatUint(s.version, 10), Objects: []Object{}}
	for _, r := range s.table.order {
		sh := s.shelves[r.GVR()]
		if sh == nil {
			continue
		}
		from := len(img.Objects)
		for _, obj := range sh.objects {
			img.Objects = append(img.Objects, obj)
		}
		part := img.Objects[from:]
		sort.Slice(part, func(i, j int) bool { return keyOf(part[i]).less(keyOf(part[j])) })
	}
	s.mu.RUnlock()
	if err := json.NewEncoder(w).Encode(img); err != nil {
		return fmt.Errorf("writing snapshot: %w", err)
	}
	return nil
}

// Restore replaces the whole store by a snapshot; on an error nothing is changed. History starts anew,
// so watches are told Expired and their clients list again.
func (s *Store) Restore(rd io.Reader) error {
	raw, err := io.ReadAll(rd)
	if err != nil {
		return fmt.Errorf("reading snapshot: %w", err)
	}
	var img image
	if err := utiljson.Unmarshal(raw, &img); err != nil {
		return fmt.Errorf("decoding snapshot: %w", err)
	}
	if img.Format != imageFormat {
		return fmt.Errorf("decoding snapshot: format is %q, want %q", img.Format, imageFormat)
	}
	version, err := strconv.ParseUint(img.ResourceVersion, 10, 64)
	if err != nil {
		return fmt.Errorf("decoding snapshot: resourceVersion: %w", err)
	}
	shelves := map[schema.GroupVersionResource]*shelf{}
	for _, obj := range img.Objects {
		r, err := s.table.forObject(obj)
		if err != nil {
			return fmt.Errorf("decoding snapshot: %w", err)
		}
		if metaString(obj, "name") == "" {
			return fmt.Errorf("decoding snapshot: a %s has no name", r.Kind)
		}
		if shelves[r.GVR()] == nil {
			shelves[r.GVR()] = &shelf{objects: map[key]Object{}}
		}
		shelves[r.GVR()].objects[keyOf(obj)] = obj
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version > 1 {
		// Beyond both, so that no watch of before can take its version for one of this state.
		version = max(s.version, version) + 1
	}
	s.version = version
	s.floor = s.version
	s.shelves = shelves
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}
