package kubeapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// User is who makes a request.
type User struct {
	Name   string
	UID    string
	Groups []string
}

// Attributes are what a user wants to do. Group to Name are empty for a request to a path outside
// the resources, Path is set for all but access reviews of resources.
type Attributes struct {
	Verb        string
	Group       string
	Version     string
	Resource    string
	Subresource string
	Namespace   string
	Name        string
	Path        string
}

// Authorizer says whether a user may do something, and why not (the reason may be empty). It is
// called from many goroutines, also for requests that will turn out to be malformed.
type Authorizer func(user User, attrs Attributes) (allowed bool, reason string)

// Authenticator finds the user of a bearer token. It is called from many goroutines.
type Authenticator func(token string) (User, bool)

// Tokens is an Authenticator over a fixed table, which must not change afterwards.
func Tokens(table map[string]User) Authenticator {
	return func(token string) (User, bool) {
		u, ok := table[token]
		return u, ok
	}
}

// Masters is the group that RBAC lets do everything.
const Masters = "system:masters"

const (
	authenticated   = "system:authenticated"
	unauthenticated = "system:unauthenticated"
	anonymous       = "system:anonymous"
)

func (s *Server) authenticate(r *http.Request) (*call, error) {
	c := &call{}
	header := r.Header.Get("Authorization")
	token, isBearer := strings.CutPrefix(header, "Bearer ")
	switch {
	case s.opts.Authenticator == nil:
		c.user = User{Name: "kubernetes-admin", Groups: []string{Masters, authenticated}}
	case header == "":
		c.user = User{Name: anonymous, Groups: []string{unauthenticated}}
	case !isBearer:
		return nil, apierrors.NewUnauthorized("Unauthorized")
	default:
		u, ok := s.opts.Authenticator(strings.TrimSpace(token))
		if !ok {
			return nil, apierrors.NewUnauthorized("Unauthorized")
		}
		u.Groups = append(slices.Clone(u.Groups), authenticated)
		c.user = u
	}
	return c, nil
}

// impersonated is the user that the request's headers ask to act as, if any.
func impersonated(h http.Header) (User, bool) {
	name := h.Get("Impersonate-User")
	if name == "" {
		return User{}, false
	}
	u := User{Name: name, UID: h.Get("Impersonate-Uid"), Groups: slices.Clone(h.Values("Impersonate-Group"))}
	if name != anonymous && !slices.Contains(u.Groups, authenticated) {
		u.Groups = append(u.Groups, authenticated)
	}
	return u, true
}

// impersonate switches the call to the user it asks for, when its own user may.
func (s *Server) impersonate(c *call, h http.Header) error {
	u, ok := impersonated(h)
	if !ok {
		return nil
	}
	asks := []Attributes{{Verb: "impersonate", Version: "v1", Resource: "users", Name: u.Name}}
	for _, g := range h.Values("Impersonate-Group") {
		asks = append(asks, Attributes{Verb: "impersonate", Version: "v1", Resource: "groups", Name: g})
	}
	for _, a := range asks {
		if err := s.authorize(c, a); err != nil {
			return err
		}
	}
	c.user = u
	return nil
}

// authorize refuses with the real server's words.
func (s *Server) authorize(c *call, a Attributes) error {
	allowed, reason := s.allows(c.user, a)
	if allowed {
		return nil
	}
	msg := forbiddenMessage(c.user, a)
	if reason != "" {
		msg += ": " + reason
	}
	return apierrors.NewForbidden(schema.GroupResource{Group: a.Group, Resource: a.Resource}, a.Name, fmt.Errorf("%s", msg))
}

func (s *Server) allows(u User, a Attributes) (bool, string) {
	if openToAll(a) {
		return true, ""
	}
	if s.opts.Authenticator != nil && u.Name == anonymous {
		return false, ""
	}
	if openToUsers(a) || s.opts.Authorizer == nil {
		return true, ""
	}
	return s.opts.Authorizer(u, a)
}

// openToAll is what the default role system:public-info-viewer gives to everyone.
func openToAll(a Attributes) bool {
	if a.Resource != "" || a.Verb != "get" {
		return false
	}
	switch a.Path {
	case "/healthz", "/livez", "/readyz", "/version", "/version/":
		return true
	}
	return strings.HasPrefix(a.Path, "/livez/") || strings.HasPrefix(a.Path, "/readyz/")
}

// openToUsers is what system:discovery and system:basic-user give to everyone with a credential.
func openToUsers(a Attributes) bool {
	if a.Resource == "" {
		return a.Verb == "get" && (a.Path == "/api" || strings.HasPrefix(a.Path, "/api/") ||
			a.Path == "/apis" || strings.HasPrefix(a.Path, "/apis/") || strings.HasPrefix(a.Path, "/openapi"))
	}
	_, self := selfReviews()[a.Group+"/"+a.Resource]
	return self && a.Verb == "create"
}

func forbiddenMessage(u User, a Attributes) string {
	if a.Resource == "" {
		return fmt.Sprintf("User %q cannot %s path %q", u.Name, a.Verb, a.Path)
	}
	resource := a.Resource
	if a.Subresource != "" {
		resource += "/" + a.Subresource
	}
	where := "at the cluster scope"
	if a.Namespace != "" {
		where = fmt.Sprintf("in the namespace %q", a.Namespace)
	}
	return fmt.Sprintf("User %q cannot %s resource %q in API group %q %s", u.Name, a.Verb, resource, a.Group, where)
}
