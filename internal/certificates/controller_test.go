package certificates

import (
	"context"
	"crypto/x509"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

const day = 24 * time.Hour

// installed is a cluster with the webhook configurations, and a clock.
type installed struct {
	client.Client
	clock  *clocktesting.FakePassiveClock
	writes []client.Object
}

func install() *installed {
	i := &installed{clock: clocktesting.NewFakePassiveClock(time.Now())}
	named := metav1.ObjectMeta{Name: ConfigurationName}
	i.Client = fake.NewClientBuilder().WithObjects(
		&admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: named, Webhooks: make([]admissionregistrationv1.MutatingWebhook, 2),
		},
		&admissionregistrationv1.ValidatingWebhookConfiguration{
			ObjectMeta: named, Webhooks: make([]admissionregistrationv1.ValidatingWebhook, 1),
		},
	).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, client client.WithWatch, object client.Object, options ...client.CreateOption) error {
			i.writes = append(i.writes, object)
			return client.Create(ctx, object, options...)
		},
		Update: func(ctx context.Context, client client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			i.writes = append(i.writes, object)
			return client.Update(ctx, object, options...)
		},
	}).Build()
	return i
}

// reconcile is one pass of the controller, and what is kept after it.
func (i *installed) reconcile(ctx context.Context) (ctrl.Result, data) {
	GinkgoHelper()
	i.writes = nil
	result, err := (&Reconciler{Client: i, Clock: i.clock}).Reconcile(ctx, theSecret)
	Expect(err).NotTo(HaveOccurred())
	var secret corev1.Secret
	Expect(i.Get(ctx, theSecret.NamespacedName, &secret)).To(Succeed())
	return result, secret.Data
}

// trusted are the bundles of all webhooks.
func (i *installed) trusted(ctx context.Context) []string {
	GinkgoHelper()
	var bundles []string
	for _, configuration := range []client.Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{},
	} {
		Expect(i.Get(ctx, client.ObjectKey{Name: ConfigurationName}, configuration)).To(Succeed())
		for _, config := range clientConfigs(configuration) {
			bundles = append(bundles, string(config.CABundle))
		}
	}
	return bundles
}

// expectTrust expects that a client with the bundle trusts a serving certificate.
func expectTrust(bundle string, serving []byte, now time.Time) {
	GinkgoHelper()
	roots := x509.NewCertPool()
	Expect(roots.AppendCertsFromPEM([]byte(bundle))).To(BeTrue())
	_, err := parse(serving).Verify(x509.VerifyOptions{Roots: roots, DNSName: "roster.roster-system.svc", CurrentTime: now})
	Expect(err).NotTo(HaveOccurred())
}

var _ = Describe("The webhook's certificates", func() {
	It("are made once, and trusted in all webhooks", func(ctx SpecContext) {
		i := install()
		result, kept := i.reconcile(ctx)
		authority := string(kept[AuthorityCertificate])
		Expect(i.trusted(ctx)).To(Equal([]string{authority, authority, authority}))
		expectTrust(authority, kept[corev1.TLSCertKey], i.clock.Now())
		Expect(result.RequeueAfter).To(BeNumerically("~", servingLife-renewBefore, 2*time.Second))
	})

	It("cost no write while they last, and the serving one is renewed in time and with the same authority", func(ctx SpecContext) {
		i := install()
		result, before := i.reconcile(ctx)
		i.clock.SetTime(i.clock.Now().Add(result.RequeueAfter - time.Minute))
		_, kept := i.reconcile(ctx)
		Expect(i.writes).To(BeEmpty())
		Expect(kept).To(Equal(before))

		i.clock.SetTime(i.clock.Now().Add(2 * time.Minute))
		_, kept = i.reconcile(ctx)
		Expect(i.writes).To(HaveLen(1))
		Expect(kept[AuthorityCertificate]).To(Equal(before[AuthorityCertificate]))
		Expect(kept[corev1.TLSCertKey]).NotTo(Equal(before[corev1.TLSCertKey]))
		expectTrust(string(kept[AuthorityCertificate]), kept[corev1.TLSCertKey], i.clock.Now())
	})

	It("are trusted across the change of the authority, which is forgotten a renewal later", func(ctx SpecContext) {
		i := install()
		_, first := i.reconcile(ctx)
		i.clock.SetTime(i.clock.Now().Add(authorityLife - renewBefore - 2*day))
		_, before := i.reconcile(ctx)
		Expect(before[AuthorityCertificate]).To(Equal(first[AuthorityCertificate]))

		i.clock.SetTime(i.clock.Now().Add(3 * day))
		_, kept := i.reconcile(ctx)
		Expect(i.writes[0]).To(BeAssignableToTypeOf(&corev1.Secret{}), "the authority comes first")
		Expect(i.writes[3]).To(BeAssignableToTypeOf(&corev1.Secret{}), "what it signed is served once it is trusted")
		Expect(i.writes).To(HaveLen(4))
		bundle := i.trusted(ctx)[0]
		expectTrust(bundle, before[corev1.TLSCertKey], i.clock.Now())
		expectTrust(bundle, kept[corev1.TLSCertKey], i.clock.Now())
		i.reconcile(ctx)
		Expect(i.writes).To(BeEmpty())

		i.clock.SetTime(i.clock.Now().Add(servingLife - renewBefore))
		i.reconcile(ctx)
		_, kept = i.reconcile(ctx)
		Expect(i.trusted(ctx)).To(HaveEach(string(present([]byte(bundle)))))
		expectTrust(string(kept[AuthorityCertificate]), kept[corev1.TLSCertKey], i.clock.Now())
	})

	It("are made before there are configurations, and trusted in those that come", func(ctx SpecContext) {
		i := install()
		mutating := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: ConfigurationName}}
		Expect(i.Delete(ctx, mutating)).To(Succeed())
		i.reconcile(ctx)
		mutating = &admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: ConfigurationName}, Webhooks: make([]admissionregistrationv1.MutatingWebhook, 1),
		}
		Expect(i.Create(ctx, mutating)).To(Succeed())
		_, kept := i.reconcile(ctx)
		Expect(i.writes).To(HaveLen(1))
		Expect(i.trusted(ctx)).To(HaveEach(string(kept[AuthorityCertificate])))
	})

	It("are made anew where somebody has spoilt them", func(ctx SpecContext) {
		i := install()
		i.reconcile(ctx)
		var secret corev1.Secret
		Expect(i.Get(ctx, theSecret.NamespacedName, &secret)).To(Succeed())
		secret.Data[AuthorityKey] = []byte("spoilt")
		secret.Data[corev1.TLSCertKey] = nil
		Expect(i.Update(ctx, &secret)).To(Succeed())
		_, kept := i.reconcile(ctx)
		expectTrust(i.trusted(ctx)[0], kept[corev1.TLSCertKey], i.clock.Now())
	})
})

var _ = Describe("The certificate that is served", func() {
	It("is the one of the Secret, also after a renewal", func(ctx SpecContext) {
		i := install()
		serving := NewServing(i)
		_, err := serving.Current(ctx)
		Expect(err).To(MatchError(ContainSubstring("read the webhook's certificate: ")))

		_, kept := i.reconcile(ctx)
		certificate, err := serving.Current(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(certificate.Leaf.Equal(parse(kept[corev1.TLSCertKey]))).To(BeTrue())
		again, err := serving.Current(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(again).To(BeIdenticalTo(certificate), "it is read once")

		i.clock.SetTime(i.clock.Now().Add(servingLife - day))
		_, kept = i.reconcile(ctx)
		certificate, err = serving.Current(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(certificate.Leaf.Equal(parse(kept[corev1.TLSCertKey]))).To(BeTrue())
	})
})
