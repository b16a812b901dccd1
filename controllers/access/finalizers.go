package access

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/finalizer"
	"github.com/roster-dev/roster/internal/status"
)

// objects are the Memberships, Teams, RoleBindings and APITokens of the organization itself. They belong to the cache.
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
	for _, token := range s.world.APITokens {
		objects = append(objects, token)
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
		after := object.DeepCopyObject().(status.Object)
		if err := finalizer.Add(ctx, s.Client, after); err != nil {
			return s.settle(err)
		}
		s.finalized.Store(object.GetUID(), after)
		return nil
	})
}

// releaseFinalizers lets objects go whose access is gone, here and in the organizations below, or is held: for that the
// state of removals stands, so that the object can come back under the same name.
func (s *organizationSync) releaseFinalizers(ctx context.Context) error {
	isRemembered := s.guardErr == nil
	if s.revokesFailed() || s.waitsFor != "" || !isRemembered {
		return nil
	}
	return s.forEach(s.objects(), func(object status.Object) error {
		going := object.GetDeletionTimestamp() != nil && controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer)
		if !going {
			return nil
		}
		// What lets the team in goes first; then this organization is synced again.
		if isLetIn, err := s.isLetIn(ctx, object); err != nil || isLetIn {
			return err
		}
		return s.settle(finalizer.Remove(ctx, s.Client, s.History, object.DeepCopyObject().(client.Object)))
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

// settle notes that an object has changed since it was looked at, so that the next sync sees to it. One that is gone needs
// nothing.
func (s *organizationSync) settle(err error) error {
	if apierrors.IsConflict(err) {
		s.outdated.Store(true)
		return nil
	}
	return client.IgnoreNotFound(err)
}

// releaseStray lets go an object that gives nothing where it is. A Project is let go by its own controller, which has
// namespaces to release.
func (r *Reconciler) releaseStray(ctx context.Context, stray status.Object) error {
	_, isProject := stray.(*v1alpha1.Project)
	if isProject || !controllerutil.ContainsFinalizer(stray, v1alpha1.Finalizer) {
		return nil
	}
	return finalizer.Remove(ctx, r.Client, r.History, stray.DeepCopyObject().(client.Object))
}
