//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
	"github.com/creack/pty"
)

// board is the program on a terminal. Nobody answers what it asks the terminal, as on a plain one.
type board struct {
	cmd    *exec.Cmd
	tty    *os.File    // the program's side, kept open so that its settings can be read when the program has ended
	master *os.File    // the side of the screen and the keyboard
	before *term.State // of the terminal, before the program
	began  time.Time
	done   chan struct{} // closed once the program has ended
	err    error         // how; valid after done

	mu  sync.Mutex
	out bytes.Buffer
}

// start runs the program on a terminal of its own. The test's end ends it.
func (s *station) start(t *testing.T, cols, rows uint16, args ...string) *board {
	t.Helper()
	return begin(t, s.command(context.Background(), args...), cols, rows)
}

// startDemo runs the board of the simulated platform that is kept in a folder.
func (s *station) startDemo(t *testing.T, dir string) *board {
	t.Helper()
	cmd := exec.Command(suite.binary, "--demo", "--state-dir", dir)
	cmd.Env = s.command(context.Background()).Env
	return begin(t, cmd, 120, 36)
}

// begin runs a command on a terminal of its own.
func begin(t *testing.T, cmd *exec.Cmd, cols, rows uint16) *board {
	t.Helper()
	master, tty, err := pty.Open()
	must(t, err)
	b := &board{master: master, tty: tty, done: make(chan struct{})}
	must(t, pty.Setsize(tty, &pty.Winsize{Cols: cols, Rows: rows}))
	b.before, err = term.GetState(tty.Fd())
	must(t, err)
	b.cmd = cmd
	b.cmd.Stdin, b.cmd.Stdout, b.cmd.Stderr = tty, tty, tty
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	b.began = time.Now()
	must(t, b.cmd.Start())
	go func() {
		b.err = b.cmd.Wait()
		close(b.done)
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.read()
	}()
	t.Cleanup(func() {
		_ = b.cmd.Process.Kill()
		<-b.done
		_ = tty.Close()
		_ = master.Close()
		<-read
		if t.Failed() {
			t.Logf("what the terminal was sent last:\n%s", last(b.text(), 1500))
		}
	})
	return b
}

func last(text string, n int) string { return text[max(0, len(text)-n):] }

// read keeps what the program writes.
func (b *board) read() {
	chunk := make([]byte, 64<<10)
	for {
		n, err := b.master.Read(chunk)
		b.mu.Lock()
		b.out.Write(chunk[:n])
		b.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// raw is everything that was written.
func (b *board) raw() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.String()
}

// text is what was written without escape sequences. Only the first frame is whole; what follows are differences.
func (b *board) text() string { return ansi.Strip(b.raw()) }

// await waits until what was written satisfies a condition, and returns how long that was after the start.
func (b *board) await(t *testing.T, what string, within time.Duration, ok func(raw string) bool) time.Duration {
	t.Helper()
	end := time.Now().Add(within)
	for !ok(b.raw()) {
		select {
		case <-b.done:
			if ok(b.raw()) {
				return time.Since(b.began)
			}
			t.Fatalf("waiting for %s: the board ended (%v)", what, b.err)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("waiting for %s: not within %v", what, within)
		}
	}
	return time.Since(b.began)
}

// signal sends a signal and returns how the program ended.
func (b *board) signal(t *testing.T, s syscall.Signal) *os.ProcessState {
	t.Helper()
	must(t, b.cmd.Process.Signal(s))
	return b.wait(t, 15*time.Second)
}

// keys types.
func (b *board) keys(t *testing.T, text string) {
	t.Helper()
	_, err := b.master.WriteString(text)
	must(t, err)
}

// wait waits for the program's end.
func (b *board) wait(t *testing.T, within time.Duration) *os.ProcessState {
	t.Helper()
	select {
	case <-b.done:
	case <-time.After(within):
		t.Fatalf("the program did not end within %v", within)
	}
	var exit *exec.ExitError
	if b.err != nil && !errors.As(b.err, &exit) {
		t.Fatal(b.err)
	}
	time.Sleep(100 * time.Millisecond) // what it wrote last is on its way
	return b.cmd.ProcessState
}

var modeSequence = regexp.MustCompile(`\x1b\[\?([0-9;]+)([hl])`)

// modes are the private modes of a terminal after what was written, by number: those that were never touched are missing.
func modes(raw string) map[int]bool {
	on := map[int]bool{}
	for _, m := range modeSequence.FindAllStringSubmatch(raw, -1) {
		for _, number := range strings.Split(m[1], ";") {
			if n, err := strconv.Atoi(number); err == nil {
				on[n] = m[2] == "h"
			}
		}
	}
	return on
}

var keyboardSequence = regexp.MustCompile(`\x1b\[([<>=])([0-9;]*)u`)

// untidy lists what the program left different on the terminal.
func (b *board) untidy(t *testing.T) []string {
	t.Helper()
	raw, left := b.raw(), []string(nil)
	names := map[int]string{
		1049: "the alternate screen", 1047: "the alternate screen", 1000: "mouse clicks", 1002: "mouse drags", 1003: "mouse moves",
		1006: "mouse coordinates", 1015: "mouse coordinates", 1004: "focus reports", 2004: "bracketed paste", 2026: "synchronized output",
		2027: "grapheme clusters", 2031: "reports of colours", 1: "application cursor keys",
	}
	set := modes(raw)
	for mode, name := range names {
		if set[mode] {
			left = append(left, name+" (mode "+strconv.Itoa(mode)+") still on")
		}
	}
	if visible, touched := set[25]; touched && !visible {
		left = append(left, "the cursor hidden")
	}
	depth := 0
	for _, m := range keyboardSequence.FindAllStringSubmatch(raw, -1) {
		switch {
		case m[1] == ">":
			depth++
		case m[1] == "<":
			depth--
		case m[1] == "=":
			depth = 0
			if !strings.HasPrefix(m[2], "0") {
				depth = 1
			}
		}
	}
	if depth > 0 {
		left = append(left, "keyboard enhancements still on")
	}
	if i := strings.LastIndex(raw, "\x1b[>4"); i >= 0 && !strings.HasPrefix(raw[i:], "\x1b[>4m") && !strings.HasPrefix(raw[i:], "\x1b[>4;0m") {
		left = append(left, "modified keys still on")
	}
	after, err := term.GetState(b.tty.Fd())
	must(t, err)
	if *after != *b.before {
		left = append(left, "the line settings changed")
	}
	return left
}

var styleSequence = regexp.MustCompile(`\x1b\[([0-9;:]*)m`)

// colourSequences are the sequences that set a colour; bold, underlined and reversed text is none.
func colourSequences(raw string) []string {
	var found []string
	for _, m := range styleSequence.FindAllStringSubmatch(raw, -1) {
		for _, number := range strings.FieldsFunc(m[1], func(r rune) bool { return r == ';' || r == ':' }) {
			n, err := strconv.Atoi(number)
			if err == nil && (n >= 30 && n <= 38 || n >= 40 && n <= 48 || n >= 90 && n <= 107) {
				found = append(found, m[0])
				break
			}
		}
	}
	return found
}
