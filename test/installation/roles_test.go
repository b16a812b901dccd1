package installation_test

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

func catalogueRole(name string) *v1alpha1.Role {
	return &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name}}
}

func ownRole(c company, name string, spec v1alpha1.RoleSpec) *v1alpha1.Role {
	return &v1alpha1.Role{ObjectMeta: expectations.InOrganization(c.Name, name), Spec: spec}
}

// vanish confirms and deletes Roles, and waits until the objects are gone: nothing must keep them from coming back.
func (i *installation) vanish(ctx context.Context, roles ...*v1alpha1.Role) {
	GinkgoHelper()
	for _, role := range roles {
		i.Delete(ctx, role)
	}
	for _, role := range roles {
		i.Gone(ctx, role.DeepCopy())
	}
}

// bringBack makes Roles as they were.
func (i *installation) bringBack(ctx context.Context, roles ...*v1alpha1.Role) {
	GinkgoHelper()
	for _, role := range roles {
		again := &v1alpha1.Role{Spec: role.Spec}
		again.Namespace, again.Name = role.Namespace, role.Name
		i.Create(ctx, again)
	}
}

// read reads Roles as they are.
func (i *installation) read(ctx context.Context, roles ...*v1alpha1.Role) []*v1alpha1.Role {
	GinkgoHelper()
	for _, role := range roles {
		Expect(i.Get(ctx, client.ObjectKeyFromObject(role), role)).To(Succeed())
	}
	return roles
}

func clusterRole(name string) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

var _ = Describe("A Role that vanishes", Ordered, func() {
	var i *installation

	BeforeAll(func(ctx context.Context) { i = install(ctx, environment.Options{}) })

	It("of an organization takes what the budget lets go, and the rest when that is approved", func(ctx SpecContext) {
		c := i.found(ctx, "own", 0, "")
		auditor := ownRole(c, "auditor", v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}},
		}})
		i.Create(ctx, auditor)
		i.Ready(ctx, auditor)
		c.people = i.join(ctx, c, 24, "auditor")
		i.expectOnly(ctx, c, seePods, c.people)

		i.vanish(ctx, auditor)
		digest := i.expectHeld(ctx, c, c.people[20:])
		i.expectOnly(ctx, c, seePods, c.people[20:])
		Consistently(i.whoMay).WithContext(ctx).WithArguments(c, seePods).Should(HaveLen(4))
		i.approve(ctx, c, digest)
		i.expectOnly(ctx, c, seePods, nil)
		i.Gone(ctx, clusterRole("roster:org:own:auditor:project"), clusterRole("roster:org:own:auditor:organization"))
	})

	It("of the catalogue is held in every organization, and gives again what it gave when it is back", func(ctx SpecContext) {
		first, second := i.found(ctx, "first", 23, "viewer"), i.found(ctx, "second", 22, "viewer")
		viewer := i.read(ctx, catalogueRole("viewer"))
		i.vanish(ctx, viewer[0].DeepCopy())
		i.expectHeld(ctx, first, first.people[20:])
		i.expectHeld(ctx, second, second.people[20:])
		i.expectOnly(ctx, first, seePods, first.people[20:])
		i.expectOnly(ctx, second, seePods, second.people[20:])

		i.bringBack(ctx, viewer...)
		i.expectHeld(ctx, first, nil)
		i.expectOnly(ctx, first, seePods, first.people)
		i.expectOnly(ctx, second, seePods, second.people)
	})

	It("takes nothing more while the manager is away and comes back, though its finalizer is taken off", func(ctx SpecContext) {
		c := i.found(ctx, "away", 23, "developer")
		developer := i.read(ctx, catalogueRole("developer"))
		i.expectOnly(ctx, c, deploy, c.people)
		Expect(i.manager.Stop()).To(Succeed())
		i.Delete(ctx, developer[0].DeepCopy())
		i.does(ctx, "--namespace", v1alpha1.SystemNamespace, "patch", "rrole", "developer", "--type=merge",
			"--patch", `{"metadata": {"finalizers": null}}`)
		i.Gone(ctx, catalogueRole("developer"))
		Expect(i.manager.Restart(ctx)).To(Succeed())
		i.expectHeld(ctx, c, c.people[20:])
		i.expectOnly(ctx, c, deploy, c.people[20:])
		By("another restart opens no budget")
		Expect(i.manager.Restart(ctx)).To(Succeed())
		Consistently(i.whoMay).WithContext(ctx).WithArguments(c, deploy).Should(HaveExactElements(c.people[20:]))
		By("the roles that include it lose nothing")
		i.Allowed(ctx, c.owner(), deploy, c.shop())
		i.bringBack(ctx, developer...)
		i.expectOnly(ctx, c, deploy, c.people)
	})

	It("is the whole catalogue: owners keep all that they have, approve, and have it again", func(ctx SpecContext) {
		c := i.found(ctx, "whole", 22, "viewer")
		var list v1alpha1.RoleList
		Expect(i.List(ctx, &list, client.InNamespace(v1alpha1.SystemNamespace))).To(Succeed())
		var roles []*v1alpha1.Role
		for at := range list.Items {
			roles = append(roles, &list.Items[at])
		}
		gone := make([]*v1alpha1.Role, 0, len(roles))
		for _, role := range roles {
			gone = append(gone, role.DeepCopy())
		}
		i.vanish(ctx, gone...)
		By("with the owners' access nothing else goes either: while anything is held, all is")
		digest := i.expectHeld(ctx, c, append(slices.Clone(c.people), c.owner()))
		for _, does := range []string{seePods, deploy} {
			i.Allowed(ctx, c.owner(), does, c.shop())
		}
		i.Allowed(ctx, c.owner(), "create memberships.roster.dev", c.namespace())
		i.expectOnly(ctx, c, seePods, c.people)
		Consistently(func() (bool, error) {
			return i.May(ctx, expectations.Access{User: c.owner(), Does: deploy, Namespace: c.shop()})
		}).WithContext(ctx).Should(BeTrue())

		i.approve(ctx, c, digest)
		i.expectOnly(ctx, c, seePods, nil)
		i.Refused(ctx, c.owner(), deploy, c.shop())
		i.bringBack(ctx, roles...)
		i.Ready(ctx, c.Organization)
		i.expectOnly(ctx, c, seePods, c.people)
		i.Allowed(ctx, c.owner(), deploy, c.shop())
	})
})

var _ = Describe("What a Role is made of vanishes", Ordered, func() {
	var i *installation
	var c company

	BeforeAll(func(ctx context.Context) {
		i = install(ctx, environment.Options{})
		c = i.found(ctx, "made", 0, "")
	})

	It("an included Role: what it gave stays until it is taken out of the spec, while edits count", func(ctx SpecContext) {
		part := ownRole(c, "part", v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}},
		}})
		whole := ownRole(c, "whole", v1alpha1.RoleSpec{Includes: []v1alpha1.RoleName{"part"}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"create"}},
		}})
		i.Create(ctx, part, whole)
		i.Ready(ctx, part, whole)
		bo := i.join(ctx, c, 22, "whole")[0]
		i.Allowed(ctx, bo, seePods, c.shop())
		i.Allowed(ctx, bo, deploy, c.shop())

		i.vanish(ctx, part.DeepCopy())
		i.NotReady(ctx, whole, "NotFound")
		Expect(i.manager.Restart(ctx)).To(Succeed())
		expectations.Change(ctx, i.Expectations, whole, func(role *v1alpha1.Role) { role.Spec.Rules = nil })
		i.Refused(ctx, bo, deploy, c.shop())
		i.Allowed(ctx, bo, seePods, c.shop())

		By("it comes back, goes again, and is taken out")
		i.bringBack(ctx, part)
		i.Ready(ctx, whole)
		i.Allowed(ctx, bo, seePods, c.shop())
		i.vanish(ctx, ownRole(c, "part", v1alpha1.RoleSpec{}))
		i.NotReady(ctx, whole, "NotFound")
		i.Allowed(ctx, bo, seePods, c.shop())
		expectations.Change(ctx, i.Expectations, whole, func(role *v1alpha1.Role) { role.Spec.Includes = nil })
		i.Refused(ctx, bo, seePods, c.shop())
		i.Gone(ctx, clusterRole("roster:org:made:part:project"))
	})

	It("a ClusterRole: what it gave stays until it is taken out of the spec", func(ctx SpecContext) {
		copied := clusterRole("deployer")
		copied.Rules = []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}}
		i.Create(ctx, copied)
		deployer := ownRole(c, "deployer", v1alpha1.RoleSpec{ClusterRoles: []string{"deployer"}})
		i.Create(ctx, deployer)
		i.Ready(ctx, deployer)
		var bo string
		for at := range 22 {
			var name string
			name, bo = personOf(c.Name, at)
			expectations.Change(ctx, i.Expectations, expectations.Membership(c.Name, name, ""), func(m *v1alpha1.Membership) {
				m.Spec.Roles = []v1alpha1.RoleName{"deployer"}
			})
			i.Ready(ctx, expectations.Membership(c.Name, name, ""))
		}
		i.Allowed(ctx, bo, seePods, c.shop())
		copyOf := clusterRole("roster:copy:deployer")
		Eventually(func() error { return i.Get(ctx, client.ObjectKeyFromObject(copyOf), copyOf) }).WithContext(ctx).Should(Succeed())

		By("one that is edited is followed")
		copied.Rules[0].Resources = []string{"pods", "services"}
		Expect(i.Update(ctx, copied)).To(Succeed())
		i.Allowed(ctx, bo, "list services", c.shop())

		i.Delete(ctx, copied)
		i.NotReady(ctx, deployer, "NotFound")
		Expect(i.manager.Restart(ctx)).To(Succeed())
		Consistently(func() (bool, error) {
			return i.May(ctx, expectations.Access{User: bo, Does: "list services", Namespace: c.shop()})
		}).WithContext(ctx).Should(BeTrue())
		expectations.Change(ctx, i.Expectations, deployer, func(role *v1alpha1.Role) { role.Spec.ClusterRoles = nil })
		i.Refused(ctx, bo, seePods, c.shop())
		i.Gone(ctx, copyOf)
	})
})
