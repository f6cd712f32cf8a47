//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/254carbon/gonogo/internal/labtest"
)

// The users of the lab that only one test is, so that the audit log says who asked what. Those that may do everything are administrators: if
// they change nothing, it is not for lack of rights.
const (
	userCheck         = "e2e-check"          // administrator
	userCheckReadOnly = "e2e-check-readonly" // administrator
	userBoardReadOnly = "e2e-board-readonly" // administrator
	userNarrow        = "e2e-narrow"         // rights in single namespaces, given by its test
	userWatchless     = "e2e-watchless"      // may get and list, not watch
	userNodes         = "e2e-nodes"          // may read nodes and nothing else
	userMirror        = "e2e-mirror"         // administrator
	userRuns          = "e2e-runs"           // administrator
	userRuns2         = "e2e-runs-2"         // administrator
	userSchedules     = "e2e-schedules"      // may read schedules, and nothing of them change
	userJudge         = "e2e-judge"          // the same, and rights on the evidence record, given by its test
)

// users are the users above.
func users() []labtest.User {
	administrators := []string{"system:masters"}
	everything := func(verbs ...string) []rbacv1.PolicyRule {
		return []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: verbs}}
	}
	return []labtest.User{
		{Name: userCheck, Groups: administrators},
		{Name: userCheckReadOnly, Groups: administrators},
		{Name: userBoardReadOnly, Groups: administrators},
		{Name: userMirror, Groups: administrators},
		{Name: userRuns, Groups: administrators},
		{Name: userRuns2, Groups: administrators},
		{Name: userNarrow},
		{Name: userWatchless, Rules: everything("get", "list")},
		{Name: userSchedules, Rules: readSchedules()},
		{Name: userJudge, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get", "list", "watch"}}}},
		{Name: userNodes, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get", "list", "watch"}}}},
	}
}

// The three nodes of the shared lab. Only the last is ever silenced.
const (
	nodes      = 3
	silentNode = "node-0003"
)

// shared is what all tests of the package use: the program, and one lab.
type shared struct {
	binary string

	once sync.Once
	lab  *labtest.Lab
	err  error
}

var suite shared

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

// run builds the program, runs the tests, and ends the lab.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gonogo-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a folder for the program:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	suite.binary = filepath.Join(dir, "gonogo")
	build := exec.Command("go", "build", "-trimpath", "-o", suite.binary, "github.com/254carbon/gonogo/cmd/gonogo")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	if suite.lab != nil {
		if code != 0 {
			fmt.Fprintln(os.Stderr, suite.lab.Logs(5))
		}
		suite.lab.Close()
	}
	return code
}

// scrapes are jobs of Prometheus as the operator would call them.
func scrapes() []labtest.ScrapeJob {
	return []labtest.ScrapeJob{
		{Name: "serviceMonitor/monitored/web/0", Self: true},
		{Name: "podMonitor/monitored/web/0", Self: true},
		{Name: "serviceMonitor/monitored/down/0", Targets: []string{"127.0.0.1:1"}}, // nobody is there
	}
}

// sharedLab is the lab that the tests share, started by the first that asks.
func sharedLab(t *testing.T) *labtest.Lab {
	t.Helper()
	suite.once.Do(func() { suite.lab, suite.err = startLab(context.Background()) })
	if suite.err != nil {
		t.Fatalf("starting the lab: %v", suite.err)
	}
	return suite.lab
}

// startLab starts the servers, with a Service in front of a Prometheus that has scraped itself.
func startLab(ctx context.Context) (*labtest.Lab, error) {
	lab, err := labtest.New(ctx, labtest.Options{Nodes: nodes - 1, Velero: true, Scrape: scrapes(), Users: users()})
	if err != nil {
		return nil, err
	}
	// What falls silent carries no pod that another test wants ready.
	alone := func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "silent", Effect: corev1.TaintEffectNoSchedule})
	}
	if _, err := lab.CreateNodes(ctx, 1, alone); err != nil {
		return lab, err
	}
	_, err = lab.Serve(ctx, labtest.Backend{Namespace: "monitoring", Name: "prometheus", Port: 9090, Target: lab.Prometheus()})
	if err != nil {
		return lab, err
	}
	return lab, labtest.WaitFor(ctx, "waiting for the first scrape", time.Minute, 200*time.Millisecond, func(ctx context.Context) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+lab.Prometheus()+"/api/v1/query?query=up%3D%3D1", nil)
		if err != nil {
			return false, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		return strings.Contains(string(text), `"job":"prometheus"`), err
	})
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
