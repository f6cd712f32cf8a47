package kubeapi

import (
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// preconditions of a delete; empty fields ask for nothing.
type preconditions struct {
	uid, version string
}

// erase deletes an object the way the API server does: at once when nothing holds it, else it is
// marked with a deletionTimestamp and stays until its finalizers are gone. A namespace takes its
// contents along. gone tells which of the two happened.
func (s *Store) erase(r Resource, k key, pre preconditions, dry bool) (obj Object, gone bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, ok := s.peek(r.GVR(), k)
	if !ok {
		return nil, false, apierrors.NewNotFound(r.GroupResource(), k.name)
	}
	if err := pre.check(r, k, now); err != nil {
		return nil, false, err
	}
	marked := s.marked(r, now)
	switch {
	case dry:
		return marked, doomed(marked), nil
	case isNamespace(r):
		return s.eraseNamespace(r, k, now, marked)
	case doomed(marked): // what goes at once goes as it was, never having been marked
		return s.remove(r, k, runtime.DeepCopyJSON(now), now), true, nil
	}
	if metaString(now, "deletionTimestamp") != "" {
		return now, false, nil
	}
	return s.commit(r, k, Modified, marked, now), false, nil
}

func (p preconditions) check(r Resource, k key, obj Object) error {
	if uid := metaString(obj, "uid"); p.uid != "" && p.uid != uid {
		return apierrors.NewConflict(r.GroupResource(), k.name, fmt.Errorf("Precondition failed: UID in precondition: %s, UID in object meta: %s", p.uid, uid))
	}
	if v := metaString(obj, "resourceVersion"); p.version != "" && p.version != v {
		return apierrors.NewConflict(r.GroupResource(), k.name, fmt.Errorf("Precondition failed: ResourceVersion in precondition: %s, ResourceVersion in object meta: %s", p.version, v))
	}
	return nil
}

// marked is a copy of the object that says it is being deleted.
func (s *Store) marked(r Resource, obj Object) Object {
	obj = runtime.DeepCopyJSON(obj)
	if metaString(obj, "deletionTimestamp") == "" {
		setMeta(obj, "deletionTimestamp", s.stamp())
		setMeta(obj, "deletionGracePeriodSeconds", int64(0))
		if n, ok := metaOf(obj)["generation"].(int64); ok && generational(r) {
			setMeta(obj, "generation", n+1)
		}
	}
	return obj
}

func (s *Store) eraseNamespace(r Resource, k key, now, marked Object) (Object, bool, error) {
	status, _ := marked["status"].(Object)
	if status == nil {
		status = Object{}
		marked["status"] = status
	}
	status["phase"] = "Terminating"
	obj := s.commit(r, k, Modified, marked, now)
	for _, res := range s.table.order {
		if !res.Namespaced || res.ReadOnly || s.shelves[res.GVR()] == nil {
			continue
		}
		for at, content := range s.shelves[res.GVR()].objects {
			if at.namespace != k.name {
				continue
			}
			if m := s.marked(res, content); doomed(m) {
				s.commit(res, at, Deleted, runtime.DeepCopyJSON(content), content)
			} else if metaString(content, "deletionTimestamp") == "" {
				s.commit(res, at, Modified, m, content)
			}
		}
	}
	s.finishNamespace(k.name)
	return obj, false, nil
}

// finishNamespace removes a namespace that is being deleted once nothing is left in it.
func (s *Store) finishNamespace(name string) {
	gvr := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	ns, ok := s.peek(gvr, key{"", name})
	if !ok || metaString(ns, "deletionTimestamp") == "" || len(finalizers(ns)) > 0 {
		return
	}
	for _, res := range s.table.order {
		if !res.Namespaced || res.ReadOnly || s.shelves[res.GVR()] == nil {
			continue
		}
		for at := range s.shelves[res.GVR()].objects {
			if at.namespace == name {
				return
			}
		}
	}
	s.commit(s.table.byGVR[gvr], key{"", name}, Deleted, runtime.DeepCopyJSON(ns), ns)
}

// doomed says that an object marked for deletion has nothing left that holds it.
func doomed(obj Object) bool {
	return metaString(obj, "deletionTimestamp") != "" && len(finalizers(obj)) == 0
}

func finalizers(obj Object) []any {
	f, _ := metaOf(obj)["finalizers"].([]any)
	return f
}

func isNamespace(r Resource) bool { return r.Group == "" && r.Plural == "namespaces" }

func (s *Store) stamp() string { return s.now().UTC().Format(time.RFC3339) }
