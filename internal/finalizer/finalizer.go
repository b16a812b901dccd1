// Package finalizer puts Roster's finalizer on objects and takes it off again, and writes nothing else of them: a whole
// update would write the spec in Go's own spelling (168h as 168h0m0s), and a repository's tool would see drift.
package finalizer

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// Add makes sure that an object has the finalizer. The object becomes what was written. It fails on a conflict when the
// object has changed since it was read.
func Add(ctx context.Context, writer client.Client, object client.Object) error {
	return AddNamed(ctx, writer, object, v1alpha1.Finalizer)
}

// Witness sees to it that the removal of an object is recorded.
type Witness interface {
	Removed(ctx context.Context, object client.Object) error
}

// Remove lets an object go, after the witness, if there is one, has recorded that it was deleted and by whom: that stands
// nowhere once the object is gone. One that is gone already is no error.
func Remove(ctx context.Context, writer client.Client, witness Witness, object client.Object) error {
	isGoing := object.GetDeletionTimestamp() != nil && controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer)
	if witness != nil && isGoing {
		if err := witness.Removed(ctx, object); err != nil {
			return fmt.Errorf("record the removal of %T %s: %w", object, client.ObjectKeyFromObject(object), err)
		}
	}
	return RemoveNamed(ctx, writer, object, v1alpha1.Finalizer)
}

// AddNamed makes sure that an object has another finalizer of Roster's, as Add does.
func AddNamed(ctx context.Context, writer client.Client, object client.Object, name string) error {
	return patch(ctx, writer, object, name, controllerutil.AddFinalizer)
}

// RemoveNamed takes another finalizer of Roster's off an object. One that is gone already is no error.
func RemoveNamed(ctx context.Context, writer client.Client, object client.Object, name string) error {
	return client.IgnoreNotFound(patch(ctx, writer, object, name, controllerutil.RemoveFinalizer))
}

func patch(
	ctx context.Context, writer client.Client, object client.Object, name string, change func(client.Object, string) bool,
) error {
	before := object.DeepCopyObject().(client.Object)
	if !change(object, name) {
		return nil
	}
	// The list is written as a whole, so an older view must not win.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := writer.Patch(ctx, object, patch); err != nil {
		return fmt.Errorf("write the finalizer of %T %s: %w", object, client.ObjectKeyFromObject(object), err)
	}
	return nil
}
