package access_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/controllers/access"
	"github.com/roster-dev/roster/test/expectations"
)

var _ = Describe("A sync that would take access from 30 of 30 members", func() {
	var (
		organization string
		shop         string
		users        []string
		fake         *clocktesting.FakePassiveClock
		notes        *recorder
		reconciler   *access.Reconciler
	)

	reconciled := func(ctx context.Context) error {
		_, err := reconciler.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKey{Name: organization}})
		return err
	}
	// settle reconciles until there is nothing left to write.
	settle := func(ctx context.Context) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			notes.take()
			g.Expect(reconciled(ctx)).To(Succeed())
			g.Expect(notes.take()).To(BeEmpty())
		}).WithContext(ctx).Should(Succeed())
	}
	start := func() {
		reconciler = access.NewReconciler(noting{Client: cached, recorder: notes}, expect, bindings, fake)
	}
	object := func(ctx context.Context) *v1alpha1.Organization {
		GinkgoHelper()
		found := &v1alpha1.Organization{}
		Expect(expect.Get(ctx, client.ObjectKey{Name: organization}, found)).To(Succeed())
		return found
	}
	expectHolders := func(ctx context.Context, from int) {
		GinkgoHelper()
		for at, user := range users {
			if at < from {
				expect.Refused(ctx, user, viewing, shop)
			} else {
				expect.Allowed(ctx, user, viewing, shop)
			}
		}
	}
	// deleteAll deletes all Memberships and waits until the cache knows that they are going.
	deleteAll := func(ctx context.Context) {
		GinkgoHelper()
		for at, user := range users {
			expect.Delete(ctx, expectations.Membership(organization, fmt.Sprintf("bo-%02d", at), user))
		}
		Eventually(func(g Gomega) {
			var list v1alpha1.MembershipList
			g.Expect(cached.List(ctx, &list,
				client.InNamespace(v1alpha1.OrganizationNamespace(organization)))).To(Succeed())
			for _, membership := range list.Items {
				g.Expect(membership.DeletionTimestamp).NotTo(BeNil())
			}
		}).WithContext(ctx).Should(Succeed())
	}
	// approve annotates the Organization and waits until the cache knows.
	approve := func(ctx context.Context, digest string) {
		GinkgoHelper()
		found := object(ctx)
		expectations.Change(ctx, expect, found, func(o *v1alpha1.Organization) {
			o.Annotations = map[string]string{v1alpha1.AnnotationApproveRemovals: digest}
		})
		Eventually(func(g Gomega) {
			g.Expect(cached.Get(ctx, client.ObjectKeyFromObject(found), found)).To(Succeed())
			g.Expect(found.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationApproveRemovals, digest))
		}).WithContext(ctx).Should(Succeed())
	}

	BeforeEach(func(ctx SpecContext) {
		organization, users = "guard-"+utilrand.String(8), nil
		fake = clocktesting.NewFakePassiveClock(time.Now())
		notes = &recorder{}
		start()
		makeOrganization(ctx, organization)
		shop = makeProject(ctx, organization, "shop")
		for at := range 30 {
			user := fmt.Sprintf("bo-%02d@%s", at, organization)
			users = append(users, user)
			expect.Create(ctx, expectations.Membership(organization, fmt.Sprintf("bo-%02d", at), user, "viewer"))
		}
		inCache(ctx, &v1alpha1.MembershipList{}, organization, 30)
		settle(ctx)
		expectHolders(ctx, 0)
	})

	It("writes what it decided before it takes anything, and lets the Memberships go", func(ctx SpecContext) {
		deleteAll(ctx)
		Expect(reconciled(ctx)).To(Succeed())
		writes := notes.take()
		kept := position(writes, "update", "ConfigMap roster-system/roster-removals-"+organization)
		Expect(kept).To(BeNumerically(">=", 0), "%v", writes)
		Expect(kept).To(BeNumerically("<", position(writes, "RoleBinding "+shop)), "%v", writes)
		settle(ctx)
		expectHolders(ctx, 20)
		for at := range users {
			expect.Gone(ctx, expectations.Membership(organization, fmt.Sprintf("bo-%02d", at), users[at]))
		}
		held := object(ctx).Status.HeldRemovals
		Expect(held.Users).To(Equal(users[20:]))
		Expect(held.Since.Time).To(BeTemporally("~", fake.Now(), time.Second))
	})

	It("takes nothing while it can't write that, takes what isn't guarded, and catches up", func(ctx SpecContext) {
		notes.refuseWhen(func(write string) bool { return strings.Contains(write, "ConfigMap") })
		deleteAll(ctx)
		Expect(reconciled(ctx)).To(MatchError(ContainSubstring("roster-removals-" + organization)))
		expectHolders(ctx, 0)
		Expect(object(ctx).Status.HeldRemovals).To(BeNil(), "nothing is called held that isn't kept")
		var memberships v1alpha1.MembershipList
		Expect(expect.List(ctx, &memberships,
			client.InNamespace(v1alpha1.OrganizationNamespace(organization)))).To(Succeed())
		Expect(memberships.Items).To(HaveLen(30), "they stand for access that nothing else remembers to be removed")

		notes.refuseWhen(nil)
		settle(ctx)
		expectHolders(ctx, 20)
	})

	It("holds the same after a restart, by what is kept, and whatever became of the bindings", func(ctx SpecContext) {
		deleteAll(ctx)
		settle(ctx)
		digest := object(ctx).Status.HeldRemovals.Digest
		start()
		settle(ctx)
		Expect(object(ctx).Status.HeldRemovals.Digest).To(Equal(digest))
		expectHolders(ctx, 20)

		bindings, err := expect.ManagedBindings(ctx, shop)
		Expect(err).NotTo(HaveOccurred())
		for at := range bindings {
			expect.Delete(ctx, &bindings[at])
			Eventually(func() error {
				return cached.Get(ctx, client.ObjectKeyFromObject(&bindings[at]), bindings[at].DeepCopy())
			}).WithContext(ctx).ShouldNot(Succeed())
		}
		settle(ctx)
		expectHolders(ctx, 20)
	})

	It("holds the same though somebody deletes what is kept while it runs", func(ctx SpecContext) {
		deleteAll(ctx)
		settle(ctx)
		state := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: v1alpha1.SystemNamespace, Name: "roster-removals-" + organization,
		}}
		expect.Delete(ctx, state)
		expect.Create(ctx, expectations.Membership(organization, "new", "new@"+organization, "viewer"))
		Eventually(func() error {
			return cached.Get(ctx, client.ObjectKey{
				Namespace: v1alpha1.OrganizationNamespace(organization), Name: "new"}, &v1alpha1.Membership{})
		}).WithContext(ctx).Should(Succeed())
		settle(ctx)
		expectHolders(ctx, 20)
		Expect(expect.Get(ctx, client.ObjectKeyFromObject(state), state)).To(Succeed())
	})

	It("judges what was removed while it was away", func(ctx SpecContext) {
		deleteAll(ctx)
		start()
		settle(ctx)
		expectHolders(ctx, 20)
	})

	It("lets exactly what is held go by its digest, and not by another", func(ctx SpecContext) {
		deleteAll(ctx)
		settle(ctx)
		approve(ctx, "0123456789abcdef")
		settle(ctx)
		expectHolders(ctx, 20)
		fake.SetTime(fake.Now().Add(time.Hour))
		settle(ctx)
		expectHolders(ctx, 20)

		approve(ctx, object(ctx).Status.HeldRemovals.Digest)
		settle(ctx)
		expectHolders(ctx, 30)
		Expect(object(ctx).Status.HeldRemovals).To(BeNil())
	})

	It("forgets what it kept when the organization has gone", func(ctx SpecContext) {
		state := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: v1alpha1.SystemNamespace, Name: "roster-removals-" + organization,
		}}
		Expect(expect.Get(ctx, client.ObjectKeyFromObject(state), state)).To(Succeed())
		Expect(state.Labels).To(HaveKeyWithValue(v1alpha1.LabelOrganization, organization))
		found := object(ctx)
		expectations.Change(ctx, expect, found, func(o *v1alpha1.Organization) {
			o.Annotations = map[string]string{v1alpha1.AnnotationConfirmDeletion: organization}
		})
		expect.Delete(ctx, found)
		Eventually(func() error { return cached.Get(ctx, client.ObjectKeyFromObject(found), found) }).WithContext(ctx).
			ShouldNot(Succeed())
		settle(ctx)
		expect.Gone(ctx, state)
	})

	DescribeTable("holds nothing for an organization that takes the name of the one that is gone, without a sync in between",
		func(ctx SpecContext, meanwhile func()) {
			deleteAll(ctx)
			settle(ctx)
			expectHolders(ctx, 20)
			gone := object(ctx)
			expectations.Change(ctx, expect, gone, func(o *v1alpha1.Organization) {
				o.Annotations = map[string]string{v1alpha1.AnnotationConfirmDeletion: organization}
			})
			expect.Delete(ctx, gone)
			expect.Create(ctx, expectations.Organization(organization, "new@"+organization))
			Eventually(func(g Gomega) {
				found := &v1alpha1.Organization{}
				g.Expect(cached.Get(ctx, client.ObjectKeyFromObject(gone), found)).To(Succeed())
				g.Expect(found.UID).NotTo(Equal(gone.UID))
			}).WithContext(ctx).Should(Succeed())
			meanwhile()
			Expect(reconciled(ctx)).To(Succeed())
			Expect(reconciler.HoldsNamespace(organization, shop)).To(BeFalse())
			settle(ctx)
			Expect(object(ctx).Status.HeldRemovals).To(BeNil())
			expectHolders(ctx, 30)
		},
		Entry("by the same manager", func() {}),
		Entry("by one that was started since", func() { start() }),
	)
})
