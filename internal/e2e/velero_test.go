//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/254carbon/gonogo/internal/labtest"
)

const daily = "0 2 * * *"

// veleroCreate makes one of Velero's objects.
func veleroCreate(t *testing.T, lab *labtest.Lab, namespace, resource, kind, name string, labels map[string]string, spec map[string]any) {
	t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "velero.io/v1", "kind": kind, "spec": spec}}
	object.SetName(name)
	object.SetNamespace(namespace)
	object.SetLabels(labels)
	_, err := lab.Dynamic().Resource(labtest.VeleroResource(resource)).Namespace(namespace).Create(t.Context(), object, metav1.CreateOptions{})
	must(t, err)
}

// awaitPhase waits until one of Velero's objects is in one of the phases, and returns the phase.
func awaitPhase(t *testing.T, lab *labtest.Lab, resource, name string, phases ...string) string {
	t.Helper()
	var phase string
	err := labtest.WaitFor(t.Context(), "waiting for "+name, 2*time.Minute, 200*time.Millisecond, func(ctx context.Context) (bool, error) {
		object, err := lab.Dynamic().Resource(labtest.VeleroResource(resource)).Namespace(labtest.VeleroNamespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		phase = labtest.Phase(object)
		return slices.Contains(phases, phase), errors.New("it is " + phase)
	})
	must(t, err)
	return phase
}

// schedule makes a Schedule of one namespace that the server takes up.
func schedule(t *testing.T, lab *labtest.Lab, name, namespace string) {
	t.Helper()
	veleroCreate(t, lab, labtest.VeleroNamespace, "schedules", "Schedule", name, nil, map[string]any{
		"schedule": daily, "template": map[string]any{"includedNamespaces": []any{namespace}, "storageLocation": labtest.VeleroLocation},
	})
	awaitPhase(t, lab, "schedules", name, "Enabled")
}

// backup makes a backup of a schedule, as velero backup create --from-schedule does, and returns the phase in which it ends.
func backup(t *testing.T, lab *labtest.Lab, schedule, name, namespace string) string {
	t.Helper()
	veleroCreate(t, lab, labtest.VeleroNamespace, "backups", "Backup", name, map[string]string{"velero.io/schedule-name": schedule}, map[string]any{
		"includedNamespaces": []any{namespace}, "storageLocation": labtest.VeleroLocation, "ttl": "1h0m0s",
	})
	return awaitPhase(t, lab, "backups", name, "Completed", "PartiallyFailed", "Failed", "FailedValidation")
}

// TestVeleroBackups has a real Velero make a good backup and one that fails in part, and the checks tell them apart.
func TestVeleroBackups(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	ctx := t.Context()
	must(t, lab.Namespace(ctx, "precious"))
	_, err := lab.Kube().CoreV1().ConfigMaps("precious").Create(ctx,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "data"}, Data: map[string]string{"key": "value"}}, metav1.CreateOptions{})
	must(t, err)
	schedule(t, lab, "precious-daily", "precious")

	// A hook that cannot be executed, since the pod has no kubelet that would, is an error of the backup.
	_, err = lab.CreatePods(ctx, "hooked", 1, func(pod *corev1.Pod) {
		pod.Annotations = map[string]string{
			"pre.hook.backup.velero.io/container": "main", "pre.hook.backup.velero.io/command": `["/bin/fsfreeze"]`,
			"pre.hook.backup.velero.io/on-error": "Fail", "pre.hook.backup.velero.io/timeout": "10s",
		}
	})
	must(t, err)
	schedule(t, lab, "hooked-daily", "hooked")

	of := func(id, probe, schedule string) string {
		return fmt.Sprintf("- {id: %s, title: t, probe: velero.%s, with: {schedules: [{name: %s, cron: %q}]}, weight: 1}\n", id, probe, schedule, daily)
	}
	s := newStation(t, kubeconfig(t, lab, labtest.Viewer), checks(
		of("good-schedule", "schedules", "precious-daily")+of("good-backup", "backups", "precious-daily")+
			of("bad-backup", "backups", "hooked-daily")+of("no-schedule", "schedules", "never-made")))

	d, _ := s.check(t)
	d.want(t, "good-schedule", "pass", "no run missed")
	d.want(t, "good-backup", "fail", "no backup of schedule precious-daily has ever ended")
	d.want(t, "no-schedule", "fail", "never-made does not exist")

	if phase := backup(t, lab, "precious-daily", "precious-1", "precious"); phase != "Completed" {
		t.Fatalf("the good backup is %s", phase)
	}
	if phase := backup(t, lab, "hooked-daily", "hooked-1", "hooked"); phase != "PartiallyFailed" {
		t.Fatalf("the backup with a hook that fails is %s", phase)
	}
	d, _ = s.check(t)
	d.want(t, "good-backup", "pass", "precious-1")
	d.want(t, "bad-backup", "fail", "backup hooked-1 is PartiallyFailed", "errors")

	// A backup that succeeds later mends it.
	pods, err := lab.Kube().CoreV1().Pods("hooked").List(ctx, metav1.ListOptions{})
	must(t, err)
	for _, pod := range pods.Items {
		_, err := lab.Kube().CoreV1().Pods("hooked").Patch(ctx, pod.Name, types.MergePatchType, []byte(`{"metadata":{"annotations":null}}`), metav1.PatchOptions{})
		must(t, err)
	}
	if phase := backup(t, lab, "hooked-daily", "hooked-2", "hooked"); phase != "Completed" {
		t.Fatalf("the backup without the hook is %s", phase)
	}
	d, _ = s.check(t)
	d.want(t, "bad-backup", "pass", "hooked-2")

	// A schedule that somebody pauses.
	_, err = lab.Dynamic().Resource(labtest.VeleroResource("schedules")).Namespace(labtest.VeleroNamespace).Patch(ctx, "precious-daily",
		types.MergePatchType, []byte(`{"spec":{"paused":true}}`), metav1.PatchOptions{})
	must(t, err)
	d, _ = s.check(t)
	d.want(t, "good-schedule", "fail", "precious-daily is paused")
}

// TestVeleroMissedRun is a Velero whose server died: what it left behind is all that the check has, and all that it needs.
func TestVeleroMissedRun(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	ctx := t.Context()
	const dead = "velero-dead"
	must(t, lab.Namespace(ctx, dead))
	for name, ran := range map[string]time.Duration{"missed": 50 * time.Hour, "punctual": 0} {
		veleroCreate(t, lab, dead, "schedules", "Schedule", name, nil, map[string]any{
			"schedule": daily, "template": map[string]any{"includedNamespaces": []any{"default"}},
		})
		status := fmt.Sprintf(`{"status":{"phase":"Enabled","lastBackup":%q}}`, time.Now().Add(-ran).UTC().Format(time.RFC3339))
		_, err := lab.Dynamic().Resource(labtest.VeleroResource("schedules")).Namespace(dead).Patch(ctx, name, types.MergePatchType, []byte(status), metav1.PatchOptions{})
		must(t, err)
	}
	of := func(name string) string {
		return fmt.Sprintf("- {id: %[1]s, title: t, probe: velero.schedules, with: {namespace: %[2]s, schedules: [{name: %[1]s, cron: %[3]q}]}, weight: 1}\n", name, dead, daily)
	}
	s := newStation(t, kubeconfig(t, lab, labtest.Viewer), checks(of("missed")+of("punctual")))
	d, code := s.check(t)
	d.want(t, "missed", "fail", "schedule missed missed its run of")
	d.want(t, "punctual", "pass")
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
}

// TestVeleroInstallation looks at the storage location that the real server validates, and at the installation.
func TestVeleroInstallation(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	ctx := t.Context()
	s := newStation(t, kubeconfig(t, lab, labtest.Viewer), checks(fmt.Sprintf(`
- {id: right, title: t, probe: velero.storage, with: {name: %[1]s, bucket: %[2]s, validationFrequency: 30s}, weight: 1}
- {id: wrong, title: t, probe: velero.storage, with: {bucket: velero-backups}, weight: 1}
- {id: elsewhere, title: t, probe: velero.storage, with: {namespace: default}, weight: 1}
- {id: server, title: t, probe: velero.server, weight: 1}
`, labtest.VeleroLocation, labtest.VeleroBucket)))
	must(t, labtest.WaitFor(ctx, "waiting for Velero's pod", time.Minute, time.Second, func(ctx context.Context) (bool, error) {
		d, err := lab.Kube().AppsV1().Deployments(labtest.VeleroNamespace).Get(ctx, "velero", metav1.GetOptions{})
		return err == nil && d.Status.ReadyReplicas == 1, err
	}))
	d, _ := s.check(t)
	d.want(t, "right", "pass", "Available")
	d.want(t, "wrong", "fail", "velero-backups", labtest.VeleroBucket)
	d.want(t, "elsewhere", "fail")
	d.want(t, "server", "fail", "not to cluster-admin") // the lab's server has the rights of its own user

	_, err := lab.Kube().RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "velero"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: labtest.VeleroNamespace, Name: "default"}},
	}, metav1.CreateOptions{})
	must(t, err)
	// Others look at who is cluster-admin in the same cluster.
	defer func() {
		must(t, lab.Kube().RbacV1().ClusterRoleBindings().Delete(context.WithoutCancel(ctx), "velero", metav1.DeleteOptions{}))
	}()
	d, _ = s.check(t)
	d.want(t, "server", "pass", "v1.18.3")
}
