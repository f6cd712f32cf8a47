//go:build unix

package script_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/actiontest"
	"github.com/254carbon/gonogo/actions/script"
	"github.com/254carbon/gonogo/probes"
)

// heard keeps what a step says.
type heard struct {
	mu    sync.Mutex
	lines []string
	line  chan string // if not nil, gets every line
}

func (h *heard) Log(line string) {
	h.mu.Lock()
	h.lines = append(h.lines, line)
	h.mu.Unlock()
	if h.line != nil {
		h.line <- line
	}
}
func (h *heard) Progress(_, _ actions.Amount) {}
func (h *heard) Waiting(string, time.Time)    {}

// vault finds secrets by the names of variables.
type vault map[string]string

func (v vault) Resolve(_ context.Context, ref probes.SecretRef) (string, error) {
	if s, ok := v[ref.Env]; ok {
		return s, nil
	}
	return "", probes.ErrNoSecret
}

// scripted makes an action of a script with a text.
func scripted(t *testing.T, text string, change func(*script.Params)) (actions.Action, string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "scripts", "do.sh")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("#!/bin/bash\n"+text), 0o700)); err != nil {
		t.Fatal(err)
	}
	p := script.Info().Params().(*script.Params)
	p.Script, p.Limit = "scripts/do.sh", time.Minute
	if change != nil {
		change(p)
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return script.New(actions.Spec{ID: "do", Kind: "script", Title: "Do it"}, *p, script.Deps{
		Folder: func() (string, error) { return dir, nil }, Name: "~/hmco", Secrets: vault{"TOKEN": "s3cr3t-c4n4ry"},
		Environ: []string{"PATH=" + os.Getenv("PATH"), "TERM=xterm", "COLOUR=red"},
		Defects: func(_ string, text []byte) []string {
			if strings.Contains(string(text), "((x++))") {
				return []string{"line 3: ((x++)) ends the script"}
			}
			return nil
		},
	}), path
}

// do plans and runs the one step.
func do(ctx context.Context, t *testing.T, a actions.Action, h *heard) error {
	t.Helper()
	p, err := a.Plan(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil || len(p.Steps) != 1 || len(p.Missing) > 0 {
		t.Fatalf("%v: %+v", err, p)
	}
	d, err := a.Open(ctx, p, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return d.Do(ctx, p.Steps[0], h)
}

func TestAScriptRunsAsItIs(t *testing.T) {
	a, _ := scripted(t, `echo "args: $# $1|$2"; pwd | xargs basename | wc -l; echo "$PLAIN $COLOUR $TERM ${#SECRET}"; cat; tty <&1 >/dev/null && echo terminal; echo bad >&2`, func(p *script.Params) {
		p.Args = []string{"a b; echo $HOME", "*"}
		p.Set = map[string]string{"PLAIN": "plain", "COLOUR": "blue"}
		p.Env = map[string]probes.SecretRef{"SECRET": {Env: "TOKEN"}}
	})
	var h heard
	if err := do(t.Context(), t, a, &h); err != nil {
		t.Fatal(err)
	}
	want := []string{"args: 2 a b; echo $HOME|*", "1", "plain blue dumb 13", "terminal", "bad"}
	if !slices.Equal(h.lines, want) {
		t.Errorf("got %q, want %q", h.lines, want)
	}
}

func TestTheContract(t *testing.T) {
	actiontest.Suite(t, actiontest.Options{
		New: func(t *testing.T) actions.Action {
			a, _ := scripted(t, `echo "the secret has ${#SECRET} characters"`, func(p *script.Params) { p.Env = map[string]probes.SecretRef{"SECRET": {Env: "TOKEN"}} })
			return a
		},
		Secrets: func() []string { return []string{"s3cr3t-c4n4ry"} }, Again: true,
	})
}

func TestHowAScriptEnds(t *testing.T) {
	for name, c := range map[string]struct {
		text, says string
		unclear    bool
	}{
		"with a status":        {text: "echo no; exit 3", says: "ended with exit status 3 after "},
		"by a signal":          {text: "kill -KILL $$", says: "was ended from outside", unclear: true},
		"with its interpreter": {text: "exec /nowhere/at/all", says: "exit status 127"},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := scripted(t, c.text, nil)
			err := do(t.Context(), t, a, &heard{})
			var unclear *actions.UnclearError
			if err == nil || !strings.Contains(err.Error(), c.says) || errors.As(err, &unclear) != c.unclear {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("that cannot be started", func(t *testing.T) {
		a, path := scripted(t, "", nil)
		if err := os.WriteFile(path, []byte("#!/nowhere/interpreter\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		var unclear *actions.UnclearError
		if err := do(t.Context(), t, a, &heard{}); err == nil || !strings.Contains(err.Error(), "starting scripts/do.sh") || errors.As(err, &unclear) {
			t.Errorf("%v", err)
		}
	})
}

// gone waits for a process to end.
func gone(t *testing.T, pid int) {
	t.Helper()
	for range 500 {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return
		}
		if text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && strings.Contains(string(text), ") Z ") {
			return // nobody has asked how it ended
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d lives", pid)
}

func TestAnInterruptionReachesChildren(t *testing.T) {
	a, _ := scripted(t, "sleep 1000 & echo $!; wait", nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := &heard{line: make(chan string, 16)}
	ended := make(chan error, 1)
	go func() { ended <- do(ctx, t, a, h) }()
	child, err := strconv.Atoi(<-h.line)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	err = <-ended
	var unclear *actions.UnclearError
	if !errors.As(err, &unclear) || !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted script ends with %v", err)
	}
	gone(t, child)
}

func TestAScriptIsEndedAtItsLimit(t *testing.T) {
	a, _ := scripted(t, "echo $$; exec sleep 1000", func(p *script.Params) { p.Limit = 300 * time.Millisecond })
	var h heard
	err := do(t.Context(), t, a, &h)
	var unclear *actions.UnclearError
	if !errors.As(err, &unclear) || !strings.Contains(err.Error(), "300ms, its limit") {
		t.Errorf("%v", err)
	}
	pid, _ := strconv.Atoi(h.lines[0])
	gone(t, pid)
}

func TestWhatAScriptLeavesRunningDoesNotHoldIt(t *testing.T) {
	a, _ := scripted(t, "sleep 1000 & echo $!", nil)
	var h heard
	if err := do(t.Context(), t, a, &h); err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(h.lines[0])
	gone(t, pid)
}

func TestHostileOutput(t *testing.T) {
	a, _ := scripted(t, `for i in {1..1000}; do printf '\r%d%%' $i; done; printf '\rdone\n'; head -c 1000000 /dev/zero | tr '\0' x; echo; printf 'no line break'`, nil)
	var h heard
	if err := do(t.Context(), t, a, &h); err != nil {
		t.Fatal(err)
	}
	if h.lines[0] != "done" || h.lines[len(h.lines)-1] != "no line break" || len(h.lines) > 100 {
		t.Errorf("%d lines, from %.50q to %.50q", len(h.lines), h.lines[0], h.lines[len(h.lines)-1])
	}
	total := 0
	for _, line := range h.lines {
		total += strings.Count(line, "x")
	}
	if total != 1_000_000 {
		t.Errorf("%d of 1000000 characters came", total)
	}
}

func TestThePlanOfAScript(t *testing.T) {
	a, path := scripted(t, "x=0\n((x++))", func(p *script.Params) {
		p.Args = []string{"localhost:5000", "har bor"}
		p.Env = map[string]probes.SecretRef{"SECRET": {Env: "TOKEN"}, "OTHER": {Env: "UNSET"}}
	})
	p, err := a.Plan(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(slices.Concat([]string{p.Summary}, p.Notes, p.Missing, p.Steps[0].Detail), "\n")
	for _, want := range []string{"runs scripts/do.sh localhost:5000 'har bor'", "Known defect: line 3: ((x++)) ends the script", "the value of OTHER", "SECRET from the environment variable TOKEN", "at most 1m0s"} {
		if !strings.Contains(text, want) {
			t.Errorf("the plan lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "c4n4ry") || !p.Steps[0].Unrepeatable || p.Worst() != actions.Updates {
		t.Errorf("%s\n%+v", text, p.Steps[0])
	}
	again, err := a.Plan(t.Context(), nil)
	if err != nil || again.Digest() != p.Digest() {
		t.Errorf("planned again it is another: %v", err)
	}
	d, err := a.Open(t.Context(), p, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/bash\necho other"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.Do(t.Context(), p.Steps[0], &heard{}); err == nil || !strings.Contains(err.Error(), "not the one that was planned") {
		t.Errorf("a script that was changed: %v", err)
	}
	for _, c := range []struct {
		says  string
		spoil func() error
	}{
		{"not executable: chmod +x", func() error { return os.Chmod(path, 0o600) }},
		{"is no script", func() error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }},
		{"is not in the checkout", func() error { return os.Remove(path) }},
	} {
		if err := c.spoil(); err != nil {
			t.Fatal(err)
		}
		if p, err := a.Plan(t.Context(), nil); err != nil || !slices.ContainsFunc(p.Missing, func(m string) bool { return strings.Contains(m, c.says) }) {
			t.Errorf("want %q: %v, %v", c.says, p.Missing, err)
		}
	}
}

func TestParametersThatAreWrong(t *testing.T) {
	for says, change := range map[string]func(*script.Params){
		"must name a file":      func(p *script.Params) { p.Script = "" },
		"does not lie":          func(p *script.Params) { p.Script = "../etc/passwd" },
		"zero byte":             func(p *script.Params) { p.Args = []string{"a\x00b"} },
		"longer than nothing":   func(p *script.Params) { p.Limit = 0 },
		"no name of a variable": func(p *script.Params) { p.Set = map[string]string{"a b": ""} },
		"stands in set and in env": func(p *script.Params) {
			p.Set, p.Env = map[string]string{"A": ""}, map[string]probes.SecretRef{"A": {Env: "B"}}
		},
		"exactly one place": func(p *script.Params) { p.Env = map[string]probes.SecretRef{"A": {}} },
	} {
		p := script.Info().Params().(*script.Params)
		p.Script = "x.sh"
		change(p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}
