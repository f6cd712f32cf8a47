package main

import (
	"strings"
	"testing"
	"time"
)

func TestAgo(t *testing.T) {
	now := time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC)
	for word, want := range map[string]string{
		"24h": "2025-10-19T12:00:00Z", "90m": "2025-10-20T10:30:00Z", "7d": "2025-10-13T12:00:00Z", "2w": "2025-10-06T12:00:00Z", "1.5d": "2025-10-19T00:00:00Z",
		"2025-10-19": "2025-10-19T00:00:00Z", "2025-10-19T08:00:00+02:00": "2025-10-19T06:00:00Z", "2025-10-19 08:00:00": "2025-10-19T08:00:00Z",
	} {
		a, err := parseAgo(word)
		if got := a.from(now).UTC().Format(time.RFC3339); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", word, got, err, want)
		}
	}
	for _, word := range []string{"", "yesterday", "-1h", "0d", "d", "20251019", "9999999999999d"} {
		if _, err := parseAgo(word); err == nil || !strings.Contains(err.Error(), "--since") {
			t.Errorf("%q: %v", word, err)
		}
	}
}

func TestDiffSaysWhatChanged(t *testing.T) {
	t.Parallel()
	args := []string{"--demo", "--state-dir", t.TempDir()}
	if code, stdout, stderr := gonogo(t, append(args, "diff", "--since", "2d")...); code != 0 || !strings.Contains(stdout, "the score is the same: 85 %") {
		t.Errorf("with a score alone: exit %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr := gonogo(t, append(args, "check")...); code != 1 {
		t.Fatal(stderr)
	}
	for _, since := range []string{"24h", "2025-10-19T12:00", "30d"} {
		code, stdout, stderr := gonogo(t, append(args, "diff", "--since", since)...)
		if code != 0 || stderr != "" || !strings.Contains(stdout, "85 % → 87 %") || !strings.Contains(stdout, "+2 points") || !strings.Contains(stdout, "47 checks were recorded for the first time") {
			t.Errorf("since %s: exit %d\n%s%s", since, code, stdout, stderr)
		}
	}
	for word, want := range map[string]string{"2026-01-01": "not come yet", "soon": "time span"} {
		if code, _, stderr := gonogo(t, append(args, "diff", "--since", word)...); code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("since %s: exit %d, %s", word, code, stderr)
		}
	}
	if code, stdout, _ := gonogo(t, append(args, "history", "--check", "worker-nodes", "--since", "1d")...); code != 0 || strings.Count(stdout, "worker-nodes") != 1 {
		t.Errorf("history --check: exit %d\n%s", code, stdout)
	}
}

func TestDiffWithoutAHistory(t *testing.T) {
	dir := t.TempDir()
	code, stdout, stderr := gonogo(t, "--state-dir", dir, "--kubeconfig", dir+"/none", "diff")
	if code != 0 || !strings.Contains(stdout, "Nothing is recorded for 254Carbon yet") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}
