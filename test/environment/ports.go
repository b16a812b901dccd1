package environment

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	loopback = "127.0.0.1"
	// Free ports are looked for below the range that systems use for outgoing connections, because a port from that
	// range can be taken between the moment it is found and the moment the server listens on it.
	lowestPort, highestPort = 20000, 32000
	portAttempts            = 200
	// startAttempts is how often a server is started again on another port when somebody else was faster.
	startAttempts = 5
)

// ErrPortTaken is returned when a port that was asked for by number is in use.
var ErrPortTaken = errors.New("port is taken")

// errAddressInUse says that a server ended because another process took its port first.
var errAddressInUse = errors.New("address in use")

// FreePort finds a TCP port on 127.0.0.1 that nobody listens on.
func FreePort() (int, error) {
	for range portAttempts {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if portIsFree(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port found on %s between %d and %d after %d attempts", loopback, lowestPort, highestPort, portAttempts)
}

func portIsFree(port int) bool {
	listener, err := net.Listen("tcp", address(port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

func address(port int) string {
	return net.JoinHostPort(loopback, strconv.Itoa(port))
}

// onFreePort calls start with the preferred port, or with a free one when preferred is 0 or taken, and again with
// another one as long as somebody else takes the port first.
func onFreePort(preferred int, start func(port int) error) error {
	port := preferred
	var err error
	for range startAttempts {
		if port == 0 || !portIsFree(port) {
			if port, err = FreePort(); err != nil {
				return err
			}
		}
		if err = start(port); !errors.Is(err, errAddressInUse) {
			return err
		}
		port = 0
	}
	return err
}

// markAddressInUse tells the error of a server whose port was taken apart from others, by what its log says.
func markAddressInUse(err error, process *Process) error {
	if err == nil || process.Running() {
		return err
	}
	content, readError := os.ReadFile(process.LogPath)
	if readError == nil && strings.Contains(lastPart(string(content)), "address already in use") {
		return errors.Join(errAddressInUse, err)
	}
	return err
}

func lastPart(log string) string {
	return log[max(0, len(log)-logTailSize):]
}

// poll calls condition until it is true, it fails, or ctx is done.
func poll(ctx context.Context, condition wait.ConditionWithContextFunc) error {
	return wait.PollUntilContextCancel(ctx, pollInterval, true, condition)
}

// pollFor does so for a while.
func pollFor(ctx context.Context, patience time.Duration, condition wait.ConditionWithContextFunc) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return poll(ctx, condition)
}
