package kubeapi

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes/scheme"
)

func randomUID() string { return string(uuid.NewUUID()) }

// suffixAlphabet leaves out vowels and look-alikes, as the API server's generated names do.
const suffixAlphabet = "bcdfghjklmnpqrstvwxz2456789"

func randomSuffix() string {
	b := make([]byte, 5)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	for i := range b {
		b[i] = suffixAlphabet[int(b[i])%len(suffixAlphabet)]
	}
	return string(b)
}

// toObject turns anything that marshals to a JSON object into an Object of its own: maps with Go
// numbers, unstructured objects, and typed objects, whose kind is taken from the scheme when empty.
func toObject(in any) (Object, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("encoding object: %w", err)
	}
	var obj Object
	if err := utiljson.Unmarshal(raw, &obj); err != nil {
		return nil, fmt.Errorf("decoding object: %w", err)
	}
	if obj == nil {
		return nil, fmt.Errorf("decoding object: it is null")
	}
	if typed, ok := in.(runtime.Object); ok && obj["kind"] == nil {
		kinds, _, err := scheme.Scheme.ObjectKinds(typed)
		if err != nil {
			return nil, fmt.Errorf("finding the kind of %T: %w", in, err)
		}
		obj["apiVersion"], obj["kind"] = kinds[0].GroupVersion().String(), kinds[0].Kind
	}
	if m, ok := obj["metadata"].(Object); ok && m["creationTimestamp"] == nil {
		delete(m, "creationTimestamp")
	}
	return obj, nil
}

// metaOf is the object's metadata, nil when there is none.
func metaOf(obj Object) Object {
	m, _ := obj["metadata"].(Object)
	return m
}

func metaString(obj Object, field string) string {
	v, _ := metaOf(obj)[field].(string)
	return v
}

func uidOf(obj Object) types.UID { return types.UID(metaString(obj, "uid")) }

// setMeta sets a metadata field; an empty string or nil removes it.
func setMeta(obj Object, field string, value any) {
	m := metaOf(obj)
	if m == nil {
		m = Object{}
		obj["metadata"] = m
	}
	if value == nil || value == "" {
		delete(m, field)
		return
	}
	m[field] = value
}

// generational says that the API server counts changes of the resource's desired state.
func generational(r Resource) bool {
	switch r.Group {
	case "":
		return r.Plural == "pods" || r.Plural == "replicationcontrollers"
	case "apps", "batch", "autoscaling", "policy", "networking.k8s.io", "discovery.k8s.io", "admissionregistration.k8s.io":
		return r.Plural != "controllerrevisions"
	case "rbac.authorization.k8s.io", "coordination.k8s.io", "storage.k8s.io", "apiregistration.k8s.io", "scheduling.k8s.io":
		return false
	}
	return !r.ReadOnly
}

// settle fills in what the API server owns: identity, and the generation. old is nil on create.
func (s *Store) settle(r Resource, old, obj Object) {
	if old == nil {
		if metaString(obj, "uid") == "" {
			setMeta(obj, "uid", s.uid())
		}
		if metaString(obj, "creationTimestamp") == "" {
			setMeta(obj, "creationTimestamp", s.stamp())
		}
		if generational(r) && metaOf(obj)["generation"] == nil {
			setMeta(obj, "generation", int64(1))
		}
		if isNamespace(r) {
			settleNamespace(obj)
		}
		return
	}
	for _, field := range []string{"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"} {
		setMeta(obj, field, metaOf(old)[field])
	}
	if generational(r) && specChanged(r, old, obj) {
		n, _ := metaOf(old)["generation"].(int64)
		setMeta(obj, "generation", n+1)
	}
}

func settleNamespace(obj Object) {
	labels, _ := metaOf(obj)["labels"].(Object)
	if labels == nil {
		labels = Object{}
		setMeta(obj, "labels", labels)
	}
	labels["kubernetes.io/metadata.name"] = metaString(obj, "name")
	if obj["spec"] == nil {
		obj["spec"] = Object{"finalizers": []any{"kubernetes"}}
	}
	if obj["status"] == nil {
		obj["status"] = Object{"phase": "Active"}
	}
}

func specChanged(r Resource, old, obj Object) bool {
	for _, o := range []Object{old, obj} {
		for field := range o {
			switch {
			case field == "metadata", field == "apiVersion", field == "kind", field == "status" && r.Status:
			case !equality.Semantic.DeepEqual(old[field], obj[field]):
				return true
			}
		}
	}
	return false
}

// unchanged says that a write would change nothing but the record of who wrote when, which the API
// server does not store.
func unchanged(old, obj Object) bool {
	for _, o := range []Object{old, obj} {
		for field := range o {
			if field != "metadata" && !reflect.DeepEqual(old[field], obj[field]) {
				return false
			}
		}
	}
	a, b := metaOf(old), metaOf(obj)
	for _, m := range []Object{a, b} {
		for field := range m {
			switch field {
			case "resourceVersion":
			case "managedFields":
				if !reflect.DeepEqual(timeless(a[field]), timeless(b[field])) {
					return false
				}
			default:
				if !reflect.DeepEqual(a[field], b[field]) {
					return false
				}
			}
		}
	}
	return true
}

// timeless copies managedFields without their times.
func timeless(managed any) []any {
	list, _ := managed.([]any)
	out := make([]any, 0, len(list))
	for _, e := range list {
		fields, _ := e.(Object)
		copied := Object{}
		for k, v := range fields {
			if k != "time" {
				copied[k] = v
			}
		}
		out = append(out, copied)
	}
	return out
}

// dig reads a dotted path of map fields as a string; "" when there is none.
func dig(obj Object, path string) string {
	var at any = obj
	for _, part := range strings.Split(path, ".") {
		m, ok := at.(Object)
		if !ok {
			return ""
		}
		at = m[part]
	}
	switch v := at.(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}
