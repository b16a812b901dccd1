package rbac_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
)

var _ = Describe("The name of a ClusterRole", func() {
	viewer := access.RoleReference{Name: "viewer"}
	crawler := access.RoleReference{Organization: "acme", Name: "crawler"}

	It("tells the role, whose it is and where it holds", func() {
		Expect(rbac.ProjectClusterRole(viewer)).To(Equal("roster:catalogue:viewer:project"))
		Expect(rbac.OrganizationClusterRole(viewer)).To(Equal("roster:catalogue:viewer:organization"))
		Expect(rbac.ProjectClusterRole(crawler)).To(Equal("roster:org:acme:crawler:project"))
		Expect(rbac.OrganizationClusterRole(crawler)).To(Equal("roster:org:acme:crawler:organization"))
	})

	DescribeTable("leads back to the role",
		func(name string, expected access.RoleReference, found bool) {
			role, ok := rbac.RoleOfClusterRole(name)
			Expect(ok).To(Equal(found))
			Expect(role).To(Equal(expected))
		},
		Entry("of the catalogue", "roster:catalogue:viewer:project", viewer, true),
		Entry("of an organization", "roster:org:acme:crawler:organization", crawler, true),
		Entry("but not from an organization's object", "roster:org:acme", access.RoleReference{}, false),
		Entry("but not from somebody else's name", "system:controller:x:y", access.RoleReference{}, false),
		Entry("but not from a plain one", "view", access.RoleReference{}, false),
	)

	DescribeTable("of an organization's object leads back to the organization",
		func(name, expected string, found bool) {
			organization, ok := rbac.OrganizationOfObject(name)
			Expect(ok).To(Equal(found))
			if found {
				Expect(organization).To(Equal(expected))
			}
		},
		Entry("its own name", rbac.OrganizationObject("acme"), "acme", true),
		Entry("not a role's", rbac.ProjectClusterRole(crawler), "", false),
		Entry("not the catalogue's", rbac.ProjectClusterRole(viewer), "", false),
	)
})

var _ = Describe("A managed binding", func() {
	DescribeTable("is known by its label or its name",
		func(name, manager string, managed bool) {
			binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
			if manager != "" {
				binding.Labels = map[string]string{v1alpha1.LabelManagedBy: manager}
			}
			Expect(rbac.IsManaged(binding)).To(Equal(managed))
		},
		Entry("by both", "roster:catalogue:viewer:project", "roster", true),
		Entry("by its name where the label was taken away", "roster:org:acme:crawler:project:shard-2", "", true),
		Entry("by its name where the label was changed", "roster:catalogue:viewer:project", "Helm", true),
		Entry("by its label", "something", "roster", true),
		Entry("by neither where somebody else made it", "something", "Helm", false),
	)
})
