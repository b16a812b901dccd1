package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// writerChoices are the numbers of requests in flight that the plain client tries.
var writerChoices = []int{8, 16, 32, 64}

// findWriters gives the plain client the number of writers that is fastest on this machine.
func (s *stage) findWriters(ctx context.Context, results *results) error {
	if s.options.writers > 0 {
		s.plain.writers, results.writers = s.options.writers, fmt.Sprintf("%d writers", s.options.writers)
		return nil
	}
	var best time.Duration
	for _, writers := range writerChoices {
		trial := *s.plain
		trial.writers = writers
		took, err := trial.grant(ctx, s.users)
		if err != nil {
			return err
		}
		s.say("the plain client grants with %d writers in %s", writers, rounded(took))
		if best == 0 || took < best {
			best, s.plain.writers = took, writers
		}
		if _, err := trial.revoke(ctx); err != nil {
			return err
		}
	}
	results.writers = fmt.Sprintf("%d writers, the best of %v", s.plain.writers, writerChoices)
	return s.settled(ctx)
}

// swapped are the users with one of them replaced by the newcomer.
func (s *stage) swapped() []string {
	users := append(slices.Clone(s.users[1:]), s.newcomer)
	slices.Sort(users)
	return users
}

// measureTurns lets both sides grant, swap one user and revoke, turn about. It leaves Roster's last grant in force, since
// all that follows looks at it.
func (s *stage) measureTurns(ctx context.Context, results *results) error {
	for round := range s.options.rounds {
		if err := s.plainTurn(ctx, results); err != nil {
			return err
		}
		if err := s.rosterTurn(ctx, results, round < s.options.rounds-1); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) plainTurn(ctx context.Context, results *results) error {
	grant, err := s.plain.grant(ctx, s.users)
	if err != nil {
		return err
	}
	if err := s.settled(ctx); err != nil {
		return err
	}
	swap, err := s.plain.change(ctx, s.swapped())
	if err != nil {
		return err
	}
	if _, err := s.plain.revoke(ctx); err != nil {
		return err
	}
	s.say("plain:  grant %s, swap %s", rounded(grant), rounded(swap))
	results.grant.plain, results.swap.plain = append(results.grant.plain, grant), append(results.swap.plain, swap)
	return s.settled(ctx)
}

func (s *stage) rosterTurn(ctx context.Context, results *results, revoke bool) error {
	team := &v1alpha1.Team{
		ObjectMeta: inOrganization(teamName),
		Spec:       v1alpha1.TeamSpec{Members: usernames(s.users), Role: v1alpha1.RoleDeveloper, AllProjects: true},
	}
	grant, err := s.timed(ctx, &goal{subjects: s.users}, func(ctx context.Context) error {
		return s.client.Create(ctx, team)
	})
	if err != nil {
		return err
	}
	inForce := time.Now()
	quiet, err := s.settledSince(ctx)
	if err != nil {
		return err
	}
	results.recorded = append(results.recorded, quiet.Sub(inForce))
	swapping := &goal{subjects: s.swapped(), kept: s.users[1:]}
	swap, err := s.timed(ctx, swapping, func(ctx context.Context) error {
		return s.setMembers(ctx, team, swapping.subjects)
	})
	if err != nil {
		return err
	}
	s.say("roster: grant %s, swap %s, losses during the swap %d", rounded(grant), rounded(swap), len(swapping.losses))
	results.grant.roster, results.swap.roster = append(results.grant.roster, grant), append(results.swap.roster, swap)
	results.losses = append(results.losses, swapping.losses...)
	if err := s.settled(ctx); err != nil || !revoke {
		return err
	}
	if _, err := s.timed(ctx, &goal{}, func(ctx context.Context) error { return s.client.Delete(ctx, team) }); err != nil {
		return err
	}
	return s.settled(ctx)
}

// timed measures from a change of the team until a watch has seen all bindings of all projects as they are to be.
func (s *stage) timed(
	ctx context.Context, aim *goal, change func(context.Context) error,
) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	aim.binding, aim.namespaces = teamBinding, s.namespaces
	s.observer.aim(aim)
	begin := time.Now()
	if err := change(ctx); err != nil {
		return 0, fmt.Errorf("change the team: %w", err)
	}
	reached, err := s.observer.wait(ctx, aim)
	return reached.Sub(begin), err
}

func (s *stage) setMembers(ctx context.Context, team *v1alpha1.Team, users []string) error {
	before := team.DeepCopy()
	team.Spec.Members = usernames(users)
	return s.client.Patch(ctx, team, client.MergeFrom(before))
}

func usernames(users []string) []v1alpha1.Username {
	result := make([]v1alpha1.Username, 0, len(users))
	for _, user := range users {
		result = append(result, v1alpha1.Username(user))
	}
	return result
}
