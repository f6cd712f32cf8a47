//go:build unix

package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/probetest"
)

const secret = "hunter2-and-more"

type secrets struct{}

func (secrets) Resolve(_ context.Context, ref probes.SecretRef) (string, error) {
	if ref.Env == "THE_TOKEN" {
		return secret, nil
	}
	return "", fmt.Errorf("reading %s: %w", ref, probes.ErrNoSecret)
}

func environ() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=/nowhere", "CLOUDFLARE_API_TOKEN=" + secret, "LC_ALL=C", "https_proxy=x"}
}

func script(text string) Params { return Params{Argv: []string{"/bin/sh", "-c", text}, Fail: []int{1}} }

func shell(text string, edits ...func(*Params)) func(*testing.T) probes.Probe {
	return func(t *testing.T) probes.Probe {
		p := script(text)
		for _, edit := range edits {
			edit(&p)
		}
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		return New(p, Options{Secrets: secrets{}, Environ: environ()})
	}
}

func token(p *Params) { p.Env = map[string]probes.SecretRef{"TOKEN": {Env: "THE_TOKEN"}} }

func TestCommand(t *testing.T) {
	pass := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Pass, Says: says}
	}
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	unknown := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.Failure {
		return probetest.Failure{Name: name, New: p, Says: says}
	}
	readOnly := func(trusted bool) func(*testing.T) probes.Probe {
		return func(*testing.T) probes.Probe {
			p := script("echo ok")
			p.Trusted = trusted
			return New(p, Options{ReadOnly: true, Environ: environ()})
		}
	}
	probetest.Suite{
		New: shell("echo all is well"),
		Worlds: []probetest.World{
			pass("says its first line", shell("echo; echo '  all is well'; echo and more"), "all is well"),
			pass("says nothing", shell("true"), "sh exited with 0"),
			fail("no", shell("echo 3 of 4; echo why >&2; exit 1"), "why"),
			fail("no, said on standard output", shell("echo 3 of 4; exit 1"), "3 of 4"),
			fail("no, by another code", shell("exit 7", func(p *Params) { p.Fail = []int{3, 7} }), "exited with 7"),
			pass("trusted in read-only mode", readOnly(true)),
			pass("JSON", shell(`echo '{"status":"pass","summary":"4 of 4","later":1,"evidence":[{"subject":"a","want":"b","got":"c"}]}'`), "4 of 4"),
			fail("JSON says no", shell(`echo '{"status":"fail","summary":"3 of 4"}'`), "3 of 4"),
			fail("JSON says no, and so does the code", shell(`echo '{"status":"fail","evidence":[{"subject":"d","wanting":true}]}'; exit 1`), "exited with 1"),
			{Name: "JSON warns", New: shell(`echo '{"status":"warn","ratio":"3/4","summary":"3 of 4"}'`), Want: probes.Warn, Ratio: probes.Part(3, 4), Says: []string{"3 of 4"}},
			{Name: "JSON warns of something", New: shell(`echo '{"status":"warn","summary":"s"}'`), Want: probes.Warn, Ratio: probes.Part(1, 2), Says: []string{"s"}},
			pass("control sequences", shell(`printf '\033[2Jfine\007\n'`), "fine"),
			pass("a secret in what it says", shell(`echo "token is $TOKEN"`, token), "token is ***"),
			pass("another's variable", shell(`test -z "$CLOUDFLARE_API_TOKEN" && test "$LC_ALL" = C && test "$https_proxy" = x`)),
			pass("a folder", shell(`test "$(pwd -P)" = /`, func(p *Params) { p.Dir = "/" })),
			pass("no standard input", shell(`test -z "$(cat)"`)),
			pass("no shell", func(*testing.T) probes.Probe {
				return New(Params{Argv: []string{"echo", "$HOME; rm -rf /"}}, Options{Environ: environ()})
			}, "$HOME; rm -rf /"),
			pass("much on standard error", shell(`yes | head -c 3000000 >&2; echo ok`), "ok"),
			pass("a megabyte", shell(`echo first; yes | head -c 1000000`), "first"),
		},
		Errors: []probetest.Failure{
			{Name: "in read-only mode", New: readOnly(false), Says: []string{"effects cannot be guarded", "not run in read-only mode"}, Is: func(err error) bool { return errors.Is(err, ErrNotTrusted) }},
			unknown("another exit code", shell("echo reason >&2; exit 2"), "exited with 2: reason"),
			unknown("killed", shell("kill -9 $$"), "ended from outside", "killed"),
			unknown("no such program", func(*testing.T) probes.Probe { return New(Params{Argv: []string{"/no/such"}}, Options{}) }, "running such", "no such file"),
			unknown("no such folder", shell("true", func(p *Params) { p.Dir = "/no/such" }), "no such"),
			unknown("JSON that breaks off", shell(`printf '{"status":"pass"'`), "as JSON"),
			unknown("JSON and more", shell(`echo '{"status":"pass"} ok'`), "something follows"),
			unknown("JSON of another type", shell(`echo '{"status":1}'`), "as JSON"),
			unknown("JSON without a status", shell(`echo '{"summary":"fine"}'`), `status ""`),
			unknown("JSON with a status of its own", shell(`echo '{"status":"unknown"}'`), `"unknown"`),
			unknown("JSON against the exit code", shell(`echo '{"status":"pass"}'; exit 1`), "says pass, but exited with 1"),
			unknown("a warning worth all", shell(`echo '{"status":"warn","ratio":"1/1"}'`), `"1/1"`),
			unknown("evidence of nothing", shell(`echo '{"status":"pass","evidence":[{}]}'`), "says nothing"),
			unknown("prints without end", shell("yes"), "more than 1 MiB"),
			{Name: "no secret", New: shell("true", func(p *Params) { p.Env = map[string]probes.SecretRef{"T": {Env: "NO_SUCH"}} }), Says: []string{"finding the value of T"},
				Is: func(err error) bool { return errors.Is(err, probes.ErrNoSecret) }},
			unknown("a secret in an error", shell(`echo "bad token $TOKEN" >&2; exit 9`, token), "bad token ***"),
		},
		Hanging: shell("sleep 60"),
		Secrets: []string{secret},
	}.Run(t)
}

func TestRepeat(t *testing.T) {
	p := Params{Argv: []string{"./check.sh", "it's", "a b"}, Dir: "/srv/my scripts", Env: map[string]probes.SecretRef{
		"TOKEN": {Env: "THE_TOKEN"}, "PASSWORD": {File: "/run/secret"},
	}}
	want := `cd '/srv/my scripts' && PASSWORD="$PASSWORD" TOKEN="$THE_TOKEN" ./check.sh 'it'\''s' 'a b'`
	if got := (probe{params: p}).request().Repeat; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A program takes its children with it, whether it ends by itself or is ended.
func TestChildrenEndToo(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		fails bool
	}{
		"at the deadline":                  {`sleep 60 & echo $! >"$FILE"; wait`, true},
		"that hold its output, at its end": {`sleep 60 & echo $! >"$FILE"; exit 0`, false},
		"silent ones, at its end":          {`sleep 60 >/dev/null 2>&1 & echo $! >"$FILE"; exit 0`, false},
		"deaf to signals":                  {`trap '' TERM INT HUP; sleep 60 & echo $! >"$FILE"; wait; wait`, true},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			_, err := New(script(strings.ReplaceAll(c.text, "$FILE", file)), Options{Environ: environ()}).Observe(ctx)
			if took := time.Since(began); (err != nil) != c.fails || took > 3*time.Second {
				t.Errorf("%v after %s", err, took)
			}
			text, err := os.ReadFile(file) //nolint:gosec // of this test
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(2 * time.Second); alive(pid); {
				if time.Now().After(deadline) {
					t.Fatalf("child %d lives on", pid)
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
}

// alive reports whether a process runs; one that has ended and that nobody has waited for does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

func TestParamsAreChecked(t *testing.T) {
	for _, p := range []Params{
		{}, {Argv: []string{""}}, {Argv: []string{"a", "b\x00"}}, {Argv: []string{"a"}, Fail: []int{0}}, {Argv: []string{"a"}, Fail: []int{256}},
		{Argv: []string{"a"}, Env: map[string]probes.SecretRef{"A B": {Env: "X"}}}, {Argv: []string{"a"}, Env: map[string]probes.SecretRef{"A": {}}},
	} {
		if p.Validate() == nil {
			t.Errorf("%+v accepted", p)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"status":"pass"}`, `{"status":"warn","ratio":"1/2","evidence":[{"got":"x"}]}`, "text", `{"status":"warn","ratio":"-1/-2"}`, "{", `{"evidence":[null]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		r, err := parse(out)
		switch {
		case err != nil && (r.status != probes.Pending || len(r.evidence) > 0):
			t.Errorf("an error came with %+v", r)
		case r.status == probes.Warn && !r.ratio.Valid():
			t.Errorf("a warning is worth %v", r.ratio)
		}
	})
}
