package manager

import (
	"crypto/tls"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("Serving metrics", func() {
	It("is open and unencrypted on the machine alone by default", func() {
		options := metricsOptions(DefaultOptions(), &metricsCertificate{})
		Expect(options.BindAddress).To(HavePrefix("127.0.0.1:"))
		Expect(options.SecureServing).To(BeFalse())
		Expect(options.FilterProvider).To(BeNil())
	})

	It("asks who may read them, and is encrypted, where it is to be secure", func() {
		asked := DefaultOptions()
		asked.MetricsSecure = true
		options := metricsOptions(asked, &metricsCertificate{})
		Expect(options.SecureServing).To(BeTrue())
		Expect(options.FilterProvider).NotTo(BeNil())

		config := &tls.Config{}
		options.TLSOpts[0](config)
		_, err := config.GetCertificate(&tls.ClientHelloInfo{})
		Expect(err).To(MatchError(ContainSubstring("isn't there yet")), "no certificate of nobody's meanwhile")
	})

	It("takes the webhook's certificate from the folder that is given", func() {
		asked := DefaultOptions()
		asked.MetricsSecure, asked.WebhookCertDir = true, "/certificates"
		options := metricsOptions(asked, &metricsCertificate{})
		Expect(options.CertDir).To(Equal("/certificates"))
		Expect(options.TLSOpts).To(BeEmpty())
	})
})
