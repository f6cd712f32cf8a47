package kubeapi

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Resource is one row of the served API: what discovery says about it, and how its writes behave.
type Resource struct {
	Group      string
	Version    string
	Kind       string
	Plural     string
	Singular   string
	Short      []string
	Namespaced bool
	// Status says that the resource has a status subresource: main writes leave the status alone,
	// writes to /status change nothing else, and metadata.generation counts changes of the rest.
	Status bool
	// ReadOnly resources are served with get and list alone, as metrics.k8s.io does.
	ReadOnly bool
}

// GVR is the resource's key in the Store.
func (r Resource) GVR() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Plural}
}

// GVK is the kind of the resource's objects.
func (r Resource) GVK() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
}

// GroupResource names the resource in errors.
func (r Resource) GroupResource() schema.GroupResource {
	return schema.GroupResource{Group: r.Group, Resource: r.Plural}
}

// apiVersion is the value of the field of that name in the resource's objects.
func (r Resource) apiVersion() string {
	return schema.GroupVersion{Group: r.Group, Version: r.Version}.String()
}

// Verbs are the verbs that discovery announces and the server serves.
func (r Resource) Verbs() []string {
	if r.ReadOnly {
		return []string{"get", "list"}
	}
	return []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
}

// Flags of the rows below.
const (
	clusterScoped = 1 << iota
	withStatus
	readOnly
)

type row struct {
	kind, plural string
	flags        int
	short        string
}

type groupRows struct {
	group, version string
	rows           []row
}

// Builtin is the table of resources that the simulated platform serves. The slice is the caller's own:
// drop rows to simulate a cluster without an operator's definitions, append rows for more of them.
func Builtin() []Resource {
	var all []Resource
	for _, g := range builtinRows() {
		for _, r := range g.rows {
			res := Resource{
				Group: g.group, Version: g.version, Kind: r.kind, Plural: r.plural, Singular: lower(r.kind),
				Namespaced: r.flags&clusterScoped == 0, Status: r.flags&withStatus != 0, ReadOnly: r.flags&readOnly != 0,
			}
			if r.short != "" {
				res.Short = []string{r.short}
			}
			all = append(all, res)
		}
	}
	return all
}

func builtinRows() []groupRows {
	return append(kubernetesRows(), extensionRows()...)
}

func kubernetesRows() []groupRows {
	return []groupRows{
		{"", "v1", []row{
			{"ConfigMap", "configmaps", 0, "cm"},
			{"Endpoints", "endpoints", 0, "ep"},
			{"Event", "events", 0, "ev"},
			{"LimitRange", "limitranges", 0, "limits"},
			{"Namespace", "namespaces", clusterScoped | withStatus, "ns"},
			{"Node", "nodes", clusterScoped | withStatus, "no"},
			{"PersistentVolume", "persistentvolumes", clusterScoped | withStatus, "pv"},
			{"PersistentVolumeClaim", "persistentvolumeclaims", withStatus, "pvc"},
			{"Pod", "pods", withStatus, "po"},
			{"ReplicationController", "replicationcontrollers", withStatus, "rc"},
			{"ResourceQuota", "resourcequotas", withStatus, "quota"},
			{"Secret", "secrets", 0, ""},
			{"Service", "services", withStatus, "svc"},
			{"ServiceAccount", "serviceaccounts", 0, "sa"},
		}},
		{"apps", "v1", []row{
			{"ControllerRevision", "controllerrevisions", 0, ""},
			{"DaemonSet", "daemonsets", withStatus, "ds"},
			{"Deployment", "deployments", withStatus, "deploy"},
			{"ReplicaSet", "replicasets", withStatus, "rs"},
			{"StatefulSet", "statefulsets", withStatus, "sts"},
		}},
		{"batch", "v1", []row{
			{"CronJob", "cronjobs", withStatus, "cj"},
			{"Job", "jobs", withStatus, ""},
		}},
		{"autoscaling", "v2", []row{{"HorizontalPodAutoscaler", "horizontalpodautoscalers", withStatus, "hpa"}}},
		{"policy", "v1", []row{{"PodDisruptionBudget", "poddisruptionbudgets", withStatus, "pdb"}}},
		{"discovery.k8s.io", "v1", []row{{"EndpointSlice", "endpointslices", 0, ""}}},
		{"networking.k8s.io", "v1", []row{
			{"Ingress", "ingresses", withStatus, "ing"},
			{"IngressClass", "ingressclasses", clusterScoped, ""},
			{"NetworkPolicy", "networkpolicies", 0, "netpol"},
		}},
		{"rbac.authorization.k8s.io", "v1", []row{
			{"ClusterRole", "clusterroles", clusterScoped, ""},
			{"ClusterRoleBinding", "clusterrolebindings", clusterScoped, ""},
			{"Role", "roles", 0, ""},
			{"RoleBinding", "rolebindings", 0, ""},
		}},
		{"coordination.k8s.io", "v1", []row{{"Lease", "leases", 0, ""}}},
		{"storage.k8s.io", "v1", []row{
			{"CSIDriver", "csidrivers", clusterScoped, ""},
			{"StorageClass", "storageclasses", clusterScoped, "sc"},
			{"VolumeAttachment", "volumeattachments", clusterScoped | withStatus, ""},
		}},
		{"scheduling.k8s.io", "v1", []row{{"PriorityClass", "priorityclasses", clusterScoped, "pc"}}},
		{"admissionregistration.k8s.io", "v1", []row{
			{"MutatingWebhookConfiguration", "mutatingwebhookconfigurations", clusterScoped, ""},
			{"ValidatingWebhookConfiguration", "validatingwebhookconfigurations", clusterScoped, ""},
		}},
		{"apiregistration.k8s.io", "v1", []row{{"APIService", "apiservices", clusterScoped | withStatus, ""}}},
		{"apiextensions.k8s.io", "v1", []row{
			{"CustomResourceDefinition", "customresourcedefinitions", clusterScoped | withStatus, "crd"},
		}},
	}
}

func extensionRows() []groupRows {
	return []groupRows{
		{"metrics.k8s.io", "v1beta1", []row{
			{"NodeMetrics", "nodes", clusterScoped | readOnly, ""},
			{"PodMetrics", "pods", readOnly, ""},
		}},
		{"velero.io", "v1", []row{
			{"Backup", "backups", 0, ""},
			{"BackupRepository", "backuprepositories", 0, ""},
			{"BackupStorageLocation", "backupstoragelocations", 0, "bsl"},
			{"DeleteBackupRequest", "deletebackuprequests", 0, ""},
			{"DownloadRequest", "downloadrequests", 0, ""},
			{"PodVolumeBackup", "podvolumebackups", 0, ""},
			{"PodVolumeRestore", "podvolumerestores", 0, ""},
			{"Restore", "restores", 0, ""},
			{"Schedule", "schedules", 0, ""},
			{"ServerStatusRequest", "serverstatusrequests", 0, "ssr"},
			{"VolumeSnapshotLocation", "volumesnapshotlocations", 0, "vsl"},
		}},
		{"velero.io", "v2alpha1", []row{
			{"DataDownload", "datadownloads", 0, ""},
			{"DataUpload", "datauploads", 0, ""},
		}},
		{"monitoring.coreos.com", "v1", []row{
			{"Alertmanager", "alertmanagers", withStatus, "am"},
			{"PodMonitor", "podmonitors", withStatus, "pmon"},
			{"Probe", "probes", withStatus, "prb"},
			{"Prometheus", "prometheuses", withStatus, "prom"},
			{"PrometheusRule", "prometheusrules", withStatus, "promrule"},
			{"ServiceMonitor", "servicemonitors", withStatus, "smon"},
		}},
		{"cert-manager.io", "v1", []row{
			{"Certificate", "certificates", withStatus, "cert"},
			{"CertificateRequest", "certificaterequests", withStatus, "cr"},
			{"ClusterIssuer", "clusterissuers", clusterScoped | withStatus, ""},
			{"Issuer", "issuers", withStatus, ""},
		}},
		{"kyverno.io", "v1", []row{
			{"ClusterPolicy", "clusterpolicies", clusterScoped | withStatus, "cpol"},
			{"Policy", "policies", withStatus, "pol"},
		}},
		{"wgpolicyk8s.io", "v1alpha2", []row{
			{"ClusterPolicyReport", "clusterpolicyreports", clusterScoped, "cpolr"},
			{"PolicyReport", "policyreports", 0, "polr"},
		}},
		{"postgresql.cnpg.io", "v1", []row{
			{"Backup", "backups", withStatus, ""},
			{"Cluster", "clusters", withStatus, ""},
			{"Pooler", "poolers", withStatus, ""},
			{"ScheduledBackup", "scheduledbackups", withStatus, ""},
		}},
	}
}

// table finds resources by plural and by kind, and keeps their order for discovery.
type table struct {
	order  []Resource
	byGVR  map[schema.GroupVersionResource]Resource
	byKind map[schema.GroupVersionKind]Resource
}

func newTable(rows []Resource) table {
	t := table{
		byGVR:  make(map[schema.GroupVersionResource]Resource, len(rows)),
		byKind: make(map[schema.GroupVersionKind]Resource, len(rows)),
	}
	for _, r := range rows {
		if _, twice := t.byGVR[r.GVR()]; twice {
			continue
		}
		if r.Singular == "" {
			r.Singular = lower(r.Kind)
		}
		t.order = append(t.order, r)
		t.byGVR[r.GVR()] = r
		t.byKind[r.GVK()] = r
	}
	return t
}

func (t table) forObject(obj Object) (Resource, error) {
	apiVersion, _ := obj["apiVersion"].(string)
	kind, _ := obj["kind"].(string)
	gvk := schema.FromAPIVersionAndKind(apiVersion, kind)
	r, ok := t.byKind[gvk]
	if !ok {
		return Resource{}, fmt.Errorf("finding the resource of %s %q: not in the table", apiVersion, kind)
	}
	return r, nil
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
