package kubeapi

import (
	"net/http"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes/scheme"
)

// edit makes the next state of an object from the stored one, which it must not change. It is called
// again when another write came first.
type edit func(old Object) (Object, error)

func (s *Server) create(w http.ResponseWriter, r *http.Request, c *call, res Resource, q query) error {
	f, err := negotiate(r)
	if err != nil {
		return err
	}
	obj, err := decode(r)
	if err != nil {
		return err
	}
	if obj == nil {
		return apierrors.NewBadRequest("the body of the request is empty")
	}
	obj, warnings, err := s.admit(res, c.info, obj, q)
	if err != nil {
		return err
	}
	if metaString(obj, "resourceVersion") != "" {
		return apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	setMeta(obj, "managedFields", nil)
	stored, err := s.insert(res, obj, q, func(obj Object) (Object, error) {
		return s.track(res, "", nil, obj, q.managerOr(r))
	})
	if err != nil {
		return err
	}
	warn(w, warnings)
	writeJSON(w, http.StatusCreated, f.shape(stored))
	return nil
}

// insert stores a new object; record adds what is to be known about its writer once it is complete.
func (s *Server) insert(res Resource, obj Object, q query, record edit) (Object, error) {
	generate := metaString(obj, "name") == "" && metaString(obj, "generateName") != ""
	for try := 0; ; try++ {
		if generate {
			setMeta(obj, "name", metaString(obj, "generateName")+s.store.suffix())
		}
		if err := checkName(res, metaString(obj, "name")); err != nil {
			return nil, err
		}
		if err := s.checkNamespace(res, obj); err != nil {
			return nil, err
		}
		fresh(res, obj)
		s.store.settle(res, nil, obj)
		next, err := record(obj)
		if err != nil {
			return nil, err
		}
		if q.dryRun {
			if _, err := s.store.lookup(res, keyOf(next)); err == nil {
				return nil, apierrors.NewAlreadyExists(res.GroupResource(), metaString(next, "name"))
			}
			return next, nil
		}
		stored, err := s.store.insert(res, keyOf(next), next)
		if apierrors.IsAlreadyExists(err) && generate && try < 8 {
			continue
		}
		return stored, err
	}
}

// fresh takes away what only the server may set, and sets the first status.
func fresh(res Resource, obj Object) {
	for _, f := range []string{"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink", "resourceVersion"} {
		setMeta(obj, f, nil)
	}
	if !res.Status {
		return
	}
	delete(obj, "status")
	switch {
	case res.Group == "" && (res.Plural == "pods" || res.Plural == "persistentvolumeclaims"):
		obj["status"] = Object{"phase": "Pending"}
	case res.Group == "apps", res.Group == "batch", res.Group == "" && res.Plural == "services":
		obj["status"] = Object{}
	}
}

func (s *Server) update(w http.ResponseWriter, r *http.Request, c *call, res Resource, q query) error {
	f, err := negotiate(r)
	if err != nil {
		return err
	}
	sent, err := decode(r)
	if err != nil {
		return err
	}
	if sent == nil {
		return apierrors.NewBadRequest("the body of the request is empty")
	}
	sent, warnings, err := s.admit(res, c.info, sent, q)
	if err != nil {
		return err
	}
	if metaString(sent, "resourceVersion") == "" && !scheme.Scheme.Recognizes(res.GVK()) {
		return apierrors.NewInvalid(res.GVK().GroupKind(), c.info.name, field.ErrorList{
			field.Invalid(field.NewPath("metadata", "resourceVersion"), 0, "must be specified for an update"),
		})
	}
	stored, err := s.change(c, res, q, q.managerOr(r), func(Object) (Object, error) { return runtime.DeepCopyJSON(sent), nil })
	if err != nil {
		return err
	}
	warn(w, warnings)
	writeJSON(w, http.StatusOK, f.shape(stored))
	return nil
}

// change replaces the stored object by what next makes of it, within what the request may change, and
// records the manager. A resourceVersion in the new state must be the stored one.
func (s *Server) change(c *call, res Resource, q query, manager string, next edit) (Object, error) {
	return s.exchange(c, res, q, func(old Object) (Object, error) {
		obj, err := next(old)
		if err != nil {
			return nil, err
		}
		if err := current(res, old, obj); err != nil {
			return nil, err
		}
		obj = confine(res, c.info.subresource, old, obj)
		s.store.settle(res, old, obj)
		return s.track(res, c.info.subresource, old, obj, manager)
	})
}

// exchange is the loop around one write of an existing object.
func (s *Server) exchange(c *call, res Resource, q query, next edit) (Object, error) {
	k := key{c.info.namespaceOf(res), c.info.name}
	for {
		old, err := s.store.lookup(res, k)
		if err != nil {
			return nil, err
		}
		obj, err := next(old)
		if err != nil {
			return nil, err
		}
		if unchanged(old, obj) {
			return old, nil
		}
		if q.dryRun {
			setMeta(obj, "resourceVersion", metaString(old, "resourceVersion"))
			return obj, nil
		}
		stored, err := s.store.replace(res, k, old, obj)
		if !apierrors.IsConflict(err) {
			return stored, err
		}
	}
}

// current refuses a state that was made from another version or another object of the same name.
func current(res Resource, old, obj Object) error {
	name := metaString(old, "name")
	if v := metaString(obj, "resourceVersion"); v != "" && v != metaString(old, "resourceVersion") {
		if _, err := strconv.ParseUint(v, 10, 64); err != nil {
			return apierrors.NewInvalid(res.GVK().GroupKind(), name, field.ErrorList{
				field.Invalid(field.NewPath("metadata", "resourceVersion"), v, "must be an integer"),
			})
		}
		return moved(res, name)
	}
	pre := preconditions{uid: metaString(obj, "uid")}
	return pre.check(res, key{name: name}, old)
}

// confine keeps a write to its part of the object: the status subresource changes the status alone,
// everything else leaves the status alone.
func confine(res Resource, subresource string, old, obj Object) Object {
	from, to := old, obj
	if subresource == "status" {
		from, to = obj, runtime.DeepCopyJSON(old)
	} else if !res.Status {
		return obj
	}
	if status, ok := from["status"]; ok {
		to["status"] = runtime.DeepCopyJSONValue(status)
	} else {
		delete(to, "status")
	}
	if subresource == "status" {
		setMeta(to, "managedFields", metaOf(obj)["managedFields"])
	}
	return to
}

// managerOr is the field manager of the request; without one, the client's name, as the real server
// takes it from the user agent.
func (q query) managerOr(r *http.Request) string {
	if q.manager != "" {
		return q.manager
	}
	name, _, _ := strings.Cut(r.UserAgent(), "/")
	if name == "" {
		return "unknown"
	}
	return name[:min(len(name), 128)]
}

func (s *Server) delete(w http.ResponseWriter, r *http.Request, res Resource, in info, q query) error {
	f, err := negotiate(r)
	if err != nil {
		return err
	}
	pre, dry, err := deleteOptions(r)
	if err != nil {
		return err
	}
	obj, gone, err := s.store.erase(res, key{in.namespaceOf(res), in.name}, pre, dry || q.dryRun)
	if err != nil {
		return err
	}
	if !gone || res.Group == "" && res.Plural == "pods" {
		writeJSON(w, http.StatusOK, f.shape(obj))
		return nil
	}
	st := metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess}
	st.Details = &metav1.StatusDetails{Name: in.name, Group: res.Group, Kind: res.Plural, UID: uidOf(obj)}
	writeJSON(w, http.StatusOK, st)
	return nil
}

func (s *Server) deleteMany(w http.ResponseWriter, r *http.Request, res Resource, in info, q query) error {
	f, err := negotiate(r)
	if err != nil {
		return err
	}
	_, dry, err := deleteOptions(r)
	if err != nil {
		return err
	}
	sel, err := parseSelection(res, q.labelSelector, q.fieldSelector)
	if err != nil {
		return err
	}
	entries, _, err := s.store.entriesAt(res.GVR(), in.namespaceOf(res), 0)
	if err != nil {
		return err
	}
	items := []Object{}
	for _, e := range entries {
		if !sel.matches(e.obj) {
			continue
		}
		obj, _, err := s.store.erase(res, e.key, preconditions{uid: metaString(e.obj, "uid")}, dry || q.dryRun)
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return err
		}
		if err == nil {
			items = append(items, f.item(res, obj))
		}
	}
	apiVersion, kind := f.listKind(res)
	meta := Object{"resourceVersion": strconv.FormatUint(s.store.Version(), 10)}
	writeJSON(w, http.StatusOK, Object{"kind": kind, "apiVersion": apiVersion, "metadata": meta, "items": items})
	return nil
}

// deleteOptions reads the options that a delete may have as its body.
func deleteOptions(r *http.Request) (preconditions, bool, error) {
	obj, err := decode(r)
	if err != nil || obj == nil {
		return preconditions{}, false, err
	}
	var o metav1.DeleteOptions
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj, &o); err != nil {
		return preconditions{}, false, apierrors.NewBadRequest(err.Error())
	}
	if o.Kind != "" && o.Kind != "DeleteOptions" {
		return preconditions{}, false, apierrors.NewBadRequest("decoded object cannot be converted to DeleteOptions")
	}
	var pre preconditions
	if o.Preconditions != nil {
		if o.Preconditions.UID != nil {
			pre.uid = string(*o.Preconditions.UID)
		}
		if o.Preconditions.ResourceVersion != nil {
			pre.version = *o.Preconditions.ResourceVersion
		}
	}
	for _, d := range o.DryRun {
		if d != metav1.DryRunAll {
			return pre, false, invalidOptions("dryRun", "Unsupported value: "+strconv.Quote(d))
		}
	}
	return pre, len(o.DryRun) > 0, nil
}
