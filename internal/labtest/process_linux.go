package labtest

import "syscall"

// ownGroup puts a server into a process group of its own, to be killed as one, and
// has the kernel send it the signal when the test process ends, in whatever way.
func ownGroup(signal syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: signal}
}
