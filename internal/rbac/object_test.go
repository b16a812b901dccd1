package rbac_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
)

var _ = Describe("OrganizationAccess", func() {
	everywhere := &access.Scope{Organization: true, Namespaces: []string{"acme-shop"}}
	projects := &access.Scope{Namespaces: []string{"acme-shop"}}
	grant := func(role access.RoleReference, scope *access.Scope, subjects ...rbacv1.Subject) access.Grant {
		return access.Grant{Role: role, Scope: scope, Subjects: subjects}
	}
	catalogue := func(name string) access.RoleReference { return access.RoleReference{Name: name} }

	It("lets owners, administrators and billing of the whole organization reach its object alone", func() {
		role, binding := rbac.OrganizationAccess(access.Result{Organization: "acme", Grants: []access.Grant{
			grant(catalogue("owner"), everywhere, user("bo"), user("amy")),
			grant(catalogue("administrator"), everywhere, user("cy"), user("bo")),
			grant(catalogue("billing"), everywhere, user("di")),
			grant(catalogue("administrator"), projects, user("ed")),
			grant(catalogue("maintainer"), everywhere, user("flo")),
			grant(access.RoleReference{Organization: "acme", Name: "billing"}, everywhere, user("guy")),
		}})
		Expect(binding.Subjects).To(Equal(users("amy", "bo", "cy", "di")))
		Expect(binding.RoleRef.Name).To(Equal("roster:org:acme"))
		Expect(binding.Name).To(Equal("roster:org:acme"))
		Expect(role.Name).To(Equal("roster:org:acme"))
		Expect(role.Rules).To(HaveLen(1))
		Expect(role.Rules[0].ResourceNames).To(Equal([]string{"acme"}))
		Expect(role.Rules[0].Resources).To(Equal([]string{"organizations"}))
	})

	It("is nothing where nobody is to reach the object", func() {
		role, binding := rbac.OrganizationAccess(access.Result{Organization: "acme", Grants: []access.Grant{
			grant(catalogue("viewer"), everywhere, user("bo")),
		}})
		Expect(role).To(BeNil())
		Expect(binding).To(BeNil())
	})
})
