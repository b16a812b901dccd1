package e2e_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// authorityRounds is how often each of these races is run.
const authorityRounds = 200

// tally counts what happened over the rounds of a race.
type tally struct{ rounds, together, refused, passed int }

// String is what the report shows.
func (t tally) String() string {
	return fmt.Sprintf("%d rounds; in %d all requests were under way together; %d requests were refused, %d passed",
		t.rounds, t.together, t.refused, t.passed)
}

// startTogether starts requests at the same moment and returns their errors in their order. It counts whether all were under way
// before the first had its answer.
func (t *tally) startTogether(requests ...func() error) []error {
	GinkgoHelper()
	start := make(chan struct{})
	failures, begins, ends := make([]error, len(requests)), make([]time.Time, len(requests)), make([]time.Time, len(requests))
	var writers sync.WaitGroup
	for at, request := range requests {
		writers.Go(func() {
			<-start
			begins[at] = time.Now()
			failures[at] = request()
			ends[at] = time.Now()
		})
	}
	close(start)
	writers.Wait()
	t.rounds++
	lastBegin, firstEnd := begins[0], ends[0]
	for at := range requests {
		if begins[at].After(lastBegin) {
			lastBegin = begins[at]
		}
		if ends[at].Before(firstEnd) {
			firstEnd = ends[at]
		}
		if failures[at] == nil {
			t.passed++
			continue
		}
		Expect(failures[at]).To(Or(Satisfy(apierrors.IsConflict), Satisfy(apierrors.IsForbidden), Satisfy(apierrors.IsInvalid)))
		t.refused++
	}
	if lastBegin.Before(firstEnd) {
		t.together++
	}
	return failures
}

// report shows the tally, and expects that the requests met often enough for the race to show something.
func (t *tally) report() {
	GinkgoHelper()
	AddReportEntry("race", t.String())
	Expect(t.rounds).To(Equal(authorityRounds))
	Expect(t.together).To(BeNumerically(">", authorityRounds/2), t.String())
}

// patching is a request that merges a patch.
func patching(ctx context.Context, as client.Client, object client.Object, patch string) func() error {
	return func() error {
		return as.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, []byte(patch)))
	}
}

func creating(ctx context.Context, as client.Client, object client.Object) func() error {
	return func() error { return as.Create(ctx, object.DeepCopyObject().(client.Object)) }
}

// refusesAll expects that all of some requests were refused for the right to give a role.
func refusesAll(failures []error) {
	GinkgoHelper()
	for _, err := range failures {
		Expect(err).To(MatchError(ContainSubstring(`takes the verb "assign" on role`)))
	}
}

var _ = Describe("Two requests at once give nobody what one alone may not:", SpecPriority(1), func() {
	It("24 selectors and one label", func(ctx SpecContext) {
		acme, mt := raceOfMaintainer(ctx, "race-selectors")
		owner := clientFor(cluster.As(acme.user("owner")))
		count := &tally{}
		for round := range authorityRounds {
			var requests []func() error
			for writer := range 24 {
				requests = append(requests, creating(ctx, mt, &v1alpha1.Team{
					ObjectMeta: expectations.InOrganization(acme.Name, fmt.Sprintf("t-%d-%d", round, writer)),
					Spec: v1alpha1.TeamSpec{Role: "administrator", Members: acme.users("mt"),
						ProjectSelector: matchingTier(fmt.Sprintf("gold-%d", round))},
				}))
			}
			label := fmt.Sprintf(`{"metadata": {"labels": {"tier": "gold-%d"}}}`, round)
			requests = append(requests, patching(ctx, owner, expectations.Project(acme.Name, "shop"), label))
			failures := count.startTogether(requests...)
			refusesAll(failures[:24])
			Expect(failures[24]).NotTo(HaveOccurred())
		}
		count.report()
		acme.expectNothingGained(ctx)
	})

	It("a team and the project that it names", func(ctx SpecContext) {
		acme, mt := raceOfMaintainer(ctx, "race-projects")
		count := &tally{}
		for round := range authorityRounds {
			name := fmt.Sprintf("p-%d", round)
			failures := count.startTogether(
				creating(ctx, mt, &v1alpha1.Team{
					ObjectMeta: expectations.InOrganization(acme.Name, name),
					Spec: v1alpha1.TeamSpec{Role: "administrator", Members: acme.users("mt", "mem"),
						Projects: objectNames(v1alpha1.ObjectName(name))},
				}),
				func() error {
					project := expectations.Project(acme.Name, name)
					project.Spec.Namespaces = []v1alpha1.NamespaceName{"race-projects-one"}
					return mt.Create(ctx, project, client.DryRunAll)
				},
			)
			// For the project that isn't there yet, or for the role.
			Expect(failures[0]).To(MatchError(ContainSubstring(`"assign" on`)))
			Expect(failures[1]).NotTo(HaveOccurred())
		}
		count.report()
		acme.expectNothingGained(ctx)
	})

	It("a parent's projects and a child's members", func(ctx SpecContext) {
		acme, mt := raceOfMaintainer(ctx, "race-children")
		acme.team(ctx, "upper", v1alpha1.TeamSpec{Role: "administrator"})
		acme.team(ctx, "lower", v1alpha1.TeamSpec{Parent: "upper"})
		count := &tally{}
		for range authorityRounds {
			refusesAll(count.startTogether(
				patching(ctx, mt, bareTeam(acme, "upper"), `{"spec": {"projects": ["shop"]}}`),
				patching(ctx, mt, bareTeam(acme, "lower"), fmt.Sprintf(`{"spec": {"members": [%q]}}`, acme.user("mem"))),
			))
		}
		count.report()
		acme.expectNothingGained(ctx)
	})

	It("twelve RoleBindings to a team and twelve changes of its members, by an administrator", func(ctx SpecContext) {
		acme, _ := raceOfMaintainer(ctx, "race-bindings")
		acme.role(ctx, "payer", v1alpha1.RoleSpec{Includes: roles("viewer")})
		acme.join(ctx, "adm", "administrator")
		expect.Allowed(ctx, acme.user("adm"), asAdministrator, acme.namespace())
		for team := range 12 {
			acme.team(ctx, fmt.Sprintf("t-%d", team), v1alpha1.TeamSpec{})
		}
		adm := clientFor(cluster.As(acme.user("adm")))
		count := &tally{}
		for round := range authorityRounds {
			var bindings, members []func() error
			for team := range 12 {
				name := fmt.Sprintf("t-%d", team)
				bindings = append(bindings, creating(ctx, adm, &v1alpha1.RoleBinding{
					ObjectMeta: expectations.InOrganization(acme.Name, fmt.Sprintf("b-%d-%d", round, team)),
					Spec: v1alpha1.RoleBindingSpec{Role: "payer", Projects: objectNames("shop"),
						Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: name}}},
				}))
				member := []string{`null`, fmt.Sprintf(`[%q]`, acme.user("mem"))}[round%2]
				members = append(members, patching(ctx, adm, bareTeam(acme, name), `{"spec": {"members": `+member+`}}`))
			}
			failures := count.startTogether(append(bindings, members...)...)
			refusesAll(failures[:12])
		}
		count.report()
		acme.expectNothingGained(ctx)
	})

	It("an owner who gives a parent team a role, and a maintainer who adds to its child: as if the second had come first", func(ctx SpecContext) {
		acme, mt := raceOfMaintainer(ctx, "race-given")
		owner := clientFor(cluster.As(acme.user("owner")))
		acme.team(ctx, "upper", v1alpha1.TeamSpec{})
		acme.team(ctx, "lower", v1alpha1.TeamSpec{Parent: "upper"})
		adds := fmt.Sprintf(`{"spec": {"members": [%q]}}`, acme.user("mem"))
		count := &tally{}
		for range authorityRounds {
			count.startTogether(
				patching(ctx, owner, bareTeam(acme, "upper"), `{"spec": {"role": "developer", "projects": ["shop"]}}`),
				patching(ctx, mt, bareTeam(acme, "lower"), adds),
			)
			// From then on nobody without the right adds anybody.
			more := fmt.Sprintf(`{"spec": {"members": [%q, %q]}}`, acme.user("mem"), acme.user("mt"))
			Eventually(func() error {
				return mt.Patch(ctx, bareTeam(acme, "lower"), client.RawPatch(types.MergePatchType, []byte(more)), client.DryRunAll)
			}).WithContext(ctx).Should(MatchError(ContainSubstring(`takes the verb "assign" on role "developer"`)))
			Expect(patching(ctx, owner, bareTeam(acme, "upper"), `{"spec": {"role": null, "projects": null}}`)()).To(Succeed())
			Expect(patching(ctx, owner, bareTeam(acme, "lower"), `{"spec": {"members": null}}`)()).To(Succeed())
		}
		count.report()
		Expect(count.passed).To(BeNumerically(">", authorityRounds), "both passed in some rounds")
		acme.expectNothingGained(ctx)
	})

	It("two Memberships of one user, of which the author may give one", func(ctx SpecContext) {
		acme, _ := raceOfMaintainer(ctx, "race-duplicates")
		acme.role(ctx, "clerk", clerkWhoMayGiveViewer())
		acme.join(ctx, "clerk", "clerk")
		expect.Allowed(ctx, acme.user("clerk"), asAdministrator, acme.namespace())
		clerks := clientFor(cluster.As(acme.user("clerk")))
		count := &tally{}
		for range authorityRounds {
			weak := expectations.Membership(acme.Name, "weak", acme.user("bo"), "viewer")
			failures := count.startTogether(
				creating(ctx, clerks, weak),
				creating(ctx, clerks, expectations.Membership(acme.Name, "strong", acme.user("bo"), "administrator")),
			)
			Expect(failures[0]).NotTo(HaveOccurred())
			Expect(failures[1]).To(MatchError(Or(ContainSubstring(`takes the verb "assign" on role "administrator"`),
				ContainSubstring(`has the Membership "weak" in this organization already`))))
			expect.Delete(ctx, weak)
			expect.Gone(ctx, weak)
		}
		count.report()
		expect.Refused(ctx, acme.user("bo"), asAdministrator, acme.namespace())
	})

	It("two deletions of Memberships, each of which keeps away what is above", func(ctx SpecContext) {
		root := openAccount(ctx, "race-uncovering")
		middle := root.below(ctx, "race-uncovering-middle")
		lowest := account{domain: root.domain, Organization: expectations.Organization("race-uncovering-lowest", root.user("gus"))}
		lowest.Spec.Parent = middle.Name
		expect.Create(ctx, lowest.Organization)
		expect.Ready(ctx, lowest.Organization)
		root.join(ctx, "x", "administrator")
		middle.join(ctx, "p", "administrator")
		lowest.role(ctx, "clerk", clerkWhoMayGiveViewer())
		lowest.join(ctx, "p", "clerk")
		expect.Allowed(ctx, root.user("p"), asAdministrator, middle.namespace(), lowest.namespace())
		asP := clientFor(cluster.As(root.user("p")))
		for _, organization := range []account{middle, lowest} {
			organization.join(ctx, "x", "viewer")
		}
		deleting := func(organization account) func() error {
			return func() error { return asP.Delete(ctx, expectations.Membership(organization.Name, "x", "")) }
		}
		count := &tally{}
		for range authorityRounds {
			for _, err := range count.startTogether(deleting(middle), deleting(lowest)) {
				Expect(err).To(MatchError(ContainSubstring(`would newly grant role "administrator" in organization race-uncovering-`)))
			}
		}
		count.report()
		expect.Refused(ctx, root.user("x"), asAdministrator, lowest.namespace())
	})

	It("a maintainer's team without a role is never refused for what an owner does meanwhile", func(ctx SpecContext) {
		acme, mt := raceOfMaintainer(ctx, "race-blamed")
		owner := clientFor(cluster.As(acme.user("owner")))
		acme.team(ctx, "makers", v1alpha1.TeamSpec{Role: "developer", Projects: objectNames("shop")})
		count := &tally{}
		for round := range authorityRounds {
			member := fmt.Sprintf(`{"spec": {"members": ["m%d@elsewhere.example"]}}`, round)
			failures := count.startTogether(
				creating(ctx, mt, bareTeam(acme, fmt.Sprintf("empty-%d", round))),
				patching(ctx, owner, bareTeam(acme, "makers"), member),
			)
			Expect(failures).To(HaveEach(Not(HaveOccurred())))
		}
		count.report()
		Expect(count.refused).To(BeZero())
	})
})

// raceOfMaintainer opens an organization with a project, a member and a maintainer, as whom the client writes.
func raceOfMaintainer(ctx context.Context, name string) (account, client.Client) {
	GinkgoHelper()
	acme := openAccount(ctx, name)
	acme.project(ctx, "shop")
	acme.join(ctx, "mem", "member")
	acme.join(ctx, "mt", "maintainer")
	expect.Allowed(ctx, acme.user("mt"), "create teams.roster.dev", acme.namespace())
	return acme, clientFor(cluster.As(acme.user("mt")))
}

func bareTeam(acme account, name string) *v1alpha1.Team {
	return &v1alpha1.Team{ObjectMeta: expectations.InOrganization(acme.Name, name)}
}

// expectNothingGained waits until the bindings are as the engine says, and expects that neither the member nor the
// maintainer holds more than at the beginning.
func (a account) expectNothingGained(ctx context.Context) {
	GinkgoHelper()
	expectEngine(ctx, 0, a.Name)
	expect.Refused(ctx, a.user("mem"), asViewer, a.Name+"-shop")
	expect.Refused(ctx, a.user("mem"), asAdministrator, a.namespace())
	expect.Refused(ctx, a.user("mt"), "create rolebindings.rbac.authorization.k8s.io", a.Name+"-shop")
	expect.Refused(ctx, a.user("mt"), asAdministrator, a.namespace())
}
