//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// oneCommand is a profile that needs no server.
const oneCommand = `
- {id: well, title: t, probe: command, with: {argv: ["true"], trusted: true}, weight: 1}
`

// drawn reports whether the board has drawn itself.
func drawn(raw string) bool {
	return strings.Contains(raw, "\x1b[?1049h") && strings.Contains(raw, "GO")
}

// TestSignals ends a board in every way that is not a key, and wants the terminal back as it was.
func TestSignals(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			s := newStation(t, "", checks(oneCommand))
			b := s.start(t, 80, 24)
			b.await(t, "the board", 20*time.Second, drawn)
			if modes(b.raw())[25] {
				t.Error("the test is blind: the board never hid the cursor")
			}
			end := b.signal(t, signal)
			if end.ExitCode() != 0 {
				t.Errorf("ended with %v, want exit code 0", end)
			}
			for _, left := range b.untidy(t) {
				t.Error("left behind:", left)
			}
		})
	}
}

// TestQuit ends a board by its key.
func TestQuit(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{"q": "q", "ctrl+c": "\x03"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStation(t, "", checks(oneCommand))
			b := s.start(t, 80, 24)
			b.await(t, "the board", 20*time.Second, drawn)
			b.keys(t, key)
			if end := b.wait(t, 15*time.Second); end.ExitCode() != 0 {
				t.Errorf("ended with %v, want exit code 0", end)
			}
			for _, left := range b.untidy(t) {
				t.Error("left behind:", left)
			}
		})
	}
}

// TestKill ends a board without a chance to tidy up: what it recorded is there all the same.
func TestKill(t *testing.T) {
	t.Parallel()
	s := newStation(t, "", checks(oneCommand))
	for round := range 2 {
		b := s.start(t, 80, 24)
		b.await(t, "the board", 20*time.Second, drawn)
		if got := s.awaitHistory(t, "well", "pass", 20*time.Second); got.Check != "well" {
			t.Errorf("round %d: %+v", round, got)
		}
		if end := b.signal(t, syscall.SIGKILL); end.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Errorf("ended with %v", end)
		}
		if got := s.history(t, "well"); len(got) != 1 || got[0].Status != "pass" {
			t.Errorf("round %d: the history after the kill is %+v", round, got)
		}
	}
	if d, code := s.check(t); code != 0 {
		t.Errorf("a check afterwards: exit code %d, %+v", code, d)
	}
}

// TestInterruptedCheck stops a check that waits for an answer.
func TestInterruptedCheck(t *testing.T) {
	t.Parallel()
	s := newStation(t, "", checks(`- {id: slow, title: t, probe: command, with: {argv: [sleep, "60"]}, weight: 1, timeout: 50s}`))
	b := s.start(t, 80, 24, "check")
	b.await(t, "the question", 20*time.Second, func(raw string) bool { return strings.Contains(raw, "asked 0 of 1") })
	began := time.Now()
	if end := b.signal(t, syscall.SIGINT); end.ExitCode() != 130 {
		t.Errorf("ended with %v, want exit code 130", end)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the end took %v", took)
	}
}

// TestPlainOutput wants no escape sequence where nobody would read it.
func TestPlainOutput(t *testing.T) {
	t.Parallel()
	plain := func(t *testing.T, text string) {
		t.Helper()
		if strings.ContainsRune(text, '\x1b') {
			t.Errorf("escape sequences:\n%q", text)
		}
		if !strings.Contains(text, "GO") {
			t.Errorf("no verdict:\n%s", text)
		}
	}
	t.Run("a pipe", func(t *testing.T) {
		t.Parallel()
		s := newStation(t, "", checks(oneCommand))
		for _, args := range [][]string{{}, {"check"}, {"--theme", "dark", "check"}} {
			o := s.run(t, args...)
			plain(t, o.stdout)
			if o.code != 0 || strings.ContainsRune(o.stderr, '\x1b') {
				t.Errorf("%v: exit code %d, standard error %q", args, o.code, o.stderr)
			}
		}
		if o := s.run(t, "--wall"); o.code == 0 || o.stderr == "" {
			t.Errorf("a wall into a pipe: exit code %d, %q", o.code, o.stderr)
		}
	})
	t.Run("a dumb terminal", func(t *testing.T) {
		t.Parallel()
		s := newStation(t, "", checks(oneCommand))
		s.env = []string{"TERM=dumb"}
		for _, args := range [][]string{{}, {"check"}, {"history"}} {
			b := s.start(t, 80, 24, args...)
			if end := b.wait(t, 30*time.Second); end.ExitCode() != 0 {
				t.Errorf("%v: ended with %v", args, end)
			}
			plain(t, b.raw())
		}
	})
	t.Run("NO_COLOR", func(t *testing.T) {
		t.Parallel()
		s := newStation(t, "", checks(oneCommand))
		s.env = []string{"NO_COLOR=yes"}
		b := s.start(t, 80, 24, "check")
		if end := b.wait(t, 30*time.Second); end.ExitCode() != 0 {
			t.Errorf("ended with %v", end)
		}
		if colours := colourSequences(b.raw()); len(colours) > 0 {
			t.Errorf("check: colours %q", colours)
		}
		b = s.start(t, 80, 24)
		b.await(t, "the board", 20*time.Second, drawn)
		b.signal(t, syscall.SIGTERM)
		if colours := colourSequences(b.raw()); len(colours) > 0 {
			t.Errorf("board: colours %q", colours)
		}
	})
	t.Run("colours otherwise", func(t *testing.T) {
		t.Parallel()
		s := newStation(t, "", checks(oneCommand))
		b := s.start(t, 80, 24)
		b.await(t, "the board", 20*time.Second, drawn)
		if colours := colourSequences(b.raw()); len(colours) == 0 {
			t.Error("the test is blind: the board has no colours at all")
		}
		b.signal(t, syscall.SIGTERM)
	})
}

// TestTinyTerminals wants no crash where nothing fits.
func TestTinyTerminals(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]uint16{{1, 1}, {1, 24}, {80, 1}, {2, 2}, {0, 0}} {
		for name, args := range map[string][]string{"board": nil, "wall": {"--wall"}, "check": {"check"}, "explain": {"explain", "score"}} {
			t.Run(fmt.Sprintf("%s at %dx%d", name, size[0], size[1]), func(t *testing.T) {
				s := newStation(t, "", checks(oneCommand))
				b := s.start(t, size[0], size[1], args...)
				if name == "board" || name == "wall" {
					s.awaitHistory(t, "well", "pass", 20*time.Second)
					b.await(t, "the screen", 20*time.Second, func(raw string) bool { return strings.Contains(raw, "\x1b[?1049h") })
					b.keys(t, "?\x1b[B\t/a\x1b")
					time.Sleep(300 * time.Millisecond) // long enough for it to draw what the keys did
					must(t, b.cmd.Process.Signal(syscall.SIGTERM))
				}
				if end := b.wait(t, 20*time.Second); end.ExitCode() != 0 {
					t.Errorf("ended with %v", end)
				}
				if raw := b.raw(); strings.Contains(raw, "panic") || strings.Contains(raw, "goroutine ") {
					t.Error("crashed")
				}
				for _, left := range b.untidy(t) {
					t.Error("left behind:", left)
				}
			})
		}
	}
}
