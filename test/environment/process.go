package environment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

const (
	// pollInterval is how often the state of a process or a server is looked at while waiting for it.
	pollInterval = 50 * time.Millisecond
	// killTimeout is how long a process may take to disappear after SIGKILL.
	killTimeout = 10 * time.Second
	// logTailSize is how much of a log is shown when its process ended unexpectedly.
	logTailSize = 2048
)

// errProcessEnded: the process was there and has ended.
var errProcessEnded = errors.New("it has ended")

// Process is one server of a cluster. Its pid alone doesn't identify it, because the system gives the pids of ended
// processes to new ones: the start time does.
type Process struct {
	// Name says what runs, for example kube-apiserver.
	Name string `json:"name"`
	// PID is the process id.
	PID int `json:"pid"`
	// StartTime identifies the process together with PID; its form depends on the operating system.
	StartTime string `json:"startTime"`
	// LogPath is the file that standard output and standard error go to.
	LogPath string `json:"log"`

	// exited is closed when the process ended; nil when an earlier command started the process.
	exited chan struct{}
}

// command says how to start a Process.
type command struct {
	name      string
	path      string
	arguments []string
	logPath   string
	detached  bool
}

// start runs the command. A detached process outlives this one, any other is killed when this one ends.
func (c command) start() (*Process, error) {
	logFile, err := os.OpenFile(c.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", c.name, err)
	}
	cmd := exec.Command(c.path, c.arguments...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.SysProcAttr = processAttributes(c.detached)
	process := &Process{Name: c.name, LogPath: c.logPath, exited: make(chan struct{})}
	started := make(chan error, 1)
	go process.run(cmd, logFile, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	return process, nil
}

// run starts the command and waits for its end on one thread: Linux tells a child that its parent is gone when the
// thread that started it ends, not when the whole process does.
func (p *Process) run(cmd *exec.Cmd, logFile io.Closer, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.exited)
	err := cmd.Start()
	// The child has a descriptor of its own.
	_ = logFile.Close()
	if err == nil {
		p.PID = cmd.Process.Pid
		p.StartTime, err = processStartTime(p.PID)
	}
	if errors.Is(err, errProcessEnded) {
		// It did start; who waits for it finds that it ended, and what it said.
		err = nil
	}
	started <- err
	if cmd.Process != nil {
		// How it ended is in the log, and Stop asks only whether it did.
		_ = cmd.Wait()
	}
}

// Running says whether this very process, not another one with its pid, still runs.
func (p *Process) Running() bool {
	if p.exited != nil {
		select {
		case <-p.exited:
			return false
		default:
			return true
		}
	}
	startTime, err := processStartTime(p.PID)
	return err == nil && startTime == p.StartTime
}

// Stop asks the process to end, waits up to patience, and then kills it. A process that ended already is no error.
func (p *Process) Stop(patience time.Duration) error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	if p.waitForExit(patience) {
		return nil
	}
	return p.Kill()
}

// Kill ends the process at once, as a crash would.
func (p *Process) Kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if !p.waitForExit(killTimeout) {
		return fmt.Errorf("%s (pid %d) still runs %s after it was killed", p.Name, p.PID, killTimeout)
	}
	return nil
}

func (p *Process) signal(signal syscall.Signal) error {
	if !p.Running() {
		return nil
	}
	if err := syscall.Kill(p.PID, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %s to %s (pid %d): %w", signal, p.Name, p.PID, err)
	}
	return nil
}

func (p *Process) waitForExit(patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return poll(ctx, func(context.Context) (bool, error) { return !p.Running(), nil }) == nil
}

// waitUntil polls ready until it is true. It gives up when the process ends or ctx is done, and then shows the end of
// the process's log.
func (p *Process) waitUntil(ctx context.Context, ready func(context.Context) error) error {
	var notReady error
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		if !p.Running() {
			return false, errors.New("it ended")
		}
		notReady = ready(ctx)
		return notReady == nil, nil
	})
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s did not become ready: %w; its log %s ends with:\n%s",
		p.Name, errors.Join(err, notReady), p.LogPath, logTail(p.LogPath))
}

// logTail returns the last lines of a log file.
func logTail(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if len(content) > logTailSize {
		content = content[len(content)-logTailSize:]
		if _, rest, found := bytes.Cut(content, []byte("\n")); found {
			content = rest
		}
	}
	return string(content)
}
