//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// detachable is whether a process can be kept apart from this one's terminal.
const detachable = true

// detach prepares a process that neither a hang-up of this one's terminal nor its end touches.
func detach(c *exec.Cmd) error {
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return nil
}
