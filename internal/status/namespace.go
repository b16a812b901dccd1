package status

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// NamespaceCondition is the condition of a type that a Namespace has; nil where it has none.
func NamespaceCondition(namespace *corev1.Namespace, conditionType corev1.NamespaceConditionType) *corev1.NamespaceCondition {
	for i := range namespace.Status.Conditions {
		if namespace.Status.Conditions[i].Type == conditionType {
			return &namespace.Status.Conditions[i]
		}
	}
	return nil
}

// SayOfNamespace writes a condition of a Namespace; those of others stay. It fails on a conflict when the Namespace isn't any
// more as it was read.
func SayOfNamespace(
	ctx context.Context, writer client.StatusClient, namespace *corev1.Namespace, condition corev1.NamespaceCondition,
) error {
	after := namespace.DeepCopy()
	if said := NamespaceCondition(after, condition.Type); said != nil {
		*said = condition
	} else {
		after.Status.Conditions = append(after.Status.Conditions, condition)
	}
	// A strategic merge patch holds what has changed alone, and knows conditions by their type.
	asRead := client.StrategicMergeFrom(namespace, client.MergeFromWithOptimisticLock{})
	return writer.Status().Patch(ctx, after, asRead)
}
