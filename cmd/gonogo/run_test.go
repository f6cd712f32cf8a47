package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/254carbon/gonogo/actions"
)

func TestRunFromTheCommandLine(t *testing.T) {
	state := t.TempDir()
	here := func(args ...string) (int, string, string) {
		return gonogo(t, append([]string{"--demo", "--state-dir", state}, args...)...)
	}
	byHand := filepath.Join(t.TempDir(), "profile.yaml")
	if err := os.WriteFile(byHand, []byte("apiVersion: gonogo/v1\nplatform: Lab\nthreshold: 95\ncomponents:\n- {id: a, title: A, weight: 1, checks: [{id: n, title: N, probe: kubernetes.nodes, weight: 1}]}\n"+
		"actions: {ponder: {title: Ponder, estimate: 1h}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args     []string
		code     int
		out, err string
	}{
		"what there is":         {[]string{"run"}, exitOK, "mirror-script", ""},
		"no such action":        {[]string{"run", "miror"}, exitUsage, "", `there is no action "miror"`},
		"no such input":         {[]string{"run", "mirror-script", "--set", "a=b", "--yes"}, exitUsage, "", "takes no inputs"},
		"no such output":        {[]string{"run", "mirror-script", "-o", "xml"}, exitUsage, "", `no output "xml"`},
		"by hand":               {[]string{"run", "ponder", "--plan", "--profile", byHand}, exitRefused, "", "done by hand"},
		"no such path":          {[]string{"run", "join-command", "--plan", "--set", "file=x"}, exitUsage, "", "is no absolute path"},
		"none joins kind":       {[]string{"run", "join-command", "--plan"}, exitRefused, "", "is a container of kind"},
		"a plan":                {[]string{"run", "mirror-script", "--plan"}, exitOK, "Run scripts/mirror-images.sh localhost:5000 harbor", ""},
		"a plan when reading":   {[]string{"run", "mirror-script", "--plan", "--read-only"}, exitOK, "1 step, 1 change", ""},
		"not when reading only": {[]string{"run", "mirror-script", "--yes", "--read-only"}, exitRefused, "1 step", "read-only mode"},
		"nobody says yes":       {[]string{"run", "mirror-script"}, exitRefused, "1 step, 1 change", "--yes does"},
		"no such run":           {[]string{"runs", "show", "mirror-9"}, exitUsage, "", "no such run"},
		"no path as a run":      {[]string{"runs", "logs", "../../etc"}, exitUsage, "", "no such run"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := here(c.args...)
			if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.err) {
				t.Errorf("exit code %d, want %d\n%s\n%s", code, c.code, out, errs)
			}
		})
	}
	if code, out, errs := here("run", "mirror-script", "--yes", "-o", "json"); code != exitFailed {
		t.Errorf("a script that fails: exit code %d\n%s\n%s", code, out, errs)
	} else {
		var last actions.Event
		for line := range strings.Lines(out) {
			last = actions.Event{}
			if err := json.Unmarshal([]byte(line), &last); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
		if last.Kind != actions.Ended || last.Outcome != actions.Wanting || last.Points == nil || last.Points.After != 87 {
			t.Errorf("the last event is %+v", last)
		}
	}
	code, out, _ := here("runs")
	if code != exitOK || !strings.Contains(out, "mirror-script-1") || !strings.Contains(out, "exit status 1") {
		t.Errorf("%d\n%s", code, out)
	}
	if code, out, _ := here("runs", "show", "mirror-script-1"); code != exitOK || !strings.Contains(out, "failed   updates") {
		t.Errorf("%d\n%s", code, out)
	}
	if code, out, _ := here("runs", "logs", "mirror-script-1"); code != exitOK || !strings.Contains(out, "REGISTRY: write the registry") {
		t.Errorf("%d\n%s", code, out)
	}
	if code, _, errs := here("runs", "cancel", "mirror-script-1"); code != exitRefused || !strings.Contains(errs, "nothing to cancel") {
		t.Errorf("%d\n%s", code, errs)
	}
	if code, _, errs := here("runs", "resume", "mirror-script-1", "--answer", "other=done"); code != exitFailed || !strings.Contains(errs, `no step "other"`) {
		t.Errorf("%d\n%s", code, errs)
	}
	if code, _, errs := here("runs", "resume", "mirror-script-1", "--read-only"); code != exitRefused || !strings.Contains(errs, "read-only") {
		t.Errorf("%d\n%s", code, errs)
	}
	if code, out, errs := here("runs", "resume", "mirror-script-1"); code != exitFailed || strings.Count(out, "started by") != 2 {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
}
