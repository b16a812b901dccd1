package e2e_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/removals"
	"github.com/roster-dev/roster/test/expectations"
)

var _ = Describe("An organization that is made under the name of a deleted one", func() {
	const name, namespace = "names-again", "org-names-again"

	// seen is all that kubectl gives of some resources in the organization's namespace.
	seen := func(ctx context.Context, user, resources string, more ...string) func() (string, error) {
		return func() (string, error) {
			list := append([]string{"--as", user, "get", resources, "-n", namespace, "-o", "yaml"}, more...)
			return cluster.Kubectl(ctx, list...)
		}
	}
	guardOf := func(ctx context.Context) (types.UID, error) {
		kept := &corev1.ConfigMap{}
		key := client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: "roster-removals-" + name}
		if err := k8s.Get(ctx, key, kept); err != nil {
			return "", err
		}
		state, err := removals.Decode(kept.BinaryData["state"])
		if err != nil {
			return "", err
		}
		return state.Organization, nil
	}

	It("shows its members, its owners and its guard nothing of the deleted one, which a cluster administrator still finds", func(ctx SpecContext) {
		old := open(ctx, account{domain: "old.example"}, name, "", "owner")
		old.project(ctx, "shop")
		bo := old.join(ctx, "bo", "developer")
		changed(ctx, "ana@old.example", bo, func(m *v1alpha1.Membership) { m.Spec.Email = "bo.secret@old.example" })
		Eventually(seen(ctx, old.user("bo"), "activities")).WithContext(ctx).Should(ContainSubstring("bo.secret@old.example"))
		Eventually(guardOf).WithContext(ctx).WithArguments(ctx).Should(Equal(old.UID))
		expect.Delete(ctx, expectations.Project(name, "shop"))
		expect.Gone(ctx, expectations.Project(name, "shop"))
		expect.Delete(ctx, old.Organization)
		expect.Gone(ctx, old.DeepCopy())

		fresh := open(ctx, account{domain: "new.example"}, name, "", "owner")
		Expect(fresh.UID).NotTo(Equal(old.UID))
		fresh.project(ctx, "press")
		fresh.join(ctx, "cy", "member")
		Eventually(seen(ctx, fresh.user("cy"), "activities")).WithContext(ctx).Should(SatisfyAll(
			ContainSubstring("MemberAdded"), ContainSubstring("OrganizationCreated"), ContainSubstring("AccessGranted"),
			ContainSubstring("cy@new.example"), Not(ContainSubstring("old.example")), Not(ContainSubstring(string(old.UID)))))
		for _, user := range []string{fresh.user("cy"), fresh.user("owner")} {
			Expect(seen(ctx, user, "members,grants")()).To(SatisfyAll(
				ContainSubstring("cy@new.example"), Not(ContainSubstring("old.example"))))
		}
		Expect(seen(ctx, fresh.user("owner"), "reports")()).NotTo(ContainSubstring("old.example"))
		Expect(seen(ctx, fresh.user("owner"), "events.events.k8s.io")()).NotTo(ContainSubstring("old.example"))
		Eventually(guardOf).WithContext(ctx).WithArguments(ctx).Should(Equal(fresh.UID))

		By("nobody reads the deleted one's history through the new one")
		ofOld := "--field-selector=organizationUID=" + string(old.UID)
		for _, user := range []string{fresh.user("cy"), fresh.user("owner"), old.user("owner")} {
			output, err := seen(ctx, user, "activities", ofOld)()
			if !strings.HasSuffix(user, "old.example") {
				Expect(err).NotTo(HaveOccurred())
			}
			Expect(output).NotTo(ContainSubstring("Membership"))
			_, err = cluster.Kubectl(ctx, "--as", user, "get", "activities", "-A", ofOld)
			Expect(err).To(MatchError(ContainSubstring("(Forbidden)")))
		}

		By("who may list activities in all namespaces finds it by its uid, or by its name")
		for _, selector := range []string{ofOld, "--field-selector=metadata.namespace=" + namespace} {
			Expect(cluster.Kubectl(ctx, "get", "activities", "-A", selector, "-o", "yaml")).To(SatisfyAll(
				ContainSubstring("bo.secret@old.example"), ContainSubstring("OrganizationRemoved"), ContainSubstring("MemberRemoved")))
		}
		Expect(cluster.Kubectl(ctx, "get", "activities", "-A", ofOld, "-o", "yaml")).NotTo(ContainSubstring("cy@new.example"))
	})
})
