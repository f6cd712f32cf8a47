//go:build unix

package command

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// family is a program and what it starts: a process group of their own.
type family struct{ cmd *exec.Cmd }

func newFamily(cmd *exec.Cmd) *family {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return &family{cmd: cmd}
}

// adopt takes in the program that was started; here it was born into the group.
func (f *family) adopt() error { return nil }

// kill ends every process of the group.
func (f *family) kill() error {
	if f.cmd.Process == nil {
		return nil
	}
	err := syscall.Kill(-f.cmd.Process.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// end ends what is left of the group when the program itself has ended.
func (f *family) end() { _ = f.kill() }
