//go:build unix

package sim

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockFolder keeps other processes from serving the scenario for as long as this one lives, or until it is unlocked.
func lockFolder(dir, scenario string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the simulated platform: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, scenario+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the simulated platform: %w", err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%w: another process serves it: %w", ErrServed, err)
	}
	return func() { _ = file.Close() }, nil
}
