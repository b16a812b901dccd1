package audit

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/snapshot"
	"github.com/roster-dev/roster/internal/status"
)

// ConditionLastSeen is the condition of the namespace roster-system that says since when the audit stream arrives. Who
// wasn't seen before that is unknown.
const ConditionLastSeen corev1.NamespaceConditionType = "roster.dev/LastSeen"

// StreamSince is when the first batch arrived; nil where none ever has.
func StreamSince(namespace *corev1.Namespace) *metav1.Time {
	condition := status.NamespaceCondition(namespace, ConditionLastSeen)
	if condition == nil || condition.Status != corev1.ConditionTrue {
		return nil
	}
	return condition.LastTransitionTime.DeepCopy()
}

// noteStream writes down that the stream arrives, once in an installation's life.
func noteStream(ctx context.Context, kubernetes client.Client, now time.Time) error {
	namespace := &corev1.Namespace{}
	if err := kubernetes.Get(ctx, client.ObjectKey{Name: v1alpha1.SystemNamespace}, namespace, snapshot.Shared); err != nil {
		return fmt.Errorf("read Namespace %s: %w", v1alpha1.SystemNamespace, err)
	}
	if StreamSince(namespace) != nil {
		return nil
	}
	// It is written only over what was read, so a cache that is late writes no later time over an earlier one.
	return status.SayOfNamespace(ctx, kubernetes, namespace, corev1.NamespaceCondition{
		Type: ConditionLastSeen, Status: corev1.ConditionTrue, Reason: "AuditStream", LastTransitionTime: metav1.NewTime(now),
		Message: "the API server's audit stream arrives: when users and tokens were last seen is known since then",
	})
}
