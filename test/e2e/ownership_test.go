package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

var _ = Describe("What somebody applied", func() {
	It("is never written by Roster: a repository's tool sees no drift", func(ctx SpecContext) {
		manifest := filepath.Join(GinkgoT().TempDir(), "organization.yaml")
		Expect(os.WriteFile(manifest, []byte(`
apiVersion: roster.dev/v1alpha1
kind: Organization
metadata: {name: as-applied}
spec:
  owners: [ana@as-applied]
  membership: {defaultRoles: [viewer], invitationTTL: 72h}
---
apiVersion: v1
kind: Namespace
metadata: {name: org-as-applied, labels: {roster.dev/organization: as-applied}}
---
apiVersion: roster.dev/v1alpha1
kind: Membership
metadata: {name: bo, namespace: org-as-applied}
spec: {user: bo@as-applied, invitation: {expiresAfter: 90m}}
---
apiVersion: roster.dev/v1alpha1
kind: Project
metadata: {name: shop, namespace: org-as-applied}
spec: {namespaces: [as-applied-shop]}
`), 0o600)).To(Succeed())
		_, err := cluster.Kubectl(ctx, "apply", "--server-side", "-f", manifest)
		Expect(err).NotTo(HaveOccurred())
		organization := &v1alpha1.Organization{}
		organization.Name = "as-applied"
		expect.Ready(ctx, organization)

		for kind, name := range map[string]string{
			"Organization": "as-applied", "Membership": "org-as-applied/bo", "Project": "org-as-applied/shop",
		} {
			object := &unstructured.Unstructured{}
			object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
			namespace, base := filepath.Split(name)
			key := client.ObjectKey{Namespace: filepath.Clean(namespace), Name: base}
			if namespace == "" {
				key.Namespace = ""
			}
			Eventually(func(g Gomega) {
				g.Expect(k8s.Get(ctx, key, object)).To(Succeed())
				g.Expect(object.GetFinalizers()).To(ContainElement(v1alpha1.Finalizer))
			}).WithContext(ctx).Should(Succeed())
			Expect(object.GetGeneration()).To(BeEquivalentTo(1), "%s %s", kind, name)
			for _, entry := range object.GetManagedFields() {
				if entry.Manager == "kubectl" {
					continue
				}
				var fields map[string]any
				Expect(json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields)).To(Succeed())
				Expect(fields).NotTo(HaveKey("f:spec"), "%s by %s", kind, entry.Manager)
			}
		}
		spec, err := cluster.Kubectl(ctx, "get", "organization", "as-applied", "-o", "jsonpath={.spec.membership.invitationTTL}")
		Expect(err).NotTo(HaveOccurred())
		Expect(spec).To(Equal("72h"))
	})
})
