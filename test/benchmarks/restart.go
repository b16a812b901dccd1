package main

import (
	"context"
	"fmt"
	"time"

	"github.com/roster-dev/roster/test/environment"
)

// measureRestart stops the manager, starts it again in the converged cluster, and looks whether it writes anything.
func (s *stage) measureRestart(ctx context.Context, results *results) error {
	before, err := highWater(s.manager.PID())
	if err != nil {
		return err
	}
	if err := s.manager.Stop(); err != nil {
		return err
	}
	begin := time.Now()
	if err := s.manager.Restart(ctx); err != nil {
		return err
	}
	synced, err := s.settledSince(ctx)
	if err != nil {
		return err
	}
	results.restart = synced.Sub(begin)
	s.say("the manager had synced everything %s after its restart", rounded(results.restart))
	select {
	case <-time.After(time.Until(begin.Add(s.options.idle))):
	case <-ctx.Done():
		return ctx.Err()
	}
	if results.writes, err = s.writesSince(begin); err != nil {
		return err
	}
	after, err := highWater(s.manager.PID())
	results.memoryBefore, results.memoryAfter = before, after
	return err
}

// writesSince are the requests of the manager that changed something.
func (s *stage) writesSince(begin time.Time) ([]environment.AuditedRequest, error) {
	all, err := s.cluster.Writes(environment.ManagerUser)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	var later []environment.AuditedRequest
	for _, write := range all {
		if write.Time.After(begin) {
			later = append(later, write)
		}
	}
	return later, nil
}
