package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/removals"
	"github.com/roster-dev/roster/internal/snapshot"
)

// organizationSync is one sync of one organization.
type organizationSync struct {
	*Reconciler
	world  engine.World
	result engine.Result
	// namespaces are those of the world, by name.
	namespaces map[string]*corev1.Namespace
	missing    sets.Set[string] // ClusterRoles that aren't there yet
	// legacy are the bindings that Roster didn't make, by namespace.
	legacy map[string][]v1alpha1.LegacyBinding
	// desired is who is to hold what.
	desired rbac.Desired
	written written
	// leftBehind are the bindings of an earlier organization that had the name of this one.
	leftBehind sets.Set[types.NamespacedName]
	// made is what earlier syncs wrote without an answer, and this one found made.
	made []rbac.NamespaceChange
	// objectErr is why those who run the organization may not reach its object as they should.
	objectErr error
	hasNews   func() bool
	// below are the passes of the organizations that inherit from this one.
	below []*pass
	// waitsFor names an organization below whose sync hasn't seen yet what this one saw, or is empty.
	waitsFor string
	pass     *pass
	// cause is what had happened when this sync began; isWritten says that all that follows from it is written.
	cause     cause
	isWritten bool
	// held are the removals that are held, and guardErr is why what was decided of them couldn't be kept.
	held     removals.Hold
	guardErr error
	// outside is what is said of the organization's teams and requests that concern others.
	outside outside
	// finalized are the objects, by UID, that this sync gave a finalizer, as they are since.
	finalized sync.Map
	// outdated: an object has changed since it was looked at, so that what was to be written about it wasn't.
	outdated atomic.Bool
}

// sync makes the cluster's RBAC what the engine says for one organization: what takes access away first, then the
// finalizers, then what gives access, and last what is to be said of it.
func (r *Reconciler) sync(ctx context.Context, organization string) (reconcile.Result, error) {
	arrived, since := r.arrivals.count(organization), waiting.begin(organization)
	s := &organizationSync{Reconciler: r, missing: sets.New[string](), cause: r.takeCause(organization)}
	s.result.Organization = organization
	defer s.keepCause()
	var err error
	if s.world, err = snapshot.Load(ctx, r.Client, organization); err != nil {
		return reconcile.Result{}, err
	}
	s.succeed()
	s.namespaces = byName(s.world.Namespaces)
	s.result = engine.Evaluate(s.world, organization, r.Clock.Now())
	if err := s.guardRemovals(ctx); err != nil {
		return reconcile.Result{}, err
	}
	changes, err := s.changes(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	s.hasNews = func() bool { return r.arrivals.count(organization) != arrived }
	s.written = r.write(ctx, changes, s.hasNews, func() error {
		s.objectErr = s.syncOrganizationObject(ctx)
		return errors.Join(s.objectErr, s.addFinalizers(ctx))
	})
	s.recordEffects()
	if s.written.interrupted || s.written.outdated {
		// It starts again with what is to be taken away. A conflict may come before the event that explains it, so the next
		// sync doesn't wait for one.
		s.outdated.Store(true)
		return s.done(errors.Join(s.guardErr, s.written.err()))
	}
	s.isWritten = len(s.written.failed) == 0
	if s.written.err() == nil {
		waiting.end(organization, since, time.Now())
	}
	if s.guardErr == nil {
		s.guardErr = s.keepAccess(ctx)
	}
	if err := s.recordPass(ctx, arrived); err != nil {
		return reconcile.Result{}, err
	}
	if s.postponesReport() {
		s.outdated.Store(true)
		return s.done(errors.Join(s.guardErr, s.written.err()))
	}
	return s.done(errors.Join(s.guardErr, s.written.err(), s.report(ctx), s.releaseFinalizers(ctx)))
}

func byName(namespaces []*corev1.Namespace) map[string]*corev1.Namespace {
	result := make(map[string]*corev1.Namespace, len(namespaces))
	for _, namespace := range namespaces {
		result[namespace.Name] = namespace
	}
	return result
}

// postponesReport leaves what is to be said to the next sync where there is news, which may take access away and must not
// wait for statuses. A stream of changes puts statuses off for a while and no longer.
func (s *organizationSync) postponesReport() bool {
	if !s.hasNews() {
		s.pass.reportDue = time.Time{}
		return false
	}
	if s.pass.reportDue.IsZero() {
		s.pass.reportDue = time.Now().Add(longestPostponement)
	}
	if time.Now().Before(s.pass.reportDue) {
		return true
	}
	s.pass.reportDue = time.Time{}
	return false
}

// done asks for the next sync. One that follows a failure doesn't wait past the instant at which something expires.
func (s *organizationSync) done(err error) (reconcile.Result, error) {
	if err == nil {
		return s.next(), nil
	}
	if s.result.NextChange.IsZero() {
		return reconcile.Result{}, err
	}
	time.AfterFunc(s.result.NextChange.Sub(s.Clock.Now()), func() { s.wake(s.result.Organization) })
	return reconcile.Result{}, err
}

// wake asks for a sync of an organization. Where very many are asked for already, the retry of the failure will do.
func (r *Reconciler) wake(organization string) {
	object := &v1alpha1.Organization{}
	object.Name = organization
	select {
	case r.events <- event.GenericEvent{Object: object}:
	default:
	}
}

// next asks for a sync exactly when a window opens or something expires, or soon where an object was outdated: its change
// may be one that no event is made of.
func (s *organizationSync) next() reconcile.Result {
	if s.outdated.Load() {
		return reconcile.Result{RequeueAfter: outdatedRetry}
	}
	if s.waitsFor != "" {
		// The one below wakes this one when it has caught up. Should that ever be missed, asking again finds it.
		s.wake(s.waitsFor)
		return reconcile.Result{RequeueAfter: belowRetry}
	}
	if s.result.NextChange.IsZero() {
		return reconcile.Result{}
	}
	// An instant that has passed meanwhile must not be taken for none.
	return reconcile.Result{RequeueAfter: max(s.result.NextChange.Sub(s.Clock.Now()), time.Nanosecond)}
}

// changes compares what the engine grants with the bindings that are there.
func (s *organizationSync) changes(ctx context.Context) ([]rbac.NamespaceChange, error) {
	actual, err := s.actualBindings(ctx)
	if err != nil {
		return nil, err
	}
	s.findMade(actual)
	s.findLeftBehind(actual)
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
	s.desired = desired
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
		bindings, err := s.bindings.ByIndex(toolscache.NamespaceIndex, namespace.Name)
		if err != nil {
			return nil, fmt.Errorf("list the RBAC RoleBindings of namespace %s: %w", namespace.Name, err)
		}
		actual = append(actual, s.sortOut(namespace.Name, bindings)...)
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

// recordPass keeps what this sync saw and left undone, and wakes the organizations above where that is news to them.
func (s *organizationSync) recordPass(ctx context.Context, arrived uint64) error {
	organization := s.result.Organization
	if s.result.Lineage == nil {
		s.passes.forget(organization)
		totals.forget(organization)
		s.pass = &pass{revokesFailed: s.written.revokesFailed}
		return nil
	}
	s.pass = &pass{
		organization: organization, arrived: arrived, reportDue: s.passes.reportDue(organization),
		failed: s.failures(), revokesFailed: s.written.revokesFailed || s.objectErr != nil,
	}
	if s.objectErr != nil {
		s.pass.failed[engine.ObjectReference{Kind: engine.KindOrganization, Name: organization}] = s.objectErr.Error()
	}
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
	return s.lookBelow(ctx)
}

// lookBelow finds the passes of all organizations that inherit from this one, also of one that has just moved away and
// hasn't noticed yet, and whether one of them is behind.
func (s *organizationSync) lookBelow(ctx context.Context) error {
	organization := s.result.Organization
	s.below = s.passes.inheriting(organization)
	for _, pass := range s.below {
		if pass.seen[organization] != s.pass.seen[organization] || pass.arrived != s.arrivals.count(pass.organization) {
			s.waitsFor = pass.organization
		}
	}
	descendants, err := snapshot.Descendants(ctx, s.Client, organization)
	for _, descendant := range descendants {
		if s.passes.of(descendant) == nil {
			s.waitsFor = descendant
		}
	}
	return err
}

// revokesFailed: somebody may still have, here or below, what was to be taken away.
func (s *organizationSync) revokesFailed() bool {
	return s.pass.revokesFailed || slices.ContainsFunc(s.below, func(pass *pass) bool { return pass.revokesFailed })
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
