package history

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/activity"
	"github.com/roster-dev/roster/internal/status"
)

// ConditionStored is the condition of the namespace roster-system that says whether changes reach the activity store. No
// object of Roster's is about the installation as a whole, and one on each Organization would be thousands of writes.
const ConditionStored corev1.NamespaceConditionType = "roster.dev/ActivityStored"

const reasonStored = "Stored"

// tell writes the condition where it has changed. Where nothing was ever wrong there is none.
func (k *Keeper) tell(ctx context.Context) {
	if err := k.writeCondition(ctx); err != nil && ctx.Err() == nil {
		log.FromContext(ctx).Error(err, "Can't say how the activity store is; trying again")
	}
}

func (k *Keeper) writeCondition(ctx context.Context) error {
	namespace := &corev1.Namespace{}
	if err := k.Client.Get(ctx, client.ObjectKey{Name: v1alpha1.SystemNamespace}, namespace); err != nil {
		return err
	}
	wanted, said := conditionOf(k.State()), status.NamespaceCondition(namespace, ConditionStored)
	if said == nil && wanted.Status == corev1.ConditionTrue ||
		said != nil && said.Status == wanted.Status && said.Reason == wanted.Reason {
		return nil
	}
	return status.SayOfNamespace(ctx, k.Client, namespace, wanted)
}

func conditionOf(state activity.WriterState) corev1.NamespaceCondition {
	condition := corev1.NamespaceCondition{
		Type: ConditionStored, Status: corev1.ConditionTrue, Reason: reasonStored, LastTransitionTime: metav1.Now(),
		Message: "all changes reach the activity store",
	}
	if state.LastError != nil {
		condition.Status, condition.Reason = corev1.ConditionFalse, activity.Reason(state.LastError)
		condition.Message = fmt.Sprintf("%d changes wait for the activity store since %s; access is kept in sync all the same: %v",
			state.Depth, state.FailingSince.UTC().Format(time.RFC3339), state.LastError)
	}
	return condition
}
