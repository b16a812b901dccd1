package history

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/roster-dev/roster/internal/activity"
)

var _ = Describe("The condition of the activity store", func() {
	It("isn't written while all is well, says what is wrong, and when that is over", func(ctx context.Context) {
		system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "roster-system"}}
		cluster := fake.NewClientBuilder().WithObjects(system).WithStatusSubresource(system).Build()
		var state activity.WriterState
		keeper := &Keeper{Client: cluster, State: func() activity.WriterState { return state }}
		conditions := func() []string {
			GinkgoHelper()
			keeper.tell(ctx)
			Expect(cluster.Get(ctx, client.ObjectKeyFromObject(system), system)).To(Succeed())
			var texts []string
			for _, condition := range system.Status.Conditions {
				texts = append(texts, fmt.Sprintf("%s=%s %s", condition.Type, condition.Status, condition.Reason))
			}
			return texts
		}

		Expect(conditions()).To(BeEmpty())
		state.LastError = activity.ErrFull
		Expect(conditions()).To(Equal([]string{"roster.dev/ActivityStored=False DatabaseFull"}))
		version := system.ResourceVersion
		Expect(conditions()).To(HaveLen(1))
		Expect(system.ResourceVersion).To(Equal(version), "nothing has changed")
		state.LastError = nil
		Expect(conditions()).To(Equal([]string{"roster.dev/ActivityStored=True Stored"}))
	})
})
