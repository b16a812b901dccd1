package role

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
	"github.com/roster-dev/roster/internal/upkeep"
)

// Copies keeps a copy of each ClusterRole that a Role names in spec.clusterRoles, for the day on which the ClusterRole is
// deleted by accident. It is a ClusterRole itself, so that the API server lets nobody write rules into it who may not give them.
// The requests are names of ClusterRoles.
type Copies struct {
	client.Client
}

// SetupWithManager registers the controller.
func (c *Copies) SetupWithManager(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("copies").
		// Of a change it is told the Role as it was, too.
		Watches(&v1alpha1.Role{}, handler.EnqueueRequestsFromMapFunc(namedClusterRoles),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&rbacv1.ClusterRole{}, handler.EnqueueRequestsFromMapFunc(c.original)).
		Complete(c)
}

func namedClusterRoles(_ context.Context, object client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, name := range object.(*v1alpha1.Role).Spec.ClusterRoles {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKey{Name: name}})
	}
	return requests
}

// original is the ClusterRole that is copied, of itself or of its copy.
func (c *Copies) original(ctx context.Context, object client.Object) []reconcile.Request {
	name, isCopy := rbac.OriginalOf(object.GetName())
	if !isCopy {
		name = object.GetName()
		if roles, err := c.naming(ctx, name); err != nil || len(roles) == 0 {
			return nil
		}
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: name}}}
}

// naming are the Roles that name a ClusterRole.
func (c *Copies) naming(ctx context.Context, clusterRole string) ([]v1alpha1.Role, error) {
	var roles v1alpha1.RoleList
	err := c.List(ctx, &roles, client.MatchingFields{snapshot.RolesByClusterRole: clusterRole}, snapshot.Shared)
	if err != nil {
		return nil, fmt.Errorf("list the Roles that name ClusterRole %s: %w", clusterRole, err)
	}
	return roles.Items, nil
}

// Reconcile makes the copy of a ClusterRole what the ClusterRole is. Where that is gone the copy stays while too many would lose
// what it gives; where no Role names the ClusterRole any more the copy goes.
func (c *Copies) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	wanted := &rbacv1.ClusterRole{}
	wanted.Name, wanted.Labels = rbac.CopyOf(request.Name), rbac.Labels("", "")
	roles, err := c.naming(ctx, request.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	if len(roles) == 0 {
		return reconcile.Result{}, c.remove(ctx, wanted)
	}
	original := &rbacv1.ClusterRole{}
	err = c.Get(ctx, client.ObjectKey{Name: request.Name}, original)
	if apierrors.IsNotFound(err) {
		missed, err := tooMany(ctx, c.Client, roles)
		if err != nil || missed {
			return reconcile.Result{}, err
		}
		return reconcile.Result{}, c.remove(ctx, wanted)
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("get ClusterRole %s: %w", request.Name, err)
	}
	wanted.Rules = original.Rules
	keeper := upkeep.Keeper{Reader: c.Client, Writer: c.Client}
	return reconcile.Result{}, keeper.ClusterRole(ctx, wanted, upkeep.Source{Object: &roles[0]})
}

func (c *Copies) remove(ctx context.Context, copied *rbacv1.ClusterRole) error {
	err := c.Get(ctx, client.ObjectKeyFromObject(copied), copied)
	if err == nil {
		err = c.Delete(ctx, copied)
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete ClusterRole %s: %w", copied.Name, err)
	}
	return nil
}
