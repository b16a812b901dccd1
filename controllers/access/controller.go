// Package access keeps the cluster's RBAC equal to what the engine says, one organization at a time, and says of the
// objects that asked for it how far that is. Memberships, Teams and RoleBindings have no controller besides this one:
// access is all that they are about.
package access

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/roster-dev/roster/api/v1alpha1"
)

const (
	// concurrentSyncs is how many organizations are synced at once.
	concurrentSyncs = 8
	// firstRetry and lastRetry bound the wait before what failed is tried again. The last one is short: what fails may be
	// a revoke.
	firstRetry = 5 * time.Millisecond
	lastRetry  = 30 * time.Second
	// namespaceArrival is how long a sync waits for the namespaces of a new project.
	namespaceArrival = 100 * time.Millisecond
	// belowRetry is how soon an organization is looked at again that waits for one below it, and shorter than a wait that
	// anybody would notice: an expiry that comes meanwhile is that much late at most.
	belowRetry = 250 * time.Millisecond
	// outdatedRetry is how soon an organization is synced again of which an object changed under the sync.
	outdatedRetry = 20 * time.Millisecond
)

// Reconciler syncs organizations. Its requests carry an organization's name, or, for objects in a namespace that can't be
// an organization's, that namespace.
type Reconciler struct {
	client.Client
	Clock clock.PassiveClock
	// ShardSize is the most subjects of one RBAC RoleBinding; rbac.MaxShardSize if zero.
	ShardSize int
	// History records removals before their objects go, and what the sync did; nil in tests that are about something else.
	History History

	arrivals  arrivals
	causes    causes
	passes    passes
	ownWrites ownWrites
	guards    guards
	// identities tell what is remembered of an organization from what was remembered of another one of its name.
	identities identities
	live       client.Reader
	bindings   toolscache.Indexer
	events     chan event.GenericEvent
}

// NewReconciler returns a Reconciler that hasn't seen anything yet. Its client reads from caches, and live from the API
// server itself: what was kept of removals is read there, once for each organization. Bindings are the cache's RBAC
// RoleBindings, see BindingsOf.
func NewReconciler(
	client client.Client, live client.Reader, bindings toolscache.Indexer, clock clock.PassiveClock,
) *Reconciler {
	return &Reconciler{
		Client: client, live: live, bindings: bindings, Clock: clock, events: make(chan event.GenericEvent, 1024),
	}
}

// BindingsOf gives the store behind a cache's RBAC RoleBindings. A sync looks into each namespace of an organization, and a
// List takes some times longer than asking the store.
func BindingsOf(ctx context.Context, caches cache.Cache) (toolscache.Indexer, error) {
	informer, err := caches.GetInformer(ctx, &rbacv1.RoleBinding{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch RBAC RoleBindings: %w", err)
	}
	shared, ok := informer.(toolscache.SharedIndexInformer)
	if !ok {
		return nil, fmt.Errorf("watch RBAC RoleBindings: %T has no store", informer)
	}
	return shared.GetIndexer(), nil
}

// SetupWithManager registers the sync and everything that it follows.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager) error {
	specChanged := builder.WithPredicates(predicate.Or(
		predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}))
	return ctrl.NewControllerManagedBy(manager).
		Named("access").
		Watches(&v1alpha1.Organization{}, r.following(r.organizationChanged), builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}, approvalChanged()))).
		Watches(&v1alpha1.Membership{}, r.following(r.membershipChanged), builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}, invitationReopened()))).
		Watches(&v1alpha1.Team{}, r.following(r.teamChanged), specChanged).
		Watches(&v1alpha1.RoleBinding{}, r.following(r.roleBindingChanged), specChanged).
		Watches(&v1alpha1.RoleBinding{}, r.observing(r.roleBindingChanged), builder.WithPredicates(released())).
		Watches(&v1alpha1.APIToken{}, r.following(stayingHere), builder.WithPredicates(tokenChanged())).
		Watches(&v1alpha1.JoinRequest{}, r.observing(r.joinRequestChanged), builder.WithPredicates(decisionChanged())).
		Watches(&v1alpha1.Role{}, r.following(r.roleChanged), specChanged).
		Watches(&v1alpha1.Project{}, r.followingProjects(), specChanged).
		Watches(&v1alpha1.User{}, r.following(r.userChanged), builder.WithPredicates(gateMatters())).
		Watches(&corev1.Namespace{}, r.following(r.namespaceChanged), builder.WithPredicates(namespaceMatters())).
		Watches(&rbacv1.RoleBinding{}, r.handle(r.bindingChanged, r.tampered), builder.WithPredicates(r.bindingByOthers())).
		Watches(&rbacv1.ClusterRole{}, r.observing(r.clusterRoleChanged), builder.WithPredicates(bindingMatters())).
		Watches(&rbacv1.ClusterRoleBinding{}, r.observing(r.clusterRoleBindingChanged)).
		WatchesRawSource(source.Channel(r.events, r.observing(named))).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrentSyncs,
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](
				firstRetry, lastRetry),
		}).
		Complete(r)
}

// Reconcile syncs one organization.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	if request.Namespace != "" {
		return reconcile.Result{}, r.reportStrays(ctx, request.Namespace)
	}
	return r.sync(ctx, request.Name)
}
