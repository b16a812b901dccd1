// Package status writes what Roster found into the status of its objects: conditions that kubectl wait and kstatus read,
// and no write where nothing changed.
package status

import (
	"context"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/text"
)

// State is how far an object is from what it asks for.
type State int

const (
	// InForce: the cluster is what the object asks for.
	InForce State = iota
	// Progressing: Roster works on it, or waits for something that may come.
	Progressing
	// Stalled: nothing changes until somebody changes the object or what it refers to.
	Stalled
	// Held: what the object asks for is kept from being in force, and that is settled.
	Held
)

// Readiness is what the conditions say.
type Readiness struct {
	State State
	// Reason is one word for machines.
	Reason string
	// Message is for people.
	Message string
}

// ReasonInForce is the reason of everything that is as asked.
const ReasonInForce = "InForce"

// maxMessage is the most that a condition's message holds, in bytes: never more than the characters that the schema allows.
const maxMessage = 32768

// Object is one of Roster's kinds with its status.
type Object interface {
	client.Object
	v1alpha1.Object
}

// Report sets Ready, Reconciling and Stalled, and the generation that they speak of.
func Report(object Object, readiness Readiness) {
	object.SetObservedGeneration(object.GetGeneration())
	ready := metav1.ConditionFalse
	if readiness.State == InForce {
		ready = metav1.ConditionTrue
	}
	Set(object, v1alpha1.ConditionReady, ready, readiness.Reason, readiness.Message)
	Flag(object, v1alpha1.ConditionReconciling, readiness.State == Progressing, readiness.Reason, readiness.Message)
	Flag(object, v1alpha1.ConditionStalled, readiness.State == Stalled, readiness.Reason, readiness.Message)
}

// Flag sets a condition that is there only while it is true.
func Flag(object Object, conditionType string, raised bool, reason, message string) {
	if !raised {
		meta.RemoveStatusCondition(object.GetConditions(), conditionType)
		return
	}
	Set(object, conditionType, metav1.ConditionTrue, reason, message)
}

// Say sets a condition that is always there.
func Say(object Object, conditionType string, holds bool, reason, message string) {
	value := metav1.ConditionFalse
	if holds {
		value = metav1.ConditionTrue
	}
	Set(object, conditionType, value, reason, message)
}

// Set sets a condition that may also be Unknown, of the present generation.
func Set(object Object, conditionType string, value metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(object.GetConditions(), metav1.Condition{
		Type: conditionType, Status: value, Reason: reason, Message: text.Cut(message, maxMessage),
		ObservedGeneration: object.GetGeneration(),
	})
}

// Changed says whether there is anything to write.
func Changed(before, after Object) bool {
	// Of a thousand objects hardly one has changed, and the first comparison is six times as fast as the one that counts.
	return !reflect.DeepEqual(before, after) && !equality.Semantic.DeepEqual(before, after)
}

// Update writes the status that has changed since before, and nothing where none has.
func Update(ctx context.Context, writer client.StatusClient, before, after Object) error {
	if !Changed(before, after) {
		return nil
	}
	return Write(ctx, writer, after)
}

// Write writes the status as a whole, with the version that the decision was made on: an older view must not win, and
// counts of zero are written too. It fails on a conflict when somebody else wrote the object meanwhile.
func Write(ctx context.Context, writer client.StatusClient, object Object) error {
	if err := writer.Status().Update(ctx, object); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of %T %s: %w", object, client.ObjectKeyFromObject(object), err)
	}
	return nil
}
