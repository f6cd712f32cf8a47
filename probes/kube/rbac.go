package kube

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/254carbon/gonogo/probes"
)

// RBACParams are the parameters of the kind kubernetes.rbac.
type RBACParams struct {
	Admins    []string `yaml:"admins,omitempty" jsonschema:"description=service accounts that may be cluster-admin, as namespace/name; * stands for any part"`
	Wildcards []string `yaml:"wildcards,omitempty" jsonschema:"description=roles that may allow every verb on every resource, by name or namespace/name; * stands for any part"`
}

// Validate reports what is wrong with the parameters.
func (p *RBACParams) Validate() error {
	for _, a := range p.Admins {
		if _, name, ok := strings.Cut(a, "/"); !ok || name == "" {
			return fmt.Errorf("admins: %q is not of the form namespace/name", a)
		}
	}
	for _, pattern := range slices.Concat(p.Admins, p.Wildcards) {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return fmt.Errorf("%q is no pattern of names", pattern)
		}
	}
	return nil
}

// RBACInfo describes the kind kubernetes.rbac.
func RBACInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "kubernetes.rbac",
		About: "Asks whether rights are kept small: no cluster-admin for a default service account, for all of them at once or for an undeclared one, and no " +
			"undeclared role in use that allows every verb on every resource; from roles and their bindings.",
		Connection: "kubernetes", OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &RBACParams{} },
	}
}

// NewRBAC returns a probe of the kind kubernetes.rbac. Parameters must be valid.
func NewRBAC(c Cluster, p RBACParams) probes.Probe { return &rbacProbe{cluster: c, params: p} }

type rbacProbe struct {
	cluster Cluster
	params  RBACParams
	decoded decodedObjects
}

var _ probes.Watching = &rbacProbe{}

const rbacGroup = "rbac.authorization.k8s.io"

func (p *rbacProbe) Watch(wake func()) func() {
	return watchAll(p.cluster.Watch, wake, groupResource(rbacGroup, "clusterroles"), groupResource(rbacGroup, "clusterrolebindings"),
		groupResource(rbacGroup, "roles"), groupResource(rbacGroup, "rolebindings"))
}

func (p *rbacProbe) Observe(ctx context.Context) (probes.Observation, error) {
	r, f := newReader(p.cluster, p.decoded), &findings{}
	all, err := readRights(ctx, r)
	if err != nil {
		return probes.Observation{}, err
	}
	p.decoded = r.decoded
	roles, bindings := all.roles, all.bindings
	if !slices.ContainsFunc(roles.Items, func(o *role) bool { return o.namespace == "" }) {
		e := probes.Evidence{Subject: "cluster roles", Want: "those of every cluster", Got: "none"}.From(roles.Request)
		f.add(e, "there is no cluster role at all: rights are not given by roles here")
		return f.observation(r.confirmed), nil
	}
	used := all.inUse()
	for _, b := range bindings.Items {
		p.admins(f, b, all.of(b), bindings.Request)
	}
	wild := map[string][]string{} // undeclared roles by the API groups in which they allow everything
	for _, o := range roles.Items {
		if !used[o] || o.builtIn() {
			continue
		}
		groups := o.wildcard()
		if groups == "" {
			continue
		}
		e := probes.Evidence{
			Subject: o.String(), Want: "not every verb on every resource, unless declared", Got: "allows every verb on every resource of " + groups,
		}.From(roles.Request)
		if p.declared(o) {
			e.Got += ", as declared"
			f.add(e, "")
			continue
		}
		e.Wanting = true
		f.wanting, wild[groups] = append(f.wanting, e), append(wild[groups], o.String())
	}
	for _, groups := range slices.Sorted(maps.Keys(wild)) {
		if names := wild[groups]; len(names) == 1 {
			f.faults = append(f.faults, names[0]+" allows every verb on every resource of "+groups)
		} else {
			f.faults = append(f.faults, fmt.Sprintf("%d roles allow every verb on every resource of %s: %s", len(names), groups, enumerate(names)))
		}
	}
	f.good = []string{fmt.Sprintf("no cluster-admin beyond those declared in %s, no undeclared wildcard in %s%s",
		plural(len(bindings.Items), "binding"), plural(len(roles.Items), "role"), noted(bindings.Note))}
	f.holding = append([]probes.Evidence{probes.Evidence{
		Subject: "bindings", Want: "no cluster-admin for a default service account or an undeclared one",
		Got: plural(len(bindings.Items), "binding") + " looked at" + noted(bindings.Note),
	}.From(bindings.Request)}, f.holding...)
	return r.conclude(f)
}

func (p *rbacProbe) declared(o *role) bool {
	return matchesAny(p.params.Wildcards, o.name) || o.namespace != "" && matchesAny(p.params.Wildcards, o.namespace+"/"+o.name)
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}

// admins judges the subjects of a binding that hands out everything.
func (p *rbacProbe) admins(f *findings, b *binding, given *role, request probes.Request) {
	if b.role != "cluster-admin" && (given == nil || !given.everything()) {
		return
	}
	where := "cluster-admin"
	if b.role != "cluster-admin" {
		where = "every right (" + b.role + ")"
	}
	if b.namespace != "" {
		where += " in " + b.namespace
	}
	for _, s := range b.subjects {
		who, account, everyone := subjectOf(s)
		undeclared := account != "" && b.role == "cluster-admin" && !matchesAny(p.params.Admins, account) // other roles are declared themselves
		e := probes.Evidence{Subject: b.String(), Want: "no default and no undeclared service account", Got: "gives " + where + " to " + who}.From(request)
		fault := ""
		if everyone || undeclared {
			fault = b.String() + " gives " + where + " to " + who
		}
		f.add(e, fault)
	}
}

// subjectOf names who a binding is for: one service account, or those that nobody has chosen one by one.
func subjectOf(s rbacv1.Subject) (who, account string, everyone bool) {
	namespace, name := s.Namespace, s.Name
	if s.Kind == rbacv1.UserKind { // a service account by its user name
		if rest, ok := strings.CutPrefix(s.Name, "system:serviceaccount:"); ok {
			namespace, name, _ = strings.Cut(rest, ":")
			s.Kind = rbacv1.ServiceAccountKind
		}
	}
	switch s.Kind {
	case rbacv1.ServiceAccountKind:
		if name == "default" {
			return "the default service account of " + namespace, "", true
		}
		account = namespace + "/" + name
		return "service account " + account, account, false
	case rbacv1.GroupKind:
		if in, ok := strings.CutPrefix(name, "system:serviceaccounts:"); ok {
			return "every service account of " + in, "", true
		}
		switch name {
		case "system:serviceaccounts":
			return "every service account", "", true
		case "system:authenticated":
			return "everyone who can log in", "", true
		case "system:unauthenticated":
			return "everyone, without logging in", "", true
		}
		return "group " + name, "", false
	}
	if name == "system:anonymous" {
		return "everyone, without logging in", "", true
	}
	return "user " + name, "", false
}
