package e2e_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/names"
	"github.com/roster-dev/roster/test/expectations"
)

var _ = Describe("A user whose object's name is taken by another user's", func() {
	It("gets a User and a Personal organization under other names, and one of each", func(ctx SpecContext) {
		acme := openAccount(ctx, "taken-names")
		bo := acme.user("bo")
		squatted := &v1alpha1.User{ObjectMeta: named(names.FromUsername(bo)), Spec: v1alpha1.UserSpec{Username: "taken-names-eve"}}
		expect.Create(ctx, squatted, expectations.Organization(personalOf(bo), "taken-names-eve"))
		acme.join(ctx, "bo", "viewer")

		user := userCalled(ctx, bo)
		Expect(user.Name).To(Equal(names.Other(bo, 1, names.MaxLength)))
		expect.Ready(ctx, user)
		personal := expectations.Organization("personal-"+names.Other(bo, 1, 31), bo)
		Eventually(placesOf(ctx, user)).WithContext(ctx).Should(ContainElement(HaveField("Name", personal.Name)))
		expect.Ready(ctx, personal)

		// Whatever wakes the controller again makes no third.
		acme.join(ctx, "cy", "viewer")
		userCalled(ctx, acme.user("cy"))
		expectations.Change(ctx, expect, user, func(user *v1alpha1.User) { user.Spec.DisplayName = "Bo" })
		expect.Ready(ctx, user)
		Expect(userCalled(ctx, bo).Name).To(Equal(user.Name))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(squatted), squatted)).To(Succeed())
		Expect(squatted.Spec.Username).To(BeEquivalentTo("taken-names-eve"))
	})
})

var _ = Describe("A User with the shorter hash of earlier names", func() {
	It("is found by its username and gets no second one beside it, nor a second Personal organization", func(ctx SpecContext) {
		acme := openAccount(ctx, "earlier-names")
		bo := acme.user("bo")
		user := &v1alpha1.User{ObjectMeta: named("bo-earlier-names-example-0123456789"), Spec: v1alpha1.UserSpec{
			Username: v1alpha1.Username(bo),
		}}
		personal := expectations.Organization("personal-bo-earlier-name-0123456789", bo)
		personal.Spec.Type = v1alpha1.OrganizationPersonal
		expect.Create(ctx, user, personal)
		acme.join(ctx, "bo", "viewer")
		Eventually(placesOf(ctx, user)).WithContext(ctx).Should(ConsistOf(HaveField("Name", acme.Name), HaveField("Name", personal.Name)))
		expect.Ready(ctx, user)
		Expect(userCalled(ctx, bo).Name).To(Equal(user.Name))
		Expect(user.Status.OwnedOrganizations).To(Equal([]string{personal.Name}))
	})
})
