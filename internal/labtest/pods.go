package labtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// podLimit is how long one more pod may take, on top of startLimit, where there are
// many.
const podLimit = 50 * time.Millisecond

// CreatePods makes n more pods in a namespace, spread over the nodes that are not
// silenced without asking the scheduler, waits until they are Running, and returns
// their names: pod-00001 and so on. The functions in change see each pod before it
// is created.
func (l *Lab) CreatePods(ctx context.Context, namespace string, n int, change ...func(*corev1.Pod)) ([]string, error) {
	if err := l.Namespace(ctx, namespace); err != nil {
		return nil, err
	}
	nodes, err := l.nodeNames(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	first := l.pods
	l.pods += n
	l.mu.Unlock()
	names := make([]string, n)
	err = parallel(ctx, n, func(ctx context.Context, i int) error {
		pod := newPod(fmt.Sprintf("pod-%05d", first+i+1), nodes[(first+i)%len(nodes)])
		for _, f := range change {
			f(pod)
		}
		names[i] = pod.Name
		_, err := l.kube.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("creating pods in %s: %w", namespace, err)
	}
	return names, l.waitPods(ctx, namespace, startLimit+time.Duration(n)*podLimit)
}

// nodeNames lists the nodes that are not silenced, of which there must be one.
func (l *Lab) nodeNames(ctx context.Context) ([]string, error) {
	list, err := l.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: awake + "=true"})
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	if len(list.Items) == 0 {
		return nil, errors.New("listing nodes: there are none, start the lab with Nodes")
	}
	var names []string
	for _, node := range list.Items {
		names = append(names, node.Name)
	}
	return names, nil
}

// newPod is a pod on a node.
func newPod(name, node string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			NodeName:   node,
			Containers: []corev1.Container{{Name: "main", Image: "registry.example/lab/pod:1"}},
		},
	}
}

// WaitPods waits until every pod of a namespace is Running.
func (l *Lab) WaitPods(ctx context.Context, namespace string) error {
	if l.kube == nil {
		return errNoControlPlane
	}
	return l.waitPods(ctx, namespace, startLimit)
}

func (l *Lab) waitPods(ctx context.Context, namespace string, within time.Duration) error {
	others := fields.OneTermNotEqualSelector("status.phase", string(corev1.PodRunning)).String()
	return WaitFor(ctx, "waiting for the pods in "+namespace, within, retry, func(ctx context.Context) (bool, error) {
		list, err := l.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{FieldSelector: others, Limit: 1})
		if err != nil {
			return false, err
		}
		if len(list.Items) == 0 {
			return true, nil
		}
		return false, fmt.Errorf("%s is %s", list.Items[0].Name, list.Items[0].Status.Phase)
	})
}

// ScaleTime is how long a large cluster took to come up.
type ScaleTime struct{ Nodes, Pods time.Duration }

// Scale makes nodes and, in the namespace scale, pods on them, and returns how long
// it took until the nodes were Ready and then until the pods were Running.
func (l *Lab) Scale(ctx context.Context, nodes, pods int) (ScaleTime, error) {
	var took ScaleTime
	start := time.Now()
	if _, err := l.CreateNodes(ctx, nodes); err != nil {
		return took, err
	}
	took.Nodes = time.Since(start)
	start = time.Now()
	if _, err := l.CreatePods(ctx, "scale", pods); err != nil {
		return took, err
	}
	took.Pods = time.Since(start)
	return took, nil
}

// Backend is a server on loopback that a pod stands for.
type Backend struct {
	Namespace string
	Name      string            // of the pod and of its Service
	Labels    map[string]string // of both; app=Name when empty
	Port      int32             // of the pod and of its Service, which names it http
	Target    string            // host:port of the server on loopback
}

// Serve makes a pod on one of the nodes, and a Service in front of it, such that
// both the API server's proxy of the Service and a port-forward to the pod reach
// the target. It waits until they do.
func (l *Lab) Serve(ctx context.Context, b Backend) (*corev1.Pod, error) {
	if err := l.Namespace(ctx, b.Namespace); err != nil {
		return nil, err
	}
	if len(b.Labels) == 0 {
		b.Labels = map[string]string{"app": b.Name}
	}
	nodes, err := l.nodeNames(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.forward(ctx, b); err != nil {
		return nil, err
	}
	pod := newPod(b.Name, nodes[0])
	pod.Labels = b.Labels
	pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: b.Port}}
	if _, err := l.kube.CoreV1().Pods(b.Namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("creating the pod %s/%s: %w", b.Namespace, b.Name, err)
	}
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: b.Name, Labels: b.Labels},
		Spec: corev1.ServiceSpec{
			Selector: b.Labels,
			Ports:    []corev1.ServicePort{{Name: "http", Port: b.Port, TargetPort: intstr.FromInt32(b.Port)}},
		},
	}
	if _, err := l.kube.CoreV1().Services(b.Namespace).Create(ctx, service, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("creating the service %s/%s: %w", b.Namespace, b.Name, err)
	}
	return l.connect(ctx, b)
}

// connect waits for the pod's address, routes it, and waits for the endpoints.
func (l *Lab) connect(ctx context.Context, b Backend) (*corev1.Pod, error) {
	var pod *corev1.Pod
	err := WaitFor(ctx, "waiting for the pod "+b.Namespace+"/"+b.Name, startLimit, retry, func(ctx context.Context) (bool, error) {
		var err error
		pod, err = l.kube.CoreV1().Pods(b.Namespace).Get(ctx, b.Name, metav1.GetOptions{})
		return err == nil && pod.Status.Phase == corev1.PodRunning && pod.Status.PodIP != "", err
	})
	if err != nil {
		return nil, err
	}
	l.net.route(net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(int(b.Port))), b.Target)
	selector := "kubernetes.io/service-name=" + b.Name
	err = WaitFor(ctx, "waiting for the endpoints of "+b.Namespace+"/"+b.Name, startLimit, retry, func(ctx context.Context) (bool, error) {
		slices, err := l.kube.DiscoveryV1().EndpointSlices(b.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return false, err
		}
		for _, slice := range slices.Items {
			if len(slice.Endpoints) > 0 {
				return true, nil
			}
		}
		return false, nil
	})
	return pod, err
}

// forward tells KWOK where a port-forward to the backend's pod goes.
func (l *Lab) forward(ctx context.Context, b Backend) error {
	host, port, err := net.SplitHostPort(b.Target)
	if err != nil {
		return fmt.Errorf("reading the target of %s: %w", b.Name, err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("reading the target of %s: %w", b.Name, err)
	}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "PortForward",
		"metadata": map[string]any{"name": b.Name, "namespace": b.Namespace},
		"spec": map[string]any{"forwards": []any{map[string]any{
			"ports":  []any{int64(b.Port)},
			"target": map[string]any{"address": host, "port": int64(number)},
		}}},
	}}
	forwards := schema.GroupVersionResource{Group: "kwok.x-k8s.io", Version: "v1alpha1", Resource: "portforwards"}
	if _, err := l.dynamic.Resource(forwards).Namespace(b.Namespace).Create(ctx, object, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the port-forward of %s/%s (was the lab started with KWOK?): %w", b.Namespace, b.Name, err)
	}
	return nil
}
