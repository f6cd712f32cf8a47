package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/kube"
)

// The marks by which a database of several replicas is told from several databases.
var (
	isPostgres   = regexp.MustCompile(`(^|[/-])(postgres|postgresql|postgis|timescaledb(-ha)?|pgvector)([:@]|$)`)
	isReplicated = regexp.MustCompile(`(?i)pg_basebackup|primary_conninfo|standby\.signal|POSTGRESQL_REPLICATION_MODE|patroni|repmgr|pg_auto_failover|stolon`)
)

// harmful refuses manifests that would do harm: a StatefulSet of PostgreSQL with several replicas, none of which follows another.
func (a action) harmful(ctx context.Context, all []*unstructured.Unstructured) error {
	for _, o := range all {
		if o.GetKind() != "StatefulSet" && o.GetKind() != "Deployment" {
			continue
		}
		replicas, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
		template, _, _ := unstructured.NestedMap(o.Object, "spec", "template", "spec")
		if replicas < 2 || !runsPostgres(template) {
			continue
		}
		text, err := json.Marshal(template)
		if err != nil {
			return fmt.Errorf("reading %s: %w", named(o), err)
		}
		mounted, err := a.mounted(ctx, o, template, all)
		if err != nil {
			return err
		}
		if isReplicated.Match(text) || isReplicated.MatchString(mounted) {
			continue
		}
		return actions.Refuse("%s has %d replicas of PostgreSQL, and nothing in it makes one follow the other: each pod initialises a database of its own. "+
			"A Service that selects them%s spreads its clients over %d unrelated databases, and what is written to one is not in the other. "+
			"Set up a streaming standby first (pg_basebackup -R from the primary, a Service that selects the primary alone), as the guide for PostgreSQL replication says; "+
			"this manifest is not applied", named(o), replicas, selecting(o, all), replicas)
	}
	return nil
}

func runsPostgres(template map[string]any) bool {
	containers, _, _ := unstructured.NestedSlice(template, "containers")
	for _, c := range containers {
		m, _ := c.(map[string]any)
		image, _ := m["image"].(string)
		if isPostgres.MatchString(image) {
			return true
		}
	}
	return false
}

// selecting names the Service among the manifests that selects the pods of a workload.
func selecting(o *unstructured.Unstructured, all []*unstructured.Unstructured) string {
	labels, _, _ := unstructured.NestedStringMap(o.Object, "spec", "template", "metadata", "labels")
	for _, s := range all {
		selector, _, _ := unstructured.NestedStringMap(s.Object, "spec", "selector")
		matches := s.GetKind() == "Service" && s.GetNamespace() == o.GetNamespace() && len(selector) > 0 && kube.Text(s, "spec", "clusterIP") != "None"
		for k, v := range selector {
			matches = matches && labels[k] == v
		}
		if matches {
			return " (" + s.GetName() + ")"
		}
	}
	return ""
}

// mounted is what the ConfigMaps hold that a template mounts, among the manifests or in the cluster.
func (a action) mounted(ctx context.Context, o *unstructured.Unstructured, template map[string]any, all []*unstructured.Unstructured) (string, error) {
	var text strings.Builder
	volumes, _, _ := unstructured.NestedSlice(template, "volumes")
	for _, v := range volumes {
		m, _ := v.(map[string]any)
		name, _, _ := unstructured.NestedString(m, "configMap", "name")
		volume, _ := m["name"].(string)
		if name == "" || late(template, volume) {
			continue
		}
		var found *unstructured.Unstructured
		for _, c := range all {
			if c.GetKind() == "ConfigMap" && c.GetName() == name && c.GetNamespace() == o.GetNamespace() {
				found = c
			}
		}
		if found == nil {
			var err error
			if found, err = a.Cluster.Get(ctx, schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, o.GetNamespace(), name); err != nil {
				return "", fmt.Errorf("reading what %s mounts: %w", named(o), err)
			}
		}
		if found != nil {
			data, _, _ := unstructured.NestedStringMap(found.Object, "data")
			for _, value := range data {
				text.WriteString(value + "\n")
			}
		}
	}
	return text.String(), nil
}

// late reports whether a volume holds what the image runs only after it has initialised a database of its own: a script there comes too late
// to make it follow another one.
func late(template map[string]any, volume string) bool {
	containers, _, _ := unstructured.NestedSlice(template, "containers")
	for _, c := range containers {
		m, _ := c.(map[string]any)
		mounts, _, _ := unstructured.NestedSlice(m, "volumeMounts")
		for _, item := range mounts {
			mount, _ := item.(map[string]any)
			path, _ := mount["mountPath"].(string)
			if mount["name"] == volume && strings.HasPrefix(path, "/docker-entrypoint-initdb.d") {
				return true
			}
		}
	}
	return false
}
