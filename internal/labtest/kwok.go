package labtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// awake is the label of the nodes that KWOK keeps alive.
const awake = "lab.gonogo/awake"

// podCIDR gives every pod of a large cluster its own address.
const podCIDR = "10.128.0.1/12"

// startKWOK starts it with the stages that make nodes Ready and pods Running.
func (l *Lab) startKWOK(ctx context.Context) error {
	if err := l.applyCRDs(ctx, filepath.Join(l.built, "kwok-crds"), "portforwards"); err != nil {
		return err
	}
	stages, err := l.stages("node/fast", "node/heartbeat-with-lease", "pod/fast")
	if err != nil {
		return err
	}
	config, err := l.Kubeconfig("lab:kwok", l.Token("lab:kwok"))
	if err != nil {
		return err
	}
	port, err := l.ports.free()
	if err != nil {
		return err
	}
	p, err := l.run(server{name: "kwok", args: []string{
		"--kubeconfig=" + config, "--config=" + stages,
		"--manage-nodes-with-label-selector=" + awake + "=true",
		// Without leases the nodes would go Unknown and be mended, over and over.
		"--node-lease-duration-seconds=40",
		"--cidr=" + podCIDR, "--enable-crds=PortForward",
		"--node-ip=127.0.0.1", fmt.Sprintf("--node-port=%d", port), "--server-address=" + loopback(port),
		"--tls-cert-file=" + l.pki.certFile, "--tls-private-key-file=" + l.pki.keyFile,
	}, env: []string{"HOME=" + l.dir}})
	if err != nil {
		return err
	}
	return p.await(ctx, func(ctx context.Context) error { return l.get(ctx, "https://"+loopback(port)+"/healthz") })
}

// stages writes KWOK's configuration from the folders of its module.
func (l *Lab) stages(folders ...string) (string, error) {
	var all strings.Builder
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(l.built, "stages", folder, "*.yaml"))
		if err != nil {
			return "", fmt.Errorf("listing KWOK's stages: %w", err)
		}
		for _, file := range files {
			if filepath.Base(file) == "kustomization.yaml" {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return "", fmt.Errorf("reading KWOK's stages: %w", err)
			}
			all.WriteString("---\n")
			all.Write(text)
		}
	}
	if all.Len() == 0 {
		return "", fmt.Errorf("reading KWOK's stages: none in %s", filepath.Join(l.built, "stages"))
	}
	return l.file("kwok.yaml", all.String())
}

// CreateNodes makes n more nodes, each with 32 CPUs, 256 GiB and room for 110 pods,
// waits until they are Ready, and returns their names: node-0001 and so on. The
// functions in change see each node before it is created.
func (l *Lab) CreateNodes(ctx context.Context, n int, change ...func(*corev1.Node)) ([]string, error) {
	if l.kube == nil {
		return nil, errNoControlPlane
	}
	l.mu.Lock()
	first := l.nodes
	l.nodes += n
	l.mu.Unlock()
	names := make([]string, n)
	err := parallel(ctx, n, func(ctx context.Context, i int) error {
		node := newNode(fmt.Sprintf("node-%04d", first+i+1))
		for _, f := range change {
			f(node)
		}
		names[i] = node.Name
		_, err := l.kube.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("creating nodes: %w", err)
	}
	return names, l.WaitNodes(ctx, corev1.ConditionTrue, names...)
}

// newNode is a node as KWOK takes it.
func newNode(name string) *corev1.Node {
	size := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("32"), corev1.ResourceMemory: resource.MustParse("256Gi"),
		corev1.ResourcePods: resource.MustParse("110"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			awake: "true", corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
		}},
		Status: corev1.NodeStatus{Allocatable: size, Capacity: size},
	}
}

// SilenceNode ends a node's heartbeats, as if its kubelet were gone. The controller
// manager calls it Unknown about 20 s after its last heartbeat: WaitNodes waits
// for that.
func (l *Lab) SilenceNode(ctx context.Context, name string) error {
	return l.patchNode(ctx, name, `{"metadata":{"labels":{"`+awake+`":null}}}`)
}

// WakeNode begins a silenced node's heartbeats again.
func (l *Lab) WakeNode(ctx context.Context, name string) error {
	return l.patchNode(ctx, name, `{"metadata":{"labels":{"`+awake+`":"true"}}}`)
}

func (l *Lab) patchNode(ctx context.Context, name, patch string) error {
	if l.kube == nil {
		return errNoControlPlane
	}
	_, err := l.kube.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("patching the node %s: %w", name, err)
	}
	return nil
}

// WaitNodes waits until the condition Ready of all named nodes has the status.
func (l *Lab) WaitNodes(ctx context.Context, status corev1.ConditionStatus, names ...string) error {
	if l.kube == nil {
		return errNoControlPlane
	}
	what := fmt.Sprintf("waiting for %d nodes with Ready %s", len(names), status)
	return WaitFor(ctx, what, startLimit, retry, func(ctx context.Context) (bool, error) {
		list, err := l.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return false, err
		}
		there := make(map[string]bool)
		for i := range list.Items {
			there[list.Items[i].Name] = readiness(&list.Items[i]) == status
		}
		var missing []string
		for _, name := range names {
			if !there[name] {
				missing = append(missing, name)
			}
		}
		if len(missing) == 0 {
			return true, nil
		}
		return false, fmt.Errorf("%d are not, such as %s", len(missing), missing[0])
	})
}

// readiness is the status of a node's condition Ready, "" without one.
func readiness(node *corev1.Node) corev1.ConditionStatus {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status
		}
	}
	return ""
}
