package restart_test

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

const (
	// seeMembers is what every member of an organization may do in its namespace.
	seeMembers = "list memberships.roster.dev"
	// perWindow is a fifth of the 1,276 people of the kubernetes organization.
	perWindow = 255
)

// deleteMembers deletes Memberships one after another, as kubectl does.
func (i *installation) deleteMembers(ctx context.Context, organization string, members []v1alpha1.Membership) {
	GinkgoHelper()
	arguments := []string{
		"--namespace", v1alpha1.OrganizationNamespace(organization), "delete", "membership", "--wait=false",
	}
	for _, membership := range members {
		arguments = append(arguments, membership.Name)
	}
	output, err := i.cluster.Kubectl(ctx, arguments...)
	Expect(err).NotTo(HaveOccurred(), output)
}

// refused are the users who may not see the organization's members.
func (i *installation) refused(
	ctx context.Context, organization string, members []v1alpha1.Membership,
) ([]string, error) {
	var refused []string
	for _, membership := range members {
		may, err := i.May(ctx, expectations.Access{
			User: string(membership.Spec.User), Does: seeMembers, Namespace: v1alpha1.OrganizationNamespace(organization),
		})
		if err != nil {
			return nil, err
		}
		if !may {
			refused = append(refused, string(membership.Spec.User))
		}
	}
	return refused, nil
}

// heldRemovals waits until the removals of a number of users are held, and returns which.
func (i *installation) heldRemovals(ctx context.Context, organization string, count int) *v1alpha1.HeldRemovals {
	GinkgoHelper()
	found := &v1alpha1.Organization{}
	Eventually(func() (int, error) {
		err := i.Get(ctx, client.ObjectKey{Name: organization}, found)
		if found.Status.HeldRemovals == nil {
			return 0, err
		}
		return len(found.Status.HeldRemovals.Users), err
	}).WithContext(ctx).Should(Equal(count))
	return found.Status.HeldRemovals
}

// beginning are the Memberships whose names begin with one of some letters.
func (i *installation) beginning(ctx context.Context, organization, from, to string) []v1alpha1.Membership {
	GinkgoHelper()
	var list v1alpha1.MembershipList
	Expect(i.List(ctx, &list, client.InNamespace(v1alpha1.OrganizationNamespace(organization)))).To(Succeed())
	list.Items = slices.DeleteFunc(list.Items, func(m v1alpha1.Membership) bool {
		return m.Name < from || m.Name >= to
	})
	return list.Items
}

// remake applies Memberships as they were before they were deleted.
func (i *installation) remake(ctx context.Context, members []v1alpha1.Membership) {
	GinkgoHelper()
	for _, membership := range members {
		i.Gone(ctx, membership.DeepCopy())
		again := &v1alpha1.Membership{Spec: membership.Spec}
		again.Name, again.Namespace = membership.Name, membership.Namespace
		i.Create(ctx, again)
	}
}

// expectRemovalsHeld deletes the Memberships of a prefix of the kubernetes organization, with restarts and a second burst, and
// expects that no more than a fifth of its people lose access until that is approved or taken back.
func (i *installation) expectRemovalsHeld(ctx context.Context) {
	GinkgoHelper()
	const organization = "kubernetes"
	everybody := i.beginning(ctx, organization, "", "~")
	accident, second := i.beginning(ctx, organization, "a", "h"), i.beginning(ctx, organization, "h", "i")
	Expect(len(accident)).To(BeNumerically(">", perWindow+20), "enough for this test")
	Expect(second).NotTo(BeEmpty())

	By("more of them go than may, the manager is killed in the middle, and the others go after its return")
	middle := perWindow + 10
	i.deleteMembers(ctx, organization, accident[:middle])
	i.heldRemovals(ctx, organization, 10)
	Expect(i.manager.Kill()).To(Succeed())
	Expect(i.manager.Restart(ctx)).To(Succeed())
	i.deleteMembers(ctx, organization, accident[middle:])
	held := i.heldRemovals(ctx, organization, len(accident)-perWindow)
	Expect(i.refused(ctx, organization, everybody)).To(HaveLen(perWindow))

	By("a second burst opens no budget, and a digest from before it changes nothing")
	i.deleteMembers(ctx, organization, second)
	later := i.heldRemovals(ctx, organization, len(accident)+len(second)-perWindow)
	Expect(later.Digest).NotTo(Equal(held.Digest))
	i.approveRemovals(ctx, organization, held.Digest)
	Expect(i.manager.Restart(ctx)).To(Succeed())
	Consistently(func() (*v1alpha1.HeldRemovals, error) {
		found := &v1alpha1.Organization{}
		err := i.Get(ctx, client.ObjectKey{Name: organization}, found)
		return found.Status.HeldRemovals, err
	}).WithContext(ctx).WithTimeout(quiet).Should(Equal(later))
	Expect(i.refused(ctx, organization, everybody)).To(HaveLen(perWindow))

	By("the manifests of the second burst come back, and what is held then is what was approved before")
	i.remake(ctx, second)
	i.heldRemovals(ctx, organization, 0)
	Eventually(func() ([]string, error) { return i.refused(ctx, organization, everybody) }).WithContext(ctx).
		Should(HaveLen(len(accident)))
	i.settle(ctx)
	i.expectEngine(ctx)
}

// approveRemovals puts a digest on the Organization.
func (i *installation) approveRemovals(ctx context.Context, organization, digest string) {
	GinkgoHelper()
	output, err := i.cluster.Kubectl(ctx, "annotate", "organization", organization,
		v1alpha1.AnnotationApproveRemovals+"="+digest, "--overwrite")
	Expect(err).NotTo(HaveOccurred(), output)
}
