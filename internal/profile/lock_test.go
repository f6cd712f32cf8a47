package profile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/254carbon/gonogo/internal/profile"
)

func TestLock(t *testing.T) {
	one, two := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	for _, c := range []struct {
		name, text, says string
		want             map[string]string
	}{
		{"empty", "", "", map[string]string{}},
		{"comments and blanks", "# a lock\n\n  redis:7.2   " + one + " # of today\r\n", "", map[string]string{"redis:7.2": one}},
		{"no line break at the end", "redis:7.2 " + one, "", map[string]string{"redis:7.2": one}},
		{"the same twice", "a " + one + "\na " + one + "\n", "", map[string]string{"a": one}},
		{"two digests", "a " + one + "\na " + two + "\n", "x.lock:2: a is locked twice", nil},
		{"no digest", "a\n", "x.lock:1: a line is", nil},
		{"a digest that is none", "\na sha256:1\n", "x.lock:2: a line is", nil},
		{"more than a digest", "a " + one + " b\n", "x.lock:1: a line is", nil},
		{"huge", strings.Repeat("#\n", 1<<20), "larger than", nil},
	} {
		got, err := profile.ParseLock("x.lock", []byte(c.text))
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	want := map[string]string{"b": two, "a": one, "c/d:1": two}
	text := profile.FormatLock(want)
	if got, err := profile.ParseLock("x.lock", text); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v, %v", got, err)
	}
	if string(text) != string(profile.FormatLock(map[string]string{"c/d:1": two, "a": one, "b": two})) || !strings.HasSuffix(string(text), "a "+one+"\nb "+two+"\nc/d:1 "+two+"\n") {
		t.Errorf("%s", text)
	}
}

// TestLockBesideAProfile holds that the lock is read with the profile, that what is wrong with it is told, and that a profile without one
// is as it was.
func TestLockBesideAProfile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.yaml")
	src := strings.Replace(base, "components:\n", declared+"components:\n", 1)
	if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	digest := func() string {
		p, err := profile.LoadFile(path, testKinds())
		if err != nil {
			t.Fatal(err)
		}
		return p.Images[0].Digest + " " + p.Digest
	}
	without := digest()
	if !strings.HasPrefix(without, " ") {
		t.Errorf("locked without a lock: %s", without)
	}
	one, two := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	seen := map[string]bool{without: true}
	for _, d := range []string{one, two} {
		if err := os.WriteFile(profile.LockBeside(path), []byte("trinodb/trino:424 "+d+"\nother "+d+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got := digest()
		if !strings.HasPrefix(got, d) || seen[strings.TrimPrefix(got, d)] {
			t.Errorf("with a lock: %s", got)
		}
		seen[strings.TrimPrefix(got, d)] = true
	}
	if err := os.WriteFile(profile.LockBeside(path), []byte("trinodb/trino:424\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := profile.LoadFile(path, testKinds()); err == nil || !strings.Contains(err.Error(), "images.lock:1: a line is the source") {
		t.Errorf("a broken lock: %v", err)
	}
	if digests, err := profile.ReadLock(filepath.Join(t.TempDir(), "none")); err != nil || len(digests) != 0 {
		t.Errorf("no lock: %v, %v", digests, err)
	}
}
