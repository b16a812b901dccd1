package catalogue_test

import (
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/catalogue"
)

var _ = Describe("The sample acme", func() {
	var objects []client.Object

	BeforeEach(func() { objects = read(configFolder("samples", "acme")) })

	It("is two organizations with 8 people, 3 teams of which one is nested, and 3 projects", func() {
		people := sets.New[v1alpha1.Username]()
		for _, organization := range kind[*v1alpha1.Organization](objects) {
			people.Insert(organization.Spec.Owners...)
		}
		for _, membership := range kind[*v1alpha1.Membership](objects) {
			people.Insert(membership.Spec.User)
		}
		Expect(people).To(HaveLen(8))
		Expect(kind[*v1alpha1.Organization](objects)).To(ContainElement(HaveField("Spec.Parent", "acme")))
		Expect(kind[*v1alpha1.Organization](objects)).To(HaveLen(2))
		Expect(kind[*v1alpha1.Project](objects)).To(HaveLen(3))
		teams := kind[*v1alpha1.Team](objects)
		Expect(teams).To(HaveLen(3))
		Expect(slices.DeleteFunc(teams, func(team *v1alpha1.Team) bool { return team.Spec.Parent == "" })).To(HaveLen(1))
	})

	It("ships each organization's namespace with the label that lets Roster use it", func() {
		labels := map[string]string{}
		for _, namespace := range kind[*corev1.Namespace](objects) {
			labels[namespace.Name] = namespace.Labels[v1alpha1.LabelOrganization]
		}
		for _, organization := range kind[*v1alpha1.Organization](objects) {
			Expect(labels).To(HaveKeyWithValue(v1alpha1.OrganizationNamespace(organization.Name), organization.Name))
		}
	})

	It("names only roles that there are", func() {
		roles := sets.KeySet(catalogue.RolesOf(append(objects, read(configFolder("roles"))...)))
		var named []v1alpha1.RoleName
		for _, membership := range kind[*v1alpha1.Membership](objects) {
			named = append(named, membership.Spec.Roles...)
		}
		for _, team := range kind[*v1alpha1.Team](objects) {
			named = append(named, team.Spec.Role)
		}
		for _, binding := range kind[*v1alpha1.RoleBinding](objects) {
			named = append(named, binding.Spec.Role)
		}
		Expect(sets.List(roles)).To(ContainElements(sets.List(sets.New(named...))))
	})

	It("has a binding that has begun and ends in years", func() {
		bindings := kind[*v1alpha1.RoleBinding](objects)
		Expect(bindings).To(HaveLen(1))
		Expect(bindings[0].Spec.NotBefore.Time).To(BeTemporally("<", time.Now()))
		Expect(bindings[0].Spec.ExpiresAt.Time).To(BeTemporally(">", time.Now().AddDate(1, 0, 0)))
	})
})

// kind picks the objects of one kind.
func kind[T client.Object](objects []client.Object) []T {
	var found []T
	for _, object := range objects {
		if typed, isKind := object.(T); isKind {
			found = append(found, typed)
		}
	}
	return found
}
