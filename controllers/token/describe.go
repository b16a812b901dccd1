package token

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/status"
	"github.com/roster-dev/roster/internal/token"
)

// The reasons of the condition Issued.
const (
	reasonIssued      = "Issued"
	reasonNotIssued   = "NotIssued"
	reasonShortened   = "Shortened"
	reasonSecretTaken = "SecretTaken"
	reasonRevoked     = "Revoked"
	reasonExpired     = "Expired"
)

// describe says on the object what there is of it, and returns when something is to be done or said next.
func (r *Reconciler) describe(ctx context.Context, object *v1alpha1.APIToken, found outcome) time.Time {
	now := r.Clock.Now()
	if found.plan.Ends {
		r.describeEnd(object, found.plan.End)
		return r.removalOf(object)
	}
	object.Status.Phase = v1alpha1.APITokenActive
	object.Status.ExpiresAt = instant(found.plan.End)
	if found.taken != "" {
		status.Say(object, v1alpha1.ConditionIssued, false, reasonSecretTaken, found.taken)
		return found.plan.Next
	}
	delivery := found.state.Delivery
	object.Status.SecretName, object.Status.ServiceAccount = object.SecretName(), object.ServiceAccountName()
	if object.Status.TokenID != delivery.ID {
		object.Status.PreviousTokenID = object.Status.TokenID
	}
	object.Status.TokenID, object.Status.IssuedAt = delivery.ID, instant(delivery.IssuedAt)
	object.Status.RotatesAt = nil
	if !found.plan.RotatesAt.IsZero() {
		object.Status.RotatesAt = instant(found.plan.RotatesAt)
	}
	end := describeIssue(object, *delivery, found.plan)
	return r.notice(ctx, object, earliestAfter(now, []time.Time{end, found.plan.Next}), now)
}

// sayUnissued says why there is no token yet, such as a quota. One that is there works on, whatever becomes of the next.
func (r *Reconciler) sayUnissued(ctx context.Context, before, object *v1alpha1.APIToken, cause error) error {
	if isOutdated(cause) || meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionIssued) ||
		object.Status.EndedAt != nil {
		return nil
	}
	// What a token is to be bound to is called otherwise at each attempt, and that isn't worth a write.
	attempt := regexp.MustCompile(regexp.QuoteMeta(object.ServiceAccountName()) + fmt.Sprintf("-[a-z0-9]{%d}", suffixLength))
	message := attempt.ReplaceAllString(cause.Error(), object.ServiceAccountName()+"-…")
	status.Say(object, v1alpha1.ConditionIssued, false, reasonNotIssued, message)
	return status.Update(ctx, r.Client, before, object)
}

// describeIssue says of the token that is handed out until when it works, also where the API server gave it less than was
// asked for, and returns the end. Without a rotation the APIToken ends with it.
func describeIssue(object *v1alpha1.APIToken, delivery token.Delivery, plan token.Plan) time.Time {
	message := fmt.Sprintf("the token was issued at %s and is in Secret %s", text(delivery.IssuedAt), object.SecretName())
	expected := plan.End
	if rotation := object.Spec.Rotation; rotation != nil {
		if next := delivery.IssuedAt.Add(rotation.Every.Duration + token.Overlap(object)); next.Before(expected) {
			expected = next
		}
	}
	if !delivery.ExpiresAt.Add(token.Slack).Before(expected) {
		status.Say(object, v1alpha1.ConditionIssued, true, reasonIssued, message)
		return plan.End
	}
	longest := delivery.ExpiresAt.Sub(delivery.IssuedAt).Round(time.Second)
	if object.Spec.Rotation != nil {
		status.Say(object, v1alpha1.ConditionIssued, true, reasonShortened, fmt.Sprintf("%s; the API server issues tokens for "+
			"%s at most, so it is rotated earlier than spec.rotation asks", message, longest))
		return plan.End
	}
	object.Status.ExpiresAt = instant(delivery.ExpiresAt)
	status.Say(object, v1alpha1.ConditionIssued, true, reasonShortened, fmt.Sprintf("%s; the API server issues tokens for %s "+
		"at most, so this one ends at %s; set spec.rotation in another APIToken for a longer life", message, longest,
		text(delivery.ExpiresAt)))
	return delivery.ExpiresAt
}

func (r *Reconciler) describeEnd(object *v1alpha1.APIToken, end time.Time) {
	ended := r.Clock.Now()
	phase, reason, message := v1alpha1.APITokenRevoked, reasonRevoked, "the token was revoked; its Secret is deleted"
	if !object.Spec.Revoked {
		phase, reason, message = v1alpha1.APITokenExpired, reasonExpired, "the token has expired; its Secret is deleted"
		ended = end
	}
	object.Status.Phase = phase
	if object.Status.EndedAt == nil {
		object.Status.EndedAt = instant(ended)
	}
	object.Status.RotatesAt = nil
	if object.Status.ExpiresAt == nil {
		object.Status.ExpiresAt = instant(end)
	}
	status.Say(object, v1alpha1.ConditionIssued, false, reason, message)
	status.Flag(object, v1alpha1.ConditionExpiresSoon, false, "", "")
	status.Flag(object, v1alpha1.ConditionUnused, false, "", "")
}

// notice says what somebody should look at: an end that is near, and a token that nobody uses. It returns the earliest of
// when that is to be said and what else is to be done.
func (r *Reconciler) notice(ctx context.Context, object *v1alpha1.APIToken, next, now time.Time) time.Time {
	end := object.Status.ExpiresAt.Time
	soonAt := token.ExpiresSoonAt(object, end)
	status.Flag(object, v1alpha1.ConditionExpiresSoon, !now.Before(soonAt), "EndIsNear",
		fmt.Sprintf("the token ends at %s; make another APIToken before that", text(end)))
	isUnused, again := r.isUnused(ctx, object, now)
	status.Flag(object, v1alpha1.ConditionUnused, isUnused, "NotUsed",
		fmt.Sprintf("the token wasn't used for %d days or more; revoke it if nobody needs it", int(token.UnusedAfter.Hours()/24)))
	return earliestAfter(now, []time.Time{next, soonAt, again})
}

// isUnused says whether it is known that nobody has used a token for long, and when to ask again.
func (r *Reconciler) isUnused(ctx context.Context, object *v1alpha1.APIToken, now time.Time) (isUnused bool, again time.Time) {
	unusedAt, known := token.UnusedAt(object, r.UseKnown.Since(ctx))
	switch {
	case known && now.Before(unusedAt):
		return false, unusedAt
	case known && !r.UseKnown.Until(ctx).Before(unusedAt):
		return true, time.Time{}
	}
	// Nobody tells when the audit stream comes, or comes back.
	return false, now.Add(streamRetry)
}

// earliestAfter is the first of some instants that is still to come, or zero.
func earliestAfter(now time.Time, instants []time.Time) time.Time {
	var first time.Time
	for _, at := range instants {
		if at.After(now) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// instant is how a status says when: to the second.
func instant(at time.Time) *metav1.Time {
	rounded := metav1.NewTime(at.UTC().Truncate(time.Second))
	return &rounded
}

func text(at time.Time) string { return at.UTC().Format(time.RFC3339) }
