package user

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/person"
)

// confirmed is the address that a user confirmed last. It is kept when the Membership goes by which it was confirmed: the
// address is the person's, not the organization's.
func confirmed(users []v1alpha1.User, memberships []*v1alpha1.Membership) *v1alpha1.ConfirmedAddress {
	var latest *v1alpha1.ConfirmedAddress
	for i := range users {
		latest = person.Latest(latest, users[i].Status.Confirmed)
	}
	for _, membership := range memberships {
		latest = person.Latest(latest, membership.Spec.Confirmed)
	}
	return latest
}

// forgetCopies takes out of Users what an earlier version copied there from Memberships, and nothing else: deactivated and
// mfa stay. It says whether anything was, or has to be looked at again.
func (r *Reconciler) forgetCopies(ctx context.Context, users []v1alpha1.User) (changed bool, err error) {
	for i := range users {
		user := &users[i]
		if _, known := r.examined.Load(user.UID); known {
			continue
		}
		copied, err := person.CopiedOf(ctx, r.Live, user)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return false, err
		}
		patch := copied.Forget(user)
		if patch == nil {
			r.examined.Store(user.UID, nil)
			continue
		}
		changed = true
		if err := r.Patch(ctx, user, patch); client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			return false, fmt.Errorf("take unconfirmed copies out of User %s: %w", user.Name, err)
		}
	}
	return changed, nil
}
