package activity

import "syscall"

// endsWithTests has the kernel end a process of another user, if any is named, when the tests end, however they do.
func endsWithTests(account *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: account, Pdeathsig: syscall.SIGQUIT}
}
