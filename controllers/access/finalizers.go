package access

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/status"
)

// objects are the Memberships, Teams and RoleBindings of the organization itself. They belong to the cache.
func (s *organizationSync) objects() []status.Object {
	namespace := v1alpha1.OrganizationNamespace(s.result.Organization)
	var objects []status.Object
	for _, membership := range s.world.Memberships {
		if membership.Namespace == namespace {
			objects = append(objects, membership)
		}
	}
	for _, team := range s.world.Teams {
		if team.Namespace == namespace {
			objects = append(objects, team)
		}
	}
	for _, binding := range s.world.RoleBindings {
		if binding.Namespace == namespace {
			objects = append(objects, binding)
		}
	}
	return objects
}

// addFinalizers makes sure that each object lasts until the access that it is about to give is gone again.
func (s *organizationSync) addFinalizers(ctx context.Context) error {
	if s.result.Namespace == "" {
		return nil
	}
	return s.forEach(s.objects(), func(object status.Object) error {
		if object.GetDeletionTimestamp() != nil || controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer) {
			return nil
		}
		return patchFinalizer(ctx, s.Client, object, controllerutil.AddFinalizer)
	})
}

// releaseFinalizers lets objects go whose access is gone, here and in the organizations below.
func (s *organizationSync) releaseFinalizers(ctx context.Context) error {
	released := func() bool { return !s.pass.revokesFailed && s.waitsFor() == "" }
	return s.forEach(s.objects(), func(object status.Object) error {
		going := object.GetDeletionTimestamp() != nil && controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer)
		if !going || !released() {
			return nil
		}
		return patchFinalizer(ctx, s.Client, object, controllerutil.RemoveFinalizer)
	})
}

// forEach does something for many objects, many at a time, and returns the first error after all are done.
func (s *organizationSync) forEach(objects []status.Object, do func(status.Object) error) error {
	var group errgroup.Group
	group.SetLimit(concurrentWrites)
	var once sync.Once
	var first error
	for _, object := range objects {
		group.Go(func() error {
			if err := do(object); err != nil {
				once.Do(func() { first = err })
			}
			return nil
		})
	}
	_ = group.Wait()
	return first
}

// patchFinalizer changes the list of finalizers of the very version of the object that was looked at. Where that isn't
// the latest, the next sync sees to it.
func patchFinalizer(
	ctx context.Context, writer client.Client, object client.Object,
	change func(client.Object, string) bool,
) error {
	after := object.DeepCopyObject().(client.Object)
	change(after, v1alpha1.Finalizer)
	patch := client.MergeFromWithOptions(object, client.MergeFromWithOptimisticLock{})
	err := writer.Patch(ctx, after, patch)
	if client.IgnoreNotFound(err) == nil || apierrors.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("write the finalizer of %T %s: %w", object, client.ObjectKeyFromObject(object), err)
}

// releaseStray lets go an object that gives nothing where it is. A Project is let go by its own controller, which has
// namespaces to release.
func (r *Reconciler) releaseStray(ctx context.Context, stray status.Object) error {
	_, isProject := stray.(*v1alpha1.Project)
	if isProject || !controllerutil.ContainsFinalizer(stray, v1alpha1.Finalizer) {
		return nil
	}
	return patchFinalizer(ctx, r.Client, stray, controllerutil.RemoveFinalizer)
}
