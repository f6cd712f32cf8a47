//go:build unix

package runs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// errBusy is that another process carries the run out.
var errBusy = errors.New("another process carries it out")

// lockRun makes this process the one that carries a run out. The lock ends with it, whatever ends it.
func lockRun(dir string) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the run: %w", err)
	}
	for range 20 { // somebody may be looking whether it is locked
		if err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return func() { _ = file.Close() }, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, errors.Join(errBusy, file.Close())
}

// Alive reports whether a process carries the run of a folder out.
func Alive(dir string) bool {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	return unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
}
