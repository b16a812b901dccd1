package admission

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

const (
	boUser      = "bo@acme.example"
	pipeline    = "system:serviceaccount:flux:sync"
	byAna       = `"roster.dev/changed-by": "ana@acme.example"`
	noPatch     = `null`
	stampedByBo = `[{"op": "add", "path": "/metadata/annotations", "value": {"roster.dev/changed-by": "bo@acme.example"}}]`
)

// write is a request to write an object. The old one is empty at creation.
type write struct {
	resource, user string
	// namespace of the request; "org-acme" where it doesn't matter.
	namespace   string
	old, object string
}

// answer is the patch that the webhook answers with.
func (w write) answer(ctx context.Context) string {
	GinkgoHelper()
	request := admissionv1.AdmissionRequest{
		Operation: admissionv1.Create,
		Namespace: cmp.Or(w.namespace, "org-acme"),
		Resource:  metav1.GroupVersionResource{Group: "roster.dev", Version: "v1alpha1", Resource: w.resource},
		UserInfo:  authenticationv1.UserInfo{Username: w.user},
		Object:    runtime.RawExtension{Raw: []byte(w.object)},
	}
	if w.old != "" {
		request.Operation = admissionv1.Update
		request.OldObject.Raw = []byte(w.old)
	}
	response := NewStamper(nil, nil).Handle(ctx, admission.Request{AdmissionRequest: request})
	Expect(response.Allowed).To(BeTrue(), "%v", response.Result)
	patch, err := json.Marshal(response.Patches)
	Expect(err).NotTo(HaveOccurred())
	return string(patch)
}

// team is one with such annotations, labels and role.
func team(annotations, labels, role string) string {
	return fmt.Sprintf(`{"metadata": {"name": "shop", "annotations": {%s}, "labels": {%s}}, "spec": {"role": %q}}`,
		annotations, labels, role)
}

var _ = Describe("The stamp", func() {
	DescribeTable("of a new object is the authenticated user, whatever it says itself",
		func(ctx SpecContext, object string) {
			Expect(write{resource: "teams", user: boUser, object: object}.answer(ctx)).To(MatchJSON(stampedByBo))
		},
		Entry("nothing", `{"metadata": {"name": "shop"}}`),
		Entry("somebody else", team(byAna, "", "viewer")),
		Entry("that somebody deleted it", team(`"roster.dev/deleted-by": "ana@acme.example"`, "", "viewer")),
	)

	DescribeTable("of a changed object",
		func(ctx SpecContext, old, object, patch string) {
			Expect(write{resource: "teams", user: boUser, old: old, object: object}.answer(ctx)).To(MatchJSON(patch))
		},
		Entry("stays where nothing has changed",
			team(byAna, "", "viewer"), team(byAna, "", "viewer"), noPatch),
		Entry("stays where the spec is only written otherwise",
			`{"spec": {"role": "viewer", "projects": ["a"]}}`, `{"spec": {"projects": [ "a" ], "role": "viewer"}}`, noPatch),
		Entry("stays where another's annotation has changed",
			team(byAna, "", "viewer"), team(byAna+`, "example.com/note": "x"`, "", "viewer"), noPatch),
		Entry("comes back where it was forged and nothing has changed",
			team(`"roster.dev/changed-by": "bo@acme.example"`, "", "viewer"), team(byAna, "", "viewer"), stampedByBo),
		Entry("comes back where it was removed and nothing has changed",
			team(`"roster.dev/changed-by": "bo@acme.example"`, "", "viewer"), team("", "", "viewer"), stampedByBo),
		Entry("is none where there was none before and nothing has changed",
			team("", "", "viewer"), team(byAna, "", "viewer"), `[{"op": "remove", "path": "/metadata/annotations"}]`),
		Entry("is the user's where the spec has changed",
			team(byAna, "", "viewer"), team(byAna, "", "developer"), stampedByBo),
		Entry("is the user's where a label has changed",
			team(byAna, "", "viewer"), team(byAna, `"tier": "gold"`, "viewer"), stampedByBo),
		Entry("is the user's where an annotation of Roster's has changed",
			team(byAna+`, "roster.dev/confirm-deletion": "shop"`, "", "viewer"), team(byAna, "", "viewer"), stampedByBo),
		Entry("of its deletion can't be removed",
			team(`"roster.dev/changed-by": "bo@acme.example", "roster.dev/deleted-by": "cy"`, "", "viewer"),
			team(`"roster.dev/changed-by": "bo@acme.example"`, "", "viewer"),
			`[{"op": "add", "path": "/metadata/annotations",
			   "value": {"roster.dev/changed-by": "bo@acme.example", "roster.dev/deleted-by": "cy"}}]`),
		Entry("of its deletion can't be forged",
			team(`"roster.dev/changed-by": "bo@acme.example"`, "", "viewer"),
			team(`"roster.dev/changed-by": "bo@acme.example", "roster.dev/deleted-by": "cy"`, "", "viewer"), stampedByBo),
	)

	It("refuses what can't be read", func(ctx SpecContext) {
		response := NewStamper(nil, nil).Handle(ctx, admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: []byte(`{"metadata": 1}`)},
		}})
		Expect(response.Allowed).To(BeFalse())
		Expect(response.Result.Message).To(HavePrefix("read the object of the request: "))
	})
})

var _ = Describe("A new Project", func() {
	const withFinalizers = `{"op": "add", "path": "/metadata/finalizers", "value": [%s]}`
	patches := func(finalizers string) string {
		return strings.TrimSuffix(stampedByBo, "]") + ", " + fmt.Sprintf(withFinalizers, finalizers) + "]"
	}
	DescribeTable("gets the finalizer, since nothing is made for it before it has that",
		func(ctx SpecContext, namespace, object, patch string) {
			write := write{resource: "projects", user: boUser, namespace: namespace, object: object}
			Expect(write.answer(ctx)).To(MatchJSON(patch))
		},
		Entry("alone", "org-acme", `{"metadata": {"name": "shop"}}`, patches(`"roster.dev/access"`)),
		Entry("beside another", "org-acme", `{"metadata": {"finalizers": ["example.com/backup"]}}`,
			patches(`"example.com/backup", "roster.dev/access"`)),
		Entry("once", "org-acme", `{"metadata": {"finalizers": ["roster.dev/access"]}}`, stampedByBo),
		Entry("not where no organization can be", "default", `{"metadata": {"name": "shop"}}`, stampedByBo),
	)
})

var _ = Describe("An Organization without owners", func() {
	const stamp = `{"op": "add", "path": "/metadata/annotations", "value": {"roster.dev/changed-by": %q}}`
	DescribeTable("gets",
		func(ctx SpecContext, resource, user, object, owners string) {
			answer := write{resource: resource, user: user, object: object}.answer(ctx)
			Expect(answer).To(MatchJSON("[" + fmt.Sprintf(stamp, user) + owners + "]"))
		},
		Entry("the person who creates it", "organizations", boUser, `{"spec": {"displayName": "Acme"}}`,
			`, {"op": "add", "path": "/spec/owners", "value": ["bo@acme.example"]}`),
		Entry("the person also for an empty list", "organizations", boUser, `{"spec": {"owners": []}}`,
			`, {"op": "add", "path": "/spec/owners", "value": ["bo@acme.example"]}`),
		Entry("the person also without a spec", "organizations", boUser, `{}`,
			`, {"op": "add", "path": "/spec", "value": {"owners": ["bo@acme.example"]}}`),
		Entry("nobody from a service account", "organizations", pipeline, `{"spec": {}}`, ""),
		Entry("nobody from Kubernetes itself", "organizations", "system:admin", `{"spec": {}}`, ""),
		Entry("nobody where owners are named", "organizations", boUser, `{"spec": {"owners": ["ana@acme.example"]}}`, ""),
		Entry("nothing where it is another kind", "teams", boUser, `{"spec": {}}`, ""),
	)
})
