package access_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	testingclock "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	rosteradmission "github.com/roster-dev/roster/internal/admission"
	"github.com/roster-dev/roster/internal/snapshot"
)

var _ = Describe("The webhook asked by somebody who may give nothing", func() {
	It("lets nothing through that the naive implementation grants anew", func() {
		rapid.Check(GinkgoT(), nothingIsGivenAway)
	})
})

// FuzzAdmission holds the webhook's decisions against the naive implementation.
func FuzzAdmission(f *testing.F) {
	addSeeds(f)
	f.Fuzz(rapid.MakeFuzz(nothingIsGivenAway))
}

// addSeeds are a corpus that runs in every test run: enough bytes to draw whole worlds from.
func addSeeds(f *testing.F) {
	for seed := range byte(4) {
		bytes := make([]byte, 1<<16)
		state := uint32(seed) + 1
		for i := range bytes {
			// A linear congruential generator: the same bytes each time, and none alike.
			state = state*1664525 + 1013904223
			bytes[i] = byte(state >> 24)
		}
		f.Add(bytes)
	}
}

// nothingIsGivenAway asks the webhook about an arbitrary change and, where it lets that pass, looks at who gained something.
func nothingIsGivenAway(t *rapid.T) {
	change := drawChange(t)
	request, found := requestFor(t, change)
	if !found {
		return
	}
	validator := rosteradmission.NewValidator(clientOf(t, change.before), clientOf(t, change.before), testingclock.NewFakePassiveClock(now))
	if response := validator.Handle(context.Background(), request); !response.Allowed {
		return
	}
	before, after := change.before, change.after
	if request.Kind.Kind == "Team" || request.Kind.Kind == "Membership" {
		// Who approved a team of another organization let that one decide who is in it.
		before, after = withoutExternalTeams(before), withoutExternalTeams(after)
	}
	for _, organization := range before.Organizations {
		had := naive{before, now}.grants(organization.Name)
		for tuple := range (naive{after, now}).grants(organization.Name) {
			if !had[tuple] && tuple.role.Name != v1alpha1.RoleTeamMaintainer {
				t.Fatalf("%s of %s was allowed and grants %s; before:\n%s\nafter:\n%s", request.Operation, request.Name, tuple,
					describe(change.before), describe(change.after))
			}
		}
	}
}

// withoutExternalTeams is a world in which no team is let in elsewhere.
func withoutExternalTeams(world access.World) access.World {
	bindings := make([]*v1alpha1.RoleBinding, 0, len(world.RoleBindings))
	for _, binding := range world.RoleBindings {
		binding = binding.DeepCopy()
		binding.Spec.Subjects = slices.DeleteFunc(binding.Spec.Subjects, v1alpha1.Subject.IsExternal)
		bindings = append(bindings, binding)
	}
	world.RoleBindings = bindings
	return world
}

// requestFor is the request by which a change is made; none where nothing changes, or more than one object.
func requestFor(t *rapid.T, change worldChange) (admission.Request, bool) {
	for _, kind := range []struct {
		name          string
		before, after []client.Object
	}{
		{"Membership", objectsOf(change.before.Memberships), objectsOf(change.after.Memberships)},
		{"Team", objectsOf(change.before.Teams), objectsOf(change.after.Teams)},
		{"RoleBinding", objectsOf(change.before.RoleBindings), objectsOf(change.after.RoleBindings)},
		{"Project", objectsOf(change.before.Projects), objectsOf(change.after.Projects)},
	} {
		old, updated := changedObject(t, kind.before, kind.after), changedObject(t, kind.after, kind.before)
		if old == nil && updated == nil {
			continue
		}
		return newRequest(t, kind.name, old, updated), true
	}
	return admission.Request{}, false
}

func newRequest(t *rapid.T, kind string, old, updated client.Object) admission.Request {
	request := admissionv1.AdmissionRequest{
		Kind:     metav1.GroupVersionKind{Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Kind: kind},
		UserInfo: authenticationv1.UserInfo{Username: "mallory"}, Operation: admissionv1.Update, DryRun: new(bool),
	}
	*request.DryRun = true
	if old == nil {
		request.Operation = admissionv1.Create
	} else {
		request.OldObject, request.Name = raw(t, old), old.GetName()
	}
	if updated == nil {
		request.Operation = admissionv1.Delete
	} else {
		request.Object, request.Name = raw(t, updated), updated.GetName()
	}
	return admission.Request{AdmissionRequest: request}
}

func raw(t *rapid.T, object client.Object) runtime.RawExtension {
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatalf("write %s: %v", object.GetName(), err)
	}
	return runtime.RawExtension{Raw: text}
}

func objectsOf[T client.Object](objects []T) []client.Object {
	result := make([]client.Object, 0, len(objects))
	for _, object := range objects {
		result = append(result, object)
	}
	return result
}

// changedObject is the object of a list that the other one doesn't hold just like that.
func changedObject(t *rapid.T, objects, others []client.Object) client.Object {
	known := map[string]bool{}
	for _, other := range others {
		known[string(raw(t, other).Raw)] = true
	}
	for _, object := range objects {
		if !known[string(raw(t, object).Raw)] {
			return object
		}
	}
	return nil
}

// builderIndexes gives the indexes of the caches to a client of tests.
type builderIndexes struct{ *fake.ClientBuilder }

func (b builderIndexes) IndexField(_ context.Context, object client.Object, field string, values client.IndexerFunc) error {
	b.WithIndex(object, field, values)
	return nil
}

// clientOf reads a world. Whoever asks it for a right has none.
func clientOf(t *rapid.T, world access.World) client.Client {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	builder := fake.NewClientBuilder().WithScheme(scheme)
	if err := snapshot.AddIndexes(context.Background(), builderIndexes{builder}); err != nil {
		t.Fatalf("index: %v", err)
	}
	copied := copyOf(world)
	for _, objects := range [][]client.Object{
		objectsOf(copied.Organizations), objectsOf(copied.Memberships), objectsOf(copied.Teams), objectsOf(copied.Projects),
		objectsOf(copied.Roles), objectsOf(copied.RoleBindings), objectsOf(copied.Users), objectsOf(copied.Namespaces),
	} {
		for _, object := range objects {
			if object.GetDeletionTimestamp() != nil {
				// The client of tests holds nothing that could be gone.
				object.SetFinalizers([]string{v1alpha1.Finalizer})
			}
		}
		builder.WithObjects(objects...)
	}
	refuseEverything := func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
		if review, ok := object.(*authorizationv1.SubjectAccessReview); ok {
			review.Status.Allowed = false
		}
		return nil
	}
	return builder.WithInterceptorFuncs(interceptor.Funcs{Create: refuseEverything}).Build()
}
