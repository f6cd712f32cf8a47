package kubeapi

import (
	"encoding/json"
	"fmt"
	"net/http"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
)

// maxPatchOperations is the API server's own limit for a JSON patch.
const maxPatchOperations = 10000

func (s *Server) patch(w http.ResponseWriter, r *http.Request, c *call, res Resource, q query) error {
	f, err := negotiate(r)
	if err != nil {
		return err
	}
	kind := types.PatchType(contentType(r))
	if kind == types.ApplyPatchType || kind == types.ApplyYAMLPatchType {
		return s.apply(w, r, c, res, q, f)
	}
	if q.force != nil {
		return invalidOptions("force", "Forbidden: may not be specified for non-apply patch")
	}
	raw, err := body(r)
	if err != nil {
		return err
	}
	change, err := patcher(res, kind, raw)
	if err != nil {
		return err
	}
	var warnings []string
	stored, err := s.change(c, res, q, q.managerOr(r), func(old Object) (Object, error) {
		obj, err := change(runtime.DeepCopyJSON(old))
		if err != nil {
			return nil, err
		}
		if keyOf(obj) != keyOf(old) {
			return nil, apierrors.NewBadRequest("the name and namespace of an object cannot be patched")
		}
		obj, warnings, err = s.admit(res, c.info, obj, q)
		return obj, err
	})
	if err != nil {
		return err
	}
	warn(w, warnings)
	writeJSON(w, http.StatusOK, f.shape(stored))
	return nil
}

// patcher reads a patch and returns what it does to an object, which it may change in place.
func patcher(res Resource, kind types.PatchType, raw []byte) (edit, error) {
	accepted := []string{string(types.JSONPatchType), string(types.MergePatchType), string(types.ApplyYAMLPatchType)}
	switch kind {
	case types.MergePatchType:
		patch, err := decodeJSON(raw)
		if err != nil {
			return nil, err
		}
		return func(obj Object) (Object, error) { return merge(obj, patch), nil }, nil
	case types.StrategicMergePatchType:
		// A custom resource's lists have no merge keys.
		if !scheme.Scheme.Recognizes(res.GVK()) {
			return nil, unsupportedMedia(accepted...)
		}
		patch, err := decodeJSON(raw)
		if err != nil {
			return nil, err
		}
		typed, err := scheme.Scheme.New(res.GVK())
		if err != nil {
			return nil, apierrors.NewInternalError(err)
		}
		return func(obj Object) (Object, error) {
			out, err := strategicpatch.StrategicMergeMapPatch(obj, runtime.DeepCopyJSON(patch), typed)
			if err != nil {
				return nil, apierrors.NewBadRequest(err.Error())
			}
			return toObject(out)
		}, nil
	case types.JSONPatchType:
		return jsonPatcher(raw)
	}
	return nil, unsupportedMedia(append(accepted, string(types.StrategicMergePatchType))...)
}

// merge is RFC 7396 on decoded JSON.
func merge(obj, patch Object) Object {
	if obj == nil {
		obj = Object{}
	}
	for field, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(obj, field)
		case Object:
			old, _ := obj[field].(Object)
			obj[field] = merge(old, v)
		default:
			obj[field] = runtime.DeepCopyJSONValue(v)
		}
	}
	return obj
}

func jsonPatcher(raw []byte) (edit, error) {
	patch, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		return nil, apierrors.NewBadRequest("error decoding patch: " + err.Error())
	}
	if len(patch) > maxPatchOperations {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("the allowed maximum operations in a JSON patch is %d, got %d", maxPatchOperations, len(patch)))
	}
	return func(obj Object) (out Object, err error) {
		before, err := json.Marshal(obj)
		if err != nil {
			return nil, apierrors.NewInternalError(err)
		}
		defer func() {
			// The library indexes into what a malformed patch points at.
			if p := recover(); p != nil {
				out, err = nil, unprocessable(fmt.Sprint(p))
			}
		}()
		after, err := patch.Apply(before)
		if err != nil {
			return nil, unprocessable(err.Error())
		}
		if err := utiljson.Unmarshal(after, &out); err != nil || out == nil {
			return nil, unprocessable("the patched document is no object")
		}
		return out, nil
	}, nil
}

func unprocessable(message string) error {
	return &apierrors.StatusError{ErrStatus: statusOf(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid,
		"the server rejected our request due to an error in our request: "+message)}
}
