// Package kube asks a Kubernetes cluster: are the nodes ready, do the autoscalers work, does each declared workload run what it should,
// and whatever a CEL expression over its objects says. Every answer is read from watches that all checks of a process share.
package kube

import (
	"context"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// Objects reads collections of objects from the shared watches.
//
// List waits, within ctx, until the collection was seen as a whole once, and then answers from memory: all namespaces when namespace is
// empty. What the watch does not need to keep (managed fields, the last-applied annotation) is stripped. A resource that the cluster does
// not serve is an error for which apierrors.IsNotFound holds; missing rights are an error that names them, for which
// apierrors.IsForbidden holds. Where rights end at some namespaces, the namespaces that could be seen are returned and Note says so.
//
// Watch calls wake whenever the collection may have changed, until stop is called.
type Objects interface {
	List(ctx context.Context, r schema.GroupVersionResource, namespace string) (probes.Seen[*unstructured.Unstructured], error)
	Watch(r schema.GroupVersionResource, wake func()) (stop func())
}

// Nodes reads the cluster's nodes, as Objects does; images, managed fields and annotations are stripped.
type Nodes interface {
	Nodes(ctx context.Context) (probes.Seen[*corev1.Node], error)
	Watch(r schema.GroupVersionResource, wake func()) (stop func())
}

// Pods reads pods, as Objects does, in the reduced form that a large cluster's memory allows.
type Pods interface {
	Pods(ctx context.Context, namespace string) (probes.Seen[*Pod], error)
	Watch(r schema.GroupVersionResource, wake func()) (stop func())
}

// Cluster reads everything that the probes of this package look at. Its Watch is the same whichever interface it is reached through.
type Cluster interface {
	Objects
	Nodes
	Pods
}

// Pod is what checks need to know of a pod. It is shared and must not be changed.
type Pod struct {
	Namespace, Name string
	Labels          map[string]string
	OwnerKind       string // of the controlling owner: ReplicaSet, StatefulSet …
	OwnerName       string
	Node            string
	Phase           corev1.PodPhase
	Ready           bool
	Deleting        bool
	Restarts        int32
	Waiting         string // reason of the first container that waits: CrashLoopBackOff, ImagePullBackOff …
	Containers      []Container
}

// Container is one container of a pod, of whatever kind.
type Container struct {
	Name    string
	Image   string // as the pod's spec names it
	ImageID string // as the runtime reports it, empty until it runs
	Ports   string // as "name=number", separated by blanks; see HasPort
	Init    bool
}

// HasPort reports whether the container declares a port, by its name or number.
func (c Container) HasPort(port string) bool {
	for declared := range strings.FieldsSeq(c.Ports) {
		name, number, _ := strings.Cut(declared, "=")
		if port != "" && (port == name || port == number) {
			return true
		}
	}
	return false
}

// PortsOf writes the ports of a container as [Container] keeps them.
func PortsOf(ports []corev1.ContainerPort) string {
	var b strings.Builder
	for i, p := range ports {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(p.Name + "=" + strconv.Itoa(int(p.ContainerPort)))
	}
	return b.String()
}
