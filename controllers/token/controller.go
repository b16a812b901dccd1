// Package token carries out the life of APITokens: the ServiceAccount and the Secrets of each, tokens that are issued,
// replaced and ended in time. What a token may do, and who may read it, is for the sync of its organization.
package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/finalizer"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
	"github.com/roster-dev/roster/internal/status"
	"github.com/roster-dev/roster/internal/token"
	"github.com/roster-dev/roster/internal/upkeep"
)

const (
	// concurrentTokens is how many tokens are seen to at once.
	concurrentTokens = 8
	// outdatedRetry is how soon a token is looked at again whose object changed meanwhile.
	outdatedRetry = 50 * time.Millisecond
	// takenRetry is how soon it is looked whether somebody else's Secret is still in the way.
	takenRetry = time.Minute
	// streamRetry is how soon it is looked whether it is known by now that a token isn't used.
	streamRetry = time.Hour
)

// Reconciler carries out the life of APITokens.
type Reconciler struct {
	client.Client
	// Live reads from the API server itself: what is written is decided on what is there, not on what a cache says.
	Live  client.Reader
	Clock clock.PassiveClock
	// Kept are the caches of the ServiceAccounts and Secrets that carry an APIToken's name, as metadata alone: no token
	// is ever in the manager's memory but while it is issued.
	Kept Kept
	// Server is where tokens are for.
	Server token.Server
	// Retention is how long an APIToken stays after its end.
	Retention time.Duration
	// UseKnown says of which time it is known who used tokens.
	UseKnown UseKnown
	// History is told of tampering; nil in tests that are about something else.
	History upkeep.History
}

// UseKnown is of which time the API server has told of the use of tokens.
type UseKnown interface {
	// Since is when that began; zero where it never has.
	Since(context.Context) time.Time
	// Until is up to when it is certain: the stream may have stopped.
	Until(context.Context) time.Time
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager) error {
	ofOwner := handler.TypedEnqueueRequestForOwner[*metav1.PartialObjectMetadata](
		manager.GetScheme(), manager.GetRESTMapper(), &v1alpha1.APIToken{}, handler.OnlyControllerOwner())
	return ctrl.NewControllerManagedBy(manager).
		Named("token").
		For(&v1alpha1.APIToken{}, builder.WithPredicates(tokenMatters())).
		Watches(&v1alpha1.Organization{}, handler.EnqueueRequestsFromMapFunc(r.ofOrganization),
			builder.WithPredicates(policyMatters())).
		Watches(&rbacv1.ClusterRole{}, upkeep.ForNamed(rbac.TokenOfReader)).
		WatchesRawSource(source.Kind(r.Kept.Cache, metadataOf("Secret"), ofOwner)).
		WatchesRawSource(source.Kind(r.Kept.Cache, metadataOf("ServiceAccount"), ofOwner)).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrentTokens}).
		Complete(r)
}

// Reconcile sees to one token.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	object := &v1alpha1.APIToken{}
	if err := r.Get(ctx, request.NamespacedName, object); err != nil {
		census.forget(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if object.DeletionTimestamp != nil {
		census.forget(request.NamespacedName)
		return retryOutdated(reconcile.Result{}, r.release(ctx, object))
	}
	organization, err := r.organizationOf(ctx, object)
	if err != nil || organization == nil {
		return reconcile.Result{}, err
	}
	result, err := r.carryOut(ctx, object, organization.Spec.Tokens)
	return retryOutdated(result, err)
}

// retryOutdated looks again soon where an object changed or came meanwhile.
func retryOutdated(result reconcile.Result, err error) (reconcile.Result, error) {
	if isOutdated(err) {
		return reconcile.Result{RequeueAfter: outdatedRetry}, nil
	}
	return result, err
}

func isOutdated(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
}

// organizationOf is the organization that a token belongs to, or nil while its namespace isn't in use.
func (r *Reconciler) organizationOf(ctx context.Context, object *v1alpha1.APIToken) (*v1alpha1.Organization, error) {
	name, ok := v1alpha1.OrganizationOf(object.Namespace)
	if !ok {
		return nil, nil
	}
	organization := &v1alpha1.Organization{}
	err := r.Get(ctx, types.NamespacedName{Name: name}, organization, snapshot.Shared)
	if err != nil || organization.Status.Namespace != object.Namespace {
		return nil, client.IgnoreNotFound(err)
	}
	return organization, nil
}

// carryOut does what is to be done now, and says so.
func (r *Reconciler) carryOut(
	ctx context.Context, object *v1alpha1.APIToken, policy v1alpha1.TokenPolicy,
) (reconcile.Result, error) {
	if err := finalizer.AddNamed(ctx, r.Client, object, v1alpha1.TokenFinalizer); err != nil {
		return reconcile.Result{}, err
	}
	before := object.DeepCopy()
	found, err := r.act(ctx, object, policy)
	if err != nil {
		return reconcile.Result{}, errors.Join(err, r.sayUnissued(ctx, before, object, err))
	}
	next := r.describe(ctx, object, found)
	if object.Status.EndedAt != nil && !r.Clock.Now().Before(r.removalOf(object)) {
		return reconcile.Result{}, r.remove(ctx, object)
	}
	if err := status.Update(ctx, r.Client, before, object); err != nil {
		return reconcile.Result{}, err
	}
	census.count(client.ObjectKeyFromObject(object), object)
	if found.taken != "" {
		return reconcile.Result{RequeueAfter: takenRetry}, nil
	}
	if next.IsZero() {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{RequeueAfter: max(next.Sub(r.Clock.Now()), time.Nanosecond)}, nil
}

// outcome is what there is of a token after what was to be done is done.
type outcome struct {
	plan  token.Plan
	state token.State
	// taken says what is in the way of the token's Secret, or is empty.
	taken string
}

// act looks at the caches, and where there is something to be done at the API server itself, and does it.
func (r *Reconciler) act(ctx context.Context, object *v1alpha1.APIToken, policy v1alpha1.TokenPolicy) (outcome, error) {
	found, err := state(ctx, r.Kept.Reader, object)
	if err != nil {
		return outcome{}, err
	}
	plan := token.Decide(object, policy, found, r.Clock.Now())
	if plan.IsQuiet(found) {
		return outcome{plan: plan, state: found}, r.keepReader(ctx, object, plan)
	}
	current := &v1alpha1.APIToken{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(object), current); err != nil {
		return outcome{}, err
	}
	if current.UID != object.UID || current.Generation != object.Generation || current.DeletionTimestamp != nil {
		return outcome{}, apierrors.NewConflict(v1alpha1.GroupVersion.WithResource("apitokens").GroupResource(), object.Name,
			fmt.Errorf("it has changed"))
	}
	if found, err = state(ctx, r.Live, object); err != nil {
		return outcome{}, err
	}
	return r.do(ctx, object, policy, found)
}

func (r *Reconciler) do(
	ctx context.Context, object *v1alpha1.APIToken, policy v1alpha1.TokenPolicy, found token.State,
) (outcome, error) {
	plan := token.Decide(object, policy, found, r.Clock.Now())
	if plan.Ends {
		return outcome{plan: plan}, r.end(ctx, object)
	}
	for _, name := range plan.Discards {
		if err := r.discard(ctx, object, name); err != nil {
			return outcome{}, err
		}
	}
	if !plan.Issues {
		return outcome{plan: plan, state: found}, r.keepReader(ctx, object, plan)
	}
	taken, err := r.isTaken(ctx, object)
	if err != nil || taken != "" {
		return outcome{plan: plan, state: found, taken: taken}, err
	}
	if err := r.issue(ctx, object, plan, &found); err != nil {
		return outcome{}, err
	}
	// What there is now says when to look again.
	plan = token.Decide(object, policy, found, r.Clock.Now())
	return outcome{plan: plan, state: found}, r.keepReader(ctx, object, plan)
}

// release lets an APIToken go once nothing is left that it could work by. It doesn't wait for its access to be taken away,
// and that doesn't wait for this: whichever is first ends the token.
func (r *Reconciler) release(ctx context.Context, object *v1alpha1.APIToken) error {
	if !controllerutil.ContainsFinalizer(object, v1alpha1.TokenFinalizer) {
		return nil
	}
	if err := r.end(ctx, object); err != nil {
		return err
	}
	return finalizer.RemoveNamed(ctx, r.Client, object, v1alpha1.TokenFinalizer)
}

// removalOf is when an APIToken that has ended is removed.
func (r *Reconciler) removalOf(object *v1alpha1.APIToken) time.Time {
	return object.Status.EndedAt.Add(r.Retention)
}

func (r *Reconciler) remove(ctx context.Context, object *v1alpha1.APIToken) error {
	return client.IgnoreNotFound(r.Delete(ctx, object, client.Preconditions{UID: &object.UID}))
}

// keepReader keeps the ClusterRole by which the token's Secret is read, as long as that Secret is the token's.
func (r *Reconciler) keepReader(ctx context.Context, object *v1alpha1.APIToken, plan token.Plan) error {
	wanted := token.Reader(object)
	if !plan.Ends {
		keeper := upkeep.Keeper{Reader: r.Client, Writer: r.Client, History: r.History}
		return keeper.ClusterRole(ctx, wanted, upkeep.Source{
			Object: object, InForce: meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionIssued),
		})
	}
	if err := r.Get(ctx, client.ObjectKeyFromObject(wanted), &rbacv1.ClusterRole{}, snapshot.Shared); err != nil {
		return client.IgnoreNotFound(err)
	}
	return r.removeReader(ctx, object)
}

// removeReader asks the API server itself whether there is one: no write goes out for one that is gone, and none that was
// made a moment ago is overlooked.
func (r *Reconciler) removeReader(ctx context.Context, object *v1alpha1.APIToken) error {
	reader := &metav1.PartialObjectMetadata{}
	reader.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("ClusterRole"))
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(token.Reader(object)), reader); err != nil {
		return client.IgnoreNotFound(err)
	}
	return client.IgnoreNotFound(r.Delete(ctx, token.Reader(object)))
}

// metadataOf is an object of a kind of which the metadata alone is read.
func metadataOf(kind string) *metav1.PartialObjectMetadata {
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	return metadata
}
