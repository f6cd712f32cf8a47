package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// Limits on what a program may print; standard error is only looked at for its first lines.
const (
	maxStdout = 1 << 20
	maxStderr = 64 << 10
)

// closing is how long a program's pipes may stay open after it has ended or was told to: a child of it may hold them.
const closing = 500 * time.Millisecond

// finished is a program that has ended by itself.
type finished struct {
	code           int
	stdout, stderr []byte
}

var errTooMuch = errors.New("it printed more than 1 MiB")

// run runs a program to its end, or to the end of ctx, or until it has printed too much. Whatever it started ends with it.
func run(ctx context.Context, argv []string, dir string, env []string) (finished, error) {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stdout := &bounded{limit: maxStdout, full: func() { cancel(errTooMuch) }}
	stderr := &bounded{limit: maxStderr}
	cmd := exec.CommandContext(inner, argv[0], argv[1:]...) //nolint:gosec // what to run is the profile's to say
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = dir, env, stdout, stderr, closing
	family := newFamily(cmd)
	defer family.end()
	cmd.Cancel = family.kill
	if err := cmd.Start(); err != nil {
		return finished{}, err
	}
	if err := family.adopt(); err != nil {
		cancel(err)
	}
	err := cmd.Wait()
	switch cause := context.Cause(inner); {
	case ctx.Err() != nil:
		return finished{}, ctx.Err()
	case cause != nil:
		return finished{}, cause
	case cmd.ProcessState == nil:
		return finished{}, err
	case !cmd.ProcessState.Exited():
		return finished{}, fmt.Errorf("it was ended from outside: %s", cmd.ProcessState)
	}
	// Whatever else Wait complains of concerns pipes that a child kept open; the program itself has answered.
	return finished{code: cmd.ProcessState.ExitCode(), stdout: stdout.kept.Bytes(), stderr: stderr.kept.Bytes()}, nil
}

// bounded keeps the beginning of what is written and calls full once when there is more.
type bounded struct {
	kept  bytes.Buffer
	limit int
	full  func()
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.limit - b.kept.Len()
	b.kept.Write(p[:min(len(p), room)])
	if len(p) > room && b.full != nil {
		b.full()
		b.full = nil
	}
	return len(p), nil
}
