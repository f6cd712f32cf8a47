//go:build unix && !linux

package labtest

import "syscall"

// ownGroup puts a server into a process group of its own, to be killed as one.
func ownGroup(syscall.Signal) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
