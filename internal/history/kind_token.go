package history

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// apiTokens never record a token, which no APIToken holds.
var apiTokens = kind[*v1alpha1.APIToken]{
	name: "APIToken", made: "TokenCreated", removed: "TokenRemoved",
	fields: []field[*v1alpha1.APIToken]{
		plain("spec.user", "TokenUserChanged", func(t *v1alpha1.APIToken) string { return string(t.Spec.User) }),
		plain("spec.description", "TokenDescribed", func(t *v1alpha1.APIToken) string { return t.Spec.Description }),
		list("spec.roles", "TokenRoles", func(t *v1alpha1.APIToken) []v1alpha1.RoleName { return t.Spec.Roles }),
		list("spec.projects", "TokenProjects", func(t *v1alpha1.APIToken) []v1alpha1.ObjectName { return t.Spec.Projects }),
		flag("spec.organizationWide", "TokenOrganizationWide", "TokenNotOrganizationWide",
			func(t *v1alpha1.APIToken) bool { return t.Spec.OrganizationWide }),
		plain("spec.expiresAfter", "TokenLifeChanged", tokenLife),
		plain("spec.rotation", "TokenRotationChanged", tokenRotation),
		flag("spec.revoked", "TokenRevoked", "TokenNotRevoked", func(t *v1alpha1.APIToken) bool { return t.Spec.Revoked }),
		plain("spec.secretName", "TokenSecretChanged", func(t *v1alpha1.APIToken) string { return t.Spec.SecretName }),
		mark("metadata.annotations["+v1alpha1.AnnotationRotate+"]", "TokenRotationAsked", "TokenRotationForgotten",
			func(t *v1alpha1.APIToken) string { return t.Annotations[v1alpha1.AnnotationRotate] }).inMetadata(),
		mark("status.tokenID", "TokenIssued", "TokenNoLongerIssued",
			func(t *v1alpha1.APIToken) string { return t.Status.TokenID }).byRoster("a token was due"),
		mark("status.phase", "TokenExpired", "TokenNoLongerExpired", expiredToken).byRoster("its end has come"),
		noticedToken(v1alpha1.ConditionUserHeldBack, "TokenUserHeldBack", "TokenUserNoLongerHeldBack"),
		noticedToken(v1alpha1.ConditionExpiresSoon, "TokenExpiresSoon", "TokenNoLongerExpiresSoon"),
		noticedToken(v1alpha1.ConditionUnused, "TokenUnused", "TokenUsedAgain"),
		mark("status.conditions[Ready]", "TokenExceedsUser", "TokenNoLongerExceedsUser", exceedingToken).
			byRoster("the token asks for more than its user holds").asWarning(),
	},
}

func tokenLife(token *v1alpha1.APIToken) string { return durationOf(token.Spec.ExpiresAfter) }

func tokenRotation(token *v1alpha1.APIToken) string {
	rotation := token.Spec.Rotation
	if rotation == nil {
		return ""
	}
	text := "every " + rotation.Every.Duration.String()
	if rotation.Overlap != nil {
		text += ", overlap " + rotation.Overlap.Duration.String()
	}
	return text
}

func durationOf(duration *metav1.Duration) string {
	if duration == nil || duration.Duration == time.Duration(0) {
		return ""
	}
	return duration.Duration.String()
}

func expiredToken(token *v1alpha1.APIToken) string {
	if token.Status.Phase == v1alpha1.APITokenExpired {
		return string(v1alpha1.APITokenExpired)
	}
	return ""
}

// noticedToken is a condition that somebody should look at.
func noticedToken(condition, raised, cleared string) field[*v1alpha1.APIToken] {
	return mark("status.conditions["+condition+"]", raised, cleared, func(token *v1alpha1.APIToken) string {
		found := meta.FindStatusCondition(token.Status.Conditions, condition)
		if found == nil || found.Status != metav1.ConditionTrue {
			return ""
		}
		return found.Reason
	}).byRoster("the condition " + condition + " says why").asWarning()
}

func exceedingToken(token *v1alpha1.APIToken) string {
	const exceeding = "RolesExceedUser"
	ready := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReady)
	if ready != nil && ready.Reason == exceeding {
		return exceeding
	}
	return ""
}
