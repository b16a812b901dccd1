package environment

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// processAttributes gives a process a group of its own, so that an interrupt at the terminal reaches only the parent,
// which then stops its children in order. What isn't detached dies with its parent.
func processAttributes(detached bool) *syscall.SysProcAttr {
	if detached {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// processStartTime identifies the running process with this pid: the boot it belongs to, and the clock ticks between
// that boot and its start. A process that ended but wasn't collected by its parent counts as gone.
func processStartTime(pid int) (string, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	// The second field is the command in parentheses, which may hold spaces and parentheses itself.
	fields := strings.Fields(string(status[bytes.LastIndexByte(status, ')')+1:]))
	const stateField, startTimeField = 0, 19
	if len(fields) <= startTimeField {
		return "", fmt.Errorf("read /proc/%d/stat: %d fields after the command, want more than %d", pid, len(fields), startTimeField)
	}
	if fields[stateField] == "Z" || fields[stateField] == "X" {
		return "", fmt.Errorf("process %d: %w", pid, errProcessEnded)
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[startTimeField], nil
}
