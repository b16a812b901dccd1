package report

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/mailer"
	"github.com/roster-dev/roster/internal/report"
)

// Reasons of the condition Reported.
const (
	reasonWaiting    = "Waiting"
	reasonSent       = "Sent"
	reasonIncomplete = "NotSentToAll"
)

// named is how many recipients a message names whom nothing was sent to.
const named = 10

func isTold(organization *v1alpha1.Organization) bool {
	return meta.FindStatusCondition(organization.Status.Conditions, v1alpha1.ConditionReported) != nil
}

// tell says on the Organization how it is with its reports, where that has changed.
func (r *Reconciler) tell(
	ctx context.Context, organization *v1alpha1.Organization, record *record, unmailed error,
) error {
	condition := conditionOf(record, report.MonthOf(r.Clock.Now()), unmailed)
	condition.ObservedGeneration = organization.Generation
	if !meta.SetStatusCondition(&organization.Status.Conditions, condition) {
		return nil
	}
	return r.Status().Update(ctx, organization)
}

func conditionOf(record *record, present report.Month, unmailed error) metav1.Condition {
	next := fmt.Sprintf("; the report of %s is due on %s", present, instantText(present.End()))
	condition := metav1.Condition{Type: v1alpha1.ConditionReported, Status: metav1.ConditionUnknown, Reason: reasonWaiting}
	switch {
	case unmailed != nil:
		condition.Status = metav1.ConditionFalse
		condition.Reason, _ = mailer.ReasonOf(unmailed)
		condition.Message = fmt.Sprintf("the report of %s is kept and waits to be mailed: %v", record.Month, unmailed)
		return condition
	case record.Month == "":
		condition.Message = "no month has ended since monthly reports were switched on" + next
		return condition
	}
	var problems []string
	sent := 0
	for _, delivery := range record.Deliveries {
		if delivery.Delivery == v1alpha1.MailSent {
			sent++
			continue
		}
		problems = append(problems, fmt.Sprintf("%s: %s: %s", delivery.whom(), delivery.Delivery, delivery.LastError))
	}
	condition.Status, condition.Reason = metav1.ConditionTrue, reasonSent
	condition.Message = fmt.Sprintf("the report of %s was mailed to %d of %d recipients", record.Month, sent,
		len(record.Deliveries))
	if len(problems) > 0 {
		condition.Status, condition.Reason = metav1.ConditionFalse, reasonIncomplete
		if len(problems) > named {
			problems = append(problems[:named], fmt.Sprintf("and %d more", len(problems)-named))
		}
		condition.Message += ": " + strings.Join(problems, "; ")
	}
	condition.Message += next
	return condition
}
