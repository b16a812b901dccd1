package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
)

// organizationSync is one sync of one organization.
type organizationSync struct {
	*Reconciler
	world   engine.World
	result  engine.Result
	missing sets.Set[string] // ClusterRoles that aren't there yet
	written written
	// below are the organizations whose passes matter for what is granted here.
	below []string
	pass  *pass
	// finalized are the objects, by UID, that this sync gave a finalizer, as they are since.
	finalized sync.Map
	// outdated: an object has changed since it was looked at, so that what was to be written about it wasn't.
	outdated atomic.Bool
}

// sync makes the cluster's RBAC what the engine says for one organization: what takes access away first, then the
// finalizers, then what gives access, and last what is to be said of it.
func (r *Reconciler) sync(ctx context.Context, organization string) (reconcile.Result, error) {
	arrived := r.arrivals.count(organization)
	s := &organizationSync{Reconciler: r, missing: sets.New[string]()}
	var err error
	if s.world, err = snapshot.Load(ctx, r.Client, organization); err != nil {
		return reconcile.Result{}, err
	}
	s.result = engine.Evaluate(s.world, organization, r.Clock.Now())
	changes, err := s.changes(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	hasNews := func() bool { return r.arrivals.count(organization) != arrived }
	s.written = r.write(ctx, changes, hasNews, func() error { return s.addFinalizers(ctx) })
	if s.written.interrupted {
		// What arrived is in the queue already, and starts again with what is to be taken away.
		return reconcile.Result{}, s.written.err()
	}
	objectErr := s.syncOrganizationObject(ctx)
	if err := s.recordPass(ctx); err != nil {
		return reconcile.Result{}, err
	}
	err = errors.Join(s.written.err(), objectErr, s.report(ctx), s.releaseFinalizers(ctx))
	if err != nil {
		return reconcile.Result{}, err
	}
	return s.next(), nil
}

// next asks for a sync exactly when a window opens or something expires, or soon where an object was outdated: its change
// may be one that no event is made of.
func (s *organizationSync) next() reconcile.Result {
	if s.outdated.Load() {
		return reconcile.Result{RequeueAfter: outdatedRetry}
	}
	if s.result.NextChange.IsZero() {
		return reconcile.Result{}
	}
	return reconcile.Result{RequeueAfter: s.result.NextChange.Sub(s.Clock.Now())}
}

// changes compares what the engine grants with the bindings that are there.
func (s *organizationSync) changes(ctx context.Context) ([]rbac.NamespaceChange, error) {
	actual, err := s.actualBindings(ctx)
	if err != nil {
		return nil, err
	}
	bound := sets.New[string]()
	for _, binding := range actual {
		bound.Insert(binding.RoleRef.Name)
	}
	known := map[string]bool{}
	desired := rbac.DesiredBindings(s.result, func(clusterRole string) bool {
		binds, found := known[clusterRole]
		if !found {
			binds = s.binds(ctx, clusterRole, bound)
			known[clusterRole] = binds
		}
		return binds
	})
	differ := rbac.Differ{Organization: s.result.Organization, ShardSize: s.ShardSize}
	return differ.Difference(desired, actual), nil
}

// binds says whether anybody needs to be bound to a ClusterRole: it is there and has rules. Who is bound to one that
// isn't there stays so: somebody deleted it, and it is being made again.
func (s *organizationSync) binds(ctx context.Context, name string, bound sets.Set[string]) bool {
	clusterRole := &rbacv1.ClusterRole{}
	if err := s.Get(ctx, client.ObjectKey{Name: name}, clusterRole, snapshot.Shared); err != nil {
		s.missing.Insert(name)
		return bound.Has(name)
	}
	return len(clusterRole.Rules) > 0
}

// actualBindings are all bindings of Roster's in namespaces that carry the organization's label, whatever was done to
// their own labels, and those with the organization's label in namespaces that are nobody's any more.
func (s *organizationSync) actualBindings(ctx context.Context) ([]*rbacv1.RoleBinding, error) {
	organization := s.result.Organization
	var labelled rbacv1.RoleBindingList
	// This one waits until the cache holds what earlier syncs wrote, so that nothing is written twice.
	err := s.List(ctx, &labelled, client.UnsafeDisableDeepCopy,
		client.MatchingFields{snapshot.BindingsByOrganization: organization})
	if err != nil {
		return nil, fmt.Errorf("list the RBAC RoleBindings of organization %s: %w", organization, err)
	}
	own := sets.New[string]()
	var actual []*rbacv1.RoleBinding
	for _, namespace := range s.world.Namespaces {
		if namespace.Labels[v1alpha1.LabelOrganization] != organization {
			continue
		}
		own.Insert(namespace.Name)
		var list rbacv1.RoleBindingList
		err := s.List(ctx, &list, client.InNamespace(namespace.Name), snapshot.Shared)
		if err != nil {
			return nil, fmt.Errorf("list the RBAC RoleBindings of namespace %s: %w", namespace.Name, err)
		}
		actual = appendManaged(actual, list.Items)
	}
	for i := range labelled.Items {
		binding := &labelled.Items[i]
		if own.Has(binding.Namespace) || !rbac.IsManaged(binding) {
			continue
		}
		owner, err := snapshot.NamespaceOwner(ctx, s.Client, binding.Namespace)
		if err != nil {
			return nil, err
		}
		if owner == "" {
			actual = append(actual, binding)
		}
	}
	return actual, nil
}

func appendManaged(actual []*rbacv1.RoleBinding, items []rbacv1.RoleBinding) []*rbacv1.RoleBinding {
	for i := range items {
		if rbac.IsManaged(&items[i]) {
			actual = append(actual, &items[i])
		}
	}
	return actual
}

// recordPass keeps what this sync saw and left undone, and wakes the organizations above where that is news to them.
func (s *organizationSync) recordPass(ctx context.Context) error {
	organization := s.result.Organization
	if s.result.Lineage == nil {
		s.passes.forget(organization)
		s.pass = &pass{}
		return nil
	}
	s.pass = &pass{failed: s.failures(), revokesFailed: s.written.revokesFailed}
	for _, ancestor := range s.result.Lineage.Organizations {
		s.pass.lineage = append(s.pass.lineage, ancestor.Name)
	}
	s.pass.seen = fingerprints(s.world, s.pass.lineage)
	if s.passes.record(organization, s.pass) {
		for _, ancestor := range s.pass.lineage[1:] {
			wake := &v1alpha1.Organization{}
			wake.Name = ancestor
			select {
			case s.events <- event.GenericEvent{Object: wake}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	var err error
	s.below, err = snapshot.Descendants(ctx, s.Client, organization)
	return err
}

// failures says of each object that asks for something in a namespace that couldn't be written that it isn't in force.
func (s *organizationSync) failures() map[engine.ObjectReference]string {
	failed := map[engine.ObjectReference]string{}
	for _, grant := range s.result.Grants {
		message := s.failureOf(grant)
		if message == "" {
			continue
		}
		for _, reference := range grant.Via {
			failed[reference] = message
		}
	}
	return failed
}

func (s *organizationSync) failureOf(grant engine.Grant) string {
	if len(grant.Scope.Namespaces) > 0 && s.missing.Has(rbac.ProjectClusterRole(grant.Role)) ||
		grant.Scope.Organization && s.missing.Has(rbac.OrganizationClusterRole(grant.Role)) {
		return fmt.Sprintf("role %q isn't compiled yet; the Role says why", grant.Role.Name)
	}
	if len(s.written.failed) == 0 {
		return ""
	}
	namespaces := grant.Scope.Namespaces
	if grant.Scope.Organization {
		namespaces = append([]string{s.result.Namespace}, namespaces...)
	}
	for _, namespace := range namespaces {
		if err := s.written.failed[namespace]; err != nil {
			return fmt.Sprintf("the bindings in namespace %s can't be written and are tried again: %v", namespace, err)
		}
	}
	return ""
}
