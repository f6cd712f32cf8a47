package velero

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

func deploymentOf(image string, ready int64, over object) object {
	return thing("apps/v1", "Deployment", "velero", with(object{
		"spec.replicas": int64(1), "spec.template.spec.serviceAccountName": "velero-server",
		"spec.template.spec.containers": []any{object{"name": "velero", "image": image, "args": []any{"server"}}},
		"status.readyReplicas":          ready,
	}, over))
}

func bindingOf(role string, subject object) object {
	o := thing("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "velero", object{
		"roleRef.apiGroup": "rbac.authorization.k8s.io", "roleRef.kind": "ClusterRole", "roleRef.name": role, "subjects": []any{subject},
	})
	set(o, "metadata.namespace", nil)
	return o
}

func daemonSetOf(ready, desired int64) object {
	return thing("apps/v1", "DaemonSet", "node-agent", object{"status.numberReady": ready, "status.desiredNumberScheduled": desired})
}

func TestServer(t *testing.T) {
	params := *ServerInfo().Params().(*ServerParams)
	if err := params.Validate(); err != nil {
		t.Fatal(err)
	}
	const image = "velero/velero:v1.17.0"
	account := func() object { return thing("v1", "ServiceAccount", "velero-server", nil) }
	subject := object{"kind": "ServiceAccount", "name": "velero-server", "namespace": "velero"}
	admin := func() object { return bindingOf("cluster-admin", subject) }
	on := func(objects ...func() object) func(*testing.T) probes.Probe {
		return func(*testing.T) probes.Probe {
			c := cluster()
			for _, o := range objects {
				c.Add(o())
			}
			return NewServer(c, params)
		}
	}
	of := func(o object) func() object { return func() object { return o } }
	server := func(over object) func() object { return func() object { return deploymentOf(image, 1, over) } }
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	pass := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Pass, Says: says}
	}
	fsBackup := of(scheduleOf("daily-backup", "0 2 * * *", 0, object{"spec.template.defaultVolumesToFsBackup": true}))
	role := func(rules ...any) func() object {
		o := thing("rbac.authorization.k8s.io/v1", "ClusterRole", "velero", object{"rules": rules})
		set(o, "metadata.namespace", nil)
		return of(o)
	}
	bare := func(c *kubefake.Cluster) func(*testing.T) probes.Probe {
		return func(*testing.T) probes.Probe { return NewServer(c, params) }
	}
	healthy := func() *kubefake.Cluster { return cluster(server(nil)(), account(), admin()) }
	probetest.Suite{
		New: on(server(nil), account, admin),
		Worlds: []probetest.World{
			pass("says its version", on(server(nil), account, admin), "Velero v1.17.0"),
			fail("not installed", bare(kubefake.New(server(nil)(), account(), admin())), "not installed"),
			fail("nothing in the namespace", on(), "no deployment velero in velero"),
			fail("not ready", on(of(deploymentOf(image, 0, object{"status.conditions": []any{
				object{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"},
			}})), account, admin), "no ready pod", "ProgressDeadlineExceeded"),
			fail("scaled to zero", on(of(deploymentOf(image, 0, object{"spec.replicas": int64(0)})), account, admin), "scaled to zero"),
			fail("a placeholder", on(of(deploymentOf("nginx:1.25", 1, nil)), account, admin), "nginx:1.25", "not Velero"),
			fail("no containers", on(server(object{"spec.template.spec.containers": []any{}}), account, admin), "not Velero"),
			pass("from a mirror, by digest", on(of(deploymentOf("harbor.254carbon.com:443/254carbon/velero@sha256:00", 1, nil)), account, admin)),
			fail("no service account", on(server(nil), admin), "serviceaccount velero-server", "does not exist"),
			fail("no binding", on(server(nil), account), "bound to no cluster role"),
			fail("bound to something small", on(server(nil), account, of(bindingOf("view", subject))), "bound to view, not to cluster-admin or velero"),
			fail("somebody else is bound", on(server(nil), account, of(bindingOf("cluster-admin", object{"kind": "ServiceAccount", "name": "velero-server", "namespace": "other"}))), "bound to no cluster role"),
			fail("bound to a role that is gone", on(server(nil), account, of(bindingOf("velero", subject))), "bound to velero, which does not exist"),
			fail("bound to a role that grants nothing", on(server(nil), account, of(bindingOf("velero", subject)), role()), "grants nothing"),
			pass("bound to its own role", on(server(nil), account, of(bindingOf("velero", subject)), role(object{"apiGroups": []any{"*"}, "resources": []any{"*"}, "verbs": []any{"*"}}))),
			pass("bound by its group", on(server(nil), account, of(bindingOf("cluster-admin", object{"kind": "Group", "name": "system:serviceaccounts:velero"})))),
			fail("node agents are needed and missing", on(server(nil), account, admin, fsBackup), "no daemonset node-agent", "daily-backup"),
			fail("node agents are needed by the server", on(server(object{"spec.template.spec.containers": []any{
				object{"name": "velero", "image": image, "args": []any{"server", "--default-volumes-to-fs-backup=true"}},
			}}), account, admin), "--default-volumes-to-fs-backup"),
			fail("node agents run nowhere", on(server(nil), account, admin, fsBackup, of(daemonSetOf(0, 0))), "on no node"),
			fail("no node agent is ready", on(server(nil), account, admin, of(daemonSetOf(0, 3))), "none of 3 nodes"),
			{
				Name: "a node agent is missing", New: on(server(nil), account, admin, fsBackup, of(daemonSetOf(2, 3))),
				Want: probes.Warn, Ratio: probes.Part(2, 3), Says: []string{"2 of 3 nodes"},
			},
			pass("node agents are ready", on(server(nil), account, admin, fsBackup, of(daemonSetOf(3, 3)))),
		},
		Errors: []probetest.Failure{
			{Name: "deployments forbidden", New: bare(healthy().Forbid(appsResource("deployments"))), Is: apierrors.IsForbidden},
			{Name: "bindings forbidden", New: bare(healthy().Forbid(rbacResource("clusterrolebindings"))), Is: apierrors.IsForbidden, Says: []string{"clusterrolebindings"}},
			{Name: "unauthorised", New: bare(healthy().Refuse(backupsResource(), apierrors.NewUnauthorized("no"))), Is: apierrors.IsUnauthorized},
			{Name: "only a part seen", New: bare(cluster().Narrow("only the namespaces a")), Says: []string{"only the namespaces"}},
			{Name: "wrong type", New: on(server(object{"spec.replicas": "one"}), account, admin), Says: []string{"reading deployment velero"}},
		},
		Hanging: bare(healthy().Hang()),
	}.Run(t)
}

func TestImages(t *testing.T) {
	for image, want := range map[string][2]string{
		"velero/velero:v1.17.0":                 {"velero/velero", "v1.17.0"},
		"harbor:5000/velero":                    {"harbor:5000/velero", ""},
		"harbor:5000/velero:v1@sha256:00":       {"harbor:5000/velero", "v1"},
		"harbor.254carbon.com/velero@sha256:00": {"harbor.254carbon.com/velero", ""},
		"":                                      {"", ""},
	} {
		if r, v := repository(image), version(image); r != want[0] || v != want[1] {
			t.Errorf("%s: %q %q, want %q", image, r, v, want)
		}
	}
}
