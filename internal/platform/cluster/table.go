package cluster

import (
	"maps"
	"slices"
	"strings"
)

// table holds the objects of one collection in the order of their keys ("namespace/name"), so that the objects of one namespace are next
// to each other. It is not safe for concurrent use; the slices that it hands out are never written to again.
type table[T any] struct {
	entries []entry[T]
	view    []T // of entries; nil if they have changed since
}

type entry[T any] struct {
	key   string
	value T
}

func (t *table[T]) find(key string) (int, bool) {
	return slices.BinarySearchFunc(t.entries, key, func(e entry[T], key string) int { return strings.Compare(e.key, key) })
}

// get returns the object of a key.
func (t *table[T]) get(key string) (T, bool) {
	if i, ok := t.find(key); ok {
		return t.entries[i].value, true
	}
	var none T
	return none, false
}

func (t *table[T]) set(key string, value T) {
	i, ok := t.find(key)
	if ok {
		t.entries[i].value = value
	} else {
		t.entries = slices.Insert(t.entries, i, entry[T]{key: key, value: value})
	}
	t.view = nil
}

// remove reports whether there was something to remove.
func (t *table[T]) remove(key string) bool {
	i, ok := t.find(key)
	if ok {
		t.entries = slices.Delete(t.entries, i, i+1)
		t.view = nil
	}
	return ok
}

// replace takes over a whole collection.
func (t *table[T]) replace(all map[string]T) {
	t.entries = make([]entry[T], 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		t.entries = append(t.entries, entry[T]{key: key, value: all[key]})
	}
	t.view = nil
}

// list returns the objects of a namespace, or all of them if it is empty.
func (t *table[T]) list(namespace string) []T {
	if t.view == nil {
		t.view = make([]T, len(t.entries))
		for i, e := range t.entries {
			t.view[i] = e.value
		}
	}
	if namespace == "" {
		return slices.Clip(t.view)
	}
	from, _ := t.find(namespace + "/")
	to, _ := t.find(namespace + "0") // the character after the slash
	return slices.Clip(t.view[from:to])
}
