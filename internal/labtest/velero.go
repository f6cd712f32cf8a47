package labtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Where Velero lives, and where its backups go.
const (
	VeleroNamespace = "velero"
	VeleroLocation  = "default"
	VeleroBucket    = "velero"
)

// VeleroResource is one of Velero's resources, such as backups.
func VeleroResource(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "velero.io", Version: "v1", Resource: resource}
}

// startVelero installs Velero's definitions and runs its server outside the
// cluster.
func (l *Lab) startVelero(ctx context.Context) error {
	for _, version := range []string{"v1", "v2alpha1"} {
		if err := l.applyCRDs(ctx, filepath.Join(l.built, "velero-crds", version), ""); err != nil {
			return err
		}
	}
	if err := l.Namespace(ctx, VeleroNamespace); err != nil {
		return err
	}
	if err := l.createVeleroDeployment(ctx); err != nil {
		return err
	}
	if err := l.minio.Bucket(VeleroBucket); err != nil {
		return err
	}
	if err := l.createLocation(ctx); err != nil {
		return err
	}
	p, err := l.runVelero()
	if err != nil {
		return err
	}
	return p.await(ctx, l.locationAvailable)
}

// runVelero starts the server.
func (l *Lab) runVelero() (*process, error) {
	// Velero starts whatever lies in its folder of plug-ins.
	plugins := filepath.Join(l.dir, "plugins")
	if err := os.Mkdir(plugins, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of Velero's plug-ins: %w", err)
	}
	const plugin = "velero-plugin-for-aws"
	if err := os.Symlink(filepath.Join(l.built, "bin", plugin), filepath.Join(plugins, plugin)); err != nil {
		return nil, fmt.Errorf("adding Velero's plug-in: %w", err)
	}
	credentials, err := l.file("velero-credentials", fmt.Sprintf("[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n", l.minio.AccessKey, l.minio.SecretKey))
	if err != nil {
		return nil, err
	}
	config, err := l.Kubeconfig("lab:velero", l.Token("lab:velero"))
	if err != nil {
		return nil, err
	}
	metrics, err := l.ports.free()
	if err != nil {
		return nil, err
	}
	profiler, err := l.ports.free()
	if err != nil {
		return nil, err
	}
	return l.run(server{
		name: "velero", onDeath: syscall.SIGTERM,
		args: []string{
			"server", "--kubeconfig=" + config, "--namespace=" + VeleroNamespace, "--plugin-dir=" + plugins,
			"--metrics-address=" + loopback(metrics), "--profiler-address=" + loopback(profiler),
			"--store-validation-frequency=10s", "--backup-sync-period=10s",
		},
		env: []string{"VELERO_NAMESPACE=" + VeleroNamespace, "AWS_SHARED_CREDENTIALS_FILE=" + credentials, "HOME=" + l.dir, "TMPDIR=" + l.dir},
	})
}

// createVeleroDeployment makes the Deployment that an installation has. Nothing
// runs in it, but Velero looks it up when it restores.
func (l *Lab) createVeleroDeployment(ctx context.Context) error {
	labels := map[string]string{"component": "velero", "deploy": "velero"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "velero", Labels: map[string]string{"component": "velero"}},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"deploy": "velero"}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "velero", Image: "velero/velero:v1.18.3", Command: []string{"/velero"}, Args: []string{"server"},
				}}},
			},
		},
	}
	if _, err := l.kube.AppsV1().Deployments(VeleroNamespace).Create(ctx, deployment, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the deployment of Velero: %w", err)
	}
	return nil
}

// createLocation makes the storage location in MinIO.
func (l *Lab) createLocation(ctx context.Context) error {
	location := veleroObject("BackupStorageLocation", VeleroLocation, map[string]any{
		"provider": "aws", "default": true,
		"objectStorage": map[string]any{"bucket": VeleroBucket},
		"config":        map[string]any{"region": "minio", "s3ForcePathStyle": "true", "s3Url": l.minio.URL},
	})
	_, err := l.veleroIn("backupstoragelocations").Create(ctx, location, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("creating the backup storage location: %w", err)
	}
	return nil
}

// locationAvailable returns nil once Velero has reached the storage location.
func (l *Lab) locationAvailable(ctx context.Context) error {
	location, err := l.veleroIn("backupstoragelocations").Get(ctx, VeleroLocation, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if phase := Phase(location); phase != "Available" {
		message, _, _ := unstructured.NestedString(location.Object, "status", "message")
		return fmt.Errorf("the storage location is %q %s", phase, message)
	}
	return nil
}

// Backup makes a backup of the namespaces and returns it once it has ended, in
// whatever phase.
func (l *Lab) Backup(ctx context.Context, name string, namespaces ...string) (*unstructured.Unstructured, error) {
	included := make([]any, len(namespaces))
	for i, namespace := range namespaces {
		included[i] = namespace
	}
	return l.veleroRun(ctx, "backups", veleroObject("Backup", name, map[string]any{
		"includedNamespaces": included, "storageLocation": VeleroLocation, "ttl": "1h0m0s",
	}))
}

// Restore restores a backup, with the namespaces renamed as the mapping says, and
// returns the restore once it has ended, in whatever phase.
func (l *Lab) Restore(ctx context.Context, name, backup string, mapping map[string]string) (*unstructured.Unstructured, error) {
	renamed := make(map[string]any, len(mapping))
	for from, to := range mapping {
		renamed[from] = to
	}
	return l.veleroRun(ctx, "restores", veleroObject("Restore", name, map[string]any{
		"backupName": backup, "namespaceMapping": renamed,
	}))
}

// veleroRun creates an object and waits until Velero has ended its work on it.
func (l *Lab) veleroRun(ctx context.Context, resource string, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if l.dynamic == nil {
		return nil, errNoControlPlane
	}
	name := object.GetName()
	if _, err := l.veleroIn(resource).Create(ctx, object, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("creating %s in %s: %w", name, resource, err)
	}
	ended := []string{"Completed", "PartiallyFailed", "Failed", "FailedValidation"}
	err := WaitFor(ctx, "waiting for "+name+" in "+resource, 3*time.Minute, retry, func(ctx context.Context) (bool, error) {
		var err error
		object, err = l.veleroIn(resource).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		if slices.Contains(ended, Phase(object)) {
			return true, nil
		}
		return false, errors.New("it is " + Phase(object))
	})
	return object, err
}

// veleroIn is the client of one of Velero's resources.
func (l *Lab) veleroIn(resource string) dynamic.ResourceInterface {
	return l.dynamic.Resource(VeleroResource(resource)).Namespace(VeleroNamespace)
}

// Phase is the phase in an object's status, "" without one.
func Phase(object *unstructured.Unstructured) string {
	phase, _, _ := unstructured.NestedString(object.Object, "status", "phase")
	return phase
}

// veleroObject is one of Velero's objects in its namespace.
func veleroObject(kind, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "velero.io/v1", "kind": kind,
		"metadata": map[string]any{"name": name, "namespace": VeleroNamespace},
		"spec":     spec,
	}}
}
