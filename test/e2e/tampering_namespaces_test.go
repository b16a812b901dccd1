package e2e_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

func namespaceNamed(name string, labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

// expectUntouched expects that a namespace carries no label of Roster's and no binding of Roster's.
func expectUntouched(ctx context.Context, name string) {
	GinkgoHelper()
	namespace := namespaceNamed(name, nil)
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
	Expect(namespace.Labels).NotTo(Or(HaveKey(v1alpha1.LabelOrganization), HaveKey(v1alpha1.LabelProject),
		HaveKey(v1alpha1.LabelManagedBy)))
	Expect(namespace.DeletionTimestamp).To(BeNil())
	Expect(expect.ManagedBindings(ctx, name)).To(BeEmpty())
}

var _ = Describe("A namespace that is there already", func() {
	It("isn't adopted by an organization of its name until it is labelled", func(ctx SpecContext) {
		const organization, name = "adopt-org", "org-adopt-org"
		expect.Create(ctx, namespaceNamed(name, nil))
		account := expectations.Organization(organization, "owner@adopt-org.example")
		membership := expectations.Membership(organization, "viewer", "viewer@adopt-org.example", "viewer")
		unasked.Create(ctx, account)
		expect.Create(ctx, membership)
		expect.NotReady(ctx, account, "NamespaceTaken")
		expect.NotReady(ctx, membership, "OrganizationNotReady")
		expect.Refused(ctx, "owner@adopt-org.example", "get memberships.roster.dev", name)
		expectUntouched(ctx, name)

		namespace := namespaceNamed(name, nil)
		expectations.Change(ctx, expect, namespace, func(namespace *corev1.Namespace) {
			namespace.Labels[v1alpha1.LabelOrganization] = organization
		})
		expect.Ready(ctx, account, membership)
		expect.Allowed(ctx, "owner@adopt-org.example", "get memberships.roster.dev", name)
	})

	It("isn't adopted by a project of its name, and outlives the project", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "adopt-project")
		const name = "adopt-project-shop"
		expect.Create(ctx, namespaceNamed(name, nil))
		project := expectations.Project(w.organization, "shop")
		unasked.Create(ctx, project)
		expect.NotReady(ctx, project, "NamespaceTaken")
		expect.Refused(ctx, w.viewer, seePods, name)
		expectUntouched(ctx, name)
		expect.Delete(ctx, project)
		expect.Gone(ctx, project)
		expectUntouched(ctx, name)
	})

	It("isn't adopted by a project when it is labelled as another project's", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "adopt-other")
		project := expectations.Project(w.organization, "second")
		project.Spec.Namespaces = []v1alpha1.NamespaceName{v1alpha1.NamespaceName(w.namespace)}
		unasked.Create(ctx, project)
		expect.NotReady(ctx, project, "NamespaceTaken")
		expect.Ready(ctx, w.project)
		expect.Allowed(ctx, w.viewer, seePods, w.namespace)
		expect.Delete(ctx, project)
		expect.Gone(ctx, project)
		expect.Allowed(ctx, w.viewer, seePods, w.namespace)
	})

	It("loses all access with its label, and gets it back with it", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "adopt-lost")
		namespace := namespaceNamed(w.namespace, nil)
		var labels map[string]string
		expectations.Change(ctx, expect, namespace, func(namespace *corev1.Namespace) {
			labels = namespace.Labels
			namespace.Labels = nil
		})
		expect.Refused(ctx, w.viewer, seePods, w.namespace)
		expect.NotReady(ctx, w.project, "NamespaceTaken")
		expectUntouched(ctx, w.namespace)
		expectations.Change(ctx, expect, namespace, func(namespace *corev1.Namespace) { namespace.Labels = labels })
		expect.Ready(ctx, w.project)
		expect.Allowed(ctx, w.viewer, seePods, w.namespace)
	})
})

var _ = Describe("One broken namespace", func() {
	It("that is being deleted doesn't hold up the others, and is made again once it is gone", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "broken-going")
		other := expectations.Project(w.organization, "other")
		expect.Create(ctx, other)
		expect.Ready(ctx, other)
		holder := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, Name: "holder", Finalizers: []string{"roster.dev/held-by-a-test"},
		}}
		expect.Create(ctx, holder)
		DeferCleanup(letGo, holder)
		expect.Delete(ctx, namespaceNamed(w.namespace, nil))
		expect.NotReady(ctx, w.project, "NamespaceTerminating")

		newcomer := expectations.Membership(w.organization, "newcomer", "newcomer@broken-going.example", "viewer")
		expect.Create(ctx, newcomer)
		expect.Ready(ctx, newcomer)
		expect.Allowed(ctx, "newcomer@broken-going.example", seePods, w.organization+"-other")
		expect.Delete(ctx, w.membership)
		expect.Gone(ctx, w.membership)
		expect.Refused(ctx, w.viewer, seePods, w.namespace, w.organization+"-other")
		late := expectations.Project(w.organization, "late")
		expect.Create(ctx, late)
		expect.Ready(ctx, late)
		expect.Allowed(ctx, "newcomer@broken-going.example", seePods, w.organization+"-late")

		letGo(ctx, holder)
		expect.Ready(ctx, w.project)
		expect.Allowed(ctx, "newcomer@broken-going.example", seePods, w.namespace)
	})

	It("that refuses every write holds up no grant and no revoke elsewhere, and no object says otherwise of it",
		func(ctx SpecContext) {
			w := makeWorkshop(ctx, "broken-refusing")
			other := expectations.Project(w.organization, "other")
			expect.Create(ctx, other)
			expect.Ready(ctx, other)
			expect.Allowed(ctx, w.viewer, seePods, w.namespace, w.organization+"-other")
			allow := refuseBindings(ctx, w.namespace)

			const user = "newcomer@broken-refusing.example"
			newcomer := expectations.Membership(w.organization, "newcomer", user, "viewer")
			expect.Create(ctx, newcomer)
			expect.NotReady(ctx, newcomer, "NotInForce")
			expect.Allowed(ctx, user, seePods, w.organization+"-other")
			expect.Refused(ctx, user, seePods, w.namespace)

			// What can't be taken away isn't forgotten: the object stays until it is.
			expect.Delete(ctx, w.membership)
			expect.Refused(ctx, w.viewer, seePods, w.organization+"-other")
			expect.NotReady(ctx, w.project, "NotInForce")
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(w.membership), w.membership)).To(Succeed())
			expect.Allowed(ctx, w.viewer, seePods, w.namespace)

			allow(ctx)
			expect.Ready(ctx, newcomer, w.project)
			expect.Allowed(ctx, user, seePods, w.namespace)
			expect.Gone(ctx, w.membership)
			expect.Refused(ctx, w.viewer, seePods, w.namespace)
		})
})

// letGo takes the finalizers of an object that may be gone already.
func letGo(ctx context.Context, object client.Object) {
	GinkgoHelper()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	Expect(client.IgnoreNotFound(k8s.Patch(ctx, object, patch))).To(Succeed())
}

// refuseBindings makes the API server refuse every write of a binding in a namespace, until the function that it returns is
// called.
func refuseBindings(ctx context.Context, namespace string) (allow func(context.Context)) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Name: "refuse-bindings-in-" + namespace}
	fail := admissionregistrationv1.Fail
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: meta,
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &fail,
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
					RuleWithOperations: admissionregistrationv1.RuleWithOperations{
						Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll},
						Rule: admissionregistrationv1.Rule{
							APIGroups: []string{rbacv1.GroupName}, APIVersions: []string{"*"}, Resources: []string{"rolebindings"},
						},
					},
				}},
			},
			Validations: []admissionregistrationv1.Validation{{Expression: "false", Message: "nothing is written here"}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: meta,
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        meta.Name,
			ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	expect.Create(ctx, policy, binding)
	allow = func(ctx context.Context) { expect.Delete(ctx, binding, policy) }
	DeferCleanup(allow)
	Eventually(func() error {
		return k8s.Create(ctx, handMade(namespace, "tried", "view", "nobody"), client.DryRunAll)
	}).WithContext(ctx).Should(Satisfy(isRefused))
	return allow
}

// isRefused: a policy that isn't compiled yet lets everything through or fails otherwise.
func isRefused(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err)
}
