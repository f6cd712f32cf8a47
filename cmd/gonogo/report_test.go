package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/254carbon/gonogo/internal/report"
)

// It runs alone, so that no check is late because of another test.
func TestTheSameStateMakesTheSameReport(t *testing.T) {
	args := []string{"--demo", "--state-dir", t.TempDir()}
	first := map[string]string{}
	for n := range 2 {
		for _, form := range []string{"markdown", "html", "json"} {
			code, stdout, stderr := gonogo(t, append(args, "report", "-o", form)...)
			if code != 0 || stderr != "" || stdout == "" {
				t.Fatalf("exit %d: %s", code, stderr)
			}
			if n == 0 {
				first[form] = stdout
			} else if stdout != first[form] {
				t.Errorf("the second report as %s differs from the first:\n%s", form, cmp.Diff(first[form], stdout))
			}
			time.Sleep(300 * time.Millisecond) // so that they do not begin within the same part of a second
		}
	}
	_, stdout, _ := gonogo(t, append(args, "check", "-o", "json")...)
	if p := decode(t, stdout).Score.Previous; p == nil || p.Percent != 85 {
		t.Errorf("previous %+v after reports of the same state, want 85 %%", p)
	}
}

func TestReportSaysHowThePlatformStands(t *testing.T) {
	t.Parallel()
	for scenario, want := range map[string][]string{
		"documented": {"87 % production ready, NO-GO", "85 % on 19 October 2025", "+2 %", "Nothing drifts", "20 October 2025, 12:00 UTC", "Priority 4", "(recommended)", "scenario documented"},
		"ready":      {"100 % production ready, GO", "**Image mirroring**: declared 0 %, measured 100 % (100 percentage points better)", "Nothing is left to do.", "11 of 11 satisfied"},
	} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := demo(t, scenario, "report")
			if code != 0 {
				t.Fatalf("exit %d: %s", code, stderr)
			}
			for _, text := range want {
				if !strings.Contains(stdout, text) {
					t.Errorf("%q is missing in\n%s", text, stdout)
				}
			}
		})
	}
}

func TestReportIsWrittenToAFileWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"--demo", "--state-dir", t.TempDir(), "report"}
	for name, begins := range map[string]string{"STATUS.md": "# 254Carbon", "status.html": "<!DOCTYPE html>", "status.json": "{"} {
		file := filepath.Join(dir, name)
		code, stdout, stderr := gonogo(t, append(args, "--output", file)...)
		text, err := os.ReadFile(file)
		if code != 0 || stdout != "" || err != nil || !strings.HasPrefix(string(text), begins) {
			t.Errorf("%s: exit %d, %v: %s%.200s", name, code, err, stderr, text)
		}
	}
	if code, stdout, _ := gonogo(t, append(args, "--output", "html")...); code != 0 || !strings.HasPrefix(stdout, "<!DOCTYPE html>") {
		t.Errorf("--output html: exit %d", code)
	}
	if code, _, stderr := gonogo(t, append(args, "--output", filepath.Join(dir, "no", "such", "place.md"))...); code == 0 || !strings.Contains(stderr, "no/such") {
		t.Errorf("a place that is not there: exit %d, %s", code, stderr)
	}
	if code, _, stderr := gonogo(t, append(args, "-o", "pdf")...); code != 2 || !strings.Contains(stderr, "markdown, html, json") {
		t.Errorf("-o pdf: exit %d, %s", code, stderr)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 3 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// A platform of one file: there or not.
func TestReportComparesItselfWithTheOneBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, path := filepath.Join(dir, "there"), filepath.Join(dir, "p.yaml")
	text := "apiVersion: gonogo/v1\nplatform: test\nthreshold: 1\ncomponents:\n- id: a\n  title: A\n  weight: 1\n  declared: 50\n  checks:\n" +
		"  - {id: file, title: The file is there, probe: command, weight: 1, confirm: 1, with: {argv: [test, -e, '" + file + "']}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	type changes struct {
		Percent       int
		Reported      bool
		Better, Worse []report.Flip
	}
	write := func() changes {
		t.Helper()
		code, stdout, stderr := gonogo(t, "--profile", path, "--state-dir", dir, "report", "-o", "json")
		var r struct{ Changes *changes }
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 {
			t.Fatalf("exit %d, %v: %s\n%s", code, err, stderr, stdout)
		}
		if r.Changes == nil {
			return changes{Percent: -1}
		}
		return *r.Changes
	}
	if c := write(); c.Percent != -1 {
		t.Errorf("the first report compares itself with %+v", c)
	}
	if c := write(); c.Percent != -1 {
		t.Errorf("the second report of the same compares itself with %+v", c)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if c := write(); c.Percent != 0 || !c.Reported || len(c.Better) != 1 || c.Better[0].Check != "file" || c.Better[0].Way() != "fail → pass" || c.Better[0].At == nil {
			t.Errorf("once the file is there: %+v", c)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if c := write(); c.Percent != 100 || len(c.Worse) != 1 {
		t.Errorf("once it is gone: %+v", c)
	}
}
