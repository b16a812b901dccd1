// Package filelock keeps two commands from doing the same work at the same time.
package filelock

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Acquire waits until no other process holds the lock on the file, and takes it. When it has to wait, it calls waiting
// first. The system gives the lock back when this process ends, however it ends.
func Acquire(path string, waiting func()) (release func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	descriptor := int(file.Fd())
	err = syscall.Flock(descriptor, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		waiting()
		err = syscall.Flock(descriptor, syscall.LOCK_EX)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return func() { _ = file.Close() }, nil
}
