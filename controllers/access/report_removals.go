package access

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/status"
)

// reasonHeld says that users keep access until somebody approves its removal or what gave it comes back.
const reasonHeld = "RemovalsHeld"

// reportRemovals says which removals are held and how to let them go.
func (s *organizationSync) reportRemovals(organization *v1alpha1.Organization) {
	organization.Status.HeldRemovals = nil
	users := s.held.Users()
	if len(users) > 0 {
		organization.Status.HeldRemovals = &v1alpha1.HeldRemovals{
			Digest: s.held.Digest(), Count: int32(len(users)), Since: metav1.NewTime(s.held.Since).Rfc3339Copy(),
			Users: users[:min(len(users), v1alpha1.MaxHeldUsers)],
		}
	}
	status.Flag(organization, v1alpha1.ConditionRemovalsHeld, len(users) > 0, reasonHeld, s.heldMessage(users))
}

func (s *organizationSync) heldMessage(users []string) string {
	organization, digest := s.result.Organization, s.held.Digest()
	keep := "users keep"
	if len(users) == 1 {
		keep = "user keeps"
	}
	return fmt.Sprintf("%d %s access that nothing gives any more, because more was removed within 10 minutes than "+
		"spec.safeguards.maxRemovalPercent lets go: %s (all in status.heldRemovals; digest %s); put back what was removed, or "+
		"let exactly these removals go: kubectl annotate organization %s %s=%s --overwrite",
		len(users), keep, engine.Enumerate(users), digest, organization, v1alpha1.AnnotationApproveRemovals, digest)
}

// organizationReadiness is what there is to say of an organization whose objects are in order.
func (s *organizationSync) organizationReadiness() status.Readiness {
	if users := s.held.Users(); len(users) > 0 {
		return status.Readiness{State: status.Held, Reason: reasonHeld, Message: s.heldMessage(users)}
	}
	return status.Readiness{
		State: status.InForce, Reason: status.ReasonInForce,
		Message: "the owners' access is in force here and in all organizations below",
	}
}
