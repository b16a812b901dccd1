package snapshot_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/snapshot"
)

var _ = Describe("What is read fresh", func() {
	var scheme *runtime.Scheme
	team := func(name, version string, members ...v1alpha1.Username) *v1alpha1.Team {
		return &v1alpha1.Team{
			ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: name, ResourceVersion: version},
			Spec:       v1alpha1.TeamSpec{Members: members},
		}
	}
	BeforeEach(func() {
		scheme = runtime.NewScheme()
		Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	})

	// The caches know "same", and not yet what became of "changed", "gone" and "new". Whole counts what is read whole.
	readers := func() (cached, live client.Reader, whole *int) {
		whole = new(int)
		counting := interceptor.Funcs{Get: func(
			ctx context.Context, reads client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption,
		) error {
			if _, isWhole := object.(*v1alpha1.Team); isWhole {
				*whole++
			}
			return reads.Get(ctx, key, object, options...)
		}}
		return fake.NewClientBuilder().WithScheme(scheme).WithObjects(team("same", "1"), team("changed", "2"), team("gone", "3")).Build(),
			fake.NewClientBuilder().WithScheme(scheme).WithObjects(team("same", "1"), team("changed", "4", "bo"), team("new", "5", "zoe")).
				WithInterceptorFuncs(counting).Build(), whole
	}

	It("is as the API server holds it, and only what differs is read whole", func(ctx SpecContext) {
		cached, live, whole := readers()
		var teams v1alpha1.TeamList
		Expect(snapshot.Fresh(cached, live, scheme).List(ctx, &teams, client.InNamespace("org-acme"))).To(Succeed())
		members := map[string][]v1alpha1.Username{}
		for _, team := range teams.Items {
			members[team.Name] = team.Spec.Members
		}
		Expect(members).To(Equal(map[string][]v1alpha1.Username{"same": nil, "changed": {"bo"}, "new": {"zoe"}}))
		Expect(*whole).To(Equal(3), "changed, gone and new")
	})

	It("is so by name, too", func(ctx SpecContext) {
		cached, live, whole := readers()
		reader := snapshot.Fresh(cached, live, scheme)
		for name, expected := range map[string][]v1alpha1.Username{"same": nil, "changed": {"bo"}, "new": {"zoe"}} {
			var found v1alpha1.Team
			Expect(reader.Get(ctx, client.ObjectKey{Namespace: "org-acme", Name: name}, &found)).To(Succeed())
			Expect(found.Spec.Members).To(Equal(expected), name)
		}
		Expect(*whole).To(Equal(2), "changed and new")
		Expect(reader.Get(ctx, client.ObjectKey{Namespace: "org-acme", Name: "gone"}, &v1alpha1.Team{})).
			To(Satisfy(apierrors.IsNotFound))
	})
})
