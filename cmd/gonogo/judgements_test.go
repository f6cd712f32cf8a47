package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
)

// smallProfile has a gate that the documented scenario fails, a check that no probe can see, and one that passes.
const smallProfile = `apiVersion: gonogo/v1
platform: small
threshold: 30
connections:
  checkout: {path: ~/hmco}
components:
- id: a
  title: A
  weight: 4
  checks:
  - {id: nodes, title: Three nodes, probe: kubernetes.nodes, weight: 0, gate: true, with: {min: 3}}
  - {id: readme, title: README, probe: files, weight: 1, with: {readme: {within: 720h}}}
  - {id: feed, title: There is a second feed, probe: attestation, weight: 1, with: {what: the second feed}}
attestations:
- {check: nodes, by: eve, on: 2025-10-01, expires: 2025-12-31, note: there are three}
`

// small runs commands against one simulated platform with the small profile.
func small(t *testing.T) func(args ...string) (code int, stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "small.yaml")
	if err := os.WriteFile(path, []byte(smallProfile), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(args ...string) (int, string, string) {
		return gonogo(t, append([]string{"--demo", "--state-dir", dir, "--profile", path}, args...)...)
	}
}

func TestAWaiverReachesTheVerdict(t *testing.T) {
	t.Parallel()
	run := small(t)
	expect := func(code int, want string, args ...string) {
		t.Helper()
		got, stdout, stderr := run(args...)
		if got != code || !strings.Contains(stdout+stderr, want) {
			t.Errorf("%v: exit %d, want %d and %q\n%s%s", args, got, code, want, stdout, stderr)
		}
	}
	expect(1, "gate nodes fails", "check")
	expect(0, "no gate is waived", "waive")
	expect(0, "kept in ConfigMap default/gonogo-evidence", "waive", "nodes", "--owner", "ana", "--reason", "ordered", "--expires", "2025-11-30")
	expect(0, "GO", "check")
	expect(0, "waived by ana until 2025-11-30", "explain", "score")
	expect(0, "by ana until 2025-11-30 (in the evidence record): ordered", "explain", "nodes")
	expect(0, "ordered", "waive")
	expect(0, "not waived any more", "waive", "nodes", "--remove")
	expect(1, "gate nodes fails", "check")
	expect(2, "no waiver of nodes", "waive", "nodes", "--remove")
	expect(0, "kept on this machine only", "--read-only", "waive", "nodes", "--owner", "bob", "--reason", "x", "--expires", "14d")
	expect(0, "on this machine", "waive")
	expect(0, "waived by bob", "check")
}

func TestAWordEarnsHalfWhereNoProbeCanSee(t *testing.T) {
	t.Parallel()
	run := small(t)
	expect := func(code int, want string, args ...string) {
		t.Helper()
		got, stdout, stderr := run(args...)
		if got != code || !strings.Contains(stdout+stderr, want) {
			t.Errorf("%v: exit %d, want %d and %q\n%s%s", args, got, code, want, stdout, stderr)
		}
	}
	expect(1, "nobody attested: the second feed", "check", "--only", "feed")
	expect(0, "ana attests until 2025-10-31", "attest", "feed", "--by", "ana", "--note", "saw it", "--expires", "2025-10-31")
	expect(1, "warn", "check", "--only", "feed")
	expect(0, "on the word of ana until 2025-10-31", "explain", "score")
	expect(0, "counts for nothing: measured", "attest")
	expect(0, "The word of eve until 2025-12-31, in the profile, does not count: this check is measured by probe kubernetes.nodes", "explain", "nodes")
	expect(2, "use `gonogo waive nodes`", "attest", "nodes", "--by", "a", "--note", "b", "--expires", "3d")
	expect(0, "nobody attests feed any more", "attest", "feed", "--remove", "--by", "ana")
	expect(1, "nobody attested", "check", "--only", "feed")
}

func TestJudgementsSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	run := small(t)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"waive", "node", "--owner", "a", "--reason", "b", "--expires", "3d"}, "did you mean nodes"},
		{[]string{"waive", "feed", "--owner", "a", "--reason", "b", "--expires", "3d"}, "no gate"},
		{[]string{"waive", "nodes", "--reason", "b", "--expires", "3d"}, "--owner"},
		{[]string{"waive", "nodes", "--owner", " ", "--reason", "b", "--expires", "3d"}, "--owner"},
		{[]string{"waive", "nodes", "--owner", "a", "--reason", "\x1b[31m\n", "--expires", "3d"}, "--reason"},
		{[]string{"waive", "nodes", "--remove", "--expires", "3d"}, "--remove"},
		{[]string{"waive", "nodes", "--owner", "a", "--expires", "3d"}, "--reason"},
		{[]string{"waive", "nodes", "--owner", "a", "--reason", "b"}, "--expires"},
		{[]string{"waive", "nodes", "--owner", "a", "--reason", "b", "--expires", "2025-10-19"}, "in the past"},
		{[]string{"waive", "nodes", "--owner", "a", "--reason", "b", "--expires", "-3h"}, "in the past"},
		{[]string{"waive", "nodes", "--owner", "a", "--reason", "b", "--expires", "2027-01-01"}, "more than a year"},
		{[]string{"waive", "nodes", "--owner", "a", "--reason", "b", "--expires", "some day"}, "neither a day nor a time"},
		{[]string{"waive", "--owner", "a"}, "gonogo waive CHECK"},
		{[]string{"attest", "feed", "--note", "b", "--expires", "3d"}, "--by"},
		{[]string{"attest", "readme", "--by", "a", "--expires", "3d"}, "--note"},
		{[]string{"attest", "readme", "--remove", "--note", "b"}, "--remove"},
		{[]string{"attest", "files", "--valid", "1000h"}, "--valid"},
		{[]string{"attest", "files", "--by", " "}, "--by"},
	} {
		if code, stdout, stderr := run(tt.args...); code != 2 || !strings.Contains(stderr, tt.want) || stdout != "" {
			t.Errorf("%v: exit %d, standard error %q, want 2 and %q; standard output %q", tt.args, code, stderr, tt.want, stdout)
		}
	}
}

// TestABoardWithoutACheckoutAnswersFromAPipelinesFinding publishes with a checkout and asks without one.
func TestABoardWithoutACheckoutAnswersFromAPipelinesFinding(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	blind := func() probes.Item {
		t.Helper()
		var out, errs bytes.Buffer
		o := &options{streams: streams{out: &out, err: &errs}, profile: "254carbon", demo: true, scenario: "documented", stateDir: dir, readOnly: true, checkout: "/nowhere"}
		s, err := open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.close() }()
		a, _ := s.sweep(t.Context(), map[probes.ID]bool{"guides": true})
		item, _ := a.Item("guides")
		return item
	}
	if item := blind(); item.Status != probes.Unknown || !strings.Contains(item.Error, "no checkout at /nowhere and no finding of it in the evidence record") {
		t.Errorf("%s %q %q", item.Status, item.Summary, item.Error)
	}
	if code, stdout, stderr := gonogo(t, "--demo", "--state-dir", dir, "attest", "files", "--by", "pipeline 17"); code != 0 || !strings.Contains(stdout, "4 of 4 findings published") {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	if item := blind(); item.Status != probes.Pass || !strings.Contains(item.Summary, "15 guides, 8 of 8 roles (found by pipeline 17") {
		t.Errorf("%s %q %q", item.Status, item.Summary, item.Error)
	}
	if code, _, stderr := gonogo(t, "--demo", "--state-dir", dir, "--read-only", "attest", "files"); code != 3 || !strings.Contains(stderr, "this machine only") {
		t.Errorf("published nowhere but here: exit %d\n%s", code, stderr)
	}
	if code, _, stderr := gonogo(t, "--demo", "--state-dir", dir, "attest", "files", "--checkout", "/nowhere"); code != 3 || !strings.Contains(stderr, "nothing to publish") {
		t.Errorf("nothing to look at: exit %d\n%s", code, stderr)
	}
}

// TestWhatIsRecordedElsewhereReachesARunningBoard lets another machine waive a gate, and prove a restore, under a poller that is running.
func TestWhatIsRecordedElsewhereReachesARunningBoard(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	o := &options{streams: streams{out: &out, err: &errs}, profile: "254carbon", demo: true, scenario: "documented", stateDir: t.TempDir(), readOnly: true}
	s, err := open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.close() }()
	elsewhere, err := platform.Open(s.profile, s.sim.Platform(platform.Options{Log: slog.New(slog.DiscardHandler)}))
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	poller := probes.NewPoller(s.list, s.checks, probes.PollerOptions{Now: s.now})
	feed := poller.Subscribe()
	defer feed.Close()
	ended := make(chan struct{}, 2)
	defer func() { <-ended; <-ended }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { poller.Run(ctx); ended <- struct{}{} }()
	go func() { s.followWaivers(ctx, poller); ended <- struct{}{} }()
	waived := func() *probes.Waiver {
		item, _ := poller.Checklist().Assess(s.now()).Item("backup-failure-domain")
		return item.Waiver
	}
	write := func(e evidence.Entry) {
		t.Helper()
		e.Kind, e.Check, e.By, e.At = evidence.Waiver, "backup-failure-domain", "ana", s.now()
		if kept, err := elsewhere.Evidence.Write(t.Context(), e); err != nil || !kept.Cluster {
			t.Fatalf("%+v, %v", kept, err)
		}
	}
	until := func(what string, holds func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if holds() {
				return
			}
		}
		t.Fatalf("it did not happen within 20 s: %s", what)
	}
	if w := waived(); w != nil {
		t.Fatalf("waived already: %+v", w)
	}
	write(evidence.Entry{Result: evidence.Passed, Note: "moves in May", ValidUntil: s.now().Add(24 * time.Hour)})
	until("the board shows the waiver", func() bool { w := waived(); return w != nil && w.Owner == "ana" && w.Where == "in the evidence record" })
	write(evidence.Entry{Result: evidence.Removed})
	until("the board shows that it was taken back", func() bool { return waived() == nil })
	status := func(id probes.ID) probes.Status {
		item, _ := poller.Checklist().Assess(s.now()).Item(id)
		return item.Status
	}
	until("the board knows of no proof", func() bool {
		return status("test-backup") == probes.Fail && status("restore-verified") == probes.Blocked
	})
	proof := evidence.Entry{Kind: evidence.Proof, Result: evidence.Passed, Scope: evidence.Volumes, By: "ana", At: s.now()}
	backup, restore := proof, proof
	backup.Check, backup.Details = "test-backup", evidence.Details{Phase: "Completed"}
	restore.Check, restore.Details = "restore-verified", evidence.Details{Equal: true, RTOSeconds: 41}
	if kept, err := elsewhere.Evidence.Write(t.Context(), backup, restore); err != nil || !kept.Cluster {
		t.Fatalf("%+v, %v", kept, err)
	}
	until("the board shows what was proved", func() bool { return status("test-backup") == probes.Pass && status("restore-verified") == probes.Pass })
}
