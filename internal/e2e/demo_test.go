//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestTheDemoGoesAllTheWay does what is missing on the simulated platform, as the README says: from 87 % to 97 %, each action once, and with two
// more nodes to 100 % and GO.
func TestTheDemoGoesAllTheWay(t *testing.T) {
	t.Parallel()
	s := &station{dir: t.TempDir()}
	demo := func(args ...string) (string, int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, suite.binary, append([]string{"--demo", "--state-dir", s.dir}, args...)...)
		cmd.Env = s.command(ctx).Env
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatalf("running gonogo %s: %v", strings.Join(args, " "), err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, step := range []struct {
		says string
		args []string
	}{
		{"from 87 % to 90 %", []string{"mirror", "--set", "apply=true"}},
		{"from 90 % to 94 %", []string{"sso", "--set", "email=ops@254carbon.com"}},
		{"from 94 % to 97 %", []string{"backup-test"}},
	} {
		out, code := demo(append([]string{"run", "--yes"}, step.args...)...)
		if code != 0 || !strings.Contains(out, step.says) {
			t.Fatalf("%s: exit code %d\n%s", step.args[0], code, last(out, 4000))
		}
		if out, code := demo(append([]string{"run", "--plan"}, step.args...)...); code != 0 || !strings.Contains(out, "nothing to do") {
			t.Errorf("%s, planned again: exit code %d\n%s", step.args[0], code, out)
		}
	}
	screen := s.startDemo(t, s.dir)
	screen.await(t, "the board", 30*time.Second, func(string) bool { return strings.Contains(screen.text(), "97 %") })
	for _, key := range []string{"d", "5", "\x1b"} {
		screen.keys(t, key)
		time.Sleep(time.Second)
	}
	screen.await(t, "GO", 2*time.Minute, func(string) bool { return strings.Contains(screen.text(), "100 %") })
	screen.keys(t, "q")
	screen.wait(t, 20*time.Second)
	out, code := demo("check", "-o", "json")
	var d struct {
		Verdict string
		Score   struct{ Percent int }
	}
	if err := json.Unmarshal([]byte(out), &d); err != nil || code != 0 || d.Verdict != "GO" || d.Score.Percent != 100 {
		t.Errorf("at the end: exit code %d, %+v (%v)\n%s", code, d, err, last(out, 2000))
	}
}
