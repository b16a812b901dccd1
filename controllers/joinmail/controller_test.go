package joinmail

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/mail"
	"github.com/roster-dev/roster/internal/mailer"
	"github.com/roster-dev/roster/internal/snapshot"
)

var made = time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)

// office is the controller with a clock, and what it has mailed and written.
type office struct {
	*Reconciler
	clock  *clocktesting.FakePassiveClock
	mails  []mail.Message
	writes int
	// answer of the mail server, and of the API server to a status once something was mailed.
	answer, writeFails error
	settings           error
}

// Settings implements mailer.Source.
func (o *office) Settings(context.Context) (mail.Settings, error) {
	settings, err := mail.ParseSettings(map[string][]byte{
		"host": []byte("smtp.acme.example"), "from": []byte("roster@acme.example"),
	})
	return settings, errors.Join(o.settings, err)
}

func newOffice(request *v1alpha1.JoinRequest, users ...client.Object) *office {
	GinkgoHelper()
	scheme := runtime.NewScheme()
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	o := &office{clock: clocktesting.NewFakePassiveClock(made)}
	acme := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme", UID: "o1"}}
	acme.Spec.Owners = []v1alpha1.Username{"olga@acme.example", "otto", "olga@acme.example"}
	store := fake.NewClientBuilder().WithScheme(scheme).
		WithObjects(append(users, request, acme)...).WithStatusSubresource(request).
		WithIndex(&v1alpha1.User{}, snapshot.UsersByUsername, func(user client.Object) []string {
			return []string{string(user.(*v1alpha1.User).Spec.Username)}
		}).WithInterceptorFuncs(interceptor.Funcs{SubResourceUpdate: func(
		ctx context.Context, client client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption,
	) error {
		if o.writeFails != nil && len(o.mails) > 0 {
			return o.writeFails
		}
		o.writes++
		return client.SubResource(name).Update(ctx, object, options...)
	}}).Build()
	templates, err := mail.LoadTemplates("")
	Expect(err).NotTo(HaveOccurred())
	o.Reconciler = &Reconciler{
		Client: store, Live: store, Clock: o.clock, Templates: templates,
		Office: &mailer.Office{
			Source: o, Clock: o.clock,
			Hand: func(_ context.Context, _ mail.Settings, message mail.Message) error {
				o.mails = append(o.mails, message)
				return o.answer
			},
		},
	}
	return o
}

// asking is a request that waits for a decision.
func asking() *v1alpha1.JoinRequest {
	return &v1alpha1.JoinRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "designers", UID: "u1"},
		Spec: v1alpha1.JoinRequestSpec{
			Team: v1alpha1.ExternalTeam{Organization: "agency", Name: "designers"}, RequestedBy: "ana@agency.example",
			Role: "developer", Projects: []v1alpha1.ObjectName{"shop"}, Message: "For the new shop.",
		},
		Status: v1alpha1.JoinRequestStatus{Phase: v1alpha1.JoinRequestPending},
	}
}

// decided is a request that was decided a while ago.
func decided(request *v1alpha1.JoinRequest, decision v1alpha1.JoinDecision) *v1alpha1.JoinRequest {
	at := metav1.NewTime(made.Add(-time.Hour))
	request.Spec.Decision, request.Spec.Reason = decision, "As agreed."
	request.Status.Phase = v1alpha1.JoinRequestPhase(decision)
	request.Status.DecidedBy, request.Status.DecidedAt = "olga@acme.example", &at
	return request
}

var otto = &v1alpha1.User{
	ObjectMeta: metav1.ObjectMeta{Name: "otto"},
	Spec:       v1alpha1.UserSpec{Username: "otto", Email: "otto@elsewhere.example", DisplayName: "Otto"},
}

var key = client.ObjectKey{Namespace: "org-acme", Name: "designers"}

// pass is one pass of the controller, and the request after it.
func (o *office) pass(ctx context.Context) (ctrl.Result, *v1alpha1.JoinRequest, error) {
	GinkgoHelper()
	result, err := o.Reconcile(ctx, ctrl.Request{NamespacedName: key})
	request := &v1alpha1.JoinRequest{}
	Expect(o.Get(ctx, key, request)).To(Succeed())
	return result, request, err
}

// settled is the request once nothing more is to be done.
func (o *office) settled(ctx context.Context) *v1alpha1.JoinRequest {
	GinkgoHelper()
	var request *v1alpha1.JoinRequest
	for range 8 {
		var err error
		_, request, err = o.pass(ctx)
		Expect(err).NotTo(HaveOccurred())
	}
	return request
}

func (o *office) to() []string {
	var addresses []string
	for _, message := range o.mails {
		addresses = append(addresses, message.To.Address)
	}
	return addresses
}

func mailed(request *v1alpha1.JoinRequest) string {
	condition := meta.FindStatusCondition(request.Status.Conditions, v1alpha1.ConditionMailed)
	if condition == nil {
		return ""
	}
	return string(condition.Status) + " " + condition.Reason + ": " + condition.Message
}

var _ = Describe("A join request", func() {
	It("is mailed to each owner once, and an idle or restarted controller writes nothing", func(ctx SpecContext) {
		o := newOffice(asking(), otto)
		request := o.settled(ctx)
		Expect(o.to()).To(Equal([]string{"olga@acme.example", "otto@elsewhere.example"}))
		Expect(o.mails[0].ID).NotTo(Equal(o.mails[1].ID))
		Expect(o.mails[0].Text).To(SatisfyAll(ContainSubstring("the team designers of the organization agency"),
			ContainSubstring("> For the new shop."), ContainSubstring("kubectl roster join approve designers --organization acme")))
		Expect(mailed(request)).To(Equal("True Sent: the mail server has taken 2 of 2 mails (Requested)"))
		Expect(o.writes).To(Equal(5), "to whom; and before and after each")

		restarted := newOffice(request, otto)
		Expect(restarted.settled(ctx).Status).To(Equal(request.Status))
		Expect(restarted.mails).To(BeEmpty())
		Expect(restarted.writes).To(BeZero())
	})

	It("tells who asks nothing of who the owners are", func(ctx SpecContext) {
		o := newOffice(asking(), otto)
		o.answer = &mail.Error{
			Stage: mail.StageRecipient, Server: "smtp.acme.example:25", Code: 550, Text: "otto@elsewhere.example unknown",
		}
		request := o.settled(ctx)
		Expect(mailed(request)).To(Equal("False Failed: the mail server has taken 0 of 2 mails (Requested); " +
			"naming the recipient: 550; who may decide sees the request all the same: kubectl roster join list --organization acme"))
		for _, mail := range request.Status.Mails {
			Expect(mail.Recipient).To(MatchRegexp("^[0-9a-f]{16}$"))
			Expect(mail.LastError).To(Equal("naming the recipient: 550"))
		}
		Expect(o.mails).To(HaveLen(2), "what is refused for good isn't tried again")
		Expect(request.Status.Mails[1].Recipient).NotTo(Equal(recipientOf(&v1alpha1.Organization{}, "otto")),
			"who guesses a name can't tell whether it is an owner's")
	})

	DescribeTable("that is decided is mailed to who asked, once", func(
		ctx SpecContext, decision v1alpha1.JoinDecision, says string,
	) {
		o := newOffice(decided(asking(), decision))
		request := o.settled(ctx)
		Expect(o.to()).To(Equal([]string{"ana@agency.example"}))
		Expect(o.mails[0].Text).To(SatisfyAll(ContainSubstring(says), ContainSubstring("> As agreed.")))
		Expect(mailed(request)).To(Equal("True Sent: the mail server has taken 1 of 1 mails (" + string(decision) + ")"))
	},
		Entry("with what was granted", v1alpha1.JoinApproved, "Role:  developer\nWhere: shop\n"),
		Entry("with the reason", v1alpha1.JoinRejected, "olga@acme.example rejected the request"),
	)

	It("that is rejected after it was approved is mailed twice", func(ctx SpecContext) {
		o := newOffice(decided(asking(), v1alpha1.JoinApproved))
		request := decided(o.settled(ctx), v1alpha1.JoinRejected)
		request.ResourceVersion = ""
		o = newOffice(request)
		o.settled(ctx)
		Expect(o.mails).To(HaveLen(1))
		Expect(o.mails[0].Subject).To(ContainSubstring("rejected"))
	})

	It("whose outcome can't be written is mailed no second time, and it is written once that works", func(ctx SpecContext) {
		o := newOffice(decided(asking(), v1alpha1.JoinApproved))
		_, _, err := o.pass(ctx)
		Expect(err).NotTo(HaveOccurred())
		o.writeFails = errors.New("the API server is away")
		_, request, err := o.pass(ctx)
		Expect(err).To(MatchError(ContainSubstring("the API server is away")))
		Expect(mailed(request)).To(HavePrefix("Unknown Sending"))
		_, _, err = o.pass(ctx)
		Expect(err).To(HaveOccurred())
		o.writeFails = nil
		Expect(mailed(o.settled(ctx))).To(HavePrefix("True Sent"))
		Expect(o.mails).To(HaveLen(1))
	})

	It("whose sender died between the mail and its record is said to be unknown", func(ctx SpecContext) {
		o := newOffice(decided(asking(), v1alpha1.JoinApproved))
		_, _, err := o.pass(ctx)
		Expect(err).NotTo(HaveOccurred())
		o.writeFails = errors.New("killed")
		_, left, _ := o.pass(ctx)
		left.ResourceVersion = ""
		next := newOffice(left)
		Expect(mailed(next.settled(ctx))).To(SatisfyAll(HavePrefix("Unknown Unknown"),
			ContainSubstring("Roster was stopped while the mail was being sent"), ContainSubstring("it isn't sent again")))
		Expect(next.mails).To(BeEmpty())
	})

	It("that a server puts off is tried again later and later, with the same ID", func(ctx SpecContext) {
		o := newOffice(decided(asking(), v1alpha1.JoinApproved))
		o.answer = &mail.Error{Stage: mail.StageConnect, Text: "not now"}
		_, _, err := o.pass(ctx)
		Expect(err).NotTo(HaveOccurred())
		for _, wait := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second} {
			_, request, err := o.pass(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(mailed(request)).To(HavePrefix("False Retrying"))
			result, _, err := o.pass(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(result.RequeueAfter).To(Equal(wait))
			o.clock.SetTime(o.clock.Now().Add(wait))
		}
		o.answer = nil
		Expect(mailed(o.settled(ctx))).To(HavePrefix("True Sent"))
		Expect(o.mails).To(HaveLen(4))
		for _, message := range o.mails {
			Expect(message.ID).To(Equal(o.mails[0].ID))
		}
	})

	It("that was decided before the owners could be mailed isn't mailed to them any more", func(ctx SpecContext) {
		o := newOffice(asking(), otto)
		o.answer = &mail.Error{Stage: mail.StageConnect, Text: "not now"}
		request := decided(o.settled(ctx), v1alpha1.JoinRejected)
		request.ResourceVersion = ""
		o = newOffice(request, otto)
		o.clock.SetTime(made.Add(time.Minute))
		request = o.settled(ctx)
		Expect(o.to()).To(Equal([]string{"ana@agency.example"}))
		Expect(mailed(request)).To(HavePrefix("True Sent"))
		Expect(request.Status.Mails).To(HaveEach(HaveField("Delivery", Not(Equal(v1alpha1.MailRetrying)))))
	})

	It("that isn't mailed says so once, and stops when it is withdrawn", func(ctx SpecContext) {
		o := newOffice(asking(), otto)
		o.settings = mailer.ErrNoSettings
		request := o.settled(ctx)
		Expect(mailed(request)).To(Equal("False NoMailSettings: Roster can't send mail now; who may decide sees the request all " +
			"the same: kubectl roster join list --organization acme"))
		Expect(o.writes).To(Equal(1))
		request.Status.Phase = v1alpha1.JoinRequestWithdrawn
		Expect(o.Status().Update(ctx, request)).To(Succeed())
		Expect(mailed(o.settled(ctx))).To(HavePrefix("False NoLongerNews"))
		Expect(o.writes).To(Equal(3))
		Expect(o.mails).To(BeEmpty())
	})

	It("isn't mailed to whom no address is known of, or who is deactivated", func(ctx SpecContext) {
		gone := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "olga"}}
		gone.Spec.Username, gone.Spec.Deactivated = "olga@acme.example", true
		o := newOffice(asking(), gone)
		Expect(mailed(o.settled(ctx))).To(ContainSubstring("no mail address of this user is known: set spec.email of the User"))
		Expect(o.mails).To(BeEmpty())
	})

	DescribeTable("mails nobody", func(ctx SpecContext, change func(*v1alpha1.JoinRequest)) {
		request := asking()
		change(request)
		o := newOffice(request, otto)
		o.settled(ctx)
		Expect(o.mails).To(BeEmpty())
		Expect(o.writes).To(BeZero())
	},
		Entry("before it is found to be in order", func(r *v1alpha1.JoinRequest) { r.Status.Phase = "" }),
		Entry("before its decision is carried out", func(r *v1alpha1.JoinRequest) { r.Spec.Decision = v1alpha1.JoinApproved }),
		Entry("once it is withdrawn", func(r *v1alpha1.JoinRequest) { r.Status.Phase = v1alpha1.JoinRequestWithdrawn }),
		Entry("about a decision of long ago", func(r *v1alpha1.JoinRequest) {
			decided(r, v1alpha1.JoinApproved)
			r.Status.DecidedAt.Time = made.Add(-newsFor)
		}),
	)
})
