package e2e_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// patchAs merges a patch into an object as a user.
func patchAs(ctx context.Context, user string, object client.Object, patch string) error {
	GinkgoHelper()
	return clientFor(cluster.As(user)).Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch)))
}

var _ = Describe("A policy", func() {
	DescribeTable("leaves to the owners of an Organization what is theirs",
		func(ctx SpecContext, name, patch string) {
			organization := expectations.Organization(name, "ana@"+name)
			expect.Create(ctx, organization)
			expect.Ready(ctx, organization)
			bo := expectations.Membership(name, "bo", "bo@"+name, "administrator")
			expect.Create(ctx, bo)
			expect.Ready(ctx, bo)
			// So that a second factor may be asked for.
			enroll(ctx, "ana@"+name, true)

			Expect(patchAs(ctx, "bo@"+name, organization, `{"spec": {"displayName": "Acme"}}`)).To(Succeed())
			Expect(patchAs(ctx, "bo@"+name, organization, patch)).To(MatchError(ContainSubstring(
				"only owners of organization " + name + " may change its owners, requireMFA, membership, safeguards, tokens, " +
					"joinRequests, finalizers, ownerReferences or annotations roster.dev/approve-removals and " +
					"roster.dev/confirm-deletion, or delete it; ask one of them: ana@" + name)))
			Expect(patchAs(ctx, "ana@"+name, organization, patch)).To(Succeed())
		},
		Entry("the owners", "policy-owners", `{"spec": {"owners": ["ana@policy-owners", "bo@policy-owners"]}}`),
		Entry("the second factor", "policy-mfa", `{"spec": {"requireMFA": true}}`),
		Entry("what new members get", "policy-defaults", `{"spec": {"membership": {"defaultRoles": ["administrator"]}}}`),
	)

	It("lets no administrator delete the Organization", func(ctx SpecContext) {
		organization := expectations.Organization("policy-delete", "ana@policy-delete")
		bo := expectations.Membership("policy-delete", "bo", "bo@policy-delete", "administrator")
		expect.Create(ctx, organization)
		expect.Ready(ctx, organization)
		expect.Create(ctx, bo)
		expect.Ready(ctx, bo)
		Expect(clientFor(cluster.As("bo@policy-delete")).Delete(ctx, organization)).To(MatchError(ContainSubstring(
			"only owners of organization policy-delete may change its owners")))
	})

	It("lets nobody answer an invitation for somebody else", func(ctx SpecContext) {
		organization := expectations.Organization("policy-response", "ana@policy-response")
		bo := expectations.Membership("policy-response", "bo", "bo@policy-response", "viewer")
		bo.Spec.Invitation = &v1alpha1.InvitationSpec{}
		expect.Create(ctx, organization)
		expect.Ready(ctx, organization)
		expect.Create(ctx, bo)
		Expect(patchAs(ctx, "ana@policy-response", bo, `{"spec": {"response": "Accepted"}}`)).To(MatchError(ContainSubstring(
			"spec.response is the invited person's own answer and is set by Roster alone; leave it as it is")))
	})

	It("keeps the labels of a project's namespace from those whose rights end there", func(ctx SpecContext) {
		organization := expectations.Organization("policy-labels", "ana@policy-labels")
		expect.Create(ctx, organization)
		expect.Ready(ctx, organization)
		project := expectations.Project("policy-labels", "shop")
		role := &v1alpha1.Role{
			ObjectMeta: expectations.InOrganization("policy-labels", "relabel"),
			Spec: v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{{
				APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get", "patch", "delete"},
			}}},
		}
		bo := expectations.Membership("policy-labels", "bo", "bo@policy-labels", "relabel")
		expect.Create(ctx, project, role, bo)
		expect.Ready(ctx, project, role, bo)

		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "policy-labels-shop"}}
		refused := MatchError(ContainSubstring("namespace policy-labels-shop belongs to organization policy-labels: its labels " +
			"are changed, and it is deleted, only by who may do that to all namespaces; change the Project instead"))
		for _, patch := range []string{
			`{"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}`,
			`{"metadata": {"labels": {"roster.dev/project": "payments"}}}`,
			`{"metadata": {"labels": {"roster.dev/organization": null}}}`,
		} {
			Expect(patchAs(ctx, "bo@policy-labels", namespace, patch)).To(refused)
		}
		Expect(clientFor(cluster.As("bo@policy-labels")).Delete(ctx, namespace)).To(refused)
		Expect(patchAs(ctx, "bo@policy-labels", namespace, `{"metadata": {"annotations": {"note": "mine"}}}`)).To(Succeed())
	})
})

var _ = Describe("A deactivated User", func() {
	It("isn't deleted while somebody refers to it, so that no access comes back", func(ctx SpecContext) {
		organization := expectations.Organization("policy-deactivated", "ana@policy-deactivated")
		expect.Create(ctx, organization)
		expect.Ready(ctx, organization)
		project := expectations.Project("policy-deactivated", "shop")
		bo := expectations.Membership("policy-deactivated", "bo", "bo@policy-deactivated", "viewer")
		expect.Create(ctx, project, bo)
		expect.Ready(ctx, project, bo)
		shop := "policy-deactivated-shop"
		expect.Allowed(ctx, "bo@policy-deactivated", "list pods", shop)

		user := userCalled(ctx, "bo@policy-deactivated")
		expectations.Change(ctx, expect, user, func(user *v1alpha1.User) { user.Spec.Deactivated = true })
		expect.Refused(ctx, "bo@policy-deactivated", "list pods", shop)
		Eventually(func() []string {
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
			return user.Finalizers
		}).WithContext(ctx).Should(ContainElement(v1alpha1.Finalizer))
		Expect(k8s.Delete(ctx, user)).To(MatchError(ContainSubstring(
			`user "bo@policy-deactivated" is referred to by Membership org-policy-deactivated/bo`)))
		expect.Refused(ctx, "bo@policy-deactivated", "list pods", shop)

		expect.Delete(ctx, bo)
		expect.Gone(ctx, bo)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
		for _, owned := range user.Status.OwnedOrganizations {
			personal := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: owned}}
			expect.Delete(ctx, personal)
			expect.Gone(ctx, personal)
		}
		// The webhook sees a moment later that they are gone.
		Eventually(func() error { return client.IgnoreNotFound(k8s.Delete(ctx, user)) }).WithContext(ctx).Should(Succeed())
		expect.Gone(ctx, user)
	})
})
