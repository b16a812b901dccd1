package manager

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/audit"
)

var _ = Describe("The use of tokens", func() {
	It("is known from when the audit stream first arrived to when anybody was last seen", func(ctx SpecContext) {
		noon := time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC)
		ago := func(hours time.Duration) metav1.Time { return metav1.NewTime(noon.Add(-hours * time.Hour)) }
		seen, used := ago(2), ago(1)
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}}
		user := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "bo"}, Status: v1alpha1.UserStatus{LastSeenAt: &seen}}
		token := &v1alpha1.APIToken{
			ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "ci"}, Status: v1alpha1.APITokenStatus{LastUsedAt: &used},
		}
		store := fake.NewClientBuilder().WithScheme(NewScheme()).WithObjects(namespace, user, token).Build()
		now := clocktesting.NewFakePassiveClock(noon)
		known := &streamed{reader: store, clock: now}
		Expect(known.Since(ctx)).To(BeZero())
		namespace.Status.Conditions = []corev1.NamespaceCondition{{
			Type: audit.ConditionLastSeen, Status: corev1.ConditionTrue, LastTransitionTime: ago(3),
		}}
		Expect(store.Status().Update(ctx, namespace)).To(Succeed())
		Expect(known.Since(ctx)).To(BeTemporally("==", noon.Add(-3*time.Hour)))
		Expect(known.Until(ctx)).To(BeTemporally("==", used.Time))

		user.Status.LastSeenAt = &metav1.Time{Time: noon}
		Expect(store.Update(ctx, user)).To(Succeed())
		Expect(known.Until(ctx)).To(BeTemporally("==", used.Time), "not all are looked through for each token")
		now.SetTime(noon.Add(lookedThrough))
		Expect(known.Until(ctx)).To(BeTemporally("==", noon))
	})
})
