package history

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
)

type tok = *v1alpha1.APIToken

var apiToken = &v1alpha1.APIToken{ObjectMeta: stampedMeta()}

// saying has a condition that is True.
func saying(condition, reason string) func(tok) {
	return func(t tok) {
		meta.SetStatusCondition(&t.Status.Conditions, metav1.Condition{
			Type: condition, Status: metav1.ConditionTrue, Reason: reason,
		})
	}
}

func init() {
	lines = append(lines,
		of("TokenPolicyChanged", "spec.tokens", "", "720h0m0s", organization, nothing,
			func(o org) { o.Spec.Tokens.MaxTTL = &metav1.Duration{Duration: 720 * time.Hour} }),
		of("TokenUserChanged", "spec.user", "bo", "cleo", apiToken,
			func(t tok) { t.Spec.User = "bo" }, func(t tok) { t.Spec.User = "cleo" }),
		of("TokenDescribed", "spec.description", "", "deploys", apiToken, nothing, func(t tok) { t.Spec.Description = "deploys" }),
		of("TokenRolesAdded", "spec.roles", "", `["viewer"]`, apiToken, nothing,
			func(t tok) { t.Spec.Roles = []v1alpha1.RoleName{"viewer"} }),
		of("TokenProjectsAdded", "spec.projects", "", `["shop"]`, apiToken, nothing,
			func(t tok) { t.Spec.Projects = []v1alpha1.ObjectName{"shop"} }),
		of("TokenOrganizationWide", "spec.organizationWide", "false", "true", apiToken, nothing,
			func(t tok) { t.Spec.OrganizationWide = true }),
		of("TokenLifeChanged", "spec.expiresAfter", "", "1h0m0s", apiToken, nothing,
			func(t tok) { t.Spec.ExpiresAfter = &metav1.Duration{Duration: time.Hour} }),
		of("TokenRotationChanged", "spec.rotation", "", "every 24h0m0s, overlap 1h0m0s", apiToken, nothing, func(t tok) {
			t.Spec.Rotation = &v1alpha1.TokenRotation{
				Every: metav1.Duration{Duration: 24 * time.Hour}, Overlap: &metav1.Duration{Duration: time.Hour},
			}
		}),
		of("TokenRevoked", "spec.revoked", "false", "true", apiToken, nothing, func(t tok) { t.Spec.Revoked = true }),
		of("TokenSecretChanged", "spec.secretName", "", "pipeline", apiToken, nothing,
			func(t tok) { t.Spec.SecretName = "pipeline" }),
		of("TokenRotationAsked", "metadata.annotations[roster.dev/rotate]", "", "now", apiToken, nothing,
			func(t tok) { t.Annotations[v1alpha1.AnnotationRotate] = "now" }),
		of("TokenIssued", "status.tokenID", "", "JTI=1", apiToken, nothing,
			func(t tok) { t.Status.TokenID = "JTI=1" }).byRoster(),
		of("TokenExpired", "status.phase", "", "Expired", apiToken, nothing,
			func(t tok) { t.Status.Phase = v1alpha1.APITokenExpired }).byRoster(),
		of("TokenUserHeldBack", "status.conditions[UserHeldBack]", "", "UserSuspended", apiToken, nothing,
			saying(v1alpha1.ConditionUserHeldBack, "UserSuspended")).byRoster().warning(),
		of("TokenExpiresSoon", "status.conditions[ExpiresSoon]", "", "EndIsNear", apiToken, nothing,
			saying(v1alpha1.ConditionExpiresSoon, "EndIsNear")).byRoster().warning(),
		of("TokenUnused", "status.conditions[Unused]", "", "NotUsed", apiToken, nothing,
			saying(v1alpha1.ConditionUnused, "NotUsed")).byRoster().warning(),
		of("TokenExceedsUser", "status.conditions[Ready]", "", "RolesExceedUser", apiToken, nothing,
			saying(v1alpha1.ConditionReady, "RolesExceedUser")).byRoster().warning(),
	)
}
