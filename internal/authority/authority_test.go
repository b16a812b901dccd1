package authority_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/authority"
)

var now = time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)

func at(hours time.Duration) *metav1.Time {
	instant := metav1.NewTime(now.Add(hours * time.Hour))
	return &instant
}

// described writes demands so that a table reads: the role, where it must be held, the field, the change, the carrier.
func described(demands []authority.Demand) []string {
	texts := []string{}
	for _, demand := range demands {
		text := fmt.Sprintf("%s for %s: %s", demand.Role, demand.Field, demand.Change)
		if demand.Everywhere {
			text = "everywhere " + text
		}
		if demand.Carrier != "" {
			text += " (" + demand.Carrier + ")"
		}
		texts = append(texts, text)
	}
	return texts
}

type membershipChange = func(*v1alpha1.MembershipSpec)

func membership(changes ...membershipChange) *v1alpha1.Membership {
	membership := &v1alpha1.Membership{Spec: v1alpha1.MembershipSpec{User: "bo"}}
	for _, change := range changes {
		change(&membership.Spec)
	}
	return membership
}

func gives(roles ...v1alpha1.RoleName) membershipChange {
	return func(spec *v1alpha1.MembershipSpec) { spec.Roles = roles }
}
func suspended(spec *v1alpha1.MembershipSpec) { spec.Suspended = true }
func ends(end *metav1.Time) membershipChange {
	return func(spec *v1alpha1.MembershipSpec) { spec.ExpiresAt = end }
}
func byAddress(address string) membershipChange {
	return func(spec *v1alpha1.MembershipSpec) { spec.User, spec.Email = "", address }
}
func invited(hours time.Duration) membershipChange {
	return func(spec *v1alpha1.MembershipSpec) {
		spec.Invitation = &v1alpha1.InvitationSpec{}
		if hours > 0 {
			spec.Invitation.ExpiresAfter = &metav1.Duration{Duration: hours * time.Hour}
		}
	}
}
func answered(response v1alpha1.InvitationResponse) membershipChange {
	return func(spec *v1alpha1.MembershipSpec) { spec.Response = response }
}

var _ = Describe("A change of a Membership takes the right to give", func() {
	defaults := []v1alpha1.RoleName{"viewer"}
	DescribeTable("exactly", func(before, after *v1alpha1.Membership, expected ...string) {
		Expect(described(authority.OfMembership(before, after, defaults))).To(ConsistOf(expected))
	},
		Entry("its roles, when it is made", nil, membership(gives("developer", "billing")),
			"everywhere developer for spec.roles: giving it", "everywhere billing for spec.roles: giving it"),
		Entry("its roles, when it is made suspended", nil, membership(gives("developer"), suspended), "everywhere developer for spec.roles: giving it"),
		Entry("its roles, when it is made and has ended", nil, membership(gives("developer"), ends(at(-1))), "everywhere developer for spec.roles: giving it"),
		Entry("the default roles, when it names none", nil, membership(), "everywhere viewer for spec.roles: giving it"),
		Entry("nothing, when it gives no role", nil, membership(gives("none"))),
		Entry("nothing, when it gives no role beside others", nil, membership(gives("none", "administrator"))),
		Entry("the roles that come to count", membership(gives("none", "administrator")), membership(gives("administrator")),
			"everywhere administrator for spec.roles: giving it"),
		Entry("a role that is added", membership(gives("viewer")), membership(gives("viewer", "developer")), "everywhere developer for spec.roles: giving it"),
		Entry("the default roles, when its own are taken out", membership(gives("developer")), membership(),
			"everywhere viewer for spec.roles: leaving it to the organization's default"),
		Entry("the default roles, when its own are taken out and the same", membership(gives("viewer")), membership(),
			"everywhere viewer for spec.roles: leaving it to the organization's default"),
		Entry("a role that it gave by default, when it names it", membership(), membership(gives("viewer")), "everywhere viewer for spec.roles: giving it"),
		Entry("nothing, when it goes on giving what is the default", membership(), membership(ends(at(1)))),
		Entry("nothing, when a role is taken out", membership(gives("viewer", "developer")), membership(gives("viewer"))),
		Entry("nothing, when it is suspended", membership(gives("viewer")), membership(gives("viewer"), suspended)),
		Entry("nothing, when it ends earlier", membership(gives("viewer"), ends(at(2))), membership(gives("viewer"), ends(at(1)))),
		Entry("nothing, when it goes", membership(gives("viewer")), nil),
		Entry("its roles, when a suspension is lifted", membership(gives("viewer"), suspended), membership(gives("viewer")),
			"everywhere viewer for spec.suspended: lifting the suspension"),
		Entry("its roles, when it ends later", membership(gives("viewer"), ends(at(1))), membership(gives("viewer"), ends(at(2))),
			"everywhere viewer for spec.expiresAt: prolonging it"),
		Entry("its roles, when it no longer ends", membership(gives("viewer"), ends(at(1))), membership(gives("viewer")),
			"everywhere viewer for spec.expiresAt: prolonging it"),
		Entry("all its roles, when one is added and it ends later", membership(gives("viewer"), ends(at(1))),
			membership(gives("viewer", "developer")), "everywhere viewer for spec.expiresAt: prolonging it", "everywhere developer for spec.expiresAt: prolonging it"),
		Entry("its roles, when another address is invited", membership(byAddress("a@acme.example"), gives("viewer")),
			membership(byAddress("b@acme.example"), gives("viewer")), "everywhere viewer for spec.email: inviting b@acme.example"),
		Entry("its roles, when it names its user", membership(byAddress("a@acme.example"), gives("viewer")), membership(gives("viewer")),
			"everywhere viewer for spec.user: naming bo"),
		Entry("its roles, when an invitation is withdrawn so that it is in force", membership(gives("viewer"), invited(0)),
			membership(gives("viewer")), "everywhere viewer for spec.invitation: withdrawing the invitation"),
		Entry("its roles, when an invitation lasts longer", membership(gives("viewer"), invited(1)), membership(gives("viewer"), invited(2)),
			"everywhere viewer for spec.invitation.expiresAfter: prolonging the invitation"),
		Entry("its roles, when an invitation lasts as long as the organization says", membership(gives("viewer"), invited(1)),
			membership(gives("viewer"), invited(0)), "everywhere viewer for spec.invitation.expiresAfter: prolonging the invitation"),
		Entry("its roles, when it counts as accepted", membership(gives("viewer"), invited(1)),
			membership(gives("viewer"), invited(1), answered("Accepted")), "everywhere viewer for spec.response: accepting it"),
		Entry("nothing, when what was accepted is no invitation any more", membership(gives("viewer"), invited(1), answered("Accepted")),
			membership(gives("viewer"))),
	)

	It("its roles, when an invitation is resent", func() {
		before, after := membership(gives("viewer"), invited(1)), membership(gives("viewer"), invited(1))
		after.Annotations = map[string]string{v1alpha1.AnnotationResendInvitation: "1"}
		Expect(described(authority.OfMembership(before, after, nil))).To(ConsistOf(
			"everywhere viewer for metadata.annotations: resending the invitation"))
	})
})

type teamChange = func(*v1alpha1.TeamSpec)

func team(name string, changes ...teamChange) *v1alpha1.Team {
	team := &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, change := range changes {
		change(&team.Spec)
	}
	return team
}

func carries(role v1alpha1.RoleName) teamChange {
	return func(spec *v1alpha1.TeamSpec) { spec.Role = role }
}
func of(members ...v1alpha1.Username) teamChange {
	return func(spec *v1alpha1.TeamSpec) { spec.Members = members }
}
func keptBy(maintainers ...v1alpha1.Username) teamChange {
	return func(spec *v1alpha1.TeamSpec) { spec.Maintainers = maintainers }
}
func below(parent v1alpha1.ObjectName) teamChange {
	return func(spec *v1alpha1.TeamSpec) { spec.Parent = parent }
}
func on(projects ...v1alpha1.ObjectName) teamChange {
	return func(spec *v1alpha1.TeamSpec) { spec.Projects = projects }
}
func everywhere(spec *v1alpha1.TeamSpec) { spec.AllProjects = true }
func standsFor(group string) teamChange {
	return func(spec *v1alpha1.TeamSpec) { spec.IdentityGroup = group }
}
func matches(value string) teamChange {
	return func(spec *v1alpha1.TeamSpec) { spec.ProjectSelector = tier(value) }
}
func tier(value string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"tier": value}}
}

var _ = Describe("A change of a Team takes the right to give", func() {
	teams := map[v1alpha1.ObjectName]*v1alpha1.Team{
		"admins": team("admins", carries("administrator")), "idle": team("idle"), "juniors": team("juniors", below("admins")),
		"one": team("one", below("two"), carries("viewer")), "two": team("two", below("one"), carries("developer")),
	}
	bindings := []*v1alpha1.RoleBinding{
		binding("payers", "billing", func(spec *v1alpha1.RoleBindingSpec) {
			spec.OrganizationWide, spec.Subjects = true, []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: "named"}}
		}),
		binding("over", "owner-like", func(spec *v1alpha1.RoleBindingSpec) {
			spec.ExpiresAt, spec.Subjects = at(-1), []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: "named"}}
		}),
		binding("let-in", "editor", func(spec *v1alpha1.RoleBindingSpec) {
			spec.Subjects = []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: "named", Organization: "agency"}}
		}),
	}
	demands := func(before, after *v1alpha1.Team) []string {
		var inherited authority.Inherited
		if after != nil {
			find := func(name v1alpha1.ObjectName) *v1alpha1.Team { return teams[name] }
			inherited = authority.InheritedBy(after, find, bindings, now)
		}
		return described(authority.OfTeam(before, after, inherited))
	}
	DescribeTable("exactly", func(before, after *v1alpha1.Team, expected ...string) {
		Expect(demands(before, after)).To(ConsistOf(expected))
	},
		Entry("its role, when it is made and reaches nobody", nil, team("kids", carries("viewer")), "viewer for spec.role: giving it"),
		Entry("nothing, when it is made without a role", nil, team("kids", of("bo"), keptBy("bo"), on("shop"))),
		Entry("what its parent carries, when it is made", nil, team("kids", below("admins")),
			`administrator for spec.parent: putting team "kids" below it (parent team "admins")`),
		Entry("what is further above, when it is made", nil, team("kids", below("juniors")),
			`administrator for spec.parent: putting team "kids" below it (parent team "admins")`),
		Entry("what a RoleBinding gives by its name, when it is made", nil, team("named"),
			`everywhere billing for metadata.name: making team "named" (RoleBinding "payers" to team "named")`),
		Entry("what a RoleBinding gives to a team above, which isn't there", nil, team("kids", below("named")),
			`everywhere billing for spec.parent: putting team "kids" below it (RoleBinding "payers" to parent team "named")`),
		Entry("its role, when it is another one", team("kids", carries("viewer"), of("bo")), team("kids", carries("developer"), of("bo")),
			"developer for spec.role: giving it"),
		Entry("nothing, when its role is taken out", team("kids", carries("viewer")), team("kids")),
		Entry("its role, when somebody is added", team("kids", carries("viewer"), of("bo")), team("kids", carries("viewer"), of("zoe", "bo")),
			"viewer for spec.members: adding zoe"),
		Entry("its role, when a maintainer is added", team("kids", carries("viewer")), team("kids", carries("viewer"), keptBy("bo")),
			"viewer for spec.maintainers: adding bo"),
		Entry("its role, when a group is named", team("kids", carries("viewer")), team("kids", carries("viewer"), standsFor("oidc:all")),
			`viewer for spec.identityGroup: naming group "oidc:all"`),
		Entry("all that reaches it, when somebody is added", team("named", below("juniors")), team("named", below("juniors"), of("bo")),
			`administrator for spec.members: adding bo (parent team "admins")`,
			`everywhere billing for spec.members: adding bo (RoleBinding "payers" to team "named")`),
		Entry("nothing, when somebody is taken out", team("kids", carries("viewer"), of("bo", "zoe"), keptBy("bo")),
			team("kids", carries("viewer"), of("zoe"))),
		Entry("nothing, when its people change and nothing reaches it", team("idle"), team("idle", of("bo"), keptBy("zoe"))),
		Entry("what a new parent carries, and not what it carries itself", team("kids", carries("viewer"), of("bo")),
			team("kids", carries("viewer"), of("bo"), below("admins")),
			`administrator for spec.parent: putting team "kids" below it (parent team "admins")`),
		Entry("nothing, when it leaves its parent", team("kids", below("admins"), of("bo")), team("kids", of("bo"))),
		Entry("its role, when a project is added", team("kids", carries("viewer"), on("shop")), team("kids", carries("viewer"), on("shop", "site")),
			"viewer for spec.projects: adding site"),
		Entry("its role, when all projects are meant", team("kids", carries("viewer"), on("shop")), team("kids", carries("viewer"), everywhere),
			"viewer for spec.allProjects: setting it"),
		Entry("its role, when its selector is another one", team("kids", carries("viewer"), matches("gold")),
			team("kids", carries("viewer"), matches("tin")), "viewer for spec.projectSelector: changing it"),
		Entry("its role, when a selector takes the place of projects", team("kids", carries("viewer"), on("shop")),
			team("kids", carries("viewer"), matches("tin")), "viewer for spec.projectSelector: changing it"),
		Entry("nothing, when some projects take the place of all", team("kids", carries("viewer"), everywhere),
			team("kids", carries("viewer"), on("shop"))),
		Entry("nothing, when a project is taken out", team("kids", carries("viewer"), on("shop", "site")), team("kids", carries("viewer"), on("site"))),
		Entry("nothing, when its places change and it carries nothing", team("kids", on("shop")), team("kids", everywhere)),
		Entry("nothing, when it goes", team("kids", carries("viewer"), of("bo")), nil),
		Entry("what all teams of a circle carry, when somebody is added", team("kids", below("one")), team("kids", below("one"), of("bo")),
			`viewer for spec.members: adding bo (parent team "one")`, `developer for spec.members: adding bo (parent team "two")`),
	)
})

func binding(name string, role v1alpha1.RoleName, changes ...func(*v1alpha1.RoleBindingSpec)) *v1alpha1.RoleBinding {
	binding := &v1alpha1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RoleBindingSpec{Role: role}}
	for _, change := range changes {
		change(&binding.Spec)
	}
	return binding
}

var _ = Describe("A change of a RoleBinding takes the right to give", func() {
	type change = func(*v1alpha1.RoleBindingSpec)
	to := func(names ...string) change {
		return func(spec *v1alpha1.RoleBindingSpec) {
			for _, name := range names {
				spec.Subjects = append(spec.Subjects, v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: name})
			}
		}
	}
	in := func(projects ...v1alpha1.ObjectName) change {
		return func(spec *v1alpha1.RoleBindingSpec) { spec.Projects = projects }
	}
	wide := func(spec *v1alpha1.RoleBindingSpec) { spec.OrganizationWide = true }
	selecting := func(value string) change {
		return func(spec *v1alpha1.RoleBindingSpec) { spec.ProjectSelector = tier(value) }
	}
	until := func(end *metav1.Time) change { return func(spec *v1alpha1.RoleBindingSpec) { spec.ExpiresAt = end } }
	from := func(begin *metav1.Time) change {
		return func(spec *v1alpha1.RoleBindingSpec) { spec.NotBefore = begin }
	}
	viewer := func(changes ...change) *v1alpha1.RoleBinding { return binding("b", "viewer", changes...) }

	DescribeTable("exactly", func(before, after *v1alpha1.RoleBinding, expected ...string) {
		Expect(described(authority.OfRoleBinding(before, after))).To(ConsistOf(expected))
	},
		Entry("its role, when it is made and reaches nothing", nil, viewer(to("bo"), selecting("none")), "viewer for spec.role: giving it"),
		Entry("its role, when it is made for later", nil, viewer(to("bo"), in("shop"), from(at(1))), "viewer for spec.role: giving it"),
		Entry("its role everywhere, when it reaches down", nil, viewer(to("bo"), wide), "everywhere viewer for spec.role: giving it"),
		Entry("nothing, when it gives no role", nil, binding("b", "none", to("bo"), wide)),
		Entry("its role, when it is another one", binding("b", "developer", to("bo")), viewer(to("bo")), "viewer for spec.role: giving it"),
		Entry("its role, when a subject is added", viewer(to("bo")), viewer(to("bo", "zoe")), "viewer for spec.subjects: adding User zoe"),
		Entry("nothing, when a subject is taken out", viewer(to("bo", "zoe")), viewer(to("zoe"))),
		Entry("its role, when a project is added", viewer(in("shop")), viewer(in("shop", "site")), "viewer for spec.projects: adding site"),
		Entry("its role everywhere, when it becomes organization-wide", viewer(in("shop")), viewer(wide),
			"everywhere viewer for spec.organizationWide: setting it"),
		Entry("nothing, when some projects take the place of all", viewer(wide), viewer(in("shop"))),
		Entry("nothing, when a selector takes the place of all", viewer(wide), viewer(selecting("gold"))),
		Entry("its role, when its selector is another one", viewer(selecting("gold")), viewer(selecting("tin")),
			"viewer for spec.projectSelector: changing it"),
		Entry("its role, when it ends later", viewer(until(at(1))), viewer(until(at(2))), "viewer for spec.expiresAt: prolonging it"),
		Entry("its role, when it had ended and no longer does", viewer(until(at(-1))), viewer(), "viewer for spec.expiresAt: prolonging it"),
		Entry("its role, when it begins earlier", viewer(from(at(2))), viewer(from(at(1))), "viewer for spec.notBefore: letting it begin earlier"),
		Entry("its role, when it begins at once", viewer(from(at(2))), viewer(), "viewer for spec.notBefore: letting it begin earlier"),
		Entry("nothing, when it ends earlier and begins later", viewer(until(at(3)), from(at(1))), viewer(until(at(2)), from(at(2)))),
		Entry("nothing, when it goes", viewer(to("bo")), nil),
	)
})

var _ = Describe("A change of a Project takes the right to give", func() {
	project := func(labels map[string]string) *v1alpha1.Project {
		return &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: labels}}
	}
	gold, tin := map[string]string{"tier": "gold"}, map[string]string{"tier": "tin"}
	teams := []*v1alpha1.Team{
		team("golden", carries("administrator"), matches("gold")), team("named", carries("developer"), on("shop")),
		team("all", carries("viewer"), everywhere), team("idle", matches("gold")), team("none", carries("none"), matches("gold")),
	}
	bindings := []*v1alpha1.RoleBinding{
		binding("gilded", "editor", func(spec *v1alpha1.RoleBindingSpec) { spec.ProjectSelector = tier("gold") }),
		binding("over", "billing", func(spec *v1alpha1.RoleBindingSpec) { spec.ProjectSelector, spec.ExpiresAt = tier("gold"), at(-1) }),
		binding("empty", "billing", func(spec *v1alpha1.RoleBindingSpec) { spec.ProjectSelector = &metav1.LabelSelector{} }),
	}
	DescribeTable("exactly", func(before, after *v1alpha1.Project, expected ...string) {
		Expect(described(authority.OfProject(before, after, teams, bindings, now))).To(ConsistOf(expected))
	},
		Entry("what names it, when it is made", nil, project(tin), `developer for metadata.name: making project "shop" (team "named")`),
		Entry("what selects it, when it is made", nil, project(gold), `developer for metadata.name: making project "shop" (team "named")`,
			`administrator for metadata.labels: labelling project "shop" (team "golden")`,
			`editor for metadata.labels: labelling project "shop" (RoleBinding "gilded")`),
		Entry("what selects it, when it is labelled", project(tin), project(gold),
			`administrator for metadata.labels: labelling project "shop" (team "golden")`,
			`editor for metadata.labels: labelling project "shop" (RoleBinding "gilded")`),
		Entry("nothing, when a label is taken off", project(gold), project(nil)),
		Entry("nothing, when another label is added", project(gold), project(map[string]string{"tier": "gold", "sort": "new"})),
		Entry("nothing, when it goes", project(gold), nil),
	)
})

var _ = Describe("A Role is given by its name", func() {
	roles := []v1alpha1.RoleName{"deployer"}
	DescribeTable("by", func(expected string, defaults []v1alpha1.RoleName, memberships []*v1alpha1.Membership, teams []*v1alpha1.Team,
		bindings []*v1alpha1.RoleBinding,
	) {
		naming, found := authority.Naming("deployer", defaults, memberships, teams, bindings, now)
		text := naming.Carrier
		if naming.Everywhere {
			text = "everywhere " + text
		}
		Expect(text).To(Equal(expected))
		Expect(found).To(Equal(expected != ""))
	},
		Entry("nothing", "", nil, []*v1alpha1.Membership{membership(gives("viewer"))}, []*v1alpha1.Team{team("idle")},
			[]*v1alpha1.RoleBinding{binding("other", "viewer")}),
		Entry("a Membership, also a suspended one", `everywhere Membership ""`, nil,
			[]*v1alpha1.Membership{membership(gives("deployer"), suspended)}, nil, nil),
		Entry("a Membership by default", `everywhere Membership ""`, roles, []*v1alpha1.Membership{membership()}, nil, nil),
		Entry("a team without anybody in it", `team "empty"`, nil, nil, []*v1alpha1.Team{team("empty", carries("deployer"))}, nil),
		Entry("a RoleBinding", `RoleBinding "b"`, nil, nil, nil, []*v1alpha1.RoleBinding{binding("b", "deployer")}),
		Entry("an organization-wide RoleBinding before others", `everywhere RoleBinding "wide"`, nil, nil,
			[]*v1alpha1.Team{team("some", carries("deployer"))}, []*v1alpha1.RoleBinding{
				binding("b", "deployer"),
				binding("wide", "deployer", func(spec *v1alpha1.RoleBindingSpec) { spec.OrganizationWide = true }), binding("c", "deployer"),
			}),
		Entry("no RoleBinding that has ended", "", nil, nil, nil, []*v1alpha1.RoleBinding{
			binding("b", "deployer", func(spec *v1alpha1.RoleBindingSpec) { spec.ExpiresAt = at(-1) }),
		}),
		Entry("the defaults for members to come", "everywhere the organization's spec.membership.defaultRoles", roles, nil, nil, nil),
	)
})

var _ = Describe("A change of an Organization takes the right to give", func() {
	organization := func(owners []v1alpha1.Username, defaults ...v1alpha1.RoleName) *v1alpha1.Organization {
		return &v1alpha1.Organization{Spec: v1alpha1.OrganizationSpec{
			Owners: owners, Membership: v1alpha1.MembershipPolicy{DefaultRoles: defaults},
		}}
	}
	ana, both := []v1alpha1.Username{"ana"}, []v1alpha1.Username{"ana", "bo"}
	DescribeTable("exactly", func(before, after *v1alpha1.Organization, expected ...string) {
		Expect(described(authority.OfOrganization(before, after))).To(ConsistOf(expected))
	},
		Entry("owner, when an owner is added", organization(ana), organization(both), "owner for spec.owners: adding bo"),
		Entry("nothing, when an owner is taken out", organization(both), organization(ana)),
		Entry("a default role that is added", organization(ana, "member"), organization(ana, "viewer", "none"),
			"viewer for spec.membership.defaultRoles: adding it"),
		Entry("nothing, when it is made by whoever may found it", nil, organization(ana, "viewer")),
	)
})

var _ = DescribeTable("A message lists", func(expected string, names ...string) {
	Expect(authority.Listed(names)).To(Equal(expected))
},
	Entry("nothing", ""),
	Entry("one name", "a", "a"),
	Entry("three names", "a, b, c", "a", "b", "c"),
	Entry("the first of many", "a, b, c and 2 more", "a", "b", "c", "d", "e"),
)

var _ = DescribeTable("A Membership lets what organizations above give through", func(expected bool, before, after *v1alpha1.Membership) {
	Expect(authority.Uncovers(before, after)).To(Equal(expected))
},
	Entry("when it goes", true, membership(gives("viewer")), nil),
	Entry("when it goes and was suspended", true, membership(gives("none"), suspended), nil),
	Entry("when it holds no role any more", true, membership(gives("viewer")), membership(gives("none"))),
	Entry("when it waits for an answer", true, membership(gives("viewer")), membership(gives("viewer"), invited(1))),
	Entry("when it is lifted and holds no role", true, membership(gives("none"), suspended), membership(gives("none"))),
	Entry("when it holds no role and ends later", true, membership(gives("none"), ends(at(1))), membership(gives("none"), ends(at(2)))),
	Entry("and did before, when one without a role goes", false, membership(gives("none")), nil),
	Entry("and did before, when an open invitation goes", false, membership(gives("viewer"), invited(1)), nil),
	Entry("in no case when it is made", false, nil, membership(gives("none"))),
	Entry("in no case by other roles", false, membership(gives("viewer")), membership(gives("developer"))),
	Entry("in no case when it is suspended", false, membership(gives("viewer")), membership(gives("viewer"), suspended)),
)
