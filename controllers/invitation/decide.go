package invitation

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/mailer"
)

// step is what is to be done next about an invitation.
type step int

const (
	// rest: nothing, until something changes.
	rest step = iota
	// reopen: it was asked to be made anew.
	reopen
	// settle: an attempt to mail it was begun, and how it ended isn't written down.
	settle
	// send: it is to be mailed now.
	send
	// wait: it is to be mailed later.
	wait
)

// decide is what is to be done about a Membership at an instant. Settings that have changed since an attempt are worth
// another one at once.
func decide(
	membership *v1alpha1.Membership, organization *v1alpha1.Organization, now, settingsChanged time.Time,
) (step, time.Time) {
	if membership.DeletionTimestamp != nil || !access.IsInvitation(membership) ||
		membership.Spec.Response == v1alpha1.InvitationAccepted || membership.Spec.Suspended {
		return rest, time.Time{}
	}
	state := stateOf(membership)
	isOpen := access.PhaseOf(membership, organization, now).MembershipPhase == v1alpha1.MembershipInvited
	switch {
	case state.Delivery == v1alpha1.MailSending:
		return settle, time.Time{}
	case resendAsked(membership) && (state.Sends > 0 || !isOpen):
		return reopen, time.Time{}
	case !isOpen || !isReported(membership):
		return rest, time.Time{}
	case state.Delivery == "":
		return send, time.Time{}
	case state.Delivery == v1alpha1.MailRetrying:
		due := state.AttemptedAt.Add(mailer.RetryAfter(state.Attempts))
		if !now.Before(due) || state.AttemptedAt.Time.Before(settingsChanged) {
			return send, time.Time{}
		}
		return wait, due
	}
	return rest, time.Time{}
}

func stateOf(membership *v1alpha1.Membership) v1alpha1.InvitationStatus {
	if membership.Status.Invitation == nil {
		return v1alpha1.InvitationStatus{}
	}
	return *membership.Status.Invitation
}

// resendAsked: the value is another one than that acted on last.
func resendAsked(membership *v1alpha1.Membership) bool {
	asked := membership.Annotations[v1alpha1.AnnotationResendInvitation]
	return asked != "" && asked != stateOf(membership).Resent
}

// isReported says whether the access sync has found the invitation open, in an organization that is in order: one in a
// namespace that merely has the name of an organization's, or beside an older Membership of the user, mails nobody.
func isReported(membership *v1alpha1.Membership) bool {
	ready := meta.FindStatusCondition(membership.Status.Conditions, v1alpha1.ConditionReady)
	return membership.Status.Phase == v1alpha1.MembershipInvited && ready != nil && ready.Reason != access.ReasonDuplicate
}
