package mirror

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions/kube"
	"github.com/254carbon/gonogo/probes"
)

// kinds are the workloads that have templates of pods, and where in them.
var kinds = []struct {
	kind     string
	resource schema.GroupVersionResource
	template []string
}{
	{"Deployment", schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, []string{"spec", "template"}},
	{"StatefulSet", schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}, []string{"spec", "template"}},
	{"DaemonSet", schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}, []string{"spec", "template"}},
	{"CronJob", schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "cronjobs"}, []string{"spec", "jobTemplate", "spec", "template"}},
}

var (
	pods    = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	secrets = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	nodes   = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
)

// Container is one container of a template.
type Container struct {
	Name  string `json:"name"`
	Image string `json:"image"`
	Init  bool   `json:"init,omitempty"`
}

// Workload is one object that has a template of pods.
type Workload struct {
	Kind       string      `json:"kind"`
	Namespace  string      `json:"namespace"`
	Name       string      `json:"name"`
	Containers []Container `json:"containers"`
	object     *unstructured.Unstructured
}

func (w Workload) place() string { return w.Namespace + "/" + w.Name }

// in are the parts of a template that hold containers.
var in = []struct {
	field string
	init  bool
}{{"initContainers", true}, {"containers", false}}

// containersOf reads the containers of a pod's spec.
func containersOf(spec map[string]any) []Container {
	var all []Container
	for _, part := range in {
		items, _, _ := unstructured.NestedSlice(spec, part.field)
		for _, item := range items {
			c, _ := item.(map[string]any)
			name, _ := c["name"].(string)
			image, _ := c["image"].(string)
			if name != "" && image != "" {
				all = append(all, Container{Name: name, Image: image, Init: part.init})
			}
		}
	}
	return all
}

// templateOf returns the spec of a workload's pods.
func templateOf(kind string, o *unstructured.Unstructured) map[string]any {
	for _, k := range kinds {
		if k.kind == kind {
			spec, _, _ := unstructured.NestedMap(o.Object, append(slices.Clone(k.template), "spec")...)
			return spec
		}
	}
	return nil
}

func resourceOf(kind string) schema.GroupVersionResource {
	for _, k := range kinds {
		if k.kind == kind {
			return k.resource
		}
	}
	return schema.GroupVersionResource{}
}

// workloads lists every object with a template, and the images of pods that no such object owns.
func (a action) workloads(ctx context.Context) (all []Workload, bare map[string]string, err error) {
	for _, k := range kinds {
		objects, err := a.Cluster.List(ctx, k.resource, "")
		if err != nil {
			return nil, nil, fmt.Errorf("listing %s: %w", k.resource.Resource, err)
		}
		for _, o := range objects {
			all = append(all, Workload{Kind: k.kind, Namespace: o.GetNamespace(), Name: o.GetName(), Containers: containersOf(templateOf(k.kind, o)), object: o})
		}
	}
	slices.SortFunc(all, func(a, b Workload) int {
		return strings.Compare(a.Namespace+"/"+a.Kind+"/"+a.Name, b.Namespace+"/"+b.Kind+"/"+b.Name)
	})
	running, err := a.Cluster.List(ctx, pods, "")
	if err != nil {
		return nil, nil, fmt.Errorf("listing pods: %w", err)
	}
	bare = map[string]string{}
	for _, p := range running {
		if phase, _, _ := unstructured.NestedString(p.Object, "status", "phase"); phase == "Succeeded" || phase == "Failed" {
			continue
		}
		spec, _, _ := unstructured.NestedMap(p.Object, "spec")
		for _, c := range containersOf(spec) {
			bare[c.Image] = p.GetNamespace() + "/" + p.GetName()
		}
	}
	return all, bare, nil
}

// spared says why a workload is left as it is, or nothing.
func (a action) spared(w Workload, forced []string) string {
	if slices.Contains(forced, w.place()) {
		return ""
	}
	o := w.object
	switch by := kube.ManagedBy(o); {
	case slices.Contains(a.Protect, w.Namespace):
		return "what the registry needs to start must not come from it"
	case by != "":
		return by
	case slices.ContainsFunc(w.Containers, func(c Container) bool { return strings.HasPrefix(repositoryOf(c.Image), "docker.io/goharbor/") }):
		return "it is a part of Harbor"
	}
	for _, owner := range o.GetOwnerReferences() {
		if owner.Controller != nil && *owner.Controller {
			return fmt.Sprintf("%s %s makes it: change that", probes.Clean(owner.Kind, 60), probes.Clean(owner.Name, 100))
		}
	}
	if paused, _, _ := unstructured.NestedBool(o.Object, "spec", "paused"); paused {
		return "its rollout is paused"
	}
	if strategy, _, _ := unstructured.NestedString(o.Object, "spec", "updateStrategy", "type"); strategy == "OnDelete" {
		return "its pods change only when somebody deletes them"
	}
	return ""
}
