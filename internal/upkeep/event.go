package upkeep

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// ForNamed asks for the object, in an organization's namespace, that the name of an RBAC object tells it is made for. RBAC
// objects of other names ask for nothing.
func ForNamed(parse func(name string) (organization, object string, found bool)) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, made client.Object) []reconcile.Request {
		organization, name, found := parse(made.GetName())
		if !found {
			return nil
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{
			Namespace: v1alpha1.OrganizationNamespace(organization), Name: name,
		}}}
	})
}
