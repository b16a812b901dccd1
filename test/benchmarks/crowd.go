package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/manager"
)

const (
	// maxCrowded is the goal: how long 99 of 100 requests take at most, however many names an organization lists.
	maxCrowded = 50 * time.Millisecond
	// crowdedNames is how many names each team lists, which is as many as it may.
	crowdedNames = 5000
	// crowdedWriters ask at once, in the second column.
	crowdedWriters = 4
	// crowdedWarmUp is how many requests of each kind come first and don't count.
	crowdedWarmUp = 10
)

// crowd measures how long an administrator waits in an organization in which somebody has listed very many names.
type crowd struct {
	*admission
	cases []*crowdCase
}

// crowdCase is one kind of request, as a dry run.
type crowdCase struct {
	what          string
	request       func(ctx context.Context, n int) error
	alone, joined []time.Duration
}

// benchCrowd measures on a control plane of its own and prints one table.
func benchCrowd(ctx context.Context, options options, output, progress io.Writer) error {
	options.members = 100
	c := &crowd{admission: newAdmission(options, progress)}
	c.earlier = append(c.earlier, membership("administrator", administrator, v1alpha1.RoleAdministrator))
	if err := c.run(ctx, c.furnish, c.makeCases, c.measure); err != nil {
		return err
	}
	return c.print(output)
}

// furnish makes the organization and the teams. Those whom they list are no members, so nothing is granted by them.
func (c *crowd) furnish(ctx context.Context) error {
	names := make([]v1alpha1.Username, 0, crowdedNames)
	for n := range crowdedNames {
		names = append(names, v1alpha1.Username(fmt.Sprintf("someone-%05d@elsewhere.example", n)))
	}
	teams, listing := c.options.teams, []client.Object{}
	for n := range teams {
		listing = append(listing, &v1alpha1.Team{
			ObjectMeta: inOrganization(fmt.Sprintf("crowd-%03d", n)),
			Spec:       v1alpha1.TeamSpec{Members: names, Role: viewer, Projects: []v1alpha1.ObjectName{v1alpha1.ObjectName(projectName(0))}},
		})
	}
	c.options.teams = 1
	if err := c.admission.furnish(ctx); err != nil {
		return err
	}
	c.options.teams = teams
	if err := c.createAll(ctx, listing); err != nil {
		return err
	}
	c.say("%d teams of %d names are there", teams, crowdedNames)
	return nil
}

func (c *crowd) makeCases(context.Context) error {
	as, err := client.New(c.cluster.As(administrator), client.Options{Scheme: manager.NewScheme()})
	if err != nil {
		return err
	}
	create := func(object func(n int) client.Object) func(context.Context, int) error {
		return func(ctx context.Context, n int) error { return as.Create(ctx, object(n), client.DryRunAll) }
	}
	c.cases = []*crowdCase{
		{what: "creates a Membership", request: create(func(n int) client.Object {
			return membership(fmt.Sprintf("new-%d", n), fmt.Sprintf("new-%d@bench.example", n), v1alpha1.RoleDeveloper)
		})},
		{what: "deletes a Membership", request: func(ctx context.Context, n int) error {
			return as.Delete(ctx, membership(memberName(n%len(c.users)), "", viewer), client.DryRunAll)
		}},
		{what: "creates a Team", request: create(func(n int) client.Object {
			return &v1alpha1.Team{ObjectMeta: inOrganization(fmt.Sprintf("new-%d", n)), Spec: v1alpha1.TeamSpec{
				Role: viewer, AllProjects: true, Members: usernames(c.users[:10]),
			}}
		})},
		{what: "creates a RoleBinding", request: create(func(n int) client.Object {
			return &v1alpha1.RoleBinding{ObjectMeta: inOrganization(fmt.Sprintf("new-%d", n)), Spec: v1alpha1.RoleBindingSpec{
				Role: viewer, OrganizationWide: true, Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectUser, Name: c.users[0]}},
			}}
		})},
		{what: "creates a Project", request: create(func(n int) client.Object {
			return &v1alpha1.Project{ObjectMeta: inOrganization(fmt.Sprintf("new-%d", n))}
		})},
		{what: "creates a Role", request: create(func(n int) client.Object {
			return &v1alpha1.Role{ObjectMeta: inOrganization(fmt.Sprintf("new-%d", n)), Spec: v1alpha1.RoleSpec{
				Includes: []v1alpha1.RoleName{viewer},
			}}
		})},
		{what: "creates an APIToken", request: create(func(n int) client.Object {
			return &v1alpha1.APIToken{ObjectMeta: inOrganization(fmt.Sprintf("new-%d", n)), Spec: v1alpha1.APITokenSpec{
				Roles: []v1alpha1.RoleName{viewer}, OrganizationWide: true,
			}}
		})},
	}
	return nil
}

// measure asks one after another, and then with several writers at once.
func (c *crowd) measure(ctx context.Context) error {
	for _, asked := range c.cases {
		c.say("crowd: %s", asked.what)
		for n := range crowdedWarmUp {
			if err := asked.request(ctx, n); err != nil {
				return fmt.Errorf("%s: %w", asked.what, err)
			}
		}
		for _, way := range []struct {
			writers int
			times   *[]time.Duration
		}{{1, &asked.alone}, {crowdedWriters, &asked.joined}} {
			var times sync.Mutex
			err := inParallel(ctx, way.writers, c.options.requests, func(ctx context.Context, n int) error {
				begin := time.Now()
				err := asked.request(ctx, n)
				times.Lock()
				defer times.Unlock()
				*way.times = append(*way.times, time.Since(begin))
				return err
			})
			if err != nil {
				return fmt.Errorf("%s: %w", asked.what, err)
			}
		}
	}
	return nil
}

func (c *crowd) print(output io.Writer) error {
	table := tabwriter.NewWriter(output, 0, 0, 3, ' ', 0)
	_, err := fmt.Fprintf(output, "\nHow long an administrator waits in an organization with %d teams of %d names: p50 (p99) of %d dry runs, "+
		"one after another and %d at once.\n\n", c.options.teams, crowdedNames, c.options.requests, crowdedWriters)
	_, _ = fmt.Fprintln(table, "THE ADMINISTRATOR\tALONE\tAT ONCE\tGOAL (P99)\tREACHED")
	for _, asked := range c.cases {
		slowest := percentile(asked.alone, 0.99)
		_, _ = fmt.Fprintf(table, "%s\t%s (%s)\t%s (%s)\t%s\t%s\n", asked.what, rounded(median(slices.Clone(asked.alone))), rounded(slowest),
			rounded(median(slices.Clone(asked.joined))), rounded(percentile(asked.joined, 0.99)), rounded(maxCrowded),
			yesNo(slowest <= maxCrowded))
	}
	return errors.Join(err, table.Flush())
}
