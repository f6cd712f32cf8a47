package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// initialised writes a first profile of a simulated platform and returns its file.
func initialised(t *testing.T, scenario string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mine.yaml")
	code, _, errs := demo(t, scenario, "profile", "init", "--output", file, "--name", "Mine: \"quoted\" #1")
	if code != exitOK || !strings.Contains(errs, "wrote a first profile of Mine: \"quoted\" #1 to "+file) {
		t.Fatalf("exit %d: %s", code, errs)
	}
	return file
}

func TestAFirstProfileCanBeAskedWhole(t *testing.T) {
	for _, scenario := range []string{"documented", "ready"} {
		t.Run(scenario, func(t *testing.T) {
			file := initialised(t, scenario)
			if code, out, errs := gonogo(t, "profile", "validate", file); code != exitOK {
				t.Fatalf("it is not valid: %s%s", out, errs)
			}
			_, out, errs := demo(t, scenario, "check", "--profile", file, "-o", "json")
			r := decode(t, out)
			if r.Counts["unknown"]+r.Counts["pending"]+r.Counts["blocked"] > 0 || r.Counts["pass"] < 20 {
				t.Errorf("its checks stand at %v\n%s", r.Counts, errs)
			}
			for _, c := range r.Components {
				for _, check := range c.Checks {
					if check.Status == "unknown" {
						t.Errorf("%s is unknown: %s", check.ID, check.Summary)
					}
				}
			}
			for _, id := range []string{"nodes-ready", "inventory-data-platform", "autoscalers", "targets-up", "backup-newest", "harbor-healthy", "budgets-bind"} {
				if got := r.check(id).Status; got == "" {
					t.Errorf("there is no check %s", id)
				}
			}
			if code, out, _ := demo(t, scenario, "doctor", "--profile", file); code != exitOK || !strings.Contains(out, "as the profile pins it") {
				t.Errorf("doctor exits with %d:\n%s", code, out)
			}
		})
	}
}

func TestInitWritesOverNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := demo(t, "documented", "profile", "init", "--output", file); code != exitUsage || !strings.Contains(errs, "--force") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if text, _ := os.ReadFile(file); string(text) != "precious" {
		t.Errorf("the file holds %q", text)
	}
	if code, _, errs := demo(t, "documented", "profile", "init", "--output", file, "--force"); code != exitOK {
		t.Errorf("exit %d: %s", code, errs)
	}
	if text, _ := os.ReadFile(file); !strings.Contains(string(text), "apiVersion: gonogo/v1") {
		t.Errorf("the file holds %.100q", text)
	}
}

func TestInitOfAPlatformThatIsBroken(t *testing.T) {
	if code, out, errs := demo(t, "documented", "profile", "init", "--demo-fault", "kubernetes=down"); code != 1 || out != "" || !strings.Contains(errs, "looking at the cluster") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	code, out, errs := demo(t, "documented", "profile", "init", "--demo-fault", "harbor=500,prometheus=down")
	if code != exitOK || strings.Contains(out, "probe: harbor.") || strings.Contains(out, "probe: prometheus.") || !strings.Contains(out, "probe: kubernetes.nodes") {
		t.Errorf("exit %d: %s\n%s", code, errs, out)
	}
}
