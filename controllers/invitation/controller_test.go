package invitation

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
	// answer of the mail server, and of the API server to a status.
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

func newOffice(membership *v1alpha1.Membership) *office {
	GinkgoHelper()
	scheme := runtime.NewScheme()
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	o := &office{clock: clocktesting.NewFakePassiveClock(made)}
	store := fake.NewClientBuilder().WithScheme(scheme).WithObjects(membership, &v1alpha1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: "acme"},
	}).WithStatusSubresource(membership).WithIndex(&v1alpha1.User{}, snapshot.UsersByUsername, func(client.Object) []string {
		return nil
	}).WithInterceptorFuncs(interceptor.Funcs{
		SubResourceUpdate: func(
			ctx context.Context, client client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption,
		) error {
			if o.writeFails != nil && len(o.mails) > 0 {
				return o.writeFails
			}
			o.writes++
			return client.SubResource(name).Update(ctx, object, options...)
		},
	}).Build()
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

// invited is a Membership that the access sync has found open.
func invited(change ...func(*v1alpha1.Membership)) *v1alpha1.Membership {
	membership := &v1alpha1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "bo", UID: "u1", CreationTimestamp: metav1.NewTime(made)},
		Spec: v1alpha1.MembershipSpec{
			User: "bo@acme.example", Email: "bo@acme.example",
			Invitation: &v1alpha1.InvitationSpec{ExpiresAfter: &metav1.Duration{Duration: 72 * time.Hour}},
		},
		Status: v1alpha1.MembershipStatus{Phase: v1alpha1.MembershipInvited, Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "Invited"},
		}},
	}
	for _, change := range change {
		change(membership)
	}
	return membership
}

var key = client.ObjectKey{Namespace: "org-acme", Name: "bo"}

// pass is one pass of the controller, and the Membership after it.
func (o *office) pass(ctx context.Context) (ctrl.Result, *v1alpha1.Membership, error) {
	GinkgoHelper()
	result, err := o.Reconcile(ctx, ctrl.Request{NamespacedName: key})
	membership := &v1alpha1.Membership{}
	Expect(o.Get(ctx, key, membership)).To(Succeed())
	return result, membership, err
}

// settled is the Membership once nothing more is to be done.
func (o *office) settled(ctx context.Context) *v1alpha1.Membership {
	GinkgoHelper()
	for range 5 {
		_, _, err := o.pass(ctx)
		Expect(err).NotTo(HaveOccurred())
	}
	_, membership, err := o.pass(ctx)
	Expect(err).NotTo(HaveOccurred())
	return membership
}

func mailed(membership *v1alpha1.Membership) string {
	condition := meta.FindStatusCondition(membership.Status.Conditions, v1alpha1.ConditionMailed)
	if condition == nil {
		return ""
	}
	return string(condition.Status) + " " + condition.Reason
}

var _ = Describe("An invitation", func() {
	It("is mailed once, and an idle or restarted controller writes nothing", func(ctx SpecContext) {
		o := newOffice(invited())
		membership := o.settled(ctx)
		Expect(o.mails).To(HaveLen(1))
		Expect(mailed(membership)).To(Equal("True Sent"))
		Expect(o.writes).To(Equal(2), "before and after")
		restarted := newOffice(membership)
		Expect(restarted.settled(ctx).Status).To(Equal(membership.Status))
		Expect(restarted.mails).To(BeEmpty())
		Expect(restarted.writes).To(BeZero())
	})

	It("whose outcome can't be written is mailed no second time, and the outcome is written once that works",
		func(ctx SpecContext) {
			o := newOffice(invited())
			o.writeFails = errors.New("the API server is away")
			_, membership, err := o.pass(ctx)
			Expect(err).To(MatchError(ContainSubstring("the API server is away")))
			Expect(mailed(membership)).To(Equal("Unknown Sending"))
			_, _, err = o.pass(ctx)
			Expect(err).To(HaveOccurred())
			o.writeFails = nil
			Expect(mailed(o.settled(ctx))).To(Equal("True Sent"))
			Expect(o.mails).To(HaveLen(1))
		})

	It("whose sender died between the mail and its record is said to be unknown, and mailed again when resent",
		func(ctx SpecContext) {
			o := newOffice(invited())
			o.writeFails = errors.New("killed")
			_, left, _ := o.pass(ctx)
			left.ResourceVersion = ""
			next := newOffice(left)
			membership := next.settled(ctx)
			Expect(mailed(membership)).To(Equal("Unknown Unknown"))
			Expect(membership.Status.Invitation.LastError).To(HavePrefix("Roster was stopped while the mail was being sent"))
			Expect(next.mails).To(BeEmpty())
			metav1.SetMetaDataAnnotation(&membership.ObjectMeta, v1alpha1.AnnotationResendInvitation, "again")
			Expect(next.Update(ctx, membership)).To(Succeed())
			Expect(mailed(next.settled(ctx))).To(Equal("True Sent"))
			Expect(next.mails).To(HaveLen(1))
			Expect(next.mails[0].ID).NotTo(Equal(o.mails[0].ID))
		})

	It("that is being mailed when another leader takes over isn't mailed by that one, and ends as it ended", func(
		ctx SpecContext,
	) {
		o := newOffice(invited())
		next := &office{Reconciler: &Reconciler{
			Client: o.Client, Live: o.Live, Clock: o.clock, Templates: o.Templates, Office: &mailer.Office{
				Source: o, Clock: o.clock,
				Hand: func(context.Context, mail.Settings, mail.Message) error { return errors.New("a second mail") },
			},
		}}
		hand := o.Office.Hand
		o.Office.Hand = func(ctx context.Context, settings mail.Settings, message mail.Message) error {
			Expect(mailed(next.settled(ctx))).To(Equal("Unknown Unknown"))
			return hand(ctx, settings, message)
		}
		_, membership, err := o.pass(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(mailed(membership)).To(Equal("True Sent"))
		Expect(mailed(next.settled(ctx))).To(Equal("True Sent"))
		Expect(o.mails).To(HaveLen(1))
	})

	It("that a server puts off is tried again later and later, with the same ID and another code", func(ctx SpecContext) {
		o := newOffice(invited(func(m *v1alpha1.Membership) { m.Spec.User = "" }))
		o.answer = &mail.Error{Stage: mail.StageConnect, Text: "not now"}
		hashes := map[string]bool{}
		for _, wait := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second} {
			_, membership, err := o.pass(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(mailed(membership)).To(Equal("False Retrying"))
			hashes[membership.Status.Invitation.CodeHash] = true
			result, _, err := o.pass(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(result.RequeueAfter).To(Equal(wait))
			o.clock.SetTime(o.clock.Now().Add(wait))
		}
		o.answer = nil
		membership := o.settled(ctx)
		Expect(mailed(membership)).To(Equal("True Sent"))
		Expect(membership.Status.Invitation.Sends).To(Equal(int32(1)))
		Expect(hashes).To(HaveLen(3))
		Expect(o.mails).To(HaveLen(4))
		for _, message := range o.mails {
			Expect(message.ID).To(Equal(o.mails[0].ID))
		}
	})

	It("isn't mailed past its end, by a second", func(ctx SpecContext) {
		o := newOffice(invited())
		o.clock.SetTime(made.Add(72 * time.Hour))
		Expect(mailed(o.settled(ctx))).To(BeEmpty())
		Expect(o.mails).To(BeEmpty())
		o = newOffice(invited())
		o.clock.SetTime(made.Add(72*time.Hour - time.Second))
		o.settled(ctx)
		Expect(o.mails).To(HaveLen(1))
	})

	DescribeTable("that waits for its mail stops saying so once it is over", func(
		ctx SpecContext, end func(*v1alpha1.Membership),
	) {
		o := newOffice(invited())
		o.answer = &mail.Error{Stage: mail.StageConnect, Text: "not now"}
		_, membership, err := o.pass(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(mailed(membership)).To(Equal("False Retrying"))
		end(membership)
		Expect(o.Update(ctx, membership)).To(Succeed())
		o.clock.SetTime(made.Add(71 * time.Hour))
		if membership.Spec.Response == "" {
			o.clock.SetTime(made.Add(73 * time.Hour))
		}
		membership = o.settled(ctx)
		Expect(mailed(membership)).To(Equal("False InvitationOver"))
		Expect(membership.Status.Invitation.Delivery).To(Equal(v1alpha1.MailFailed))
		Expect(membership.Status.Invitation.LastError).To(ContainSubstring("not now"))
		Expect(o.mails).To(HaveLen(1))
		Expect(o.writes).To(Equal(3), "before, after, and that it is over")
	},
		Entry("by time", func(*v1alpha1.Membership) {}),
		Entry("by being accepted", func(m *v1alpha1.Membership) { m.Spec.Response = v1alpha1.InvitationAccepted }),
		Entry("by being declined", func(m *v1alpha1.Membership) { m.Spec.Response = v1alpha1.InvitationDeclined }),
	)

	DescribeTable("that can't be mailed says why and what to do", func(
		ctx SpecContext, change func(*office, *v1alpha1.Membership), reason, message string,
	) {
		membership := invited()
		o := newOffice(membership)
		change(o, membership)
		Expect(o.Update(ctx, membership)).To(Succeed())
		membership = o.settled(ctx)
		Expect(mailed(membership)).To(Equal("False " + reason))
		Expect(membership.Status.Invitation.LastError).To(Equal(message))
		Expect(o.mails).To(BeEmpty())
		Expect(o.writes).To(Equal(1))
	},
		Entry("for want of an address", func(_ *office, m *v1alpha1.Membership) { m.Spec.User, m.Spec.Email = "bo", "" },
			"NoAddress", `no mail address of user "bo" is known: set spec.email and resend`),
		Entry("for wrong settings", func(o *office, _ *v1alpha1.Membership) {
			o.settings = &mailer.SettingsError{Secret: "roster-system/roster-mail", Problem: errors.New("host is missing")}
		}, "InvalidMailSettings", "the Secret roster-system/roster-mail can't be used: host is missing"),
	)

	It("begins anew when it is resent: life, answer and code", func(ctx SpecContext) {
		o := newOffice(invited(func(m *v1alpha1.Membership) {
			m.Spec.User, m.Spec.Response = "", v1alpha1.InvitationDeclined
			m.Annotations = map[string]string{v1alpha1.AnnotationResendInvitation: "again", v1alpha1.AnnotationChangedBy: "ana"}
			m.Status.Invitation = &v1alpha1.InvitationStatus{
				Sends: 1, MailState: v1alpha1.MailState{Delivery: v1alpha1.MailSent}, CodeHash: "h",
				CodeAddress: "bo@acme.example",
			}
		}))
		o.clock.SetTime(made.Add(100 * time.Hour))
		_, membership, err := o.pass(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(membership.Spec.Response).To(BeEmpty())
		Expect(membership.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationChangedBy, "ana"))
		state := membership.Status.Invitation
		Expect(state.OpenedAt.Time).To(BeTemporally("==", made.Add(100*time.Hour)))
		Expect(*state).To(And(HaveField("Sends", int32(2)), HaveField("CodeHash", BeEmpty()), HaveField("CodeAddress", BeEmpty())))
		membership = o.settled(ctx)
		Expect(mailed(membership)).To(Equal("True Sent"))
		Expect(o.mails[0].Text).To(ContainSubstring("Please answer before: 11 January 2027, 13:00 UTC"))
	})

	DescribeTable("mails nobody", func(ctx SpecContext, change func(*v1alpha1.Membership)) {
		o := newOffice(invited(change))
		o.settled(ctx)
		Expect(o.mails).To(BeEmpty())
		Expect(o.writes).To(BeZero())
	},
		Entry("that was accepted", func(m *v1alpha1.Membership) { m.Spec.Response = v1alpha1.InvitationAccepted }),
		Entry("that was accepted, though it is asked to be resent", func(m *v1alpha1.Membership) {
			m.Spec.Response = v1alpha1.InvitationAccepted
			m.Annotations = map[string]string{v1alpha1.AnnotationResendInvitation: "again"}
		}),
		Entry("that was declined", func(m *v1alpha1.Membership) { m.Spec.Response = v1alpha1.InvitationDeclined }),
		Entry("that is suspended", func(m *v1alpha1.Membership) { m.Spec.Suspended = true }),
		Entry("that is no invitation", func(m *v1alpha1.Membership) { m.Spec.Invitation = nil }),
		Entry("that the access sync hasn't seen yet", func(m *v1alpha1.Membership) { m.Status = v1alpha1.MembershipStatus{} }),
		Entry("beside an older Membership of the user", func(m *v1alpha1.Membership) {
			m.Status.Conditions[0].Reason = "Duplicate"
		}),
	)

	It("without mail settings says so once", func(ctx SpecContext) {
		o := newOffice(invited())
		o.settings = mailer.ErrNoSettings
		Expect(mailed(o.settled(ctx))).To(Equal("False NoMailSettings"))
		Expect(o.writes).To(Equal(1))
		o.settings = nil
		Expect(mailed(o.settled(ctx))).To(Equal("True Sent"))
	})
})
