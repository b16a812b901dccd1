package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/manager"
	"github.com/roster-dev/roster/test/environment"
)

const (
	// maxAdded is the goal: what the webhook may add to a write, in the median.
	maxAdded = 5 * time.Millisecond
	// turns is how often both sides take theirs, so that both sides see the same machine.
	turns = 5
	// teamSize is how many members each team has.
	teamSize      = 100
	administrator = "administrator@bench.example"
	viewer        = v1alpha1.RoleName("viewer")
)

// admission measures what the webhook adds to a write of a Membership in a large organization.
type admission struct {
	*stage
	// earlier are Memberships that are made while a manager runs, so that what they give is in force.
	earlier []*v1alpha1.Membership
	// viewed: the view API is asked, too.
	viewed bool
	cases  []*admissionCase
}

// admissionCase is one kind of request by one user, as a dry run: everything but the storing is done.
type admissionCase struct {
	what    string
	request func(ctx context.Context, n int) error
	// without and with the webhook.
	without, with []time.Duration
}

// benchAdmission measures on a control plane of its own and prints one table.
func benchAdmission(ctx context.Context, options options, output, progress io.Writer) error {
	a := newAdmission(options, progress)
	a.earlier = append(a.earlier, membership("administrator", administrator, v1alpha1.RoleAdministrator))
	if err := a.run(ctx, a.furnish, a.makeCases, a.measure); err != nil {
		return err
	}
	return a.print(output)
}

func newAdmission(options options, progress io.Writer) *admission {
	a := &admission{stage: &stage{options: options, progress: progress}}
	for n := range options.members {
		a.users = append(a.users, username(n))
	}
	return a
}

// run does some steps on a control plane of their own.
func (a *admission) run(ctx context.Context, steps ...func(context.Context) error) (err error) {
	a.say("starting a control plane")
	if a.cluster, err = environment.Start(ctx, environment.Options{}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	for _, step := range steps {
		if err := step(ctx); err != nil {
			a.showLog()
			return err
		}
	}
	return nil
}

// furnish makes the organization with its teams, then all members while no manager runs: what a manager that leads has to
// write for each of them would take far longer than the measurement, and disturb it.
func (a *admission) furnish(ctx context.Context) (err error) {
	if err := a.install(ctx); err != nil {
		return err
	}
	if a.viewed {
		if err := a.cluster.ConnectView(ctx); err != nil {
			return err
		}
	}
	account := &v1alpha1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: organization},
		Spec:       v1alpha1.OrganizationSpec{Owners: []v1alpha1.Username{owner}},
	}
	if err := a.client.Create(ctx, account); err != nil {
		return err
	}
	if err := a.ready(ctx, account, &account.Status.Conditions); err != nil {
		return err
	}
	begin := time.Now()
	for _, objects := range [][]client.Object{a.projects(), a.teams()} {
		if err := a.createAll(ctx, objects); err != nil {
			return err
		}
	}
	for _, membership := range a.earlier {
		if err := a.client.Create(ctx, membership); err != nil {
			return err
		}
		if err := a.ready(ctx, membership, &membership.Status.Conditions); err != nil {
			return err
		}
	}
	if err := errors.Join(a.manager.Stop(), a.setAsked(ctx, false)); err != nil {
		return err
	}
	if err := a.createAll(ctx, a.members()); err != nil {
		return err
	}
	a.say("%d members and %d teams were there after %s", a.options.members, a.options.teams, rounded(time.Since(begin)))
	return a.startStandby(ctx)
}

func (a *admission) createAll(ctx context.Context, objects []client.Object) error {
	return inParallel(ctx, setupWriters, len(objects), func(ctx context.Context, n int) error {
		return a.client.Create(ctx, objects[n])
	})
}

// startStandby starts a manager that answers the API server and leads nothing, since the benchmark holds the Lease.
func (a *admission) startStandby(ctx context.Context) (err error) {
	holder, seconds, now := "benchmarks", int32(time.Hour.Seconds()), metav1.NowMicro()
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: environment.ManagerNamespace, Name: "roster-manager"},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now,
		},
	}
	if err := a.client.Create(ctx, lease); err != nil {
		return err
	}
	a.manager, err = a.cluster.StartManager(ctx, "--leader-elect=true")
	if err != nil {
		return err
	}
	if err := a.setAsked(ctx, true); err != nil {
		return err
	}
	// Once it refuses a second Membership of the last user, it has them all.
	second := membership("second", a.users[len(a.users)-1], viewer)
	return wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		err := a.client.Create(ctx, second.DeepCopy(), client.DryRunAll)
		return apierrors.IsInvalid(err), nil
	})
}

func (a *admission) members() []client.Object {
	var members []client.Object
	for n, user := range a.users {
		members = append(members, membership(memberName(n), user, viewer))
	}
	return members
}

func (a *admission) projects() []client.Object {
	var projects []client.Object
	for n := range a.options.teams {
		projects = append(projects, &v1alpha1.Project{ObjectMeta: inOrganization(projectName(n))})
	}
	return projects
}

// teams have a project each.
func (a *admission) teams() []client.Object {
	var teams []client.Object
	for n := range a.options.teams {
		first := n * teamSize % len(a.users)
		teams = append(teams, &v1alpha1.Team{
			ObjectMeta: inOrganization(fmt.Sprintf("team-%04d", n)),
			Spec: v1alpha1.TeamSpec{
				Members: usernames(a.users[first:min(first+teamSize, len(a.users))]), Role: v1alpha1.RoleDeveloper,
				Projects: []v1alpha1.ObjectName{v1alpha1.ObjectName(projectName(n))},
			},
		})
	}
	return teams
}

func projectName(n int) string { return fmt.Sprintf("p%04d", n) }

func memberName(n int) string { return fmt.Sprintf("user-%04d", n) }

func membership(name, user string, role v1alpha1.RoleName) *v1alpha1.Membership {
	return &v1alpha1.Membership{
		ObjectMeta: inOrganization(name),
		Spec:       v1alpha1.MembershipSpec{User: v1alpha1.Username(user), Roles: []v1alpha1.RoleName{role}},
	}
}

func (a *admission) makeCases(context.Context) error {
	for _, who := range []struct{ role, user string }{{"an owner", owner}, {"an administrator", administrator}} {
		as, err := client.New(a.cluster.As(who.user), client.Options{Scheme: manager.NewScheme()})
		if err != nil {
			return err
		}
		a.cases = append(a.cases,
			&admissionCase{what: who.role + " creates a Membership", request: func(ctx context.Context, n int) error {
				return as.Create(ctx, membership(fmt.Sprintf("new-%d", n), fmt.Sprintf("new-%d@bench.example", n), v1alpha1.RoleDeveloper),
					client.DryRunAll)
			}},
			&admissionCase{what: who.role + " changes a Membership's roles", request: func(ctx context.Context, n int) error {
				before := membership(memberName(n%len(a.users)), username(n%len(a.users)), viewer)
				after := before.DeepCopy()
				after.Spec.Roles = []v1alpha1.RoleName{v1alpha1.RoleDeveloper}
				return as.Patch(ctx, after, client.MergeFrom(before), client.DryRunAll)
			}})
	}
	return nil
}

// measure lets all cases ask without the webhook and with it, turn about.
func (a *admission) measure(ctx context.Context) error {
	each := max(1, a.options.requests/turns)
	for turn := range turns {
		a.say("admission: turn %d of %d", turn+1, turns)
		if err := a.setAsked(ctx, false); err != nil {
			return err
		}
		if err := a.ask(ctx, each, func(c *admissionCase) *[]time.Duration { return &c.without }); err != nil {
			return err
		}
		if err := a.setAsked(ctx, true); err != nil {
			return err
		}
		if err := a.ask(ctx, each, func(c *admissionCase) *[]time.Duration { return &c.with }); err != nil {
			return err
		}
	}
	return nil
}

// setAsked lets the API server ask the webhook or not, and returns when it does so: the stamp of an author tells.
func (a *admission) setAsked(ctx context.Context, asked bool) error {
	selector := &metav1.LabelSelector{}
	if !asked {
		selector.MatchLabels = map[string]string{"bench.example/asked": "always"}
	}
	var mutating admissionregistrationv1.MutatingWebhookConfiguration
	var validating admissionregistrationv1.ValidatingWebhookConfiguration
	for _, configuration := range []client.Object{&mutating, &validating} {
		if err := a.client.Get(ctx, client.ObjectKey{Name: "roster"}, configuration); err != nil {
			return err
		}
	}
	for i := range mutating.Webhooks {
		mutating.Webhooks[i].ObjectSelector = selector
	}
	for i := range validating.Webhooks {
		validating.Webhooks[i].ObjectSelector = selector
	}
	// The stamp comes last, so that what it tells is true of both.
	for _, configuration := range []client.Object{&validating, &mutating} {
		if err := a.client.Update(ctx, configuration); err != nil {
			return err
		}
	}
	return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		tried := membership("stamped", "stamped@bench.example", viewer)
		err := a.client.Create(ctx, tried, client.DryRunAll)
		return err == nil && (tried.Annotations[v1alpha1.AnnotationChangedBy] != "") == asked, nil
	})
}

// ask makes the requests one after another, the cases turn about. The first few of each are warming up.
func (a *admission) ask(ctx context.Context, each int, times func(*admissionCase) *[]time.Duration) error {
	const warmUp = 5
	for n := range warmUp + each {
		for _, asked := range a.cases {
			begin := time.Now()
			if err := asked.request(ctx, n); err != nil {
				return fmt.Errorf("%s: %w", asked.what, err)
			}
			if n >= warmUp {
				*times(asked) = append(*times(asked), time.Since(begin))
			}
		}
	}
	return nil
}

// added is how much longer the median is with the webhook.
func (c *admissionCase) added() time.Duration { return median(c.with) - median(c.without) }

// percentile of times; 0.95: the one that 95% don't exceed.
func percentile(times []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[int(share*float64(len(sorted)-1))]
}

func (a *admission) print(output io.Writer) error {
	table := tabwriter.NewWriter(output, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintf(output, "\nWhat the webhook adds in an organization with %d members and %d teams: p50 (p95) of %d dry runs one after "+
		"another; %d processors.\n\n", a.options.members, a.options.teams, len(a.cases[0].with), runtime.NumCPU())
	_, _ = fmt.Fprintln(table, "WHAT\tWITHOUT\tWITH\tADDED\tGOAL\tREACHED")
	for _, c := range a.cases {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", c.what, percentiles(c.without), percentiles(c.with),
			rounded(c.added()), rounded(maxAdded), yesNo(c.added() <= maxAdded))
	}
	return table.Flush()
}

func percentiles(times []time.Duration) string {
	return fmt.Sprintf("%s (%s)", rounded(median(times)), rounded(percentile(times, 0.95)))
}
