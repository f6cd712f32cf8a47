package kubeapi

import (
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
)

// nonResource serves discovery, health and version. Aggregated discovery is not spoken: its requests
// get the plain documents, which clients fall back to.
func (s *Server) nonResource(w http.ResponseWriter, r *http.Request, in info) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return &apierrors.StatusError{ErrStatus: statusOf(http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed,
			"the server does not allow this method on the requested resource")}
	}
	path := strings.TrimSuffix(in.path, "/")
	switch {
	case path == "/version":
		writeJSON(w, http.StatusOK, s.version())
		return nil
	case path == "/healthz", path == "/livez", path == "/readyz":
		s.health(w, r, path)
		return nil
	}
	if doc := s.document(strings.Split(strings.TrimPrefix(path, "/"), "/")); doc != nil {
		writeJSON(w, http.StatusOK, doc)
		return nil
	}
	return notServed()
}

// document is the discovery document at a path, nil when there is none.
func (s *Server) document(parts []string) any {
	switch {
	case len(parts) == 1 && parts[0] == "api":
		return metav1.APIVersions{
			TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"},
			ServerAddressByClientCIDRs: []metav1.ServerAddressByClientCIDR{},
		}
	case len(parts) == 1 && parts[0] == "apis":
		return metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: s.groups()}
	case len(parts) == 2 && parts[0] == "api":
		return s.resources(schema.GroupVersion{Version: parts[1]})
	case len(parts) == 2 && parts[0] == "apis":
		for _, g := range s.groups() {
			if g.Name == parts[1] {
				g.TypeMeta = metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}
				return g
			}
		}
	case len(parts) == 3 && parts[0] == "apis" && parts[1] != "":
		return s.resources(schema.GroupVersion{Group: parts[1], Version: parts[2]})
	}
	return nil
}

// reviewGroups are served beside the store's resources.
func reviewGroups() []schema.GroupVersion {
	return []schema.GroupVersion{{Group: "authentication.k8s.io", Version: "v1"}, {Group: "authorization.k8s.io", Version: "v1"}}
}

func (s *Server) groups() []metav1.APIGroup {
	var versions []schema.GroupVersion
	for _, r := range s.store.table.order {
		versions = append(versions, r.GVR().GroupVersion())
	}
	versions = append(versions, reviewGroups()...)
	groups, at, seen := []metav1.APIGroup{}, map[string]int{}, map[schema.GroupVersion]bool{}
	for _, gv := range versions {
		if gv.Group == "" || seen[gv] {
			continue
		}
		seen[gv] = true
		v := metav1.GroupVersionForDiscovery{GroupVersion: gv.String(), Version: gv.Version}
		i, ok := at[gv.Group]
		if !ok {
			i = len(groups)
			at[gv.Group] = i
			groups = append(groups, metav1.APIGroup{Name: gv.Group, PreferredVersion: v})
		}
		groups[i].Versions = append(groups[i].Versions, v)
	}
	return groups
}

func (s *Server) resources(gv schema.GroupVersion) any {
	list := metav1.APIResourceList{
		TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: gv.String(),
	}
	for _, r := range s.store.table.order {
		if r.GVR().GroupVersion() != gv {
			continue
		}
		list.APIResources = append(list.APIResources, metav1.APIResource{
			Name: r.Plural, SingularName: r.Singular, Namespaced: r.Namespaced, Kind: r.Kind, Verbs: r.Verbs(), ShortNames: r.Short,
		})
		if r.Status {
			list.APIResources = append(list.APIResources, metav1.APIResource{
				Name: r.Plural + "/status", Namespaced: r.Namespaced, Kind: r.Kind, Verbs: metav1.Verbs{"get", "patch", "update"},
			})
		}
		if r.Group == "" && r.Plural == "services" {
			list.APIResources = append(list.APIResources, metav1.APIResource{
				Name: "services/proxy", Namespaced: true, Kind: "ServiceProxyOptions",
				Verbs: metav1.Verbs{"create", "delete", "get", "patch", "update"},
			})
		}
	}
	for at, kind := range selfReviews() {
		if group, resource, _ := strings.Cut(at, "/"); group == gv.Group && gv.Version == "v1" {
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: resource, Kind: kind, Verbs: metav1.Verbs{"create"}})
		}
	}
	if list.APIResources == nil {
		return nil
	}
	return list
}

func (s *Server) version() version.Info {
	parts := strings.SplitN(strings.TrimPrefix(s.opts.GitVersion, "v"), ".", 3)
	for len(parts) < 2 {
		parts = append(parts, "")
	}
	return version.Info{
		Major: parts[0], Minor: parts[1], GitVersion: s.opts.GitVersion, GitTreeState: "clean",
		GoVersion: "go1.26", Compiler: "gc", Platform: "linux/amd64",
	}
}

func (s *Server) health(w http.ResponseWriter, r *http.Request, path string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !r.URL.Query().Has("verbose") {
		_, _ = w.Write([]byte("ok"))
		return
	}
	_, _ = w.Write([]byte("[+]ping ok\n[+]log ok\n[+]etcd ok\n[+]informer-sync ok\n" + strings.TrimPrefix(path, "/") + " check passed\n"))
}
