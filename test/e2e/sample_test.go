package e2e_test

import (
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

var _ = Describe("The sample acme", Ordered, func() {
	var folder string

	BeforeAll(func() {
		root, err := environment.ModuleRoot()
		Expect(err).NotTo(HaveOccurred())
		folder = filepath.Join(root, "config", "samples", "acme")
	})

	It("is ready after one kubectl apply -k", func(ctx SpecContext) {
		_, err := cluster.Kubectl(ctx, "apply", "-k", folder)
		Expect(err).NotTo(HaveOccurred())
		_, err = cluster.Kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=120s", "org/acme", "org/acme-emea")
		Expect(err).NotTo(HaveOccurred())
		for _, namespace := range []string{"org-acme", "org-acme-emea"} {
			_, err = cluster.Kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=120s", "--namespace", namespace,
				"mbr,team,proj", "--all")
			Expect(err).NotTo(HaveOccurred())
		}
		_, err = cluster.Kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=120s", "--namespace=org-acme",
			"rrb,rrole", "--all")
		Expect(err).NotTo(HaveOccurred())
	})

	It("gives everybody what its comments say, and no more", func(ctx SpecContext) {
		shop, staging, payments, campaigns := "acme-shop", "acme-shop-staging", "acme-payments", "acme-emea-campaigns"
		acme, emea := "org-acme", "org-acme-emea"
		all := []string{shop, staging, payments, campaigns}
		const approves = "approve releases.permissions.roster.dev"

		By("ana, who owns acme and so acme-emea")
		expect.Allowed(ctx, "ana@acme.example", asDeveloper, all...)
		expect.Allowed(ctx, "ana@acme.example", asOwner, acme, emea)
		By("gus, who owns acme-emea and nothing above it")
		expect.Allowed(ctx, "gus@acme.example", asOwner, emea)
		expect.Allowed(ctx, "gus@acme.example", asDeveloper, campaigns)
		expect.Refused(ctx, "gus@acme.example", asViewer, shop, staging, payments)
		expect.Refused(ctx, "gus@acme.example", asMember, acme)
		By("bo, who runs acme and doesn't own it")
		expect.Allowed(ctx, "bo@acme.example", asAdministrator, acme, emea)
		expect.Allowed(ctx, "bo@acme.example", asDeveloper, all...)
		expect.Refused(ctx, "bo@acme.example", asOwner, acme, emea)
		By("chloe, a developer in every project of acme and, inherited, of acme-emea")
		expect.Allowed(ctx, "chloe@acme.example", asDeveloper, all...)
		expect.Refused(ctx, "chloe@acme.example", asAdministrator, acme, emea)
		By("dmitri, a viewer in acme, a developer in acme-emea, and for a time release manager of payments")
		expect.Allowed(ctx, "dmitri@acme.example", asViewer, all...)
		expect.Allowed(ctx, "dmitri@acme.example", asDeveloper, campaigns)
		expect.Refused(ctx, "dmitri@acme.example", asDeveloper, shop, staging, payments)
		expect.Allowed(ctx, "dmitri@acme.example", "patch deployments.apps", payments)
		expect.Allowed(ctx, "dmitri@acme.example", approves, payments)
		expect.Refused(ctx, "dmitri@acme.example", "patch deployments.apps", shop, staging)
		expect.Refused(ctx, "dmitri@acme.example", approves, shop, acme)
		expect.Refused(ctx, "dmitri@acme.example", "get secrets", payments)
		By("emma, a member whose team develops the shop and sees payments")
		expect.Allowed(ctx, "emma@acme.example", asMember, acme, emea)
		expect.Allowed(ctx, "emma@acme.example", asDeveloper, shop, staging)
		expect.Allowed(ctx, "emma@acme.example", asViewer, payments)
		expect.Refused(ctx, "emma@acme.example", asEditor, payments)
		expect.Refused(ctx, "emma@acme.example", asViewer, campaigns)
		By("farid, a member for billing, inherited in acme-emea, with nothing in projects")
		expect.Allowed(ctx, "farid@acme.example", "manage subscription.permissions.roster.dev", acme, emea)
		expect.Allowed(ctx, "farid@acme.example", asMember, acme, emea)
		expect.Refused(ctx, "farid@acme.example", asViewer, all...)
		By("ines, a contractor who writes the campaigns of acme-emea and touches no workload")
		expect.Allowed(ctx, "ines@agency.example", asMember, emea)
		expect.Allowed(ctx, "ines@agency.example", asEditor, campaigns)
		expect.Refused(ctx, "ines@agency.example", asDeveloper, campaigns)
		expect.Refused(ctx, "ines@agency.example", asViewer, shop, staging, payments)
		expect.Refused(ctx, "ines@agency.example", asMember, acme)
	})

	It("goes with all access after one kubectl delete -k that is confirmed, and keeps projects' namespaces", func(ctx SpecContext) {
		for _, name := range []string{"acme", "acme-emea"} {
			expect.Confirm(ctx, expectations.Organization(name, ""))
			expect.Confirm(ctx, namespaceNamed(v1alpha1.OrganizationNamespace(name), nil))
		}
		_, err := cluster.Kubectl(ctx, "delete", "-k", folder, "--wait=false")
		Expect(err).NotTo(HaveOccurred())
		for _, name := range []string{"acme", "acme-emea"} {
			expect.Gone(ctx, expectations.Organization(name, ""))
			expectNothingLeft(ctx, name)
			expect.Gone(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.OrganizationNamespace(name)}})
		}
		kept := []string{"acme-shop", "acme-shop-staging", "acme-payments", "acme-emea-campaigns"}
		expect.Refused(ctx, "ana@acme.example", asViewer, kept...)
		expect.Refused(ctx, "chloe@acme.example", asViewer, kept...)
		for _, name := range kept {
			namespace := &corev1.Namespace{}
			Expect(k8s.Get(ctx, client.ObjectKey{Name: name}, namespace)).To(Succeed())
			Expect(namespace.Labels).NotTo(HaveKey(v1alpha1.LabelOrganization))
		}
	})
})
