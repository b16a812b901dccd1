package e2e_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/status"
	"github.com/roster-dev/roster/test/expectations"
)

// What tells one role from another: the first role of the catalogue that may do it is in the name.
const (
	asMember        = "list memberships.roster.dev"
	asViewer        = "list pods"
	asEditor        = "create configmaps"
	asDeveloper     = "create deployments.apps"
	asAdministrator = "create memberships.roster.dev"
	asOwner         = "assign roles.roster.dev"
)

var _ = Describe("A Membership", func() {
	It("gives its roles in the organization and all its projects, and takes them when it is deleted", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-member")
		shop, stock := acme.project(ctx, "shop"), acme.project(ctx, "stock")
		bo := acme.user("bo")
		expect.Refused(ctx, bo, asViewer, shop, stock)
		expect.Refused(ctx, bo, asMember, acme.namespace())

		membership := acme.join(ctx, "bo", "viewer")
		expect.Allowed(ctx, bo, asViewer, shop, stock)
		expect.Allowed(ctx, bo, asMember, acme.namespace())
		expect.Refused(ctx, bo, asEditor, shop, stock)

		expect.Delete(ctx, membership)
		expect.Refused(ctx, bo, asViewer, shop, stock)
		expect.Refused(ctx, bo, asMember, acme.namespace())
		expect.Gone(ctx, membership)
	})

	It("whose role is changed gives the new one and takes the old one", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-role-changed")
		shop, bo := acme.project(ctx, "shop"), acme.user("bo")
		membership := acme.join(ctx, "bo", "viewer")
		expect.Refused(ctx, bo, asDeveloper, shop)

		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) { m.Spec.Roles = roles("developer") })
		expect.Ready(ctx, membership)
		expect.Allowed(ctx, bo, asDeveloper, shop)

		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) { m.Spec.Roles = roles("viewer") })
		expect.Refused(ctx, bo, asDeveloper, shop)
		expect.Allowed(ctx, bo, asViewer, shop)
	})

	It("gives the sum of its roles", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-two-roles")
		shop, bo := acme.project(ctx, "shop"), acme.user("bo")
		membership := acme.join(ctx, "bo", "viewer", "billing")
		expect.Allowed(ctx, bo, asViewer, shop)
		expect.Allowed(ctx, bo, "manage subscription.permissions.roster.dev", acme.namespace())

		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) { m.Spec.Roles = roles("billing") })
		expect.Refused(ctx, bo, asViewer, shop)
		expect.Allowed(ctx, bo, "manage subscription.permissions.roster.dev", acme.namespace())
	})

	It("without roles gives the organization's defaultRoles, and follows them", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-default-roles")
		shop, bo := acme.project(ctx, "shop"), acme.user("bo")
		membership := acme.join(ctx, "bo")
		expect.Allowed(ctx, bo, asMember, acme.namespace())
		expect.Refused(ctx, bo, asViewer, shop)

		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.Membership.DefaultRoles = roles("viewer") })
		expect.Allowed(ctx, bo, asViewer, shop)
		Eventually(func() ([]v1alpha1.RoleName, error) {
			return membership.Status.Roles, k8s.Get(ctx, client.ObjectKeyFromObject(membership), membership)
		}).WithContext(ctx).Should(Equal(roles("viewer")))

		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.Membership.DefaultRoles = roles("member") })
		expect.Refused(ctx, bo, asViewer, shop)
	})

	It("reaches a project that is made later", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-later-project")
		acme.join(ctx, "bo", "developer")
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, acme.project(ctx, "shop"))
	})

	It("gives nothing in another organization", func(ctx SpecContext) {
		acme, other := openAccount(ctx, "grant-own"), openAccount(ctx, "grant-other")
		shop, theirs := acme.project(ctx, "shop"), other.project(ctx, "shop")
		acme.join(ctx, "bo", "administrator")
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
		expect.Refused(ctx, acme.user("bo"), asViewer, theirs, other.namespace())
		expect.Refused(ctx, acme.user("bo"), asMember, other.namespace())
	})
})

var _ = Describe("An owner", func() {
	It("may do everything, until spec.owners doesn't name the user any more", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-owner")
		shop, ana := acme.project(ctx, "shop"), acme.user("ana")
		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.Owners = append(spec.Owners, v1alpha1.Username(ana)) })
		expect.Ready(ctx, acme.Organization)
		expect.Allowed(ctx, ana, asDeveloper, shop)
		expect.Allowed(ctx, ana, asOwner, acme.namespace())

		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.Owners = spec.Owners[:1] })
		expect.Refused(ctx, ana, asDeveloper, shop)
		expect.Refused(ctx, ana, asOwner, acme.namespace())
		expect.Allowed(ctx, acme.user("owner"), asOwner, acme.namespace())
	})

	It("reads and changes the Organization, as administrators do, and members don't", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-organization-object")
		membership := acme.join(ctx, "bo", "administrator")
		acme.join(ctx, "emma", "member")
		seenBy := func(user string) func() error {
			as := clientFor(cluster.As(user))
			return func() error {
				return as.Get(ctx, client.ObjectKeyFromObject(acme.Organization), &v1alpha1.Organization{})
			}
		}
		Eventually(seenBy(acme.user("owner"))).WithContext(ctx).Should(Succeed())
		Eventually(seenBy(acme.user("bo"))).WithContext(ctx).Should(Succeed())
		Expect(seenBy(acme.user("emma"))()).To(MatchError(ContainSubstring("forbidden")))

		expect.Delete(ctx, membership)
		Eventually(seenBy(acme.user("bo"))).WithContext(ctx).Should(MatchError(ContainSubstring("forbidden")))
	})

	It("can't be somebody else: no role hands out identities", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-identities")
		shop := acme.project(ctx, "shop")
		expect.Allowed(ctx, acme.user("owner"), "create serviceaccounts", shop)
		expect.Refused(ctx, acme.user("owner"), "impersonate serviceaccounts", shop)
		expect.Refused(ctx, acme.user("owner"), "create serviceaccounts/token", shop)
	})
})

var _ = Describe("A Team", func() {
	It("gives its role in its projects alone, and takes it when a member leaves", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-team-member")
		shop, stock := acme.project(ctx, "shop"), acme.project(ctx, "stock")
		acme.join(ctx, "bo", "member")
		acme.join(ctx, "chloe", "member")
		team := acme.team(ctx, "makers", v1alpha1.TeamSpec{
			Members: acme.users("bo", "chloe"), Role: "developer", Projects: objectNames("shop"),
		})
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
		expect.Allowed(ctx, acme.user("chloe"), asDeveloper, shop)
		expect.Refused(ctx, acme.user("bo"), asViewer, stock, acme.namespace())

		expectations.Change(ctx, expect, team, func(t *v1alpha1.Team) { t.Spec.Members = acme.users("chloe") })
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		expect.Allowed(ctx, acme.user("chloe"), asDeveloper, shop)
	})

	It("that is deleted takes its role", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-team-deleted")
		shop := acme.project(ctx, "shop")
		acme.join(ctx, "bo", "member")
		team := acme.team(ctx, "makers", v1alpha1.TeamSpec{
			Members: acme.users("bo"), Role: "developer", Projects: objectNames("shop"),
		})
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
		expect.Delete(ctx, team)
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		expect.Gone(ctx, team)
	})

	It("gives what its parent is granted as long as it is the parent's child", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-team-child")
		shop := acme.project(ctx, "shop")
		acme.join(ctx, "bo", "member")
		acme.join(ctx, "chloe", "member")
		acme.team(ctx, "engineering", v1alpha1.TeamSpec{
			Members: acme.users("chloe"), Role: "viewer", Projects: objectNames("shop"),
		})
		child := acme.team(ctx, "makers", v1alpha1.TeamSpec{Members: acme.users("bo")})
		expect.Allowed(ctx, acme.user("chloe"), asViewer, shop)
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)

		expectations.Change(ctx, expect, child, func(t *v1alpha1.Team) { t.Spec.Parent = "engineering" })
		expect.Ready(ctx, child)
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)

		expectations.Change(ctx, expect, child, func(t *v1alpha1.Team) { t.Spec.Parent = "" })
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		expect.Allowed(ctx, acme.user("chloe"), asViewer, shop)
	})

	It("keeps to itself what it is granted beside its parent", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-team-parent")
		shop := acme.project(ctx, "shop")
		acme.join(ctx, "chloe", "member")
		acme.join(ctx, "bo", "member")
		acme.team(ctx, "engineering", v1alpha1.TeamSpec{Members: acme.users("chloe")})
		acme.team(ctx, "makers", v1alpha1.TeamSpec{
			Parent: "engineering", Members: acme.users("bo"), Role: "developer", Projects: objectNames("shop"),
		})
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
		expect.Refused(ctx, acme.user("chloe"), asViewer, shop)
	})

	It("loses the project that is taken from its list", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-team-project")
		shop, stock := acme.project(ctx, "shop"), acme.project(ctx, "stock")
		acme.join(ctx, "bo", "member")
		team := acme.team(ctx, "makers", v1alpha1.TeamSpec{
			Members: acme.users("bo"), Role: "developer", Projects: objectNames("shop", "stock"),
		})
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop, stock)
		expectations.Change(ctx, expect, team, func(t *v1alpha1.Team) { t.Spec.Projects = objectNames("stock") })
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, stock)
	})

	It("with a projectSelector follows the projects' labels", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-team-selector")
		shop, stock := acme.project(ctx, "shop"), acme.project(ctx, "stock")
		acme.join(ctx, "bo", "member")
		acme.team(ctx, "makers", v1alpha1.TeamSpec{
			Members: acme.users("bo"), Role: "developer",
			ProjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "web"}},
		})
		expect.Refused(ctx, acme.user("bo"), asViewer, shop, stock)

		project := expectations.Project(acme.Name, "shop")
		expectations.Change(ctx, expect, project, func(p *v1alpha1.Project) { p.Labels = map[string]string{"tier": "web"} })
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
		expect.Refused(ctx, acme.user("bo"), asViewer, stock)

		expectations.Change(ctx, expect, project, func(p *v1alpha1.Project) { p.Labels = nil })
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
	})

	It("with allProjects reaches those to come, until it is taken out", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-team-all")
		shop := acme.project(ctx, "shop")
		acme.join(ctx, "bo", "member")
		team := acme.team(ctx, "makers", v1alpha1.TeamSpec{Members: acme.users("bo"), Role: "developer", AllProjects: true})
		stock := acme.project(ctx, "stock")
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop, stock)
		expect.Refused(ctx, acme.user("bo"), asViewer, acme.namespace())

		expectations.Change(ctx, expect, team, func(t *v1alpha1.Team) {
			t.Spec.AllProjects, t.Spec.Projects = false, objectNames("stock")
		})
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, stock)
	})

	It("whose parent leads back to it gains nothing by it and says so", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-team-cycle")
		shop := acme.project(ctx, "shop")
		acme.join(ctx, "bo", "member")
		above := acme.team(ctx, "engineering", v1alpha1.TeamSpec{Role: "viewer", Projects: objectNames("shop")})
		below := acme.team(ctx, "makers", v1alpha1.TeamSpec{Parent: "engineering", Members: acme.users("bo")})
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)

		expectations.Change(ctx, unasked, above, func(t *v1alpha1.Team) { t.Spec.Parent = "makers" })
		expectCondition(ctx, below, v1alpha1.ConditionReady, `False ParentCycle: following spec.parent from team `+
			`"engineering" leads back to this team, so its parent doesn't count; take spec.parent out of one of the teams`)
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)

		expectations.Change(ctx, expect, above, func(t *v1alpha1.Team) { t.Spec.Parent = "" })
		expect.Ready(ctx, above, below)
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)
	})

	It("gives nothing to who isn't a member of the organization, and says whom it misses", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-team-missing")
		shop := acme.project(ctx, "shop")
		team := acme.team(ctx, "makers", v1alpha1.TeamSpec{
			Members: acme.users("bo"), Role: "developer", Projects: objectNames("shop"),
		})
		expectCondition(ctx, team, v1alpha1.ConditionMembersMissing,
			"True NotMembers: not members of the organization, so nothing is granted to them: "+acme.user("bo"))
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)

		membership := acme.join(ctx, "bo", "member")
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
		expectCondition(ctx, team, v1alpha1.ConditionMembersMissing, "")

		expect.Delete(ctx, membership)
		expect.Refused(ctx, acme.user("bo"), asDeveloper, shop)
	})

	It("maintained by somebody gives the maintainer none of its access", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-team-maintainer")
		shop := acme.project(ctx, "shop")
		acme.join(ctx, "bo", "member")
		acme.join(ctx, "chloe", "member")
		acme.team(ctx, "makers", v1alpha1.TeamSpec{
			Members: acme.users("bo"), Maintainers: acme.users("chloe"), Role: "developer", Projects: objectNames("shop"),
		})
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
		expect.Refused(ctx, acme.user("chloe"), asViewer, shop)
	})

	It("gives its identityGroup the same, said in a condition, and nothing where a second factor is required", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-identity-group")
		shop := acme.project(ctx, "shop")
		member := expectations.Access{
			User: acme.user("stranger"), Groups: []string{"oidc:makers-" + acme.Name}, Does: asDeveloper, Namespace: shop,
		}
		team := acme.team(ctx, "makers", v1alpha1.TeamSpec{
			IdentityGroup: member.Groups[0], Role: "developer", Projects: objectNames("shop"),
		})
		expectAnswer(ctx, member, true)
		expectCondition(ctx, team, v1alpha1.ConditionUngated, "True Group: the identity provider decides who is in the "+
			"group; suspension, deactivation and expiry don't reach its members")

		enroll(ctx, acme.user("owner"), true)
		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.RequireMFA = true })
		expectAnswer(ctx, member, false)
		expectCondition(ctx, team, v1alpha1.ConditionReady, fmt.Sprintf("False GroupNotAllowed: group %q gets nothing here: "+
			"the organization or one above requires a second factor, which can't be checked for a group; list the users instead",
			member.Groups[0]))
		expectCondition(ctx, team, v1alpha1.ConditionUngated, "")

		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.RequireMFA = false })
		expectAnswer(ctx, member, true)
		expectations.Change(ctx, expect, team, func(t *v1alpha1.Team) { t.Spec.IdentityGroup = "" })
		expectAnswer(ctx, member, false)
	})
})

var _ = Describe("In a sub-organization", func() {
	It("roles are inherited from above, and end with the Membership above", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-inherited")
		emea := acme.below(ctx, "grant-inherited-sub")
		fr := emea.below(ctx, "grant-inherited-sub-sub")
		shop, site := emea.project(ctx, "shop"), fr.project(ctx, "site")
		membership := acme.join(ctx, "bo", "developer")
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop, site)
		expect.Allowed(ctx, acme.user("bo"), asMember, emea.namespace(), fr.namespace())

		expect.Delete(ctx, membership)
		expect.Refused(ctx, acme.user("bo"), asViewer, shop, site)
		expect.Refused(ctx, acme.user("bo"), asMember, emea.namespace(), fr.namespace())
		expect.Gone(ctx, membership)
	})

	It("a Membership overrides what is inherited, also downwards, until it is deleted", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-overridden")
		emea := acme.below(ctx, "grant-overridden-sub")
		above, below := acme.project(ctx, "shop"), emea.project(ctx, "shop")
		acme.join(ctx, "bo", "developer")
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, above, below)

		lower := emea.join(ctx, "bo", "viewer")
		expect.Refused(ctx, acme.user("bo"), asDeveloper, below)
		expect.Allowed(ctx, acme.user("bo"), asViewer, below)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, above)
		Expect(lower.Status.Source).To(Equal(v1alpha1.SourceDirect))

		expect.Delete(ctx, lower)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, below)
	})

	It("[none] gives no role and takes none that is inherited", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-none")
		emea := acme.below(ctx, "grant-none-sub")
		shop := emea.project(ctx, "shop")
		above := acme.join(ctx, "bo", "developer")
		membership := emea.join(ctx, "bo", "viewer")
		emea.join(ctx, "chloe", "none")
		expect.Refused(ctx, acme.user("bo"), asDeveloper, shop)
		expect.Refused(ctx, acme.user("chloe"), asMember, emea.namespace())

		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) { m.Spec.Roles = roles("none") })
		expect.Ready(ctx, membership)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
		Expect(membership.Status.Roles).To(Equal(roles("developer")))
		Expect(membership.Status.Source).To(Equal(v1alpha1.SourceInherited))

		expect.Delete(ctx, above)
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
	})

	It("an owner of the parent keeps owner, whatever a Membership below says", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-owner-floor")
		emea := acme.below(ctx, "grant-owner-floor-sub")
		shop := emea.project(ctx, "shop")
		membership := emea.join(ctx, "owner", "viewer")
		Expect(membership.Status.Source).To(Equal(v1alpha1.SourceOwner))
		expect.Allowed(ctx, acme.user("owner"), asDeveloper, shop)

		expectations.Change(ctx, unasked, membership, func(m *v1alpha1.Membership) { m.Spec.Suspended = true })
		expect.Ready(ctx, membership)
		Expect(membership.Status.Phase).To(Equal(v1alpha1.MembershipActive))
		expect.Allowed(ctx, acme.user("owner"), asDeveloper, shop)
		expect.Allowed(ctx, acme.user("owner"), asOwner, emea.namespace())

		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.Owners = acme.users("ana") })
		expect.Refused(ctx, acme.user("owner"), asViewer, shop)
		expect.Refused(ctx, acme.user("owner"), asOwner, emea.namespace())
		expect.Allowed(ctx, acme.user("ana"), asOwner, emea.namespace())
	})

	It("its owner has nothing above it", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-owner-below")
		emea := acme.below(ctx, "grant-owner-below-sub")
		shop := acme.project(ctx, "shop")
		expect.Allowed(ctx, acme.user("gus"), asOwner, emea.namespace())
		expect.Refused(ctx, acme.user("gus"), asMember, acme.namespace())
		expect.Refused(ctx, acme.user("gus"), asViewer, shop)
	})

	It("nothing is inherited any more once it stands on its own", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-moved")
		emea := acme.below(ctx, "grant-moved-sub")
		shop := emea.project(ctx, "shop")
		acme.join(ctx, "bo", "developer")
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)

		emea.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.Parent = "" })
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		expect.Ready(ctx, emea.Organization)
		Expect(emea.Status.Path).To(Equal(emea.Name))

		emea.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.Parent = acme.Name })
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
	})

	It("a Team from above gives nothing", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-team-above")
		emea := acme.below(ctx, "grant-team-above-sub")
		above, below := acme.project(ctx, "shop"), emea.project(ctx, "shop")
		acme.join(ctx, "bo", "member")
		acme.team(ctx, "makers", v1alpha1.TeamSpec{Members: acme.users("bo"), Role: "developer", AllProjects: true})
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, above)
		expect.Refused(ctx, acme.user("bo"), asViewer, below)
	})
})

var _ = Describe("A RoleBinding", func() {
	It("gives its role in its projects alone, and takes it when a subject, a project or all of it goes", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-binding")
		shop, stock := acme.project(ctx, "shop"), acme.project(ctx, "stock")
		acme.join(ctx, "bo", "member")
		acme.join(ctx, "chloe", "member")
		binding := acme.bind(ctx, "makers", v1alpha1.RoleBindingSpec{
			Role: "developer", Subjects: acme.people("bo", "chloe"), Projects: objectNames("shop", "stock"),
		})
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop, stock)
		expect.Refused(ctx, acme.user("bo"), asViewer, acme.namespace())

		expectations.Change(ctx, expect, binding, func(b *v1alpha1.RoleBinding) { b.Spec.Projects = objectNames("stock") })
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, stock)

		expectations.Change(ctx, expect, binding, func(b *v1alpha1.RoleBinding) { b.Spec.Subjects = acme.people("chloe") })
		expect.Refused(ctx, acme.user("bo"), asViewer, stock)
		expect.Allowed(ctx, acme.user("chloe"), asDeveloper, stock)

		expect.Delete(ctx, binding)
		expect.Refused(ctx, acme.user("chloe"), asViewer, stock)
		expect.Gone(ctx, binding)
	})

	It("with a projectSelector follows the projects' labels", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-binding-selector")
		shop := acme.project(ctx, "shop")
		acme.join(ctx, "bo", "member")
		acme.bind(ctx, "makers", v1alpha1.RoleBindingSpec{
			Role: "developer", Subjects: acme.people("bo"),
			ProjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "web"}},
		})
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		project := expectations.Project(acme.Name, "shop")
		expectations.Change(ctx, expect, project, func(p *v1alpha1.Project) { p.Labels = map[string]string{"tier": "web"} })
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
		expectations.Change(ctx, expect, project, func(p *v1alpha1.Project) { p.Labels = nil })
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
	})

	It("to a Team gives the role to its members and those of its child teams", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-binding-team")
		shop := acme.project(ctx, "shop")
		acme.join(ctx, "bo", "member")
		acme.join(ctx, "chloe", "member")
		acme.team(ctx, "engineering", v1alpha1.TeamSpec{Members: acme.users("chloe")})
		child := acme.team(ctx, "makers", v1alpha1.TeamSpec{Parent: "engineering", Members: acme.users("bo")})
		binding := acme.bind(ctx, "engineering", v1alpha1.RoleBindingSpec{
			Role: "developer", Projects: objectNames("shop"),
			Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: "engineering"}},
		})
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
		expect.Allowed(ctx, acme.user("chloe"), asDeveloper, shop)

		expect.Delete(ctx, child)
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		expect.Allowed(ctx, acme.user("chloe"), asDeveloper, shop)

		expect.Delete(ctx, binding)
		expect.Refused(ctx, acme.user("chloe"), asViewer, shop)
	})

	It("that is organization-wide reaches the organizations below for members, and no other does", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-wide")
		emea := acme.below(ctx, "grant-wide-sub")
		fr := emea.below(ctx, "grant-wide-sub-sub")
		shop, site := acme.project(ctx, "shop"), fr.project(ctx, "site")
		acme.join(ctx, "bo", "member")
		binding := acme.bind(ctx, "wide", v1alpha1.RoleBindingSpec{
			Role: "administrator", Subjects: acme.people("bo"), OrganizationWide: true,
		})
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop, site)
		expect.Allowed(ctx, acme.user("bo"), asAdministrator, acme.namespace(), emea.namespace(), fr.namespace())

		expectations.Change(ctx, expect, binding, func(b *v1alpha1.RoleBinding) {
			b.Spec.OrganizationWide, b.Spec.Projects = false, objectNames("shop")
		})
		expect.Refused(ctx, acme.user("bo"), asDeveloper, site)
		expect.Refused(ctx, acme.user("bo"), asAdministrator, acme.namespace(), emea.namespace(), fr.namespace())
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)

		expect.Delete(ctx, binding)
		expect.Refused(ctx, acme.user("bo"), asDeveloper, shop)
	})

	It("gives nothing to who isn't a member of the organization, and says whom it misses", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-binding-missing")
		shop := acme.project(ctx, "shop")
		binding := acme.bind(ctx, "makers", v1alpha1.RoleBindingSpec{
			Role: "developer", Subjects: acme.people("bo"), Projects: objectNames("shop"),
		})
		expectCondition(ctx, binding, v1alpha1.ConditionMembersMissing,
			"True NotMembers: not members of the organization, so nothing is granted to them: "+acme.user("bo"))
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		acme.join(ctx, "bo", "member")
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
		expectCondition(ctx, binding, v1alpha1.ConditionMembersMissing, "")
	})

	It("to a Group holds in its own organization, says so, and is refused where a second factor is required", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-group")
		emea := acme.below(ctx, "grant-group-sub")
		shop, below := acme.project(ctx, "shop"), emea.project(ctx, "shop")
		in := func(namespace string) expectations.Access {
			return expectations.Access{
				User: acme.user("stranger"), Groups: []string{"oidc:" + acme.Name}, Does: asDeveloper, Namespace: namespace,
			}
		}
		enroll(ctx, acme.user("owner"), true)
		binding := acme.bind(ctx, "group", v1alpha1.RoleBindingSpec{
			Role: "developer", OrganizationWide: true,
			Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectGroup, Name: in(shop).Groups[0]}},
		})
		expectAnswer(ctx, in(shop), true)
		expectAnswer(ctx, in(below), false)
		expectCondition(ctx, binding, v1alpha1.ConditionUngated, "True Group: the identity provider decides who is in the "+
			"group; suspension, deactivation and expiry don't reach its members")

		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.RequireMFA = true })
		expectAnswer(ctx, in(shop), false)
		expect.NotReady(ctx, binding, "GroupNotAllowed")

		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.RequireMFA = false })
		expectAnswer(ctx, in(shop), true)
		expect.Delete(ctx, binding)
		expectAnswer(ctx, in(shop), false)
	})

	It("to a ServiceAccount holds in the account's own project alone", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-service-account")
		emea := acme.below(ctx, "grant-service-account-sub")
		shop, stock, below := acme.project(ctx, "shop"), acme.project(ctx, "stock"), emea.project(ctx, "shop")
		account := "system:serviceaccount:" + shop + ":deployer"
		binding := acme.bind(ctx, "deployer", v1alpha1.RoleBindingSpec{
			Role: "developer", OrganizationWide: true,
			Subjects: []v1alpha1.Subject{{
				Kind: v1alpha1.SubjectServiceAccount, Name: "deployer", Namespace: v1alpha1.NamespaceName(shop),
			}},
		})
		expect.Allowed(ctx, account, asDeveloper, shop)
		expect.Refused(ctx, account, asViewer, stock, below, acme.namespace())
		expect.Refused(ctx, account, asMember, acme.namespace())

		expect.Delete(ctx, binding)
		expect.Refused(ctx, account, asViewer, shop)
	})

	It("gives a ServiceAccount no more than developer, and none from outside of the organization's projects", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-strong-account")
		shop := acme.project(ctx, "shop")
		account := "system:serviceaccount:" + shop + ":deployer"
		subject := v1alpha1.Subject{
			Kind: v1alpha1.SubjectServiceAccount, Name: "deployer", Namespace: v1alpha1.NamespaceName(shop),
		}
		binding := &v1alpha1.RoleBinding{
			ObjectMeta: expectations.InOrganization(acme.Name, "deployer"),
			Spec: v1alpha1.RoleBindingSpec{
				Role: "administrator", Subjects: []v1alpha1.Subject{subject}, Projects: objectNames("shop"),
			},
		}
		unasked.Create(ctx, binding)
		expectCondition(ctx, binding, v1alpha1.ConditionReady, fmt.Sprintf("False SubjectNotAllowed: ServiceAccount %q can't "+
			"hold role %q: whoever may start a Pod could use it, so it holds at most what developer may do; choose a weaker role",
			shop+"/deployer", "administrator"))
		expect.Refused(ctx, account, asViewer, shop)

		expectations.Change(ctx, expect, binding, func(b *v1alpha1.RoleBinding) { b.Spec.Role = "viewer" })
		expect.Ready(ctx, binding)
		expect.Allowed(ctx, account, asViewer, shop)

		expectations.Change(ctx, expect, binding, func(b *v1alpha1.RoleBinding) {
			b.Spec.Subjects[0].Namespace = "grant-strong-account-elsewhere"
		})
		expectCondition(ctx, binding, v1alpha1.ConditionReady, fmt.Sprintf("False SubjectNotAllowed: ServiceAccount %q isn't "+
			"in a namespace of one of this organization's projects; a ServiceAccount holds roles only within its own project; "+
			"make one in that project", "grant-strong-account-elsewhere/deployer"))
		expect.Refused(ctx, account, asViewer, shop)
	})

	It("ends at the instant that it names: until then the access is there, a second later it is gone", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-expires")
		shop := acme.project(ctx, "shop")
		acme.join(ctx, "bo", "member")
		end := soon()
		binding := acme.bind(ctx, "makers", v1alpha1.RoleBindingSpec{
			Role: "developer", Subjects: acme.people("bo"), Projects: objectNames("shop"), ExpiresAt: &end,
		})
		expectSwitch(ctx, expectations.Access{User: acme.user("bo"), Does: asDeveloper, Namespace: shop}, false, end.Time)
		expectCondition(ctx, binding, v1alpha1.ConditionReady, "False Expired: the grant ended at "+
			end.UTC().Format(time.RFC3339)+"; set a later spec.expiresAt or delete the RoleBinding")

		later := metav1.NewTime(end.Add(time.Hour))
		expectations.Change(ctx, expect, binding, func(b *v1alpha1.RoleBinding) { b.Spec.ExpiresAt = &later })
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
	})

	It("begins at the instant that it names: until then there is no access, a second later it is there", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-begins")
		shop := acme.project(ctx, "shop")
		acme.join(ctx, "bo", "member")
		begin := soon()
		binding := &v1alpha1.RoleBinding{
			ObjectMeta: expectations.InOrganization(acme.Name, "makers"),
			Spec: v1alpha1.RoleBindingSpec{
				Role: "developer", Subjects: acme.people("bo"), Projects: objectNames("shop"), NotBefore: &begin,
			},
		}
		expect.Create(ctx, binding)
		expectCondition(ctx, binding, v1alpha1.ConditionReady,
			"False NotYetValid: the grant begins at "+begin.UTC().Format(time.RFC3339))
		expectSwitch(ctx, expectations.Access{User: acme.user("bo"), Does: asDeveloper, Namespace: shop}, true, begin.Time)
		expect.Ready(ctx, binding)

		tomorrow := metav1.NewTime(begin.Add(24 * time.Hour))
		expectations.Change(ctx, expect, binding, func(b *v1alpha1.RoleBinding) { b.Spec.NotBefore = &tomorrow })
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
	})
})

var _ = Describe("A Role", func() {
	It("of an organization that is edited changes what its holders may do", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-role-edited")
		shop := acme.project(ctx, "shop")
		role := acme.role(ctx, "auditor", v1alpha1.RoleSpec{
			Rules:             []rbacv1.PolicyRule{reads("", "secrets")},
			OrganizationRules: []rbacv1.PolicyRule{reads("roster.dev", "teams")},
		})
		acme.join(ctx, "bo", "auditor")
		expect.Allowed(ctx, acme.user("bo"), "list secrets", shop)
		expect.Allowed(ctx, acme.user("bo"), "list teams.roster.dev", acme.namespace())
		expect.Refused(ctx, acme.user("bo"), "list secrets", acme.namespace())
		expect.Refused(ctx, acme.user("bo"), "list configmaps", shop)

		expectations.Change(ctx, expect, role, func(r *v1alpha1.Role) {
			r.Spec.Rules, r.Spec.OrganizationRules = []rbacv1.PolicyRule{reads("", "configmaps")}, nil
		})
		expect.Refused(ctx, acme.user("bo"), "list secrets", shop)
		expect.Refused(ctx, acme.user("bo"), "list teams.roster.dev", acme.namespace())
		expect.Allowed(ctx, acme.user("bo"), "list configmaps", shop)
	})

	It("has what the Roles have that it includes, and follows them", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-role-includes")
		shop := acme.project(ctx, "shop")
		included := acme.role(ctx, "auditor", v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{reads("", "secrets")}})
		acme.role(ctx, "inspector", v1alpha1.RoleSpec{Includes: roles("auditor")})
		chief := acme.role(ctx, "chief", v1alpha1.RoleSpec{Includes: roles("inspector", "viewer")})
		acme.join(ctx, "bo", "chief")
		expect.Allowed(ctx, acme.user("bo"), "list secrets", shop)
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)

		expectations.Change(ctx, expect, included, func(r *v1alpha1.Role) {
			r.Spec.Rules = []rbacv1.PolicyRule{reads("example.com", "widgets")}
		})
		expect.Refused(ctx, acme.user("bo"), "list secrets", shop)
		expect.Allowed(ctx, acme.user("bo"), "list widgets.example.com", shop)

		expectations.Change(ctx, expect, chief, func(r *v1alpha1.Role) { r.Spec.Includes = roles("viewer") })
		expect.Refused(ctx, acme.user("bo"), "list widgets.example.com", shop)
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)
	})

	It("has the rules of the ClusterRoles that it copies, and follows them", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-role-copies")
		shop := acme.project(ctx, "shop")
		copied := &rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: "grant-role-copies-widgets"},
			Rules:      []rbacv1.PolicyRule{reads("example.com", "widgets")},
		}
		expect.Create(ctx, copied)
		role := acme.role(ctx, "widgets", v1alpha1.RoleSpec{ClusterRoles: []string{copied.Name}})
		acme.join(ctx, "bo", "widgets")
		expect.Allowed(ctx, acme.user("bo"), "list widgets.example.com", shop)

		expectations.Change(ctx, expect, copied, func(r *rbacv1.ClusterRole) {
			r.Rules = []rbacv1.PolicyRule{reads("example.com", "gadgets")}
		})
		expect.Allowed(ctx, acme.user("bo"), "list gadgets.example.com", shop)
		expect.Refused(ctx, acme.user("bo"), "list widgets.example.com", shop)

		expect.Delete(ctx, copied)
		expect.Refused(ctx, acme.user("bo"), "list gadgets.example.com", shop)
		expectCondition(ctx, role, v1alpha1.ConditionReady, "False NotFound: not there, so what they would add is left out: "+
			"ClusterRoles grant-role-copies-widgets; make them or take them out of the spec")
	})

	It("gives permissions of the virtual API group in projects and in the organization's namespace", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-permissions")
		shop := acme.project(ctx, "shop")
		role := acme.role(ctx, "crawler", v1alpha1.RoleSpec{Permissions: []v1alpha1.Permission{"crawls.start", "crawls.stop"}})
		Expect(role.Status.Permissions).To(Equal([]string{"crawls.start", "crawls.stop"}))
		acme.join(ctx, "bo", "crawler")
		expect.Allowed(ctx, acme.user("bo"), "start crawls.permissions.roster.dev", shop, acme.namespace())

		expectations.Change(ctx, expect, role, func(r *v1alpha1.Role) {
			r.Spec.Permissions = []v1alpha1.Permission{"crawls.stop"}
		})
		expect.Refused(ctx, acme.user("bo"), "start crawls.permissions.roster.dev", shop, acme.namespace())
		expect.Allowed(ctx, acme.user("bo"), "stop crawls.permissions.roster.dev", shop, acme.namespace())
	})

	It("of an organization serves the organizations below, and no other", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-role-below")
		emea, other := acme.below(ctx, "grant-role-below-sub"), openAccount(ctx, "grant-role-elsewhere")
		shop := emea.project(ctx, "shop")
		role := acme.role(ctx, "auditor", v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{reads("", "secrets")}})
		emea.join(ctx, "bo", "auditor")
		expect.Allowed(ctx, acme.user("bo"), "list secrets", shop)

		stranger := expectations.Membership(other.Name, "bo", other.user("bo"), "auditor")
		expect.Create(ctx, stranger)
		expectCondition(ctx, stranger, v1alpha1.ConditionReady, `False RoleNotFound: role "auditor" is neither in the `+
			"catalogue nor in this organization or one above; make the Role or name another")

		expect.Delete(ctx, role)
		expect.Refused(ctx, acme.user("bo"), "list secrets", shop)
		expect.Gone(ctx, role)
	})
})

var _ = Describe("A Role that isn't in order", func() {
	It("because the catalogue has its name means nothing and says so", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-name-taken")
		shop := acme.project(ctx, "shop")
		role := &v1alpha1.Role{
			ObjectMeta: expectations.InOrganization(acme.Name, "viewer"),
			Spec:       v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{reads("", "secrets")}},
		}
		unasked.Create(ctx, role)
		expectCondition(ctx, role, v1alpha1.ConditionReady, `False NameTaken: the name "viewer" is used by the catalogue, and `+
			"means that Role here too; choose another name")
		acme.join(ctx, "bo", "viewer")
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)
		expect.Refused(ctx, acme.user("bo"), "list secrets", shop)
		expect.Delete(ctx, role)
		expect.Gone(ctx, role)
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)
	})

	It("because an organization above has its name means nothing until that one is gone", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-name-above")
		emea := acme.below(ctx, "grant-name-above-sub")
		shop := emea.project(ctx, "shop")
		above := acme.role(ctx, "auditor", v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{reads("", "secrets")}})
		below := &v1alpha1.Role{
			ObjectMeta: expectations.InOrganization(emea.Name, "auditor"),
			Spec:       v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{reads("example.com", "widgets")}},
		}
		unasked.Create(ctx, below)
		expectCondition(ctx, below, v1alpha1.ConditionReady, `False NameTaken: the name "auditor" is used by organization `+
			"grant-name-above, and means that Role here too; choose another name")
		membership := emea.join(ctx, "bo", "auditor")
		expect.Allowed(ctx, acme.user("bo"), "list secrets", shop)
		expect.Refused(ctx, acme.user("bo"), "list widgets.example.com", shop)

		expect.Delete(ctx, above)
		expect.Refused(ctx, acme.user("bo"), "list secrets", shop)
		expect.Ready(ctx, below, membership)
		expect.Allowed(ctx, acme.user("bo"), "list widgets.example.com", shop)
	})

	It("because it includes itself by way of another has none of what it includes", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-include-cycle")
		shop := acme.project(ctx, "shop")
		first := acme.role(ctx, "first", v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{reads("", "secrets")}})
		second := acme.role(ctx, "second", v1alpha1.RoleSpec{Includes: roles("first")})
		acme.join(ctx, "bo", "second")
		expect.Allowed(ctx, acme.user("bo"), "list secrets", shop)

		circular := first.DeepCopy()
		circular.Spec.Includes = roles("second")
		Expect(k8s.Patch(ctx, circular, client.MergeFrom(first))).To(MatchError(HaveSuffix(
			`: spec.includes: "first" leads back to this Role by way of second; take one of the includes out`)))
		expectations.Change(ctx, unasked, first, func(r *v1alpha1.Role) { r.Spec.Includes = roles("second") })
		for _, role := range []*v1alpha1.Role{first, second} {
			expectCondition(ctx, role, v1alpha1.ConditionReady, "False IncludeCycle: spec.includes leads back to this Role, so "+
				"all that it includes is left out; take one of the includes out")
		}
		expect.Refused(ctx, acme.user("bo"), "list secrets", shop)

		expectations.Change(ctx, expect, first, func(r *v1alpha1.Role) { r.Spec.Includes = nil })
		expect.Ready(ctx, first, second)
		expect.Allowed(ctx, acme.user("bo"), "list secrets", shop)
	})

	It("because it would hand out identities goes without, and says what is left out", func(ctx SpecContext) {
		acme := openAccount(ctx, "grant-narrowed")
		shop := acme.project(ctx, "shop")
		role := acme.role(ctx, "everything", v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"*"}, Verbs: []string{"*"}},
		}})
		expectCondition(ctx, role, v1alpha1.ConditionNarrowed, `True HandsOutIdentities: create on every resource of API `+
			`groups [""] is left out, since it includes serviceaccounts/token; name the resources`)
		acme.join(ctx, "bo", "everything")
		expect.Allowed(ctx, acme.user("bo"), "delete pods", shop)
		expect.Refused(ctx, acme.user("bo"), "create serviceaccounts/token", shop)
		expect.Refused(ctx, acme.user("bo"), "impersonate serviceaccounts", shop)
	})
})

// account is an organization that a spec has for itself. Its owner is the user "owner".
type account struct {
	*v1alpha1.Organization
	domain string
}

// openAccount makes an organization and returns when it is ready.
func openAccount(ctx context.Context, name string) account {
	GinkgoHelper()
	return open(ctx, account{domain: name + ".example"}, name, "", "owner")
}

// below makes a sub-organization, owned by the user "gus". Its users are those of the organization above.
func (a account) below(ctx context.Context, name string) account {
	GinkgoHelper()
	return open(ctx, account{domain: a.domain}, name, a.Name, "gus")
}

func open(ctx context.Context, a account, name, parent, owner string) account {
	GinkgoHelper()
	a.Organization = expectations.Organization(name, a.user(owner))
	a.Spec.Parent = parent
	expect.Create(ctx, a.Organization)
	expect.Ready(ctx, a.Organization)
	return a
}

func (a account) namespace() string { return v1alpha1.OrganizationNamespace(a.Name) }

// user is the full username of somebody.
func (a account) user(name string) string { return name + "@" + a.domain }

func (a account) users(names ...string) []v1alpha1.Username {
	usernames := make([]v1alpha1.Username, 0, len(names))
	for _, name := range names {
		usernames = append(usernames, v1alpha1.Username(a.user(name)))
	}
	return usernames
}

// people are users as the subjects of a RoleBinding.
func (a account) people(names ...string) []v1alpha1.Subject {
	subjects := make([]v1alpha1.Subject, 0, len(names))
	for _, name := range names {
		subjects = append(subjects, v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: a.user(name)})
	}
	return subjects
}

func (a account) change(ctx context.Context, change func(*v1alpha1.OrganizationSpec)) {
	GinkgoHelper()
	expectations.Change(ctx, expect, a.Organization, func(o *v1alpha1.Organization) { change(&o.Spec) })
}

// join makes a Membership and returns when it is ready.
func (a account) join(ctx context.Context, name string, roles ...v1alpha1.RoleName) *v1alpha1.Membership {
	GinkgoHelper()
	membership := expectations.Membership(a.Name, name, a.user(name), roles...)
	return made(ctx, membership)
}

// project makes a Project and returns its namespace when it is ready.
func (a account) project(ctx context.Context, name string) string {
	GinkgoHelper()
	return made(ctx, expectations.Project(a.Name, name)).NamespaceNames()[0]
}

// team makes a Team and returns when it is ready.
func (a account) team(ctx context.Context, name string, spec v1alpha1.TeamSpec) *v1alpha1.Team {
	GinkgoHelper()
	return made(ctx, &v1alpha1.Team{ObjectMeta: expectations.InOrganization(a.Name, name), Spec: spec})
}

// bind makes a RoleBinding and returns when it is ready.
func (a account) bind(ctx context.Context, name string, spec v1alpha1.RoleBindingSpec) *v1alpha1.RoleBinding {
	GinkgoHelper()
	return made(ctx, &v1alpha1.RoleBinding{ObjectMeta: expectations.InOrganization(a.Name, name), Spec: spec})
}

// role makes a Role and returns when it is ready.
func (a account) role(ctx context.Context, name string, spec v1alpha1.RoleSpec) *v1alpha1.Role {
	GinkgoHelper()
	return made(ctx, &v1alpha1.Role{ObjectMeta: expectations.InOrganization(a.Name, name), Spec: spec})
}

// made makes an object and returns it when it is ready.
func made[T status.Object](ctx context.Context, object T) T {
	GinkgoHelper()
	expect.Create(ctx, object)
	expect.Ready(ctx, object)
	return object
}

func roles(names ...v1alpha1.RoleName) []v1alpha1.RoleName { return names }

func objectNames(names ...v1alpha1.ObjectName) []v1alpha1.ObjectName { return names }

// reads is a rule that lets its holders see a resource.
func reads(group, resource string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{"get", "list", "watch"},
	}
}

// soon is some seconds ahead, as exactly as an object can say it.
func soon() metav1.Time {
	return metav1.NewTime(time.Now().Add(6 * time.Second).Truncate(time.Second))
}

// expectSwitch waits until access comes or goes, and holds that against an instant: not before it, and no more than a
// second after it.
func expectSwitch(ctx context.Context, access expectations.Access, comes bool, instant time.Time) {
	GinkgoHelper()
	var asked, answered time.Time
	Eventually(func() (bool, error) {
		asked = time.Now()
		allowed, err := expect.May(ctx, access)
		answered = time.Now()
		if allowed != comes {
			Expect(asked).To(BeTemporally("<", instant.Add(time.Second)), "the access doesn't follow within a second")
		}
		return allowed, err
	}).WithContext(ctx).WithTimeout(time.Until(instant) + 10*time.Second).Should(Equal(comes))
	Expect(answered).To(BeTemporally(">=", instant), "the access changes too early")
}

// expectAnswer waits until a SubjectAccessReview is answered like that.
func expectAnswer(ctx context.Context, access expectations.Access, allowed bool) {
	GinkgoHelper()
	Eventually(func() (bool, error) { return expect.May(ctx, access) }).WithContext(ctx).
		Should(Equal(allowed), "%+v", access)
}

// expectCondition waits until an object's condition for its present generation reads STATUS REASON: MESSAGE, or isn't
// there when nothing is expected.
func expectCondition(ctx context.Context, object status.Object, conditionType, expected string) {
	GinkgoHelper()
	Eventually(func() (string, error) {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return "", err
		}
		condition := meta.FindStatusCondition(*object.GetConditions(), conditionType)
		switch {
		case condition == nil:
			return "", nil
		case condition.ObservedGeneration != object.GetGeneration():
			return "of an earlier generation", nil
		}
		return fmt.Sprintf("%s %s: %s", condition.Status, condition.Reason, condition.Message), nil
	}).WithContext(ctx).Should(Equal(expected), "%s of %T %s", conditionType, object, object.GetName())
}

// namespaceCalled reads a namespace, or returns nil where there is none.
func namespaceCalled(ctx context.Context, name string) (*corev1.Namespace, error) {
	namespace := &corev1.Namespace{}
	err := k8s.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if client.IgnoreNotFound(err) != nil || err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return namespace, nil
}
