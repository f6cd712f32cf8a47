package kubeapi

import (
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/api/validation/path"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes/scheme"
)

// admit brings an object from a request into the form in which it is stored: of the resource's kind,
// with the name and namespace of the request, and with fields of the right types. Fields that a
// built-in kind does not have are dropped with a warning, or refused when the request asks for that.
func (s *Server) admit(res Resource, in info, obj Object, q query) (Object, []string, error) {
	if err := sameKind(res, obj); err != nil {
		return nil, nil, err
	}
	meta, present := obj["metadata"]
	if m, ok := meta.(Object); !ok || m == nil {
		if present && meta != nil {
			return nil, nil, apierrors.NewBadRequest("decoding the body of the request: metadata is no object")
		}
		obj["metadata"] = Object{}
	}
	obj, warnings, err := typecheck(res, obj, q)
	if err != nil {
		return nil, nil, err
	}
	ns := metaString(obj, "namespace")
	switch {
	case !res.Namespaced:
		setMeta(obj, "namespace", nil)
	case ns == "":
		setMeta(obj, "namespace", in.namespace)
	case ns != in.namespace:
		return nil, nil, apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	name := metaString(obj, "name")
	if in.name != "" && name == "" {
		setMeta(obj, "name", in.name)
	} else if in.name != "" && name != in.name {
		return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", name, in.name))
	}
	return obj, warnings, nil
}

func sameKind(res Resource, obj Object) error {
	for _, f := range []struct{ field, want string }{{"apiVersion", res.apiVersion()}, {"kind", res.Kind}} {
		switch got, _ := obj[f.field].(string); got {
		case f.want:
		case "":
			if obj[f.field] != nil || !scheme.Scheme.Recognizes(res.GVK()) {
				return apierrors.NewBadRequest(fmt.Sprintf("Object '%s' is missing", f.field))
			}
			obj[f.field] = f.want
		default:
			return apierrors.NewBadRequest(fmt.Sprintf("%s in the data (%s) does not match the expected %s (%s)", f.field, got, f.field, f.want))
		}
	}
	return nil
}

// typecheck reads the object as the Go type of its kind, or its metadata only when the kind has none.
func typecheck(res Resource, obj Object, q query) (Object, []string, error) {
	target, part := any(&metav1.ObjectMeta{}), metaOf(obj)
	builtin := scheme.Scheme.Recognizes(res.GVK())
	if builtin {
		typed, err := scheme.Scheme.New(res.GVK())
		if err != nil {
			return nil, nil, apierrors.NewInternalError(err)
		}
		target, part = typed, obj
	}
	convert := runtime.DefaultUnstructuredConverter
	err := convert.FromUnstructuredWithValidation(part, target, q.validation != metav1.FieldValidationIgnore)
	strict, unknown := runtime.AsStrictDecodingError(err)
	var warnings []string
	switch {
	case unknown && q.validation == metav1.FieldValidationStrict:
		return nil, nil, apierrors.NewBadRequest("strict decoding error: " + strict.Error())
	case unknown:
		for _, e := range strict.Errors() {
			warnings = append(warnings, e.Error())
		}
	case err != nil:
		return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", res.Kind, res.Version, res.Kind, err))
	}
	back, err := convert.ToUnstructured(target)
	if err != nil {
		return nil, nil, apierrors.NewBadRequest(err.Error())
	}
	if builtin {
		obj = back
		obj["apiVersion"], obj["kind"] = res.apiVersion(), res.Kind
	} else {
		obj["metadata"] = back
	}
	if metaOf(obj) == nil {
		obj["metadata"] = Object{}
	}
	if metaOf(obj)["creationTimestamp"] == nil {
		delete(metaOf(obj), "creationTimestamp")
	}
	return obj, warnings, nil
}

// checkName refuses names that the real server's rules for the kind refuse.
func checkName(res Resource, name string) error {
	at := field.NewPath("metadata", "name")
	var errs field.ErrorList
	var bad []string
	switch {
	case name == "":
		errs = append(errs, field.Required(at, "name or generateName is required"))
	case res.Group == "rbac.authorization.k8s.io":
		bad = path.ValidatePathSegmentName(name, false)
	case isNamespace(res):
		bad = validation.ValidateNamespaceName(name, false)
	default:
		bad = validation.NameIsDNSSubdomain(name, false)
	}
	for _, msg := range bad {
		errs = append(errs, field.Invalid(at, name, msg))
	}
	if len(errs) > 0 {
		return apierrors.NewInvalid(res.GVK().GroupKind(), name, errs)
	}
	return nil
}

// checkNamespace refuses new objects where no namespace is or where it is on its way out.
func (s *Server) checkNamespace(res Resource, obj Object) error {
	if !res.Namespaced {
		return nil
	}
	namespaces, ok := s.store.table.byGVR[schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}]
	if !ok {
		return nil
	}
	name := metaString(obj, "namespace")
	ns, err := s.store.lookup(namespaces, key{"", name})
	if err != nil {
		return err
	}
	if metaString(ns, "deletionTimestamp") == "" {
		return nil
	}
	refusal := apierrors.NewForbidden(res.GroupResource(), metaString(obj, "name"),
		fmt.Errorf("unable to create new content in namespace %s because it is being terminated", name))
	refusal.ErrStatus.Details.Causes = []metav1.StatusCause{{
		Type: "NamespaceTerminating", Message: "namespace " + name + " is being terminated", Field: "metadata.namespace",
	}}
	return refusal
}

// warn adds warnings in the form that client-go reads.
func warn(w http.ResponseWriter, warnings []string) {
	clean := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ", "\r", " ")
	for i, text := range warnings {
		if i == 20 {
			return
		}
		if len(text) > 256 {
			text = text[:256]
		}
		w.Header().Add("Warning", `299 - "`+clean.Replace(text)+`"`)
	}
}
