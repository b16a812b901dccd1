package access

import (
	"context"
	"fmt"
	"maps"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/internal/rbac"
)

// syncOrganizationObject lets those who run the organization reach the Organization object itself, which is outside of
// its namespace. What each may change of it is for the policies to say.
func (s *organizationSync) syncOrganizationObject(ctx context.Context) error {
	role, binding := rbac.OrganizationAccess(s.result)
	if role == nil {
		meta := metav1.ObjectMeta{Name: rbac.OrganizationObject(s.result.Organization)}
		if err := s.removeIfThere(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: meta}); err != nil {
			return err
		}
		return s.removeIfThere(ctx, &rbacv1.ClusterRole{ObjectMeta: meta})
	}
	if err := s.keepClusterRole(ctx, role); err != nil {
		return err
	}
	return s.keepClusterRoleBinding(ctx, binding)
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

func (s *organizationSync) keepClusterRole(ctx context.Context, wanted *rbacv1.ClusterRole) error {
	found := &rbacv1.ClusterRole{}
	err := s.Get(ctx, client.ObjectKeyFromObject(wanted), found)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return fmt.Errorf("get ClusterRole %s: %w", wanted.Name, err)
	case err != nil:
		return s.Create(ctx, wanted)
	case equality.Semantic.DeepEqual(found.Rules, wanted.Rules) && found.AggregationRule == nil &&
		containsAll(found.Labels, wanted.Labels):
		return nil
	}
	// With an aggregation rule Kubernetes would write other rules into it, again and again.
	found.Rules, found.AggregationRule = wanted.Rules, nil
	found.Labels = merged(found.Labels, wanted.Labels)
	return s.Update(ctx, found)
}

func (s *organizationSync) keepClusterRoleBinding(ctx context.Context, wanted *rbacv1.ClusterRoleBinding) error {
	found := &rbacv1.ClusterRoleBinding{}
	err := s.Get(ctx, client.ObjectKeyFromObject(wanted), found)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return fmt.Errorf("get ClusterRoleBinding %s: %w", wanted.Name, err)
	case err != nil:
		return s.Create(ctx, wanted)
	case found.RoleRef != wanted.RoleRef:
		// A roleRef can't be updated, and a binding to another ClusterRole isn't what anybody was given.
		if err := s.Delete(ctx, found); client.IgnoreNotFound(err) != nil {
			return err
		}
		return s.Create(ctx, wanted)
	case slices.Equal(found.Subjects, wanted.Subjects) && containsAll(found.Labels, wanted.Labels):
		return nil
	}
	found.Subjects, found.Labels = wanted.Subjects, merged(found.Labels, wanted.Labels)
	return s.Update(ctx, found)
}

func containsAll(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}

func merged(labels, wanted map[string]string) map[string]string {
	result := maps.Clone(labels)
	if result == nil {
		result = map[string]string{}
	}
	maps.Copy(result, wanted)
	return result
}
