package role

import (
	"context"
	"fmt"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/finalizer"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/removals"
	"github.com/roster-dev/roster/internal/snapshot"
)

// releaseRetry is how soon a Role that goes is looked at again while its bindings are being removed.
const releaseRetry = 200 * time.Millisecond

// releaseState is how far the ClusterRoles of a Role are that isn't there any more.
type releaseState int

const (
	// released: they are gone.
	released releaseState = iota
	// kept: users keep the role because its removal is held, or too many hold another Role that includes it. An event tells when
	// that ends.
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

// removeClusterRoles deletes the ClusterRoles of a Role, after the last binding to them, and where Roles include it after its
// name is taken out of the last one that too many hold.
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
	missed, err := r.isMissed(ctx, reference)
	if missed {
		state = max(state, kept)
	}
	return state, err
}

// isMissed says whether too many would lose what a Role gave that isn't there any more, by holding others that include it.
func (r *Reconciler) isMissed(ctx context.Context, reference access.RoleReference) (bool, error) {
	var including v1alpha1.RoleList
	err := r.List(ctx, &including, client.MatchingFields{snapshot.RolesByInclude: reference.Name}, snapshot.Shared)
	if err != nil {
		return false, fmt.Errorf("list the Roles that include %s: %w", reference.Name, err)
	}
	sources := snapshot.NewSources(ctx, r.Client)
	including.Items = slices.DeleteFunc(slices.Clone(including.Items), func(role v1alpha1.Role) bool {
		return role.DeletionTimestamp != nil ||
			!slices.Contains(sources.References(&role, v1alpha1.RoleName(reference.Name)), reference)
	})
	return tooMany(ctx, r.Client, including.Items)
}

// tooMany says whether more users of an organization hold some Roles, or others that include them, than may lose access at
// once. Nobody knows how many are in a Group; and owners, who would put it right, never lose anything by accident.
func tooMany(ctx context.Context, reader client.Reader, roles []v1alpha1.Role) (bool, error) {
	var names []string
	affected := sets.New[string]()
	add := func(key client.ObjectKey) {
		role := &v1alpha1.Role{}
		role.Namespace, role.Name = key.Namespace, key.Name
		reference := access.ReferenceTo(role)
		affected.Insert(rbac.ProjectClusterRole(reference), rbac.OrganizationClusterRole(reference))
	}
	for i := range roles {
		names = append(names, roles[i].Name)
		add(client.ObjectKeyFromObject(&roles[i]))
	}
	for _, request := range dependents(ctx, reader, names) {
		add(request.NamespacedName)
	}
	if affected.Has(rbac.ProjectClusterRole(access.RoleReference{Name: v1alpha1.RoleOwner})) {
		return true, nil
	}
	var bindings rbacv1.RoleBindingList
	err := reader.List(ctx, &bindings, client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster}, snapshot.Shared)
	if err != nil {
		return false, fmt.Errorf("list Roster's RBAC RoleBindings: %w", err)
	}
	users := map[string]sets.Set[string]{}
	for _, binding := range bindings.Items {
		organization := binding.Labels[v1alpha1.LabelOrganization]
		if users[organization] == nil {
			users[organization] = sets.New[string]()
		}
		for _, subject := range binding.Subjects {
			if !affected.Has(binding.RoleRef.Name) {
				continue
			}
			users[organization].Insert(subject.Name)
			if subject.Kind == rbacv1.GroupKind || users[organization].Len() > removals.AlwaysAllowed {
				return true, nil
			}
		}
	}
	return false, nil
}
