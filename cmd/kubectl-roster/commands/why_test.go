package commands_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

var _ = Describe("why", func() {
	var cluster *server
	end := metav1.NewTime(time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC))

	// know lets the server answer about bo in a namespace, or in all.
	know := func(
		namespaces string, found *viewv1alpha1.MemberList, held *viewv1alpha1.GrantList, own *v1alpha1.MembershipList,
	) {
		cluster.answers[viewPath+namespaces+"members?user=bo"] = found
		cluster.answers[viewPath+namespaces+"grants?user=bo"] = held
		cluster.answers[rosterPath+namespaces+"memberships?spec.user=bo"] = own
	}
	grant := func(organization, namespace, role string, via ...viewv1alpha1.Object) viewv1alpha1.Grant {
		return viewv1alpha1.Grant{
			ObjectMeta: in(organization, role), User: "bo", TargetNamespace: namespace, Role: role, Via: via,
		}
	}
	object := func(kind, namespace, name string) viewv1alpha1.Object {
		return viewv1alpha1.Object{Kind: kind, Namespace: namespace, Name: name}
	}
	membership := func(organization string, phase v1alpha1.MembershipPhase) v1alpha1.Membership {
		return v1alpha1.Membership{ObjectMeta: in(organization, "bo-1"), Status: v1alpha1.MembershipStatus{Phase: phase}}
	}
	BeforeEach(func() { cluster = newServer() })

	It("tells each kind of chain", func() {
		until := grant("acme", "acme-shop", "viewer", object("RoleBinding", "org-root", "wide"))
		until.ExpiresAt = &end
		know("", members(member("acme", "bo", viewv1alpha1.MemberActive)), grants(
			grant("acme", "org-acme", "member", object("Membership", "org-acme", "bo")),
			grant("acme", "org-acme", "team-maintainer", object("Team", "org-acme", "makers")),
			grant("acme", "acme-shop", "developer", object("Team", "org-acme", "makers")),
			grant("acme", "acme-shop", "editor", object("Team", "org-acme", "all"), object("Team", "org-acme", "makers")),
			until,
			grant("acme", "acme-shop", "billing", object("RoleBinding", "org-acme", "crew"), object("Team", "org-acme", "makers")),
			grant("acme", "acme-shop", "auditor", object("Membership", "org-root", "bo")),
			grant("globex", "org-globex", "owner", object("Organization", "", "globex")),
			viewv1alpha1.Grant{ObjectMeta: in("initech", "x"), Group: "bo", TargetNamespace: "org-initech", Role: "viewer"},
		), memberships())
		cluster.prints("why bo",
			"bo in organization acme: active, as a member",
			"  acme-shop",
			"    auditor     by a membership of root above   Membership/org-root/bo",
			"    billing     by a binding to a team          RoleBinding/org-acme/crew > Team/org-acme/makers",
			"    developer   as a member of a team           Team/org-acme/makers",
			"    editor      as a member of a child team     Team/org-acme/all > Team/org-acme/makers",
			"    viewer      by a binding of root above      RoleBinding/org-root/wide, until 2027-01-31T00:00:00Z",
			"  org-acme",
			"    member            by a membership               Membership/org-acme/bo",
			"    team-maintainer   as a maintainer of the team   Team/org-acme/makers",
			"",
			"bo in organization globex: no member, but holds something",
			"  org-globex",
			"    owner   as an owner   Organization/globex",
		)
	})

	DescribeTable("tells the gate that takes access", func(change func(*viewv1alpha1.Member), lines ...string) {
		found := member("acme", "bo", viewv1alpha1.MemberSuspended, "viewer", "billing")
		change(&found)
		suspended := membership("acme", v1alpha1.MembershipSuspended)
		suspended.Spec.Suspended = true
		know("namespaces/org-acme/", members(found), grants(), memberships(suspended))
		cluster.prints("why bo -n org-acme", lines...)
	},
		Entry("suspended", func(m *viewv1alpha1.Member) { m.SuspendedBecause = "Requested" },
			"bo in organization acme: suspended, holds nothing",
			"  taken by Requested: spec.suspended of Membership/org-acme/bo-1 is true",
			"  given back when it is false again",
			"  holds then: in the organization viewer, billing"),
		Entry("deactivated", func(m *viewv1alpha1.Member) { m.SuspendedBecause, m.Teams = "Deactivated", []string{"makers"} },
			"bo in organization acme: suspended, holds nothing",
			"  taken by Deactivated: the User is deactivated, here and in every other organization",
			"  given back when spec.deactivated of the User is false again",
			"  holds then: in the organization viewer, billing; what the teams give that list the user: makers"),
		Entry("without a second factor", func(m *viewv1alpha1.Member) { m.SuspendedBecause, m.Roles = "MFARequired", nil },
			"bo in organization acme: suspended, holds nothing",
			"  taken by MFARequired: the organization or one above requires a second factor, and no User says that this user has one",
			"  given back when the user's identity provider, or the support desk, attests one"),
		Entry("invited", func(m *viewv1alpha1.Member) { m.Status, m.ExpiresAt = viewv1alpha1.MemberInvited, &end },
			"bo in organization acme: invited, holds nothing yet",
			"  the invitation waits for an answer until 2027-01-31T00:00:00Z",
			"  holds when it is accepted: in the organization viewer, billing"),
	)

	It("tells that a member holds nothing, as by a role that isn't there", func() {
		know("namespaces/org-acme/", members(member("acme", "bo", viewv1alpha1.MemberActive, "develloper")), grants(),
			memberships(membership("acme", v1alpha1.MembershipActive)))
		cluster.prints("why bo -n org-acme",
			"bo in organization acme: active, as a member",
			"  holds nothing here",
			"  the conditions of Membership/org-acme/bo-1 say whether something that it names isn't there (kubectl describe "+
				"membership bo-1 -n org-acme)")
	})

	It("tells which Membership gives no place any more, also above", func() {
		expired := membership("acme", v1alpha1.MembershipExpired)
		expired.Spec.ExpiresAt = &end
		know("namespaces/org-acme/", members(), grants(), memberships(expired))
		ofAcme := []string{
			"bo in organization acme: no member, holds nothing",
			"  taken by an end: Membership/org-acme/bo-1 has expired at 2027-01-31T00:00:00Z",
			"  given back by a later spec.expiresAt, or by a new invitation where it wasn't answered in time",
		}
		cluster.prints("why bo --organization acme", ofAcme...)
		know("namespaces/org-emea/", members(), grants(), memberships())
		cluster.answers[rosterPath+"organizations"] = forbidden("organizations.roster.dev")
		cluster.answers[mePath] = me("ana",
			selfv1alpha1.ProfileOrganization{Name: "acme"}, selfv1alpha1.ProfileOrganization{Name: "emea", Parent: "acme"})
		cluster.prints("why bo --organization emea",
			append([]string{"bo has no place in organization emea and holds nothing there; a Membership gives one"}, ofAcme...)...)
		know("namespaces/org-acme/", members(), grants(), memberships(membership("acme", v1alpha1.MembershipDeclined)))
		cluster.prints("why bo --organization acme", "bo in organization acme: no member, holds nothing",
			"  Membership/org-acme/bo-1 was declined by the user; a new invitation asks again")
	})

	It("asks in each of the caller's organizations where they may not ask in all", func() {
		cluster.answers[viewPath+"members?user=bo"] = forbidden("members.view.roster.dev")
		cluster.answers[mePath] = me("ana",
			selfv1alpha1.ProfileOrganization{Name: "acme"}, selfv1alpha1.ProfileOrganization{Name: "globex"})
		know("namespaces/org-acme/", members(), grants(), memberships())
		cluster.answers[viewPath+"namespaces/org-globex/members?user=bo"] = forbidden("members.view.roster.dev")
		cluster.prints("why bo", "bo has no place and holds nothing in any organization that you may see")
	})

	It("tells who may see nothing else why that is, of themselves alone", func() {
		cluster.answers[viewPath+"namespaces/org-acme/members?user=bo"] = forbidden("members.view.roster.dev")
		cluster.answers[viewPath+"namespaces/org-acme/members?user=ana"] = forbidden("members.view.roster.dev")
		cluster.answers[mePath] = me("bo",
			selfv1alpha1.ProfileOrganization{Name: "acme", Source: "Direct", SuspendedBecause: "Deactivated"})
		cluster.prints("why bo -n org-acme", "bo in organization acme: suspended, holds nothing",
			"  taken by Deactivated: the User is deactivated, here and in every other organization",
			"  given back when spec.deactivated of the User is false again")
		cluster.fails("why ana -n org-acme", "it takes the right to list members.view.roster.dev in org-acme")
		cluster.answers[mePath] = me("bo",
			selfv1alpha1.ProfileOrganization{Name: "acme", Source: "Inherited", Roles: []string{"billing"}})
		cluster.prints("why bo -n org-acme", "bo in organization acme: active, as a member of an organization above",
			"  what exactly you hold here isn't yours to see; your roles: billing")
	})
})
