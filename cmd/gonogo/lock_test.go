package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/254carbon/gonogo/internal/sim/oci"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/images"
)

// registries answers from a script: of each source, what it is told each time it is asked.
type registries map[string][]images.Head

func (r registries) Heads(_ context.Context, references []string) map[string]images.Head {
	heads := map[string]images.Head{}
	for _, ref := range references {
		heads[ref] = r[ref][0]
		if len(r[ref]) > 1 {
			r[ref] = r[ref][1:]
		}
	}
	return heads
}

func TestResolve(t *testing.T) {
	limited := func(after time.Duration) images.Head {
		return images.Head{Err: &images.LimitedError{Host: "index.docker.io", After: after}}
	}
	is := func(digest string) images.Head { return images.Head{Digest: digest} }
	for _, test := range []struct {
		name    string
		images  []probes.Image
		from    registries
		want    map[string]string
		failed  []string
		told    []string
		took    time.Duration
		endedAt time.Duration // when the person has had enough; 0 for never
	}{
		{name: "all there", images: []probes.Image{{Source: "a"}, {Source: "b"}, {Source: "a"}}, from: registries{"a": {is("1")}, "b": {is("2")}}, want: map[string]string{"a": "1", "b": "2"}},
		{name: "a source that names its digest", images: []probes.Image{{Source: "a@9"}}, want: map[string]string{"a@9": "9"}},
		{
			name: "some not", images: []probes.Image{{Source: "a"}, {Source: "b", Digest: "7"}, {Source: "c"}},
			from: registries{"a": {is("1")}, "b": {{Err: images.ErrMissing}}, "c": {{Err: errors.New("no route to host")}}},
			want: map[string]string{"a": "1", "b": "7"}, failed: []string{"b: not there; it keeps 7", "c: no route to host"},
		},
		{
			name: "limited for a while", images: []probes.Image{{Source: "a"}, {Source: "b"}},
			from: registries{"a": {limited(20 * time.Second), limited(0), is("1")}, "b": {limited(40 * time.Second), is("2")}},
			want: map[string]string{"a": "1", "b": "2"}, took: 70 * time.Second,
			told: []string{"index.docker.io limits the rate of requests (429) and asks to wait 40s: waiting 40s for 2 images", "index.docker.io limits the rate of requests (429): waiting 30s for 1 images"},
		},
		{
			name: "limited for too long", images: []probes.Image{{Source: "a"}}, from: registries{"a": {limited(6 * time.Hour)}}, want: map[string]string{},
			failed: []string{"a: index.docker.io limits the rate of requests (429) and asks to wait 6h0m0s"},
		},
		{
			name: "limited again and again", images: []probes.Image{{Source: "a"}}, from: registries{"a": {limited(time.Minute)}}, want: map[string]string{},
			failed: []string{"a: index.docker.io limits the rate of requests (429) and asks to wait 1m0s"}, took: 5 * time.Minute,
			told: slices.Repeat([]string{"index.docker.io limits the rate of requests (429) and asks to wait 1m0s: waiting 1m0s for 1 images"}, 5),
		},
		{
			name: "a person has had enough", images: []probes.Image{{Source: "a"}}, from: registries{"a": {limited(time.Minute)}}, want: map[string]string{}, took: 10 * time.Second,
			endedAt: 10 * time.Second, told: []string{"index.docker.io limits the rate of requests (429) and asks to wait 1m0s: waiting 1m0s for 1 images"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if test.endedAt > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.endedAt)
					defer cancel()
				}
				var told []string
				began := time.Now()
				digests, failed := resolve(ctx, test.from, test.images, func(text string) { told = append(told, text) })
				if took := time.Since(began); took != test.took {
					t.Errorf("took %s, want %s", took, test.took)
				}
				if diff := cmp.Diff(test.want, digests) + cmp.Diff(test.failed, failed) + cmp.Diff(test.told, told); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestLockOfTheDemo locks the images of a profile on the simulated platform, and lets checks use that lock.
func TestLockOfTheDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, text, _ := gonogo(t, "profile", "show")
	mine, file := filepath.Join(dir, "mine.yaml"), filepath.Join(dir, "images.lock")
	if err := os.WriteFile(mine, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := demo(t, "ready", "profile", "lock", mine, "--output", file)
	if code != 0 || !strings.Contains(stdout, "33 images are locked in "+file) {
		t.Fatalf("exit %d: %s%s", code, stdout, stderr)
	}
	locked, err := os.ReadFile(file)
	if err != nil || strings.Count(string(locked), "\n") != 34 || !strings.Contains(string(locked), "trinodb/trino:424 "+oci.Digest("trinodb/trino:424")+"\n") {
		t.Fatalf("%v\n%s", err, locked)
	}
	if _, again, _ := demo(t, "ready", "profile", "lock", mine); again != string(locked) {
		t.Errorf("locked again:\n%s", again)
	}
	if _, shown, _ := gonogo(t, "profile", "show", mine); strings.Count(shown, "digest: sha256:") != 33 {
		t.Errorf("the effective profile does not hold the lock:\n%s", shown)
	}
	for _, test := range []struct {
		from, to string
		code     int
		says     string
	}{
		{"", "", 0, "33 of 33 images"},
		{oci.Digest("trinodb/trino:424"), oci.Digest("another"), 1, "1 of 33 have another digest than the locked one: trino"},
		{oci.Digest("trinodb/trino:424"), "sha256:1", 2, "images.lock:"},
	} {
		changed := strings.Replace(string(locked), test.from, test.to, 1)
		if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := demo(t, "ready", "--profile", mine, "check", "--only", "images-mirrored")
		if code != test.code || !strings.Contains(stdout+stderr, test.says) {
			t.Errorf("exit %d, want %d and %q:\n%s%s", code, test.code, test.says, stdout, stderr)
		}
	}
}

// TestLockSaysWhatIsMissing locks a profile with a source that does not exist.
func TestLockSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	profile := "apiVersion: gonogo/v1\nplatform: test\nthreshold: 1\ncomponents:\n- {id: a, title: A, weight: 1, checks: [{id: c, title: C, probe: command, weight: 1, with: {argv: ['true']}}]}\n"
	mine := filepath.Join(dir, "mine.yaml")
	for _, test := range []struct{ images, stdout, stderr string }{
		{"", "", "declares no images to lock"},
		{"images: [{key: a, source: 'redis:7.2'}, {key: b, source: 'redis:nothing'}]\n", "redis:7.2 " + oci.Digest("redis:7.2"), "1 of 2 images could not be resolved:\n        redis:nothing: not there (404)"},
		{"images: [{key: a, source: 'registry.example.com/a:1'}]\n", "#", "is not part of the simulated platform"},
	} {
		if err := os.WriteFile(mine, []byte(profile+test.images), 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := demo(t, "ready", "profile", "lock", mine)
		want := exitNoGo
		if test.images == "" {
			want = exitUsage
		}
		if code != want || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
			t.Errorf("exit %d, want %d: %s\n%s", code, want, fmt.Sprintf("%.200s", stdout), stderr)
		}
	}
}
