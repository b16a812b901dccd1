package certificates

import (
	"encoding/base64"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("The APIServices", func() {
	It("trust the authority once they are there, and cost no further write", func(ctx SpecContext) {
		i := install()
		_, kept := i.reconcile(ctx)
		for _, name := range APIServiceNames {
			service := newAPIService()
			service.SetName(name)
			Expect(i.Client.Create(ctx, service)).To(Succeed())
		}
		i.reconcile(ctx)
		Expect(i.writes).To(HaveLen(len(APIServiceNames)))
		for _, name := range APIServiceNames {
			service := newAPIService()
			Expect(i.Get(ctx, client.ObjectKey{Name: name}, service)).To(Succeed())
			bundle, _, err := unstructured.NestedString(service.Object, "spec", "caBundle")
			Expect(err).NotTo(HaveOccurred())
			Expect(base64.StdEncoding.DecodeString(bundle)).To(Equal(kept[AuthorityCertificate]))
		}
		i.reconcile(ctx)
		Expect(i.writes).To(BeEmpty())
	})
})
