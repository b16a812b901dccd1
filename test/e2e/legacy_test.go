package e2e_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

var _ = Describe("A binding that Roster didn't make", func() {
	legacyOf := func(project *v1alpha1.Project) func(ctx context.Context) ([]v1alpha1.LegacyBinding, error) {
		return func(ctx context.Context) ([]v1alpha1.LegacyBinding, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(project), project)
			return project.Status.LegacyBindings, err
		}
	}

	It("is listed by its project as long as it is there, and keeps working", func(ctx SpecContext) {
		acme := openAccount(ctx, "legacy")
		namespace := acme.project(ctx, "shop")
		project := expectations.Project(acme.Name, "shop")
		Consistently(legacyOf(project)).WithContext(ctx).Should(BeEmpty())

		binding := handMade(namespace, "old-times", "view", acme.user("zoe"))
		binding.Subjects = append(binding.Subjects, rbacv1.Subject{Kind: "ServiceAccount", Namespace: namespace, Name: "ci"})
		expect.Create(ctx, binding)
		Eventually(legacyOf(project)).WithContext(ctx).Should(ConsistOf(v1alpha1.LegacyBinding{
			Namespace: namespace, Name: "old-times", Role: "ClusterRole/view",
			Subjects: []string{"User " + acme.user("zoe"), "ServiceAccount " + namespace + "/ci"},
		}))
		expect.Allowed(ctx, acme.user("zoe"), asViewer, namespace)

		expectations.Change(ctx, expect, binding, func(b *rbacv1.RoleBinding) { b.Subjects = b.Subjects[:1] })
		Eventually(legacyOf(project)).WithContext(ctx).Should(ConsistOf(HaveField("Subjects", HaveLen(1))))
		Expect(k8s.Delete(ctx, binding)).To(Succeed())
		Eventually(legacyOf(project)).WithContext(ctx).Should(BeEmpty())
		expect.Refused(ctx, acme.user("zoe"), asViewer, namespace)
	})

	It("is listed where the namespace was there before the project", func(ctx SpecContext) {
		acme := openAccount(ctx, "legacy-adopted")
		namespace := namespaceNamed("legacy-adopted-shop", map[string]string{
			v1alpha1.LabelOrganization: acme.Name, v1alpha1.LabelProject: "shop",
		})
		expect.Create(ctx, namespace)
		expect.Create(ctx, handMade(namespace.Name, "first", "edit", "zoe"), handMade(namespace.Name, "second", "view", "zoe"))
		project := expectations.Project(acme.Name, "shop")
		expect.Create(ctx, project)
		Eventually(legacyOf(project)).WithContext(ctx).Should(HaveExactElements(
			HaveField("Name", "first"), HaveField("Name", "second")))
		expect.Ready(ctx, project)
		var bindings rbacv1.RoleBindingList
		Expect(k8s.List(ctx, &bindings, client.InNamespace(namespace.Name))).To(Succeed())
		Expect(bindings.Items).To(ContainElement(HaveField("ObjectMeta", HaveField("Name", "first"))))
	})
})
