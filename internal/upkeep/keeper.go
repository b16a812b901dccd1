// Package upkeep keeps the ClusterRoles that Roster makes, and the bindings that no grant asks for, what they are to be, and
// tells where somebody else had changed or deleted them.
package upkeep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/internal/history"
	"github.com/roster-dev/roster/internal/metrics"
)

// AnnotationWritten is a fingerprint of what Roster wrote into an object last. Where an object isn't what it is to be, and
// the fingerprint is that of what it is to be, somebody else has changed it since.
const AnnotationWritten = "roster.dev/written"

// History keeps what happened.
type History interface {
	// Later records changes, without making anybody wait.
	Later(changes ...history.Change)
}

// Keeper writes an object only where it isn't what it is to be.
type Keeper struct {
	// Reader is where it is looked what there is.
	Reader client.Reader
	Writer client.Writer
	// History is told what was undone; nil: nobody is.
	History History
}

// Source is what an object is made for.
type Source struct {
	// Object that the history tells of; of a kind that it records.
	Object client.Object
	// InForce: the object had been made before, so that one that isn't there was deleted.
	InForce bool
}

// ClusterRole makes a ClusterRole what it is to be.
func (k Keeper) ClusterRole(ctx context.Context, wanted *rbacv1.ClusterRole, source Source) error {
	found := &rbacv1.ClusterRole{}
	err := k.Reader.Get(ctx, client.ObjectKeyFromObject(wanted), found)
	mark(wanted, wanted.Rules)
	switch {
	case apierrors.IsNotFound(err):
		return k.make(ctx, wanted, source)
	case err != nil:
		return fmt.Errorf("get ClusterRole %s: %w", wanted.Name, err)
	}
	// With an aggregation rule Kubernetes would write other rules into it, again and again.
	same := equality.Semantic.DeepEqual(found.Rules, wanted.Rules) && found.AggregationRule == nil
	if same && carries(found, wanted) {
		return nil
	}
	undoes := isOthersDoing(found, wanted, !same && source.InForce)
	found.Rules, found.AggregationRule = wanted.Rules, nil
	return k.update(ctx, found, wanted, undoes, source)
}

// ClusterRoleBinding makes a ClusterRoleBinding what it is to be.
func (k Keeper) ClusterRoleBinding(ctx context.Context, wanted *rbacv1.ClusterRoleBinding, source Source) error {
	found := &rbacv1.ClusterRoleBinding{}
	return k.binding(ctx, binding{found, &found.RoleRef, &found.Subjects},
		binding{wanted, &wanted.RoleRef, &wanted.Subjects}, source)
}

// RoleBinding makes an RBAC RoleBinding what it is to be.
func (k Keeper) RoleBinding(ctx context.Context, wanted *rbacv1.RoleBinding, source Source) error {
	found := &rbacv1.RoleBinding{}
	return k.binding(ctx, binding{found, &found.RoleRef, &found.Subjects},
		binding{wanted, &wanted.RoleRef, &wanted.Subjects}, source)
}

// binding is one of either kind.
type binding struct {
	client.Object
	roleRef  *rbacv1.RoleRef
	subjects *[]rbacv1.Subject
}

func (k Keeper) binding(ctx context.Context, found, wanted binding, source Source) error {
	err := k.Reader.Get(ctx, client.ObjectKeyFromObject(wanted), found.Object)
	mark(wanted, *wanted.subjects)
	switch {
	case apierrors.IsNotFound(err):
		return k.make(ctx, wanted.Object, source)
	case err != nil:
		return fmt.Errorf("get %s: %w", nameOf(wanted.Object), err)
	case *found.roleRef != *wanted.roleRef:
		// A roleRef can't be updated, and a binding to another ClusterRole isn't what anybody was given.
		if err := k.Writer.Delete(ctx, found.Object); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete %s: %w", nameOf(found.Object), err)
		}
		source.InForce = true
		return k.make(ctx, wanted.Object, source)
	}
	same := equality.Semantic.DeepEqual(*found.subjects, *wanted.subjects)
	if same && carries(found, wanted) {
		return nil
	}
	undoes := isOthersDoing(found, wanted, !same && source.InForce)
	*found.subjects = *wanted.subjects
	return k.update(ctx, found.Object, wanted.Object, undoes, source)
}

func (k Keeper) make(ctx context.Context, wanted client.Object, source Source) error {
	if err := k.Writer.Create(ctx, wanted); err != nil {
		return fmt.Errorf("make %s: %w", nameOf(wanted), err)
	}
	if source.InForce {
		k.tell(wanted, source)
	}
	return nil
}

func (k Keeper) update(ctx context.Context, found, wanted client.Object, undoes bool, source Source) error {
	found.SetLabels(labels.Merge(found.GetLabels(), wanted.GetLabels()))
	// What merges labels merges any texts by key.
	found.SetAnnotations(labels.Merge(found.GetAnnotations(), wanted.GetAnnotations()))
	if err := k.Writer.Update(ctx, found); err != nil {
		return fmt.Errorf("update %s: %w", nameOf(wanted), err)
	}
	if undoes {
		k.tell(found, source)
	}
	return nil
}

// tell has it recorded that an object was put right.
func (k Keeper) tell(written client.Object, source Source) {
	metrics.TamperingUndone.Inc()
	if k.History == nil {
		return
	}
	k.History.Later(history.TamperingUndone(source.Object, nameOf(written), written.GetResourceVersion()))
}

// isOthersDoing says of an object that isn't what it is to be whether Roster had made it so already. One without the mark has
// lost it, where Roster had made it and it means something else now.
func isOthersDoing(found, wanted client.Object, isChanged bool) bool {
	written := found.GetAnnotations()[AnnotationWritten]
	return written == wanted.GetAnnotations()[AnnotationWritten] || written == "" && isChanged
}

// mark writes down what an object is to mean.
func mark(object client.Object, meaning any) {
	// What comes from the API can be written as JSON.
	text, _ := json.Marshal(meaning)
	hash := sha256.Sum256(text)
	const length = 16
	object.SetAnnotations(labels.Merge(object.GetAnnotations(), map[string]string{
		AnnotationWritten: hex.EncodeToString(hash[:])[:length],
	}))
}

// carries says whether an object has the labels and annotations that it is to have, among others.
func carries(found, wanted client.Object) bool {
	return contains(found.GetLabels(), wanted.GetLabels()) && contains(found.GetAnnotations(), wanted.GetAnnotations())
}

func contains(all, some map[string]string) bool {
	for key, value := range some {
		if all[key] != value {
			return false
		}
	}
	return true
}

func nameOf(object client.Object) string {
	switch object.(type) {
	case *rbacv1.ClusterRole:
		return "ClusterRole " + object.GetName()
	case *rbacv1.ClusterRoleBinding:
		return "ClusterRoleBinding " + object.GetName()
	}
	return "RBAC RoleBinding " + object.GetName()
}
