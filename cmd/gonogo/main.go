// Command gonogo answers one question for one Kubernetes platform, live and with proof: may it go to production, and if not, what next?
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	_ "time/tzdata" // zones of schedules, where the system has none

	"github.com/254carbon/gonogo/probes"
)

// Exit codes of every command; check adds its own.
const (
	exitOK      = 0
	exitNoGo    = 1
	exitUsage   = 2
	exitUnknown = 3
	exitOutput  = 74 // the result could not be written
)

// exitError ends the program with a code. Its text, if any, is for standard error.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// streams are the program's three standard streams, and the program.
type streams struct {
	in       *os.File
	out, err io.Writer
	exe      string // path of this program, to start processes of its own; empty: everything happens in this one
}

func main() {
	// A hang-up ends the program as an interrupt does: in order, with the terminal as it was.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends the program whatever it is doing
	exe, err := os.Executable()
	if err != nil {
		exe = ""
	}
	code := run(ctx, filepath.Base(os.Args[0]), os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, exe: exe})
	stop()
	os.Exit(code)
}

// run carries out one command line and returns its exit code.
func run(ctx context.Context, name string, args []string, s streams) int {
	root := newRoot(name, s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var exit exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		if exit.err != nil {
			complain(s.err, exit.err)
		}
		return exit.code
	case errors.Is(err, syscall.EPIPE):
		return exitOK // whoever read has had enough
	case notWritten(err):
		complain(s.err, err)
		return exitOutput
	}
	complain(s.err, err)
	return exitUsage
}

// notWritten reports whether the result was there and could not be written.
func notWritten(err error) bool {
	path := (*fs.PathError)(nil)
	return errors.As(err, &path) && (path.Op == "write" || path.Op == "sync" || path.Op == "close" || errors.Is(err, syscall.ENOSPC))
}

// complain writes an error, each of its lines made safe for a terminal.
func complain(w io.Writer, err error) {
	for n, line := range strings.Split(err.Error(), "\n") {
		prefix := "gonogo: "
		if n > 0 {
			prefix = "        "
		}
		_, _ = fmt.Fprintln(w, prefix+probes.Clean(line, 2000))
	}
}
