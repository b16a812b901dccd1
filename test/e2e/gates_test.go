package e2e_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

var _ = Describe("A user who is deactivated", func() {
	It("loses everything everywhere, and has it back when activated again", func(ctx SpecContext) {
		acme := openAccount(ctx, "gate-deactivated")
		emea, other := acme.below(ctx, "gate-deactivated-sub"), openAccount(ctx, "gate-deactivated-other")
		shop, below, theirs := acme.project(ctx, "shop"), emea.project(ctx, "shop"), other.project(ctx, "shop")
		membership := acme.join(ctx, "bo", "member")
		acme.team(ctx, "makers", v1alpha1.TeamSpec{Members: acme.users("bo"), Role: "developer", Projects: objectNames("shop")})
		acme.bind(ctx, "wide", v1alpha1.RoleBindingSpec{
			Role: "viewer", Subjects: acme.people("bo"), OrganizationWide: true,
		})
		made(ctx, expectations.Membership(other.Name, "bo", acme.user("bo"), "viewer"))
		user := userCalled(ctx, acme.user("bo"))
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
		expect.Allowed(ctx, acme.user("bo"), asViewer, below, theirs)

		expectations.Change(ctx, expect, user, func(u *v1alpha1.User) { u.Spec.Deactivated = true })
		expect.Refused(ctx, acme.user("bo"), asViewer, shop, below, theirs)
		expect.Refused(ctx, acme.user("bo"), asMember, acme.namespace(), emea.namespace(), other.namespace())
		expectCondition(ctx, membership, v1alpha1.ConditionReady, fmt.Sprintf("False Deactivated: user %q is deactivated; "+
			"access comes back when the User is activated", acme.user("bo")))
		Expect(membership.Status.Phase).To(Equal(v1alpha1.MembershipSuspended))
		Expect(membership.Status.SuspendedBecause).To(Equal(v1alpha1.SuspendedDeactivated))
		Expect(membership.Status.Roles).To(BeEmpty())

		expectations.Change(ctx, expect, user, func(u *v1alpha1.User) { u.Spec.Deactivated = false })
		expect.Ready(ctx, membership)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
		expect.Allowed(ctx, acme.user("bo"), asViewer, below, theirs)
	})

	It("loses an ownership too, and the Organization says that no owner may act", func(ctx SpecContext) {
		acme := openAccount(ctx, "gate-deactivated-owner")
		shop, user := acme.project(ctx, "shop"), userCalled(ctx, acme.user("owner"))
		expect.Allowed(ctx, acme.user("owner"), asOwner, acme.namespace())

		expectations.Change(ctx, unasked, user, func(u *v1alpha1.User) { u.Spec.Deactivated = true })
		expect.Refused(ctx, acme.user("owner"), asViewer, shop)
		expect.Refused(ctx, acme.user("owner"), asOwner, acme.namespace())
		expectCondition(ctx, acme.Organization, v1alpha1.ConditionOwnersAvailable, "False NoneAvailable: no owner may act: "+
			"each is deactivated or lacks the second factor that is required; activate one, have a second factor attested, or "+
			"name another owner in spec.owners")

		expectations.Change(ctx, expect, user, func(u *v1alpha1.User) { u.Spec.Deactivated = false })
		expect.Allowed(ctx, acme.user("owner"), asOwner, acme.namespace())
		expectCondition(ctx, acme.Organization, v1alpha1.ConditionOwnersAvailable, "True Available: 1 of 1 owners may act")
	})
})

var _ = Describe("Where a second factor is required", func() {
	It("by the organization, members have access only while they have enrolled one", func(ctx SpecContext) {
		acme := openAccount(ctx, "gate-mfa")
		shop, membership := acme.project(ctx, "shop"), acme.join(ctx, "bo", "viewer")
		acme.team(ctx, "makers", v1alpha1.TeamSpec{Members: acme.users("bo"), Role: "developer", Projects: objectNames("shop")})
		enroll(ctx, acme.user("owner"), true)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)

		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.RequireMFA = true })
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		expect.Refused(ctx, acme.user("bo"), asMember, acme.namespace())
		expect.Allowed(ctx, acme.user("owner"), asDeveloper, shop)
		expectCondition(ctx, membership, v1alpha1.ConditionReady, fmt.Sprintf("False MFARequired: the organization or one "+
			"above requires a second factor, and no User says that %q has one; access comes back when one is enrolled",
			acme.user("bo")))
		Expect(membership.Status.SuspendedBecause).To(Equal(v1alpha1.SuspendedMFARequired))

		enroll(ctx, acme.user("bo"), true)
		expect.Ready(ctx, membership)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)

		enroll(ctx, acme.user("bo"), false)
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)

		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.RequireMFA = false })
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
	})

	It("by the organization above, it is required below", func(ctx SpecContext) {
		acme := openAccount(ctx, "gate-mfa-above")
		emea := acme.below(ctx, "gate-mfa-above-sub")
		above, below := acme.project(ctx, "shop"), emea.project(ctx, "shop")
		membership := emea.join(ctx, "bo", "developer")
		acme.join(ctx, "chloe", "developer")
		enroll(ctx, acme.user("owner"), true)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, below)
		expect.Allowed(ctx, acme.user("chloe"), asDeveloper, above, below)

		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.RequireMFA = true })
		expect.Refused(ctx, acme.user("bo"), asViewer, below)
		expect.Refused(ctx, acme.user("chloe"), asViewer, above, below)
		expect.NotReady(ctx, membership, "MFARequired")

		enroll(ctx, acme.user("bo"), true)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, below)
		expect.Refused(ctx, acme.user("chloe"), asViewer, above, below)
	})

	It("by an organization below, it isn't required above", func(ctx SpecContext) {
		acme := openAccount(ctx, "gate-mfa-below")
		emea := acme.below(ctx, "gate-mfa-below-sub")
		above, below := acme.project(ctx, "shop"), emea.project(ctx, "shop")
		acme.join(ctx, "bo", "developer")
		enroll(ctx, acme.user("gus"), true)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, above, below)

		emea.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.RequireMFA = true })
		expect.Refused(ctx, acme.user("bo"), asViewer, below)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, above)

		enroll(ctx, acme.user("bo"), true)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, above, below)
	})

	It("an owner without one has nothing either", func(ctx SpecContext) {
		acme := openAccount(ctx, "gate-mfa-owner")
		shop := acme.project(ctx, "shop")
		expectations.Change(ctx, unasked, acme.Organization, func(o *v1alpha1.Organization) { o.Spec.RequireMFA = true })
		expect.Refused(ctx, acme.user("owner"), asViewer, shop)
		Eventually(func() (v1alpha1.OwnerCounts, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(acme.Organization), acme.Organization)
			return acme.Status.Owners, err
		}).WithContext(ctx).Should(Equal(v1alpha1.OwnerCounts{Declared: 1, Available: 0}))

		enroll(ctx, acme.user("owner"), true)
		expect.Allowed(ctx, acme.user("owner"), asDeveloper, shop)
		expectCondition(ctx, acme.Organization, v1alpha1.ConditionOwnersAvailable, "True Available: 1 of 1 owners may act")
	})
})

var _ = Describe("A Membership that is suspended", func() {
	It("takes all access in its organization and below, not above, and gives it back when resumed", func(ctx SpecContext) {
		acme := openAccount(ctx, "gate-suspended")
		emea := acme.below(ctx, "gate-suspended-sub")
		fr := emea.below(ctx, "gate-suspended-sub-sub")
		above, shop, below := acme.project(ctx, "shop"), emea.project(ctx, "shop"), fr.project(ctx, "shop")
		acme.join(ctx, "bo", "viewer")
		acme.bind(ctx, "wide", v1alpha1.RoleBindingSpec{
			Role: "editor", Subjects: acme.people("bo"), OrganizationWide: true,
		})
		membership := emea.join(ctx, "bo", "developer")
		emea.team(ctx, "makers", v1alpha1.TeamSpec{Members: acme.users("bo"), Role: "maintainer", AllProjects: true})
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop, below)

		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) { m.Spec.Suspended = true })
		expect.Refused(ctx, acme.user("bo"), asViewer, shop, below)
		expect.Refused(ctx, acme.user("bo"), asMember, emea.namespace(), fr.namespace())
		expect.Allowed(ctx, acme.user("bo"), asEditor, above)
		expectCondition(ctx, membership, v1alpha1.ConditionReady,
			"False Requested: spec.suspended is set; access comes back when it is taken out")
		Expect(membership.Status.Phase).To(Equal(v1alpha1.MembershipSuspended))

		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) { m.Spec.Suspended = false })
		expect.Ready(ctx, membership)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop, below)
	})
})

var _ = Describe("A Membership that expires", func() {
	It("gives its roles until the instant, and a second later takes all access here and below", func(ctx SpecContext) {
		acme := openAccount(ctx, "gate-expired")
		emea := acme.below(ctx, "gate-expired-sub")
		shop, below := acme.project(ctx, "shop"), emea.project(ctx, "shop")
		end := soon()
		membership := expectations.Membership(acme.Name, "bo", acme.user("bo"), "developer")
		membership.Spec.ExpiresAt = &end
		made(ctx, membership)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, below)
		expectSwitch(ctx, expectations.Access{User: acme.user("bo"), Does: asDeveloper, Namespace: shop}, false, end.Time)
		expect.Refused(ctx, acme.user("bo"), asViewer, shop, below)
		expect.Refused(ctx, acme.user("bo"), asMember, acme.namespace(), emea.namespace())
		expect.NotReady(ctx, membership, "Expired")
		Expect(membership.Status.Phase).To(Equal(v1alpha1.MembershipExpired))

		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) { m.Spec.ExpiresAt = nil })
		expect.Ready(ctx, membership)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop, below)
	})
})

var _ = Describe("A Membership with an invitation", func() {
	It("gives nothing and takes nothing until it is accepted", func(ctx SpecContext) {
		acme := openAccount(ctx, "gate-invited")
		emea := acme.below(ctx, "gate-invited-sub")
		shop := emea.project(ctx, "shop")
		acme.join(ctx, "bo", "viewer")
		membership := expectations.Membership(emea.Name, "bo", acme.user("bo"), "developer")
		membership.Spec.Invitation = &v1alpha1.InvitationSpec{}
		expect.Create(ctx, membership)
		Eventually(phaseOf(ctx, membership)).WithContext(ctx).Should(Equal(v1alpha1.MembershipInvited))
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)
		expect.Refused(ctx, acme.user("bo"), asDeveloper, shop)

		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) {
			m.Spec.Response = v1alpha1.InvitationAccepted
		})
		expect.Ready(ctx, membership)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)

		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) {
			m.Spec.Response = v1alpha1.InvitationDeclined
		})
		expect.Refused(ctx, acme.user("bo"), asDeveloper, shop)
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)
		Eventually(phaseOf(ctx, membership)).WithContext(ctx).Should(Equal(v1alpha1.MembershipDeclined))
	})

	It("can't be answered by who may write the Membership, for somebody else or themselves", func(ctx SpecContext) {
		acme := openAccount(ctx, "gate-answer")
		membership := expectations.Membership(acme.Name, "bo", acme.user("bo"), "viewer")
		membership.Spec.Invitation = &v1alpha1.InvitationSpec{}
		expect.Create(ctx, membership)
		expect.Allowed(ctx, acme.user("owner"), "update memberships.roster.dev", acme.namespace())

		patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"response":"Accepted"}}`))
		err := clientFor(cluster.As(acme.user("owner"))).Patch(ctx, membership, patch)
		Expect(err).To(MatchError(ContainSubstring(
			"spec.response is the invited person's own answer and is set by Roster alone; leave it as it is")))
	})

	It("expires when it isn't answered in time", func(ctx SpecContext) {
		acme := openAccount(ctx, "gate-unanswered")
		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) {
			spec.Membership.InvitationTTL.Duration = 2 * time.Second
		})
		membership := expectations.Membership(acme.Name, "bo", acme.user("bo"), "viewer")
		membership.Spec.Invitation = &v1alpha1.InvitationSpec{}
		expect.Create(ctx, membership)
		Eventually(phaseOf(ctx, membership)).WithContext(ctx).Should(Equal(v1alpha1.MembershipExpired))
		Expect(time.Now()).To(BeTemporally(">=", membership.CreationTimestamp.Add(2*time.Second)))
		expect.Refused(ctx, acme.user("bo"), asMember, acme.namespace())
	})
})

// userCalled waits until there is one User of a username and returns it.
func userCalled(ctx context.Context, username string) *v1alpha1.User {
	GinkgoHelper()
	var list v1alpha1.UserList
	Eventually(func() ([]v1alpha1.User, error) {
		err := k8s.List(ctx, &list, client.MatchingFields{"spec.username": username})
		return list.Items, err
	}).WithContext(ctx).Should(HaveLen(1), "Users of %s", username)
	return &list.Items[0]
}

// enroll says of a user whether there is a second factor, as the identity provider's sync does.
func enroll(ctx context.Context, username string, enrolled bool) {
	GinkgoHelper()
	expectations.Change(ctx, expect, userCalled(ctx, username), func(u *v1alpha1.User) { u.Spec.MFA.Enrolled = enrolled })
}

func phaseOf(ctx context.Context, membership *v1alpha1.Membership) func() (v1alpha1.MembershipPhase, error) {
	return func() (v1alpha1.MembershipPhase, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(membership), membership)
		return membership.Status.Phase, err
	}
}
