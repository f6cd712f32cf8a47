package world

import (
	"slices"
	"time"
)

// foundAge is how old the cluster of the scenario as-found is: it had been made anew that morning.
const foundAge = 7 * time.Hour

// placeholder is the image that stood in for six of the services.
const placeholder = "nginx:1.25"

// found turns the objects of the documented scenario into those that the evidence of the same day shows: what was deleted or never there is
// gone, and what is there does not bind.
type found struct {
	plan *plan
	all  []object
}

func (p *plan) found(all []object) []object {
	f := &found{plan: p, all: all}
	for _, step := range []func(){f.workloads, f.monitoring, f.services, f.doors, f.walls, f.guards, f.rights, f.backups} {
		step()
	}
	return f.all
}

// drop removes objects of a kind in a namespace: those of the names, or all.
func (f *found) drop(kind, in string, names ...string) {
	f.all = slices.DeleteFunc(f.all, func(o object) bool {
		return o["kind"] == kind && namespace(o) == in && (len(names) == 0 || slices.Contains(names, name(o)))
	})
}

// edit changes objects of a kind in a namespace: those of the names, or all.
func (f *found) edit(kind, in string, change func(object), names ...string) {
	for _, o := range f.all {
		if o["kind"] == kind && namespace(o) == in && (len(names) == 0 || slices.Contains(names, name(o))) {
			change(o)
		}
	}
}

func (f *found) add(objects ...object) { f.all = append(f.all, objects...) }

// workloads are what is left of those that the documents list.
func (f *found) workloads() {
	const dp = "data-platform"
	for _, kind := range []string{deployment, statefulSet, daemonSet} {
		f.drop(kind, "velero")
		f.drop(kind, "kyverno")
	}
	f.drop(deployment, dp, "lakefs", "schema-registry", "iceberg-rest-catalog", "spark-history-server", "spark-operator")
	f.drop(statefulSet, dp, "doris-fe", "doris-be")
	f.edit(deployment, dp, replicate(0), "dolphinscheduler-api", "dolphinscheduler-master", "dolphinscheduler-worker", "dolphinscheduler-alert")
	f.edit(deployment, dp, replicate(1), "superset-web", "trino-worker", "datahub-frontend")
	f.edit(deployment, dp, runsTemplate(placeholder), "superset-web", "trino-coordinator", "datahub-frontend")
	f.edit(deployment, "vault-prod", runsTemplate(placeholder))
	asks := func(o object) { // the requests of that day, of which the quota allowed a third
		for _, item := range list(o, "spec", "template", "spec", "containers") {
			m, _ := item.(object)
			sub(m, "resources")["requests"] = object{"cpu": "1280m", "memory": "2600Mi"}
		}
	}
	f.edit(deployment, dp, asks)
	f.edit(statefulSet, dp, asks)
	f.edit("ResourceQuota", dp, func(q object) {
		sub(q, "spec")["hard"] = object{"requests.cpu": "8", "requests.memory": "16Gi", "pods": "400"}
	})
}

// monitoring is a namespace in which nothing runs.
func (f *found) monitoring() {
	const ns = "monitoring"
	f.all = slices.DeleteFunc(f.all, func(o object) bool {
		kind, _ := o["kind"].(string)
		return namespace(o) == ns && slices.Contains([]string{deployment, statefulSet, daemonSet, "Alertmanager", "Service"}, kind) &&
			name(o) != "grafana" && name(o) != "loki" || namespace(o) == ns && kind == statefulSet
	})
	f.edit(deployment, ns, runsTemplate(placeholder), "grafana")
	f.edit("Prometheus", ns, func(o object) {
		o["status"] = object{"conditions": []any{condition("Available", "False", "NoPodReady", "no pod is ready", f.plan.built)}}
	})
}

// services have other labels and ports than the monitors select, or are not there: 11 of 14 ServiceMonitors yield nothing.
func (f *found) services() {
	const dp = "data-platform"
	f.drop("Service", dp, "trino", "minio-metrics", "postgres-metrics", "spark-operator-metrics")
	without := func(s object) {
		var kept []any
		for _, item := range list(s, "spec", "ports") {
			if m, _ := item.(object); m["name"] != "metrics" {
				kept = append(kept, item)
			}
		}
		sub(s, "spec")["ports"] = kept
	}
	f.edit("Service", dp, without, "datahub-gms", "superset", "kafka-service", "elasticsearch-service")
	f.edit("Service", "vault-prod", without)
	called := func(was, is string) func(object) {
		return func(s object) {
			for _, item := range list(s, "spec", "ports") {
				if m, _ := item.(object); m["name"] == was {
					m["name"] = is
				}
			}
		}
	}
	f.edit("Service", dp, called("http", "frontend"), "datahub-frontend")
	f.edit("Service", dp, called("metrics", "http"), "doris-fe-service")
}

// doors are the Ingresses and what they show: two lead to Services that are not there, one host has two owners, and 12 of 14 are signed by
// nobody. The issuer called letsencrypt-prod signs by itself.
func (f *found) doors() {
	const dp, group = "data-platform", "cert-manager.io/v1"
	to := func(service, port string) func(object) {
		return func(in object) {
			b := backendOf(in)
			b["name"], b["port"] = service, object{"name": port}
		}
	}
	f.edit("Ingress", dp, to("trino", "http"), "trino-ingress")
	f.edit("Ingress", dp, to("datahub-frontend", "frontend"), "datahub-ingress")
	f.edit("Ingress", dp, to("doris-fe-service", "http"), "doris-ingress")
	f.edit("Ingress", "registry", func(in object) {
		rule, _ := list(in, "spec", "rules")[0].(object)
		http := sub(rule, "http")
		http["paths"] = append(list(http, "paths"), object{
			"path": "/v2/", "pathType": "Prefix", "backend": object{"service": object{"name": "harbor-registry", "port": object{"name": "http"}}},
		})
	})
	vault := create(netGroup, "Ingress", dp, "vault-ingress", nil, object{"spec": object{
		"ingressClassName": "nginx", "tls": []any{object{"hosts": []any{"vault.254carbon.com"}, "secretName": "vault-tls"}},
		"rules": []any{object{"host": "vault.254carbon.com", "http": object{"paths": []any{object{
			"path": "/", "pathType": "Prefix", "backend": object{"service": object{"name": "vault", "port": object{"number": 8200}}},
		}}}}},
	}})
	ready := object{"conditions": []any{condition("Ready", "True", "IsReady", "", f.plan.built)}}
	f.drop("ClusterIssuer", "")
	f.add(vault,
		create(group, "ClusterIssuer", "", "selfsigned", nil, object{"spec": object{"selfSigned": object{}}, "status": ready}),
		create(group, "ClusterIssuer", "", "letsencrypt-prod", nil, object{"spec": object{"ca": object{"secretName": "letsencrypt-prod-ca"}}, "status": ready}),
	)
	for _, o := range f.all {
		if o["kind"] == "Certificate" && name(o) != "portal-sub-tls" && name(o) != "harbor-tls" {
			sub(o, "spec", "issuerRef")["name"] = "selfsigned"
		}
	}
}

// walls are NetworkPolicies that rely on labels which nobody sets.
func (f *found) walls() {
	labelled := func(from string) object { return fromLabelled(object{"name": from}) }
	for _, ns := range []string{"cloudflare-tunnel", "monitoring", "registry"} {
		f.drop("NetworkPolicy", ns)
		f.edit("Namespace", "", func(o object) {
			if ns != "monitoring" {
				delete(sub(o, "metadata", "labels"), "pod-security.kubernetes.io/enforce")
			}
		}, ns)
	}
	for _, ns := range []string{"data-platform", "vault-prod"} {
		f.edit("NetworkPolicy", ns, func(o object) {
			sub(o, "spec")["ingress"] = []any{labelled("ingress-nginx"), labelled("monitoring")}
		}, "allow-doors")
		f.edit("NetworkPolicy", ns, func(o object) {
			sub(o, "spec")["egress"] = []any{object{"to": []any{object{"namespaceSelector": object{"matchLabels": object{"name": "kube-system"}}}}}}
		}, "allow-dns")
	}
	f.add(netPolicy("data-platform", "allow-velero-backup", "minio", labelled("velero")))
	f.drop("ClusterPolicy", "")
}

// guards are disruption budgets, of which 7 select nothing.
func (f *found) guards() {
	for _, ns := range []string{"cloudflare-tunnel", "data-platform"} {
		f.drop("PodDisruptionBudget", ns)
	}
	const dp = "data-platform"
	f.add(
		pdb("cloudflare-tunnel", "cloudflared-pdb", "cloudflared", 1), pdb(dp, "portal-pdb", "portal", 1), pdb(dp, "postgres-pdb", "postgres-shared", 1),
		pdb(dp, "superset-web-pdb", "superset-web", 1),
		pdb(dp, "datahub-frontend-pdb", "datahub", 2), pdb(dp, "datahub-gms-pdb", "gms", 1), pdb(dp, "trino-coordinator-pdb", "trino", 1),
		pdb(dp, "trino-worker-pdb", "trino", 1), pdb(dp, "dolphinscheduler-api-pdb", "dolphinscheduler", 2),
		pdb("monitoring", "prometheus-pdb", "prometheus", 1), pdb("monitoring", "grafana-pdb", "kube-prometheus-stack-grafana", 1),
	)
}

// rights are roles that allow everything, as parts of the platform brought them along.
func (f *found) rights() {
	for _, r := range []struct{ role, namespace, account string }{
		{"openebs-maya-operator", "openebs", "openebs-maya-operator"}, {"katib-controller", "kubeflow", "katib-controller"},
		{"kubeflow-pipelines", "kubeflow", "kubeflow-pipelines"}, {"seldon-manager-role", "seldon-system", "seldon-manager"},
	} {
		f.add(wildRole("ClusterRole", "", r.role, "*"), bindTo(r.role, r.role, object{"kind": "ServiceAccount", "namespace": r.namespace, "name": r.account}))
	}
}

// backups are schedules of a Velero that does not run, for a location whose bucket was made under another name.
func (f *found) backups() {
	f.drop("ServiceAccount", veleroSpace, "velero")
	f.drop("Backup", veleroSpace)
	f.edit("Schedule", veleroSpace, func(s object) { delete(sub(s, "status"), "lastBackup") })
	f.edit("BackupStorageLocation", veleroSpace, func(l object) {
		l["status"] = object{
			"phase": "Unavailable", "lastValidationTime": stamp(f.plan.now.Add(-5 * time.Hour)),
			"message": `BackupStorageLocation "default" is unavailable: rpc error: code = Unknown desc = operation error S3: ListObjectsV2, ` +
				`NoSuchBucket: the bucket ` + BackupBucket + ` does not exist (there is velero-backups)`,
		}
	})
}

// breakDown lets the pods of the scenario as-found be in the state that they were in.
func breakDown(s Store, now time.Time) error {
	const dp = "data-platform"
	c := &changer{store: s, now: now}
	for _, p := range []struct {
		namespace, app string
		restarts       int
	}{
		{"monitoring", "grafana", 41}, {dp, "superset-web", 38}, {dp, "superset-worker", 22}, {dp, "superset-beat", 23}, {dp, "trino-coordinator", 40},
		{dp, "trino-worker", 37}, {"vault-prod", "vault", 39}, {dp, "datahub-gms", 26}, {dp, "datahub-mce-consumer", 19}, {"kube-system", "metrics-server", 61},
	} {
		c.pods(p.namespace, p.app, 0, c.broken("CrashLoopBackOff", p.restarts))
	}
	for _, app := range []string{"kafka", "elasticsearch"} {
		c.pods(dp, app, 0, func(p object) {
			delete(sub(p, "spec"), "nodeName")
			p["status"] = object{"phase": "Pending", "conditions": []any{condition("PodScheduled", "False", "Unschedulable",
				"0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims", now)}}
		})
	}
	if c.err != nil {
		return c.err
	}
	return Tick(s, now)
}
