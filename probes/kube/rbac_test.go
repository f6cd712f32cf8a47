package kube_test

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

const rights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: cluster-admin}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}, {nonResourceURLs: ["*"], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "system:controller:everything"}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: unbound}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: [get, list]}, {apiGroups: [apps], resources: [deployments], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: admin}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {aggregate-to-admin: "true"}}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: masters}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: Group, name: "system:masters"}, {kind: User, name: alice}, {kind: ServiceAccount, namespace: velero, name: velero}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: readers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: Group, name: "system:authenticated"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: own, namespace: ray}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: own}
subjects: [{kind: ServiceAccount, namespace: ray, name: ray}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: admins, namespace: ray}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{kind: User, name: bob}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: own, namespace: ray}
rules: [{apiGroups: [ray.io], resources: [rayclusters], verbs: ["*"]}]
`

func TestRBAC(t *testing.T) {
	params := kube.RBACParams{Admins: []string{"velero/velero"}}
	with := func(p kube.RBACParams, changes ...change) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe { return kube.NewRBAC(clusterOf(t, rights, changes...), p) }
	}
	world := func(changes ...change) func(*testing.T) probes.Probe { return with(params, changes...) }
	subject := func(kind, namespace, name string) change {
		return edit("ClusterRoleBinding", "masters", set([]any{object{"kind": kind, "namespace": namespace, "name": name}}, "subjects"))
	}
	wild := []any{object{"apiGroups": []any{"*"}, "resources": []any{"*"}, "verbs": []any{"get", "*"}}}
	fails := func(name string, says []string, changes ...change) probetest.World {
		return probetest.World{Name: name, New: world(changes...), Want: probes.Fail, Says: says}
	}
	refused := func(plural string) probetest.Failure {
		r := schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: plural}
		return probetest.Failure{Name: plural + " not allowed", Says: []string{plural}, Is: apierrors.IsForbidden, New: func(t *testing.T) probes.Probe {
			return kube.NewRBAC(clusterOf(t, rights).Forbid(r), params)
		}}
	}
	const inRay = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: all, namespace: ray}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, namespace: ray, name: default}]`
	const gathered = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: more, labels: {aggregate-to-admin: "true"}}
rules: [{apiGroups: [""], resources: ["*"], verbs: ["*"]}]`
	probetest.Suite{
		New:     world(),
		Hanging: func(*testing.T) probes.Probe { return kube.NewRBAC(kubefake.New().Hang(), params) },
		Worlds: []probetest.World{
			fails("default account", []string{"clusterrolebinding masters gives cluster-admin to the default service account of data-platform"}, subject("ServiceAccount", "data-platform", "default")),
			fails("by its user name", []string{"the default service account of data-platform"}, subject("User", "", "system:serviceaccount:data-platform:default")),
			fails("every account", []string{"every service account"}, subject("Group", "", "system:serviceaccounts")),
			fails("every account of a namespace", []string{"every service account of ray"}, subject("Group", "", "system:serviceaccounts:ray")),
			fails("everyone", []string{"everyone who can log in"}, subject("Group", "", "system:authenticated")),
			fails("anyone", []string{"without logging in"}, subject("Group", "", "system:unauthenticated")),
			fails("anonymous", []string{"without logging in"}, subject("User", "", "system:anonymous")),
			fails("undeclared account", []string{"service account ray/operator"}, subject("ServiceAccount", "ray", "operator")),
			fails("in one namespace", []string{"rolebinding ray/all gives cluster-admin in ray to the default service account of ray"}, add(inRay)),
			fails("by another name", []string{"gives every right (reader) to everyone who can log in", "clusterrole reader allows every verb on every resource of every API group"},
				edit("ClusterRole", "reader", set(wild, "rules"))),
			fails("a role of a namespace", []string{"role ray/own allows every verb on every resource of the core API"},
				edit("Role", "own", set([]any{object{"apiGroups": []any{""}, "resources": []any{"*"}, "verbs": []any{"*"}}}, "rules"))),
			fails("a role that is gathered into one in use", []string{"clusterrole more allows every verb"}, add(gathered)),
			fails("no roles at all", []string{"no cluster role at all"}, removeKind("ClusterRole")),
			{Name: "declared, though a default account", New: with(kube.RBACParams{Admins: []string{"*/*"}}, subject("ServiceAccount", "a", "default")), Want: probes.Fail, Says: []string{"default service account of a"}},
			{Name: "declared by pattern", New: with(kube.RBACParams{Admins: []string{"velero/*"}}), Want: probes.Pass},
			{Name: "wildcard declared", New: with(kube.RBACParams{Admins: params.Admins, Wildcards: []string{"ray/own"}},
				edit("Role", "own", set(wild, "rules"))), Want: probes.Pass, Shows: []string{"as declared"}},
			{Name: "wildcard bound to nobody", New: world(edit("Role", "own", set(wild, "rules")), edit("RoleBinding", "own", set([]any{}, "subjects"))), Want: probes.Pass},
			{Name: "wildcard on one object", New: world(edit("Role", "own", set([]any{object{"apiGroups": []any{"*"}, "resources": []any{"*"}, "verbs": []any{"*"}, "resourceNames": []any{"a"}}}, "rules"))), Want: probes.Pass},
			{Name: "a binding to a role that is not there", New: world(remove("Role", "own")), Want: probes.Pass},
		},
		Errors: []probetest.Failure{
			refused("clusterroles"), refused("clusterrolebindings"), refused("roles"), refused("rolebindings"),
			{Name: "not all seen", Says: []string{"only the namespace a"}, New: func(t *testing.T) probes.Probe {
				return kube.NewRBAC(clusterOf(t, rights).Narrow("only the namespace a"), params)
			}},
			{Name: "of another shape", Says: []string{"decoding clusterrole reader"}, New: world(edit("ClusterRole", "reader", set("all", "rules")))},
			{Name: "a binding of another shape", Says: []string{"decoding clusterrolebinding masters"}, New: world(edit("ClusterRoleBinding", "masters", set("all", "subjects")))},
		},
	}.Run(t)
	for _, p := range []kube.RBACParams{{Admins: []string{"velero"}}, {Wildcards: []string{"["}}, {Wildcards: []string{""}}} {
		if err := p.Validate(); err == nil {
			t.Errorf("accepted %+v", p)
		}
	}
}
