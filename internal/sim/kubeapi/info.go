package kubeapi

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// info is what a request's path and method ask for.
type info struct {
	isResource  bool
	path        string
	verb        string
	group       string
	version     string
	namespace   string
	resource    string
	name        string
	subresource string
	listed      string // the one name that a list's field selector leaves
	rest        string // what follows the subresource, with its leading slash
}

func (i info) gvr() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: i.group, Version: i.version, Resource: i.resource}
}

// parseInfo reads /api/v1/[namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE[/REST]]] and /apis/GROUP/VERSION/….
// Anything else is a non-resource path.
func parseInfo(r *http.Request) info {
	in := info{path: r.URL.Path, verb: strings.ToLower(r.Method)}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api" && parts[2] != "":
		in.version, parts = parts[1], parts[2:]
	case len(parts) > 3 && parts[0] == "apis" && parts[3] != "":
		in.group, in.version, parts = parts[1], parts[2], parts[3:]
	default:
		return in
	}
	in.isResource = true
	// namespaces/NS/status is the namespace's own; namespaces/NS/pods are the pods in it.
	if parts[0] == "namespaces" && len(parts) > 1 && parts[1] != "" {
		in.namespace = parts[1]
		if len(parts) > 2 && parts[2] != "" && parts[2] != "status" && parts[2] != "finalize" {
			parts = parts[2:]
		}
	}
	in.resource = parts[0]
	if len(parts) > 1 {
		in.name = parts[1]
	}
	if len(parts) > 2 {
		in.subresource = parts[2]
	}
	if len(parts) > 3 {
		in.rest = "/" + strings.Join(parts[3:], "/")
	}
	in.verb = verbOf(r, &in)
	return in
}

func verbOf(r *http.Request, in *info) string {
	switch r.Method {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		return "patch"
	case http.MethodDelete:
		if in.name == "" {
			return "deletecollection"
		}
		return "delete"
	case http.MethodGet, http.MethodHead:
	default:
		return strings.ToLower(r.Method)
	}
	if in.name != "" {
		return "get"
	}
	verb := "list"
	if w := r.URL.Query().Get("watch"); w != "" && w != "0" && w != "false" {
		verb = "watch"
	}
	in.listed = listName(r)
	return verb
}

// attributes are what the authorizer is asked about.
func (i info) attributes() Attributes {
	a := Attributes{Verb: i.verb, Path: i.path}
	if i.isResource {
		a.Group, a.Version, a.Resource, a.Subresource = i.group, i.version, i.resource, i.subresource
		a.Namespace, a.Name = i.namespace, cmp.Or(i.name, i.listed)
	}
	return a
}

// query is what a request's parameters ask for.
type query struct {
	labelSelector, fieldSelector string
	limit                        int64
	cont                         string
	version                      string // resourceVersion as sent
	match                        string // resourceVersionMatch
	watch, bookmarks             bool
	initial                      *bool // sendInitialEvents
	timeout                      time.Duration
	dryRun                       bool
	manager                      string
	force                        *bool
	validation                   string
}

func parseQuery(r *http.Request) (query, error) {
	v := r.URL.Query()
	q := query{
		labelSelector: v.Get("labelSelector"), fieldSelector: v.Get("fieldSelector"), cont: v.Get("continue"),
		version: v.Get("resourceVersion"), match: v.Get("resourceVersionMatch"), manager: v.Get("fieldManager"),
		validation: v.Get("fieldValidation"),
	}
	p := params{v: v}
	q.limit = p.int("limit")
	q.timeout = time.Duration(min(p.int("timeoutSeconds"), 1<<31)) * time.Second
	q.watch = truth(p.bool("watch"))
	q.bookmarks = truth(p.bool("allowWatchBookmarks"))
	q.initial, q.force = p.bool("sendInitialEvents"), p.bool("force")
	if p.err != nil {
		return q, p.err
	}
	if len(q.manager) > 128 {
		return q, invalidOptions("fieldManager", "may not be more than 128 bytes")
	}
	for _, d := range v["dryRun"] {
		if d != metav1.DryRunAll {
			return q, invalidOptions("dryRun", fmt.Sprintf("Unsupported value: %q: supported values: \"All\"", d))
		}
		q.dryRun = true
	}
	switch q.validation {
	case "", metav1.FieldValidationIgnore, metav1.FieldValidationWarn, metav1.FieldValidationStrict:
	default:
		return q, invalidOptions("fieldValidation", fmt.Sprintf("Unsupported value: %q: supported values: \"Ignore\", \"Strict\", \"Warn\"", q.validation))
	}
	return q, nil
}

type params struct {
	v   url.Values
	err error
}

func (p *params) int(name string) int64 {
	s := p.v.Get(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if (err != nil || n < 0) && p.err == nil {
		p.err = apierrors.NewBadRequest(fmt.Sprintf("parsing parameter %s: %q is no count", name, s))
	}
	return n
}

// bool reads a boolean as the API server does: anything but 0, f and false is true; nil when absent.
func (p *params) bool(name string) *bool {
	if !p.v.Has(name) {
		return nil
	}
	s := strings.ToLower(p.v.Get(name))
	b := s != "0" && s != "f" && s != "false"
	return &b
}

func truth(b *bool) bool { return b != nil && *b }

// listName is the name that a list's field selector asks for, which authorizers are told.
func listName(r *http.Request) string {
	f, err := fields.ParseSelector(r.URL.Query().Get("fieldSelector"))
	if err != nil {
		return ""
	}
	name, _ := f.RequiresExactMatch("metadata.name")
	return name
}

func invalidOptions(field, detail string) error {
	return &apierrors.StatusError{ErrStatus: statusOf(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid,
		fmt.Sprintf("Options.meta.k8s.io \"\" is invalid: %s: %s", field, detail))}
}
