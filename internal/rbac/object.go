package rbac

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// organizationKeepers are the catalogue's roles whose holders reach the Organization object.
var organizationKeepers = sets.New(
	access.RoleReference{Name: v1alpha1.RoleOwner},
	access.RoleReference{Name: v1alpha1.RoleAdministrator},
	access.RoleReference{Name: v1alpha1.RoleBilling},
)

// OrganizationAccess is the ClusterRole and ClusterRoleBinding by which owners, administrators and billing read and change
// their Organization object. There are none for an organization without a namespace or one that is ending.
func OrganizationAccess(result access.Result) (*rbacv1.ClusterRole, *rbacv1.ClusterRoleBinding) {
	var subjects []rbacv1.Subject
	for _, grant := range result.Grants {
		if grant.Scope.Organization && organizationKeepers.Has(grant.Role) {
			subjects = append(subjects, grant.Subjects...)
		}
	}
	if len(subjects) == 0 {
		return nil, nil
	}
	meta := metav1.ObjectMeta{
		Name:   OrganizationObject(result.Organization),
		Labels: Labels(result.Organization, ""),
	}
	role := &rbacv1.ClusterRole{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
		APIGroups:     []string{v1alpha1.GroupVersion.Group},
		Resources:     []string{"organizations"},
		ResourceNames: []string{result.Organization},
		Verbs:         []string{"get", "list", "watch", "update", "patch", "delete"},
	}}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: *meta.DeepCopy(), RoleRef: roleRef(meta.Name), Subjects: sortSubjects(subjects),
	}
	return role, binding
}
