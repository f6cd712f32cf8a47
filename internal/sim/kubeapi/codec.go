package kubeapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// maxBody is the API server's own limit for a request's body.
const maxBody = 3 << 20

const (
	jsonType     = "application/json"
	yamlType     = "application/yaml"
	protobufType = "application/vnd.kubernetes.protobuf"
)

func statusOf(code int32, reason metav1.StatusReason, message string) metav1.Status {
	return metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: code, Reason: reason, Message: message,
	}
}

// statusFor is the Status that an error is told by.
func statusFor(err error) metav1.Status {
	var known apierrors.APIStatus
	if !errors.As(err, &known) {
		known = apierrors.NewInternalError(err)
	}
	st := known.Status()
	st.Kind, st.APIVersion = "Status", "v1"
	if st.Code == 0 {
		st.Code = http.StatusInternalServerError
	}
	return st
}

func writeError(w http.ResponseWriter, err error) {
	st := statusFor(err)
	if d := st.Details; d != nil && d.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(d.RetryAfterSeconds))
	}
	writeJSON(w, int(st.Code), st)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // no stored object can do this: all came from JSON
		code, body = http.StatusInternalServerError, []byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","code":500,"reason":"InternalError","message":"encoding the answer"}`)
	}
	h := w.Header()
	h.Set("Content-Type", jsonType)
	h.Set("Cache-Control", "no-cache, private")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n')) // a client that went away is told nothing
}

// format is how the objects of an answer are written.
type format struct {
	partial bool // as PartialObjectMetadata
}

// negotiate picks the first format of the Accept header that the server has: JSON, or JSON as
// PartialObjectMetadata. Protobuf, CBOR and tables are passed over.
func negotiate(r *http.Request) (format, error) {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return format{}, nil
	}
	for _, clause := range strings.Split(header, ",") {
		media, p, err := mime.ParseMediaType(clause)
		if err != nil || media != jsonType && media != "*/*" && media != "application/*" {
			continue
		}
		switch p["as"] {
		case "":
			return format{}, nil
		case "PartialObjectMetadata", "PartialObjectMetadataList":
			if p["g"] == metav1.GroupName && p["v"] == "v1" {
				return format{partial: true}, nil
			}
		}
	}
	return format{}, &apierrors.StatusError{ErrStatus: statusOf(http.StatusNotAcceptable, metav1.StatusReasonNotAcceptable,
		"only the following media types are accepted: "+jsonType)}
}

// shape is the object as the format has it; the object itself is left alone.
func (f format) shape(obj Object) Object {
	if !f.partial {
		return obj
	}
	return Object{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
}

func (f format) listKind(r Resource) (apiVersion, kind string) {
	if f.partial {
		return "meta.k8s.io/v1", "PartialObjectMetadataList"
	}
	return r.apiVersion(), r.Kind + "List"
}

// item is the object as an element of a list: those of built-in kinds do not repeat their kind.
func (f format) item(r Resource, obj Object) Object {
	if f.partial || !scheme.Scheme.Recognizes(r.GVK()) {
		return f.shape(obj)
	}
	bare := make(Object, len(obj))
	for field, v := range obj {
		if field != "kind" && field != "apiVersion" {
			bare[field] = v
		}
	}
	return bare
}

// body reads a request's body within the limit.
func body(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, apierrors.NewBadRequest("reading the body of the request: " + err.Error())
	}
	if len(raw) > maxBody {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", maxBody))
	}
	return raw, nil
}

func contentType(r *http.Request) string {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return jsonType
	}
	media, _, err := mime.ParseMediaType(header)
	if err != nil {
		return header
	}
	return media
}

// decode reads an object from the body: JSON, YAML, or protobuf of a built-in kind. nil means an
// empty body.
func decode(r *http.Request) (Object, error) {
	raw, err := body(r)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	switch media := contentType(r); media {
	case jsonType:
		return decodeJSON(raw)
	case yamlType:
		return decodeYAML(raw)
	case protobufType:
		return decodeProtobuf(raw)
	default:
		return nil, unsupportedMedia(jsonType, yamlType, protobufType)
	}
}

func decodeJSON(raw []byte) (Object, error) {
	var obj Object
	if err := utiljson.Unmarshal(raw, &obj); err != nil {
		return nil, apierrors.NewBadRequest("decoding the body of the request: " + err.Error())
	}
	if obj == nil {
		return nil, apierrors.NewBadRequest("decoding the body of the request: it is null")
	}
	return obj, nil
}

func decodeYAML(raw []byte) (Object, error) {
	j, err := yaml.YAMLToJSON(raw)
	if err != nil {
		return nil, apierrors.NewBadRequest("error decoding YAML: " + err.Error())
	}
	return decodeJSON(j)
}

func decodeProtobuf(raw []byte) (Object, error) {
	typed, _, err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Decode(raw, nil, nil)
	switch {
	case runtime.IsNotRegisteredError(err):
		return nil, unsupportedMedia(jsonType, yamlType)
	case err != nil:
		return nil, apierrors.NewBadRequest("decoding the body of the request: " + err.Error())
	}
	obj, err := toObject(typed)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return obj, nil
}

func unsupportedMedia(accepted ...string) error {
	return &apierrors.StatusError{ErrStatus: statusOf(http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType,
		"the body of the request was in an unknown format - accepted media types include: "+strings.Join(accepted, ", "))}
}
