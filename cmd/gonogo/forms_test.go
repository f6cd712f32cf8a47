package main

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"strings"
	"testing"
)

// Every form tells of the same checks, and none changes the exit code.
func TestFormsAgree(t *testing.T) {
	t.Parallel()
	args := []string{"--demo", "--state-dir", t.TempDir()}
	_, text, _ := gonogo(t, append(args, "check", "-o", "json")...)
	want := decode(t, text)
	for form, count := range map[string]func(t *testing.T, text string) (all, wanting int){
		"junit": func(t *testing.T, text string) (all, wanting int) {
			var s struct {
				Cases []struct {
					Failure *struct{} `xml:"failure"`
					Skipped *struct{} `xml:"skipped"`
				} `xml:"testsuite>testcase"`
			}
			if err := xml.Unmarshal([]byte(text), &s); err != nil {
				t.Fatal(err)
			}
			for _, c := range s.Cases {
				if c.Failure != nil || c.Skipped != nil {
					wanting++
				}
			}
			return len(s.Cases), wanting
		},
		"sarif": func(t *testing.T, text string) (all, wanting int) {
			var s struct {
				Runs []struct {
					Tool    struct{ Driver struct{ Rules []struct{} } }
					Results []struct{}
				}
			}
			if err := json.Unmarshal([]byte(text), &s); err != nil {
				t.Fatal(err)
			}
			return len(s.Runs[0].Tool.Driver.Rules), len(s.Runs[0].Results)
		},
		"prometheus": func(_ *testing.T, text string) (all, wanting int) {
			all = strings.Count(text, "\ngonogo_check_status{")
			return all, all - strings.Count(text, `status="pass"} 1`)
		},
		"markdown": func(_ *testing.T, text string) (all, wanting int) { return -1, strings.Count(text, "\n| `") },
	} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := gonogo(t, append(args, "check", "-o", form)...)
			all, wanting := count(t, stdout)
			if code != 1 || stderr != "" || all >= 0 && all != 47 || wanting != 47-want.Counts["pass"] {
				t.Errorf("exit %d, %d checks, %d of them wanting: %s", code, all, wanting, stderr)
			}
			code, stdout, _ = gonogo(t, append(args, "check", "-o", form, "--only", "prometheus-targets,log-shipper")...)
			if all, wanting = count(t, stdout); code != 0 || all >= 0 && all != 2 || all >= 0 && wanting != 0 || strings.Contains(stdout, "87 %") || strings.Contains(stdout, "gonogo_score") {
				t.Errorf("only two: exit %d, %d checks, %d of them wanting\n%s", code, all, wanting, stdout)
			}
		})
	}
}

// A profile that stands in the repository is where code scanning shows its checks.
func TestSARIFPointsIntoTheProfile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	text := "apiVersion: gonogo/v1\nplatform: test\nthreshold: 1\ncomponents:\n- id: a\n  title: A\n  weight: 1\n  checks:\n" +
		"  - {id: one, title: One, probe: command, weight: 1, with: {argv: ['true']}}\n" +
		"  - {id: two, title: Two, probe: command, weight: 1, gate: true, confirm: 1, with: {argv: ['false']}}\n"
	if err := os.WriteFile("my profile.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"my profile.yaml": true, dir + "/my profile.yaml": false} {
		code, stdout, stderr := gonogo(t, "--state-dir", dir, "--profile", name, "check", "-o", "sarif")
		has := strings.Contains(stdout, `"uri": "my%20profile.yaml"`) && strings.Contains(stdout, `"startLine": 10`)
		if code != 1 || has != want || strings.Contains(stdout, dir) {
			t.Errorf("%s: exit %d, %s\n%s", name, code, stderr, stdout)
		}
	}
}
