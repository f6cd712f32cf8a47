//go:build e2e

package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const threeNodes = `
- {id: nodes, title: Three nodes are ready, probe: kubernetes.nodes, with: {min: 3, workers: 2}, weight: 1, gate: true, every: watch}
`

// TestNodes has a board see a node fall silent and come back.
func TestNodes(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	s := newStation(t, kubeconfig(t, lab, userNodes), checks(threeNodes))

	d, code := s.check(t)
	d.want(t, "nodes", "pass", "3 nodes ready")
	if code != 0 || d.Verdict != "GO" || d.Score == nil || d.Score.Percent != 100 {
		t.Errorf("exit code %d, verdict %s, score %+v: want GO with 100", code, d.Verdict, d.Score)
	}
	if d, code := s.check(t, "--read-only"); code != 0 {
		t.Errorf("read-only: exit code %d: %+v", code, d)
	}

	b := s.start(t, 120, 36)
	b.await(t, "the verdict", 20*time.Second, func(string) bool { return strings.Contains(b.text(), "GO") })
	s.awaitHistory(t, "nodes", "pass", 20*time.Second)

	silenced := time.Now()
	must(t, lab.SilenceNode(t.Context(), silentNode))
	t.Cleanup(func() {
		if t.Failed() { // the other tests are not to suffer for it
			_ = lab.WakeNode(t.Context(), silentNode)
		}
	})
	failed := s.awaitHistory(t, "nodes", "fail", time.Minute)
	if !strings.Contains(failed.Summary, silentNode) {
		t.Errorf("the failure does not name %s: %s", silentNode, failed.Summary)
	}
	t.Logf("%s after %v: %s", failed.Status, failed.At.Sub(silenced).Round(time.Second), failed.Summary)
	b.await(t, "the node's name on the board", 5*time.Second, func(string) bool { return strings.Contains(b.text(), silentNode) })
	d, code = s.check(t)
	d.want(t, "nodes", "fail", silentNode)
	if code != 1 || d.Verdict != "NO-GO" {
		t.Errorf("exit code %d, verdict %s: want NO-GO", code, d.Verdict)
	}

	must(t, lab.WakeNode(t.Context(), silentNode))
	must(t, lab.WaitNodes(t.Context(), corev1.ConditionTrue, silentNode))
	back := time.Now()
	passed := s.awaitHistory(t, "nodes", "pass", 20*time.Second)
	t.Logf("%s %v after the control plane said so", passed.Status, passed.At.Sub(back).Round(10*time.Millisecond))

	var flips []string
	for _, c := range s.history(t, "nodes") {
		if n := len(flips); n == 0 || flips[n-1] != c.Status {
			flips = append(flips, c.Status)
		}
	}
	if got := strings.Join(flips, " "); got != "pass fail pass" {
		t.Errorf("the history has %s, want pass fail pass", got)
	}
	if end := b.signal(t, syscall.SIGTERM); end.ExitCode() != 0 {
		t.Errorf("the board ended with %v", end)
	}
}
