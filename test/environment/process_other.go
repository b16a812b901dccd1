//go:build unix && !linux

package environment

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// processAttributes gives a process a group of its own, so that an interrupt at the terminal reaches only the parent,
// which then stops its children in order. A parent that is killed leaves them behind: only Linux can end them with it.
func processAttributes(detached bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: detached, Setpgid: !detached}
}

// processStartTime identifies the running process with this pid by the moment it started.
func processStartTime(pid int) (string, error) {
	output, err := exec.Command("ps", "-o", "state=,lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return "", fmt.Errorf("process %d doesn't run: %w", pid, err)
	}
	state, startTime, _ := strings.Cut(strings.TrimSpace(string(output)), " ")
	if strings.HasPrefix(state, "Z") {
		return "", fmt.Errorf("process %d: %w", pid, errProcessEnded)
	}
	return strings.TrimSpace(startTime), nil
}
