package kube

import (
	"context"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/254carbon/gonogo/probes"
)

// role is a Role or, without a namespace, a ClusterRole.
type role struct {
	namespace, name string
	labels          map[string]string
	rules           []rbacv1.PolicyRule
	aggregates      []metav1.LabelSelector
}

func (o *role) String() string {
	if o.namespace == "" {
		return "clusterrole " + o.name
	}
	return "role " + o.namespace + "/" + o.name
}

// builtIn reports whether a role comes with every cluster.
func (o *role) builtIn() bool {
	return o.namespace == "" && (o.name == "cluster-admin" || strings.HasPrefix(o.name, "system:"))
}

// wildcard names the API groups in which a role allows every verb on every resource; empty if in none.
func (o *role) wildcard() string {
	var groups []string
	for _, rule := range o.rules {
		if !slices.Contains(rule.Verbs, rbacv1.VerbAll) || !slices.Contains(rule.Resources, rbacv1.ResourceAll) || len(rule.ResourceNames) > 0 {
			continue
		}
		for _, g := range rule.APIGroups {
			switch g {
			case rbacv1.APIGroupAll:
				return "every API group"
			case "":
				g = "the core API"
			}
			groups = append(groups, g)
		}
	}
	return enumerate(groups)
}

// everything reports whether a role is cluster-admin by another name.
func (o *role) everything() bool { return o.wildcard() == "every API group" }

// binding is a RoleBinding or, without a namespace, a ClusterRoleBinding.
type binding struct {
	namespace, name string
	roleIn, role    string // the namespace of the role is empty for a ClusterRole
	subjects        []rbacv1.Subject
}

func (b *binding) String() string {
	if b.namespace == "" {
		return "clusterrolebinding " + b.name
	}
	return "rolebinding " + b.namespace + "/" + b.name
}

// rights are all roles and bindings of a cluster.
type rights struct {
	roles    probes.Seen[*role]
	bindings probes.Seen[*binding]
	by       map[[2]string]*role // by namespace and name
}

// of returns the role of a binding, or nil if there is none.
func (x *rights) of(b *binding) *role { return x.by[[2]string{b.roleIn, b.role}] }

// readRights reads all roles and bindings.
func readRights(ctx context.Context, r *reader) (*rights, error) {
	x := &rights{by: map[[2]string]*role{}}
	for _, plural := range []string{"roles", "clusterroles"} {
		seen, err := r.list(ctx, groupResource(rbacGroup, plural), "")
		if err != nil {
			return nil, err
		}
		for _, raw := range seen.Items {
			o, err := typed[rbacv1.ClusterRole](r, raw) // a Role is one without aggregation
			if err != nil {
				return nil, err
			}
			item := &role{namespace: o.Namespace, name: o.Name, labels: o.Labels, rules: o.Rules}
			if o.AggregationRule != nil {
				item.aggregates = o.AggregationRule.ClusterRoleSelectors
			}
			x.roles.Items = append(x.roles.Items, item)
			x.by[[2]string{o.Namespace, o.Name}] = item
		}
		x.roles.Request = seen.Request
	}
	for _, plural := range []string{"rolebindings", "clusterrolebindings"} {
		seen, err := r.list(ctx, groupResource(rbacGroup, plural), "")
		if err != nil {
			return nil, err
		}
		for _, raw := range seen.Items {
			o, err := typed[rbacv1.RoleBinding](r, raw)
			if err != nil {
				return nil, err
			}
			item := &binding{namespace: o.Namespace, name: o.Name, role: o.RoleRef.Name, subjects: o.Subjects}
			if o.RoleRef.Kind == "Role" {
				item.roleIn = o.Namespace
			}
			x.bindings.Items = append(x.bindings.Items, item)
		}
		x.bindings.Request = seen.Request
		x.bindings.Note += seen.Note // only what is in namespaces has one
	}
	return x, nil
}

// inUse says which roles give somebody rights: those that are bound to a subject, and those that are gathered into one that is.
func (x *rights) inUse() map[*role]bool {
	used := map[*role]bool{}
	var waiting []*role
	for _, b := range x.bindings.Items {
		if o := x.of(b); o != nil && len(b.subjects) > 0 && !used[o] {
			used[o] = true
			waiting = append(waiting, o)
		}
	}
	for len(waiting) > 0 {
		gathering := waiting[0]
		waiting = waiting[1:]
		for i := range gathering.aggregates {
			selector, err := metav1.LabelSelectorAsSelector(&gathering.aggregates[i])
			if err != nil {
				continue
			}
			for _, o := range x.roles.Items {
				if o.namespace == "" && !used[o] && selector.Matches(labels.Set(o.labels)) {
					used[o] = true
					waiting = append(waiting, o)
				}
			}
		}
	}
	return used
}
