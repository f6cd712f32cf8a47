//go:build !unix

package main

import (
	"errors"
	"os/exec"
)

// detachable is whether a process can be kept apart from this one's terminal.
const detachable = false

// detach refuses: a console takes its processes along.
func detach(*exec.Cmd) error {
	return errors.New("this system keeps no process apart from its console")
}
