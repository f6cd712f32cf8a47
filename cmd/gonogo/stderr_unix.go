//go:build unix

package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// captureStderr keeps what others write to the process's standard error, as credential plug-ins of a kubeconfig do, off the screen that the
// board draws on. release puts things back and returns what was written, bounded. A crash of the runtime still reaches the terminal.
func captureStderr() (release func() string, err error) {
	kept, err := os.CreateTemp("", "gonogo-stderr-*")
	if err != nil {
		return nil, fmt.Errorf("keeping standard error off the screen: %w", err)
	}
	_ = os.Remove(kept.Name()) // the open file is all that is needed
	real, err := unix.Dup(unix.Stderr)
	if err != nil {
		_ = kept.Close()
		return nil, fmt.Errorf("keeping standard error off the screen: %w", err)
	}
	unix.CloseOnExec(real)
	original := os.NewFile(uintptr(real), "stderr")
	_ = debug.SetCrashOutput(original, debug.CrashOptions{})
	if err := unix.Dup2(int(kept.Fd()), unix.Stderr); err != nil {
		_ = kept.Close()
		_ = original.Close()
		return nil, fmt.Errorf("keeping standard error off the screen: %w", err)
	}
	return func() string {
		_ = unix.Dup2(int(original.Fd()), unix.Stderr)
		_ = debug.SetCrashOutput(nil, debug.CrashOptions{})
		_ = original.Close()
		defer func() { _ = kept.Close() }()
		const most = 8 << 10
		if _, err := kept.Seek(0, io.SeekStart); err != nil {
			return ""
		}
		text, _ := io.ReadAll(io.LimitReader(kept, most))
		return string(text)
	}, nil
}
