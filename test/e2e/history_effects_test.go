package e2e_test

import (
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

var _ = Describe("The history of what follows from a change", func() {
	It("tells that access was granted and revoked, and that it was the doing of who changed the object", func(ctx SpecContext) {
		const name, ana, bo = "hist-effects", "ana@acme.example", "bo@hist-effects"
		organization := expectations.Organization(name, "owner@"+name)
		project := expectations.Project(name, "shop")
		expect.Create(ctx, organization)
		expect.Ready(ctx, organization)
		expect.Create(ctx, project)
		expect.Ready(ctx, project)
		member := expectations.Membership(name, "bo", bo, "developer")
		Expect(author(ana).Create(ctx, member)).To(Succeed())
		expect.Ready(ctx, member)
		granted := told{Action: "AccessGranted", Actor: ana, Field: "access in hist-effects-shop", New: "developer: " + bo}
		Eventually(changesOf(ctx, project.UID, "AccessGranted")).WithContext(ctx).Should(ContainElement(granted))

		Expect(author("pipeline@acme.example").Delete(ctx, member)).To(Succeed())
		expect.Gone(ctx, member)
		removed := told{Action: "MemberRemoved", Actor: "pipeline@acme.example"}
		Eventually(changesOf(ctx, member.UID, "MemberRemoved")).WithContext(ctx).Should(ConsistOf(removed))
		revoked := told{Action: "AccessRevoked", Actor: "pipeline@acme.example", Field: "access in hist-effects-shop",
			Previous: "developer: " + bo}
		Eventually(changesOf(ctx, project.UID, "AccessRevoked")).WithContext(ctx).Should(ConsistOf(revoked))
		events, err := historyOf(ctx, project.UID)
		Expect(err).NotTo(HaveOccurred())
		for i := range events {
			if events[i].Action == "AccessRevoked" {
				Expect(events[i].Note).To(Equal("pipeline@acme.example: developer: " + bo +
					" → none; because of Membership/org-hist-effects/bo; in namespace hist-effects-shop: 0 granted, 1 revoked"))
				Expect(events[i].Regarding.Kind).To(Equal("Project"))
				Expect(events[i].Namespace).To(Equal("org-hist-effects"))
			}
		}
	})

	It("tells that tampering was undone, as a warning", func(ctx SpecContext) {
		const name = "hist-tampering"
		organization := expectations.Organization(name, "owner@"+name)
		project := expectations.Project(name, "shop")
		expect.Create(ctx, organization)
		expect.Ready(ctx, organization)
		expect.Create(ctx, project)
		expect.Ready(ctx, project)
		binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{
			Namespace: "hist-tampering-shop", Name: "roster:catalogue:owner:project"}}
		expect.Allowed(ctx, "owner@"+name, "get pods", "hist-tampering-shop")
		expectations.Change(ctx, expect, binding, func(binding *rbacv1.RoleBinding) {
			binding.Subjects = append(binding.Subjects,
				rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "intruder"})
		})
		undone := told{Action: "TamperingUndone", Actor: "unknown", Field: "access in hist-tampering-shop", Previous: "owner: intruder"}
		Eventually(changesOf(ctx, project.UID, "TamperingUndone")).WithContext(ctx).Should(ConsistOf(undone))
	})

	It("tells of removals that are held, and of who approved them", func(ctx SpecContext) {
		const name, ana = "hist-held", "ana@acme.example"
		organization := expectations.Organization(name, "owner@"+name)
		expect.Create(ctx, organization)
		expect.Ready(ctx, organization)
		var members []client.Object
		for n := range 25 {
			member := expectations.Membership(name, fmt.Sprintf("m%d", n), fmt.Sprintf("m%d@%s", n, name), "developer")
			expect.Create(ctx, member)
			members = append(members, member)
		}
		for _, member := range members {
			expect.Ready(ctx, member.(*v1alpha1.Membership))
		}
		expect.Delete(ctx, members...)
		var digest string
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(organization), organization)).To(Succeed())
			g.Expect(organization.Status.HeldRemovals).NotTo(BeNil())
			g.Expect(organization.Status.HeldRemovals.Count).To(BeEquivalentTo(5))
			digest = organization.Status.HeldRemovals.Digest
		}).WithContext(ctx).Should(Succeed())
		Eventually(changesOf(ctx, organization.UID, "RemovalsHeld")).WithContext(ctx).ShouldNot(BeEmpty())
		changed(ctx, ana, organization, func(o *v1alpha1.Organization) {
			o.Annotations[v1alpha1.AnnotationApproveRemovals] = digest
		})
		approved := told{Action: "RemovalsApproved", Actor: ana,
			Field: "metadata.annotations[roster.dev/approve-removals]", New: digest}
		Eventually(changesOf(ctx, organization.UID, "RemovalsApproved")).WithContext(ctx).Should(ConsistOf(approved))
		Eventually(changesOf(ctx, organization.UID, "RemovalsNoLongerHeld")).WithContext(ctx).Should(HaveLen(1))
	})
})

var _ = Describe("The history of deletions", func() {
	It("names who deleted the organization for all that goes with it", func(ctx SpecContext) {
		const name, ana = "hist-deletion", "ana@acme.example"
		organization := expectations.Organization(name, "owner@"+name)
		expect.Create(ctx, organization)
		expect.Ready(ctx, organization)
		member := expectations.Membership(name, "bo", "bo@"+name, "viewer")
		expect.Create(ctx, member)
		expect.Ready(ctx, member)
		expectations.New(author(ana)).Delete(ctx, organization)
		expect.Gone(ctx, member, organization)
		Eventually(changesOf(ctx, organization.UID, "OrganizationRemoved")).WithContext(ctx).
			Should(ConsistOf(told{Action: "OrganizationRemoved", Actor: ana}))
		Eventually(changesOf(ctx, member.UID, "MemberRemoved")).WithContext(ctx).
			Should(ConsistOf(told{Action: "MemberRemoved", Actor: ana}))
	})

	It("loses none of ten thousand changes that come at once", SpecPriority(1), func(ctx SpecContext) {
		const name, objects, patches = "hist-flood", 50, 100
		fields := []string{"spec.displayName", "spec.description"}
		organization := expectations.Organization(name, "owner@"+name)
		expect.Create(ctx, organization)
		expect.Ready(ctx, organization)
		teams := make([]*v1alpha1.Team, objects)
		workqueue.ParallelizeUntil(ctx, 16, objects, func(n int) {
			defer GinkgoRecover()
			team := &v1alpha1.Team{ObjectMeta: expectations.InOrganization(name, fmt.Sprintf("t%d", n))}
			expect.Create(ctx, team)
			teams[n] = team
			for at := range patches {
				patch := fmt.Appendf(nil, `{"spec": {"displayName": "%d", "description": "%[1]d"}}`, at)
				Expect(k8s.Patch(ctx, team, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
			}
		})
		told := func() (int, error) {
			page := &metav1.PartialObjectMetadataList{}
			page.SetGroupVersionKind(eventsv1.SchemeGroupVersion.WithKind("EventList"))
			err := k8s.List(ctx, page, client.InNamespace("org-"+name))
			described := slices.DeleteFunc(page.Items, func(event metav1.PartialObjectMetadata) bool {
				return !slices.Contains(fields, event.Annotations["roster.dev/field"])
			})
			return len(described), err
		}
		Eventually(told).WithContext(ctx).WithTimeout(2 * time.Minute).WithPolling(2 * time.Second).
			Should(Equal(objects * patches * len(fields)))
		events, err := historyOf(ctx, teams[7].UID)
		Expect(err).NotTo(HaveOccurred())
		for _, field := range fields {
			news := map[string]string{}
			for i := range events {
				if told := tell(&events[i]); told.Field == field {
					news[told.Previous] = told.New
				}
			}
			value := ""
			for at := range patches {
				Expect(news).To(HaveKeyWithValue(value, fmt.Sprint(at)), field)
				value = fmt.Sprint(at)
			}
		}
	}, SpecTimeout(5*time.Minute))
})
