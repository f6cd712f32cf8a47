//go:build !unix

package main

import (
	"errors"
	"os/exec"
)

// detach refuses: a console takes its processes along.
func detach(*exec.Cmd) error {
	return errors.New("this system keeps no process apart from its console")
}
