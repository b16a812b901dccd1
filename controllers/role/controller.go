// Package role compiles Roles into ClusterRoles, and keeps those equal to the Roles, to what they include and to the
// ClusterRoles that they copy.
package role

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/finalizer"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/removals"
	"github.com/roster-dev/roster/internal/snapshot"
	"github.com/roster-dev/roster/internal/status"
	"github.com/roster-dev/roster/internal/text"
	"github.com/roster-dev/roster/internal/upkeep"
)

// Reconciler compiles Roles.
type Reconciler struct {
	client.Client
	// Live reads from the API server itself: no ClusterRole goes while somebody is bound to it.
	Live client.Reader
	// Holds says whether users of an organization keep a role because its removal is held.
	Holds func(organization string, role access.RoleReference) bool
	// History records removals before their objects go, and tampering; nil in tests that are about something else.
	History History
}

// History keeps what happened.
type History interface {
	finalizer.Witness
	upkeep.History
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("role").
		For(&v1alpha1.Role{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Role{}, handler.EnqueueRequestsFromMapFunc(r.including),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Role{}, handler.EnqueueRequestsFromMapFunc(r.namesakes),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Organization{}, handler.EnqueueRequestsFromMapFunc(r.inheriting),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.namespaceChanged),
			builder.WithPredicates(predicate.Or(
				predicate.LabelChangedPredicate{}, predicate.GenerationChangedPredicate{}))).
		Watches(&rbacv1.ClusterRole{}, handler.EnqueueRequestsFromMapFunc(r.clusterRoleChanged)).
		Watches(&v1alpha1.Role{}, handler.EnqueueRequestsFromMapFunc(r.vanishedIncludes),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&rbacv1.RoleBinding{}, handler.EnqueueRequestsFromMapFunc(r.unbound), builder.WithPredicates(goes)).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
}

// including are all Roles, wherever they live, that include the name of a Role, also by way of others. A name can mean
// another Role in each organization; those that it doesn't concern find nothing to write.
func (r *Reconciler) including(ctx context.Context, object client.Object) []reconcile.Request {
	return dependents(ctx, r.Client, []string{object.GetName()})
}

func dependents(ctx context.Context, reader client.Reader, names []string) []reconcile.Request {
	var requests []reconcile.Request
	for next := 0; next < len(names); next++ {
		var roles v1alpha1.RoleList
		err := reader.List(ctx, &roles, client.MatchingFields{snapshot.RolesByInclude: names[next]}, snapshot.Shared)
		if err != nil {
			continue
		}
		for i := range roles.Items {
			role := &roles.Items[i]
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(role)})
			if !slices.Contains(names, role.Name) {
				names = append(names, role.Name)
			}
		}
	}
	return requests
}

// namesakes are the Roles of the same name elsewhere: of those along one line of parents only the topmost counts.
func (r *Reconciler) namesakes(ctx context.Context, object client.Object) []reconcile.Request {
	var roles v1alpha1.RoleList
	if err := r.List(ctx, &roles, snapshot.Shared); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range roles.Items {
		role := &roles.Items[i]
		if role.Name == object.GetName() && role.Namespace != object.GetNamespace() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(role)})
		}
	}
	return requests
}

// inheriting are the Roles of an organization and those below it, whose names and includes resolve along the parents.
func (r *Reconciler) inheriting(ctx context.Context, object client.Object) []reconcile.Request {
	return r.rolesWithin(ctx, object.GetName())
}

// namespaceChanged: Roles count while the namespace that they are in is their organization's.
func (r *Reconciler) namespaceChanged(ctx context.Context, object client.Object) []reconcile.Request {
	if organization, ok := v1alpha1.OrganizationOf(object.GetName()); ok {
		return r.rolesWithin(ctx, organization)
	}
	return nil
}

// rolesWithin are the Roles of an organization and those below it.
func (r *Reconciler) rolesWithin(ctx context.Context, organization string) []reconcile.Request {
	organizations, err := snapshot.Descendants(ctx, r.Client, organization)
	if err != nil {
		return nil
	}
	var requests []reconcile.Request
	for _, organization := range append(organizations, organization) {
		var roles v1alpha1.RoleList
		namespace := v1alpha1.OrganizationNamespace(organization)
		if err := r.List(ctx, &roles, client.InNamespace(namespace), snapshot.Shared); err != nil {
			return nil
		}
		for i := range roles.Items {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&roles.Items[i])})
		}
	}
	return requests
}

// clusterRoleChanged: the Role that a ClusterRole was compiled from, or the Roles that copy it, with all that include them.
func (r *Reconciler) clusterRoleChanged(ctx context.Context, object client.Object) []reconcile.Request {
	if reference, ok := rbac.RoleOfClusterRole(object.GetName()); ok {
		requests := []reconcile.Request{{NamespacedName: keyOf(reference)}}
		if len(r.ifVanished(ctx, reference)) > 0 {
			// Those that include it have lost what it gave.
			requests = append(requests, dependents(ctx, r.Client, []string{reference.Name})...)
		}
		return requests
	}
	name := object.GetName()
	if original, ok := rbac.OriginalOf(name); ok {
		name = original
	}
	var copying v1alpha1.RoleList
	err := r.List(ctx, &copying, client.MatchingFields{snapshot.RolesByClusterRole: name}, snapshot.Shared)
	if err != nil {
		return nil
	}
	var requests []reconcile.Request
	var names []string
	for i := range copying.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&copying.Items[i])})
		names = append(names, copying.Items[i].Name)
	}
	return append(requests, dependents(ctx, r.Client, names)...)
}

func keyOf(reference access.RoleReference) client.ObjectKey {
	if reference.Organization == "" {
		return client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: reference.Name}
	}
	return client.ObjectKey{Namespace: v1alpha1.OrganizationNamespace(reference.Organization), Name: reference.Name}
}

// Reconcile compiles one Role, or takes its ClusterRoles away.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	role := &v1alpha1.Role{}
	err := r.Get(ctx, request.NamespacedName, role)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	missing := apierrors.IsNotFound(err)
	_, ofOrganization := v1alpha1.OrganizationOf(request.Namespace)
	if stray := !ofOrganization && request.Namespace != v1alpha1.SystemNamespace; stray {
		if missing {
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, r.reportStray(ctx, role)
	}
	if missing {
		role.Namespace, role.Name = request.Namespace, request.Name
		return r.end(ctx, role)
	}
	if role.DeletionTimestamp != nil {
		return r.end(ctx, role)
	}
	if err := finalizer.Add(ctx, r.Client, role); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	return r.keep(ctx, role)
}

// keep makes the ClusterRoles what the Role comes to, and says so.
func (r *Reconciler) keep(ctx context.Context, role *v1alpha1.Role) (reconcile.Result, error) {
	reference := access.ReferenceTo(role)
	roles, err := snapshot.LoadRoles(ctx, r.Client, reference.Organization)
	if err != nil {
		return reconcile.Result{}, err
	}
	holder := roles.Holder(reference.Organization, v1alpha1.RoleName(role.Name))
	if holder == nil || holder.Namespace != role.Namespace {
		return r.keepNot(ctx, role, holder)
	}
	compiled := rbac.Compile(role, snapshot.NewSources(ctx, r.Client))
	err = errors.Join(
		r.keepClusterRole(ctx, rbac.ProjectClusterRole(reference), role, compiled.Project),
		r.keepClusterRole(ctx, rbac.OrganizationClusterRole(reference), role, compiled.Organization),
	)
	after := role.DeepCopy()
	describe(after, reference, compiled)
	readiness := readinessOf(compiled)
	switch {
	case apierrors.IsInvalid(err):
		readiness = status.Readiness{State: status.Stalled, Reason: "InvalidRules",
			Message: "the API server refuses the rules, so those from before stay in force; correct the spec: " + err.Error()}
		err = nil
	case err != nil:
		readiness = status.Readiness{State: status.Progressing, Reason: "NotInForce",
			Message: "the ClusterRoles can't be written and are tried again: " + err.Error()}
	}
	status.Report(after, readiness)
	status.Flag(after, v1alpha1.ConditionNarrowed, len(compiled.Narrowed) > 0, "HandsOutIdentities",
		strings.Join(compiled.Narrowed, "; "))
	return reconcile.Result{}, errors.Join(err, status.Update(ctx, r.Client, role, after))
}

// keepNot: the Role doesn't count, because its organization isn't there or its name is somebody else's.
func (r *Reconciler) keepNot(
	ctx context.Context, role, holder *v1alpha1.Role,
) (reconcile.Result, error) {
	state, err := r.removeClusterRoles(ctx, access.ReferenceTo(role))
	after := role.DeepCopy()
	readiness := status.Readiness{State: status.Progressing, Reason: "OrganizationNotReady", Message: fmt.Sprintf(
		"namespace %s isn't in use by an organization, so the Role means nothing; make the Organization first", role.Namespace)}
	reserved := role.Name == v1alpha1.RoleOwner || role.Name == v1alpha1.RoleNone
	if holder != nil || reserved {
		where := "the catalogue"
		if holder != nil && holder.Namespace != v1alpha1.SystemNamespace {
			where = "organization " + access.ReferenceTo(holder).Organization
		}
		readiness = status.Readiness{State: status.Stalled, Reason: "NameTaken", Message: fmt.Sprintf(
			"the name %q is used by %s, and means that Role here too; choose another name", role.Name, where)}
	}
	after.Status = v1alpha1.RoleStatus{Conditions: after.Status.Conditions}
	status.Report(after, readiness)
	return state.next(), errors.Join(err, status.Update(ctx, r.Client, role, after))
}

func describe(role *v1alpha1.Role, reference access.RoleReference, compiled rbac.Compiled) {
	role.Status.ClusterRole = rbac.ProjectClusterRole(reference)
	role.Status.OrganizationClusterRole = rbac.OrganizationClusterRole(reference)
	role.Status.Permissions = text.Strings(compiled.Permissions)
	role.Status.EffectiveRules = int32(len(compiled.Project) + len(compiled.Organization))
}

func readinessOf(compiled rbac.Compiled) status.Readiness {
	var missing []string
	if len(compiled.MissingRoles) > 0 {
		missing = append(missing, "Roles "+access.Enumerate(compiled.MissingRoles))
	}
	if len(compiled.MissingClusterRoles) > 0 {
		missing = append(missing, "ClusterRoles "+access.Enumerate(compiled.MissingClusterRoles))
	}
	switch {
	case compiled.Cycle:
		return status.Readiness{State: status.Stalled, Reason: "IncludeCycle",
			Message: "spec.includes leads back to this Role, so all that it includes is left out; take one of the includes out"}
	case len(missing) > 0:
		message := fmt.Sprintf("not there, so what they would add is left out: %s; make them or take them out of the spec",
			strings.Join(missing, " and "))
		if len(compiled.Kept) > 0 {
			message += fmt.Sprintf("; more than %d users of an organization would lose what %s gave, so that stays in force "+
				"until then", removals.AlwaysAllowed, access.Enumerate(compiled.Kept))
		}
		return status.Readiness{State: status.Progressing, Reason: "NotFound", Message: message}
	}
	return status.Readiness{State: status.InForce, Reason: status.ReasonInForce, Message: "the rules are in force"}
}

func (r *Reconciler) keepClusterRole(ctx context.Context, name string, role *v1alpha1.Role, rules []rbacv1.PolicyRule) error {
	reference := access.ReferenceTo(role)
	wanted := &rbacv1.ClusterRole{Rules: rules}
	wanted.Name, wanted.Labels = name, rbac.Labels(reference.Organization, reference.Name)
	keeper := upkeep.Keeper{Reader: r.Client, Writer: r.Client, History: r.History}
	return keeper.ClusterRole(ctx, wanted, upkeep.Source{
		Object: role, InForce: role.Status.ClusterRole != "",
	})
}

func (r *Reconciler) reportStray(ctx context.Context, role *v1alpha1.Role) error {
	if role.DeletionTimestamp != nil {
		return nil
	}
	after := role.DeepCopy()
	status.Report(after, status.Readiness{State: status.Stalled, Reason: "NotInAnOrganization", Message: fmt.Sprintf(
		"namespace %s isn't an organization's, so the Role means nothing; make it in the namespace org-NAME of organization "+
			"NAME, or in %s for every organization", role.Namespace, v1alpha1.SystemNamespace)})
	return status.Update(ctx, r.Client, role, after)
}
