//go:build e2e

package labtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/254carbon/gonogo/internal/labtest"
)

// TestLab runs everything at once, as the product's own tests do.
func TestLab(t *testing.T) {
	exporter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "answer 42\n") }))
	defer exporter.Close()
	start := time.Now()
	lab := labtest.Start(t, labtest.Options{Nodes: 3, Velero: true, Scrape: []labtest.ScrapeJob{
		{Name: "exporter", Targets: []string{exporter.Listener.Addr().String()}},
	}})
	t.Logf("the whole lab was up in %v", time.Since(start).Round(100*time.Millisecond))
	// The group ends when its parallel members have, before the lab does.
	t.Run("parts", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *labtest.Lab){
			"a silenced node": testSilence, "controllers": testControllers, "backup and restore": testBackup,
			"prometheus": testPrometheus, "service proxy": testServiceProxy, "port-forward": testPortForward,
			"audit": testAudit, "rights": testRights, "kubeconfig": testKubeconfig,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, lab)
			})
		}
	})
}

func testSilence(t *testing.T, lab *labtest.Lab) {
	ctx := t.Context()
	const silent, loud = "node-0002", "node-0003"
	check(t, lab.SilenceNode(ctx, silent))
	start := time.Now()
	check(t, lab.WaitNodes(ctx, corev1.ConditionUnknown, silent))
	if took := time.Since(start); took > time.Minute {
		t.Errorf("Unknown after %v, want within a minute", took)
	} else {
		t.Logf("Unknown after %v", took.Round(time.Second))
	}
	// What is created on it meanwhile runs once it is back.
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "patient"}, Spec: corev1.PodSpec{
		NodeName: silent, Containers: []corev1.Container{{Name: "main", Image: "registry.example/lab/pod:1"}},
	}}
	check(t, lab.Namespace(ctx, "silence"))
	_, err := lab.Kube().CoreV1().Pods("silence").Create(ctx, pod, metav1.CreateOptions{})
	check(t, err)
	check(t, lab.WakeNode(ctx, silent))
	check(t, lab.WaitNodes(ctx, corev1.ConditionTrue, silent))
	check(t, lab.WaitPods(ctx, "silence"))
	// It stays: the heartbeats are back, not one answer.
	awake := readySince(t, lab, silent)
	select {
	case <-ctx.Done():
	case <-time.After(30 * time.Second):
	}
	if got := readySince(t, lab, silent); !got.Equal(awake) {
		t.Errorf("the woken node was not Ready all the time: since %v, then since %v", awake, got)
	}
	if got := readySince(t, lab, loud); !got.Before(start) {
		t.Errorf("the node beside it was not Ready all the time: since %v", got)
	}
}

// readySince wants a node Ready and returns since when it is.
func readySince(t *testing.T, lab *labtest.Lab, name string) time.Time {
	t.Helper()
	node, err := lab.Kube().CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
	check(t, err)
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return condition.LastTransitionTime.Time
		}
	}
	t.Fatalf("%s is not Ready: %v", name, node.Status.Conditions)
	return time.Time{}
}

// testControllers has a Deployment become Pods, which needs the controller manager,
// the scheduler and KWOK.
func testControllers(t *testing.T, lab *labtest.Lab) {
	ctx := t.Context()
	err := labtest.WaitFor(ctx, "waiting for Velero's deployment", time.Minute, time.Second, func(ctx context.Context) (bool, error) {
		deployment, err := lab.Kube().AppsV1().Deployments(labtest.VeleroNamespace).Get(ctx, "velero", metav1.GetOptions{})
		return err == nil && deployment.Status.ReadyReplicas == 1, err
	})
	check(t, err)
	pods, err := lab.CreatePods(ctx, "many", 20)
	check(t, err)
	if len(pods) != 20 {
		t.Errorf("got %d pods, want 20", len(pods))
	}
}

func testBackup(t *testing.T, lab *labtest.Lab) {
	ctx := t.Context()
	check(t, lab.Namespace(ctx, "precious"))
	want := map[string]string{"key": "value that matters"}
	_, err := lab.Kube().CoreV1().ConfigMaps("precious").Create(ctx,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "data"}, Data: want}, metav1.CreateOptions{})
	check(t, err)
	backup, err := lab.Backup(ctx, "first", "precious")
	check(t, err)
	if got := labtest.Phase(backup); got != "Completed" {
		t.Fatalf("the backup is %s, want Completed: %v", got, backup.Object["status"])
	}
	restore, err := lab.Restore(ctx, "back", "first", map[string]string{"precious": "precious-restored"})
	check(t, err)
	if got := labtest.Phase(restore); got != "Completed" {
		t.Fatalf("the restore is %s, want Completed: %v", got, restore.Object["status"])
	}
	restored, err := lab.Kube().CoreV1().ConfigMaps("precious-restored").Get(ctx, "data", metav1.GetOptions{})
	check(t, err)
	if restored.Data["key"] != want["key"] {
		t.Errorf("restored %v, want %v", restored.Data, want)
	}
}

func testPrometheus(t *testing.T, lab *labtest.Lab) {
	err := labtest.WaitFor(t.Context(), "waiting for both targets to be up", 30*time.Second, time.Second, func(ctx context.Context) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+lab.Prometheus()+"/api/v1/query?query=sum(up)", nil)
		if err != nil {
			return false, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			return false, err
		}
		if sumIsTwo(text) {
			return true, nil
		}
		return false, fmt.Errorf("got %s", text)
	})
	check(t, err)
}

// sumIsTwo reads an answer to an instant query.
func sumIsTwo(text []byte) bool {
	var answer struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	return json.Unmarshal(text, &answer) == nil && len(answer.Data.Result) == 1 && answer.Data.Result[0].Value[1] == "2"
}

// testServiceProxy reaches a real Prometheus with an account that may do nothing
// but that.
func testServiceProxy(t *testing.T, lab *labtest.Lab) {
	ctx := t.Context()
	_, err := lab.Serve(ctx, labtest.Backend{Namespace: "monitoring", Name: "prometheus", Port: 9090, Target: lab.Prometheus()})
	check(t, err)
	token, err := lab.ServiceAccount(ctx, "monitoring", "reader",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services/proxy"}, Verbs: []string{"get"}})
	check(t, err)
	for who, config := range map[string]*rest.Config{"service account": lab.TokenConfig(token), "proxyonly": lab.Config(labtest.ProxyOnly)} {
		client := client(t, config)
		for _, port := range []string{"9090", "http"} {
			text, err := client.CoreV1().Services("monitoring").ProxyGet("http", "prometheus", port, "/-/ready", nil).DoRaw(ctx)
			if err != nil || !strings.Contains(string(text), "Ready") {
				t.Errorf("%s: proxy to port %s: got %q, %v", who, port, text, err)
			}
		}
		if _, err := client.CoreV1().Pods("monitoring").List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
			t.Errorf("%s: listing pods: got %v, want forbidden", who, err)
		}
	}
	_, err = client(t, lab.Config(labtest.Outsider)).CoreV1().Services("monitoring").ProxyGet("http", "prometheus", "9090", "/-/ready", nil).DoRaw(ctx)
	if !apierrors.IsForbidden(err) {
		t.Errorf("outsider: got %v, want forbidden", err)
	}
}

// testPortForward reaches a server of this test through the API server and KWOK's
// kubelet.
func testPortForward(t *testing.T, lab *labtest.Lab) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "through the tunnel")
	}))
	defer backend.Close()
	pod, err := lab.Serve(t.Context(), labtest.Backend{Namespace: "forwarded", Name: "web", Port: 8080, Target: backend.Listener.Addr().String()})
	check(t, err)
	config := lab.Config(labtest.Forwarder)
	url := client(t, config).CoreV1().RESTClient().Post().Resource("pods").
		Namespace(pod.Namespace).Name(pod.Name).SubResource("portforward").URL()
	webSocket, err := portforward.NewSPDYOverWebsocketDialer(url, config)
	check(t, err)
	transport, upgrader, err := spdy.RoundTripperFor(config)
	check(t, err)
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	for name, dialer := range map[string]httpstream.Dialer{"websocket": webSocket, "spdy": dialer} {
		text, err := throughForward(t, dialer)
		if err != nil || text != "through the tunnel" {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
	}
}

// throughForward asks the pod's port 8080 with one GET.
func throughForward(t *testing.T, dialer httpstream.Dialer) (string, error) {
	stop, ready := make(chan struct{}), make(chan struct{})
	var log strings.Builder
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{"0:8080"}, stop, ready, io.Discard, &log)
	if err != nil {
		return "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case err := <-ended:
		return "", fmt.Errorf("%w %s", err, log.String())
	case <-ready:
	}
	defer func() { close(stop); <-ended }()
	ports, err := forwarder.GetPorts()
	if err != nil {
		return "", err
	}
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", ports[0].Local))
	if err != nil {
		return "", fmt.Errorf("%w %s", err, log.String())
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

func testAudit(t *testing.T, lab *labtest.Lab) {
	ctx := t.Context()
	viewer := client(t, lab.Config(labtest.Viewer))
	_, err := viewer.CoreV1().Secrets("kube-system").List(ctx, metav1.ListOptions{})
	check(t, err)
	_, err = viewer.CoreV1().ConfigMaps("default").Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "no"}}, metav1.CreateOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("creating as viewer: got %v, want forbidden", err)
	}
	events, err := lab.Audit(labtest.Viewer)
	check(t, err)
	has := func(verb, resource, namespace string, changes bool) bool {
		return slices.ContainsFunc(events, func(e labtest.AuditEvent) bool {
			return e.User == labtest.Viewer && e.Verb == verb && e.Resource == resource && e.Namespace == namespace && e.Changes() == changes && !e.At.IsZero()
		})
	}
	if !has("list", "secrets", "kube-system", false) || !has("create", "configmaps", "default", true) {
		t.Errorf("the audit log lacks the requests of the viewer: %v", events)
	}
	all, err := lab.Audit()
	check(t, err)
	if len(all) <= len(events) {
		t.Errorf("the audit log has %d requests, want more than the viewer's %d", len(all), len(events))
	}
}

func testRights(t *testing.T, lab *labtest.Lab) {
	ctx := t.Context()
	_, err := client(t, lab.Config(labtest.Outsider)).CoreV1().Pods("default").List(ctx, metav1.ListOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("outsider: got %v, want forbidden", err)
	}
	_, err = client(t, lab.TokenConfig("wrong")).CoreV1().Pods("default").List(ctx, metav1.ListOptions{})
	if !apierrors.IsUnauthorized(err) {
		t.Errorf("wrong token: got %v, want unauthorized", err)
	}
	untrusting := lab.AdminConfig()
	untrusting.CAData = nil
	if _, err := client(t, untrusting).Discovery().ServerVersion(); err == nil {
		t.Error("a client without the lab's authority trusted the API server")
	}
}

func testKubeconfig(t *testing.T, lab *labtest.Lab) {
	path, err := lab.Kubeconfig("lab", lab.Token(labtest.Admin))
	check(t, err)
	config, err := clientcmd.BuildConfigFromFlags("", path)
	check(t, err)
	version, err := client(t, config).Discovery().ServerVersion()
	check(t, err)
	if !strings.HasPrefix(version.GitVersion, "v1.") {
		t.Errorf("version %q", version.GitVersion)
	}
	t.Log(version.GitVersion)
}

func client(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	check(t, err)
	return client
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestAlerts has a rule of Prometheus reach Alertmanager.
func TestAlerts(t *testing.T) {
	lab := labtest.Start(t, labtest.Options{Alertmanager: true, Rules: `
groups: [{name: lab, rules: [{alert: Always, expr: vector(1), labels: {severity: critical}}]}]
`})
	err := labtest.WaitFor(t.Context(), "waiting for the alert", 30*time.Second, time.Second, func(ctx context.Context) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+lab.Alertmanager()+"/api/v2/alerts", nil)
		if err != nil {
			return false, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		return strings.Contains(string(text), `"alertname":"Always"`), err
	})
	check(t, err)
}

// TestPostgres replicates a row, and loses and regains the standby.
func TestPostgres(t *testing.T) {
	ctx := t.Context()
	db := labtest.Start(t, labtest.Options{Postgres: true}).Postgres()
	_, err := db.SQL(ctx, db.Primary, "create table t (n int); insert into t values (42)")
	check(t, err)
	check(t, labtest.WaitFor(ctx, "waiting for the row", 30*time.Second, 100*time.Millisecond, func(ctx context.Context) (bool, error) {
		got, err := db.SQL(ctx, db.Standby, "select n from t")
		return got == "42", err
	}))
	if got, err := db.SQL(ctx, db.Standby, "select pg_is_in_recovery()"); err != nil || got != "t" {
		t.Errorf("the standby is in recovery: %q, %v", got, err)
	}
	if _, err := db.SQL(ctx, db.Standby, "insert into t values (43)"); err == nil {
		t.Error("the standby took a write")
	}
	check(t, db.StopStandby(ctx))
	if _, err := db.SQL(ctx, db.Standby, "select 1"); err == nil {
		t.Error("the stopped standby answered")
	}
	check(t, db.StartStandby(ctx))
}
