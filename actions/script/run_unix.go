//go:build unix

package script

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/creack/pty"
)

// How a script is ended: asked as a person would with Ctrl-C, then told, then made to.
const (
	afterInterrupt = 5 * time.Second
	afterTerminate = 5 * time.Second
	// draining is how long what a script left running may hold on to its terminal.
	draining = 2 * time.Second
)

func executable(info fs.FileInfo) bool { return info.Mode()&0o111 != 0 }

// ending is how a program ended.
type ending struct {
	notStarted error
	code       int
	signal     string // that ended it; empty if it ended by itself
}

// execute runs a program in a session and at a terminal of its own, and says every line that it prints. When ctx ends, it and whatever it
// started are ended. Nothing answers questions: its standard input is empty.
func execute(ctx context.Context, path string, args []string, dir string, env []string, say func(string)) ending {
	terminal, inside, err := pty.Open()
	if err != nil {
		return ending{notStarted: err}
	}
	defer func() { _ = terminal.Close() }()
	_ = pty.Setsize(inside, &pty.Winsize{Rows: 50, Cols: 200}) // a size is a courtesy
	cmd := exec.Command(path, args...)                         //nolint:gosec // what to run is the profile's to say
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, inside, inside
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1}
	if err := cmd.Start(); err != nil {
		_ = inside.Close()
		return ending{notStarted: err}
	}
	_ = inside.Close()
	read := make(chan struct{})
	out := &lines{say: say}
	go func() {
		defer close(read)
		_, _ = io.Copy(out, terminal) // ends with an error when the last one lets go of the terminal
		out.flush()
	}()
	ended := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop(ctx, cmd.Process.Pid, ended)
	}()
	err = cmd.Wait()
	close(ended)
	<-stopped
	select {
	case <-read:
	case <-time.After(draining):
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left running goes with it
	_ = terminal.Close()
	<-read
	return endingOf(cmd, err)
}

// stop ends the process group when ctx ends, unless its leader has ended before.
func stop(ctx context.Context, pid int, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	for _, how := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGINT, afterInterrupt}, {syscall.SIGTERM, afterTerminate}, {syscall.SIGKILL, time.Hour}} {
		_ = syscall.Kill(-pid, how.signal)
		select {
		case <-ended:
			return
		case <-time.After(how.wait):
		}
	}
}

func endingOf(cmd *exec.Cmd, err error) ending {
	state := cmd.ProcessState
	if state == nil {
		return ending{notStarted: errors.Join(err, os.ErrProcessDone)}
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return ending{code: -1, signal: status.Signal().String()}
	}
	return ending{code: state.ExitCode()}
}
