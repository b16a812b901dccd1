package access

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/status"
)

// Reasons of an APIToken's Ready besides the engine's.
const (
	reasonRevoked   = "Revoked"
	reasonExpired   = "Expired"
	reasonNotIssued = "NotIssued"
)

// apiTokenStatus says whether a token works: its Secret is there, and what it asks for is in force. The Secret, and when the
// token was issued and ends, is for the token's own controller to say.
func (s *organizationSync) apiTokenStatus(token *v1alpha1.APIToken) status.Object {
	outcome := s.result.APITokens[token.Name]
	reference := engine.ObjectReference{Kind: engine.KindAPIToken, Namespace: token.Namespace, Name: token.Name}
	// A token reaches no organization below, and so waits for none.
	readiness, _ := s.readiness(reference, token, outcome.Problems, s.tokenReadiness(token, outcome))
	token.Status.Roles = outcome.Roles
	status.Report(token, readiness)
	status.Flag(token, v1alpha1.ConditionUserHeldBack, outcome.HeldBack != "", string(outcome.HeldBack),
		heldBackMessage(token, outcome.HeldBack))
	return token
}

func (s *organizationSync) tokenReadiness(
	token *v1alpha1.APIToken, outcome engine.APITokenOutcome,
) status.Readiness {
	held := func(reason, message string) status.Readiness {
		return status.Readiness{State: status.Held, Reason: reason, Message: message}
	}
	issued := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionIssued)
	switch {
	case outcome.Revoked:
		return held(reasonRevoked, "the token was revoked and gives nothing; make another APIToken")
	case outcome.Expired:
		return held(reasonExpired, fmt.Sprintf("the token ended at %s; make another APIToken",
			outcome.End.UTC().Format(time.RFC3339)))
	case outcome.HeldBack != "":
		return held(string(outcome.HeldBack), heldBackMessage(token, outcome.HeldBack))
	case issued == nil:
		return status.Readiness{State: status.Progressing, Reason: reasonNotIssued, Message: "the token isn't issued yet"}
	case issued.Status != metav1.ConditionTrue:
		return status.Readiness{State: status.Progressing, Reason: issued.Reason, Message: issued.Message}
	case s.missing.Has(rbac.TokenReader(s.result.Organization, token.Name)), s.written.failed[s.result.Namespace] != nil:
		return status.Readiness{State: status.Progressing, Reason: reasonNotInForce,
			Message: fmt.Sprintf("user %q can't read Secret %s yet", token.Spec.User, token.SecretName())}
	}
	return status.Readiness{State: status.InForce, Reason: status.ReasonInForce,
		Message: fmt.Sprintf("the token is in Secret %s and its roles are in force", token.SecretName())}
}

func heldBackMessage(token *v1alpha1.APIToken, hold engine.TokenHold) string {
	user := token.Spec.User
	switch hold {
	case engine.TokenUserDeactivated:
		return fmt.Sprintf("user %q is deactivated, so the token gives nothing; it does again when the User is activated", user)
	case engine.TokenUserLacksMFA:
		return fmt.Sprintf("a second factor is required here and user %q has none, so the token gives nothing; it does again "+
			"when one is enrolled", user)
	case engine.TokenUserSuspended:
		return fmt.Sprintf("the Membership of user %q is suspended or has ended, so the token gives nothing; it does again when "+
			"the Membership is in force", user)
	case engine.TokenUserNotMember:
		return fmt.Sprintf("user %q isn't a member of the organization, so the token gives nothing; revoke the token, or make "+
			"the user a member again", user)
	}
	return ""
}

// tokenChanged lets through APITokens that change in what the sync decides on: the spec, and whether and until when a token
// is issued. When it was last used makes no difference.
func tokenChanged() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: func(change event.UpdateEvent) bool {
		before, after := change.ObjectOld.(*v1alpha1.APIToken), change.ObjectNew.(*v1alpha1.APIToken)
		return !before.Status.ExpiresAt.Equal(after.Status.ExpiresAt) || !before.Status.EndedAt.Equal(after.Status.EndedAt) ||
			issuedReason(before) != issuedReason(after)
	}})
}

func issuedReason(token *v1alpha1.APIToken) string {
	issued := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionIssued)
	if issued == nil {
		return ""
	}
	return issued.Reason + issued.Message
}
