package kube

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodOf reduces a pod to what checks need of it. The result shares the pod's labels.
func PodOf(p *corev1.Pod) *Pod {
	pod := &Pod{
		Namespace: p.Namespace, Name: p.Name, Labels: p.Labels, Node: p.Spec.NodeName,
		Phase: p.Status.Phase, Deleting: p.DeletionTimestamp != nil,
	}
	if owner := metav1.GetControllerOfNoCopy(p); owner != nil {
		pod.OwnerKind, pod.OwnerName = owner.Kind, owner.Name
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			pod.Ready = c.Status == corev1.ConditionTrue
		}
	}
	states := map[string]corev1.ContainerStatus{}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses) {
		states[s.Name] = s
		pod.Restarts += s.RestartCount
		if s.State.Waiting != nil && pod.Waiting == "" {
			pod.Waiting = s.State.Waiting.Reason
		}
	}
	add := func(name, image string, ports []corev1.ContainerPort, init bool) {
		pod.Containers = append(pod.Containers, Container{Name: name, Image: image, ImageID: states[name].ImageID, Ports: PortsOf(ports), Init: init})
	}
	for _, c := range p.Spec.InitContainers {
		add(c.Name, c.Image, c.Ports, true)
	}
	for _, c := range p.Spec.Containers {
		add(c.Name, c.Image, c.Ports, false)
	}
	for _, c := range p.Spec.EphemeralContainers {
		add(c.Name, c.Image, nil, false)
	}
	return pod
}

// Finished reports whether the pod has run to its end and is no part of what is available.
func (p *Pod) Finished() bool { return p.Phase == corev1.PodSucceeded || p.Phase == corev1.PodFailed }

// Workload names the Deployment, StatefulSet or other controller that the pod belongs to in the end, as kind and name. A Deployment's pods
// are told by the hash that its ReplicaSets carry in their names, so that ReplicaSets need not be read.
func (p *Pod) Workload() (kind, name string) {
	if p.OwnerKind == "ReplicaSet" {
		if hash := p.Labels["pod-template-hash"]; hash != "" {
			if deployment, ok := strings.CutSuffix(p.OwnerName, "-"+hash); ok {
				return "Deployment", deployment
			}
		}
	}
	return p.OwnerKind, p.OwnerName
}
