package admission

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/roster-dev/roster/api/v1alpha1"
)

var _ = Describe("An organization that has just begun to require acceptance", func() {
	unasked := &v1alpha1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "bo"}, Spec: v1alpha1.MembershipSpec{User: boUser},
	}
	asked := unasked.DeepCopy()
	asked.Spec.Invitation = &v1alpha1.InvitationSpec{}

	var acme *v1alpha1.Organization
	refusal := func(ctx SpecContext, before, after *v1alpha1.Membership) error {
		scheme := runtime.NewScheme()
		Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
		live := fake.NewClientBuilder().WithScheme(scheme).WithObjects(acme).Build()
		question := &review{Validator: &Validator{Live: live}, ctx: ctx, organization: acme.Name}
		return question.expectUnasked(before, after)()
	}

	BeforeEach(func() {
		acme = &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme"}}
		acme.Spec.Membership.RequireAcceptance = true
	})

	It("lets nobody in unasked, though the caches don't know of it yet", func(ctx SpecContext) {
		Expect(refusal(ctx, nil, unasked)).To(MatchError(ContainSubstring(
			`spec.invitation: organization "acme" has just begun to require that who becomes a member accepts`)))
	})

	It("takes invitations, and what members it has", func(ctx SpecContext) {
		Expect(refusal(ctx, nil, asked)).To(Succeed())
		Expect(refusal(ctx, unasked, unasked)).To(Succeed())
		Expect(refusal(ctx, unasked, nil)).To(Succeed())
	})

	It("lets people in as before where it doesn't require that", func(ctx SpecContext) {
		acme.Spec.Membership.RequireAcceptance = false
		Expect(refusal(ctx, nil, unasked)).To(Succeed())
	})
})
