//go:build e2e

package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/254carbon/gonogo/internal/labtest"
)

// TestJoinCommand has a real API server accept the token that was made, and refuse it once it is revoked.
func TestJoinCommand(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	ctx := t.Context()
	config := kubeconfig(t, lab, userMirror)
	s := newStation(t, config, checks(`
- {id: nodes, title: Nodes, probe: kubernetes.nodes, with: {min: 1, workers: 0}, weight: 1}
`)+"actions: {join-command: {title: Join worker nodes, estimate: 5m}}\n")
	if o := s.run(t, "run", "join-command", "--yes"); o.code != 3 || !strings.Contains(o.stdout+o.stderr, "kubeadm did not make this cluster") {
		t.Errorf("a cluster that kubeadm did not make: exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}

	loaded, err := clientcmd.LoadFromFile(config)
	must(t, err)
	var here *clientcmdapi.Cluster
	for _, c := range loaded.Clusters {
		here = c
	}
	if len(here.CertificateAuthorityData) == 0 {
		here.CertificateAuthorityData, err = os.ReadFile(here.CertificateAuthority)
		must(t, err)
	}
	info, err := clientcmd.Write(clientcmdapi.Config{Clusters: map[string]*clientcmdapi.Cluster{
		"": {Server: here.Server, CertificateAuthorityData: here.CertificateAuthorityData},
	}})
	must(t, err)
	must(t, lab.Namespace(ctx, "kube-public"))
	for namespace, m := range map[string]*corev1.ConfigMap{
		"kube-system": {ObjectMeta: metav1.ObjectMeta{Name: "kubeadm-config"}},
		"kube-public": {ObjectMeta: metav1.ObjectMeta{Name: "cluster-info"}, Data: map[string]string{"kubeconfig": string(info)}},
	} {
		_, err := lab.Kube().CoreV1().ConfigMaps(namespace).Create(ctx, m, metav1.CreateOptions{})
		must(t, err)
	}

	file := filepath.Join(t.TempDir(), "join.sh")
	o := s.run(t, "run", "join-command", "--yes", "--set", "file="+file)
	if o.code != 0 || !strings.Contains(o.stdout, file) {
		t.Fatalf("exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	text, err := os.ReadFile(file)
	must(t, err)
	about, err := os.Stat(file)
	must(t, err)
	m := regexp.MustCompile(`^kubeadm join (\S+) --token (([a-z0-9]{6})\.([a-z0-9]{16})) --discovery-token-ca-cert-hash (\S+)\n$`).FindStringSubmatch(string(text))
	if m == nil || about.Mode().Perm() != 0o600 {
		t.Fatalf("the file (%s) holds no line of kubeadm's", about.Mode())
	}
	block, _ := pem.Decode(here.CertificateAuthorityData)
	authority, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	sum := sha256.Sum256(authority.RawSubjectPublicKeyInfo)
	if m[1] != strings.TrimPrefix(here.Server, "https://") || m[5] != "sha256:"+hex.EncodeToString(sum[:]) {
		t.Errorf("it leads to %s with %s", m[1], m[5])
	}
	secret, err := lab.Kube().CoreV1().Secrets("kube-system").Get(ctx, "bootstrap-token-"+m[3], metav1.GetOptions{})
	must(t, err)
	if ends, err := time.Parse(time.RFC3339, string(secret.Data["expiration"])); err != nil || time.Until(ends) > time.Hour || time.Until(ends) < 50*time.Minute {
		t.Errorf("it ends at %s", secret.Data["expiration"])
	}
	if log := s.run(t, "runs", "logs", "join-command-1"); strings.Contains(o.stdout+o.stderr+log.stdout, m[4]) {
		t.Error("the token is shown")
	}
	must(t, filepath.WalkDir(s.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		kept, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(kept), m[4]) {
			err = fmt.Errorf("%s keeps the token", path)
		}
		return err
	}))

	if user, err := whoIs(ctx, lab, m[2]); err != nil || user.Username != "system:bootstrap:"+m[3] || !slices.Contains(user.Groups, "system:bootstrappers") {
		t.Errorf("the token is %+v (%v)", user, err)
	}
	if o := s.run(t, "run", "join-command", "--plan", "--set", "file="+file); o.code != 0 || !strings.Contains(o.stdout, "nothing to do") {
		t.Errorf("a second plan: exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	if o := s.run(t, "run", "join-command", "--yes", "--set", "revoke=true", "--set", "file="+file); o.code != 3 && o.code != 2 {
		t.Errorf("deleting without the platform's name: exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	if o := s.run(t, "run", "join-command", "--yes=Lab", "--set", "revoke=true", "--set", "file="+file); o.code != 0 {
		t.Errorf("revoking: exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
	must(t, labtest.WaitFor(ctx, "waiting for the token's end", 30*time.Second, 500*time.Millisecond, func(ctx context.Context) (bool, error) {
		_, err := whoIs(ctx, lab, m[2])
		return apierrors.IsUnauthorized(err), err
	}))
}

// whoIs asks the API server whose a token is.
func whoIs(ctx context.Context, lab *labtest.Lab, token string) (authenticationv1.UserInfo, error) {
	path, err := lab.Kubeconfig("lab", token)
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	review, err := kube.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	return review.Status.UserInfo, nil
}
