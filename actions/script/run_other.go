//go:build !unix

package script

import (
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"time"
)

func executable(fs.FileInfo) bool { return true } // the name decides

// ending is how a program ended.
type ending struct {
	notStarted error
	code       int
	signal     string
}

// execute runs a program and says every line that it prints. Here there are no terminals to give it; when ctx ends, it is ended.
func execute(ctx context.Context, path string, args []string, dir string, env []string, say func(string)) ending {
	out := &lines{say: say}
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // what to run is the profile's to say
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = dir, env, out, out, 2*time.Second
	if err := cmd.Start(); err != nil {
		return ending{notStarted: err}
	}
	err := cmd.Wait()
	out.flush()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) && ctx.Err() == nil {
		return ending{code: -1, signal: err.Error()}
	}
	return ending{code: cmd.ProcessState.ExitCode()}
}
