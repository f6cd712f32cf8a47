package profile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/254carbon/gonogo/internal/profile"
)

// TestWatch changes a file in the ways in which files change, and compares what is told after each.
func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lock := func(text string) {
		if err := os.WriteFile(profile.LockBeside(path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	named := func(name string) string { return strings.Replace(base, "platform: Test", "platform: "+name, 1) }
	write(base)
	first, err := profile.LoadFile(path, testKinds())
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var told []string
		tell := func(line string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, line)
		}
		go profile.Watch(ctx, path, first.Digest, testKinds(), nil,
			func(p *profile.Profile) { tell("new " + p.Platform) },
			func(err error) {
				line, _, _ := strings.Cut(fmt.Sprint(err), "\n")
				tell("error " + strings.ReplaceAll(strings.ReplaceAll(line, path, "p.yaml"), profile.LockBeside(path), profile.LockName))
			})
		for _, step := range []struct {
			name string
			do   func()
			want []string
		}{
			{"nothing", func() {}, nil},
			{"changed", func() { write(named("Two")) }, []string{"new Two"}},
			{"changed within the same tick and of the same size", func() {
				info, _ := os.Stat(path)
				write(named("Six"))
				_ = os.Chtimes(path, info.ModTime(), info.ModTime())
			}, []string{"new Six"}},
			{"written again as it was", func() { write(named("Six")) }, nil},
			{"broken", func() { write(named("Ten") + "more: 1\n") }, []string{`error p.yaml:37:1: unknown key "more" in the profile; known are actions, apiVersion, attestations, cluster, components, connections, exempt, images, platform, services, threshold, waivers`}},
			{"still broken", func() {}, nil},
			{"back to what is in use", func() { write(named("Six")) }, []string{"error <nil>"}},
			{"broken in another way", func() { write("") }, []string{"error p.yaml: the profile is empty; gonogo profile init writes one to begin with"}},
			{"mended by an atomic rename", func() {
				next := path + ".new"
				_ = os.WriteFile(next, []byte(named("Ten")), 0o600)
				_ = os.Rename(next, path)
			}, []string{"error <nil>", "new Ten"}},
			{"removed", func() { _ = os.Remove(path) }, []string{"error the profile p.yaml is gone; the one read before stays in use"}},
			{"still gone", func() {}, nil},
			{"a directory in its place", func() { _ = os.Mkdir(path, 0o700) }, []string{"error reading profile: p.yaml is not a file; the one read before stays in use"}},
			{"back", func() { _ = os.Remove(path); write(named("Ten")) }, []string{"error <nil>"}},
			{"locked", func() { lock("# nothing yet\n") }, []string{"new Ten"}},
			{"locked in a way that cannot be read", func() { lock("redis\n") }, []string{"error images.lock:1: a line is the source of an image and its digest, sha256: and 64 hexadecimal digits; gonogo profile lock writes them"}},
			{"unlocked", func() { _ = os.Remove(profile.LockBeside(path)) }, []string{"error <nil>", "new Ten"}},
			{"back with another text", func() { _ = os.Remove(path); write(named("Eleven")) }, []string{"new Eleven"}},
		} {
			mu.Lock()
			told = nil
			mu.Unlock()
			step.do()
			time.Sleep(5 * time.Second)
			synctest.Wait()
			mu.Lock()
			if diff := cmp.Diff(step.want, told); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.name, diff)
			}
			mu.Unlock()
		}
		cancel()
		synctest.Wait()
	})
}
