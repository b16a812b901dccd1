package user

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/snapshot"
)

const (
	leaver    = "bo@acme.example"
	retention = 30 * 24 * time.Hour
)

// came is when the user came, and left is when the user left.
var (
	came = time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)
	left = came.Add(100 * time.Hour)
)

// house is the controller with a clock and what it has written.
type house struct {
	*Reconciler
	clock  *clocktesting.FakePassiveClock
	writes int
	// deleted are the names of what was deleted, each by the uid and version that were read.
	deleted []string
	// beforeDeletion happens just before something is deleted.
	beforeDeletion func(ctx context.Context, store client.Client)
}

// indexer gives the indexes of the caches to a client of tests.
type indexer struct{ *fake.ClientBuilder }

func (i indexer) IndexField(_ context.Context, object client.Object, field string, values client.IndexerFunc) error {
	i.WithIndex(object, field, values)
	return nil
}

// newHouse has the organization acme, of which the user is a member, and what Roster makes for the user.
func newHouse(ctx context.Context, others ...client.Object) *house {
	GinkgoHelper()
	scheme := runtime.NewScheme()
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	h := &house{clock: clocktesting.NewFakePassiveClock(came)}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.User{}, &v1alpha1.Organization{}).
		WithObjects(others...).WithObjects(
		&v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme"}, Spec: v1alpha1.OrganizationSpec{
			Owners: []v1alpha1.Username{"ana@acme.example"},
		}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: "org-acme", Labels: map[string]string{v1alpha1.LabelOrganization: "acme"},
		}}, membership()).WithInterceptorFuncs(h.counting())
	Expect(snapshot.AddIndexes(ctx, indexer{builder})).To(Succeed())
	h.Reconciler = &Reconciler{Client: builder.Build(), Clock: h.clock, PersonalOrganizations: true, LeaverRetention: retention}
	for range 3 {
		h.pass(ctx)
	}
	Expect(h.user(ctx)).NotTo(BeNil())
	Expect(h.personal(ctx)).NotTo(BeNil())
	return h
}

func membership() *v1alpha1.Membership {
	return &v1alpha1.Membership{ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "bo"}, Spec: v1alpha1.MembershipSpec{
		User: leaver, Roles: []v1alpha1.RoleName{"viewer"},
	}}
}

// counting counts all writes, and gives what is made a uid, a generation and a time, as an API server does.
func (h *house) counting() interceptor.Funcs {
	return interceptor.Funcs{
		SubResourceUpdate: func(
			ctx context.Context, c client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption,
		) error {
			h.writes++
			return c.SubResource(name).Update(ctx, object, options...)
		},
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			h.writes++
			object.SetUID("uid-1")
			object.SetGeneration(1)
			object.SetCreationTimestamp(metav1.NewTime(h.clock.Now()))
			// Another controller takes the finalizer off.
			object.SetFinalizers(nil)
			return c.Create(ctx, object, options...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			h.writes++
			asked := (&client.DeleteOptions{}).ApplyOptions(options)
			if h.beforeDeletion != nil && asked.Preconditions != nil {
				h.beforeDeletion(ctx, c)
			}
			err := c.Delete(ctx, object, options...)
			if asked.Preconditions != nil && err == nil {
				Expect(asked.Preconditions.UID).To(HaveValue(BeEquivalentTo("uid-1")))
				Expect(asked.Preconditions.ResourceVersion).NotTo(BeNil())
				h.deleted = append(h.deleted, object.GetName())
			}
			return err
		},
	}
}

func (h *house) pass(ctx context.Context) reconcile.Result {
	GinkgoHelper()
	result, err := h.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKey{Name: leaver}})
	Expect(err).NotTo(HaveOccurred())
	return result
}

// user is the User; nil where there is none.
func (h *house) user(ctx context.Context) *v1alpha1.User {
	GinkgoHelper()
	var list v1alpha1.UserList
	Expect(h.List(ctx, &list, client.MatchingFields{snapshot.UsersByUsername: leaver})).To(Succeed())
	if len(list.Items) == 0 {
		return nil
	}
	return &list.Items[0]
}

// personal is the Personal organization; nil where there is none.
func (h *house) personal(ctx context.Context) *v1alpha1.Organization {
	GinkgoHelper()
	owned, err := snapshot.Owned(ctx, h.Client, leaver)
	Expect(err).NotTo(HaveOccurred())
	if len(owned) == 0 {
		return nil
	}
	return owned[0]
}

// leave has the user leave, after they were seen.
func (h *house) leave(ctx context.Context) {
	GinkgoHelper()
	user := h.user(ctx)
	user.Status.See(metav1.NewTime(came))
	Expect(h.Status().Update(ctx, user)).To(Succeed())
	h.clock.SetTime(left)
	Expect(h.Delete(ctx, membership())).To(Succeed())
}

var _ = Describe("What Roster made for a user who has left", func() {
	It("goes at the end of the retention and not before, the Personal organization first, each as it was read", func(ctx SpecContext) {
		h := newHouse(ctx)
		Expect(h.user(ctx).Status.LeftAt).To(BeNil())
		h.leave(ctx)
		Expect(h.pass(ctx).RequeueAfter).To(Equal(retention))
		Expect(h.user(ctx).Status.LeftAt.Time).To(BeTemporally("==", left))
		h.clock.SetTime(left.Add(retention - time.Second))
		before := h.writes
		Expect(h.pass(ctx).RequeueAfter).To(Equal(time.Second))
		Expect(h.writes).To(Equal(before), "nothing is written while it waits, as after a restart")

		names := []string{h.personal(ctx).Name, h.user(ctx).Name}
		h.clock.SetTime(left.Add(retention))
		Expect(h.pass(ctx)).To(BeZero())
		Expect(h.deleted).To(Equal(names[:1]), "by its event the controller comes back")
		Expect(h.pass(ctx)).To(BeZero())
		Expect(h.deleted).To(Equal(names))
		Expect(h.user(ctx)).To(BeNil())
		before = h.writes
		h.pass(ctx)
		Expect(h.writes).To(Equal(before))
	})

	It("stays when they come back, and counts anew when they leave again", func(ctx SpecContext) {
		h := newHouse(ctx)
		h.leave(ctx)
		h.pass(ctx)
		uid := h.personal(ctx).UID
		h.clock.SetTime(left.Add(retention - time.Second))
		Expect(h.Create(ctx, membership())).To(Succeed())
		Expect(h.pass(ctx)).To(BeZero())
		Expect(h.user(ctx).Status.LeftAt).To(BeNil())
		Expect(h.user(ctx).Status.LastSeenAt).NotTo(BeNil())
		Expect(h.personal(ctx).UID).To(Equal(uid))
		h.clock.SetTime(left.Add(2 * retention))
		Expect(h.Delete(ctx, membership())).To(Succeed())
		Expect(h.pass(ctx).RequeueAfter).To(Equal(retention))
	})

	DescribeTable("stays while something needs it", func(ctx SpecContext, change func(ctx context.Context, h *house)) {
		h := newHouse(ctx)
		h.leave(ctx)
		change(ctx, h)
		h.pass(ctx)
		h.clock.SetTime(left.Add(10 * retention))
		h.pass(ctx)
		h.pass(ctx)
		Expect(h.deleted).To(BeEmpty())
		Expect(h.user(ctx)).NotTo(BeNil())
		Expect(h.personal(ctx)).NotTo(BeNil())
	},
		Entry("deactivated", onUser(func(u *v1alpha1.User) { u.Spec.Deactivated = true })),
		Entry("a second factor", onUser(func(u *v1alpha1.User) { u.Spec.MFA.Enrolled = true })),
		Entry("what was attested of a second factor before", onUser(func(u *v1alpha1.User) { u.Spec.MFA.Method = "totp" })),
		Entry("changed by somebody", onUser(func(u *v1alpha1.User) {
			u.Annotations = map[string]string{v1alpha1.AnnotationChangedBy: "ana"}
		})),
		Entry("changed while no webhook was asked", onUser(func(u *v1alpha1.User) { u.Generation = 2 })),
		Entry("declared by somebody", onUser(func(u *v1alpha1.User) { u.Labels = nil })),
		Entry("a Personal organization that somebody changed", onPersonal(func(o *v1alpha1.Organization) {
			o.Annotations = map[string]string{v1alpha1.AnnotationChangedBy: "bo"}
		})),
		Entry("a Personal organization that became Standard", onPersonal(func(o *v1alpha1.Organization) {
			o.Spec.Type, o.Generation = v1alpha1.OrganizationStandard, 2
		})),
		Entry("an organization that somebody made", having(&v1alpha1.Organization{
			ObjectMeta: metav1.ObjectMeta{Name: "globex"}, Spec: v1alpha1.OrganizationSpec{Owners: []v1alpha1.Username{leaver, "ana"}},
		})),
		Entry("another User of the username", having(&v1alpha1.User{
			ObjectMeta: metav1.ObjectMeta{Name: "twin"}, Spec: v1alpha1.UserSpec{Username: leaver},
		})),
		Entry("an invitation", having(&v1alpha1.Membership{
			ObjectMeta: metav1.ObjectMeta{Namespace: "org-globex", Name: "bo"},
			Spec:       v1alpha1.MembershipSpec{User: leaver, Invitation: &v1alpha1.InvitationSpec{}},
		})),
		Entry("a suspended Membership", having(&v1alpha1.Membership{
			ObjectMeta: metav1.ObjectMeta{Namespace: "org-globex", Name: "bo"},
			Spec:       v1alpha1.MembershipSpec{User: leaver, Suspended: true},
		})),
		Entry("a member of a Team", having(&v1alpha1.Team{
			ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "makers"},
			Spec:       v1alpha1.TeamSpec{Members: []v1alpha1.Username{"ana", leaver}},
		})),
		Entry("a maintainer of a Team", having(&v1alpha1.Team{
			ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "makers"},
			Spec:       v1alpha1.TeamSpec{Maintainers: []v1alpha1.Username{leaver}},
		})),
		Entry("a subject of a RoleBinding", having(&v1alpha1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "ci"},
			Spec:       v1alpha1.RoleBindingSpec{Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectUser, Name: leaver}}},
		})),
		Entry("a token", having(&v1alpha1.APIToken{
			ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "ci"}, Spec: v1alpha1.APITokenSpec{User: leaver},
		})),
		Entry("a JoinRequest", having(&v1alpha1.JoinRequest{
			ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "makers"}, Spec: v1alpha1.JoinRequestSpec{RequestedBy: leaver},
		})),
		Entry("a removal that is held", holding(v1alpha1.HeldRemovals{Count: 1, Users: []string{leaver}})),
		Entry("removals that are held, of more users than are listed", holding(v1alpha1.HeldRemovals{Count: 2, Users: []string{"ana"}})),
	)

	It("is looked at again once a day where something refers to it, and goes when nothing does", func(ctx SpecContext) {
		makers := &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "makers"}, Spec: v1alpha1.TeamSpec{
			Members: []v1alpha1.Username{leaver},
		}}
		h := newHouse(ctx, makers)
		h.leave(ctx)
		h.pass(ctx)
		h.clock.SetTime(left.Add(retention))
		Expect(h.pass(ctx).RequeueAfter).To(Equal(referredRetry))
		Expect(h.Delete(ctx, makers)).To(Succeed())
		h.pass(ctx)
		Expect(h.deleted).To(HaveLen(1))
	})

	DescribeTable("stays where it was changed in the moment before it goes", func(ctx SpecContext, goes int,
		change func(context.Context, client.Client),
	) {
		h := newHouse(ctx)
		h.leave(ctx)
		h.pass(ctx)
		h.clock.SetTime(left.Add(retention))
		for range goes {
			h.pass(ctx)
		}
		h.beforeDeletion = change
		Expect(h.pass(ctx).RequeueAfter).To(Equal(outdatedRetry))
		Expect(h.deleted).To(HaveLen(goes))
		h.beforeDeletion = nil
		h.pass(ctx)
		Expect(h.deleted).To(HaveLen(goes))
		Expect(h.user(ctx)).NotTo(BeNil())
	},
		Entry("the Personal organization", 0, func(ctx context.Context, store client.Client) {
			GinkgoHelper()
			owned, err := snapshot.Owned(ctx, store, leaver)
			Expect(err).NotTo(HaveOccurred())
			owned[0].Annotations = map[string]string{v1alpha1.AnnotationChangedBy: leaver}
			Expect(store.Update(ctx, owned[0])).To(Succeed())
		}),
		Entry("the User", 1, func(ctx context.Context, store client.Client) {
			GinkgoHelper()
			var users v1alpha1.UserList
			Expect(store.List(ctx, &users)).To(Succeed())
			users.Items[0].Spec.Deactivated = true
			Expect(store.Update(ctx, &users.Items[0])).To(Succeed())
		}),
	)

	It("is made again where the user comes back in the moment in which it goes", func(ctx SpecContext) {
		h := newHouse(ctx)
		h.leave(ctx)
		h.pass(ctx)
		h.clock.SetTime(left.Add(retention))
		h.pass(ctx)
		h.beforeDeletion = func(ctx context.Context, store client.Client) {
			Expect(store.Create(ctx, membership())).To(Succeed())
		}
		h.pass(ctx)
		Expect(h.user(ctx)).To(BeNil())
		h.beforeDeletion = nil
		for range 3 {
			// The Membership's and the objects' events.
			h.pass(ctx)
		}
		Expect(h.user(ctx).Status.Organizations).To(HaveLen(2))
		Expect(h.personal(ctx)).NotTo(BeNil())
	})
})

func onUser(change func(*v1alpha1.User)) func(context.Context, *house) {
	return func(ctx context.Context, h *house) {
		GinkgoHelper()
		user := h.user(ctx)
		change(user)
		Expect(h.Update(ctx, user)).To(Succeed())
	}
}

func onPersonal(change func(*v1alpha1.Organization)) func(context.Context, *house) {
	return func(ctx context.Context, h *house) {
		GinkgoHelper()
		organization := h.personal(ctx).DeepCopy()
		change(organization)
		Expect(h.Update(ctx, organization)).To(Succeed())
	}
}

func having(object client.Object) func(context.Context, *house) {
	return func(ctx context.Context, h *house) {
		GinkgoHelper()
		err := h.Create(ctx, object.DeepCopyObject().(client.Object))
		Expect(client.IgnoreAlreadyExists(err)).To(Succeed())
	}
}

func holding(held v1alpha1.HeldRemovals) func(context.Context, *house) {
	return func(ctx context.Context, h *house) {
		GinkgoHelper()
		acme := &v1alpha1.Organization{}
		Expect(h.Get(ctx, client.ObjectKey{Name: "acme"}, acme)).To(Succeed())
		acme.Status.HeldRemovals = &held
		Expect(h.Status().Update(ctx, acme)).To(Succeed())
	}
}

var _ = DescribeTable("The User of a user who has left goes",
	func(belonged time.Duration, seen bool, kept, expected time.Duration) {
		user := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(came)}}
		if seen {
			user.Status.LastSeenAt = ptr.To(metav1.NewTime(came))
		}
		left := came.Add(belonged)
		Expect(goesAt(user, left, kept).Sub(left)).To(Equal(expected))
	},
	Entry("after the retention, where they were seen", time.Second, true, retention, retention),
	Entry("after a minute, where they belonged for a moment and were never seen", time.Second, false, retention, shortestStay),
	Entry("after as long as they belonged, where they were never seen", 5*time.Hour, false, retention, 5*time.Hour),
	Entry("after the retention, where they belonged for longer", 2*retention, false, retention, retention),
	Entry("at once, where nothing is to be kept", time.Hour, false, time.Duration(0), time.Duration(0)),
)
