package user

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/snapshot"
)

const (
	// shortestStay is how long a User stays at least after its user left: a commit that renames a Membership deletes one and
	// makes another.
	shortestStay = time.Minute
	// referredRetry is how soon a User is looked at again that was due to go and is referred to.
	referredRetry = 24 * time.Hour
)

// hasLeft says whether a user has no place any more, and nothing is left but what Roster made by itself: one User, with
// nothing in it that takes access away, and a Personal organization at most.
func hasLeft(users []v1alpha1.User, owned []*v1alpha1.Organization, memberships []*v1alpha1.Membership) bool {
	if len(users) != 1 || len(memberships) > 0 || !isRostersOwn(&users[0]) {
		return false
	}
	spec := users[0].Spec
	if spec.Deactivated || spec.MFA != (v1alpha1.MultiFactorAuthentication{}) {
		return false
	}
	return !slices.ContainsFunc(owned, func(organization *v1alpha1.Organization) bool {
		return !organization.IsPersonal() || !isRostersOwn(organization)
	})
}

// isRostersOwn says whether Roster made an object and nobody has changed it since. The webhook stamps all changes but Roster's,
// and the generation tells of those that it wasn't asked about.
func isRostersOwn(object client.Object) bool {
	_, isChanged := object.GetAnnotations()[v1alpha1.AnnotationChangedBy]
	isFirst := object.GetGeneration() <= 1 || object.GetDeletionTimestamp() != nil
	return object.GetLabels()[v1alpha1.LabelManagedBy] == v1alpha1.ManagedByRoster && !isChanged && isFirst
}

// goesAt is when the User of a user who has left goes: after the retention. One whose user was never seen, and never
// confirmed an address, stays no longer than
// it was there before. So whoever makes and deletes Memberships leaves no more Users than there were Memberships.
func goesAt(user *v1alpha1.User, left time.Time, retention time.Duration) time.Time {
	if user.Status.LastSeenAt == nil && user.Status.Confirmed == nil {
		retention = min(retention, max(shortestStay, left.Sub(user.CreationTimestamp.Time)))
	}
	return left.Add(retention)
}

// leftSince is since when a user has no place, nil while the User is to stay.
func (r *Reconciler) leftSince(
	users []v1alpha1.User, owned []*v1alpha1.Organization, memberships []*v1alpha1.Membership,
) *metav1.Time {
	switch {
	case !hasLeft(users, owned, memberships):
		return nil
	case users[0].Status.LeftAt != nil:
		return users[0].Status.LeftAt
	}
	now := metav1.NewTime(r.Clock.Now()).Rfc3339Copy()
	return &now
}

// removeLeaver removes what Roster made for a user who has left, at its time: the Personal organization first, whose owner would
// get a User again.
func (r *Reconciler) removeLeaver(
	ctx context.Context, user *v1alpha1.User, left *metav1.Time, owned []*v1alpha1.Organization,
) (reconcile.Result, error) {
	if left == nil || user.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	now := r.Clock.Now()
	if wait := goesAt(user, left.Time, r.LeaverRetention).Sub(now); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	isReferredTo, err := snapshot.IsReferredTo(ctx, r.Client, user.Spec.Username)
	if err != nil {
		return reconcile.Result{}, err
	}
	if isReferredTo {
		return reconcile.Result{RequeueAfter: referredRetry}, nil
	}
	for _, organization := range owned {
		if organization.DeletionTimestamp != nil {
			continue
		}
		if err := r.deleteUnchanged(ctx, organization); err != nil {
			return reconcile.Result{}, err
		}
	}
	if len(owned) > 0 {
		// When the last one is gone, its event comes back here.
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, r.deleteUnchanged(ctx, user)
}

// deleteUnchanged deletes an object as it was read: one that was changed meanwhile, or made anew, stays, and its event comes back
// here.
func (r *Reconciler) deleteUnchanged(ctx context.Context, object client.Object) error {
	uid, version := object.GetUID(), object.GetResourceVersion()
	err := r.Delete(ctx, object, client.Preconditions{UID: &uid, ResourceVersion: &version})
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("delete %T %s of a user who has left: %w", object, object.GetName(), err)
}
