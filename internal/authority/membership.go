package authority

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// OfMembership are the demands of a change of a Membership. The defaults are the organization's, which a Membership that
// names no roles gives. Before or after is nil where there is none.
func OfMembership(before, after *v1alpha1.Membership, defaults []v1alpha1.RoleName) []Demand {
	if after == nil {
		return nil
	}
	roles := rolesGiven(after, defaults)
	if before == nil {
		return demandRoles(roles, widening{"spec.roles", "giving it"})
	}
	if widened := widenedMembership(before, after); widened.field != "" {
		return demandRoles(roles, widened)
	}
	had := rolesGiven(before, defaults)
	if len(before.Spec.Roles) == 0 && len(after.Spec.Roles) > 0 {
		// A role that was given by default so far is newly named, too: it stays when the default becomes another one.
		had = nil
	}
	return demandRoles(Added(had, roles), widening{"spec.roles", "giving it"})
}

// rolesGiven are the roles that a Membership gives: those it names or else the organization's defaults, and none where it
// names none among them.
func rolesGiven(membership *v1alpha1.Membership, defaults []v1alpha1.RoleName) []v1alpha1.RoleName {
	roles := access.RolesOrDefaults(membership, defaults)
	if slices.Contains(roles, v1alpha1.RoleNone) {
		return nil
	}
	return roles
}

func demandRoles(roles []v1alpha1.RoleName, widened widening) []Demand {
	demands := make([]Demand, 0, len(roles))
	for _, role := range roles {
		// Organizations below inherit it, those too that have a Membership of their own for the user today.
		demands = append(demands, Demand{Role: role, Everywhere: true, Field: widened.field, Change: widened.change})
	}
	return demands
}

// Uncovers says whether a Membership may keep less away than before of what the organizations above give to its user: it goes, or
// waits for an answer, or holds no role here. A Membership that holds no role, and isn't suspended, keeps nothing away.
func Uncovers(before, after *v1alpha1.Membership) bool {
	if before == nil || before.Spec.User == "" {
		return false
	}
	holdsNone := func(membership *v1alpha1.Membership) bool {
		return !membership.Spec.Suspended && membership.Spec.ExpiresAt == nil && slices.Contains(membership.Spec.Roles, v1alpha1.RoleNone)
	}
	waits := func(membership *v1alpha1.Membership) bool {
		return membership.Spec.Invitation != nil && membership.Spec.Response != v1alpha1.InvitationAccepted
	}
	if holdsNone(before) || waits(before) && !before.Spec.Suspended {
		return false
	}
	return after == nil || after.Spec.User != before.Spec.User || holdsNone(after) || waits(after) ||
		slices.Contains(after.Spec.Roles, v1alpha1.RoleNone) && (before.Spec.Suspended && !after.Spec.Suspended ||
			!slices.Contains(before.Spec.Roles, v1alpha1.RoleNone) || endsLater(before.Spec.ExpiresAt, after.Spec.ExpiresAt))
}

// widenedMembership says which field lets the roles of a Membership reach another user, or last longer.
func widenedMembership(before, after *v1alpha1.Membership) widening {
	was, is := &before.Spec, &after.Spec
	switch {
	case len(is.Roles) == 0 && len(was.Roles) > 0:
		// The same roles by default today may be others by default tomorrow.
		return widening{"spec.roles", "leaving it to the organization's default"}
	case was.User != is.User && is.User != "":
		return widening{"spec.user", fmt.Sprintf("naming %s", is.User)}
	case was.Email != is.Email && is.User == "":
		return widening{"spec.email", fmt.Sprintf("inviting %s", is.Email)}
	case was.Suspended && !is.Suspended:
		return widening{"spec.suspended", "lifting the suspension"}
	case endsLater(was.ExpiresAt, is.ExpiresAt):
		return widening{"spec.expiresAt", "prolonging it"}
	case is.Response == v1alpha1.InvitationAccepted && was.Response != is.Response:
		return widening{"spec.response", "accepting it"}
	case Resends(before, after):
		return widening{"metadata.annotations", "resending the invitation"}
	case was.Invitation == nil || was.Response == v1alpha1.InvitationAccepted:
		return widening{}
	case is.Invitation == nil:
		return widening{"spec.invitation", "withdrawing the invitation"}
	case invitationLife(is.Invitation) > invitationLife(was.Invitation):
		return widening{"spec.invitation.expiresAfter", "prolonging the invitation"}
	}
	return widening{}
}

// invitationLife is how long an invitation says that it lasts. One that says nothing lasts as long as the organization
// says, which counts for more than any life that it could say itself.
func invitationLife(invitation *v1alpha1.InvitationSpec) time.Duration {
	if invitation.ExpiresAfter == nil {
		return time.Duration(1<<63 - 1)
	}
	return invitation.ExpiresAfter.Duration
}

// Resends says whether an invitation is asked to be made anew.
func Resends(before, after metav1.Object) bool {
	asked := after.GetAnnotations()[v1alpha1.AnnotationResendInvitation]
	return asked != "" && asked != before.GetAnnotations()[v1alpha1.AnnotationResendInvitation]
}
