package command

import (
	"fmt"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// family is a program and what it starts: a job object, with whose last handle all of them end.
type family struct {
	cmd *exec.Cmd
	job windows.Handle
	err error
}

func newFamily(cmd *exec.Cmd) *family {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
	f := &family{cmd: cmd}
	if f.job, f.err = windows.CreateJobObject(nil, nil); f.err != nil {
		return f
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE},
	}
	_, f.err = windows.SetInformationJobObject(f.job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))) //nolint:gosec // as the call wants it
	return f
}

// adopt puts the program that was started into the job. What it may have started before that is not in it.
func (f *family) adopt() error {
	if f.err != nil {
		return fmt.Errorf("making a job for it: %w", f.err)
	}
	h, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(f.cmd.Process.Pid)) //nolint:gosec // a process id
	if err != nil {
		return nil //nolint:nilerr // it has ended already
	}
	defer func() { _ = windows.CloseHandle(h) }()
	if err := windows.AssignProcessToJobObject(f.job, h); err != nil {
		return fmt.Errorf("putting it into a job: %w", err)
	}
	return nil
}

// kill ends every process of the job.
func (f *family) kill() error {
	if f.job == 0 {
		return f.cmd.Process.Kill()
	}
	_ = windows.TerminateJobObject(f.job, 1)
	return f.cmd.Process.Kill()
}

// end ends what is left of the job when the program itself has ended.
func (f *family) end() {
	if f.job != 0 {
		_ = windows.CloseHandle(f.job)
		f.job = 0
	}
}
