package velero

import (
	"context"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/254carbon/gonogo/probes"
)

// account looks whether the server's service account is there and bound to a role that lets it work.
func (a *serverAsking) account(ctx context.Context) error {
	if a.server == nil {
		return nil
	}
	name := a.server.Spec.Template.Spec.ServiceAccountName
	if name == "" {
		name = "default"
	}
	seen, err := a.list(ctx, accountsResource())
	if err != nil {
		return err
	}
	o, err := find(seen, name)
	if err != nil {
		return err
	}
	e := probes.Evidence{Subject: fmt.Sprintf("serviceaccount %s/%s", a.namespace, name), Want: "exists", Got: "exists"}
	cause := ""
	if o == nil {
		e.Got, cause = "does not exist", fmt.Sprintf("serviceaccount %s, which the server runs as, does not exist", name)
	}
	a.note(e, seen.Request, cause)
	return a.binding(ctx, name)
}

func (a *serverAsking) binding(ctx context.Context, account string) error {
	seen, err := a.listIn(ctx, rbacResource("clusterrolebindings"), "")
	if err != nil {
		return err
	}
	var granted, other []string
	for _, o := range seen.Items {
		b, err := decode[rbacv1.ClusterRoleBinding](o)
		if err != nil {
			return err
		}
		switch {
		case b.RoleRef.Kind != "ClusterRole" || !slices.ContainsFunc(b.Subjects, func(s rbacv1.Subject) bool { return covers(s, a.namespace, account) }):
		case slices.Contains(a.params.ClusterRoles, b.RoleRef.Name):
			granted = append(granted, b.RoleRef.Name)
		default:
			other = append(other, b.RoleRef.Name)
		}
	}
	if len(granted) == 0 && seen.Note != "" {
		return fmt.Errorf("looking for the rights of serviceaccount %s: %s", account, seen.Note)
	}
	role, err := a.existing(ctx, granted)
	if err != nil {
		return err
	}
	e := probes.Evidence{
		Subject: "rights of serviceaccount " + account, Want: "bound to " + strings.Join(a.params.ClusterRoles, " or "), Got: "bound to " + role,
	}
	cause := ""
	switch {
	case role != "":
	case len(granted) > 0:
		e.Got = fmt.Sprintf("bound to %s, which does not exist or grants nothing", strings.Join(granted, ", "))
		cause = fmt.Sprintf("serviceaccount %s is %s", account, e.Got)
	case len(other) > 0:
		e.Got = "bound to " + strings.Join(other, ", ")
		cause = fmt.Sprintf("serviceaccount %s is %s, not to %s", account, e.Got, strings.Join(a.params.ClusterRoles, " or "))
	default:
		e.Got = "bound to no cluster role"
		cause = fmt.Sprintf("serviceaccount %s is %s: the server may not read what it is to back up", account, e.Got)
	}
	a.note(e, seen.Request, cause)
	return nil
}

// existing is the first of some roles that grants anything. cluster-admin always does: the API server makes it anew when it starts.
func (a *serverAsking) existing(ctx context.Context, roles []string) (string, error) {
	switch {
	case len(roles) == 0:
		return "", nil
	case slices.Contains(roles, "cluster-admin"):
		return "cluster-admin", nil
	}
	seen, err := a.listIn(ctx, rbacResource("clusterroles"), "")
	if err != nil {
		return "", err
	}
	for _, name := range roles {
		o, err := find(seen, name)
		if err != nil {
			return "", err
		}
		if o == nil {
			continue
		}
		r, err := decode[rbacv1.ClusterRole](o)
		if err != nil {
			return "", err
		}
		if len(r.Rules) > 0 {
			return name, nil
		}
	}
	return "", nil
}

// covers reports whether the subject of a binding is the service account, by itself or by a group that it is always in.
func covers(s rbacv1.Subject, namespace, account string) bool {
	switch s.Kind {
	case rbacv1.ServiceAccountKind:
		return s.Namespace == namespace && s.Name == account
	case rbacv1.UserKind:
		return s.Name == "system:serviceaccount:"+namespace+":"+account
	case rbacv1.GroupKind:
		return s.Name == "system:serviceaccounts" || s.Name == "system:serviceaccounts:"+namespace || s.Name == "system:authenticated"
	}
	return false
}
