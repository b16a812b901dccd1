package snapshot_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/snapshot"
)

var _ = Describe("What is read once", func() {
	It("stays as it was read, whatever others write meanwhile", func(ctx SpecContext) {
		scheme := runtime.NewScheme()
		Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
		team := &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "makers"}}
		other := &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "others"}}
		changing := fake.NewClientBuilder().WithScheme(scheme).WithObjects(team).Build()
		once := snapshot.Once(changing)
		look := func() (members []v1alpha1.Username, isThere bool, teams int) {
			var found v1alpha1.Team
			Expect(once.Get(ctx, client.ObjectKeyFromObject(team), &found)).To(Succeed())
			err := once.Get(ctx, client.ObjectKeyFromObject(other), &v1alpha1.Team{})
			Expect(client.IgnoreNotFound(err)).To(Succeed())
			var list v1alpha1.TeamList
			Expect(once.List(ctx, &list, client.InNamespace("org-acme"))).To(Succeed())
			return found.Spec.Members, !apierrors.IsNotFound(err), len(list.Items)
		}
		members, isThere, teams := look()
		Expect([]any{members, isThere, teams}).To(Equal([]any{[]v1alpha1.Username(nil), false, 1}))

		var changed v1alpha1.Team
		Expect(changing.Get(ctx, client.ObjectKeyFromObject(team), &changed)).To(Succeed())
		changed.Spec.Members = []v1alpha1.Username{"bo"}
		Expect(changing.Update(ctx, &changed)).To(Succeed())
		Expect(changing.Create(ctx, other)).To(Succeed())
		members, isThere, teams = look()
		Expect([]any{members, isThere, teams}).To(Equal([]any{[]v1alpha1.Username(nil), false, 1}))
	})

	It("is asked for each namespace, index and kind by itself", func(ctx SpecContext) {
		scheme := runtime.NewScheme()
		Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
		reader := snapshot.Once(fake.NewClientBuilder().WithScheme(scheme).WithObjects(
			&v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "makers"}},
			&v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Namespace: "org-other", Name: "makers"}},
			&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "makers"}},
		).Build())
		for namespace, expected := range map[string]int{"org-acme": 1, "org-none": 0, "": 2} {
			var teams v1alpha1.TeamList
			Expect(reader.List(ctx, &teams, client.InNamespace(namespace))).To(Succeed())
			Expect(teams.Items).To(HaveLen(expected), namespace)
		}
		key := client.ObjectKey{Namespace: "org-acme", Name: "makers"}
		Expect(reader.Get(ctx, key, &v1alpha1.Team{})).To(Succeed())
		Expect(reader.Get(ctx, key, &v1alpha1.Project{})).To(Succeed())
		Expect(reader.Get(ctx, key, &v1alpha1.Role{})).To(Satisfy(apierrors.IsNotFound))
	})
})
