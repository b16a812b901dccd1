package role

import (
	"context"
	"fmt"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/finalizer"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
)

// releaseRetry is how soon a Role that goes is looked at again while its bindings are being removed.
const releaseRetry = 200 * time.Millisecond

// releaseState is how far the ClusterRoles of a Role are that isn't there any more.
type releaseState int

const (
	// released: they are gone.
	released releaseState = iota
	// kept: users keep the role because its removal is held, or another Role includes it. An event tells when that ends.
	kept
	// waiting: somebody is bound to them whose binding is being removed, or hasn't been judged yet.
	waiting
)

// next says when to look again.
func (s releaseState) next() reconcile.Result {
	if s == waiting {
		return reconcile.Result{RequeueAfter: releaseRetry}
	}
	return reconcile.Result{}
}

// goes lets through objects that are gone.
var goes = predicate.Funcs{
	CreateFunc: func(event.CreateEvent) bool { return false },
	UpdateFunc: func(event.UpdateEvent) bool { return false },
}

// unbound is the Role that a binding was made for, where it isn't there any more: its ClusterRoles go with the last binding.
func (r *Reconciler) unbound(ctx context.Context, object client.Object) []reconcile.Request {
	reference, ok := rbac.RoleOfClusterRole(object.(*rbacv1.RoleBinding).RoleRef.Name)
	if !ok {
		return nil
	}
	return r.ifVanished(ctx, reference)
}

// vanishedIncludes are the Roles that a Role includes, or has included before it changed, and that aren't there any more: their
// ClusterRoles go with the last Role that includes them.
func (r *Reconciler) vanishedIncludes(ctx context.Context, object client.Object) []reconcile.Request {
	role := object.(*v1alpha1.Role)
	sources := snapshot.NewSources(ctx, r.Client)
	var requests []reconcile.Request
	for _, name := range role.Spec.Includes {
		for _, reference := range sources.References(role, name) {
			requests = append(requests, r.ifVanished(ctx, reference)...)
		}
	}
	return requests
}

func (r *Reconciler) ifVanished(ctx context.Context, reference access.RoleReference) []reconcile.Request {
	key := keyOf(reference)
	err := r.Get(ctx, key, &v1alpha1.Role{}, snapshot.Shared)
	if !apierrors.IsNotFound(err) {
		return nil
	}
	return []reconcile.Request{{NamespacedName: key}}
}

// end lets a Role go once nobody is bound to its ClusterRoles, or who is keeps the role because its removal is held: that is
// remembered without the Role, which could not come back under its name otherwise.
func (r *Reconciler) end(ctx context.Context, role *v1alpha1.Role) (reconcile.Result, error) {
	state, err := r.removeClusterRoles(ctx, access.ReferenceTo(role))
	if err != nil || state == waiting {
		return state.next(), err
	}
	return state.next(), finalizer.Remove(ctx, r.Client, r.History, role)
}

// removeClusterRoles deletes the ClusterRoles of a Role, after the last binding to them and the last Role that includes it.
func (r *Reconciler) removeClusterRoles(ctx context.Context, reference access.RoleReference) (releaseState, error) {
	state := released
	for _, name := range []string{rbac.ProjectClusterRole(reference), rbac.OrganizationClusterRole(reference)} {
		clusterRole := &rbacv1.ClusterRole{}
		err := r.Get(ctx, client.ObjectKey{Name: name}, clusterRole)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return waiting, fmt.Errorf("get ClusterRole %s: %w", name, err)
		}
		of, err := r.useOf(ctx, name, reference)
		if err != nil {
			return waiting, err
		}
		if state = max(state, of); of != released {
			continue
		}
		if err := client.IgnoreNotFound(r.Delete(ctx, clusterRole)); err != nil {
			return waiting, fmt.Errorf("delete ClusterRole %s: %w", name, err)
		}
	}
	return state, nil
}

// useOf says who still needs a ClusterRole of a Role that isn't there any more.
func (r *Reconciler) useOf(ctx context.Context, clusterRole string, reference access.RoleReference) (releaseState, error) {
	labels := client.MatchingLabels{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster, v1alpha1.LabelRole: reference.Name,
	}
	var bindings rbacv1.RoleBindingList
	if err := r.Live.List(ctx, &bindings, labels); err != nil {
		return waiting, fmt.Errorf("list the RBAC RoleBindings to ClusterRole %s: %w", clusterRole, err)
	}
	state := released
	for _, binding := range bindings.Items {
		switch {
		case binding.RoleRef.Name != clusterRole:
		case r.Holds(binding.Labels[v1alpha1.LabelOrganization], reference):
			state = max(state, kept)
		default:
			return waiting, nil
		}
	}
	included, err := r.isIncluded(ctx, reference)
	if included {
		state = max(state, kept)
	}
	return state, err
}

// isIncluded says whether a Role includes another one that isn't there any more, and so keeps what that one gave.
func (r *Reconciler) isIncluded(ctx context.Context, reference access.RoleReference) (bool, error) {
	var including v1alpha1.RoleList
	err := r.List(ctx, &including, client.MatchingFields{snapshot.RolesByInclude: reference.Name}, snapshot.Shared)
	if err != nil {
		return false, fmt.Errorf("list the Roles that include %s: %w", reference.Name, err)
	}
	sources := snapshot.NewSources(ctx, r.Client)
	return slices.ContainsFunc(including.Items, func(role v1alpha1.Role) bool {
		return role.DeletionTimestamp == nil &&
			slices.Contains(sources.References(&role, v1alpha1.RoleName(reference.Name)), reference)
	}), nil
}
