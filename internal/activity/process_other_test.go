//go:build !linux

package activity

import "syscall"

// endsWithTests only names the user: the kernel ends no process together with its parent here.
func endsWithTests(account *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: account}
}
