package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/254carbon/gonogo/probes/kube"
)

// lastApplied is the annotation in which kubectl keeps a whole second copy of the object.
const lastApplied = corev1.LastAppliedConfigAnnotation

// reduceObject strips an object of what no reader needs.
func reduceObject(o runtime.Object) (*unstructured.Unstructured, error) {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("the server sent a %T instead of an object", o)
	}
	about, ok := u.Object["metadata"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the server sent a %s without metadata", u.GetKind())
	}
	delete(about, "managedFields")
	if annotations, ok := about["annotations"].(map[string]any); ok {
		delete(annotations, lastApplied)
		if len(annotations) == 0 {
			delete(about, "annotations")
		}
	}
	return u, nil
}

// reduceNode strips a node of what no reader needs: the images it holds are most of its size.
func reduceNode(o runtime.Object) (*corev1.Node, error) {
	n, ok := o.(*corev1.Node)
	if !ok {
		return nil, fmt.Errorf("the server sent a %T instead of a node", o)
	}
	n.ManagedFields, n.Annotations = nil, nil
	n.Status.Images, n.Status.VolumesInUse, n.Status.VolumesAttached, n.Status.Config = nil, nil, nil, nil
	return n, nil
}

// podReducer makes the reduced form of pods. Pods of one workload share the texts, label sets and owners that they have in common.
type podReducer struct {
	texts  map[string]string
	labels map[string]map[string]string
}

// maxShared bounds what is remembered for sharing; beyond it, remembering starts anew.
const maxShared = 50_000

func newPodReducer() *podReducer {
	return &podReducer{texts: map[string]string{}, labels: map[string]map[string]string{}}
}

func (r *podReducer) text(s string) string {
	if s == "" {
		return ""
	}
	if known, ok := r.texts[s]; ok {
		return known
	}
	if len(r.texts) >= maxShared {
		clear(r.texts)
	}
	s = strings.Clone(s)
	r.texts[s] = s
	return s
}

func (r *podReducer) labelSet(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(k)
		b.WriteByte(0)
		b.WriteString(labels[k])
		b.WriteByte(0)
	}
	key := b.String()
	if known, ok := r.labels[key]; ok {
		return known
	}
	if len(r.labels) >= maxShared {
		clear(r.labels)
	}
	own := make(map[string]string, len(labels))
	for k, v := range labels {
		own[r.text(k)] = r.text(v)
	}
	r.labels[key] = own
	return own
}

func (r *podReducer) reduce(o runtime.Object) (*kube.Pod, error) {
	p, ok := o.(*corev1.Pod)
	if !ok {
		return nil, fmt.Errorf("the server sent a %T instead of a pod", o)
	}
	out := &kube.Pod{
		Namespace: r.text(p.Namespace), Name: strings.Clone(p.Name), Labels: r.labelSet(p.Labels),
		Node: r.text(p.Spec.NodeName), Phase: corev1.PodPhase(r.text(string(p.Status.Phase))), Deleting: p.DeletionTimestamp != nil,
	}
	if owner := metav1.GetControllerOfNoCopy(p); owner != nil {
		out.OwnerKind, out.OwnerName = r.text(owner.Kind), r.text(owner.Name)
	}
	for i := range p.Status.Conditions {
		if c := &p.Status.Conditions[i]; c.Type == corev1.PodReady {
			out.Ready = c.Status == corev1.ConditionTrue
		}
	}
	out.Containers = make([]kube.Container, 0, len(p.Spec.InitContainers)+len(p.Spec.Containers)+len(p.Spec.EphemeralContainers))
	for i := range p.Spec.InitContainers {
		c := &p.Spec.InitContainers[i]
		r.container(out, c.Name, c.Image, c.Ports, true, p.Status.InitContainerStatuses)
	}
	for i := range p.Spec.Containers {
		c := &p.Spec.Containers[i]
		r.container(out, c.Name, c.Image, c.Ports, false, p.Status.ContainerStatuses)
	}
	for i := range p.Spec.EphemeralContainers {
		c := &p.Spec.EphemeralContainers[i]
		r.container(out, c.Name, c.Image, nil, false, p.Status.EphemeralContainerStatuses)
	}
	return out, nil
}

// container adds one container, with what its status says.
func (r *podReducer) container(out *kube.Pod, name, image string, ports []corev1.ContainerPort, initial bool, statuses []corev1.ContainerStatus) {
	c := kube.Container{Name: r.text(name), Image: r.text(image), Ports: r.text(kube.PortsOf(ports)), Init: initial}
	for i := range statuses {
		s := &statuses[i]
		if s.Name != name {
			continue
		}
		c.ImageID = r.text(s.ImageID)
		out.Restarts += s.RestartCount
		if s.State.Waiting != nil && out.Waiting == "" {
			out.Waiting = r.text(s.State.Waiting.Reason)
		}
	}
	out.Containers = append(out.Containers, c)
}

// samePod reports whether two states of a pod are the same to readers; most changes of a pod's status are.
func samePod(a, b *kube.Pod) bool {
	return a.Namespace == b.Namespace && a.Name == b.Name && a.OwnerKind == b.OwnerKind && a.OwnerName == b.OwnerName &&
		a.Node == b.Node && a.Phase == b.Phase && a.Ready == b.Ready && a.Deleting == b.Deleting && a.Restarts == b.Restarts &&
		a.Waiting == b.Waiting && slices.Equal(a.Containers, b.Containers) && maps.Equal(a.Labels, b.Labels)
}
