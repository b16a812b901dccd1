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
	if results.writes, err = s.cluster.WritesSince(environment.ManagerUser, begin); err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	after, err := highWater(s.manager.PID())
	results.memoryBefore, results.memoryAfter = before, after
	return err
}
