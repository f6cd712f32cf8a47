// Package survey looks at a cluster and drafts a first profile from what it finds there: systems to connect to, workloads, autoscalers,
// hosts, policies, backups. It only reads. What it writes is a beginning for a person to go on from, with comments that say how.
package survey

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/probes"
)

// Found is what there is in a cluster, as far as it may be seen.
type Found struct {
	UID        string
	Nodes      Nodes
	Workloads  []Workload // of the namespaces that are not the system's, without those that want no pods
	Idle       []string   // those that want none
	Scalers    []Named
	Budgets    []string // namespaces with PodDisruptionBudgets
	Policies   []string // namespaces with NetworkPolicies
	Services   []string // namespaces with Services that select pods
	Hosts      []string // of Ingresses
	Pages      []Page   // what answers at those hosts, seen from here
	Silent     []string // hosts at which nothing answers from here
	Issued     bool     // whether there are certificates of cert-manager
	Metrics    bool     // whether the metrics API is registered
	Prometheus Prometheus
	Monitors   []Monitors
	Velero     Velero
	Harbor     string   // URL
	Unseen     []string // what could not be read, and why
}

// Nodes counts the nodes that are ready.
type Nodes struct{ Ready, Workers, ControlPlane int }

// Named is an object by namespace and name.
type Named struct {
	Namespace string `yaml:"namespace"`
	Name      string `yaml:"name"`
}

// Workload is something that runs.
type Workload struct {
	Kind      string `yaml:"kind"`
	Namespace string `yaml:"namespace"`
	Name      string `yaml:"name"`
	Image     string `yaml:"image,omitempty"`
}

// Page is what a public host answered.
type Page struct {
	Host   string
	Status int
}

// Prometheus is a Prometheus that answers; Service is empty if none does.
type Prometheus struct {
	Service string
	Up      int      // targets that are up
	Jobs    []string // that have one
}

// Monitors are the operator's monitors of a namespace.
type Monitors struct {
	Namespace       string   `yaml:"namespace"`
	ServiceMonitors []string `yaml:"serviceMonitors,omitempty"`
	PodMonitors     []string `yaml:"podMonitors,omitempty"`
}

// Velero is an installation of Velero; Namespace is empty if there is none.
type Velero struct {
	Namespace, Location, Bucket, Prefix string
	Server                              bool // whether the Deployment goes by its usual name
	Schedules                           []Schedule
}

// Schedule is one of Velero's schedules.
type Schedule struct {
	Name string `yaml:"name"`
	Cron string `yaml:"cron"`
}

// surveyor looks at one cluster.
type surveyor struct {
	x     *platform.Platform
	tell  func(text string)
	found Found
}

// askFor bounds one question to a system that may not answer.
const askFor = 5 * time.Second

// Look looks at the cluster of a platform. tell is told what is being looked at. The error is for a cluster that cannot be looked at.
func Look(ctx context.Context, x *platform.Platform, tell func(text string)) (Found, error) {
	if x.Cluster == nil {
		return Found{}, x.Trouble("kubernetes")
	}
	s := &surveyor{x: x, tell: tell}
	tell("the cluster")
	uid, err := x.Cluster.UID(ctx)
	if err != nil {
		return Found{}, err
	}
	s.found.UID = uid
	for _, part := range []struct {
		name string
		look func(context.Context)
	}{
		{"nodes", s.nodes}, {"workloads", s.workloads}, {"autoscalers, budgets and policies", s.guards}, {"hosts", s.hosts},
		{"Prometheus", s.prometheus}, {"Velero", s.velero}, {"Harbor", s.harbor},
	} {
		tell(part.name)
		part.look(ctx)
		if ctx.Err() != nil {
			return Found{}, ctx.Err()
		}
	}
	return s.found, nil
}

func resource(group, version, plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group, Version: version, Resource: plural}
}

// list reads every object of a resource. What the cluster does not serve is nothing; what may not be read is remembered.
func (s *surveyor) list(ctx context.Context, r schema.GroupVersionResource) []*unstructured.Unstructured {
	ctx, cancel := context.WithTimeout(ctx, 2*askFor)
	defer cancel()
	seen, err := s.x.Cluster.List(ctx, r, "")
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		s.found.Unseen = append(s.found.Unseen, probes.Clean(r.Resource+": "+err.Error(), 300))
		return nil
	case seen.Note != "":
		s.found.Unseen = append(s.found.Unseen, probes.Clean(r.Resource+": "+seen.Note, 300))
	}
	return seen.Items
}

// system reports whether a namespace is the cluster's own.
func system(namespace string) bool {
	return namespace == "kube-system" || namespace == "kube-public" || namespace == "kube-node-lease"
}

func text(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}

func number(o *unstructured.Unstructured, path ...string) (int64, bool) {
	n, ok, err := unstructured.NestedInt64(o.Object, path...)
	return n, ok && err == nil
}

// each returns the maps of a list within an object.
func each(o map[string]any, path ...string) []map[string]any {
	list, _, _ := unstructured.NestedSlice(o, path...)
	var out []map[string]any
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func unique(all []string) []string {
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(s string) bool { return s == "" })
}

func (s *surveyor) nodes(ctx context.Context) {
	for _, n := range s.list(ctx, resource("", "v1", "nodes")) {
		ready := slices.ContainsFunc(each(n.Object, "status", "conditions"), func(c map[string]any) bool {
			return c["type"] == "Ready" && c["status"] == "True"
		})
		off, _, _ := unstructured.NestedBool(n.Object, "spec", "unschedulable")
		_, control := n.GetLabels()["node-role.kubernetes.io/control-plane"]
		switch {
		case !ready || off:
			continue
		case control:
			s.found.Nodes.ControlPlane++
		default:
			s.found.Nodes.Workers++
		}
		s.found.Nodes.Ready++
	}
}

func (s *surveyor) workloads(ctx context.Context) {
	for _, kind := range []struct{ name, plural string }{{"Deployment", "deployments"}, {"StatefulSet", "statefulsets"}, {"DaemonSet", "daemonsets"}} {
		for _, o := range s.list(ctx, resource("apps", "v1", kind.plural)) {
			if system(o.GetNamespace()) {
				continue
			}
			wanted, set := number(o, "spec", "replicas")
			if kind.name == "DaemonSet" {
				wanted, set = number(o, "status", "desiredNumberScheduled")
			}
			if set && wanted == 0 {
				s.found.Idle = append(s.found.Idle, fmt.Sprintf("%s %s/%s", kind.name, o.GetNamespace(), o.GetName()))
				continue
			}
			w := Workload{Kind: kind.name, Namespace: o.GetNamespace(), Name: o.GetName()}
			if containers := each(o.Object, "spec", "template", "spec", "containers"); len(containers) > 0 {
				image, _ := containers[0]["image"].(string)
				w.Image = repository(image)
			}
			s.found.Workloads = append(s.found.Workloads, w)
		}
	}
	slices.SortStableFunc(s.found.Workloads, func(a, b Workload) int { return strings.Compare(a.Namespace, b.Namespace) })
}

// repository is an image's reference without tag and digest.
func repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if at := strings.LastIndex(image, ":"); at > strings.LastIndex(image, "/") {
		image = image[:at]
	}
	return image
}

// guards looks for what keeps workloads up and apart.
func (s *surveyor) guards(ctx context.Context) {
	for _, o := range s.list(ctx, resource("autoscaling", "v2", "horizontalpodautoscalers")) {
		s.found.Scalers = append(s.found.Scalers, Named{o.GetNamespace(), o.GetName()})
	}
	namespaces := func(r schema.GroupVersionResource, fits func(*unstructured.Unstructured) bool) []string {
		var all []string
		for _, o := range s.list(ctx, r) {
			if !system(o.GetNamespace()) && fits(o) {
				all = append(all, o.GetNamespace())
			}
		}
		return unique(all)
	}
	always := func(*unstructured.Unstructured) bool { return true }
	s.found.Budgets = namespaces(resource("policy", "v1", "poddisruptionbudgets"), always)
	s.found.Policies = namespaces(resource("networking.k8s.io", "v1", "networkpolicies"), always)
	s.found.Services = namespaces(resource("", "v1", "services"), func(o *unstructured.Unstructured) bool {
		selector, _, _ := unstructured.NestedMap(o.Object, "spec", "selector")
		return len(selector) > 0
	})
	s.found.Issued = len(s.list(ctx, resource("cert-manager.io", "v1", "certificates"))) > 0
	for _, o := range s.list(ctx, resource("apiregistration.k8s.io", "v1", "apiservices")) {
		s.found.Metrics = s.found.Metrics || strings.HasSuffix(o.GetName(), ".metrics.k8s.io") && text(o, "spec", "group") == "metrics.k8s.io"
	}
}
