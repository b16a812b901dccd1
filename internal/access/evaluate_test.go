package access_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// grants says what an organization of a world grants, line by line, but for what olga has, who owns them all.
func grants(world access.World, organization string, expected ...string) {
	GinkgoHelper()
	Expect(grantsIn(world, organization)).To(ConsistOf(expected))
}

// acme is an organization with two projects and whatever else.
func acme(elements ...element) access.World {
	return world(append([]element{
		organization("acme"), project("acme", "shop", with("tier", "web")), project("acme", "mill", with("tier", "data")),
	}, elements...)...)
}

// family is acme with emea below it and fr below that, each with a project shop, and whatever else.
func family(elements ...element) access.World {
	return world(append([]element{
		chain("acme", "emea", "fr"), project("acme", "shop"), project("emea", "shop"), project("fr", "shop"),
	}, elements...)...)
}

var _ = Describe("Organization-wide roles", func() {
	DescribeTable("reach the organization's namespace and all its projects", grants,
		Entry("of an owner",
			world(organization("acme", ownedBy("ana")), project("acme", "shop")), "acme",
			"ana: owner in org-acme", "ana: owner in acme-shop"),
		Entry("of an active member",
			acme(member("acme", "bo", roles("viewer"))), "acme",
			"bo: viewer in org-acme", "bo: viewer in acme-shop", "bo: viewer in acme-mill"),
		Entry("of a member with several roles",
			world(organization("acme"), member("acme", "bo", roles("viewer", "billing"))), "acme",
			"bo: viewer in org-acme", "bo: billing in org-acme"),
		Entry("of a member who names none: the organization's default",
			world(organization("acme", defaultRoles("editor")), member("acme", "bo")), "acme",
			"bo: editor in org-acme"),
		Entry("of a member who names none where the organization names none either: member",
			world(organization("acme"), member("acme", "bo")), "acme",
			"bo: member in org-acme"),
		Entry("of a member whose default is none: nothing",
			world(organization("acme", defaultRoles("none")), member("acme", "bo")), "acme"),
		Entry("of a member with [none]: nothing",
			acme(member("acme", "bo", roles("none"))), "acme"),
		Entry("of a member whose invitation was accepted",
			world(organization("acme"), member("acme", "bo", roles("viewer"), answered(v1alpha1.InvitationAccepted))), "acme",
			"bo: viewer in org-acme"),
		Entry("of nobody who is invited, has declined, is suspended, has expired or is known by email alone",
			acme(
				member("acme", "invited", roles("viewer"), invited),
				member("acme", "declined", roles("viewer"), answered(v1alpha1.InvitationDeclined)),
				member("acme", "suspended", roles("viewer"), suspended),
				member("acme", "expired", roles("viewer"), ending(now)),
				member("acme", "", roles("viewer"), invited),
			), "acme"),
		Entry("of a member until the very end",
			world(organization("acme"), member("acme", "bo", roles("viewer"), ending(now.Add(time.Nanosecond)))), "acme",
			"bo: viewer in org-acme"),
		Entry("of a role of the organization's own",
			world(organization("acme"), role("org-acme", "crawler"), member("acme", "bo", roles("crawler"))), "acme",
			"bo: acme/crawler in org-acme"),
		Entry("of nobody by owner written where only another role may stand",
			acme(member("acme", "bo", roles("owner"))), "acme"),
		Entry("of two Memberships of one user, only those of the older",
			world(organization("acme"),
				member("acme", "bo", madeAs("a-younger", time.Hour), roles("administrator")),
				member("acme", "bo", madeAs("b-older", 2*time.Hour), roles("viewer"))), "acme",
			"bo: viewer in org-acme"),
		Entry("of two Memberships made in one second, only those of the first by name",
			world(organization("acme"),
				member("acme", "bo", madeAs("b", time.Hour), roles("administrator")),
				member("acme", "bo", madeAs("a", time.Hour), roles("viewer"))), "acme",
			"bo: viewer in org-acme"),
		Entry("of the younger Membership once the older is being deleted",
			world(organization("acme"),
				member("acme", "bo", madeAs("younger", time.Hour), roles("administrator")),
				member("acme", "bo", madeAs("older", 2*time.Hour), roles("viewer")),
				deleting(access.KindMembership, "org-acme", "older")), "acme",
			"bo: administrator in org-acme"),
	)

	DescribeTable("are those of the first organization, climbing to the root, that says something", grants,
		Entry("the parent's where there is no Membership",
			family(member("acme", "bo", roles("viewer"))), "fr",
			"bo: viewer in org-fr", "bo: viewer in fr-shop"),
		Entry("the organization's own, which override the parent's, up or down",
			family(member("acme", "bo", roles("administrator")), member("emea", "bo", roles("viewer"))), "emea",
			"bo: viewer in org-emea", "bo: viewer in emea-shop"),
		Entry("the nearest above",
			family(member("acme", "bo", roles("administrator")), member("emea", "bo", roles("viewer"))), "fr",
			"bo: viewer in org-fr", "bo: viewer in fr-shop"),
		Entry("the parent's where it says [none]",
			family(member("acme", "bo", roles("viewer")), member("emea", "bo", roles("none"))), "emea",
			"bo: viewer in org-emea", "bo: viewer in emea-shop"),
		Entry("the parent's where the default is [none]",
			world(organization("acme"), organization("emea", below("acme"), defaultRoles("none")),
				member("acme", "bo", roles("viewer")), member("emea", "bo")), "emea",
			"bo: viewer in org-emea"),
		Entry("the parent's default where the Membership of the parent names none",
			world(organization("acme", defaultRoles("editor")), organization("emea", below("acme"), defaultRoles("viewer")),
				member("acme", "bo")), "emea",
			"bo: editor in org-emea"),
		Entry("the parent's while an invitation waits",
			family(member("acme", "bo", roles("viewer")), member("emea", "bo", roles("administrator"), invited)), "emea",
			"bo: viewer in org-emea", "bo: viewer in emea-shop"),
		Entry("the parent's after an invitation was declined",
			family(member("acme", "bo", roles("viewer")),
				member("emea", "bo", roles("administrator"), answered(v1alpha1.InvitationDeclined))), "emea",
			"bo: viewer in org-emea", "bo: viewer in emea-shop"),
		Entry("the parent's after an invitation has run out unanswered",
			family(member("acme", "bo", roles("viewer")),
				member("emea", "bo", roles("administrator"), invitedFor(time.Hour))), "emea",
			"bo: viewer in org-emea", "bo: viewer in emea-shop"),
		Entry("none where a Membership on the way is suspended",
			family(member("acme", "bo", roles("viewer")), member("emea", "bo", roles("viewer"), suspended)), "fr"),
		Entry("none where a Membership on the way has expired",
			family(member("acme", "bo", roles("viewer")), member("emea", "bo", roles("viewer"), ending(now))), "fr"),
		Entry("none where an invitation that nobody answered is suspended",
			family(member("acme", "bo", roles("viewer")), member("emea", "bo", invited, suspended)), "fr"),
		Entry("none where the climb passes [none] and ends at a suspension",
			family(member("acme", "bo", roles("viewer"), suspended), member("emea", "bo", roles("none"))), "emea"),
		Entry("none from below",
			family(member("fr", "bo", roles("viewer"))), "emea"),
		Entry("none of an unknown role, which ends the climb all the same",
			family(member("acme", "bo", roles("viewer")), member("emea", "bo", roles("unknown"))), "emea"),
	)

	DescribeTable("never lower, suspend or end an ownership", grants,
		Entry("by a Membership with another role",
			world(organization("acme", ownedBy("ana")), member("acme", "ana", roles("viewer"))), "acme",
			"ana: owner in org-acme"),
		Entry("by a suspension",
			world(organization("acme", ownedBy("ana")), member("acme", "ana", suspended)), "acme",
			"ana: owner in org-acme"),
		Entry("by an end",
			world(organization("acme", ownedBy("ana")), member("acme", "ana", ending(now))), "acme",
			"ana: owner in org-acme"),
		Entry("by a suspension in an organization below",
			world(organization("acme", ownedBy("ana")), organization("emea", below("acme")), organization("fr", below("emea")),
				member("emea", "ana", suspended), member("fr", "ana", roles("viewer"))), "fr",
			"ana: owner in org-fr"),
	)
})

var _ = Describe("The forest", func() {
	orphan := organization("fr", below("emea"))
	bo := member("emea", "bo", roles("viewer"))

	DescribeTable("passes down only over edges that are in order", grants,
		Entry("not from a parent that isn't there",
			world(orphan, bo, namespace("org-emea", v1alpha1.LabelOrganization, "emea")), "fr"),
		Entry("not from a Personal parent",
			world(organization("emea", personal, ownedBy("ana")), orphan), "fr"),
		Entry("not along a cycle",
			world(organization("emea", below("fr")), orphan, bo), "fr"),
		Entry("from the first member of a cycle to an organization below it, and no further",
			world(organization("acme", below("emea")), organization("emea", below("acme")), orphan,
				bo, member("acme", "cy", roles("viewer"))), "fr",
			"bo: viewer in org-fr"),
		Entry("from eight levels up",
			world(chain("a", "b", "c", "d", "e", "f", "g", "h"), member("a", "bo", roles("viewer"))), "h",
			"bo: viewer in org-h"),
		Entry("from nowhere to a ninth level",
			world(chain("a", "b", "c", "d", "e", "f", "g", "h", "i"), member("h", "bo", roles("viewer"))), "i"),
		Entry("from nowhere to a ninth level that ends in a cycle",
			world(organization("a", below("z")), organization("z", below("a")),
				organization("b", below("a")), organization("c", below("b")), organization("d", below("c")),
				organization("e", below("d")), organization("f", below("e")), organization("g", below("f")),
				organization("h", below("g")), organization("i", below("h")), member("h", "bo", roles("viewer"))), "i"),
		Entry("from an organization that is being deleted while another is below it",
			world(organization("emea"), orphan, bo, deleting(access.KindOrganization, "", "emea")), "fr",
			"bo: viewer in org-fr"),
	)

	DescribeTable("keeps an organization that is being deleted for as long as something needs it", grants,
		Entry("an organization below",
			world(organization("emea"), orphan, bo, deleting(access.KindOrganization, "", "emea")), "emea",
			"bo: viewer in org-emea"),
		Entry("a project",
			world(organization("emea"), project("emea", "shop"), bo, deleting(access.KindOrganization, "", "emea")), "emea",
			"bo: viewer in org-emea", "bo: viewer in emea-shop"),
		Entry("a project that is being deleted too",
			world(organization("emea"), project("emea", "shop"), bo, deleting(access.KindOrganization, "", "emea"),
				deleting(access.KindProject, "org-emea", "shop")), "emea",
			"bo: viewer in org-emea"),
		Entry("somebody who confirms that",
			world(organization("emea"), bo, deletingUnconfirmed(access.KindOrganization, "", "emea")), "emea",
			"bo: viewer in org-emea"),
		Entry("but not for nothing",
			world(organization("emea"), bo, deleting(access.KindOrganization, "", "emea")), "emea"),
	)

	It("has ended an organization that isn't there", func() {
		result := access.Evaluate(world(), "acme", now)
		Expect(result.Ended).To(BeTrue())
		Expect(result.Lineage).To(BeNil())
	})
})

var _ = Describe("Teams", func() {
	bo := member("acme", "bo", roles("none"))
	cy := member("acme", "cy", roles("none"))

	DescribeTable("grant their role to their members", grants,
		Entry("in the projects that they list",
			acme(bo, team("acme", "web", of("bo"), as("developer"), on("shop"))), "acme",
			"bo: developer in acme-shop"),
		Entry("in the projects that are there of those they list",
			acme(bo, team("acme", "web", of("bo"), as("developer"), on("shop", "absent"))), "acme",
			"bo: developer in acme-shop"),
		Entry("in the projects that their selector matches",
			acme(bo, team("acme", "web", of("bo"), as("developer"), onMatching(matching("tier", "data")))), "acme",
			"bo: developer in acme-mill"),
		Entry("in all projects",
			acme(bo, team("acme", "web", of("bo"), as("developer"), onAll)), "acme",
			"bo: developer in acme-shop", "bo: developer in acme-mill"),
		Entry("in every namespace of a project",
			world(organization("acme"), project("acme", "shop", in("one", "two")), bo,
				team("acme", "web", of("bo"), as("developer"), onAll)), "acme",
			"bo: developer in one", "bo: developer in two"),
		Entry("nowhere where they name no projects",
			acme(bo, team("acme", "web", of("bo"), as("developer"))), "acme"),
		Entry("nowhere where their selector is empty",
			acme(bo, team("acme", "web", of("bo"), as("developer"), onMatching(&metav1.LabelSelector{}))), "acme"),
		Entry("nowhere without a role, or with one that isn't there, none or owner",
			acme(bo, team("acme", "a", of("bo"), onAll), team("acme", "b", of("bo"), as("absent"), onAll),
				team("acme", "c", of("bo"), as("none"), onAll), team("acme", "d", of("bo"), as("owner"), onAll)), "acme"),
		Entry("not in the projects of an organization below",
			family(member("acme", "bo", roles("none")), team("acme", "web", of("bo"), as("developer"), onAll)), "emea"),
		Entry("not in a project that is being deleted",
			acme(bo, team("acme", "web", of("bo"), as("developer"), onAll), deleting(access.KindProject, "org-acme", "shop")),
			"acme", "bo: developer in acme-mill"),
		Entry("not while the team is being deleted",
			acme(bo, team("acme", "web", of("bo"), as("developer"), onAll), deleting(access.KindTeam, "org-acme", "web")),
			"acme"),
	)

	DescribeTable("grant nothing to who isn't a member of the organization", grants,
		Entry("at all",
			acme(team("acme", "web", of("stranger"), as("developer"), onAll)), "acme"),
		Entry("any more, since suspended",
			acme(member("acme", "bo", suspended), team("acme", "web", of("bo"), as("developer"), onAll)), "acme"),
		Entry("yet, since only invited",
			acme(member("acme", "bo", invited), team("acme", "web", of("bo"), as("developer"), onAll)), "acme"),
		Entry("here, since suspended here, though a member above",
			family(member("acme", "bo", roles("none")), member("emea", "bo", suspended),
				team("emea", "web", of("bo"), as("developer"), onAll)), "emea"),
		Entry("but of one below",
			family(member("emea", "bo", roles("none")), team("acme", "web", of("bo"), as("developer"), onAll)), "acme"),
	)

	DescribeTable("grant to who is a member by other means than a Membership of the organization", grants,
		Entry("an inherited member",
			family(member("acme", "bo", roles("none")), team("fr", "web", of("bo"), as("developer"), onAll)), "fr",
			"bo: developer in fr-shop"),
		Entry("an inherited member whose invitation here was declined",
			family(member("acme", "bo", roles("none")), member("fr", "bo", answered(v1alpha1.InvitationDeclined)),
				team("fr", "web", of("bo"), as("developer"), onAll)), "fr",
			"bo: developer in fr-shop"),
		Entry("an owner",
			world(organization("acme", ownedBy("ana")), project("acme", "shop"),
				team("acme", "web", of("ana"), as("developer"), onAll)), "acme",
			"ana: owner in org-acme", "ana: owner in acme-shop", "ana: developer in acme-shop"),
	)

	DescribeTable("pass what they are granted down to their child teams", grants,
		Entry("and never up",
			acme(bo, cy, team("acme", "all", of("bo"), as("viewer"), on("shop")),
				team("acme", "web", of("cy"), within("all"), as("developer"), on("mill"))), "acme",
			"bo: viewer in acme-shop", "cy: viewer in acme-shop", "cy: developer in acme-mill"),
		Entry("over several levels",
			acme(cy, team("acme", "all", as("viewer"), on("shop")), team("acme", "web", within("all")),
				team("acme", "css", within("web"), of("cy"))), "acme",
			"cy: viewer in acme-shop"),
		Entry("not by a parent that isn't there",
			acme(cy, team("acme", "web", within("absent"), of("cy"))), "acme"),
		Entry("not by a parent that is being deleted",
			acme(cy, team("acme", "all", as("viewer"), on("shop")), team("acme", "web", within("all"), of("cy")),
				deleting(access.KindTeam, "org-acme", "all")), "acme"),
		Entry("not around a cycle",
			acme(bo, cy, team("acme", "a", within("b"), of("bo"), as("viewer"), on("shop")),
				team("acme", "b", within("a"), of("cy"), as("developer"), on("mill"))), "acme",
			"bo: viewer in acme-shop", "cy: developer in acme-mill"),
		Entry("from a team on a cycle to one below it that isn't",
			acme(bo, team("acme", "a", within("b"), as("viewer"), on("shop")), team("acme", "b", within("a")),
				team("acme", "c", within("a"), of("bo"))), "acme",
			"bo: viewer in acme-shop"),
		Entry("not from a team of that name in another organization",
			family(member("acme", "bo", roles("none")), team("acme", "all", as("viewer"), onAll),
				team("emea", "web", within("all"), of("bo"))), "emea"),
	)

	DescribeTable("stand for a group of the identity provider", grants,
		Entry("besides the members",
			acme(bo, team("acme", "web", of("bo"), standingFor("oidc:web"), as("viewer"), on("shop"))), "acme",
			"bo: viewer in acme-shop", "Group /oidc:web: viewer in acme-shop"),
		Entry("which gets what the parent team is granted",
			acme(team("acme", "all", as("viewer"), on("shop")), team("acme", "web", within("all"), standingFor("oidc:web"))),
			"acme", "Group /oidc:web: viewer in acme-shop"),
		Entry("which gets nothing where a second factor is required",
			world(organization("acme", requiringMFA, ownedBy("ana")), project("acme", "shop"),
				team("acme", "web", standingFor("oidc:web"), as("viewer"), onAll)), "acme"),
		Entry("which gets nothing where a second factor is required above",
			world(organization("acme", requiringMFA), organization("emea", below("acme")), project("emea", "shop"),
				team("emea", "web", standingFor("oidc:web"), as("viewer"), onAll)), "emea"),
	)
})

var _ = Describe("RoleBindings", func() {
	bo := member("acme", "bo", roles("none"))

	DescribeTable("grant their role to users and teams", grants,
		Entry("in projects",
			acme(bo, binding("acme", "editor", toUser("bo"), forProjects("shop"))), "acme",
			"bo: editor in acme-shop"),
		Entry("in projects that a selector matches",
			acme(bo, binding("acme", "editor", toUser("bo"), forMatching(matching("tier", "data")))), "acme",
			"bo: editor in acme-mill"),
		Entry("in the whole organization, its namespace too",
			acme(bo, binding("acme", "editor", toUser("bo"), organizationWide)), "acme",
			"bo: editor in org-acme", "bo: editor in acme-shop", "bo: editor in acme-mill"),
		Entry("nowhere where nothing is chosen",
			acme(bo, binding("acme", "editor", toUser("bo"))), "acme"),
		Entry("nowhere where the selector is empty",
			acme(bo, binding("acme", "editor", toUser("bo"), forMatching(&metav1.LabelSelector{}))), "acme"),
		Entry("nowhere where the role is none, owner or unknown",
			acme(bo, binding("acme", "none", toUser("bo"), organizationWide),
				binding("acme", "owner", toUser("bo"), organizationWide),
				binding("acme", "unknown", toUser("bo"), organizationWide)), "acme"),
		Entry("to a team with its child teams, but not to its parent team",
			acme(bo, member("acme", "cy", roles("none")), member("acme", "di", roles("none")),
				team("acme", "all", of("di")), team("acme", "web", within("all"), of("bo")),
				team("acme", "css", within("web"), of("cy")),
				binding("acme", "editor", toTeam("web"), forProjects("shop"))), "acme",
			"bo: editor in acme-shop", "cy: editor in acme-shop"),
		Entry("to the group that a team stands for",
			acme(team("acme", "web", standingFor("oidc:web")), binding("acme", "editor", toTeam("web"), forProjects("shop"))),
			"acme", "Group /oidc:web: editor in acme-shop"),
		Entry("to nobody who isn't a member",
			acme(binding("acme", "editor", toUser("stranger"), organizationWide),
				team("acme", "web", of("other")), binding("acme", "viewer", toTeam("web"), organizationWide)), "acme"),
		Entry("to nobody by a team that is being deleted",
			acme(bo, team("acme", "web", of("bo")), binding("acme", "editor", toTeam("web"), forProjects("shop")),
				deleting(access.KindTeam, "org-acme", "web")), "acme"),
		Entry("to nobody while being deleted",
			acme(bo, binding("acme", "editor", toUser("bo"), organizationWide),
				deleting(access.KindRoleBinding, "org-acme", "editor")), "acme"),
	)

	DescribeTable("reach organizations below where they are organization-wide", grants,
		Entry("for users",
			family(bo, binding("acme", "editor", toUser("bo"), organizationWide)), "fr",
			"bo: editor in org-fr", "bo: editor in fr-shop"),
		Entry("for a team of the organization where they are written",
			family(bo, team("acme", "web", of("bo")), team("fr", "web"),
				binding("acme", "editor", toTeam("web"), organizationWide)), "fr",
			"bo: editor in org-fr", "bo: editor in fr-shop"),
		Entry("with the role that the name means where they are written",
			family(bo, role("org-acme", "crawler"), role("org-fr", "crawler"),
				binding("acme", "crawler", toUser("bo"), organizationWide)), "fr",
			"bo: acme/crawler in org-fr", "bo: acme/crawler in fr-shop"),
		Entry("not where they name projects, though a project below has the same name",
			family(bo, binding("acme", "editor", toUser("bo"), forProjects("shop"))), "emea"),
		Entry("not for who is suspended there",
			family(bo, member("emea", "bo", suspended), binding("acme", "editor", toUser("bo"), organizationWide)), "fr"),
		Entry("not for who is a member only there",
			family(member("fr", "bo", roles("none")), binding("acme", "editor", toUser("bo"), organizationWide)), "fr"),
		Entry("not for who is suspended where they are written",
			family(member("acme", "bo", suspended), member("fr", "bo", roles("none")),
				binding("acme", "editor", toUser("bo"), organizationWide)), "fr"),
		Entry("not for groups, teams' groups and ServiceAccounts",
			family(team("acme", "web", standingFor("oidc:web")), binding("acme", "editor", organizationWide,
				toGroup("oidc:all"), toTeam("web"), toServiceAccount("acme-shop", "ci"), toServiceAccount("emea-shop", "ci"))),
			"emea"),
		Entry("not upwards",
			family(bo, binding("emea", "editor", toUser("bo"), organizationWide)), "acme"),
	)

	DescribeTable("grant from notBefore until expiresAt", grants,
		Entry("not before", acme(bo, binding("acme", "editor", toUser("bo"), forProjects("shop"),
			from(now.Add(time.Nanosecond)))), "acme"),
		Entry("from the instant on", acme(bo, binding("acme", "editor", toUser("bo"), forProjects("shop"), from(now))), "acme",
			"bo: editor in acme-shop"),
		Entry("until just before the end", acme(bo, binding("acme", "editor", toUser("bo"), forProjects("shop"),
			from(now.Add(-time.Hour)), until(now.Add(time.Nanosecond)))), "acme",
			"bo: editor in acme-shop"),
		Entry("not at the end", acme(bo, binding("acme", "editor", toUser("bo"), forProjects("shop"), until(now))), "acme"),
	)

	DescribeTable("grant to groups", grants,
		Entry("in the organization where they are written",
			acme(binding("acme", "editor", toGroup("oidc:all"), organizationWide)), "acme",
			"Group /oidc:all: editor in org-acme", "Group /oidc:all: editor in acme-shop",
			"Group /oidc:all: editor in acme-mill"),
		Entry("but not where a second factor is required",
			world(organization("acme", requiringMFA), project("acme", "shop"),
				binding("acme", "editor", toGroup("oidc:all"), organizationWide)), "acme"),
	)

	DescribeTable("grant to ServiceAccounts within their own project", grants,
		Entry("in all of the project's namespaces and no others",
			acme(project("acme", "pair", in("one", "two")),
				binding("acme", "developer", toServiceAccount("one", "ci"), organizationWide)), "acme",
			"ServiceAccount one/ci: developer in one", "ServiceAccount one/ci: developer in two"),
		Entry("not in another project",
			acme(binding("acme", "developer", toServiceAccount("acme-shop", "ci"), forProjects("mill"))), "acme"),
		Entry("not from outside of the organization's projects",
			family(binding("acme", "developer", organizationWide, toServiceAccount("org-acme", "ci"),
				toServiceAccount("elsewhere", "ci"), toServiceAccount("emea-shop", "ci"))), "acme"),
		Entry("not from a namespace of the project that isn't in order",
			acme(namespace("acme-shop"), binding("acme", "developer", organizationWide, toServiceAccount("acme-shop", "ci"))),
			"acme"),
		Entry("not with more than developer",
			acme(role("org-acme", "crawler"), binding("acme", "maintainer", toServiceAccount("acme-shop", "ci"), organizationWide),
				binding("acme", "crawler", toServiceAccount("acme-shop", "ci"), organizationWide)), "acme"),
	)
})

var _ = Describe("Gates", func() {
	secured := func(elements ...element) access.World {
		return world(append([]element{
			organization("acme", requiringMFA), project("acme", "shop"), member("acme", "bo", roles("viewer")),
			team("acme", "web", of("bo"), as("developer"), onAll), binding("acme", "editor", toUser("bo"), organizationWide),
		}, elements...)...)
	}
	everything := []string{
		"bo: viewer in org-acme", "bo: viewer in acme-shop", "bo: developer in acme-shop",
		"bo: editor in org-acme", "bo: editor in acme-shop",
	}

	DescribeTable("take everything from a user", grants,
		Entry("who has no second factor where one is required", secured(user("bo")), "acme"),
		Entry("of whom nothing is known where a second factor is required", secured(), "acme"),
		Entry("who is deactivated", secured(user("bo", enrolled, deactivated)), "acme"),
		Entry("of whose two Users one has no second factor", secured(user("bo", enrolled), user("bo")), "acme"),
		Entry("of whose two Users one is deactivated", secured(user("bo", enrolled), user("bo", enrolled, deactivated)), "acme"),
		Entry("whose User is being deleted but says deactivated",
			acme(member("acme", "bo", roles("viewer")), user("bo", deactivated), deleting("User", "", "bo-0")), "acme"),
		Entry("who is an owner",
			world(organization("acme", requiringMFA, ownedBy("ana", "di")), user("ana"), user("di", enrolled, deactivated)),
			"acme"),
		Entry("below the organization that requires a second factor",
			world(organization("acme", requiringMFA), organization("emea", below("acme")),
				member("emea", "bo", roles("viewer"))), "emea"),
		Entry("around a cycle of organizations",
			world(organization("acme", requiringMFA, below("emea")), organization("emea", below("acme")),
				member("emea", "bo", roles("viewer"))), "emea"),
		Entry("below a cycle of organizations, wherever on it a second factor is required",
			world(organization("acme", requiringMFA, below("emea")), organization("emea", below("acme")),
				organization("fr", below("emea")), member("fr", "bo", roles("viewer"))), "fr"),
		Entry("of an organization that is too deep to inherit",
			world(organization("a", requiringMFA), organization("b", below("a")), organization("c", below("b")),
				organization("d", below("c")), organization("e", below("d")), organization("f", below("e")),
				organization("g", below("f")), organization("h", below("g")), organization("i", below("h")),
				member("i", "bo", roles("viewer"))), "i"),
	)

	DescribeTable("leave everything to a user", grants,
		Entry("who has a second factor",
			append([]any{secured(user("bo", enrolled)), "acme"}, toAny(everything)...)...),
		Entry("of whom nothing is known where no second factor is required",
			world(organization("acme"), member("acme", "bo", roles("viewer"))), "acme", "bo: viewer in org-acme"),
		Entry("of an organization above the one that requires a second factor",
			world(organization("acme"), organization("emea", below("acme"), requiringMFA),
				member("acme", "bo", roles("viewer"))), "acme", "bo: viewer in org-acme"),
	)
})

func toAny(lines []string) []any {
	converted := make([]any, 0, len(lines))
	for _, line := range lines {
		converted = append(converted, line)
	}
	return converted
}

var _ = Describe("The name of a role", func() {
	viewer := member("fr", "bo", roles("crawler"))

	DescribeTable("means what it means where the grant is written", grants,
		Entry("a role of the organization itself",
			world(chain("acme", "emea", "fr"), role("org-fr", "crawler"), viewer), "fr", "bo: fr/crawler in org-fr"),
		Entry("a role of an organization above",
			world(chain("acme", "emea", "fr"), role("org-acme", "crawler"), viewer), "fr", "bo: acme/crawler in org-fr"),
		Entry("the role of the farthest organization above, which has the name",
			world(chain("acme", "emea", "fr"), role("org-acme", "crawler"), role("org-emea", "crawler"),
				role("org-fr", "crawler"), viewer), "fr", "bo: acme/crawler in org-fr"),
		Entry("the catalogue's role, which nobody else can have",
			world(chain("acme", "emea", "fr"), role("org-acme", "viewer"), member("fr", "bo", roles("viewer"))), "fr",
			"bo: viewer in org-fr"),
		Entry("nothing while the Role that has the name is being deleted",
			world(chain("acme", "emea", "fr"), role("org-acme", "crawler"), role("org-fr", "crawler"), viewer,
				deleting("Role", "org-acme", "crawler")), "fr"),
		Entry("nothing while the catalogue's role of that name is being deleted",
			world(chain("acme", "emea", "fr"), role("org-fr", "viewer"), member("fr", "bo", roles("viewer")),
				deleting("Role", v1alpha1.SystemNamespace, "viewer")), "fr"),
		Entry("not a role of an organization below",
			world(chain("acme", "emea"), role("org-emea", "crawler"), member("acme", "bo", roles("crawler"))), "emea"),
		Entry("for an inherited Membership, what it means in that organization",
			world(chain("acme", "emea"), role("org-acme", "crawler"), member("acme", "bo", roles("crawler"))), "emea",
			"bo: acme/crawler in org-emea"),
		Entry("for owner never an organization's own role",
			world(organization("acme", ownedBy("ana")), role("org-acme", "owner"),
				withoutRole(v1alpha1.SystemNamespace, "owner")), "acme"),
		Entry("for none never an organization's own role",
			world(organization("acme"), role("org-acme", "none"), withoutRole(v1alpha1.SystemNamespace, "none"),
				member("acme", "bo", roles("none")), project("acme", "shop"), team("acme", "web", of("bo"), as("none"), onAll)),
			"acme"),
		Entry("nothing where the Role's organization namespace isn't the organization's",
			world(organization("acme"), organization("emea", below("acme")), role("org-acme", "crawler"),
				namespace("org-acme"), member("emea", "bo", roles("crawler"))), "emea"),
	)
})

var _ = Describe("Namespaces", func() {
	bo := member("acme", "bo", roles("viewer"))
	terminating := func(name string) element { return deleting("Namespace", "", name) }

	DescribeTable("of an organization count only when they carry its label and are no project's", grants,
		Entry("not when there is none", acme(bo, withoutNamespace("org-acme")), "acme"),
		Entry("not without the label", acme(bo, namespace("org-acme")), "acme"),
		Entry("not with another organization's label",
			acme(bo, namespace("org-acme", v1alpha1.LabelOrganization, "other")), "acme"),
		Entry("not with a project's label",
			acme(bo, namespace("org-acme", v1alpha1.LabelOrganization, "acme", v1alpha1.LabelProject, "shop")), "acme"),
		Entry("not while they are being deleted", acme(bo, terminating("org-acme")), "acme"),
		Entry("so that what is in another one says nothing below either",
			family(bo, member("emea", "cy", roles("viewer")), namespace("org-acme")), "emea",
			"cy: viewer in org-emea", "cy: viewer in emea-shop"),
	)

	DescribeTable("of a project count only when they carry both labels and may be a project's", grants,
		Entry("not when there is none", acme(bo, withoutNamespace("acme-shop")), "acme",
			"bo: viewer in org-acme", "bo: viewer in acme-mill"),
		Entry("not without the project's label",
			acme(bo, namespace("acme-shop", v1alpha1.LabelOrganization, "acme")), "acme",
			"bo: viewer in org-acme", "bo: viewer in acme-mill"),
		Entry("not without the organization's label",
			acme(bo, namespace("acme-shop", v1alpha1.LabelProject, "shop")), "acme",
			"bo: viewer in org-acme", "bo: viewer in acme-mill"),
		Entry("not while they are being deleted", acme(bo, terminating("acme-shop")), "acme",
			"bo: viewer in org-acme", "bo: viewer in acme-mill"),
		Entry("for the one of two projects whose label they carry",
			world(organization("acme"), project("acme", "shop", in("shared")), project("acme", "mill", in("shared")),
				namespace("shared", v1alpha1.LabelOrganization, "acme", v1alpha1.LabelProject, "mill"), member("acme", "cy"),
				team("acme", "shop", of("cy"), as("viewer"), on("shop")),
				team("acme", "mill", of("cy"), as("editor"), on("mill"))), "acme",
			"cy: member in org-acme", "cy: member in shared", "cy: editor in shared"),
		Entry("never with the name of one of the cluster's, Roster's or an organization's own",
			world(organization("acme"), project("acme", "shop",
				in("default", "roster-system", "kube-system", "kube-shop", "org-other")), bo), "acme",
			"bo: viewer in org-acme"),
	)
})
