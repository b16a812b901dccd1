package admission

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/snapshot"
)

// plausible are objects to begin from, one of each kind: the fuzzer takes them apart.
var plausible = map[string]string{
	"Organization": `{"metadata": {"name": "acme"}, "spec": {"owners": ["ana"], "parent": "globex", "requireMFA": true}}`,
	"Membership": `{"metadata": {"name": "bo", "namespace": "org-acme"}, "spec": {"user": "bo", "email": "bo@acme.example",
		"roles": ["viewer"], "invitation": {"expiresAfter": "72h"}, "suspended": true, "expiresAt": "2027-01-31T00:00:00Z"}}`,
	"Team": `{"metadata": {"name": "makers", "namespace": "org-acme"}, "spec": {"members": ["bo"], "maintainers": ["ana"],
		"parent": "makers", "identityGroup": "oidc:all", "role": "developer", "projectSelector": {"matchExpressions":
		[{"key": "tier", "operator": "In", "values": ["gold"]}]}}}`,
	"Project": `{"metadata": {"name": "shop", "namespace": "org-acme", "labels": {"tier": "gold"}},
		"spec": {"namespaces": ["acme-shop", "kube-system"], "deletionPolicy": "Delete"}}`,
	"Role": `{"metadata": {"name": "deployer", "namespace": "org-acme"}, "spec": {"includes": ["viewer"],
		"permissions": ["crawls.trigger"], "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}], "organizationRules": [{"nonResourceURLs": ["/"]}]}}`,
	"RoleBinding": `{"metadata": {"name": "ci", "namespace": "org-acme"}, "spec": {"role": "viewer", "projects": ["shop"],
		"subjects": [{"kind": "ServiceAccount", "name": "ci", "namespace": "acme-shop"}, {"kind": "Team", "name": "makers",
		"organization": "globex", "uid": "1"}], "notBefore": "2027-01-01T00:00:00Z", "expiresAt": "2027-02-01T00:00:00Z"}}`,
	"JoinRequest": `{"metadata": {"name": "makers", "namespace": "org-acme"}, "spec": {"team": {"organization": "agency",
		"name": "makers"}, "role": "viewer", "projects": ["shop"], "decision": "Approved", "granted": {"role": "developer"}}}`,
	"APIToken": `{"metadata": {"name": "ci", "namespace": "org-acme"}, "spec": {"user": "bo", "roles": ["viewer"],
		"organizationWide": true, "expiresAfter": "720h", "rotation": {"every": "168h"}, "secretName": "ci"}}`,
	"User": `{"metadata": {"name": "bo"}, "spec": {"username": "bo", "deactivated": true, "mfa": {"enrolled": true}}}`,
}

// resources are the names of the kinds in requests.
var resources = map[string]string{
	"Organization": "organizations", "Membership": "memberships", "Team": "teams", "Project": "projects", "Role": "roles",
	"RoleBinding": "rolebindings", "JoinRequest": "joinrequests", "APIToken": "apitokens", "User": "users",
}

// FuzzHandle asks both webhooks about arbitrary objects of all kinds: they decide, and none makes them panic. What they stamp
// says who asks, whatever the object says.
func FuzzHandle(f *testing.F) {
	kinds := slices.Sorted(maps.Keys(newObjects))
	for at, kind := range kinds {
		for _, other := range []string{plausible[kind], `{}`, `{"metadata": null, "spec": null}`, `[]`, ``} {
			for _, mayAll := range []bool{true, false} {
				f.Add(byte(at), mayAll, plausible[kind], other)
				f.Add(byte(at), mayAll, other, plausible[kind])
			}
		}
	}
	world := map[bool]client.Client{true: fuzzedWorld(true), false: fuzzedWorld(false)}
	clock := testingclock.NewFakePassiveClock(time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC))
	f.Fuzz(func(t *testing.T, at byte, mayAll bool, before, after string) {
		kind := kinds[int(at)%len(kinds)]
		request, isOne := arbitrary(kind, before, after)
		if !isOne {
			return
		}
		NewValidator(world[mayAll], world[mayAll], clock).Handle(t.Context(), request)
		if request.Operation != admissionv1.Delete {
			stamper := NewStamper(world[mayAll], world[mayAll])
			expectTrueStamp(t, request, stamper.Handle(t.Context(), request))
		}
	})
}

// fuzzedWorld has of each kind its plausible object. Who asks may do all, or nothing.
func fuzzedWorld(mayAll bool) client.Client {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	builder := fake.NewClientBuilder().WithScheme(scheme)
	utilruntime.Must(snapshot.AddIndexes(context.Background(), indexer{builder}))
	for kind, newObject := range newObjects {
		object := newObject()
		utilruntime.Must(json.Unmarshal([]byte(plausible[kind]), object))
		builder.WithObjects(object)
	}
	for _, organization := range []string{"globex", "agency"} {
		builder.WithObjects(&v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: organization}}, &v1alpha1.Team{
			ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.OrganizationNamespace(organization), Name: "makers"},
		})
	}
	for _, organization := range []string{"acme", "globex", "agency"} {
		builder.WithObjects(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: v1alpha1.OrganizationNamespace(organization), Labels: map[string]string{v1alpha1.LabelOrganization: organization},
		}})
	}
	for _, name := range []string{"viewer", "developer"} {
		builder.WithObjects(&v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name}})
	}
	answer := func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
		if review, ok := object.(*authorizationv1.SubjectAccessReview); ok {
			review.Status.Allowed = mayAll
		}
		return nil
	}
	return builder.WithInterceptorFuncs(interceptor.Funcs{Create: answer}).Build()
}

// indexer gives the indexes of the caches to a client of tests.
type indexer struct{ *fake.ClientBuilder }

func (i indexer) IndexField(_ context.Context, object client.Object, field string, values client.IndexerFunc) error {
	i.WithIndex(object, field, values)
	return nil
}

// arbitrary is a request to make of one text the other; an empty one stands for an object that isn't there.
func arbitrary(kind, before, after string) (admission.Request, bool) {
	var object metav1.PartialObjectMetadata
	request := admissionv1.AdmissionRequest{
		Kind: metav1.GroupVersionKind{Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Kind: kind},
		Resource: metav1.GroupVersionResource{
			Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Resource: resources[kind],
		},
		UserInfo: authenticationv1.UserInfo{Username: "mallory"}, DryRun: ptr.To(true),
	}
	switch {
	case before == "" && after == "":
		return admission.Request{}, false
	case before == "":
		request.Operation = admissionv1.Create
	case after == "":
		request.Operation = admissionv1.Delete
	default:
		request.Operation = admissionv1.Update
	}
	request.OldObject.Raw, request.Object.Raw = []byte(before), []byte(after)
	if json.Unmarshal([]byte(cmp.Or(after, before)), &object) == nil {
		request.Name, request.Namespace = object.Name, object.Namespace
	}
	return admission.Request{AdmissionRequest: request}, true
}

// expectTrueStamp: a new object is the author's.
func expectTrueStamp(t *testing.T, request admission.Request, answer admission.Response) {
	t.Helper()
	if !answer.Allowed || request.Operation != admissionv1.Create {
		return
	}
	for _, patch := range answer.Patches {
		if patch.Path != "/metadata/annotations" {
			continue
		}
		annotations, _ := patch.Value.(map[string]string)
		if by := annotations[v1alpha1.AnnotationChangedBy]; by != "mallory" {
			t.Fatalf("stamped as made by %q: %s", by, request.Object.Raw)
		}
	}
}
