package e2e_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// ownedBy makes an organization and returns a client of its owner.
func ownedBy(ctx context.Context, organization, owner string) client.Client {
	GinkgoHelper()
	account := expectations.Organization(organization, owner)
	expect.Create(ctx, account)
	expect.Ready(ctx, account)
	return clientFor(cluster.As(owner))
}

// stamps are what the API server has of an object's two stamps.
func stamps(ctx context.Context, object client.Object) (changedBy, deletedBy string) {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
	return object.GetAnnotations()[v1alpha1.AnnotationChangedBy], object.GetAnnotations()[v1alpha1.AnnotationDeletedBy]
}

// expectAuthor expects who changed an object last, and that nobody is noted to have deleted it.
func expectAuthor(ctx context.Context, object client.Object, author string) {
	GinkgoHelper()
	changedBy, deletedBy := stamps(ctx, object)
	Expect(changedBy).To(Equal(author))
	Expect(deletedBy).To(BeEmpty())
}

var forgedStamps = map[string]string{
	v1alpha1.AnnotationChangedBy: "cy@elsewhere.example", v1alpha1.AnnotationDeletedBy: "cy@elsewhere.example",
}

// lastSeen gives the annotations that a User had when it went, once it is gone.
func lastSeen(ctx context.Context, user *v1alpha1.User) func() map[string]string {
	GinkgoHelper()
	watcher, err := client.NewWithWatch(cluster.Admin(), client.Options{Scheme: k8s.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	events, err := watcher.Watch(ctx, &v1alpha1.UserList{}, client.MatchingFields{"metadata.name": user.Name})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(events.Stop)
	return func() map[string]string {
		select {
		case event := <-events.ResultChan():
			if event.Type == watch.Deleted {
				return event.Object.(*v1alpha1.User).Annotations
			}
		default:
		}
		return nil
	}
}

// teamManifest is a Team as somebody applies it.
func teamManifest(organization, name, description string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "roster.dev/v1alpha1", "kind": "Team",
		"metadata": map[string]any{"namespace": v1alpha1.OrganizationNamespace(organization), "name": name},
		"spec":     map[string]any{"description": description, "role": "viewer"},
	}}
}

// applyAs applies a manifest by server-side apply.
func applyAs(ctx context.Context, as client.Client, object *unstructured.Unstructured) error {
	return as.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()),
		client.FieldOwner("pipeline"), client.ForceOwnership)
}

var _ = Describe("The stamp of who changed an object", func() {
	It("is the authenticated user, whatever a create, an update, a patch or an apply says", func(ctx SpecContext) {
		const name, ana, bo = "stamp-forged", "ana@stamp-forged", "bo@stamp-forged"
		asAna := ownedBy(ctx, name, ana)
		second := expectations.Membership(name, "bo", bo, "administrator")
		expect.Create(ctx, second)
		expect.Ready(ctx, second)
		asBo := clientFor(cluster.As(bo))

		team := &v1alpha1.Team{ObjectMeta: expectations.InOrganization(name, "press"), Spec: v1alpha1.TeamSpec{Role: "viewer"}}
		team.Annotations = forgedStamps
		Expect(asAna.Create(ctx, team)).To(Succeed())
		expectAuthor(ctx, team, ana)

		expectations.Change(ctx, expectations.New(asBo), team, func(team *v1alpha1.Team) {
			team.Spec.Description = "updated"
			team.Annotations[v1alpha1.AnnotationChangedBy] = "cy@elsewhere.example"
			team.Annotations[v1alpha1.AnnotationDeletedBy] = "cy@elsewhere.example"
		})
		expectAuthor(ctx, team, bo)

		Expect(patchAs(ctx, ana, team, `{"spec": {"description": "patched"}, "metadata": {"annotations": {
			"roster.dev/changed-by": "cy@elsewhere.example", "roster.dev/deleted-by": "cy@elsewhere.example"}}}`)).To(Succeed())
		expectAuthor(ctx, team, ana)
		for _, patch := range []string{
			`{"metadata": {"annotations": {"roster.dev/changed-by": "cy@elsewhere.example"}}}`,
			`{"metadata": {"annotations": {"roster.dev/changed-by": null}}}`,
			`{"metadata": {"annotations": null}}`,
		} {
			Expect(patchAs(ctx, bo, team, patch)).To(Succeed())
			expectAuthor(ctx, team, ana)
		}

		manifest := teamManifest(name, "press", "applied")
		manifest.SetAnnotations(forgedStamps)
		Expect(applyAs(ctx, asBo, manifest)).To(Succeed())
		expectAuthor(ctx, team, bo)
	})

	It("and the object stay untouched when the same is applied again, by anybody", func(ctx SpecContext) {
		const name, ana = "stamp-applied", "ana@stamp-applied"
		asAna := ownedBy(ctx, name, ana)
		manifest := teamManifest(name, "press", "applied")
		Expect(applyAs(ctx, asAna, manifest)).To(Succeed())
		team := &v1alpha1.Team{ObjectMeta: expectations.InOrganization(name, "press")}
		expect.Ready(ctx, team)
		expectAuthor(ctx, team, ana)
		version := team.ResourceVersion

		Expect(applyAs(ctx, asAna, manifest)).To(Succeed())
		Expect(applyAs(ctx, k8s, manifest)).To(Succeed())
		Expect(patchAs(ctx, ana, team, `{"spec": {"description": "applied"}}`)).To(Succeed())
		Expect(asAna.Update(ctx, team.DeepCopy())).To(Succeed())
		expectAuthor(ctx, team, ana)
		Expect(team.ResourceVersion).To(Equal(version))
	})

	It("isn't changed by what Roster does to an object", func(ctx SpecContext) {
		const name, ana = "stamp-finalizer", "ana@stamp-finalizer"
		asAna := ownedBy(ctx, name, ana)
		bo := expectations.Membership(name, "bo", "bo@stamp-finalizer", "viewer")
		Expect(asAna.Create(ctx, bo)).To(Succeed())
		expect.Ready(ctx, bo)
		Expect(bo.Finalizers).To(ContainElement(v1alpha1.Finalizer))
		expectAuthor(ctx, bo, ana)
	})
})

// hold is a finalizer that keeps what is deleted, so that it can be looked at.
const hold = "example.com/hold"

// dropHold takes off that finalizer and leaves Roster's, which may be there still.
func dropHold(ctx context.Context, as client.Client, membership *v1alpha1.Membership) {
	GinkgoHelper()
	expectations.Change(ctx, expectations.New(as), membership, func(membership *v1alpha1.Membership) {
		controllerutil.RemoveFinalizer(membership, hold)
	})
}

var _ = Describe("The stamp of who deletes an object", func() {
	It("can be read while a finalizer holds the object, and is the first deleter's", func(ctx SpecContext) {
		const name, ana = "stamp-held", "ana@stamp-held"
		asAna := ownedBy(ctx, name, ana)
		bo := expectations.Membership(name, "bo", "bo@stamp-held", "viewer")
		bo.Finalizers = []string{hold}
		Expect(asAna.Create(ctx, bo)).To(Succeed())
		expect.Ready(ctx, bo)

		Expect(asAna.Delete(ctx, bo)).To(Succeed())
		expect.Delete(ctx, bo)
		_, deletedBy := stamps(ctx, bo)
		Expect(deletedBy).To(Equal(ana))
		Expect(patchAs(ctx, ana, bo, `{"metadata": {"annotations": {"roster.dev/deleted-by": null}}}`)).To(Succeed())
		changedBy, deletedBy := stamps(ctx, bo)
		Expect(changedBy).To(Equal(ana))
		Expect(deletedBy).To(Equal(ana))
		dropHold(ctx, asAna, bo)
		expect.Gone(ctx, bo)
	})

	It("is on an object without a finalizer when it goes", func(ctx SpecContext) {
		const ana = "ana@stamp-gone"
		user := &v1alpha1.User{
			ObjectMeta: metav1.ObjectMeta{Name: "stamp-gone"}, Spec: v1alpha1.UserSpec{Username: "nobody@stamp-gone"},
		}
		expect.Create(ctx, user)
		Expect(user.Finalizers).To(BeEmpty())
		last := lastSeen(ctx, user)
		Expect(clientFor(cluster.As(ana, "system:masters")).Delete(ctx, user)).To(Succeed())
		Eventually(last).WithContext(ctx).Should(HaveKeyWithValue(v1alpha1.AnnotationDeletedBy, ana))
		expect.Gone(ctx, user)
	})

	It("is on all that are deleted as a collection", func(ctx SpecContext) {
		const name, ana = "stamp-collection", "ana@stamp-collection"
		asAna := ownedBy(ctx, name, ana)
		inOrganization := client.InNamespace(v1alpha1.OrganizationNamespace(name))
		var members v1alpha1.MembershipList
		for _, member := range []string{"bo", "cy", "di"} {
			membership := expectations.Membership(name, member, member+"@stamp-collection", "none")
			membership.Finalizers = []string{hold}
			Expect(asAna.Create(ctx, membership)).To(Succeed())
		}
		// As the administrator: the catalogue's roles delete one by one.
		Expect(k8s.DeleteAllOf(ctx, &v1alpha1.Membership{}, inOrganization)).To(Succeed())
		Expect(k8s.List(ctx, &members, inOrganization)).To(Succeed())
		Expect(members.Items).To(HaveLen(3))
		for i := range members.Items {
			_, deletedBy := stamps(ctx, &members.Items[i])
			Expect(deletedBy).To(Equal("local-administrator"))
			dropHold(ctx, asAna, &members.Items[i])
		}
		for i := range members.Items {
			expect.Gone(ctx, &members.Items[i])
		}
	})

	It("isn't written by a dry run, nor is anything else", func(ctx SpecContext) {
		const name, ana = "stamp-dry", "ana@stamp-dry"
		asAna := ownedBy(ctx, name, ana)
		bo := expectations.Membership(name, "bo", "bo@stamp-dry", "viewer")
		expect.Create(ctx, bo)
		expect.Ready(ctx, bo)
		version := bo.ResourceVersion

		Expect(asAna.Delete(ctx, bo, client.DryRunAll)).To(Succeed())
		changed := bo.DeepCopy()
		changed.Spec.DisplayName = "Bo"
		Expect(asAna.Update(ctx, changed, client.DryRunAll)).To(Succeed())
		Expect(changed.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationChangedBy, ana))
		Expect(asAna.Create(ctx, expectations.Membership(name, "cy", "cy@stamp-dry", "viewer"), client.DryRunAll)).To(Succeed())
		expectAuthor(ctx, bo, "local-administrator")
		Expect(bo.ResourceVersion).To(Equal(version))
	})
})

var _ = Describe("An Organization that names no owners", func() {
	// A cluster's administrator may create organizations, whoever that is.
	creator := func(user string) client.Client { return clientFor(cluster.As(user, "system:masters")) }
	withoutOwners := func(name string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "roster.dev/v1alpha1", "kind": "Organization",
			"metadata": map[string]any{"name": name}, "spec": map[string]any{"displayName": name},
		}}
	}

	It("belongs to the person who creates it", func(ctx SpecContext) {
		Expect(creator("ana@stamp-creator").Create(ctx, withoutOwners("stamp-creator"))).To(Succeed())
		organization := &v1alpha1.Organization{}
		organization.Name = "stamp-creator"
		expect.Ready(ctx, organization)
		Expect(organization.Spec.Owners).To(Equal([]v1alpha1.Username{"ana@stamp-creator"}))
		expectAuthor(ctx, organization, "ana@stamp-creator")
		expect.Allowed(ctx, "ana@stamp-creator", "create memberships.roster.dev", "org-stamp-creator")
	})

	It("is refused from a service account, which must name them", func(ctx SpecContext) {
		pipeline := creator("system:serviceaccount:flux:sync")
		Expect(pipeline.Create(ctx, withoutOwners("stamp-pipeline"))).To(MatchError(ContainSubstring("spec.owners: Required value")))
		organization := expectations.Organization("stamp-pipeline", "ana@stamp-pipeline")
		Expect(pipeline.Create(ctx, organization)).To(Succeed())
		Expect(organization.Spec.Owners).To(Equal([]v1alpha1.Username{"ana@stamp-pipeline"}))
		expectAuthor(ctx, organization, "system:serviceaccount:flux:sync")
	})
})

var _ = Describe("The webhook", func() {
	It("is asked of Roster's kinds alone", func(ctx SpecContext) {
		var mutating admissionregistrationv1.MutatingWebhookConfiguration
		var validating admissionregistrationv1.ValidatingWebhookConfiguration
		Expect(k8s.Get(ctx, client.ObjectKey{Name: "roster"}, &mutating)).To(Succeed())
		Expect(k8s.Get(ctx, client.ObjectKey{Name: "roster"}, &validating)).To(Succeed())
		var rules []admissionregistrationv1.RuleWithOperations
		for i := range mutating.Webhooks {
			rules = append(rules, mutating.Webhooks[i].Rules...)
		}
		for i := range validating.Webhooks {
			rules = append(rules, validating.Webhooks[i].Rules...)
		}
		for _, rule := range rules {
			Expect(rule.APIGroups).To(Equal([]string{v1alpha1.GroupVersion.Group}))
			Expect(rule.Resources).To(HaveEach(Not(ContainSubstring("*"))))
		}
	})

	It("isn't asked of what Roster makes itself", func(ctx SpecContext) {
		ownedBy(ctx, "stamp-own", "ana@stamp-own")
		Expect(userCalled(ctx, "ana@stamp-own").Annotations).NotTo(HaveKey(v1alpha1.AnnotationChangedBy))
	})

	It("stamps the catalogue's Roles too, though they can be written without it", func(ctx SpecContext) {
		role := &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "stamp-catalogue"}}
		expect.Create(ctx, role)
		DeferCleanup(func(ctx SpecContext) { expect.Delete(ctx, role) })
		expectAuthor(ctx, role, "local-administrator")
	})
})
