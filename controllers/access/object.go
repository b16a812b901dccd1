package access

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/upkeep"
)

// syncOrganizationObject lets those who run the organization reach the Organization object itself, which is outside of
// its namespace. What each may change of it is for the policies to say.
func (s *organizationSync) syncOrganizationObject(ctx context.Context) error {
	role, binding := rbac.OrganizationAccess(s.result)
	if role == nil {
		named := metav1.ObjectMeta{Name: rbac.OrganizationObject(s.result.Organization)}
		if err := s.removeIfThere(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: named}); err != nil {
			return err
		}
		return s.removeIfThere(ctx, &rbacv1.ClusterRole{ObjectMeta: named})
	}
	organization := s.result.Lineage.Organizations[0]
	source := upkeep.Source{
		Object: organization,
		InForce: reportsOn(organization) &&
			meta.IsStatusConditionTrue(organization.Status.Conditions, v1alpha1.ConditionReady),
	}
	keeper := upkeep.Keeper{Reader: s.Client, Writer: s.Client, History: s.History}
	if err := keeper.ClusterRole(ctx, role, source); err != nil {
		return err
	}
	return keeper.ClusterRoleBinding(ctx, binding, source)
}

func (s *organizationSync) removeIfThere(ctx context.Context, object client.Object) error {
	err := s.Get(ctx, client.ObjectKeyFromObject(object), object)
	if err == nil {
		err = s.Delete(ctx, object)
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove %T %s: %w", object, object.GetName(), err)
	}
	return nil
}
