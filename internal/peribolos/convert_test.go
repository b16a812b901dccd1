package peribolos_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
)

var _ = Describe("An organization", func() {
	It("becomes an Organization with the admins as owners, and the namespace that it may use", func() {
		imported := importOrganization(`
name: Acme
description: Makes everything
billing_email: billing@acme.example
has_organization_projects: true
admins: [zoe, Ana]
`)
		organization := one[*v1alpha1.Organization](imported, "acme")
		Expect(organization.Spec).To(Equal(v1alpha1.OrganizationSpec{
			DisplayName: "Acme",
			Description: "Makes everything",
			Owners:      usernames("Ana", "zoe"),
		}))
		Expect(one[*corev1.Namespace](imported, "org-acme").Labels).To(
			Equal(map[string]string{"roster.dev/organization": "acme"}))
		Expect(imported.problems).To(BeEmpty())
	})

	It("has a Membership for each member who is no admin, with the default roles", func() {
		imported := importOrganization("admins: [ana]\nmembers: [bo, Cy]\n")
		Expect(namesOf[*v1alpha1.Membership](imported)).To(HaveExactElements(
			Equal("bo"), MatchRegexp("^cy-[a-z2-7]{26}$")))
		membership := one[*v1alpha1.Membership](imported, "bo")
		Expect(membership.Namespace).To(Equal("org-acme"))
		Expect(membership.Spec).To(Equal(v1alpha1.MembershipSpec{User: "bo"}))
		Expect(imported.problems).To(BeEmpty())
	})

	It("keeps usernames as they are written, also those that look like numbers or truth values", func() {
		imported := importOrganization("admins: [007]\nmembers: [0x10, yes, 1e3]\n")
		Expect(one[*v1alpha1.Organization](imported, "acme").Spec.Owners).To(Equal(usernames("007")))
		Expect(namesOf[*v1alpha1.Membership](imported)).To(Equal([]string{"0x10", "1e3", "yes"}))
	})

	It("says of the 51st admin that the others become administrators", func() {
		var admins strings.Builder
		for i := range 52 {
			fmt.Fprintf(&admins, "- admin-%02d\n", i)
		}
		imported := importOrganization("admins:\n" + admins.String())
		owners := one[*v1alpha1.Organization](imported, "acme").Spec.Owners
		Expect(owners).To(HaveLen(50))
		Expect(owners[49]).To(BeEquivalentTo("admin-49"))
		Expect(namesOf[*v1alpha1.Membership](imported)).To(Equal([]string{"admin-50", "admin-51"}))
		Expect(one[*v1alpha1.Membership](imported, "admin-50").Spec.Roles).To(
			Equal([]v1alpha1.RoleName{"administrator"}))
		Expect(imported.problems).To(Equal([]string{
			`acme/org.yaml:52: organization "acme" has 52 admins, and an Organization at most 50 owners; the first 50 ` +
				`become owners, and members with the role administrator: admin-50, admin-51`,
		}))
	})

	It("says who is listed twice, whatever the case, and lists them once", func() {
		imported := importOrganization("admins:\n- ana\n- ana\nmembers:\n- Bo\n- bo\n- ANA\n")
		Expect(one[*v1alpha1.Organization](imported, "acme").Spec.Owners).To(Equal(usernames("ana")))
		Expect(all[*v1alpha1.Membership](imported)).To(HaveLen(1))
		Expect(imported.problems).To(Equal([]string{
			`acme/org.yaml:3: admins: "ana" is in the organization already, as "ana" at acme/org.yaml:2; this entry is ` +
				`left out`,
			`acme/org.yaml:6: members: "bo" is in the organization already, as "Bo" at acme/org.yaml:5; this entry is ` +
				`left out`,
			`acme/org.yaml:7: members: "ANA" is in the organization already, as "ana" at acme/org.yaml:2; this entry is ` +
				`left out`,
		}))
	})

	It("says which usernames can't be given access, and leaves them out", func() {
		long := strings.Repeat("a", 254)
		imported := importOrganization("admins: [ana]\nmembers:\n- system:admin\n- ''\n- " + long + "\n")
		Expect(all[*v1alpha1.Membership](imported)).To(BeEmpty())
		Expect(imported.problems).To(Equal([]string{
			`acme/org.yaml:3: members: "system:admin" is a name of Kubernetes itself and can't be given access; it is ` +
				`left out`,
			`acme/org.yaml:4: members: "" is no username; it is left out`,
			`acme/org.yaml:5: members: "` + long + `" has more than the 253 characters of a username; it is left out`,
		}))
	})

	It("says which settings give access that isn't carried over", func() {
		imported := importOrganization(`admins: [ana]
default_repository_permission: read
members_can_create_repositories: true
roles: {security_manager: {teams: [a]}}
repos:
  shop:
    private: true
    collaborators: {guest: write}
moderators: [bo]
`)
		Expect(imported.problems).To(Equal([]string{
			`acme/org.yaml:2: default_repository_permission "read" isn't carried over: members see the organization, but ` +
				`hold nothing in its projects; to give every member a role in all of them, set ` +
				`spec.membership.defaultRoles of the Organization, such as [viewer] for read`,
			`acme/org.yaml:3: members_can_create_repositories isn't carried over: who may make projects needs the role ` +
				`maintainer`,
			`acme/org.yaml:4: roles (GitHub's organization roles) aren't carried over; make RoleBindings with ` +
				`organizationWide: true for what they gave`,
			`acme/org.yaml:8: collaborators of repository "shop" aren't carried over; make a RoleBinding for them`,
			`acme/org.yaml:9: unknown key "moderators" of an organization isn't carried over; if it gives access, make a ` +
				`RoleBinding for it`,
		}))
		Expect(all[*v1alpha1.Project](imported)).To(BeEmpty(), "no team is granted the repository")
	})

	It("says nothing of settings that give no access", func() {
		imported := importOrganization(`admins: [ana]
default_repository_permission: none
members_can_create_repositories: false
repos: {shop: {private: true, previously: [store]}, empty: }
`)
		Expect(imported.problems).To(BeEmpty())
	})

	It("cuts texts that are too long, and says so", func() {
		imported := importOrganization("admins: [ana]\nname: " + strings.Repeat("é", 201) + "\n")
		Expect(one[*v1alpha1.Organization](imported, "acme").Spec.DisplayName).To(Equal(strings.Repeat("é", 199) + "…"))
		Expect(imported.problems).To(Equal([]string{
			"acme/org.yaml:2: the name of the organization has more than 200 characters and is cut",
		}))
	})
})

var _ = Describe("An organization's name", func() {
	It("that isn't a DNS label becomes one and is kept as the display name", func() {
		imported := importFiles(map[string]string{"a.yaml": "orgs:\n  AcmeCloud:\n    admins: [ana]\n"}, "a.yaml")
		Expect(one[*v1alpha1.Organization](imported, "acmecloud").Spec.DisplayName).To(Equal("AcmeCloud"))
		Expect(imported.problems).To(Equal([]string{
			`a.yaml:2: organization "AcmeCloud" isn't a DNS label of at most 40 characters; it becomes "acmecloud"`,
		}))
	})

	DescribeTable("that can't be one ends the import",
		func(name string) {
			imported := importFiles(map[string]string{"a.yaml": "orgs:\n  " + name + ":\n    admins: [ana]\n"}, "a.yaml")
			Expect(imported.err).To(Equal(`a.yaml:2: "` + name + `" can't be an organization's name, as its namespaces ` +
				`would look like the cluster's own; choose another one with --organization`))
		},
		Entry("a reserved one", "roster"),
		Entry("one whose namespaces begin with kube-", "kube-rs"),
		Entry("one whose namespaces begin with org-", "org-acme"),
	)

	It("is told apart from another one's that it would be equal to", func() {
		imported := importFiles(map[string]string{
			"a.yaml": "orgs:\n  acme:\n    admins: [ana]\n  Acme:\n    admins: [bo]\n",
		}, "a.yaml")
		Expect(namesOf[*v1alpha1.Organization](imported)).To(HaveExactElements(
			Equal("acme"), MatchRegexp("^acme-[a-z2-7]{26}$")))
	})
})

var _ = Describe("An import", func() {
	It("without admins ends, as an Organization has at least one owner", func() {
		imported := importOrganization("members: [bo]\n")
		Expect(imported.err).To(Equal(`acme/org.yaml:1: organization "acme" has no admins, and an Organization has at ` +
			`least one owner; list somebody under admins`))
	})

	It("gives a project a namespace of its own where two organizations' projects would share one", func() {
		imported := importFiles(map[string]string{"a.yaml": `orgs:
  acme:
    admins: [ana]
    teams: {a: {repos: {eu-shop: read}}}
  acme-eu:
    admins: [ana]
    teams: {a: {repos: {shop: read}}}
`}, "a.yaml")
		Expect(one[*v1alpha1.Project](imported, "eu-shop").Spec.Namespaces).To(BeEmpty())
		own := one[*v1alpha1.Project](imported, "shop").Spec.Namespaces
		Expect(own).To(HaveLen(1))
		Expect(string(own[0])).To(MatchRegexp("^acme-eu-shop-[a-z2-7]{26}$"))
		Expect(imported.problems).To(Equal([]string{
			`a.yaml:7: project "shop" of organization "acme-eu" would share the namespace "acme-eu-shop" with a project ` +
				`of another organization; its namespace becomes "` + string(own[0]) + `"`,
		}))
	})
})
