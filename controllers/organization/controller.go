// Package organization gives each organization its namespace, and takes it away in order when the organization goes. What
// is said in the status comes from the access sync.
package organization

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
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
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/finalizer"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
)

// goingRetry is how soon an organization that goes is looked at again while its access is being removed.
const goingRetry = 200 * time.Millisecond

// Reconciler makes organizations' namespaces.
type Reconciler struct {
	client.Client
	// Live reads from the API server itself: a namespace isn't deleted on what a cache says.
	Live client.Reader
	// NamespaceLabels are put on namespaces that Roster makes.
	NamespaceLabels map[string]string
	Clock           clock.PassiveClock
	// PersonalOrganizations: a user's last organization is kept while the user is a member somewhere.
	PersonalOrganizations bool
	// History records removals before their objects go; nil in tests that are about something else.
	History finalizer.Witness
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager) error {
	specChanged := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(manager).
		Named("organization").
		For(&v1alpha1.Organization{}, builder.WithPredicates(
			predicate.Or(predicate.GenerationChangedPredicate{}, confirmationChanged))).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(organizationOfNamespace)).
		Watches(&v1alpha1.Project{}, handler.EnqueueRequestsFromMapFunc(organizationOfProject), specChanged).
		Watches(&v1alpha1.Organization{}, handler.EnqueueRequestsFromMapFunc(r.relatives), specChanged).
		Watches(&v1alpha1.Membership{}, handler.EnqueueRequestsFromMapFunc(r.personalOfMember)).
		Watches(&v1alpha1.User{}, handler.EnqueueRequestsFromMapFunc(r.personalOfUser), specChanged).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
}

// confirmationChanged lets through an Organization whose deletion has been confirmed.
var confirmationChanged = predicate.Funcs{UpdateFunc: func(change event.UpdateEvent) bool {
	return access.DeletionConfirmed(change.ObjectOld) != access.DeletionConfirmed(change.ObjectNew)
}}

func organizationOfNamespace(_ context.Context, object client.Object) []reconcile.Request {
	return request(object.GetName())
}

func organizationOfProject(_ context.Context, object client.Object) []reconcile.Request {
	return request(object.GetNamespace())
}

func request(namespace string) []reconcile.Request {
	if organization, ok := v1alpha1.OrganizationOf(namespace); ok {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: organization}}}
	}
	return nil
}

// relatives are the organization's parent, which may wait for it to go, and the Personal organizations of its owners,
// which may go once the user owns another one.
func (r *Reconciler) relatives(ctx context.Context, object client.Object) []reconcile.Request {
	organization := object.(*v1alpha1.Organization)
	var requests []reconcile.Request
	if organization.Spec.Parent != "" {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKey{Name: organization.Spec.Parent}})
	}
	for _, owner := range organization.Spec.Owners {
		requests = append(requests, r.personal(ctx, owner)...)
	}
	return requests
}

// personalOfMember: a Personal organization may go once its user isn't a member anywhere.
func (r *Reconciler) personalOfMember(ctx context.Context, object client.Object) []reconcile.Request {
	return r.personal(ctx, object.(*v1alpha1.Membership).Spec.User)
}

// personalOfUser: the Personal organization of who is deactivated may go.
func (r *Reconciler) personalOfUser(ctx context.Context, object client.Object) []reconcile.Request {
	return r.personal(ctx, object.(*v1alpha1.User).Spec.Username)
}

// personal are a user's Personal organizations that are to go and may have been kept so far.
func (r *Reconciler) personal(ctx context.Context, username v1alpha1.Username) []reconcile.Request {
	if !r.PersonalOrganizations || username == "" {
		return nil
	}
	owned, err := snapshot.Owned(ctx, r.Client, string(username))
	if err != nil {
		return nil
	}
	var requests []reconcile.Request
	for _, organization := range owned {
		if organization.IsPersonal() && organization.DeletionTimestamp != nil {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKey{Name: organization.Name}})
		}
	}
	return requests
}

// Reconcile gives an organization its namespace, or takes it away.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	organization := &v1alpha1.Organization{}
	if err := r.Get(ctx, request.NamespacedName, organization); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if organization.DeletionTimestamp != nil {
		return r.end(ctx, organization)
	}
	if err := finalizer.Add(ctx, r.Client, organization); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if organization.IsPersonal() {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, r.makeNamespace(ctx, organization)
}

// makeNamespace makes the namespace where there is none. One that is there is left alone, whoever's it is.
func (r *Reconciler) makeNamespace(ctx context.Context, organization *v1alpha1.Organization) error {
	name := v1alpha1.OrganizationNamespace(organization.Name)
	err := r.Get(ctx, client.ObjectKey{Name: name}, &corev1.Namespace{}, snapshot.Shared)
	if !apierrors.IsNotFound(err) {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: labels.Merge(r.NamespaceLabels, rbac.Labels(organization.Name, "")),
	}}
	if err := r.Create(ctx, namespace); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make namespace %s: %w", name, err)
	}
	return nil
}

// end takes an organization away once nothing needs it: access first, then the namespace with all objects in it, then
// the organization.
func (r *Reconciler) end(ctx context.Context, organization *v1alpha1.Organization) (reconcile.Result, error) {
	if !controllerutil.ContainsFinalizer(organization, v1alpha1.Finalizer) {
		return reconcile.Result{}, nil
	}
	world, err := snapshot.Load(ctx, r.Client, organization.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	if !access.IsEnding(organization) || access.HasDependents(world, organization.Name) {
		// The access sync says what the organization waits for; its confirmation, and each dependent that goes, wakes this
		// controller.
		return reconcile.Result{}, nil
	}
	if organization.IsPersonal() {
		return r.endPersonal(ctx, organization)
	}
	gone, err := r.accessIsGone(ctx, organization.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	if !gone {
		return reconcile.Result{RequeueAfter: goingRetry}, nil
	}
	gone, err = r.deleteNamespace(ctx, organization.Name)
	if err != nil || !gone {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, r.release(ctx, organization)
}

// endPersonal lets a Personal organization go unless it is the last one that its user owns while a member somewhere.
func (r *Reconciler) endPersonal(
	ctx context.Context, organization *v1alpha1.Organization,
) (reconcile.Result, error) {
	if r.PersonalOrganizations {
		for _, owner := range organization.Spec.Owners {
			needed, err := snapshot.NeedsPersonal(ctx, r.Client, string(owner), r.Clock.Now())
			if err != nil || needed {
				return reconcile.Result{}, err
			}
		}
	}
	return reconcile.Result{}, r.release(ctx, organization)
}

// accessIsGone asks the API server whether any binding of the organization is left.
func (r *Reconciler) accessIsGone(ctx context.Context, organization string) (bool, error) {
	own := client.MatchingLabels(rbac.Labels(organization, ""))
	var bindings rbacv1.RoleBindingList
	if err := r.Live.List(ctx, &bindings, own, client.Limit(1)); err != nil {
		return false, fmt.Errorf("list the RBAC RoleBindings of organization %s: %w", organization, err)
	}
	var clusterBindings rbacv1.ClusterRoleBindingList
	if err := r.Live.List(ctx, &clusterBindings, own, client.Limit(1)); err != nil {
		return false, fmt.Errorf("list the RBAC ClusterRoleBindings of organization %s: %w", organization, err)
	}
	return len(bindings.Items)+len(clusterBindings.Items) == 0, nil
}

// deleteNamespace deletes the organization's namespace, if it is the organization's, and says whether it is gone.
func (r *Reconciler) deleteNamespace(ctx context.Context, organization string) (gone bool, err error) {
	namespace := &corev1.Namespace{}
	name := v1alpha1.OrganizationNamespace(organization)
	if err := r.Live.Get(ctx, client.ObjectKey{Name: name}, namespace); err != nil {
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	}
	switch access.CheckOrganizationNamespace(namespace, organization) {
	case access.NamespaceInOrder:
		preconditions := client.Preconditions{UID: &namespace.UID, ResourceVersion: &namespace.ResourceVersion}
		return false, client.IgnoreNotFound(r.Delete(ctx, namespace, preconditions))
	case access.NamespaceTerminating:
		return false, nil
	}
	return true, nil
}

func (r *Reconciler) release(ctx context.Context, organization *v1alpha1.Organization) error {
	return finalizer.Remove(ctx, r.Client, r.History, organization)
}
