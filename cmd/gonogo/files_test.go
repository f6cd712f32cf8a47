package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResultsThatCannotBeWrittenSayWhere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		file, says string
	}{
		"a folder that is missing": {filepath.Join(dir, "none", "out"), "there is no folder " + filepath.Join(dir, "none")},
		"a folder that is a file":  {filepath.Join(file, "out"), "is no folder"},
		"a file that is a folder":  {dir, "writing " + dir},
	} {
		for _, command := range [][]string{{"report", "--output", row.file}, {"profile", "init", "--force", "--output", row.file}, {"profile", "lock", "--output", row.file}} {
			code, _, stderr := gonogo(t, append([]string{"--demo", "--state-dir", t.TempDir()}, command...)...)
			if code != exitOutput || !strings.Contains(stderr, row.says) || !strings.Contains(stderr, row.file) || strings.Contains(stderr, ".gonogo-") {
				t.Errorf("%s, %s: exit %d, %s", name, strings.Join(command[:2], " "), code, stderr)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); err == nil {
		t.Error("a mistyped folder was made")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".gonogo-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNoCheckIsNotEveryCheck(t *testing.T) {
	if code, stdout, stderr := gonogo(t, "--demo", "--state-dir", t.TempDir(), "check", "--only", ""); code != exitUsage || stdout != "" || !strings.Contains(stderr, "names no check") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}
