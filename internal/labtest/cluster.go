package labtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// retry is how often the lab asks a server whether something has come about.
const retry = 200 * time.Millisecond

// nodeGracePeriod is how long a node may be silent before it counts as Unknown.
// KWOK renews a node's lease every 10 s.
const nodeGracePeriod = "20s"

// errNoControlPlane answers calls that need one.
var errNoControlPlane = errors.New("using the cluster: the lab was started without a control plane")

// auditPolicy records who asked what of every request. The stage RequestReceived
// is kept: it is written before anything happens, so what the log does not have
// has not happened.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseStarted]
rules:
- level: Metadata
`

// startControlPlane starts etcd and Kubernetes' own servers.
func (l *Lab) startControlPlane(ctx context.Context, extra []User) error {
	var err error
	if l.pki, err = newPKI(l.dir); err != nil {
		return err
	}
	if l.users, err = allUsers(extra); err != nil {
		return err
	}
	if l.net, err = newEgress(filepath.Join(l.dir, "egress.sock")); err != nil {
		return err
	}
	etcd, err := l.startEtcd(ctx)
	if err != nil {
		return err
	}
	if err := l.startAPIServer(ctx, etcd); err != nil {
		return err
	}
	if err := l.grant(ctx); err != nil {
		return err
	}
	if err := l.startControllers(); err != nil {
		return err
	}
	// With its first namespace usable, the controller manager is at work.
	return l.Namespace(ctx, "default")
}

// startEtcd returns the URL that clients use.
func (l *Lab) startEtcd(ctx context.Context) (string, error) {
	client, err := l.ports.free()
	if err != nil {
		return "", err
	}
	peer, err := l.ports.free()
	if err != nil {
		return "", err
	}
	url, peerURL := "http://"+loopback(client), "http://"+loopback(peer)
	p, err := l.run(server{name: "etcd", args: []string{
		"--data-dir=" + filepath.Join(l.dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls=" + url, "--advertise-client-urls=" + url,
		"--listen-peer-urls=" + peerURL, "--initial-advertise-peer-urls=" + peerURL,
		"--initial-cluster=default=" + peerURL, "--quota-backend-bytes=4294967296",
	}})
	if err != nil {
		return "", err
	}
	return url, p.await(ctx, func(ctx context.Context) error { return l.get(ctx, url+"/health") })
}

// startAPIServer starts it and makes the lab's own clients.
func (l *Lab) startAPIServer(ctx context.Context, etcd string) error {
	args, err := l.apiServerArgs(etcd)
	if err != nil {
		return err
	}
	p, err := l.run(server{name: "kube-apiserver", args: args})
	if err != nil {
		return err
	}
	l.rest = l.Config("lab:helper")
	typed := rest.CopyConfig(l.rest)
	typed.ContentType, typed.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf+",application/json"
	if l.kube, err = kubernetes.NewForConfig(typed); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	if l.dynamic, err = dynamic.NewForConfig(l.rest); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	ready := l.kube.Discovery().RESTClient()
	return p.await(ctx, func(ctx context.Context) error { return ready.Get().AbsPath("/readyz").Do(ctx).Error() })
}

// apiServerArgs writes the API server's files and returns its arguments.
func (l *Lab) apiServerArgs(etcd string) ([]string, error) {
	var err error
	if l.apiPort, err = l.ports.free(); err != nil {
		return nil, err
	}
	tokens, err := l.file("tokens.csv", tokenFile(l.users))
	if err != nil {
		return nil, err
	}
	policy, err := l.file("audit-policy.yaml", auditPolicy)
	if err != nil {
		return nil, err
	}
	egress, err := l.file("egress.yaml", fmt.Sprintf(`apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection: {proxyProtocol: HTTPConnect, transport: {uds: {udsName: %q}}}
`, filepath.Join(l.dir, "egress.sock")))
	if err != nil {
		return nil, err
	}
	return []string{
		"--etcd-servers=" + etcd, fmt.Sprintf("--secure-port=%d", l.apiPort), "--bind-address=127.0.0.1",
		// An address for documentation: nothing is meant to connect to it.
		"--advertise-address=192.0.2.1",
		"--cert-dir=" + filepath.Join(l.dir, "apiserver"),
		"--tls-cert-file=" + l.pki.certFile, "--tls-private-key-file=" + l.pki.keyFile,
		"--client-ca-file=" + l.pki.caFile,
		"--service-account-key-file=" + l.pki.serviceAccountKeyFile,
		"--service-account-signing-key-file=" + l.pki.serviceAccountKeyFile,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC",
		"--token-auth-file=" + tokens, "--enable-bootstrap-token-auth", "--allow-privileged",
		"--audit-policy-file=" + policy, "--audit-log-path=" + l.auditFile(),
		"--egress-selector-config-file=" + egress, "--profiling=false",
	}, nil
}

// startControllers starts the controller manager and the scheduler.
func (l *Lab) startControllers() error {
	manager, err := l.Kubeconfig("lab:controller-manager", l.Token("lab:controller-manager"))
	if err != nil {
		return err
	}
	scheduler, err := l.Kubeconfig("lab:scheduler", l.Token("lab:scheduler"))
	if err != nil {
		return err
	}
	_, err = l.run(server{name: "kube-controller-manager", args: []string{
		"--kubeconfig=" + manager, "--leader-elect=false", "--secure-port=0",
		"--controllers=*,bootstrapsigner,tokencleaner",
		"--node-monitor-grace-period=" + nodeGracePeriod, "--node-monitor-period=2s",
		"--horizontal-pod-autoscaler-sync-period=5s",
		"--service-account-private-key-file=" + l.pki.serviceAccountKeyFile, "--root-ca-file=" + l.pki.caFile,
		"--cluster-signing-cert-file=" + l.pki.caFile, "--cluster-signing-key-file=" + l.pki.caKeyFile,
		"--kube-api-qps=500", "--kube-api-burst=1000", "--profiling=false",
	}})
	if err != nil {
		return err
	}
	_, err = l.run(server{name: "kube-scheduler", args: []string{
		"--kubeconfig=" + scheduler, "--leader-elect=false", "--secure-port=0",
		"--kube-api-qps=500", "--kube-api-burst=1000", "--profiling=false",
	}})
	return err
}

// Kube is a typed client with all rights. Its requests carry the user lab:helper in
// the audit log. Without a control plane it is nil.
func (l *Lab) Kube() kubernetes.Interface { return l.kube }

// Dynamic is a client for any resource, with all rights, as Kube.
func (l *Lab) Dynamic() dynamic.Interface { return l.dynamic }

// get asks a URL and wants 200. It verifies certificates, with the lab's authority
// once there is one.
func (l *Lab) get(ctx context.Context, url string) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	if l.pki != nil {
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(l.pki.caPEM)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("asking %s: %w", url, err)
	}
	client := http.Client{Transport: transport, Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("asking %s: %s", url, response.Status)
	}
	return nil
}
