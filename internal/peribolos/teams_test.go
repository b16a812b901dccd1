package peribolos_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// people is an organization that the teams below are part of.
const people = "admins: [ana]\nmembers: [bo, Cy, di]\n"

var _ = Describe("A team", func() {
	It("becomes a Team whose maintainers are members too", func() {
		imported := importOrganization(people + `teams:
  shop:
    description: Sells
    privacy: closed
    previously: [store]
    members: [di, bo]
    maintainers: [Cy]
`)
		team := one[*v1alpha1.Team](imported, "shop")
		Expect(team.Namespace).To(Equal("org-acme"))
		Expect(team.Spec).To(Equal(v1alpha1.TeamSpec{
			Description: "Sells",
			Members:     usernames("bo", "Cy", "di"),
			Maintainers: usernames("Cy"),
		}))
		Expect(imported.problems).To(BeEmpty())
	})

	It("within another one has that one as its parent", func() {
		imported := importOrganization(people + `teams:
  Outer Team:
    teams:
      inner:
        teams:
          innermost: {members: [bo]}
`)
		Expect(namesOf[*v1alpha1.Team](imported)).To(Equal([]string{"inner", "innermost", "outer-team"}))
		Expect(one[*v1alpha1.Team](imported, "inner").Spec.Parent).To(BeEquivalentTo("outer-team"))
		Expect(one[*v1alpha1.Team](imported, "innermost").Spec.Parent).To(BeEquivalentTo("inner"))
		Expect(one[*v1alpha1.Team](imported, "outer-team").Spec.Parent).To(BeEmpty())
	})

	It("whose name isn't a DNS label gets one and keeps its name as the display name", func() {
		imported := importOrganization(people + "teams:\n  Client WG Leads:\n")
		Expect(one[*v1alpha1.Team](imported, "client-wg-leads").Spec.DisplayName).To(Equal("Client WG Leads"))
		Expect(imported.problems).To(Equal([]string{
			`acme/org.yaml:4: team "Client WG Leads" isn't a DNS label of at most 63 characters; it becomes ` +
				`"client-wg-leads"`,
		}))
	})

	It("whose name is too long gets a shorter one with a hash", func() {
		imported := importOrganization(people + "teams:\n  " + strings.Repeat("a", 70) + ":\n")
		Expect(namesOf[*v1alpha1.Team](imported)).To(HaveExactElements(MatchRegexp("^a{36}-[a-z2-7]{26}$")))
	})

	It("gets a hash where another one has the name already", func() {
		imported := importOrganization(people + "teams:\n  a b:\n  a-b:\n")
		Expect(namesOf[*v1alpha1.Team](imported)).To(HaveExactElements(Equal("a-b"), MatchRegexp("^a-b-[a-z2-7]{26}$")))
		Expect(imported.problems).To(HaveExactElements(HavePrefix(
			`acme/org.yaml:4: team "a b" isn't a DNS label of at most 63 characters; it becomes "a-b-`)))
	})

	It("that is defined twice is taken the first time, and the second is said", func() {
		imported := importFiles(map[string]string{
			"acme/org.yaml":        people,
			"acme/one/teams.yaml":  "teams:\n  shop: {members: [bo]}\n",
			"acme/two/teams.yaml":  "teams:\n  shop:\n    members: [di]\n    teams: {below: {members: [di]}}\n",
			"acme/two/README.md":   "not: read",
			"acme/.git/teams.yaml": "nor this",
		})
		Expect(one[*v1alpha1.Team](imported, "shop").Spec.Members).To(Equal(usernames("bo")))
		Expect(all[*v1alpha1.Team](imported)).To(HaveLen(1))
		Expect(imported.problems).To(Equal([]string{
			`acme/two/teams.yaml:2: team "shop" is defined already at acme/one/teams.yaml:2; this definition and the ` +
				`teams below it are left out`,
		}))
	})

	It("has its members as the organization writes them", func() {
		imported := importOrganization(people + "teams:\n  shop:\n    members: [CY]\n    maintainers: [DI]\n")
		team := one[*v1alpha1.Team](imported, "shop")
		Expect(team.Spec.Members).To(Equal(usernames("Cy", "di")))
		Expect(team.Spec.Maintainers).To(Equal(usernames("di")))
		Expect(imported.problems).To(BeEmpty())
	})

	It("doesn't have members who aren't in the organization, which is said", func() {
		imported := importOrganization(people + "teams:\n  shop:\n    members:\n    - eve\n    maintainers:\n    - fay\n")
		Expect(one[*v1alpha1.Team](imported, "shop").Spec).To(Equal(v1alpha1.TeamSpec{
			Members: usernames(), Maintainers: usernames(),
		}))
		Expect(imported.problems).To(Equal([]string{
			`acme/org.yaml:6: team "shop": member "eve" isn't in the organization; it is left out`,
			`acme/org.yaml:8: team "shop": maintainer "fay" isn't in the organization; it is left out`,
		}))
	})

	It("has members who are listed twice once, which is said", func() {
		imported := importOrganization(people + "teams:\n  shop:\n    members:\n    - bo\n    - BO\n    maintainers: [bo]\n")
		Expect(one[*v1alpha1.Team](imported, "shop").Spec.Members).To(Equal(usernames("bo")))
		Expect(imported.problems).To(Equal([]string{
			`acme/org.yaml:7: team "shop": member "BO" is listed twice; this entry is left out`,
		}))
	})

	It("has no more maintainers and members than a Team may, which is said", func() {
		var everybody strings.Builder
		for i := range 5002 {
			fmt.Fprintf(&everybody, "- user-%04d\n", i)
		}
		lines := strings.SplitAfter(everybody.String(), "\n")
		imported := importOrganization("admins: [ana]\nteams:\n  shop:\n    maintainers:\n" +
			indented(lines[:51]) + "    members:\n" + indented(lines[51:5002]) + "members:\n" + everybody.String())
		team := one[*v1alpha1.Team](imported, "shop")
		Expect(team.Spec.Maintainers).To(HaveLen(50))
		Expect(team.Spec.Members).To(HaveLen(5000))
		Expect(team.Spec.Members).To(ContainElement(BeEquivalentTo("user-0050")))
		Expect(imported.problems).To(Equal([]string{
			`acme/org.yaml:3: team "shop" has 51 maintainers, and a Team at most 50; the others become members: user-0050`,
			`acme/org.yaml:3: team "shop" has 5002 members, and a Team at most 5000; left out are: user-5000, user-5001`,
		}))
	})

	It("says which of its keys it doesn't know", func() {
		imported := importOrganization(people + "teams:\n  shop:\n    parent_of: [other]\n")
		Expect(imported.problems).To(Equal([]string{
			`acme/org.yaml:5: unknown key "parent_of" of team "shop" isn't carried over; if it gives access, make a ` +
				`RoleBinding for it`,
		}))
	})
})

// indented returns lines as a list within a team.
func indented(lines []string) string { return "    " + strings.Join(lines, "    ") }

var _ = Describe("A team's permissions", func() {
	DescribeTable("become roles",
		func(permission, role string) {
			imported := importOrganization(people + "teams:\n  shop:\n    repos: {web: " + permission + "}\n")
			team := one[*v1alpha1.Team](imported, "shop")
			Expect(team.Spec.Role).To(BeEquivalentTo(role))
			Expect(team.Spec.Projects).To(Equal([]v1alpha1.ObjectName{"web"}))
			Expect(one[*v1alpha1.Project](imported, "web").Namespace).To(Equal("org-acme"))
			Expect(imported.problems).To(BeEmpty())
		},
		Entry(nil, "read", "viewer"),
		Entry(nil, "triage", "viewer"),
		Entry(nil, "write", "developer"),
		Entry(nil, "maintain", "maintainer"),
		Entry(nil, "admin", "administrator"),
	)

	It("are the Team's own where they are of one role", func() {
		imported := importOrganization(people + "teams:\n  shop:\n    repos: {web: triage, api: read}\n")
		Expect(one[*v1alpha1.Team](imported, "shop").Spec.Projects).To(Equal([]v1alpha1.ObjectName{"api", "web"}))
		Expect(all[*v1alpha1.RoleBinding](imported)).To(BeEmpty())
	})

	It("are RoleBindings where they are of several roles", func() {
		imported := importOrganization(people + "teams:\n  Shop:\n    repos: {web: write, api: read, app: write}\n")
		team := one[*v1alpha1.Team](imported, "shop")
		Expect(team.Spec.Role).To(BeEmpty())
		Expect(team.Spec.Projects).To(BeEmpty())
		Expect(namesOf[*v1alpha1.RoleBinding](imported)).To(Equal([]string{"shop-developer", "shop-viewer"}))
		Expect(one[*v1alpha1.RoleBinding](imported, "shop-developer").Spec).To(Equal(v1alpha1.RoleBindingSpec{
			Role:     "developer",
			Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: "shop"}},
			Projects: []v1alpha1.ObjectName{"app", "web"},
		}))
	})

	It("on more projects than a grant may name are split", func() {
		var repositories strings.Builder
		for i := range 2001 {
			fmt.Fprintf(&repositories, "      web-%04d: read\n", i)
		}
		imported := importOrganization(people + "teams:\n  shop:\n    repos:\n" + repositories.String())
		Expect(one[*v1alpha1.Team](imported, "shop").Spec.Projects).To(BeEmpty())
		Expect(one[*v1alpha1.RoleBinding](imported, "shop-viewer").Spec.Projects).To(HaveLen(2000))
		Expect(one[*v1alpha1.RoleBinding](imported, "shop-viewer-2").Spec.Projects).To(
			Equal([]v1alpha1.ObjectName{"web-2000"}))
	})

	It("that don't exist are said and give nothing, and none gives nothing", func() {
		imported := importOrganization(people + "teams:\n  shop:\n    repos:\n      web: push\n      api: none\n      app:\n")
		Expect(one[*v1alpha1.Team](imported, "shop").Spec.Role).To(BeEmpty())
		Expect(all[*v1alpha1.Project](imported)).To(BeEmpty())
		Expect(imported.problems).To(Equal([]string{
			`acme/org.yaml:6: team "shop": permission "push" on repository "web" isn't one of read, triage, write, ` +
				`maintain and admin; it is left out`,
			`acme/org.yaml:8: team "shop": permission "" on repository "app" isn't one of read, triage, write, maintain ` +
				`and admin; it is left out`,
		}))
	})

	It("on a repository whose name isn't a DNS label name the project that it becomes", func() {
		imported := importOrganization(people + "teams:\n  shop:\n    repos:\n      .github: read\n")
		Expect(one[*v1alpha1.Team](imported, "shop").Spec.Projects).To(Equal([]v1alpha1.ObjectName{"github"}))
		Expect(one[*v1alpha1.Project](imported, "github").Spec.DisplayName).To(Equal(".github"))
		Expect(imported.problems).To(Equal([]string{
			`acme/org.yaml:6: repository ".github" isn't a DNS label of at most 58 characters; its project becomes "github"`,
		}))
	})

	It("on a repository with a long name name a project whose namespace has a valid name", func() {
		imported := importOrganization(people + "teams:\n  shop:\n    repos: {" + strings.Repeat("a", 63) + ": read}\n")
		projects := all[*v1alpha1.Project](imported)
		Expect(projects).To(HaveLen(1))
		Expect(projects[0].NamespaceNames()[0]).To(MatchRegexp("^acme-a{31}-[a-z2-7]{26}$"))
	})

	It("on one repository, written in two ways, are on one project", func() {
		imported := importOrganization(people + "teams:\n  shop:\n    repos: {Web: read}\n  pay:\n    repos: {web: admin}\n")
		Expect(namesOf[*v1alpha1.Project](imported)).To(Equal([]string{"web"}))
		Expect(one[*v1alpha1.Team](imported, "pay").Spec.Projects).To(Equal([]v1alpha1.ObjectName{"web"}))
		Expect(one[*v1alpha1.Team](imported, "shop").Spec.Projects).To(Equal([]v1alpha1.ObjectName{"web"}))
	})
})
