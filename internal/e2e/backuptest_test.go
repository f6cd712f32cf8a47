//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/labtest"
)

// proofs is a profile with the checks that a test of backups is evidence for, and the test.
func proofs(evidence string, lab *labtest.Lab, more string) string {
	return "connections:\n  kubernetes: {context: '', evidence: {namespace: " + evidence + "}}\n  minio: {url: " + lab.MinIO().URL +
		", region: minio, read: {accessKey: {env: KEY}, secretKey: {env: SECRET}}}\n" + checks(`
- {id: test-backup, title: t, probe: evidence, with: {proof: backup, within: 168h}, weight: 1, action: backup-test}
- {id: restore-verified, title: t, probe: evidence, with: {proof: restore, within: 720h}, weight: 1, gate: true, action: backup-test}
`) + "actions:\n  backup-test: {title: Test a backup, estimate: 1m, with: {" + more + "}}\n"
}

// prover is a station that may test backups.
func prover(t *testing.T, lab *labtest.Lab, user, evidence, more string) *station {
	t.Helper()
	must(t, lab.Namespace(t.Context(), evidence))
	s := newStation(t, kubeconfig(t, lab, user), proofs(evidence, lab, more))
	own, err := os.ReadFile(s.profile) // a platform of its own, since one operator at a time may test another's
	must(t, err)
	must(t, os.WriteFile(s.profile, []byte(strings.Replace(string(own), "platform: Lab", "platform: Lab "+evidence, 1)), 0o600))
	s.env = append(s.env, "KEY="+lab.MinIO().AccessKey, "SECRET="+lab.MinIO().SecretKey)
	return s
}

// suffix is what the newest test of a station calls what it makes.
func (s *station) suffix(t *testing.T) string {
	t.Helper()
	for range 300 {
		found, err := filepath.Glob(filepath.Join(s.dir, "state", "runs", "*", "backup-test-*", "*", "test.json"))
		must(t, err)
		if len(found) > 0 {
			raw, err := os.ReadFile(found[len(found)-1])
			must(t, err)
			var known struct{ Suffix string }
			must(t, json.Unmarshal(raw, &known))
			return known.Suffix
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("there is no test of backups")
	return ""
}

// leftOf lists what a test of backups has left in the cluster and in the object store.
func leftOf(t *testing.T, lab *labtest.Lab, suffix string) (left []string) {
	t.Helper()
	resources := []schema.GroupVersionResource{
		{Version: "v1", Resource: "namespaces"}, {Version: "v1", Resource: "configmaps"}, {Version: "v1", Resource: "secrets"}, {Version: "v1", Resource: "pods"},
		{Version: "v1", Resource: "persistentvolumeclaims"}, {Version: "v1", Resource: "persistentvolumes"},
		{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
	}
	for _, r := range []string{"backups", "restores", "deletebackuprequests", "downloadrequests", "podvolumebackups", "podvolumerestores"} {
		resources = append(resources, labtest.VeleroResource(r))
	}
	for _, r := range resources {
		list, err := lab.Dynamic().Resource(r).List(t.Context(), metav1.ListOptions{})
		must(t, err)
		for _, o := range list.Items {
			if strings.Contains(o.GetNamespace()+"/"+o.GetName(), suffix) || o.GetLabels()["gonogo.io/backup-test"] == suffix {
				left = append(left, r.Resource+" "+o.GetNamespace()+"/"+o.GetName())
			}
		}
	}
	must(t, filepath.WalkDir(filepath.Join(lab.Dir(), "minio", labtest.VeleroBucket), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(path, suffix) {
			left = append(left, "object "+path)
		}
		return nil
	}))
	return left
}

// TestABackupIsTested has a real Velero back up and restore what gonogo made for it, and looks at the evidence from another machine.
func TestABackupIsTested(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	const space = "tested"
	s := prover(t, lab, userMirror, space, "")
	other := newStation(t, kubeconfig(t, lab, labtest.Viewer), proofs(space, lab, ""))
	if d, _ := other.check(t); d.of(t, "restore-verified").Status != "fail" {
		t.Fatalf("before: %+v", d.of(t, "restore-verified"))
	}

	narrow := prover(t, lab, userSchedules, space, "")
	if o := narrow.run(t, "run", "backup-test", "--yes"); o.code != 3 || !strings.Contains(o.stdout+o.stderr, "the right to create backups.velero.io in velero") {
		t.Errorf("without the right: exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}

	began := time.Now()
	o := s.run(t, "run", "backup-test", "--yes")
	took := time.Since(began)
	if o.code != 0 || !strings.Contains(o.stdout, "RTO: ") || !strings.Contains(o.stdout, "level=info") || took > time.Minute {
		t.Fatalf("exit code %d after %s\n%s\n%s", o.code, took, o.stdout, o.stderr)
	}
	t.Logf("tested in %s\n%s", took.Round(time.Second), o.stdout)
	if left := leftOf(t, lab, s.suffix(t)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	d, _ := other.check(t)
	d.want(t, "test-backup", "pass", "Completed")
	d.want(t, "restore-verified", "pass", "verified", "RTO")
	if o := s.run(t, "run", "backup-test", "--plan"); !strings.Contains(o.stdout, "nothing to do") {
		t.Errorf("a second plan: %s", o.stdout)
	}
	record, err := lab.Kube().CoreV1().ConfigMaps(space).Get(t.Context(), "gonogo-evidence", metav1.GetOptions{})
	must(t, err)
	if len(record.Data) != 2 || !strings.Contains(asJSON(t, record.Data), `\"scope\":\"objects\"`) {
		t.Errorf("the record: %v", record.Data)
	}
	// What is older than the checks allow is no evidence any more.
	old := newStation(t, kubeconfig(t, lab, labtest.Viewer), strings.NewReplacer("within: 168h", "within: 1s", "within: 720h", "within: 1s").Replace(proofs(space, lab, "")))
	time.Sleep(time.Second)
	d, _ = old.check(t)
	d.want(t, "restore-verified", "fail", "are allowed")
}

// TestAnItemThatDoesNotComeBack has the cluster refuse one of the items when it is restored.
func TestAnItemThatDoesNotComeBack(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	ctx := t.Context()
	s := prover(t, lab, userMirror, "refused", "volume: never, patience: 1m")
	fail := admissionv1.Fail
	equivalent := admissionv1.Equivalent
	all := admissionv1.NamespacedScope
	// Only for the test of this station, whose label is known once it has begun.
	b := s.start(t, 120, 36, "run", "backup-test", "--yes")
	suffix := s.suffix(t)
	_, err := lab.Kube().AdmissionregistrationV1().ValidatingAdmissionPolicies().Create(ctx, &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "no-secrets-back"},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &fail,
			MatchConstraints: &admissionv1.MatchResources{
				MatchPolicy: &equivalent, NamespaceSelector: &metav1.LabelSelector{}, ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"gonogo.io/backup-test": suffix}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}, Scope: &all},
				}}},
			},
			Validations: []admissionv1.Validation{{Expression: "!('velero.io/restore-name' in object.metadata.labels)", Message: "no secrets come back here"}},
		},
	}, metav1.CreateOptions{})
	must(t, err)
	_, err = lab.Kube().AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Create(ctx, &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "no-secrets-back"},
		Spec:       admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: "no-secrets-back", ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}},
	}, metav1.CreateOptions{})
	must(t, err)
	end := b.wait(t, 2*time.Minute)
	log := s.run(t, "runs", "logs", "backup-test-1")
	if end.ExitCode() != 1 || !strings.Contains(log.stdout, "Secret gonogo-canary is missing") {
		t.Errorf("exit code %d\n%s", end.ExitCode(), log.stdout)
	}
	if left := leftOf(t, lab, suffix); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	d, _ := s.check(t)
	d.want(t, "restore-verified", "fail", "Secret gonogo-canary is missing")
}

// TestATestThatIsKilled kills the process of a test in the middle of its steps, and goes on with it.
func TestATestThatIsKilled(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	for i, at := range []string{"→ Make content", "→ Back it up", "→ Restore it", "→ Remove the restore", "→ Remove the namespaces"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			killed(t, lab, fmt.Sprintf("killed-%d", i), at)
		})
	}
}

// killed kills the process of a test once it says that it is at a step, and goes on with it.
func killed(t *testing.T, lab *labtest.Lab, space, at string) {
	t.Helper()
	s := prover(t, lab, userMirror, space, "volume: never, patience: 1m, fresh: 0s")
	b := s.start(t, 120, 36, "run", "backup-test", "--yes")
	b.await(t, at, time.Minute, func(string) bool { return strings.Contains(b.text(), at) })
	must(t, syscall.Kill(s.runner(t), syscall.SIGKILL))
	b.wait(t, time.Minute)
	o := s.run(t, "runs", "resume", "backup-test-1")
	for range 30 { // until the lock of the one that died is free
		if o.code != 3 {
			break
		}
		time.Sleep(2 * time.Second)
		o = s.run(t, "runs", "resume", "backup-test-1")
	}
	if o.code != 0 {
		t.Errorf("killed at %q: resuming ends with %d\n%s\n%s", at, o.code, o.stdout, o.stderr)
	}
	if left := leftOf(t, lab, s.suffix(t)); len(left) > 0 {
		t.Errorf("killed at %q, left: %v", at, left)
	}
}

// TestAStoreThatDies stops the object store in the middle of a test, which fails in time and cleans up once the store is back.
func TestAStoreThatDies(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t, labtest.Options{Velero: true, Users: users()})
	s := prover(t, lab, userMirror, "dying", "volume: never, patience: 20s, cleaning: 5s")
	b := s.start(t, 120, 36, "run", "backup-test", "--yes")
	suffix := s.suffix(t)
	lab.StopMinIO()
	began := time.Now()
	end := b.wait(t, 2*time.Minute)
	if end.ExitCode() != 1 {
		t.Errorf("without a store it ends with %d after %s", end.ExitCode(), time.Since(began))
	}
	t.Logf("it failed after %s", time.Since(began).Round(time.Second))
	must(t, lab.ResumeMinIO(t.Context()))
	must(t, labtest.WaitFor(t.Context(), "waiting until it has cleaned up", 2*time.Minute, 2*time.Second, func(context.Context) (bool, error) {
		o := s.run(t, "runs", "resume", "backup-test-1")
		left := leftOf(t, lab, suffix)
		return len(left) == 0, fmt.Errorf("exit code %d, left: %v\n%s", o.code, left, o.stdout)
	}))
}

// TestVelerosLogsThroughAForward has Velero sign its URLs for a Service that only the cluster knows: its logs come through a port-forward, with
// the host for which they were signed.
func TestVelerosLogsThroughAForward(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	_, err := lab.Serve(t.Context(), labtest.Backend{Namespace: "forwarded", Name: "store", Port: 9000, Target: strings.TrimPrefix(lab.MinIO().URL, "http://")})
	must(t, err)
	veleroCreate(t, lab, labtest.VeleroNamespace, "backupstoragelocations", "BackupStorageLocation", "forwarded", nil, map[string]any{
		"provider": "aws", "objectStorage": map[string]any{"bucket": labtest.VeleroBucket, "prefix": "forwarded"},
		"config": map[string]any{"region": "minio", "s3ForcePathStyle": "true", "s3Url": lab.MinIO().URL, "publicUrl": "http://store.forwarded.svc.cluster.local:9000"},
	})
	s := prover(t, lab, userMirror, "forwarded", "location: forwarded, volume: never, patience: 1m")
	o := s.run(t, "run", "backup-test", "--yes")
	if o.code != 0 || !strings.Contains(o.stdout, "Backed up a total of 2 items") || !strings.Contains(o.stdout, "restore completed") || strings.Contains(o.stdout, "X-Amz-Signature") {
		t.Errorf("exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	if left := leftOf(t, lab, s.suffix(t)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
