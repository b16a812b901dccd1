// Package joinrequest carries out what is decided of JoinRequests: who asks may see the request, who is approved gets a
// RoleBinding, and whoever of the two sides goes takes it away.
package joinrequest

import (
	"context"
	"fmt"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/finalizer"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
	"github.com/roster-dev/roster/internal/status"
	"github.com/roster-dev/roster/internal/upkeep"
)

// concurrentRequests is how many requests are carried out at once.
const concurrentRequests = 4

// Reconciler carries out JoinRequests.
type Reconciler struct {
	client.Client
	// Live reads from the API server itself: no access is given or ended for good on what a cache says.
	Live  client.Reader
	Clock clock.PassiveClock
	// History records removals before their objects go, and tampering; nil in tests that are about something else.
	History History
}

// History keeps what happened.
type History interface {
	finalizer.Witness
	upkeep.History
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("joinrequest").
		For(&v1alpha1.JoinRequest{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&v1alpha1.RoleBinding{}).
		Watches(&v1alpha1.Team{}, handler.EnqueueRequestsFromMapFunc(r.ofTeam), builder.WithPredicates(comesOrGoes())).
		Watches(&v1alpha1.Organization{}, handler.EnqueueRequestsFromMapFunc(r.ofOrganization),
			builder.WithPredicates(comesOrGoes())).
		Watches(&rbacv1.ClusterRole{}, upkeep.ForNamed(rbac.RequestOfJoinRequester)).
		Watches(&rbacv1.RoleBinding{}, upkeep.ForNamed(rbac.RequestOfJoinRequester)).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrentRequests}).
		Complete(r)
}

// comesOrGoes lets through objects that are made, are to be deleted, or are gone.
func comesOrGoes() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(change event.UpdateEvent) bool {
		return (change.ObjectOld.GetDeletionTimestamp() == nil) != (change.ObjectNew.GetDeletionTimestamp() == nil)
	}}
}

func (r *Reconciler) ofTeam(ctx context.Context, object client.Object) []reconcile.Request {
	organization, ok := v1alpha1.OrganizationOf(object.GetNamespace())
	if !ok {
		return nil
	}
	return r.requestsOf(ctx, snapshot.ExternalTeam(organization, object.GetName()))
}

func (r *Reconciler) ofOrganization(ctx context.Context, object client.Object) []reconcile.Request {
	return r.requestsOf(ctx, object.GetName())
}

func (r *Reconciler) requestsOf(ctx context.Context, team string) []reconcile.Request {
	found, err := snapshot.JoinRequestsOf(ctx, r.Client, team)
	if err != nil {
		// The caches serve these look-ups; they fail only while the manager stops.
		return nil
	}
	requests := make([]reconcile.Request, 0, len(found))
	for _, request := range found {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(request)})
	}
	return requests
}

// Reconcile carries out one request.
func (r *Reconciler) Reconcile(ctx context.Context, asked reconcile.Request) (reconcile.Result, error) {
	request := &v1alpha1.JoinRequest{}
	if err := r.Get(ctx, asked.NamespacedName, request); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if request.DeletionTimestamp != nil {
		return afterConflict(r.end(ctx, request))
	}
	organization, inOrganization := v1alpha1.OrganizationOf(request.Namespace)
	if !inOrganization {
		return afterConflict(r.reportStray(ctx, request))
	}
	if err := finalizer.Add(ctx, r.Client, request); err != nil {
		return afterConflict(err)
	}
	if err := r.showToRequester(ctx, organization, request); err != nil {
		return afterConflict(err)
	}
	before := request.DeepCopy()
	carryErr := r.carryOut(ctx, organization, request)
	if err := status.Update(ctx, r.Client, before, request); err != nil {
		return afterConflict(err)
	}
	return reconcile.Result{}, carryErr
}

// afterConflict begins again where somebody was faster. That may have been a status, which wakes nobody.
func afterConflict(err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: time.Millisecond}, nil
	}
	return reconcile.Result{}, err
}

// end lets a request go once the RoleBinding that it made is gone, which is once the access is.
func (r *Reconciler) end(ctx context.Context, request *v1alpha1.JoinRequest) error {
	if !controllerutil.ContainsFinalizer(request, v1alpha1.Finalizer) {
		return nil
	}
	gone, err := r.removeBinding(ctx, request)
	if err != nil || !gone {
		return err
	}
	if err := r.hideFromRequester(ctx, request); err != nil {
		return err
	}
	return finalizer.Remove(ctx, r.Client, r.History, request)
}

func (r *Reconciler) reportStray(ctx context.Context, request *v1alpha1.JoinRequest) error {
	before := request.DeepCopy()
	status.Report(request, status.Readiness{
		State: status.Stalled, Reason: "NotInAnOrganization",
		Message: fmt.Sprintf("namespace %s isn't an organization's, so this asks nobody; make it in the namespace org-NAME of "+
			"organization NAME", request.Namespace),
	})
	return status.Update(ctx, r.Client, before, request)
}
