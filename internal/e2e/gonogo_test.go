//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/labtest"
)

// station is a place from which the program is run: a profile, a state folder, and the environment of a person on a fresh machine.
type station struct {
	dir        string // holds everything below, and nothing else
	profile    string
	kubeconfig string   // empty for none
	env        []string // added to the environment
}

// newStation writes a profile with components and, above them, more of the document.
func newStation(t *testing.T, kubeconfig, document string) *station {
	t.Helper()
	s := &station{dir: t.TempDir(), kubeconfig: kubeconfig}
	s.profile = filepath.Join(s.dir, "profile.yaml")
	must(t, os.WriteFile(s.profile, []byte("apiVersion: gonogo/v1\nplatform: Lab\nthreshold: 95\n"+document), 0o600))
	return s
}

// checks is a document with one component that holds the checks, each of one line or more.
func checks(lines string) string {
	return "components:\n- id: all\n  title: Everything\n  weight: 10\n  checks:\n" + indent(lines)
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.Trim(text, "\n") + "\n") {
		b.WriteString("  " + line)
	}
	return b.String()
}

// kubeconfig writes one for a user of the lab.
func kubeconfig(t *testing.T, lab *labtest.Lab, user string) string {
	t.Helper()
	token := lab.Token(user)
	if token == "" {
		t.Fatalf("the lab has no user %s", user)
	}
	path, err := lab.Kubeconfig("lab", token)
	must(t, err)
	return path
}

// command is the program with global flags for this station.
func (s *station) command(ctx context.Context, args ...string) *exec.Cmd {
	global := []string{"--profile", s.profile, "--state-dir", filepath.Join(s.dir, "state")}
	if s.kubeconfig != "" {
		global = append(global, "--kubeconfig", s.kubeconfig)
	}
	cmd := exec.CommandContext(ctx, suite.binary, append(global, args...)...)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TERM=xterm-256color", "COLORTERM=truecolor", "LANG=C.UTF-8",
	}, s.env...)
	return cmd
}

// outcome is what a command came to.
type outcome struct {
	code           int
	stdout, stderr string
}

// run runs a command to its end.
func (s *station) run(t *testing.T, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := s.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("running gonogo %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return outcome{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// document is the part of gonogo.check/v1 that the tests read.
type document struct {
	Schema  string
	Verdict string
	Reasons []string
	Score   *struct{ Percent, Low, High int }
	Counts  map[string]int

	Components []struct{ Checks []answer }
}

// answer is how one check stands.
type answer struct {
	ID, Status, Summary, Error, Remedy string
	TakenAt                            time.Time
	TookMs                             int64
	Evidence                           []struct{ Subject, Want, Got, Source, Repeat string }
}

// said is everything that a person reads of the check.
func (a answer) said() string {
	text := a.Summary + "\n" + a.Error
	for _, e := range a.Evidence {
		text += "\n" + e.Subject + ": " + e.Got + ", by " + e.Source
	}
	return text
}

// check runs gonogo check and reads its answer, and the exit code.
func (s *station) check(t *testing.T, args ...string) (document, int) {
	t.Helper()
	o := s.run(t, append(args, "check", "-o", "json")...)
	var d document
	if err := json.Unmarshal([]byte(o.stdout), &d); err != nil {
		t.Fatalf("reading the answer of gonogo check (exit code %d): %v\n%s\n%s", o.code, err, o.stdout, o.stderr)
	}
	return d, o.code
}

// of is the check with that id.
func (d document) of(t *testing.T, id string) answer {
	t.Helper()
	for _, c := range d.Components {
		for _, a := range c.Checks {
			if a.ID == id {
				return a
			}
		}
	}
	t.Fatalf("the answer has no check %s", id)
	return answer{}
}

// want holds a check to a status and to words that a person must read.
func (d document) want(t *testing.T, id, status string, words ...string) {
	t.Helper()
	a := d.of(t, id)
	if a.Status != status {
		t.Errorf("%s is %s, want %s: %s", id, a.Status, status, a.said())
		return
	}
	for _, word := range words {
		if !strings.Contains(a.said(), word) {
			t.Errorf("%s does not say %q:\n%s", id, word, a.said())
		}
	}
}

// change is one entry of gonogo history.
type change struct {
	At                     time.Time
	Check, Status, Summary string
}

// history runs gonogo history and returns the changes of a check, oldest first.
func (s *station) history(t *testing.T, check string) []change {
	t.Helper()
	o := s.run(t, "history", "-o", "json", check)
	var h struct{ Changes []change }
	if err := json.Unmarshal([]byte(o.stdout), &h); err != nil || o.code != 0 {
		t.Fatalf("reading gonogo history (exit code %d): %v\n%s\n%s", o.code, err, o.stdout, o.stderr)
	}
	return h.Changes
}

// awaitHistory waits until the newest change of a check has a status, and returns it.
func (s *station) awaitHistory(t *testing.T, check, status string, within time.Duration) change {
	t.Helper()
	end := time.Now().Add(within)
	for {
		changes := s.history(t, check)
		if n := len(changes); n > 0 && changes[n-1].Status == status {
			return changes[n-1]
		}
		if time.Now().After(end) {
			t.Fatalf("%s did not become %s within %v: %+v", check, status, within, changes)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(500 * time.Millisecond):
		}
	}
}
