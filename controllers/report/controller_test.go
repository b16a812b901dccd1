package report

import (
	"context"
	"errors"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/mail"
	"github.com/roster-dev/roster/internal/mailer"
	"github.com/roster-dev/roster/internal/reports"
	"github.com/roster-dev/roster/internal/snapshot"
)

var (
	november = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	december = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	january  = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
)

// office is an installation with a clock, and what it has mailed and written.
type office struct {
	*Reconciler
	clock  *clocktesting.FakePassiveClock
	mails  []mail.Message
	writes int
	// answers of the mail server by recipient.
	answers map[string]error
	// settings says what is wrong with them.
	settings error
	// writesFail once a mail was sent.
	writesFail error
}

// Settings implements Mailer.
func (o *office) Settings(context.Context) (mail.Settings, error) {
	settings, err := mail.ParseSettings(map[string][]byte{"host": []byte("smtp.acme.example"), "from": []byte("roster@acme.example")})
	return settings, errors.Join(o.settings, err)
}

func open(change ...func(*v1alpha1.Organization)) *office {
	GinkgoHelper()
	organization := &v1alpha1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: "acme", UID: "u1"},
		Spec: v1alpha1.OrganizationSpec{
			Owners: []v1alpha1.Username{"ana@acme.example"}, Reports: v1alpha1.ReportPolicy{Monthly: true},
		},
	}
	for _, change := range change {
		change(organization)
	}
	o := &office{clock: clocktesting.NewFakePassiveClock(november), answers: map[string]error{}}
	written := func() error {
		if o.writesFail != nil && len(o.mails) > 0 {
			return o.writesFail
		}
		o.writes++
		return nil
	}
	scheme := runtime.NewScheme()
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	store := indexed(fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(organization).WithObjects(organization,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: "org-acme", Labels: map[string]string{v1alpha1.LabelOrganization: "acme"},
		}},
	)).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			return errors.Join(written(), c.Create(ctx, object, options...))
		},
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			if err := written(); err != nil {
				return err
			}
			return c.Update(ctx, object, options...)
		},
		SubResourceUpdate: func(
			ctx context.Context, c client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption,
		) error {
			return errors.Join(written(), c.SubResource(name).Update(ctx, object, options...))
		},
	}).Build()
	o.Reconciler = o.on(store)
	return o
}

// indexed has the indexes that the caches keep.
func indexed(builder *fake.ClientBuilder) *fake.ClientBuilder {
	Expect(snapshot.AddIndexes(context.Background(), indexer{builder})).To(Succeed())
	return builder
}

type indexer struct{ builder *fake.ClientBuilder }

// IndexField implements client.FieldIndexer.
func (i indexer) IndexField(_ context.Context, object client.Object, field string, values client.IndexerFunc) error {
	i.builder.WithIndex(object, field, values)
	return nil
}

// on is a controller that has just started, on what was there before.
func (o *office) on(store client.Client) *Reconciler {
	return &Reconciler{
		Client: store, Live: store, Clock: o.clock, Store: &reports.Store{Live: store, Writer: store},
		Office: &mailer.Office{Source: o, Clock: o.clock, Hand: func(_ context.Context, _ mail.Settings, message mail.Message) error {
			o.mails = append(o.mails, message)
			return o.answers[message.To.Address]
		}},
	}
}

func (o *office) restart() { o.Reconciler = o.on(o.Client) }

// pass is one pass; it says when the next is due and what is said on the Organization.
func (o *office) pass(ctx context.Context) (due time.Time, said string, err error) {
	GinkgoHelper()
	result, err := o.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKey{Name: "acme"}})
	organization := &v1alpha1.Organization{}
	Expect(o.Get(ctx, client.ObjectKey{Name: "acme"}, organization)).To(Succeed())
	if condition := meta.FindStatusCondition(organization.Status.Conditions, v1alpha1.ConditionReported); condition != nil {
		said = fmt.Sprintf("%s %s: %s", condition.Status, condition.Reason, condition.Message)
	}
	return o.clock.Now().Add(result.RequeueAfter), said, err
}

// passes is a pass that must succeed.
func (o *office) passes(ctx context.Context) (time.Time, string) {
	GinkgoHelper()
	due, said, err := o.pass(ctx)
	Expect(err).NotTo(HaveOccurred())
	return due, said
}

var _ = Describe("Monthly reports", func() {
	It("are mailed at the first instant of the next month, once, though the manager restarts twice that day", func(ctx SpecContext) {
		o := open()
		due, said := o.passes(ctx)
		Expect(due).To(Equal(december))
		Expect(said).To(Equal("Unknown Waiting: no month has ended since monthly reports were switched on; " +
			"the report of 2026-11 is due on 1 December 2026, 00:00 UTC"))
		o.clock.SetTime(december.Add(-time.Second))
		due, _ = o.passes(ctx)
		Expect(due).To(Equal(december))
		Expect(o.mails).To(BeEmpty())

		o.clock.SetTime(december)
		due, said = o.passes(ctx)
		Expect(due).To(Equal(january))
		Expect(said).To(Equal("True Sent: the report of 2026-11 was mailed to 1 of 1 recipients; " +
			"the report of 2026-12 is due on 1 January 2027, 00:00 UTC"))
		Expect(o.mails).To(HaveLen(1))
		Expect(o.mails[0].To.Address).To(Equal("ana@acme.example"))
		Expect(o.mails[0].Subject).To(Equal("acme: members and what stands out, November 2026"))
		Expect(o.mails[0].Text).To(ContainSubstring("ana@acme.example  owner  Owner   Active"))
		Expect(o.mails[0].Attachments).To(ConsistOf(HaveField("Name", "acme-2026-11.csv")))

		writes := o.writes
		for hour := range 2 {
			o.restart()
			o.clock.SetTime(december.Add(time.Duration(hour+1) * time.Hour))
			due, _ = o.passes(ctx)
			Expect(due).To(Equal(january))
		}
		Expect(o.mails).To(HaveLen(1))
		Expect(o.writes).To(Equal(writes), "a restarted manager writes nothing")
	})

	It("of a month that ended while the manager was down are mailed when it is back, and of several only the last", func(ctx SpecContext) {
		o := open()
		o.passes(ctx)
		o.restart()
		o.clock.SetTime(time.Date(2027, 2, 3, 10, 0, 0, 0, time.UTC))
		due, said := o.passes(ctx)
		Expect(due).To(Equal(time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)))
		Expect(said).To(HavePrefix("True Sent: the report of 2027-01 was mailed"))
		Expect(o.mails).To(HaveLen(1))
		Expect(o.mails[0].Text).To(ContainSubstring("Report of January 2027, as of 3 February 2027, 10:00 UTC"))
	})

	It("aren't mailed of a month that had ended before they were switched on", func(ctx SpecContext) {
		o := open()
		o.clock.SetTime(december)
		o.passes(ctx)
		Expect(o.mails).To(BeEmpty())
		o.clock.SetTime(january)
		o.passes(ctx)
		Expect(o.mails).To(HaveLen(1))
	})

	It("go to the recipients that are named, each for itself", func(ctx SpecContext) {
		o := open(func(o *v1alpha1.Organization) {
			o.Spec.Reports.Recipients = []v1alpha1.MailAddress{"audit@acme.example", "it@acme.example", "audit@acme.example"}
		})
		o.passes(ctx)
		o.answers["audit@acme.example"] = &mail.Error{Stage: mail.StageConnect, Text: "not now"}
		o.clock.SetTime(december)
		due, said := o.passes(ctx)
		Expect(due).To(Equal(december.Add(2 * time.Second)))
		Expect(said).To(HavePrefix("False NotSentToAll: the report of 2026-11 was mailed to 1 of 2 recipients: audit@acme.example: Retrying"))
		delete(o.answers, "audit@acme.example")
		o.clock.SetTime(due)
		_, said = o.passes(ctx)
		Expect(said).To(HavePrefix("True Sent: the report of 2026-11 was mailed to 2 of 2 recipients"))
		Expect(o.mails).To(HaveLen(3))
		Expect(o.mails[2].ID).To(Equal(o.mails[0].ID))
		Expect(o.mails[1].ID).NotTo(Equal(o.mails[0].ID))
	})

	It("whose sender died between the mail and its record aren't mailed again, and say so", func(ctx SpecContext) {
		o := open()
		o.passes(ctx)
		o.clock.SetTime(december)
		o.writesFail = errors.New("killed")
		_, _, err := o.pass(ctx)
		Expect(err).To(MatchError(ContainSubstring("killed")))
		Expect(o.mails).To(HaveLen(1))
		o.writesFail = nil
		o.restart()
		_, said := o.passes(ctx)
		Expect(said).To(ContainSubstring("ana@acme.example: Unknown: Roster was stopped while the mail was being sent"))
		Expect(o.mails).To(HaveLen(1))
	})

	It("whose outcome can't be written are mailed no second time, and it is written once that works", func(ctx SpecContext) {
		o := open()
		o.passes(ctx)
		o.clock.SetTime(december)
		o.writesFail = errors.New("the API server is away")
		_, _, err := o.pass(ctx)
		Expect(err).To(HaveOccurred())
		o.writesFail = nil
		_, said := o.passes(ctx)
		Expect(said).To(HavePrefix("True Sent"))
		Expect(o.mails).To(HaveLen(1))
	})

	It("wait for mail settings, and are as of the month's end when these come", func(ctx SpecContext) {
		o := open()
		o.passes(ctx)
		o.settings = fmt.Errorf("%w: make the Secret", mailer.ErrNoSettings)
		o.clock.SetTime(december)
		due, said := o.passes(ctx)
		Expect(due).To(Equal(january))
		Expect(said).To(Equal("False NoMailSettings: the report of 2026-11 is kept and waits to be mailed: no mail settings: make the Secret"))
		writes := o.writes
		o.restart()
		o.passes(ctx)
		Expect(o.writes).To(Equal(writes))
		o.settings = nil
		o.clock.SetTime(december.Add(48 * time.Hour))
		o.passes(ctx)
		Expect(o.mails).To(HaveLen(1))
		Expect(o.mails[0].Text).To(ContainSubstring("as of 1 December 2026, 00:00 UTC"))
	})

	It("are said not to reach an owner without an address", func(ctx SpecContext) {
		o := open(func(o *v1alpha1.Organization) { o.Spec.Owners = []v1alpha1.Username{"ana"} })
		o.passes(ctx)
		o.clock.SetTime(december)
		_, said := o.passes(ctx)
		Expect(said).To(ContainSubstring("mailed to 0 of 1 recipients: ana: Failed: no mail address is known: set spec.email of the User"))
	})

	It("that are switched off are forgotten, and begin anew with the next month", func(ctx SpecContext) {
		o := open()
		o.passes(ctx)
		monthly := func(on bool) {
			organization := &v1alpha1.Organization{}
			Expect(o.Get(ctx, client.ObjectKey{Name: "acme"}, organization)).To(Succeed())
			organization.Spec.Reports.Monthly = on
			Expect(o.Update(ctx, organization)).To(Succeed())
		}
		monthly(false)
		_, said := o.passes(ctx)
		Expect(said).To(BeEmpty())
		o.clock.SetTime(december.Add(time.Hour))
		monthly(true)
		due, _ := o.passes(ctx)
		Expect(due).To(Equal(january))
		Expect(o.mails).To(BeEmpty())
	})
})
