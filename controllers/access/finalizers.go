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

// addFinalizers makes sure that each object lasts until the access that it is about to give is gone again. What is to be
// said of the object is then written to the version that has the finalizer.
func (s *organizationSync) addFinalizers(ctx context.Context) error {
	if s.result.Namespace == "" {
		return nil
	}
	return s.forEach(s.objects(), func(object status.Object) error {
		if object.GetDeletionTimestamp() != nil || controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer) {
			return nil
		}
		patched, err := s.patchFinalizer(ctx, object, controllerutil.AddFinalizer)
		if patched != nil {
			s.finalized.Store(object.GetUID(), patched)
		}
		return err
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
		_, err := s.patchFinalizer(ctx, object, controllerutil.RemoveFinalizer)
		return err
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

// patchFinalizer changes the list of finalizers of the very version of the object that was looked at, and returns the new
// version. Where that wasn't the latest, the next sync sees to it.
func (s *organizationSync) patchFinalizer(
	ctx context.Context, object status.Object, change func(client.Object, string) bool,
) (status.Object, error) {
	after, err := patchFinalizer(ctx, s.Client, object, change)
	switch {
	case apierrors.IsConflict(err):
		s.outdated.Store(true)
		return nil, nil
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("write the finalizer of %T %s: %w", object, client.ObjectKeyFromObject(object), err)
	}
	return after, nil
}

func patchFinalizer(
	ctx context.Context, writer client.Client, object status.Object, change func(client.Object, string) bool,
) (status.Object, error) {
	after := object.DeepCopyObject().(status.Object)
	change(after, v1alpha1.Finalizer)
	patch := client.MergeFromWithOptions(object, client.MergeFromWithOptimisticLock{})
	return after, writer.Patch(ctx, after, patch)
}

// releaseStray lets go an object that gives nothing where it is. A Project is let go by its own controller, which has
// namespaces to release.
func (r *Reconciler) releaseStray(ctx context.Context, stray status.Object) error {
	_, isProject := stray.(*v1alpha1.Project)
	if isProject || !controllerutil.ContainsFinalizer(stray, v1alpha1.Finalizer) {
		return nil
	}
	_, err := patchFinalizer(ctx, r.Client, stray, controllerutil.RemoveFinalizer)
	return client.IgnoreNotFound(err)
}
