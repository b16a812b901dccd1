package token

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/snapshot"
)

// ofOrganization are all tokens of an organization.
func (r *Reconciler) ofOrganization(ctx context.Context, object client.Object) []reconcile.Request {
	var list v1alpha1.APITokenList
	namespace := client.InNamespace(v1alpha1.OrganizationNamespace(object.GetName()))
	if err := r.List(ctx, &list, namespace, snapshot.Shared); err != nil {
		// The caches serve these look-ups; they fail only while the manager stops.
		return nil
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}

// policyMatters lets through Organizations whose bound on tokens has changed, or that have come to a namespace.
func policyMatters() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(change event.UpdateEvent) bool {
			before, after := change.ObjectOld.(*v1alpha1.Organization), change.ObjectNew.(*v1alpha1.Organization)
			return before.Spec.Tokens.Longest() != after.Spec.Tokens.Longest() ||
				before.Status.Namespace != after.Status.Namespace
		},
	}
}

// tokenMatters lets through APITokens that change in what is decided or counted here, and not what is written here.
func tokenMatters() predicate.Predicate {
	isHeldBack := func(object *v1alpha1.APIToken) bool {
		return meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionUserHeldBack)
	}
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: func(change event.UpdateEvent) bool {
		before, after := change.ObjectOld.(*v1alpha1.APIToken), change.ObjectNew.(*v1alpha1.APIToken)
		return before.Annotations[v1alpha1.AnnotationRotate] != after.Annotations[v1alpha1.AnnotationRotate] ||
			!before.Status.LastUsedAt.Equal(after.Status.LastUsedAt) || isHeldBack(before) != isHeldBack(after)
	}})
}
