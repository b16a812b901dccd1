package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// leftBehind are the names of Users and Personal organizations of the users of a domain.
func leftBehind(ctx context.Context, domain string) (users, organizations []string) {
	GinkgoHelper()
	var allUsers v1alpha1.UserList
	var allOrganizations v1alpha1.OrganizationList
	Expect(k8s.List(ctx, &allUsers)).To(Succeed())
	Expect(k8s.List(ctx, &allOrganizations)).To(Succeed())
	for _, user := range allUsers.Items {
		if strings.HasSuffix(string(user.Spec.Username), "@"+domain) {
			users = append(users, string(user.Spec.Username))
		}
	}
	for _, organization := range allOrganizations.Items {
		if organization.IsPersonal() && strings.HasSuffix(string(organization.Spec.Owners[0]), "@"+domain) {
			organizations = append(organizations, string(organization.Spec.Owners[0]))
		}
	}
	return users, organizations
}

// They wait for more than a minute, so they don't begin last.
var _ = Describe("An owner who makes Memberships and deletes them at once", SpecPriority(1), func() {
	// The removal guard holds no more than what goes beyond 20.
	const made = 20

	It("leaves Users and Personal organizations for a minute, but for those that somebody declared something in",
		func(ctx SpecContext) {
			churn := openAccount(ctx, "churn")
			const domain = "churn.example"
			owner := asUser(churn.user("owner"))
			expect.Allowed(ctx, churn.user("owner"), "create memberships.roster.dev", churn.namespace())
			membership := func(number int) *v1alpha1.Membership {
				name := fmt.Sprint("m", number)
				return expectations.Membership("churn", name, churn.user(name), "member")
			}
			for number := range made {
				Expect(owner.Create(ctx, membership(number))).To(Succeed())
			}
			Eventually(func(g Gomega) {
				users, organizations := leftBehind(ctx, domain)
				g.Expect(users).To(HaveLen(made + 1))
				g.Expect(organizations).To(HaveLen(made))
			}).WithContext(ctx).Should(Succeed())
			declared := &v1alpha1.User{}
			Eventually(func(g Gomega) {
				var users v1alpha1.UserList
				g.Expect(k8s.List(ctx, &users, client.MatchingFields{"spec.username": churn.user("m0")})).To(Succeed())
				g.Expect(users.Items).To(HaveLen(1))
				*declared = users.Items[0]
			}).WithContext(ctx).Should(Succeed())
			expectations.Change(ctx, expect, declared, func(user *v1alpha1.User) { user.Spec.Deactivated = true })
			for number := range made {
				Expect(owner.Delete(ctx, membership(number))).To(Succeed())
			}
			Eventually(func(g Gomega) {
				users, organizations := leftBehind(ctx, domain)
				g.Expect(users).To(ConsistOf(churn.user("owner"), churn.user("m0")))
				g.Expect(organizations).To(ConsistOf(churn.user("m0")))
			}).WithContext(ctx).WithTimeout(2 * time.Minute).Should(Succeed())
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(declared), declared)).To(Succeed())
			Expect(declared.Spec.Deactivated).To(BeTrue())
		}, NodeTimeout(4*time.Minute))
})
