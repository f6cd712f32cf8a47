package kubeapi

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// RBAC is an Authorizer that follows the Roles, ClusterRoles and their bindings in the store, read
// anew for each question. Members of Masters may do everything. ClusterRole aggregation is not followed.
func RBAC(store *Store) Authorizer {
	return func(u User, a Attributes) (bool, string) {
		if slices.Contains(u.Groups, Masters) {
			return true, ""
		}
		rb := rbac{store}
		for _, b := range rb.list("clusterrolebindings", "") {
			var bound rbacv1.ClusterRoleBinding
			if into(b, &bound) && concerns(bound.Subjects, u, "") && rb.allows(bound.RoleRef, "", a) {
				return true, ""
			}
		}
		if a.Namespace == "" {
			return false, ""
		}
		for _, b := range rb.list("rolebindings", a.Namespace) {
			var bound rbacv1.RoleBinding
			if into(b, &bound) && concerns(bound.Subjects, u, a.Namespace) && rb.allows(bound.RoleRef, a.Namespace, a) {
				return true, ""
			}
		}
		return false, ""
	}
}

type rbac struct{ store *Store }

func rbacGVR(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: rbacv1.GroupName, Version: "v1", Resource: plural}
}

func (rb rbac) list(plural, namespace string) []Object {
	entries, _, err := rb.store.entriesAt(rbacGVR(plural), namespace, 0)
	if err != nil {
		return nil
	}
	list := make([]Object, 0, len(entries))
	for _, e := range entries {
		list = append(list, e.obj)
	}
	return list
}

func into(obj Object, typed any) bool {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(obj, typed) == nil
}

func concerns(subjects []rbacv1.Subject, u User, namespace string) bool {
	return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		switch s.Kind {
		case rbacv1.UserKind:
			return s.Name == u.Name
		case rbacv1.GroupKind:
			return slices.Contains(u.Groups, s.Name)
		case rbacv1.ServiceAccountKind:
			ns := s.Namespace
			if ns == "" {
				ns = namespace
			}
			return u.Name == "system:serviceaccount:"+ns+":"+s.Name
		}
		return false
	})
}

func (rb rbac) allows(ref rbacv1.RoleRef, namespace string, a Attributes) bool {
	plural, k := "clusterroles", key{"", ref.Name}
	if ref.Kind == "Role" {
		plural, k = "roles", key{namespace, ref.Name}
	}
	role, err := rb.store.lookup(Resource{Group: rbacv1.GroupName, Version: "v1", Plural: plural}, k)
	var rules rbacv1.Role // a ClusterRole has its rules in the same place
	if err != nil || !into(Object{"rules": role["rules"]}, &rules) {
		return false
	}
	return slices.ContainsFunc(rules.Rules, func(r rbacv1.PolicyRule) bool { return covers(r, a) })
}

func covers(r rbacv1.PolicyRule, a Attributes) bool {
	if !has(r.Verbs, a.Verb) {
		return false
	}
	if a.Resource == "" {
		return slices.ContainsFunc(r.NonResourceURLs, func(url string) bool {
			prefix, wild := strings.CutSuffix(url, "*")
			return url == a.Path || wild && strings.HasPrefix(a.Path, prefix)
		})
	}
	resource := a.Resource
	if a.Subresource != "" {
		resource += "/" + a.Subresource
	}
	return has(r.APIGroups, a.Group) &&
		(has(r.Resources, resource) || a.Subresource != "" && slices.Contains(r.Resources, "*/"+a.Subresource)) &&
		(len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, a.Name))
}

func has(list []string, want string) bool {
	return slices.Contains(list, "*") || slices.Contains(list, want)
}
