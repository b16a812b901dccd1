package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/roster-dev/roster/test/environment"
)

// load is what the manager has to do.
type load struct {
	queued, active, reconciled float64
	// unrecorded are the changes that aren't in the history yet.
	unrecorded float64
}

// busy says whether there is something to do, or nothing has been done yet since the start.
func (l load) busy() bool { return l.queued+l.active+l.unrecorded > 0 || l.reconciled == 0 }

// readLoad asks the manager's metrics.
func readLoad(ctx context.Context, manager *environment.Manager) (load, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, manager.MetricsURL(), nil)
	if err != nil {
		return load{}, err
	}
	// Compressing would be work for the manager that belongs to the measurement.
	request.Header.Set("Accept-Encoding", "identity")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return load{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return load{}, fmt.Errorf("GET %s: %s", manager.MetricsURL(), response.Status)
	}
	var sum load
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, _, _ := strings.Cut(lines.Text(), "{")
		value, _ := strconv.ParseFloat(lines.Text()[strings.LastIndexByte(lines.Text(), ' ')+1:], 64)
		switch name {
		case "workqueue_depth":
			sum.queued += value
		case "controller_runtime_active_workers":
			sum.active += value
		case "roster_history_changes_pending", "roster_activity_queue_records":
			sum.unrecorded += value
		case "controller_runtime_reconcile_total":
			sum.reconciled += value
		}
	}
	return sum, lines.Err()
}

// highWater is the most memory, in bytes, that a process has had in use.
func highWater(pid int) (int64, error) {
	path := fmt.Sprintf("/proc/%d/status", pid)
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(content)) {
		var kilobytes int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); err == nil {
			return kilobytes << 10, nil
		}
	}
	return 0, fmt.Errorf("%s has no line VmHWM", path)
}
