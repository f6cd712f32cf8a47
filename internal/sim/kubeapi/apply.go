package kubeapi

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Field ownership is the API server's own code (apimachinery's managedfields over
// structured-merge-diff) with the schema of the built-in kinds that client-go carries.

type fieldManagers struct {
	mu      sync.Mutex
	builtin managedfields.TypeConverter
	byKind  map[fieldManagerKey]*managedfields.FieldManager
}

type fieldManagerKey struct {
	gvk         schema.GroupVersionKind
	subresource string
}

func (m *fieldManagers) get(res Resource, subresource string) (*managedfields.FieldManager, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := fieldManagerKey{res.GVK(), subresource}
	if fm := m.byKind[k]; fm != nil {
		return fm, nil
	}
	build, types := managedfields.NewDefaultCRDFieldManager, managedfields.NewDeducedTypeConverter()
	if scheme.Scheme.Recognizes(res.GVK()) {
		if m.builtin == nil {
			m.builtin = applyconfigurations.NewTypeConverter(scheme.Scheme)
		}
		build, types = managedfields.NewDefaultFieldManager, m.builtin
	}
	fm, err := build(types, sameVersion{}, noDefaults{}, creater{}, res.GVK(), res.GVK().GroupVersion(), subresource, resets(res, subresource))
	if err != nil {
		return nil, fmt.Errorf("building field manager of %s: %w", res.Kind, err)
	}
	if m.byKind == nil {
		m.byKind = map[fieldManagerKey]*managedfields.FieldManager{}
	}
	m.byKind[k] = fm
	return fm, nil
}

// resets are the fields that writes through the endpoint cannot own.
func resets(res Resource, subresource string) map[fieldpath.APIVersion]fieldpath.Filter {
	var fields *fieldpath.Set
	switch {
	case subresource == "status":
		fields = fieldpath.NewSet(fieldpath.MakePathOrDie("spec"), fieldpath.MakePathOrDie("metadata", "labels"), fieldpath.MakePathOrDie("metadata", "annotations"))
	case res.Status:
		fields = fieldpath.NewSet(fieldpath.MakePathOrDie("status"))
	default:
		return nil
	}
	return map[fieldpath.APIVersion]fieldpath.Filter{
		fieldpath.APIVersion(res.apiVersion()): fieldpath.NewExcludeSetFilter(fields),
	}
}

// track records in obj's managedFields that manager wrote it in place of old (nil on create). An object
// that was stored without managedFields stays so, as on the real server.
func (s *Server) track(res Resource, subresource string, old, obj Object, manager string) (Object, error) {
	fm, err := s.managers.get(res, subresource)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	live := old
	if live == nil {
		live = emptyObject(res, obj)
	}
	out, err := fm.Update(wrap(runtime.DeepCopyJSON(live)), wrap(runtime.DeepCopyJSON(obj)), manager)
	if err != nil {
		// Objects that the schema cannot hold, say with two ports of one name, are stored all the same;
		// the library's own way to do this would complain on standard error.
		setMeta(obj, "managedFields", metaOf(live)["managedFields"])
		return obj, nil
	}
	return s.restamp(old, out)
}

// apply is server-side apply: it creates the object when there is none.
func (s *Server) apply(w http.ResponseWriter, r *http.Request, c *call, res Resource, q query, f format) error {
	if q.manager == "" {
		return apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "PatchOptions"}, "", field.ErrorList{
			field.Required(field.NewPath("fieldManager"), "is required for apply patch"),
		})
	}
	sent, err := s.decodeApply(r, c, res)
	if err != nil {
		return err
	}
	for {
		stored, err := s.exchange(c, res, q, func(old Object) (Object, error) {
			obj, err := s.merged(res, c.info, old, sent, q)
			if err != nil {
				return nil, err
			}
			if err := current(res, old, obj); err != nil {
				return nil, err
			}
			obj = confine(res, c.info.subresource, old, obj)
			s.store.settle(res, old, obj)
			return s.restamp(old, wrap(obj))
		})
		if err == nil {
			writeJSON(w, http.StatusOK, f.shape(stored))
			return nil
		}
		if !apierrors.IsNotFound(err) || c.info.subresource != "" {
			return err
		}
		stored, err = s.applyNew(c, res, sent, q)
		if apierrors.IsAlreadyExists(err) && !q.dryRun {
			continue
		}
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusCreated, f.shape(stored))
		return nil
	}
}

func (s *Server) decodeApply(r *http.Request, c *call, res Resource) (Object, error) {
	raw, err := body(r)
	if err != nil {
		return nil, err
	}
	if contentType(r) != string(types.ApplyYAMLPatchType) {
		return nil, unsupportedMedia(string(types.ApplyYAMLPatchType))
	}
	obj, err := decodeYAML(raw)
	if err != nil {
		return nil, err
	}
	if err := sameKind(res, obj); err != nil {
		return nil, err
	}
	if metaOf(obj)["managedFields"] != nil {
		return nil, apierrors.NewBadRequest("metadata.managedFields must be nil")
	}
	// The types are checked on a copy: an applied configuration must keep saying only what it says.
	checked, _, err := s.admit(res, c.info, runtime.DeepCopyJSON(obj), query{validation: metav1.FieldValidationIgnore})
	if err != nil {
		return nil, err
	}
	setMeta(obj, "name", metaString(checked, "name"))
	setMeta(obj, "namespace", metaString(checked, "namespace"))
	return obj, nil
}

// merged is the live object with the applied configuration merged in and its ownership recorded.
func (s *Server) merged(res Resource, in info, live, sent Object, q query) (Object, error) {
	fm, err := s.managers.get(res, in.subresource)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	out, err := fm.Apply(wrap(runtime.DeepCopyJSON(live)), wrap(runtime.DeepCopyJSON(sent)), q.manager, truth(q.force))
	if err != nil {
		var told apierrors.APIStatus
		if errors.As(err, &told) {
			return nil, err
		}
		return nil, apierrors.NewBadRequest(err.Error())
	}
	obj, err := toObject(out)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	obj, _, err = s.admit(res, in, obj, query{validation: metav1.FieldValidationIgnore})
	return obj, err
}

func (s *Server) applyNew(c *call, res Resource, sent Object, q query) (Object, error) {
	a := c.info.attributes()
	a.Verb = "create"
	if err := s.authorize(c, a); err != nil {
		return nil, err
	}
	if uid := metaString(sent, "uid"); uid != "" {
		return nil, apierrors.NewConflict(res.GroupResource(), c.info.name, fmt.Errorf("uid mismatch: the provided object specified uid %s, and no existing object was found", uid))
	}
	if metaString(sent, "resourceVersion") != "" {
		return nil, apierrors.NewNotFound(res.GroupResource(), c.info.name)
	}
	obj, err := s.merged(res, c.info, emptyObject(res, sent), sent, q)
	if err != nil {
		return nil, err
	}
	return s.insert(res, obj, q, func(obj Object) (Object, error) { return s.restamp(nil, wrap(obj)) })
}

// restamp gives the managedFields entries that are new or changed the store's time instead of the
// library's wall-clock time.
func (s *Server) restamp(old Object, out runtime.Object) (Object, error) {
	u, ok := out.(*unstructured.Unstructured)
	if !ok {
		return nil, apierrors.NewInternalError(fmt.Errorf("managing fields: got a %T", out))
	}
	obj, err := toObject(u.Object)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	before, _ := metaOf(old)["managedFields"].([]any)
	after, _ := metaOf(obj)["managedFields"].([]any)
	for _, e := range after {
		entry, ok := e.(Object)
		if !ok {
			continue
		}
		entry["time"] = s.store.stamp()
		for _, b := range before {
			if same, ok := b.(Object); ok && reflect.DeepEqual(timeless([]any{b}), timeless([]any{e})) {
				entry["time"] = same["time"]
			}
		}
	}
	return obj, nil
}

func wrap(obj Object) *unstructured.Unstructured { return &unstructured.Unstructured{Object: obj} }

func emptyObject(res Resource, like Object) Object {
	obj := Object{"apiVersion": res.apiVersion(), "kind": res.Kind, "metadata": Object{}}
	setMeta(obj, "name", metaString(like, "name"))
	setMeta(obj, "namespace", metaString(like, "namespace"))
	return obj
}

// sameVersion converts between the versions of a resource, of which there is only one each.
type sameVersion struct{}

func (sameVersion) Convert(in, out, _ any) error {
	return fmt.Errorf("converting %T to %T: unsupported", in, out)
}

func (sameVersion) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return in, nil
}

func (sameVersion) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

type noDefaults struct{}

func (noDefaults) Default(runtime.Object) {}

type creater struct{}

func (creater) New(kind schema.GroupVersionKind) (runtime.Object, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	return u, nil
}
