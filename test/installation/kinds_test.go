package installation_test

import (
	"context"
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

// deleteKind confirms and deletes a CustomResourceDefinition, with which the API server deletes all objects of the kind,
// unasked, and waits until it has begun to.
func (i *installation) deleteKind(ctx context.Context, name string) {
	GinkgoHelper()
	i.does(ctx, "annotate", "crd", name, "roster.dev/confirm-deletion="+name)
	i.does(ctx, "delete", "crd", name, "--wait=false")
}

func secretIn(namespace string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "precious"}}
}

var _ = Describe("When the CustomResourceDefinition of organizations is deleted", Ordered, func() {
	var i *installation
	var acme, other company

	BeforeAll(func(ctx context.Context) {
		i = install(ctx, environment.Options{})
		acme, other = i.found(ctx, "acme", 3, "viewer"), i.found(ctx, "other", 1, "viewer")
		i.Create(ctx, secretIn(acme.namespace()), secretIn(acme.shop()), secretIn(other.namespace()))
		i.deleteKind(ctx, "organizations.roster.dev")
	})

	unharmed := func(ctx context.Context, c company) {
		GinkgoHelper()
		Expect(i.Get(ctx, client.ObjectKey{Name: c.Name}, c.Organization)).To(Succeed())
		for _, namespace := range []string{c.namespace(), c.shop()} {
			found := &corev1.Namespace{}
			Expect(i.Get(ctx, client.ObjectKey{Name: namespace}, found)).To(Succeed())
			Expect(found.DeletionTimestamp).To(BeNil())
			Expect(found.Labels).To(HaveKeyWithValue(v1alpha1.LabelOrganization, c.Name))
		}
		Expect(i.Get(ctx, client.ObjectKeyFromObject(secretIn(c.namespace())), &corev1.Secret{})).To(Succeed())
		i.expectOnly(ctx, c, seePods, c.people)
		i.Allowed(ctx, c.owner(), deploy, c.shop())
	}

	It("an Organization that nobody confirmed stays in force with its namespaces and Secrets, and says so", func(ctx SpecContext) {
		Eventually(func() (*metav1.Time, error) {
			err := i.Get(ctx, client.ObjectKey{Name: acme.Name}, acme.Organization)
			return acme.DeletionTimestamp, err
		}).WithContext(ctx).ShouldNot(BeNil())
		i.NotReady(ctx, acme.Organization, "DeletionUnconfirmed")
		i.NotReady(ctx, other.Organization, "DeletionUnconfirmed")
		unharmed(ctx, acme)
		Expect(i.manager.Restart(ctx)).To(Succeed())
		Consistently(func() error {
			return i.Get(ctx, client.ObjectKey{Name: acme.Name}, acme.Organization)
		}).WithContext(ctx).Should(Succeed())
		unharmed(ctx, acme)
		unharmed(ctx, other)
	})

	It("what takes access from somebody is in force all the same", func(ctx SpecContext) {
		i.Delete(ctx, expectations.Membership(acme.Name, "bo-002", ""))
		i.Refused(ctx, acme.people[2], seePods, acme.shop())
		acme.people = acme.people[:2]
	})

	It("an Organization that is confirmed goes with its namespace", func(ctx SpecContext) {
		i.Delete(ctx, expectations.Project(other.Name, "shop"))
		i.Gone(ctx, expectations.Project(other.Name, "shop"))
		i.does(ctx, "annotate", "organizations.roster.dev", other.Name, "roster.dev/confirm-deletion="+other.Name)
		i.Gone(ctx, other.Organization, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: other.namespace()}})
		i.expectOnly(ctx, other, seePods, nil)
	})

	It("the kind is made again as the documentation says, and nobody lost anything", func(ctx SpecContext) {
		var saved v1alpha1.OrganizationList
		Expect(i.List(ctx, &saved)).To(Succeed())
		Expect(i.manager.Stop()).To(Succeed())
		i.does(ctx, "delete", "mutatingwebhookconfiguration/roster", "validatingwebhookconfiguration/roster")
		for _, organization := range saved.Items {
			Eventually(func() string {
				return i.kubectl(ctx, "patch", "organizations.roster.dev", organization.Name, "--type=merge",
					"--patch", `{"metadata": {"finalizers": null}}`)
			}).WithContext(ctx).Should(BeEmpty())
		}
		i.does(ctx, "wait", "--for=delete", "crd/organizations.roster.dev", "--timeout=60s")
		root, err := environment.ModuleRoot()
		Expect(err).NotTo(HaveOccurred())
		Expect(i.cluster.Apply(ctx, filepath.Join(root, "config", "crd"))).To(Succeed())
		i.does(ctx, "wait", "--for=condition=Established", "crd/organizations.roster.dev", "--timeout=60s")
		for _, organization := range saved.Items {
			again := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: organization.Name}, Spec: organization.Spec}
			Eventually(func() error { return i.Client.Create(ctx, again) }).WithContext(ctx).Should(Succeed())
		}
		i.expectOnly(ctx, acme, seePods, acme.people)
		Expect(i.manager.Restart(ctx)).To(Succeed())
		Expect(i.cluster.ConnectWebhook(ctx)).To(Succeed())
		i.Ready(ctx, expectations.Organization(acme.Name, ""))
		unharmed(ctx, acme)
	})
})

var _ = Describe("When the CustomResourceDefinition of projects is deleted", Ordered, func() {
	It("a Project that deletes its namespaces keeps them, since nobody confirmed it", func(ctx SpecContext) {
		i := install(ctx, environment.Options{})
		acme := i.found(ctx, "acme", 1, "viewer")
		shop := expectations.Project(acme.Name, "shop")
		expectations.Change(ctx, i.Expectations, shop, func(project *v1alpha1.Project) {
			project.Spec.DeletionPolicy = v1alpha1.DeletionDelete
		})
		i.Create(ctx, secretIn(acme.shop()))
		i.deleteKind(ctx, "projects.roster.dev")
		Eventually(func() string { return i.kubectl(ctx, "get", "crd", "projects.roster.dev") }).WithContext(ctx).
			Should(ContainSubstring("not found"))
		Expect(i.Get(ctx, client.ObjectKeyFromObject(secretIn(acme.shop())), &corev1.Secret{})).To(Succeed())
		found := &corev1.Namespace{}
		Expect(i.Get(ctx, client.ObjectKey{Name: acme.shop()}, found)).To(Succeed())
		Expect(found.DeletionTimestamp).To(BeNil())
	})
})
