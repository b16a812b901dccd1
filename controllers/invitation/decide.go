package invitation

import (
	"slices"
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
	// giveUp: it is over, and still says that it will be mailed.
	giveUp
)

// decide is what is to be done about an invitation now.
func (r *Reconciler) decide(about *subject) (step, time.Time) {
	membership := about.membership
	if membership.DeletionTimestamp != nil || !access.IsInvitation(membership) || membership.Spec.Suspended {
		return rest, time.Time{}
	}
	state := stateOf(membership)
	isAccepted := membership.Spec.Response == v1alpha1.InvitationAccepted
	phase := access.PhaseOf(membership, about.organization, r.Clock.Now()).MembershipPhase
	isOpen := phase == v1alpha1.MembershipInvited
	next, due := r.Office.Next(state.MailState)
	switch {
	case next == mailer.Settle:
		return settle, time.Time{}
	case !isAccepted && resendAsked(membership) && (state.Sends > 0 || !isOpen):
		return reopen, time.Time{}
	case !isOpen && promisesMail(membership):
		return giveUp, time.Time{}
	case !isOpen || !isReported(membership):
		return rest, time.Time{}
	}
	return map[mailer.Step]step{mailer.Send: send, mailer.Wait: wait}[next], due
}

// promisesMail says whether an invitation's condition tells of a mail that is to come.
func promisesMail(membership *v1alpha1.Membership) bool {
	condition := meta.FindStatusCondition(membership.Status.Conditions, v1alpha1.ConditionMailed)
	return condition != nil && slices.Contains([]string{
		string(v1alpha1.MailSending), string(v1alpha1.MailRetrying), mailer.ReasonNoSettings, mailer.ReasonInvalidSettings,
		reasonReopened,
	}, condition.Reason)
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
