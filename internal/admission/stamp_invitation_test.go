package admission

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/roster-dev/roster/api/v1alpha1"
)

var _ = Describe("A Membership that is made where acceptance has only just become required, or not required", func() {
	holding := func(organizations ...client.Object) client.Reader {
		scheme := runtime.NewScheme()
		Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
		return fake.NewClientBuilder().WithScheme(scheme).WithObjects(organizations...).Build()
	}
	reader := func(required bool) client.Reader {
		acme := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme"}}
		acme.Spec.Membership.RequireAcceptance = required
		return holding(acme)
	}
	request := func(operation admissionv1.Operation, resource, namespace, name, object string) admission.Request {
		raw := runtime.RawExtension{Raw: []byte(object)}
		return admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Operation: operation, Namespace: namespace, Name: name, Object: raw, OldObject: raw,
			Resource: metav1.GroupVersionResource{Group: "roster.dev", Version: "v1alpha1", Resource: resource},
		}}
	}
	invites := func(ctx SpecContext, stamper *Stamper) bool {
		answer := stamper.Handle(ctx, request(admissionv1.Create, "memberships", "org-acme", "bo",
			`{"metadata": {"name": "bo"}, "spec": {"user": "bo@acme.example"}}`))
		Expect(answer.Allowed).To(BeTrue(), "%v", answer.Result)
		for _, patch := range answer.Patches {
			if patch.Path == "/spec/invitation" {
				return true
			}
		}
		return false
	}

	It("is what the API server says, though the caches don't know of it yet", func(ctx SpecContext) {
		for _, required := range []bool{true, false} {
			stamper := NewStamper(reader(!required), reader(required))
			stamper.Handle(ctx, request(admissionv1.Update, "organizations", "", "acme", `{}`))
			Expect(invites(ctx, stamper)).To(Equal(required))
		}
	})

	It("is what the API server says of an organization that the caches don't hold yet", func(ctx SpecContext) {
		for _, required := range []bool{true, false} {
			Expect(invites(ctx, NewStamper(holding(), reader(required)))).To(Equal(required))
		}
		Expect(invites(ctx, NewStamper(holding(), holding()))).To(BeFalse())
	})

	It("costs the API server nothing while no organization, or another one, has changed", func(ctx SpecContext) {
		for _, required := range []bool{true, false} {
			stamper := NewStamper(reader(required), nil)
			Expect(invites(ctx, stamper)).To(Equal(required))
			stamper.Handle(ctx, request(admissionv1.Update, "organizations", "", "globex", `{}`))
			Expect(invites(ctx, stamper)).To(Equal(required))
		}
	})
})
