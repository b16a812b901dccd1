package invitation

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/invitation"
	"github.com/roster-dev/roster/internal/mailer"
	"github.com/roster-dev/roster/internal/status"
)

// Reasons of the condition Mailed.
const (
	reasonNoAddress = "NoAddress"
	reasonReopened  = "Resent"
	reasonOver      = "InvitationOver"
)

// mail makes one attempt: it is written down that it begins, then it is made, and then how it ended is written down. So
// whatever breaks off in between, nobody is mailed twice.
func (r *Reconciler) mail(ctx context.Context, live *subject) error {
	settings, err := r.Office.Settings(ctx)
	if err != nil {
		reason, isAboutSettings := mailer.ReasonOf(err)
		if !isAboutSettings {
			return err
		}
		return r.unmailed(ctx, live.membership, reason, err)
	}
	to, err := r.address(ctx, live.membership)
	if err != nil {
		return err
	}
	if to == "" {
		return r.unmailed(ctx, live.membership, reasonNoAddress, fmt.Errorf("no mail address of user %q is known: "+
			"set spec.email and resend", live.membership.Spec.User))
	}
	code := r.begin(live.membership)
	message, err := r.message(settings, live, to, code)
	if err != nil {
		return err
	}
	if err := r.Status().Update(ctx, live.membership); err != nil {
		return err
	}
	r.Office.Deliver(ctx, attemptOf(live.membership), settings, message)
	return r.settle(ctx, live.membership)
}

// attemptOf is the attempt that was begun last.
func attemptOf(membership *v1alpha1.Membership) mailer.Attempt {
	state := stateOf(membership)
	return mailer.Attempt{Object: membership.UID, Mail: strconv.Itoa(int(state.Sends)), Number: state.Attempts}
}

// unmailed says why nothing is mailed now. Other settings make another attempt; an address makes one when it is resent.
func (r *Reconciler) unmailed(ctx context.Context, membership *v1alpha1.Membership, reason string, problem error) error {
	before := membership.DeepCopy()
	state := r.opened(membership)
	if reason == reasonNoAddress {
		state.Delivery = v1alpha1.MailFailed
	}
	state.LastError = problem.Error()
	say(membership, metav1.ConditionFalse, reason, problem.Error()+"; "+withoutMail(membership))
	return status.Update(ctx, r.Client, before, membership)
}

// opened is the state of an invitation that was seen at least once.
func (r *Reconciler) opened(membership *v1alpha1.Membership) *v1alpha1.InvitationStatus {
	if membership.Status.Invitation == nil {
		membership.Status.Invitation = &v1alpha1.InvitationStatus{}
	}
	state := membership.Status.Invitation
	if state.Sends == 0 {
		state.Sends, state.Resent = 1, membership.Annotations[v1alpha1.AnnotationResendInvitation]
	}
	return state
}

// begin notes that an attempt is made, and returns the code that the mail carries to an address that the organization names:
// the person answers with it, or confirms the address by it. Each attempt has a code of its own, since only its hash is kept;
// that of an attempt which may have been mailed stays good.
func (r *Reconciler) begin(membership *v1alpha1.Membership) string {
	state := r.opened(membership)
	r.Office.Begin(&state.MailState)
	code := ""
	if address := membership.Spec.Email; address != "" {
		code = invitation.NewCode()
		state.CodeHash, state.CodeAddress = invitation.Hash(code), address
	}
	say(membership, metav1.ConditionUnknown, string(v1alpha1.MailSending), "the mail is being sent")
	return code
}

// settle writes down how an attempt ended.
func (r *Reconciler) settle(ctx context.Context, membership *v1alpha1.Membership) error {
	attempt := attemptOf(membership)
	return r.Office.Settle(ctx, attempt, func(ctx context.Context, done mailer.Outcome) error {
		return r.record(ctx, client.ObjectKeyFromObject(membership), attempt, done)
	})
}

// record writes the outcome of the attempt that it belongs to, if that is still the last one.
func (r *Reconciler) record(ctx context.Context, key client.ObjectKey, attempt mailer.Attempt, done mailer.Outcome) error {
	membership := &v1alpha1.Membership{}
	if err := r.Live.Get(ctx, key, membership); err != nil {
		return err
	}
	state := membership.Status.Invitation
	if state == nil || attemptOf(membership) != attempt {
		return nil
	}
	before := membership.DeepCopy()
	r.Office.End(&state.MailState, done)
	switch done.Delivery {
	case v1alpha1.MailSent:
		say(membership, metav1.ConditionTrue, string(done.Delivery), "the mail server has taken the mail")
	case v1alpha1.MailUnknown:
		say(membership, metav1.ConditionUnknown, string(done.Delivery), done.Message+"; it isn't sent again by itself: ask "+
			"the invited person, and resend if nothing has come: "+resendCommand(membership))
	case v1alpha1.MailRetrying:
		say(membership, metav1.ConditionFalse, string(done.Delivery), done.Message+"; it is tried again; "+withoutMail(membership))
	default:
		say(membership, metav1.ConditionFalse, string(done.Delivery), done.Message+"; put that right and resend: "+
			resendCommand(membership)+"; "+withoutMail(membership))
	}
	return status.Update(ctx, r.Client, before, membership)
}

// giveUp says that an invitation was over before it was mailed.
func (r *Reconciler) giveUp(ctx context.Context, membership *v1alpha1.Membership) error {
	before := membership.DeepCopy()
	if state := membership.Status.Invitation; state != nil && state.Delivery == v1alpha1.MailRetrying {
		state.Delivery = v1alpha1.MailFailed
	}
	say(membership, metav1.ConditionFalse, reasonOver, "the invitation was answered or had expired before it was mailed")
	return status.Update(ctx, r.Client, before, membership)
}

// reopen begins the invitation anew: with a new life, no answer, no code until the next mail, and no wrong codes.
func (r *Reconciler) reopen(ctx context.Context, membership *v1alpha1.Membership) error {
	if membership.Spec.Response != "" {
		if err := r.clearResponse(ctx, membership); err != nil {
			return err
		}
	}
	before := membership.DeepCopy()
	now := metav1.NewTime(r.Clock.Now()).Rfc3339Copy()
	state := stateOf(membership)
	membership.Status.Invitation = &v1alpha1.InvitationStatus{
		OpenedAt: &now, Resent: membership.Annotations[v1alpha1.AnnotationResendInvitation],
		Sends: state.Sends + 1, MailState: v1alpha1.MailState{SentAt: state.SentAt},
	}
	say(membership, metav1.ConditionFalse, reasonReopened, "the invitation was made anew and isn't mailed yet")
	return status.Update(ctx, r.Client, before, membership)
}

// clearResponse: an answer belongs to the invitation that it was given to. The stamp of who resent it stays.
func (r *Reconciler) clearResponse(ctx context.Context, membership *v1alpha1.Membership) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": membership.UID, "resourceVersion": membership.ResourceVersion},
		"spec":     map[string]any{"response": nil},
	})
	if err != nil {
		return err
	}
	return r.Patch(ctx, membership, client.RawPatch(types.MergePatchType, patch))
}

func say(membership *v1alpha1.Membership, value metav1.ConditionStatus, reason, message string) {
	status.Set(membership, v1alpha1.ConditionMailed, value, reason, message)
}

// withoutMail says how the invitation can be answered though nothing was mailed.
func withoutMail(membership *v1alpha1.Membership) string {
	organization, _ := v1alpha1.OrganizationOf(membership.Namespace)
	if membership.Spec.User == "" {
		return "nobody can answer before the code is mailed: invite by username instead where it is known"
	}
	return fmt.Sprintf("%s can answer without the mail: kubectl roster accept %s", membership.Spec.User, organization)
}

func resendCommand(membership *v1alpha1.Membership) string {
	organization, _ := v1alpha1.OrganizationOf(membership.Namespace)
	return fmt.Sprintf("kubectl roster resend %s --organization %s", membership.Name, organization)
}
