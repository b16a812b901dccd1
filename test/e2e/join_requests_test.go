package e2e_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// joinRequest asks an organization to let a team of another one in, in one project.
func joinRequest(asked, name, from, team string, role v1alpha1.RoleName, project string) *v1alpha1.JoinRequest {
	return &v1alpha1.JoinRequest{
		ObjectMeta: expectations.InOrganization(asked, name),
		Spec: v1alpha1.JoinRequestSpec{
			Team: v1alpha1.ExternalTeam{Organization: from, Name: v1alpha1.ObjectName(team)},
			Role: role, Projects: []v1alpha1.ObjectName{v1alpha1.ObjectName(project)},
		},
	}
}

// agency makes an organization with an owner, ana, and a team of two members, bo and cy.
func agency(ctx context.Context, name string) *v1alpha1.Team {
	GinkgoHelper()
	organization := expectations.Organization(name, "ana@"+name)
	expect.Create(ctx, organization)
	expect.Ready(ctx, organization)
	team := &v1alpha1.Team{ObjectMeta: expectations.InOrganization(name, "designers")}
	team.Spec.Members = []v1alpha1.Username{v1alpha1.Username("bo@" + name), v1alpha1.Username("cy@" + name)}
	bo := expectations.Membership(name, "bo", "bo@"+name)
	cy := expectations.Membership(name, "cy", "cy@"+name)
	expect.Create(ctx, bo, cy, team)
	expect.Ready(ctx, bo, cy, team)
	return team
}

// customer makes an organization with an owner, olga, and the project shop.
func customer(ctx context.Context, name string) {
	GinkgoHelper()
	organization := expectations.Organization(name, "olga@"+name)
	expect.Create(ctx, organization)
	expect.Ready(ctx, organization)
	shop := expectations.Project(name, "shop")
	expect.Create(ctx, shop)
	expect.Ready(ctx, shop)
}

// letIn has the owner of the team's organization ask and the owner of the asked one approve, and waits for the access.
func letIn(ctx context.Context, asked, from string, role v1alpha1.RoleName) *v1alpha1.JoinRequest {
	GinkgoHelper()
	request := joinRequest(asked, from, from, "designers", role, "shop")
	Expect(clientFor(cluster.As("ana@"+from)).Create(ctx, request)).To(Succeed())
	phase(ctx, request, v1alpha1.JoinRequestPending)
	Expect(patchAs(ctx, "olga@"+asked, request, `{"spec": {"decision": "Approved"}}`)).To(Succeed())
	phase(ctx, request, v1alpha1.JoinRequestApproved)
	expect.Ready(ctx, request)
	return request
}

// phase waits until a request stands somewhere.
func phase(ctx context.Context, request *v1alpha1.JoinRequest, expected v1alpha1.JoinRequestPhase) {
	GinkgoHelper()
	Eventually(func() (v1alpha1.JoinRequestPhase, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(request), request)
		return request.Status.Phase, err
	}).WithContext(ctx).Should(Equal(expected))
}

// seesExternalAccess expects everybody concerned to be told by what the agency's team has access.
func seesExternalAccess(ctx context.Context, request *v1alpha1.JoinRequest) {
	GinkgoHelper()
	chain := "JoinRequest/org-join-customer/designers > RoleBinding/org-join-customer/" + request.Status.RoleBinding +
		" > Team/org-join-agency/designers"
	bo, olga := "bo@join-agency", "olga@join-customer"
	shown := func(user string, arguments ...string) func() (string, error) {
		return func() (string, error) { return plugin(ctx, user, arguments...) }
	}
	Eventually(shown(olga, "members", "--organization", "join-customer")).WithContext(ctx).Should(
		MatchRegexp(`bo@join-agency +<none> +Team of join-agency +Active`))
	Eventually(shown(olga, "grants", "--organization", "join-customer", "--search", bo)).WithContext(ctx).Should(
		ContainSubstring(chain))
	Eventually(shown(olga, "why", bo, "--organization", "join-customer")).WithContext(ctx).Should(SatisfyAll(
		HavePrefix(bo+" in organization join-customer: active, as a member of a team of organization join-agency"),
		MatchRegexp(`developer +by a join request +`+chain)))
	Eventually(shown(bo, "profile")).WithContext(ctx).Should(ContainSubstring("join-customer=developer (by a team)"))
	Expect(shown(bo, "profile", "-o", "jsonpath={.elsewhere[0].namespaces[0]} {.elsewhere[0].via[0].kind}")()).To(
		Equal("join-customer-shop JoinRequest"))
	Expect(shown(bo, "why", bo)()).To(SatisfyAll(ContainSubstring(chain),
		ContainSubstring(bo+" in organization join-customer: no member, but a team is let in")))
	Expect(shown("cy@join-customer", "why", bo, "--organization", "join-customer")()).Error().To(HaveOccurred())
}

var _ = Describe("A join request", func() {
	It("lets a team of another organization in once an owner approves, as long as the team lists them", func(ctx SpecContext) {
		team := agency(ctx, "join-agency")
		customer(ctx, "join-customer")
		bo, shop := "bo@join-agency", "join-customer-shop"
		expect.Refused(ctx, bo, "create deployments.apps", shop)

		request := joinRequest("join-customer", "designers", "join-agency", "designers", "developer", "shop")
		asAna := clientFor(cluster.As("ana@join-agency"))
		Expect(asAna.Create(ctx, request)).To(Succeed())
		phase(ctx, request, v1alpha1.JoinRequestPending)
		Expect(request.Spec.RequestedBy).To(Equal("ana@join-agency"))
		Eventually(func() (int32, error) {
			asked := expectations.Organization("join-customer", "")
			err := k8s.Get(ctx, client.ObjectKeyFromObject(asked), asked)
			return asked.Status.PendingJoinRequests, err
		}).WithContext(ctx).Should(BeEquivalentTo(1))
		Eventually(func() ([]string, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(team), team)
			return team.Status.PendingJoinRequests, err
		}).WithContext(ctx).Should(ConsistOf("join-customer"))
		expect.Refused(ctx, bo, "create deployments.apps", shop)

		By("seeing that one request and nothing else")
		Eventually(func() error {
			return asAna.Get(ctx, client.ObjectKeyFromObject(request), &v1alpha1.JoinRequest{})
		}).WithContext(ctx).Should(Succeed())
		Expect(asAna.List(ctx, &v1alpha1.JoinRequestList{}, client.InNamespace("org-join-customer"))).To(
			MatchError(ContainSubstring(`cannot list resource "joinrequests"`)))
		for _, does := range []string{"list teams.roster.dev", "list projects.roster.dev", "list memberships.roster.dev",
			"update joinrequests.roster.dev", "list joinrequests.roster.dev", "list pods"} {
			expect.Refused(ctx, "ana@join-agency", does, "org-join-customer")
		}

		By("approving it")
		Expect(patchAs(ctx, "olga@join-customer", request, `{"spec": {"decision": "Approved"}}`)).To(Succeed())
		phase(ctx, request, v1alpha1.JoinRequestApproved)
		expect.Ready(ctx, request)
		Expect(request.Status.DecidedBy).To(Equal("olga@join-customer"))
		expect.Allowed(ctx, bo, "create deployments.apps", shop)
		expect.Refused(ctx, bo, "list teams.roster.dev", "org-join-customer")
		Eventually(func() ([]v1alpha1.ExternalAccess, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(team), team)
			return team.Status.ExternalAccess, err
		}).WithContext(ctx).Should(ConsistOf(v1alpha1.ExternalAccess{
			Organization: "join-customer", Role: "developer", Projects: []v1alpha1.ObjectName{"shop"},
		}))
		Expect(team.Status.PendingJoinRequests).To(BeEmpty())

		By("seeing where it comes from")
		seesExternalAccess(ctx, request)

		By("leaving and joining the team")
		setMembers := func(members ...v1alpha1.Username) {
			expectations.Change(ctx, expect, team, func(t *v1alpha1.Team) { t.Spec.Members = members })
		}
		setMembers("cy@join-agency")
		expect.Refused(ctx, bo, "create deployments.apps", shop)
		expect.Allowed(ctx, "cy@join-agency", "create deployments.apps", shop)
		setMembers("cy@join-agency", v1alpha1.Username(bo))
		expect.Allowed(ctx, bo, "create deployments.apps", shop)

		By("withdrawing it")
		Expect(asAna.Delete(ctx, request)).To(Succeed())
		expect.Refused(ctx, bo, "create deployments.apps", shop)
		expect.Gone(ctx, request)
	})

	// Alone, since the second is Roster's, and not that of who shares the processors with it.
	It("has an employee who leaves the agency's team out of all 20 customers within a second", Serial, func(ctx SpecContext) {
		const customers = 20
		team := agency(ctx, "twenty")
		places := make([]string, customers)
		workqueue.ParallelizeUntil(ctx, 4, customers, func(n int) {
			defer GinkgoRecover()
			name := fmt.Sprintf("twenty-c%d", n+1)
			customer(ctx, name)
			letIn(ctx, name, "twenty", "developer")
			places[n] = name + "-shop"
		})
		expect.Allowed(ctx, "bo@twenty", "create deployments.apps", places...)
		expect.Allowed(ctx, "cy@twenty", "create deployments.apps", places...)

		Expect(patchAs(ctx, "ana@twenty", team, `{"spec": {"members": ["cy@twenty"]}}`)).To(Succeed())
		left := time.Now()
		out := map[string]time.Duration{}
		Eventually(func() (int, error) {
			for _, place := range places {
				if _, known := out[place]; known {
					continue
				}
				may, err := expect.May(ctx, expectations.Access{User: "bo@twenty", Does: "create deployments.apps", Namespace: place})
				if err != nil {
					return 0, err
				}
				if !may {
					out[place] = time.Since(left)
				}
			}
			return len(out), nil
		}).WithContext(ctx).Should(Equal(customers))
		for _, place := range places {
			AddReportEntry(place, out[place].String())
			Expect(out[place]).To(BeNumerically("<", time.Second), place)
		}
		expect.Allowed(ctx, "cy@twenty", "create deployments.apps", places...)
	}, SpecTimeout(5*time.Minute))
})
