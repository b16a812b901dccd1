package joinrequest

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
)

var began = time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)

const bindingOfRequest = "join-designers-u1"

// world is the controller with a clock, what it has written, and what goes wrong.
type world struct {
	*Reconciler
	clock  *clocktesting.FakePassiveClock
	writes int
	// beforeStatus happens just before a status is written; its error is the API server's answer.
	beforeStatus func(ctx context.Context) error
}

// newWorld has the organizations acme, which is asked, and agency with its team.
func newWorld(request *v1alpha1.JoinRequest) *world {
	GinkgoHelper()
	scheme := runtime.NewScheme()
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	Expect(rbacv1.AddToScheme(scheme)).To(Succeed())
	w := &world{clock: clocktesting.NewFakePassiveClock(began), beforeStatus: func(context.Context) error { return nil }}
	store := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		request, &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "agency"}},
		&v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme"}}, designers("t1"),
	).WithStatusSubresource(request, &v1alpha1.RoleBinding{}).WithInterceptorFuncs(w.counting()).Build()
	w.Reconciler = &Reconciler{Client: store, Live: store, Clock: w.clock}
	return w
}

func designers(uid string) *v1alpha1.Team {
	return &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Namespace: "org-agency", Name: "designers", UID: types.UID(uid)}}
}

// counting counts all writes.
func (w *world) counting() interceptor.Funcs {
	return interceptor.Funcs{
		SubResourceUpdate: func(
			ctx context.Context, client client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption,
		) error {
			if err := w.beforeStatus(ctx); err != nil {
				return err
			}
			w.writes++
			return client.SubResource(name).Update(ctx, object, options...)
		},
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			w.writes++
			return c.Create(ctx, object, options...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			w.writes++
			return c.Delete(ctx, object, options...)
		},
		Patch: func(
			ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption,
		) error {
			w.writes++
			return c.Patch(ctx, object, patch, options...)
		},
	}
}

// asked is a request of the agency's designers to acme.
func asked(change ...func(*v1alpha1.JoinRequest)) *v1alpha1.JoinRequest {
	request := &v1alpha1.JoinRequest{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "org-acme", Name: "designers", UID: "u1", Generation: 1,
			Annotations: map[string]string{v1alpha1.AnnotationChangedBy: "olga"},
		},
		Spec: v1alpha1.JoinRequestSpec{
			Team: v1alpha1.ExternalTeam{Organization: "agency", Name: "designers"}, RequestedBy: "ana",
			Role: "developer", Projects: []v1alpha1.ObjectName{"shop"},
		},
	}
	for _, change := range change {
		change(request)
	}
	return request
}

func decided(decision v1alpha1.JoinDecision) func(*v1alpha1.JoinRequest) {
	return func(request *v1alpha1.JoinRequest) { request.Spec.Decision = decision }
}

var key = client.ObjectKey{Namespace: "org-acme", Name: "designers"}

// pass is one pass of the controller.
func (w *world) pass(ctx context.Context) (reconcile.Result, error) {
	return w.Reconcile(ctx, reconcile.Request{NamespacedName: key})
}

// settled is the request after passes enough.
func (w *world) settled(ctx context.Context) *v1alpha1.JoinRequest {
	GinkgoHelper()
	for range 3 {
		Expect(w.pass(ctx)).Error().NotTo(HaveOccurred())
	}
	request := &v1alpha1.JoinRequest{}
	Expect(w.Get(ctx, key, request)).To(Succeed())
	return request
}

// change changes the request as its API server has it.
func (w *world) change(ctx context.Context, change func(*v1alpha1.JoinRequest)) {
	GinkgoHelper()
	request := &v1alpha1.JoinRequest{}
	Expect(w.Get(ctx, key, request)).To(Succeed())
	change(request)
	request.Generation++
	Expect(w.Update(ctx, request)).To(Succeed())
}

// given is the RoleBinding of the request, or nil.
func (w *world) given(ctx context.Context) *v1alpha1.RoleBinding {
	GinkgoHelper()
	binding := &v1alpha1.RoleBinding{}
	err := w.Get(ctx, client.ObjectKey{Namespace: "org-acme", Name: bindingOfRequest}, binding)
	Expect(client.IgnoreNotFound(err)).To(Succeed())
	if err != nil {
		return nil
	}
	return binding
}

func ready(request *v1alpha1.JoinRequest) string {
	condition := meta.FindStatusCondition(request.Status.Conditions, v1alpha1.ConditionReady)
	return string(condition.Status) + " " + condition.Reason
}

var _ = Describe("A join request", func() {
	approves := func(ctx context.Context, w *world) { w.change(ctx, decided(v1alpha1.JoinApproved)) }
	rejects := func(ctx context.Context, w *world) { w.change(ctx, decided(v1alpha1.JoinRejected)) }
	teamGoes := func(ctx context.Context, w *world) { Expect(w.Delete(ctx, designers("t1"))).To(Succeed()) }
	teamReturns := func(ctx context.Context, w *world) { Expect(w.Create(ctx, designers("t2"))).To(Succeed()) }
	agencyGoes := func(ctx context.Context, w *world) {
		Expect(w.Delete(ctx, &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "agency"}})).To(Succeed())
	}
	bindingGoes := func(ctx context.Context, w *world) { Expect(w.Delete(ctx, w.given(ctx))).To(Succeed()) }
	type events []func(context.Context, *world)

	DescribeTable("goes", func(ctx SpecContext, happens events, phase v1alpha1.JoinRequestPhase, says string, gives bool) {
		w := newWorld(asked())
		request := w.settled(ctx)
		for _, event := range happens {
			event(ctx, w)
			request = w.settled(ctx)
		}
		Expect(request.Status.Phase).To(Equal(phase))
		Expect(ready(request)).To(Equal(says))
		Expect(w.given(ctx) != nil).To(Equal(gives))
		w.writes = 0
		Expect(w.settled(ctx).Status).To(Equal(request.Status))
		Expect(w.writes).To(BeZero(), "nothing changes, nothing is written")
	},
		Entry("nowhere while nobody decides", events{}, v1alpha1.JoinRequestPending, "False Pending", false),
		Entry("from Pending to Approved", events{approves}, v1alpha1.JoinRequestApproved, "False NotInForce", true),
		Entry("from Pending to Rejected", events{rejects}, v1alpha1.JoinRequestRejected, "False Rejected", false),
		Entry("from Pending to Withdrawn with the team", events{teamGoes}, v1alpha1.JoinRequestWithdrawn,
			"False Withdrawn", false),
		Entry("from Pending to Withdrawn with the organization", events{agencyGoes}, v1alpha1.JoinRequestWithdrawn,
			"False Withdrawn", false),
		Entry("from Approved to Rejected", events{approves, rejects}, v1alpha1.JoinRequestRejected, "False Rejected", false),
		Entry("from Approved to Withdrawn with the team", events{approves, teamGoes}, v1alpha1.JoinRequestWithdrawn,
			"False Withdrawn", false),
		Entry("from Approved to Withdrawn with the organization", events{approves, agencyGoes}, v1alpha1.JoinRequestWithdrawn,
			"False Withdrawn", false),
		Entry("from Approved to Withdrawn with the RoleBinding", events{approves, bindingGoes}, v1alpha1.JoinRequestWithdrawn,
			"False Withdrawn", false),
		Entry("nowhere from Withdrawn, though the team comes back", events{approves, teamGoes, teamReturns},
			v1alpha1.JoinRequestWithdrawn, "False Withdrawn", false),
		Entry("nowhere from Withdrawn, though it is approved", events{teamGoes, teamReturns, approves},
			v1alpha1.JoinRequestWithdrawn, "False Withdrawn", false),
		Entry("from Withdrawn to Rejected", events{teamGoes, rejects}, v1alpha1.JoinRequestRejected, "False Rejected", false),
	)

	It("is Ready once its RoleBinding is, and keeps who decided and when that was seen", func(ctx SpecContext) {
		w := newWorld(asked(decided(v1alpha1.JoinApproved)))
		request := w.settled(ctx)
		Expect(request.Status.DecidedBy).To(Equal("olga"))
		Expect(request.Status.DecidedAt.Time).To(BeTemporally("==", began))
		binding := w.given(ctx)
		Expect(binding.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationChangedBy, "olga"))
		Expect(binding.Spec.Subjects).To(ConsistOf(v1alpha1.Subject{
			Kind: v1alpha1.SubjectTeam, Name: "designers", Organization: "agency", UID: "t1",
		}))
		meta.SetStatusCondition(&binding.Status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "InForce", ObservedGeneration: binding.Generation,
		})
		Expect(w.Status().Update(ctx, binding)).To(Succeed())
		w.clock.SetTime(began.Add(time.Hour))
		request = w.settled(ctx)
		Expect(ready(request)).To(Equal("True InForce"))
		Expect(request.Status.DecidedAt.Time).To(BeTemporally("==", began))
	})

	It("whose status can't be written has one RoleBinding all the same, and says so once that works", func(ctx SpecContext) {
		w := newWorld(asked(decided(v1alpha1.JoinApproved)))
		w.beforeStatus = func(context.Context) error { return errors.New("the API server is away") }
		for range 2 {
			Expect(w.pass(ctx)).Error().To(MatchError(ContainSubstring("the API server is away")))
		}
		made := w.given(ctx)
		Expect(made).NotTo(BeNil())
		w.beforeStatus = func(context.Context) error { return nil }
		Expect(w.settled(ctx).Status.RoleBinding).To(Equal(bindingOfRequest))
		Expect(w.given(ctx).UID).To(Equal(made.UID))
	})

	It("says what stands in its way where somebody else made its RoleBinding, and goes on once that is gone", func(
		ctx SpecContext,
	) {
		w := newWorld(asked(decided(v1alpha1.JoinApproved)))
		squatting := &v1alpha1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: bindingOfRequest}}
		Expect(w.Create(ctx, squatting)).To(Succeed())
		Expect(w.pass(ctx)).Error().To(HaveOccurred())
		request := &v1alpha1.JoinRequest{}
		Expect(w.Get(ctx, key, request)).To(Succeed())
		Expect(ready(request)).To(Equal("False NotInForce"))
		Expect(meta.FindStatusCondition(request.Status.Conditions, v1alpha1.ConditionReady).Message).To(Equal(
			"RoleBinding " + bindingOfRequest + " isn't this join request's own; delete it, and this goes on"))
		Expect(w.Delete(ctx, squatting)).To(Succeed())
		w.settled(ctx)
		Expect(w.given(ctx).Spec.Subjects).To(HaveLen(1))
	})

	It("begins again where somebody else wrote it meanwhile, though that was a status and wakes nobody", func(ctx SpecContext) {
		w := newWorld(asked(decided(v1alpha1.JoinRejected)))
		w.beforeStatus = func(ctx context.Context) error {
			w.beforeStatus = func(context.Context) error { return nil }
			w.change(ctx, func(r *v1alpha1.JoinRequest) { r.Generation-- })
			return nil
		}
		result, err := w.pass(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(BeNumerically(">", 0))
		Expect(w.settled(ctx).Status.Phase).To(Equal(v1alpha1.JoinRequestRejected))
	})

	It("that is deleted while it is being approved leaves nothing", func(ctx SpecContext) {
		w := newWorld(asked(decided(v1alpha1.JoinApproved)))
		w.beforeStatus = func(ctx context.Context) error {
			w.beforeStatus = func(context.Context) error { return nil }
			return w.Delete(ctx, asked())
		}
		for range 4 {
			Expect(w.pass(ctx)).Error().NotTo(HaveOccurred())
		}
		Expect(w.given(ctx)).To(BeNil())
		Expect(w.Get(ctx, key, &v1alpha1.JoinRequest{})).To(MatchError(ContainSubstring("not found")))
		var roles rbacv1.ClusterRoleList
		Expect(w.List(ctx, &roles)).To(Succeed())
		Expect(roles.Items).To(BeEmpty())
	})

	It("that is deleted stays until the access is gone", func(ctx SpecContext) {
		w := newWorld(asked(decided(v1alpha1.JoinApproved)))
		w.settled(ctx)
		binding := w.given(ctx)
		binding.Finalizers = []string{v1alpha1.Finalizer}
		Expect(w.Update(ctx, binding)).To(Succeed())
		w.change(ctx, func(r *v1alpha1.JoinRequest) { r.Annotations[v1alpha1.AnnotationDeletedBy] = "ana" })
		Expect(w.Delete(ctx, asked())).To(Succeed())
		Expect(w.settled(ctx).DeletionTimestamp).NotTo(BeNil())
		binding = w.given(ctx)
		Expect(binding.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationDeletedBy, "ana"))
		Expect(binding.DeletionTimestamp).NotTo(BeNil())
		binding.Finalizers = nil
		Expect(w.Update(ctx, binding)).To(Succeed())
		Expect(w.pass(ctx)).Error().NotTo(HaveOccurred())
		Expect(w.Get(ctx, key, &v1alpha1.JoinRequest{})).To(MatchError(ContainSubstring("not found")))
	})
})
