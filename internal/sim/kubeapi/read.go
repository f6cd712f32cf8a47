package kubeapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (s *Server) get(w http.ResponseWriter, res Resource, in info, f format) error {
	obj, err := s.store.lookup(res, key{in.namespaceOf(res), in.name})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, f.shape(obj))
	return nil
}

// namespaceOf is the namespace that objects of the request are stored under: a Namespace itself has none.
func (i info) namespaceOf(res Resource) string {
	if !res.Namespaced {
		return ""
	}
	return i.namespace
}

// page is what a continue token says.
type page struct {
	Version uint64 `json:"rv"`
	After   string `json:"after"` // namespace/name of the last object considered
}

// before says that the object comes after the pages already sent.
func (p page) before(k key) bool {
	ns, name, _ := strings.Cut(p.After, "/")
	return p.After == "" || key{ns, name}.less(k)
}

func (p page) token() string {
	raw, _ := json.Marshal(p) // a number and a string always marshal
	return base64.RawURLEncoding.EncodeToString(raw)
}

func parsePage(token string) (page, error) {
	var p page
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil || p.Version == 0 || p.After == "" {
		return p, apierrors.NewBadRequest("continue key is not valid")
	}
	return p, nil
}

// at is the version at which a list is read; 0 means now.
func (q query) at(current uint64) (uint64, page, error) {
	if q.cont != "" {
		if q.version != "" && q.version != "0" {
			return 0, page{}, apierrors.NewBadRequest("specifying resource version is not allowed when using continue")
		}
		p, err := parsePage(q.cont)
		return p.Version, p, err
	}
	version, err := parseVersion(q.version)
	if err != nil {
		return 0, page{}, err
	}
	switch q.match {
	case "", string(metav1.ResourceVersionMatchNotOlderThan), string(metav1.ResourceVersionMatchExact):
	default:
		return 0, page{}, invalidOptions("resourceVersionMatch", fmt.Sprintf("Unsupported value: %q", q.match))
	}
	if q.match != "" && q.version == "" {
		return 0, page{}, invalidOptions("resourceVersionMatch", "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided")
	}
	if version > current {
		return 0, page{}, tooLarge(version, current)
	}
	if q.match != string(metav1.ResourceVersionMatchExact) {
		return 0, page{}, nil
	}
	if version == 0 {
		return 0, page{}, invalidOptions("resourceVersionMatch", "Forbidden: resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"")
	}
	return version, page{}, nil
}

func parseVersion(v string) (uint64, error) {
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil {
		return 0, apierrors.NewBadRequest(fmt.Sprintf("Invalid value: %q: resourceVersion: %v", v, err))
	}
	return n, nil
}

// tooLarge is the answer to a version that does not exist yet, with the hint that clients retry by.
func tooLarge(version, current uint64) error {
	err := apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d, current: %d", version, current), 1)
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge, Message: "Too large resource version"}}
	return err
}

func (s *Server) list(w http.ResponseWriter, res Resource, in info, q query, f format) error {
	sel, err := parseSelection(res, q.labelSelector, q.fieldSelector)
	if err != nil {
		return err
	}
	if q.initial != nil {
		return invalidOptions("sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for list")
	}
	version, from, err := q.at(s.store.Version())
	if err != nil {
		return err
	}
	entries, version, err := s.store.entriesAt(res.GVR(), in.namespaceOf(res), version)
	if err != nil {
		return err
	}
	items, meta := []Object{}, Object{"resourceVersion": strconv.FormatUint(version, 10)}
	for i, e := range entries {
		if !from.before(e.key) || !sel.matches(e.obj) {
			continue
		}
		if q.limit > 0 && int64(len(items)) == q.limit {
			last := entries[i-1].key
			meta["continue"] = page{version, last.namespace + "/" + last.name}.token()
			if sel.everything() {
				meta["remainingItemCount"] = int64(len(entries) - i)
			}
			break
		}
		items = append(items, f.item(res, e.obj))
	}
	apiVersion, kind := f.listKind(res)
	writeJSON(w, http.StatusOK, Object{"kind": kind, "apiVersion": apiVersion, "metadata": meta, "items": items})
	return nil
}
