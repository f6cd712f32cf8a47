package world

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

func core(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: plural}
}

func grouped(group, version, plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group, Version: version, Resource: plural}
}

// The resources that the world reads and writes.
var (
	nodes           = core("nodes")
	pods            = core("pods")
	services        = core("services")
	namespaces      = core("namespaces")
	configMaps      = core("configmaps")
	accounts        = core("serviceaccounts")
	quotas          = core("resourcequotas")
	deployments     = grouped("apps", "v1", "deployments")
	statefulSets    = grouped("apps", "v1", "statefulsets")
	daemonSets      = grouped("apps", "v1", "daemonsets")
	replicaSets     = grouped("apps", "v1", "replicasets")
	leases          = grouped("coordination.k8s.io", "v1", "leases")
	endpointSlices  = grouped("discovery.k8s.io", "v1", "endpointslices")
	budgets         = grouped("policy", "v1", "poddisruptionbudgets")
	scalers         = grouped("autoscaling", "v2", "horizontalpodautoscalers")
	apiServices     = grouped("apiregistration.k8s.io", "v1", "apiservices")
	nodeMetrics     = grouped("metrics.k8s.io", "v1beta1", "nodes")
	podMetrics      = grouped("metrics.k8s.io", "v1beta1", "pods")
	bindings        = grouped("rbac.authorization.k8s.io", "v1", "clusterrolebindings")
	prometheuses    = grouped("monitoring.coreos.com", "v1", "prometheuses")
	serviceMonitors = grouped("monitoring.coreos.com", "v1", "servicemonitors")
	podMonitors     = grouped("monitoring.coreos.com", "v1", "podmonitors")
	alertmanagers   = grouped("monitoring.coreos.com", "v1", "alertmanagers")
	clusterIssuers  = grouped("cert-manager.io", "v1", "clusterissuers")
	certificates    = grouped("cert-manager.io", "v1", "certificates")
	locations       = grouped("velero.io", "v1", "backupstoragelocations")
	schedules       = grouped("velero.io", "v1", "schedules")
	backups         = grouped("velero.io", "v1", "backups")
	restores        = grouped("velero.io", "v1", "restores")
	deletions       = grouped("velero.io", "v1", "deletebackuprequests")
	downloads       = grouped("velero.io", "v1", "downloadrequests")
	claims          = core("persistentvolumeclaims")
)

// create returns an object with its identity; rest holds everything but metadata.
func create(apiVersion, kind, namespace, name string, labels map[string]string, rest object) object {
	m := object{"name": name}
	if namespace != "" {
		m["namespace"] = namespace
	}
	if len(labels) > 0 {
		m["labels"] = anyMap(labels)
	}
	o := object{"apiVersion": apiVersion, "kind": kind, "metadata": m}
	maps.Copy(o, rest)
	m["uid"] = uid(kind, nameOf(o))
	return o
}

func anyMap(in map[string]string) object {
	out := make(object, len(in))
	for k, v := range in {
		out[k] = v
	}
	return out
}

// sub returns a map within an object, made if need be.
func sub(o object, path ...string) object {
	for _, p := range path {
		next, ok := o[p].(object)
		if !ok {
			next = object{}
			o[p] = next
		}
		o = next
	}
	return o
}

// look returns what a path leads to without changing anything; nil if nothing.
func look(o object, path ...string) any {
	var at any = o
	for _, p := range path {
		m, _ := at.(object)
		at = m[p]
	}
	return at
}

func text(o object, path ...string) string { s, _ := look(o, path...).(string); return s }

func number(o object, path ...string) int {
	switch n := look(o, path...).(type) {
	case int64:
		return int(n)
	case int:
		return n
	case float64:
		return int(n)
	}
	return 0
}

func list(o object, path ...string) []any { l, _ := look(o, path...).([]any); return l }

func name(o object) string      { return text(o, "metadata", "name") }
func namespace(o object) string { return text(o, "metadata", "namespace") }

func nameOf(o object) string {
	if ns := namespace(o); ns != "" {
		return ns + "/" + name(o)
	}
	return name(o)
}

// matches reports whether an object carries all labels of a selector; an empty selector matches everything.
func matches(o object, selector object) bool {
	labels, _ := look(o, "metadata", "labels").(object)
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// same compares two objects as JSON would: numbers by value, whatever their type.
func same(a, b any) bool {
	switch a := a.(type) {
	case object:
		b, ok := b.(object)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if w, there := b[k]; !there || !same(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	case string, bool, nil:
		return a == b
	}
	return fmt.Sprint(a) == fmt.Sprint(b)
}

// condition returns a condition of a status.
func condition(kind, status, reason, message string, at time.Time) object {
	return object{"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": stamp(at)}
}

// conditionIs reports whether an object has a condition with that status.
func conditionIs(o object, kind, status string) bool {
	for _, c := range list(o, "status", "conditions") {
		if m, ok := c.(object); ok && m["type"] == kind {
			return m["status"] == status
		}
	}
	return false
}

// setCondition puts a condition in place of the one of its type. The time of the transition stays when the status does.
func setCondition(o object, c object) {
	status := sub(o, "status")
	old, _ := status["conditions"].([]any)
	kept := make([]any, 0, len(old)+1)
	done := false
	for _, item := range old {
		m, _ := item.(object)
		if m["type"] != c["type"] {
			kept = append(kept, item)
			continue
		}
		if m["status"] == c["status"] {
			c["lastTransitionTime"] = m["lastTransitionTime"]
		}
		kept, done = append(kept, c), true
	}
	if !done {
		kept = append(kept, c)
	}
	status["conditions"] = kept
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func microStamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z07:00") }

func parseTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// hash is a short stable word for a text, of the letters that generated names use.
func hash(text string) string {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	sum := sha256.Sum256([]byte(text))
	word := make([]byte, 10)
	for i := range word {
		word[i] = alphabet[int(sum[i])%len(alphabet)]
	}
	return string(word)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// uid is the same for the same object in every run.
func uid(kind, name string) string {
	h := strings.TrimPrefix(digest(kind+" "+name), "sha256:")
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:32])
}
