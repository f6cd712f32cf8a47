package kubeapi

import (
	"fmt"
	"sort"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Object is one Kubernetes object as decoded JSON: strings, bools, int64, float64, nil, maps and slices.
type Object = map[string]any

// EventType is what happened to an object.
type EventType string

// The types of an Event, spelled as a watch spells them.
const (
	Added    EventType = "ADDED"
	Modified EventType = "MODIFIED"
	Deleted  EventType = "DELETED"
)

// Event is one change of one object. Object and Previous are shared and must not be changed.
type Event struct {
	Type EventType
	// Version is the resourceVersion that the change was given.
	Version uint64
	// Object is the object after the change; of a deletion, its last state with Version as resourceVersion.
	Object Object
	// Previous is the object before the change, nil for Added.
	Previous Object
}

// StoreOptions configures a Store. The zero value is usable.
type StoreOptions struct {
	// Resources is the table of what can be stored; nil means Builtin().
	Resources []Resource
	// Now is the clock of every timestamp the store writes; nil means time.Now.
	Now func() time.Time
	// UID gives new objects their uid; nil means random UUIDs.
	UID func() string
	// Suffix gives generateName its five characters; nil means random ones.
	Suffix func() string
	// History is how many changes of each resource are kept for watches to resume from; 0 means 2000.
	// A watch that resumes from before them is told Expired (410).
	History int
}

// Store keeps the objects of a simulated cluster. Every change gets the next resourceVersion, one
// sequence for all resources, and is kept for a while so that watches can resume. Errors are
// apierrors, so apierrors.IsNotFound and its like tell them apart. All methods are safe for
// concurrent use, never block on I/O, and never call foreign code while a lock is held.
type Store struct {
	table   table
	now     func() time.Time
	uid     func() string
	suffix  func() string
	history int

	mu      sync.RWMutex
	version uint64
	floor   uint64 // no change before this version is known to anyone (set by Restore)
	shelves map[schema.GroupVersionResource]*shelf
	changed chan struct{}
}

type key struct{ namespace, name string }

// shelf is one resource's objects and recent changes. Stored objects are never modified in place,
// which is what lets readers share them without copying.
type shelf struct {
	objects map[key]Object
	events  []Event
	dropped uint64 // version of the newest change that history no longer holds
}

// NewStore returns an empty store.
func NewStore(o StoreOptions) *Store {
	if o.Resources == nil {
		o.Resources = Builtin()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.UID == nil {
		o.UID = randomUID
	}
	if o.Suffix == nil {
		o.Suffix = randomSuffix
	}
	if o.History <= 0 {
		o.History = 2000
	}
	return &Store{
		table: newTable(o.Resources), now: o.Now, uid: o.UID, suffix: o.Suffix, history: o.History,
		version: 1, shelves: map[schema.GroupVersionResource]*shelf{}, changed: make(chan struct{}),
	}
}

// Version is the resourceVersion of the newest change.
func (s *Store) Version() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.version
}

// Changed returns a channel that is closed at the next change of anything. Take it before reading, so
// that no change falls between the two.
func (s *Store) Changed() <-chan struct{} {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.changed
}

// Since returns the changes of one resource after the given version, oldest first, and the version up
// to which they are complete. It fails with Expired when history does not reach back that far.
func (s *Store) Since(gvr schema.GroupVersionResource, version uint64) ([]Event, uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if version < s.oldest(gvr) {
		return nil, s.version, apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", version, s.oldest(gvr)))
	}
	sh := s.shelves[gvr]
	if sh == nil {
		return nil, s.version, nil
	}
	i := sort.Search(len(sh.events), func(i int) bool { return sh.events[i].Version > version })
	return sh.events[i:len(sh.events):len(sh.events)], s.version, nil
}

// oldest is the smallest version from which the resource's changes are completely known.
func (s *Store) oldest(gvr schema.GroupVersionResource) uint64 {
	if sh := s.shelves[gvr]; sh != nil && sh.dropped > s.floor {
		return sh.dropped
	}
	return s.floor
}

// lookup returns the stored object itself, to be read only.
func (s *Store) lookup(r Resource, k key) (Object, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if obj, ok := s.peek(r.GVR(), k); ok {
		return obj, nil
	}
	return nil, apierrors.NewNotFound(r.GroupResource(), k.name)
}

func (s *Store) peek(gvr schema.GroupVersionResource, k key) (Object, bool) {
	sh := s.shelves[gvr]
	if sh == nil {
		return nil, false
	}
	obj, ok := sh.objects[k]
	return obj, ok
}

type entry struct {
	key key
	obj Object
}

// entriesAt returns the resource's objects in one namespace ("" for all) as they were at a version
// (0 for now), sorted by namespace and name, and the version they stand for. The past is rebuilt by
// undoing history, so pages of one list agree with each other.
func (s *Store) entriesAt(gvr schema.GroupVersionResource, namespace string, version uint64) ([]entry, uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if version == 0 {
		version = s.version
	}
	if version < s.oldest(gvr) {
		return nil, 0, apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list result.")
	}
	sh := s.shelves[gvr]
	if sh == nil {
		return nil, version, nil
	}
	objects := sh.objects
	if n := len(sh.events); n > 0 && sh.events[n-1].Version > version {
		objects = undo(sh, version)
	}
	list := make([]entry, 0, len(objects))
	for k, obj := range objects {
		if namespace == "" || k.namespace == namespace {
			list = append(list, entry{k, obj})
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].key.less(list[j].key) })
	return list, version, nil
}

func undo(sh *shelf, version uint64) map[key]Object {
	objects := make(map[key]Object, len(sh.objects))
	for k, obj := range sh.objects {
		objects[k] = obj
	}
	for i := len(sh.events) - 1; i >= 0 && sh.events[i].Version > version; i-- {
		e := sh.events[i]
		if e.Previous == nil {
			delete(objects, keyOf(e.Object))
		} else {
			objects[keyOf(e.Object)] = e.Previous
		}
	}
	return objects
}

func (k key) less(o key) bool {
	if k.namespace != o.namespace {
		return k.namespace < o.namespace
	}
	return k.name < o.name
}

// insert stores a new object that the caller gives away.
func (s *Store) insert(r Resource, k key, obj Object) (Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, exists := s.peek(r.GVR(), k); exists {
		return nil, apierrors.NewAlreadyExists(r.GroupResource(), k.name)
	}
	return s.commit(r, k, Added, obj, nil), nil
}

// replace stores obj, which the caller gives away, in place of the object it was made from. If
// that one is no longer the stored one (every stored object has a resourceVersion of its own): Conflict.
func (s *Store) replace(r Resource, k key, from, obj Object) (Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, ok := s.peek(r.GVR(), k)
	if !ok {
		return nil, apierrors.NewNotFound(r.GroupResource(), k.name)
	}
	if metaString(now, "resourceVersion") != metaString(from, "resourceVersion") {
		return nil, moved(r, k.name)
	}
	if isNamespace(r) {
		stored := s.commit(r, k, Modified, obj, now)
		s.finishNamespace(k.name)
		return stored, nil
	}
	if doomed(obj) {
		return s.remove(r, k, obj, now), nil
	}
	return s.commit(r, k, Modified, obj, now), nil
}

// commit gives the object its version, stores it and tells the watches. The lock is held.
func (s *Store) commit(r Resource, k key, what EventType, obj, previous Object) Object {
	s.version++
	setMeta(obj, "resourceVersion", strconv.FormatUint(s.version, 10))
	sh := s.shelves[r.GVR()]
	if sh == nil {
		sh = &shelf{objects: map[key]Object{}}
		s.shelves[r.GVR()] = sh
	}
	if what == Deleted {
		delete(sh.objects, k)
	} else {
		sh.objects[k] = obj
	}
	if len(sh.events) >= 2*s.history {
		cut := len(sh.events) - s.history
		sh.dropped = sh.events[cut-1].Version
		sh.events = append(make([]Event, 0, 2*s.history), sh.events[cut:]...)
	}
	sh.events = append(sh.events, Event{Type: what, Version: s.version, Object: obj, Previous: previous})
	close(s.changed)
	s.changed = make(chan struct{})
	return obj
}

// remove takes an object out for good; final is its last state. The lock is held.
func (s *Store) remove(r Resource, k key, final, previous Object) Object {
	gone := s.commit(r, k, Deleted, final, previous)
	if k.namespace != "" {
		s.finishNamespace(k.namespace)
	}
	return gone
}

func keyOf(obj Object) key {
	m := metaOf(obj)
	ns, _ := m["namespace"].(string)
	name, _ := m["name"].(string)
	return key{ns, name}
}

func moved(r Resource, name string) error {
	return apierrors.NewConflict(r.GroupResource(), name,
		fmt.Errorf("the object has been modified; please apply your changes to the latest version and try again"))
}
