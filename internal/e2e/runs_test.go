//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// withScript is a station with a checkout in which a script does what the test wants, and the action for it.
func withScript(t *testing.T, config, action, script string) *station {
	t.Helper()
	checkout := t.TempDir()
	must(t, os.WriteFile(filepath.Join(checkout, "do.sh"), []byte("#!/bin/bash\n"+script), 0o700))
	return newStation(t, config, checks(`
- {id: nodes, title: Nodes, probe: kubernetes.nodes, with: {min: 1, workers: 0}, weight: 1}
`)+fmt.Sprintf("connections: {checkout: {path: %q}}\nactions: {%s: {kind: script, title: Do it, estimate: 1m, with: {script: do.sh, limit: 10m}}}\n", checkout, action))
}

// runner finds the process that carries a run out.
func (s *station) runner(t *testing.T) int {
	t.Helper()
	for range 100 {
		entries, err := os.ReadDir("/proc")
		must(t, err)
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil {
				continue
			}
			line, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
			if words := strings.Split(string(line), "\x00"); len(words) > 3 && strings.Contains(string(line), s.dir) && strings.Contains(string(line), "\x00runner\x00") {
				return pid
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("there is no process of a run")
	return 0
}

// TestOneOperatorAtATime has two operators want the same, one of whose machines dies.
func TestOneOperatorAtATime(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	config := kubeconfig(t, lab, userRuns)
	first, second := withScript(t, config, "do", "echo at work; sleep 300"), withScript(t, config, "do", "echo done")
	b := first.start(t, 120, 36, "run", "do", "--yes")
	b.await(t, "the run", 30*time.Second, func(string) bool { return strings.Contains(b.text(), "at work") })
	if end := b.signal(t, syscall.SIGHUP); end.ExitCode() != 129 { // its terminal is gone, and nobody wanted the run to end
		t.Errorf("a hang-up ends gonogo run with %v", end)
	}
	o := second.run(t, "run", "do", "--yes")
	if o.code != 3 || !strings.Contains(o.stderr, "(do-1) does this already, since ") {
		t.Errorf("exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	if runs := second.run(t, "runs"); strings.Contains(runs.stdout, "do-1") {
		t.Errorf("what was refused is kept: %s", runs.stdout)
	}
	must(t, syscall.Kill(first.runner(t), syscall.SIGKILL))
	began := time.Now()
	for o = second.run(t, "run", "do", "--yes"); o.code == 3 && time.Since(began) < time.Minute; o = second.run(t, "run", "do", "--yes") {
		time.Sleep(2 * time.Second)
	}
	if o.code != 0 || !strings.Contains(o.stdout, "do-1 done") {
		t.Errorf("after the first one's end: exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	t.Logf("the lock freed itself after %s", time.Since(began).Round(time.Second))
	if o := first.run(t, "runs", "resume", "do-1"); o.code != 3 || !strings.Contains(o.stderr, "nobody knows whether this was done") {
		t.Errorf("a script is gone on with unasked: exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	if o := first.run(t, "runs", "resume", "do-1", "--answer", "run=done"); o.code != 0 {
		t.Errorf("exit code %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	events, err := lab.Kube().CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
	must(t, err)
	if text := asJSON(t, events.Items); !strings.Contains(text, `"reason":"GonogoRun"`) {
		t.Errorf("nobody told the platform: %s", text)
	}
}

// TestARunOutlivesItsBoard closes the terminal of a board, and kills another, while a run goes on.
func TestARunOutlivesItsBoard(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	s := withScript(t, kubeconfig(t, lab, userRuns2), "keep", "for i in {1..8}; do echo line $i; sleep 1; done")
	b := s.start(t, 120, 36)
	b.await(t, "the board", 20*time.Second, func(string) bool { return strings.Contains(b.text(), "100 %") })
	for _, keys := range []string{"a", "\r", "\r"} {
		b.keys(t, keys)
		time.Sleep(1500 * time.Millisecond)
	}
	b.await(t, "the run", 20*time.Second, func(string) bool { return strings.Contains(b.text(), "line 1") })
	b.signal(t, syscall.SIGHUP)
	other := s.start(t, 120, 36)
	other.await(t, "the run on the next board", 20*time.Second, func(string) bool { return strings.Contains(other.text(), "keep-1") })
	must(t, other.cmd.Process.Kill())
	var runs []struct{ ID, Outcome string }
	for range 60 {
		o := s.run(t, "runs", "-o", "json")
		must(t, json.Unmarshal([]byte(o.stdout), &runs))
		if len(runs) == 1 && runs[0].Outcome != "" {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	if len(runs) != 1 || runs[0].Outcome != "done" {
		t.Errorf("the run came to %+v", runs)
	}
	if log := s.run(t, "runs", "logs", "keep-1"); !strings.Contains(log.stdout, "line 8") {
		t.Errorf("%s", log.stdout)
	}
}
