package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/roster-dev/roster/hack/internal/filelock"
	"github.com/roster-dev/roster/test/environment"
)

const (
	// answerTimeout is how long a control plane whose processes run may take to answer.
	answerTimeout = 20 * time.Second
	// managerChecksumFile remembers which build of the manager runs, so that a newer one replaces it.
	managerChecksumFile = "manager.sha256"
)

// local is the control plane in one directory, and what goes on with it.
type local struct {
	directory string
	port      int
	output    io.Writer
	began     time.Time
}

func newLocal(output io.Writer) *local {
	return &local{output: output, began: time.Now()}
}

// say prints a line of progress with the time since the command began.
func (l *local) say(format string, arguments ...any) {
	l.print("[%5.1fs] %s\n", time.Since(l.began).Seconds(), fmt.Sprintf(format, arguments...))
}

func (l *local) print(format string, arguments ...any) {
	// Output that can't be shown is no reason to leave half a control plane behind.
	_, _ = fmt.Fprintf(l.output, format, arguments...)
}

// Write takes the progress of the control plane, line by line.
func (l *local) Write(line []byte) (int, error) {
	l.say("%s", bytes.TrimSpace(line))
	return len(line), nil
}

// exclusively runs one command at a time on a directory.
func (l *local) exclusively(run func() error) error {
	release, err := filelock.Acquire(l.directory+".lock", func() {
		l.say("another command works on %s: waiting for it", l.directory)
	})
	if err != nil {
		return err
	}
	defer release()
	return run()
}

// controlPlane returns the control plane that runs, after starting it if necessary, on the data that an earlier one
// left. A half-dead one is stopped first.
func (l *local) controlPlane(ctx context.Context) (*environment.Cluster, error) {
	const highestPort = 65535
	if l.port < 0 || l.port > highestPort {
		return nil, fmt.Errorf("PORT=%d: give a number from 1 to %d, or leave PORT out for any free one", l.port, highestPort)
	}
	cluster, err := environment.Attach(l.directory, l)
	if errors.Is(err, fs.ErrNotExist) {
		return l.start(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; `make down` clears the way", err)
	}
	missing := cluster.Missing()
	if len(missing) == 0 {
		return cluster, l.checkRunning(ctx, cluster)
	}
	if running := describe(cluster.Processes(), true); running != "" {
		l.say("the control plane in %s is half-dead: %s gone, still running: %s", l.directory, strings.Join(missing, ", "), running)
	} else {
		l.say("the control plane in %s doesn't run any more", l.directory)
	}
	l.say("starting all of it again on the data that is there (`make down` would start from nothing)")
	if err := cluster.Stop(); err != nil {
		return nil, fmt.Errorf("stop what is left of the control plane: %w", err)
	}
	return l.start(ctx)
}

func (l *local) start(ctx context.Context) (*environment.Cluster, error) {
	cluster, err := environment.Start(ctx, environment.Options{
		Directory:   l.directory,
		Port:        l.port,
		Detached:    true,
		AuditStream: true,
		Progress:    l,
	})
	if errors.Is(err, environment.ErrPortTaken) {
		return nil, fmt.Errorf("%w: ask for another one with `make up PORT=…`, or for any free one by leaving PORT out", err)
	}
	return cluster, err
}

// checkRunning looks at a control plane all of whose processes run.
func (l *local) checkRunning(ctx context.Context, cluster *environment.Cluster) error {
	if l.port != 0 && l.port != cluster.Port() {
		return fmt.Errorf("PORT=%d: the control plane is up already on port %d: `make down` it first, or leave PORT out",
			l.port, cluster.Port())
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := cluster.Ready(ctx); err != nil {
		return fmt.Errorf("the control plane runs, but doesn't answer (%w): see %s, or start from nothing with `make down` "+
			"and `make up`", err, filepath.Join(l.directory, "kube-apiserver.log"))
	}
	l.say("the control plane is up already at %s", cluster.URL())
	return nil
}

// manager starts Roster's manager, unless this very build of it runs already.
func (l *local) manager(ctx context.Context, cluster *environment.Cluster) error {
	binary, err := environment.BuildManager(ctx)
	if err != nil {
		return err
	}
	checksum, err := checksumOf(binary)
	if err != nil {
		return err
	}
	checksumPath := filepath.Join(cluster.Directory, managerChecksumFile)
	if process := cluster.Process(environment.ManagerProcess); process != nil {
		before, err := os.ReadFile(checksumPath)
		switch {
		case !process.Running():
			l.say("the manager (pid %d) is gone: starting it again", process.PID)
		case err == nil && string(before) == checksum:
			l.say("the manager runs already (pid %d)", process.PID)
			return nil
		default:
			l.say("the manager (pid %d) is of another build: replacing it", process.PID)
		}
		if err := cluster.StopProcess(process); err != nil {
			return err
		}
	}
	if _, err := cluster.StartManager(ctx); err != nil {
		return err
	}
	return os.WriteFile(checksumPath, []byte(checksum), 0o600)
}

func checksumOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// describe names the processes that run, or those that don't, with their pids.
func describe(processes []*environment.Process, running bool) string {
	var names []string
	for _, process := range processes {
		if process.Running() == running {
			names = append(names, fmt.Sprintf("%s (pid %d)", process.Name, process.PID))
		}
	}
	return strings.Join(names, ", ")
}
