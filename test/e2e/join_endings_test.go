package e2e_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// ending is one way in which access by an approved request ends.
type ending struct {
	what string
	// name of the two organizations of the spec, which begin with it.
	name string
	do   func(ctx context.Context, agency, customer string, request *v1alpha1.JoinRequest)
	// phase in which the request is left; empty: it is gone.
	phase v1alpha1.JoinRequestPhase
}

var endings = []ending{
	{"who asked withdraws", "end-withdrawn", func(ctx context.Context, agency, _ string, request *v1alpha1.JoinRequest) {
		Expect(clientFor(cluster.As("ana@"+agency)).Delete(ctx, request)).To(Succeed())
	}, ""},
	{"an owner deletes the request", "end-deleted", func(
		ctx context.Context, _, customer string, request *v1alpha1.JoinRequest,
	) {
		Expect(clientFor(cluster.As("olga@"+customer)).Delete(ctx, request)).To(Succeed())
	}, ""},
	{"an owner rejects it", "end-rejected", func(ctx context.Context, _, customer string, request *v1alpha1.JoinRequest) {
		Expect(patchAs(ctx, "olga@"+customer, request, `{"spec": {"decision": "Rejected"}}`)).To(Succeed())
	}, v1alpha1.JoinRequestRejected},
	{"an owner deletes the RoleBinding", "end-unbound", func(
		ctx context.Context, _, customer string, request *v1alpha1.JoinRequest,
	) {
		binding := &v1alpha1.RoleBinding{ObjectMeta: expectations.InOrganization(customer, request.Status.RoleBinding)}
		Expect(clientFor(cluster.As("olga@"+customer)).Delete(ctx, binding)).To(Succeed())
	}, v1alpha1.JoinRequestWithdrawn},
	{"the team is deleted", "end-team", func(ctx context.Context, agency, _ string, _ *v1alpha1.JoinRequest) {
		team := &v1alpha1.Team{ObjectMeta: expectations.InOrganization(agency, "designers")}
		Expect(clientFor(cluster.As("ana@"+agency)).Delete(ctx, team)).To(Succeed())
		expect.Gone(ctx, team)
	}, v1alpha1.JoinRequestWithdrawn},
	{"the other organization is deleted", "end-agency", func(ctx context.Context, agency, _ string, _ *v1alpha1.JoinRequest) {
		organization := expectations.Organization(agency, "")
		expect.Delete(ctx, organization)
		expect.Gone(ctx, organization)
	}, v1alpha1.JoinRequestWithdrawn},
}

var _ = Describe("Access by an approved join request ends", func() {
	for _, ending := range endings {
		It("when "+ending.what, func(ctx SpecContext) {
			from, asked := ending.name+"-agency", ending.name
			agency(ctx, from)
			customer(ctx, asked)
			request := letIn(ctx, asked, from, "developer")
			bo, shop := "bo@"+from, asked+"-shop"
			expect.Allowed(ctx, bo, "create deployments.apps", shop)

			ending.do(ctx, from, asked, request)
			expect.Refused(ctx, bo, "create deployments.apps", shop)
			if ending.phase == "" {
				expect.Gone(ctx, request)
			} else {
				phase(ctx, request, ending.phase)
			}
			binding := &v1alpha1.RoleBinding{ObjectMeta: expectations.InOrganization(asked, request.Status.RoleBinding)}
			expect.Gone(ctx, binding)
		})
	}

	It("and doesn't come back with another team of the same name", func(ctx SpecContext) {
		team := agency(ctx, "again-agency")
		customer(ctx, "again")
		request := letIn(ctx, "again", "again-agency", "developer")
		expect.Allowed(ctx, "bo@again-agency", "create deployments.apps", "again-shop")
		expect.Delete(ctx, team)
		expect.Gone(ctx, team)
		another := &v1alpha1.Team{ObjectMeta: expectations.InOrganization("again-agency", "designers")}
		another.Spec.Members = []v1alpha1.Username{"bo@again-agency"}
		expect.Create(ctx, another)
		expect.Ready(ctx, another)
		phase(ctx, request, v1alpha1.JoinRequestWithdrawn)
		expect.Refused(ctx, "bo@again-agency", "create deployments.apps", "again-shop")
		Consistently(func() (bool, error) {
			return expect.May(ctx, expectations.Access{
				User: "bo@again-agency", Does: "create deployments.apps", Namespace: "again-shop",
			})
		}).WithContext(ctx).Should(BeFalse())
	})
})

var _ = Describe("A team that was let in", func() {
	It("gets the smaller role and the fewer projects that were granted", func(ctx SpecContext) {
		agency(ctx, "less-agency")
		customer(ctx, "less")
		vault := expectations.Project("less", "vault")
		expect.Create(ctx, vault)
		expect.Ready(ctx, vault)
		request := joinRequest("less", "designers", "less-agency", "designers", "developer", "shop")
		request.Spec.Projects = []v1alpha1.ObjectName{"shop", "vault"}
		Expect(clientFor(cluster.As("ana@less-agency")).Create(ctx, request)).To(Succeed())
		Expect(patchAs(ctx, "olga@less", request,
			`{"spec": {"decision": "Approved", "granted": {"role": "viewer", "projects": ["shop"]}}}`)).To(Succeed())
		expect.Ready(ctx, request)
		expect.Allowed(ctx, "bo@less-agency", "list pods", "less-shop")
		expect.Refused(ctx, "bo@less-agency", "create deployments.apps", "less-shop")
		expect.Refused(ctx, "bo@less-agency", "list pods", "less-vault")
	})

	It("can be deleted though the other organization holds up the RoleBinding that let it in", func(ctx SpecContext) {
		team := agency(ctx, "stuck-agency")
		customer(ctx, "stuck")
		request := letIn(ctx, "stuck", "stuck-agency", "developer")
		binding := &v1alpha1.RoleBinding{ObjectMeta: expectations.InOrganization("stuck", request.Status.RoleBinding)}
		Expect(patchAs(ctx, "olga@stuck", binding,
			`{"metadata": {"finalizers": ["roster.dev/access", "stuck.example/mine"]}}`)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(patchAs(ctx, "olga@stuck", binding, `{"metadata": {"finalizers": null}}`)).To(Succeed())
		})
		expect.Delete(ctx, team)
		expect.Gone(ctx, team)
		expect.Refused(ctx, "bo@stuck-agency", "create deployments.apps", "stuck-shop")
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(binding), binding)).To(Succeed())
		Expect(binding.Finalizers).To(ConsistOf("stuck.example/mine"))
	})

	It("keeps its access when who asked speaks for it no more and would withdraw", func(ctx SpecContext) {
		agency(ctx, "left-agency")
		customer(ctx, "left")
		dana := expectations.Membership("left-agency", "dana", "dana@left-agency", "administrator")
		expect.Create(ctx, dana)
		expect.Ready(ctx, dana)
		asDana := clientFor(cluster.As("dana@left-agency"))
		request := joinRequest("left", "designers", "left-agency", "designers", "developer", "shop")
		Expect(asDana.Create(ctx, request)).To(Succeed())
		Expect(patchAs(ctx, "olga@left", request, `{"spec": {"decision": "Approved"}}`)).To(Succeed())
		expect.Ready(ctx, request)
		Eventually(func() error { return asDana.Delete(ctx, request, client.DryRunAll) }).WithContext(ctx).Should(Succeed())

		expect.Delete(ctx, dana)
		expect.Refused(ctx, "dana@left-agency", "represent teams.roster.dev", "org-left-agency")
		Eventually(func() error { return asDana.Delete(ctx, request, client.DryRunAll) }).WithContext(ctx).Should(MatchError(
			HaveSuffix(": withdrawing what was asked for team left-agency/designers takes the verb represent on it, in namespace " +
				"org-left-agency, which you no longer hold; who may approve join requests in namespace org-left can reject it, " +
				"and an owner of left-agency can delete the team")))
		expect.Allowed(ctx, "bo@left-agency", "create deployments.apps", "left-shop")

		By("what is over is nobody's loss")
		Expect(patchAs(ctx, "olga@left", request, `{"spec": {"decision": "Rejected"}}`)).To(Succeed())
		phase(ctx, request, v1alpha1.JoinRequestRejected)
		Expect(asDana.Delete(ctx, request)).To(Succeed())
		expect.Gone(ctx, request)
	})

	It("holds a role organization-wide in the organizations below too", func(ctx SpecContext) {
		agency(ctx, "wide-agency")
		customer(ctx, "wide")
		below := expectations.Organization("wide-below", "olga@wide")
		below.Spec.Parent = "wide"
		expect.Create(ctx, below)
		expect.Ready(ctx, below)
		request := joinRequest("wide", "designers", "wide-agency", "designers", "viewer", "")
		request.Spec.Projects, request.Spec.OrganizationWide = nil, true
		Expect(clientFor(cluster.As("ana@wide-agency")).Create(ctx, request)).To(Succeed())
		Expect(patchAs(ctx, "olga@wide", request, `{"spec": {"decision": "Approved"}}`)).To(Succeed())
		expect.Ready(ctx, request)
		expect.Allowed(ctx, "bo@wide-agency", "list teams.roster.dev", "org-wide", "org-wide-below")
		expect.Delete(ctx, &v1alpha1.Membership{ObjectMeta: expectations.InOrganization("wide-agency", "bo")})
		expect.Refused(ctx, "bo@wide-agency", "list teams.roster.dev", "org-wide", "org-wide-below")
	})

	It("is held back by what holds its members back at home and by what the organization asks that lets it in", func(
		ctx SpecContext,
	) {
		team := agency(ctx, "gated-agency")
		customer(ctx, "gated")
		letIn(ctx, "gated", "gated-agency", "developer")
		bo, cy, does, shop := "bo@gated-agency", "cy@gated-agency", "create deployments.apps", "gated-shop"
		expect.Allowed(ctx, bo, does, shop)

		By("suspension at home")
		membership := &v1alpha1.Membership{ObjectMeta: expectations.InOrganization("gated-agency", "bo")}
		suspend := func(suspended bool) {
			expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) { m.Spec.Suspended = suspended })
		}
		suspend(true)
		expect.Refused(ctx, bo, does, shop)
		suspend(false)
		expect.Allowed(ctx, bo, does, shop)

		By("deactivation")
		user := userCalled(ctx, bo)
		deactivate := func(deactivated bool) {
			expectations.Change(ctx, expect, user, func(u *v1alpha1.User) { u.Spec.Deactivated = deactivated })
		}
		deactivate(true)
		expect.Refused(ctx, bo, does, shop)
		deactivate(false)
		expect.Allowed(ctx, bo, does, shop)

		By("a second factor, which the letting-in organization requires")
		enroll(ctx, "olga@gated", true)
		gated := expectations.Organization("gated", "")
		Eventually(func() error {
			return patchAs(ctx, "olga@gated", gated, `{"spec": {"requireMFA": true}}`)
		}).WithContext(ctx).Should(Succeed())
		expect.Refused(ctx, bo, does, shop)
		enroll(ctx, bo, true)
		expect.Allowed(ctx, bo, does, shop)
		expect.Refused(ctx, cy, does, shop)

		By("a Membership that the letting-in organization suspends itself")
		suspended := expectations.Membership("gated", "bo", bo)
		suspended.Spec.Suspended = true
		expect.Create(ctx, suspended)
		expect.Refused(ctx, bo, does, shop)
		expect.Delete(ctx, suspended)
		expect.Allowed(ctx, bo, does, shop)

		By("leaving a child team")
		child := &v1alpha1.Team{ObjectMeta: expectations.InOrganization("gated-agency", "juniors")}
		child.Spec.Parent, child.Spec.Members = "designers", []v1alpha1.Username{v1alpha1.Username(bo)}
		expect.Create(ctx, child)
		expectations.Change(ctx, expect, team, func(t *v1alpha1.Team) { t.Spec.Members = nil })
		expect.Allowed(ctx, bo, does, shop)
		expectations.Change(ctx, expect, child, func(t *v1alpha1.Team) { t.Spec.Members = nil })
		expect.Refused(ctx, bo, does, shop)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(team), team)).To(Succeed())
	})
})
