package access_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

func evaluate(world access.World, organization string) access.Result {
	return access.Evaluate(world, organization, now)
}

func terminal(reason, message string) access.Problem {
	return access.Problem{Reason: reason, Message: message, Terminal: true}
}

func waiting(reason, message string) access.Problem {
	return access.Problem{Reason: reason, Message: message}
}

var _ = Describe("What is said of a Membership", func() {
	DescribeTable("is its phase, with what is in force here and now",
		func(world access.World, organization string, expected access.MembershipOutcome) {
			Expect(evaluate(world, organization).Memberships).To(HaveKeyWithValue("bo", expected))
		},
		Entry("Active and Direct",
			acme(member("acme", "bo", roles("viewer"))), "acme",
			access.MembershipOutcome{Phase: v1alpha1.MembershipActive, Source: v1alpha1.SourceDirect,
				Roles: []v1alpha1.RoleName{"viewer"}}),
		Entry("Active and Inherited with [none] below a Membership that names roles",
			family(member("acme", "bo", roles("viewer")), member("emea", "bo", roles("none"))), "emea",
			access.MembershipOutcome{Phase: v1alpha1.MembershipActive, Source: v1alpha1.SourceInherited,
				Roles: []v1alpha1.RoleName{"viewer"}}),
		Entry("Active without roles with [none] below nothing",
			acme(member("acme", "bo", roles("none"))), "acme",
			access.MembershipOutcome{Phase: v1alpha1.MembershipActive, Source: v1alpha1.SourceDirect}),
		Entry("Invited, with what is inherited meanwhile",
			family(member("acme", "bo", roles("viewer")), member("emea", "bo", invited)), "emea",
			access.MembershipOutcome{Phase: v1alpha1.MembershipInvited, Source: v1alpha1.SourceInherited,
				Roles: []v1alpha1.RoleName{"viewer"}}),
		Entry("Declined",
			acme(member("acme", "bo", answered(v1alpha1.InvitationDeclined))), "acme",
			access.MembershipOutcome{Phase: v1alpha1.MembershipDeclined}),
		Entry("Expired at its end",
			acme(member("acme", "bo", ending(now))), "acme",
			access.MembershipOutcome{Phase: v1alpha1.MembershipExpired}),
		Entry("Expired at the end of an invitation that nobody answered",
			acme(member("acme", "bo", invitedFor(24*time.Hour))), "acme",
			access.MembershipOutcome{Phase: v1alpha1.MembershipExpired}),
		Entry("Suspended because that was requested",
			acme(member("acme", "bo", suspended)), "acme",
			access.MembershipOutcome{Phase: v1alpha1.MembershipSuspended, SuspendedBecause: v1alpha1.SuspendedRequested}),
		Entry("Suspended because the user is deactivated",
			acme(member("acme", "bo", roles("viewer")), user("bo", deactivated)), "acme",
			access.MembershipOutcome{Phase: v1alpha1.MembershipSuspended, SuspendedBecause: v1alpha1.SuspendedDeactivated}),
		Entry("Suspended because a second factor is missing",
			world(organization("acme", requiringMFA), member("acme", "bo", roles("viewer"))), "acme",
			access.MembershipOutcome{Phase: v1alpha1.MembershipSuspended, SuspendedBecause: v1alpha1.SuspendedMFARequired}),
		Entry("Active as owner, whatever the Membership says",
			world(organization("acme", ownedBy("bo")), member("acme", "bo", suspended)), "acme",
			access.MembershipOutcome{Phase: v1alpha1.MembershipActive, Source: v1alpha1.SourceOwner,
				Roles: []v1alpha1.RoleName{"owner"}}),
		Entry("Suspended as owner only by a gate",
			world(organization("acme", ownedBy("bo")), member("acme", "bo", suspended), user("bo", deactivated)), "acme",
			access.MembershipOutcome{Phase: v1alpha1.MembershipSuspended, SuspendedBecause: v1alpha1.SuspendedDeactivated}),
		Entry("Active with a role that isn't there, which waits for it",
			acme(member("acme", "bo", roles("crawler"))), "acme",
			access.MembershipOutcome{Phase: v1alpha1.MembershipActive, Source: v1alpha1.SourceDirect,
				Roles: []v1alpha1.RoleName{"crawler"},
				Problems: []access.Problem{waiting(access.ReasonRoleNotFound, `role "crawler" is neither in the catalogue nor `+
					`in this organization or one above; make the Role or name another`)}}),
	)

	It("is Duplicate, naming the one that counts, of all but the oldest of one user", func() {
		outcomes := evaluate(acme(
			member("acme", "bo", madeAs("young", time.Hour)), member("acme", "bo", madeAs("old", 3*time.Hour)),
			member("acme", "bo", madeAs("middle", 2*time.Hour))), "acme").Memberships
		duplicate := terminal(access.ReasonDuplicate,
			`user "bo" has the older Membership "old" in this organization, which counts; delete one of the two`)
		Expect(outcomes["young"].Problems).To(ConsistOf(duplicate))
		Expect(outcomes["middle"].Problems).To(ConsistOf(duplicate))
		Expect(outcomes["old"].Problems).To(BeEmpty())
	})
})

var _ = Describe("What is said of a Team", func() {
	bo := member("acme", "bo", roles("none"))

	DescribeTable("is what keeps it from being in force",
		func(world access.World, expected ...access.Problem) {
			Expect(evaluate(world, "acme").Teams["web"].Problems).To(ConsistOf(expected))
		},
		Entry("nothing where all is in order", acme(bo, team("acme", "web", of("bo"), as("developer"), onAll))),
		Entry("nothing where it grants nothing", acme(bo, team("acme", "web", of("bo")))),
		Entry("a role that isn't there", acme(team("acme", "web", as("crawler"), onAll)),
			waiting(access.ReasonRoleNotFound, `role "crawler" is neither in the catalogue nor in this organization or one `+
				`above; make the Role or name another`)),
		Entry("projects that aren't there", acme(team("acme", "web", as("viewer"), on("shop", "two", "one"))),
			waiting(access.ReasonProjectNotFound, "no such project in this organization: one, two; make it or take it out of "+
				"spec.projects")),
		Entry("namespaces of its projects that can't be used",
			acme(withoutNamespace("acme-shop"), team("acme", "web", as("viewer"), on("shop"))),
			waiting(access.ReasonNamespaceNotReady, "these namespaces of the projects can't be used yet: acme-shop; the "+
				"Project says why")),
		Entry("a parent that isn't there", acme(team("acme", "web", within("all"))),
			waiting(access.ReasonParentNotFound, `no team "all" in this organization; make it or take it out of spec.parent`)),
		Entry("a cycle of parents", acme(team("acme", "web", within("all")), team("acme", "all", within("web"))),
			terminal(access.ReasonParentCycle, `following spec.parent from team "all" leads back to this team, so its parent `+
				`doesn't count; take spec.parent out of one of the teams`)),
		Entry("an empty selector", acme(team("acme", "web", as("viewer"), onMatching(&metav1.LabelSelector{}))),
			terminal(access.ReasonInvalidSelector, "spec.projectSelector can't be used: it is empty and would mean every "+
				"project; correct it")),
		Entry("a selector that isn't one", acme(team("acme", "web", as("viewer"), onMatching(&metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: "Near"}}}))),
			terminal(access.ReasonInvalidSelector, `spec.projectSelector can't be used: "Near" is not a valid label selector `+
				`operator; correct it`)),
		Entry("a group where a second factor is required",
			world(organization("acme", requiringMFA), team("acme", "web", standingFor("oidc:web"))),
			terminal(access.ReasonGroupNotAllowed, `group "oidc:web" gets nothing here: the organization or one above `+
				`requires a second factor, which can't be checked for a group; list the users instead`)),
	)

	It("counts whom and what the grant reaches, and names listed users who aren't members", func() {
		outcome := evaluate(acme(bo, member("acme", "cy"), member("acme", "di"), user("di", deactivated),
			team("acme", "web", of("zoe", "bo", "amy", "bo", "di"), as("viewer"), onAll),
			team("acme", "css", within("web"), of("cy", "bo"))), "acme").Teams["web"]
		Expect(outcome.Members).To(Equal(2), "bo and cy; di is held back")
		Expect(outcome.Projects).To(Equal(2))
		Expect(outcome.Missing).To(Equal([]string{"amy", "zoe"}))
		Expect(outcome.Ungated).To(BeFalse())
	})

	It("says Ungated where its group, or that of a team below, holds the grant", func() {
		teams := evaluate(acme(team("acme", "web", as("viewer"), onAll),
			team("acme", "css", within("web"), standingFor("oidc:css"))), "acme").Teams
		Expect(teams["web"].Ungated).To(BeTrue())
		Expect(teams["css"].Ungated).To(BeTrue())
	})
})

var _ = Describe("What is said of a RoleBinding", func() {
	bo := member("acme", "bo", roles("none"))

	DescribeTable("is what keeps it from being in force",
		func(world access.World, expected ...access.Problem) {
			Expect(evaluate(world, "acme").RoleBindings).To(HaveLen(1))
			for _, outcome := range evaluate(world, "acme").RoleBindings {
				Expect(outcome.Problems).To(ConsistOf(expected))
			}
		},
		Entry("nothing where all is in order", acme(bo, binding("acme", "viewer", toUser("bo"), organizationWide))),
		Entry("a role that isn't there", acme(bo, binding("acme", "crawler", toUser("bo"), forProjects("shop"))),
			waiting(access.ReasonRoleNotFound, `role "crawler" is neither in the catalogue nor in this organization or one `+
				`above; make the Role or name another`)),
		Entry("a team that isn't there", acme(binding("acme", "viewer", toTeam("web"), organizationWide)),
			waiting(access.ReasonTeamNotFound, `no team "web" in this organization; make it or take it out of spec.subjects`)),
		Entry("a group where a second factor is required",
			world(organization("acme", requiringMFA), binding("acme", "viewer", toGroup("oidc:all"), organizationWide)),
			terminal(access.ReasonGroupNotAllowed, `group "oidc:all" gets nothing here: the organization or one above `+
				`requires a second factor, which can't be checked for a group; list the users instead`)),
		Entry("a ServiceAccount from elsewhere",
			acme(binding("acme", "viewer", toServiceAccount("elsewhere", "ci"), organizationWide)),
			terminal(access.ReasonSubjectNotAllowed, `ServiceAccount "elsewhere/ci" isn't in a namespace of one of this `+
				`organization's projects; a ServiceAccount holds roles only within its own project; make one in that `+
				`project`)),
		Entry("a ServiceAccount with too strong a role",
			acme(binding("acme", "maintainer", toServiceAccount("acme-shop", "ci"), organizationWide)),
			terminal(access.ReasonSubjectNotAllowed, `ServiceAccount "acme-shop/ci" can't hold role "maintainer": whoever may `+
				`start a Pod could use it, so it holds at most what developer may do; choose a weaker role`)),
	)

	It("says Waiting before its time, nothing in it, and Expired after it", func() {
		outcome := func(options ...func(*v1alpha1.RoleBindingSpec)) access.RoleBindingOutcome {
			options = append(options, toUser("bo"), organizationWide)
			return evaluate(acme(bo, binding("acme", "viewer", options...)), "acme").RoleBindings["viewer"]
		}
		hour := time.Hour
		Expect(outcome(from(now.Add(hour)), until(now.Add(2*hour)))).To(Equal(
			access.RoleBindingOutcome{Projects: 2, Waiting: true}))
		Expect(outcome(from(now), until(now.Add(hour)))).To(Equal(access.RoleBindingOutcome{Projects: 2}))
		Expect(outcome(from(now.Add(-hour)), until(now))).To(Equal(access.RoleBindingOutcome{Projects: 2, Expired: true}))
	})

	It("names listed users who aren't members, once each, and says Ungated of a group", func() {
		outcome := evaluate(acme(binding("acme", "viewer", organizationWide,
			toUser("zoe"), toUser("amy"), toUser("zoe"), toGroup("oidc:all"))), "acme").RoleBindings["viewer"]
		Expect(outcome.Missing).To(Equal([]string{"amy", "zoe"}))
		Expect(outcome.Ungated).To(BeTrue())
	})

	It("is said in the organization where it is written alone", func() {
		Expect(evaluate(family(bo, binding("acme", "viewer", toUser("bo"), organizationWide)), "emea").RoleBindings).To(BeEmpty())
	})
})

var _ = Describe("What is said of an organization", func() {
	It("names its members with roles, source, gate and what gives them their place", func() {
		members := evaluate(world(organization("acme", ownedBy("ana")), organization("emea", below("acme"), ownedBy("di")),
			member("acme", "bo", roles("viewer")), member("emea", "cy", roles("editor")),
			member("emea", "ed", suspended), user("cy", deactivated)), "emea").Members
		Expect(members).To(Equal([]access.Member{
			{User: "ana", Roles: []v1alpha1.RoleName{"owner"}, Source: v1alpha1.SourceOwner,
				Via: []access.ObjectReference{{Kind: "Organization", Name: "acme"}}},
			{User: "bo", Roles: []v1alpha1.RoleName{"viewer"}, Source: v1alpha1.SourceInherited,
				Via: []access.ObjectReference{{Kind: "Membership", Namespace: "org-acme", Name: "bo"}}},
			{User: "cy", Roles: []v1alpha1.RoleName{"editor"}, Source: v1alpha1.SourceDirect, Gate: v1alpha1.SuspendedDeactivated,
				Via: []access.ObjectReference{{Kind: "Membership", Namespace: "org-emea", Name: "cy"}}},
			{User: "di", Roles: []v1alpha1.RoleName{"owner"}, Source: v1alpha1.SourceOwner,
				Via: []access.ObjectReference{{Kind: "Organization", Name: "emea"}}},
		}))
	})

	It("counts its own owners, once each, and those who may act", func() {
		result := evaluate(world(organization("acme", ownedBy("root")),
			organization("emea", below("acme"), requiringMFA, ownedBy("ana", "bo", "cy", "ana")),
			user("ana", enrolled), user("bo", enrolled, deactivated)), "emea")
		Expect(result.Owners).To(Equal(v1alpha1.OwnerCounts{Declared: 3, Available: 1}))
	})

	It("is a problem where the catalogue has no role owner", func() {
		result := evaluate(world(organization("acme"), withoutRole(v1alpha1.SystemNamespace, "owner")), "acme")
		Expect(result.Problems).To(ConsistOf(HaveField("Reason", access.ReasonRoleNotFound)))
		Expect(result.Grants).To(BeEmpty())
	})

	DescribeTable("is what is wrong with its parent",
		func(world access.World, organization string, problem access.LineageProblem) {
			Expect(evaluate(world, organization).Lineage.Problem).To(Equal(problem))
		},
		Entry("nothing where it is in order", family(), "fr", access.LineageProblem("")),
		Entry("nothing where there is none", family(), "acme", access.LineageProblem("")),
		Entry("that it isn't there", world(organization("fr", below("emea"))), "fr", access.ParentNotFound),
		Entry("that it is Personal",
			world(organization("emea", personal), organization("fr", below("emea"))), "fr", access.ParentPersonal),
		Entry("a cycle",
			world(organization("emea", below("fr")), organization("fr", below("emea"))), "fr", access.ParentCycle),
		Entry("nothing where the cycle is farther up",
			world(organization("acme", below("emea")), organization("emea", below("acme")), organization("fr", below("emea"))),
			"fr", access.LineageProblem("")),
		Entry("that it is too deep", world(chain("a", "b", "c", "d", "e", "f", "g", "h", "i")), "i", access.ParentTooDeep),
		Entry("nothing at the depth that is still allowed",
			world(chain("a", "b", "c", "d", "e", "f", "g", "h", "i")), "h", access.LineageProblem("")),
	)
})

var _ = Describe("An explanation", func() {
	explain := func(world access.World, organization, user, role string) []string {
		GinkgoHelper()
		var chains []string
		for _, grant := range evaluate(world, organization).Grants {
			for _, subject := range grant.Subjects {
				if subject.Name == user && grant.Role.Name == role {
					chains = append(chains, fmt.Sprint(grant.Via))
				}
			}
		}
		return chains
	}

	DescribeTable("is the chain of objects from the one that names the role to the one that names the subject",
		func(world access.World, organization, user, role string, chains ...string) {
			Expect(explain(world, organization, user, role)).To(ConsistOf(chains))
		},
		Entry("an Organization for its owner", world(organization("acme", ownedBy("ana"))), "acme", "ana", "owner",
			"[Organization/acme]"),
		Entry("the Organization above for its owner", family(), "emea", "olga", "owner", "[Organization/emea]"),
		Entry("the Membership that the climb ends at",
			family(member("acme", "bo", roles("viewer")), member("emea", "bo", roles("none"))), "fr", "bo", "viewer",
			"[Membership/org-acme/bo]"),
		Entry("a Team", acme(member("acme", "bo"), team("acme", "web", of("bo"), as("viewer"), onAll)), "acme", "bo", "viewer",
			"[Team/org-acme/web]"),
		Entry("a Team and the teams down to the member's",
			acme(member("acme", "bo"), team("acme", "all", as("viewer"), onAll), team("acme", "web", within("all")),
				team("acme", "css", within("web"), of("bo"))), "acme", "bo", "viewer",
			"[Team/org-acme/all Team/org-acme/web Team/org-acme/css]"),
		Entry("a RoleBinding",
			acme(member("acme", "bo"), binding("acme", "editor", toUser("bo"), organizationWide)), "acme", "bo", "editor",
			"[RoleBinding/org-acme/editor]"),
		Entry("a RoleBinding above, and the team there",
			family(member("acme", "bo"), team("acme", "web", of("bo")), binding("acme", "editor", toTeam("web"), organizationWide)),
			"fr", "bo", "editor", "[RoleBinding/org-acme/editor Team/org-acme/web]"),
		Entry("one for each way by which a user has the role",
			acme(member("acme", "bo", roles("viewer")), team("acme", "web", of("bo"), as("viewer"), onAll),
				binding("acme", "viewer", toUser("bo"), organizationWide)), "acme", "bo", "viewer",
			"[Membership/org-acme/bo]", "[Team/org-acme/web]", "[RoleBinding/org-acme/viewer]"),
	)
})

var _ = Describe("NextChange", func() {
	soon, late := now.Add(time.Hour), now.Add(2*time.Hour)
	bo := member("acme", "bo", roles("none"))

	DescribeTable("is the first instant at which something changes although no object does",
		func(world access.World, expected time.Time) {
			Expect(evaluate(world, "acme").NextChange).To(BeTemporally("==", expected))
		},
		Entry("none where nothing does", acme(bo, binding("acme", "viewer", toUser("bo"), organizationWide)), time.Time{}),
		Entry("none where everything has passed",
			acme(member("acme", "bo", ending(now)), binding("acme", "viewer", toUser("bo"), organizationWide,
				from(now.Add(-time.Hour)), until(now))), time.Time{}),
		Entry("the end of a Membership", acme(member("acme", "bo", ending(late)), member("acme", "cy", ending(soon))), soon),
		Entry("the end of an invitation", acme(member("acme", "bo", invitedFor(25*time.Hour))), soon),
		Entry("the end of an invitation by the organization's word",
			world(organization("acme", func(o *v1alpha1.Organization) {
				o.Spec.Membership.InvitationTTL = &metav1.Duration{Duration: 26 * time.Hour}
			}), member("acme", "bo", invited)), late),
		Entry("the end of an invitation by default", acme(member("acme", "bo", invited)), made.Add(168*time.Hour)),
		Entry("the end of a Membership before that of its invitation",
			acme(member("acme", "bo", invited, ending(soon))), soon),
		Entry("the begin of a RoleBinding",
			acme(bo, binding("acme", "viewer", toUser("bo"), organizationWide, from(soon), until(late))), soon),
		Entry("the end of a RoleBinding",
			acme(bo, binding("acme", "viewer", toUser("bo"), organizationWide, from(now), until(late))), late),
	)

	It("is that of an inherited Membership too", func() {
		Expect(evaluate(family(member("acme", "bo", ending(soon))), "fr").NextChange).To(BeTemporally("==", soon))
	})
})

var _ = Describe("Roles", func() {
	It("tell who holds a name, and find the Role unless it is going", func() {
		found := access.NewRoles(world(chain("acme", "emea"), role("org-acme", "crawler"), role("org-emea", "crawler"),
			role("org-acme", "going"), deleting("Role", "org-acme", "going")))
		Expect(found.Find("emea", "crawler").Namespace).To(Equal("org-acme"))
		Expect(found.Find("emea", "viewer").Namespace).To(Equal(v1alpha1.SystemNamespace))
		Expect(found.Find("", "viewer").Namespace).To(Equal(v1alpha1.SystemNamespace))
		Expect(found.Find("", "crawler")).To(BeNil())
		Expect(found.Find("emea", "going")).To(BeNil())
		Expect(found.Holder("emea", "going")).NotTo(BeNil())
		Expect(found.Holder("emea", "free")).To(BeNil())
	})
})

var _ = Describe("Enumerate", func() {
	DescribeTable("writes names sorted, ten at most",
		func(names []string, expected string) { Expect(access.Enumerate(names)).To(Equal(expected)) },
		Entry("none", nil, ""),
		Entry("two", []string{"b", "a"}, "a, b"),
		Entry("ten", []string{"j", "i", "h", "g", "f", "e", "d", "c", "b", "a"}, "a, b, c, d, e, f, g, h, i, j"),
		Entry("more", []string{"l", "k", "j", "i", "h", "g", "f", "e", "d", "c", "b", "a"},
			"a, b, c, d, e, f, g, h, i, j and 2 more"),
	)
})
