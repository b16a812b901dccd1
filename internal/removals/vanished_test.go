package removals_test

import (
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/removals"
)

func (s *story) vanish(role string) {
	s.world.Roles = slices.DeleteFunc(slices.Clone(s.world.Roles), func(r *v1alpha1.Role) bool { return r.Name == role })
}

func (s *story) hasRole(role string) bool {
	return slices.ContainsFunc(s.world.Roles, func(r *v1alpha1.Role) bool { return r.Name == role })
}

func (s *story) bringBack(role string) {
	if !s.hasRole(role) {
		s.world.Roles = append(slices.Clone(s.world.Roles), &v1alpha1.Role{ObjectMeta: meta(v1alpha1.SystemNamespace, role)})
	}
}

// heldRoles are the roles that are held, distinct.
func (s *story) heldRoles() []engine.RoleReference {
	var roles []engine.RoleReference
	for _, group := range s.state.Held.Groups {
		roles = append(roles, group.Role)
	}
	return slices.Compact(roles)
}

var _ = Describe("A Role that vanishes", func() {
	It("takes what it gave from the budget, and from nobody else until that is approved", func() {
		s, users := crowd()
		s.vanish("viewer")
		s.after(time.Second)
		Expect(s.in(shop, users)).To(Equal(users[30:]))
		Expect(s.held()).To(Equal(users[30:]))
		s.after(time.Hour)
		Expect(s.held()).To(Equal(users[30:]))
		s.approved = s.digest()
		s.after(time.Second)
		Expect(s.in(shop, users)).To(BeEmpty())
		s.bringBack("viewer")
		s.after(time.Second)
		Expect(s.in(shop, users)).To(Equal(users), "it gives again what it gave")
	})

	It("holds nobody any more once it is back", func() {
		s, users := crowd()
		s.vanish("viewer")
		s.after(time.Second)
		s.bringBack("viewer")
		s.after(time.Second)
		Expect(s.held()).To(BeEmpty())
		Expect(s.in(shop, users)).To(Equal(users))
	})

	It("has vanished when it is being deleted", func() {
		s, users := crowd()
		for _, role := range s.world.Roles {
			if role.Name == "viewer" {
				role.DeletionTimestamp = &metav1.Time{Time: s.now}
			}
		}
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[30:]))
	})

	It("is lost whatever else its holders have in the namespace", func() {
		s, users := crowd()
		s.team("makers", users, "developer", "shop")
		s.sync()
		s.vanish("developer")
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[30:]))
		Expect(s.heldRoles()).To(Equal([]engine.RoleReference{{Name: "developer"}}))
		Expect(s.state.Held.Groups[0].Scope.Namespaces).To(Equal([]string{shop}))
	})

	It("isn't missed by who was given another role instead", func() {
		s, users := crowd()
		s.change(users, func(m *v1alpha1.MembershipSpec) { m.Roles = []v1alpha1.RoleName{"developer"} })
		s.vanish("viewer")
		s.after(time.Second)
		Expect(s.held()).To(BeEmpty())
		Expect(s.in(shop, users)).To(Equal(users))
	})

	It("takes nothing besides from who leaves meanwhile", func() {
		s, users := crowd()
		s.vanish("viewer")
		s.after(time.Second)
		s.leave(users[140:]...)
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[30:]))
		s.bringBack("viewer")
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[140:]), "the Role is back, and their Memberships aren't")
	})

	It("doesn't hold what suspension takes", func() {
		s, users := crowd()
		s.vanish("viewer")
		s.after(time.Second)
		s.change(users[40:50], func(m *v1alpha1.MembershipSpec) { m.Suspended = true })
		s.after(time.Second)
		Expect(s.in(shop, users)).To(Equal(slices.Concat(users[30:40], users[50:])))
		s.leave(users[40:50]...)
		s.after(time.Second)
		Expect(s.in(shop, users)).To(Equal(slices.Concat(users[30:40], users[50:])), "a deletion gives nothing back")
	})

	It("of an organization that this one isn't below any more takes what it gave", func() {
		s := newStory("shop")
		users := numbered("bo", 60)
		s.world.Roles = append(s.world.Roles, &v1alpha1.Role{ObjectMeta: meta("org-holding", "auditor")})
		holding := &v1alpha1.Organization{ObjectMeta: meta("", "holding")}
		namespace := labelled("org-holding", "")
		namespace.Labels[v1alpha1.LabelOrganization] = "holding"
		s.world.Namespaces = append(s.world.Namespaces, namespace)
		s.world.Organizations = append(s.world.Organizations, holding)
		s.world.Organizations[0].Spec.Parent = "holding"
		s.join(users, "auditor")
		s.sync()
		Expect(s.in(shop, users)).To(Equal(users))
		s.world.Organizations[0].Spec.Parent = ""
		s.world.Roles = s.world.Roles[:len(s.world.Roles)-1]
		s.after(time.Second)
		Expect(s.held()).To(BeEmpty())
	})
})

var _ = Describe("When the Role owner vanishes", func() {
	var s *story
	owners := []string{"olga"}

	BeforeEach(func() {
		s = newStory("shop")
		s.sync()
		Expect(s.in(shop, owners)).To(Equal(owners))
		s.vanish("owner")
	})

	It("owners keep what they have, however few they are, until that is approved", func() {
		s.after(time.Second)
		Expect(s.held()).To(Equal(owners))
		Expect(s.in(shop, owners)).To(Equal(owners))
		Expect(s.in("org-acme", owners)).To(Equal(owners))
		s.approved = s.digest()
		s.after(time.Second)
		Expect(s.in(shop, owners)).To(BeEmpty())
	})

	It("owners who are taken from spec.owners keep nothing", func() {
		s.after(time.Second)
		s.world.Organizations[0].Spec.Owners = []v1alpha1.Username{"pia"}
		s.after(time.Second)
		Expect(s.held()).To(BeEmpty())
		Expect(s.in(shop, owners)).To(BeEmpty())
	})

	It("nothing is held where the guard is switched off", func() {
		s.percent = 100
		s.state.Safeguard = removals.Safeguard{Percent: 100}
		s.after(time.Second)
		Expect(s.held()).To(BeEmpty())
	})
})
