package metrics

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

var _ = Describe("A client that counts", func() {
	counted := func(kind, verb string) float64 { return testutil.ToFloat64(writes.WithLabelValues(kind, verb)) }
	total := func() (sum float64) {
		for _, kind := range []string{"ClusterRole", "ClusterRoleBinding", "RoleBinding"} {
			sum += counted(kind, create) + counted(kind, update) + counted(kind, remove)
		}
		return sum
	}
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "viewers"}

	It("counts what it writes to RBAC, by kind and verb", func(ctx context.Context) {
		client := Counting(fake.NewClientBuilder().Build())
		created, updated := counted("RoleBinding", create), counted("RoleBinding", update)
		removed, all := counted("ClusterRole", remove), total()

		binding := &rbacv1.RoleBinding{ObjectMeta: meta}
		Expect(client.Create(ctx, binding)).To(Succeed())
		binding.Subjects = []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: "bo"}}
		Expect(client.Update(ctx, binding)).To(Succeed())
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "viewer"}}
		Expect(client.Create(ctx, role)).To(Succeed())
		Expect(client.Delete(ctx, role)).To(Succeed())

		Expect(counted("RoleBinding", create)).To(Equal(created + 1))
		Expect(counted("RoleBinding", update)).To(Equal(updated + 1))
		Expect(counted("ClusterRole", remove)).To(Equal(removed + 1))
		Expect(total()).To(Equal(all + 4))
	})

	It("counts neither what was refused nor other kinds", func(ctx context.Context) {
		client := Counting(fake.NewClientBuilder().Build())
		all := total()
		Expect(client.Create(ctx, &corev1.ConfigMap{ObjectMeta: meta})).To(Succeed())
		Expect(client.Update(ctx, &rbacv1.RoleBinding{ObjectMeta: meta})).NotTo(Succeed())
		Expect(client.Delete(ctx, &rbacv1.RoleBinding{ObjectMeta: meta})).NotTo(Succeed())
		Expect(total()).To(Equal(all))
	})
})
