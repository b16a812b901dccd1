// Package rbac turns grants into RBAC objects, and two sets of those into what is to be written. All of it is pure.
package rbac

import (
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// Where a ClusterRole of a Role holds, at the end of its name.
const (
	inProjects     = "project"
	inOrganization = "organization"
)

// namePrefix begins the names of all RBAC objects that Roster makes.
const namePrefix = "roster:"

// ProjectClusterRole is the name of the ClusterRole of a Role for project namespaces.
func ProjectClusterRole(role access.RoleReference) string {
	return clusterRoleName(role, inProjects)
}

// OrganizationClusterRole is the name of the ClusterRole of a Role for the organization's namespace.
func OrganizationClusterRole(role access.RoleReference) string {
	return clusterRoleName(role, inOrganization)
}

func clusterRoleName(role access.RoleReference, where string) string {
	if role.Organization == "" {
		return namePrefix + "catalogue:" + role.Name + ":" + where
	}
	return namePrefix + "org:" + role.Organization + ":" + role.Name + ":" + where
}

// RoleOfClusterRole is the Role that a ClusterRole was made for, by its name.
func RoleOfClusterRole(name string) (role access.RoleReference, found bool) {
	parts := strings.Split(name, ":")
	switch {
	case len(parts) == 4 && parts[0] == "roster" && parts[1] == "catalogue":
		return access.RoleReference{Name: parts[2]}, true
	case len(parts) == 5 && parts[0] == "roster" && parts[1] == "org":
		return access.RoleReference{Organization: parts[2], Name: parts[3]}, true
	}
	return access.RoleReference{}, false
}

// OrganizationObject is the name of the ClusterRole and ClusterRoleBinding by which those who run an organization reach
// the Organization object itself.
func OrganizationObject(organization string) string {
	return namePrefix + "org:" + organization
}

// OrganizationOfObject is the inverse of OrganizationObject.
func OrganizationOfObject(name string) (organization string, found bool) {
	organization, found = strings.CutPrefix(name, namePrefix+"org:")
	return organization, found && !strings.Contains(organization, ":")
}

// tokenPrefix begins the names of the ClusterRoles by which one Secret with a token is read.
const tokenPrefix = namePrefix + "token:"

// TokenReader is the name of the ClusterRole by which the Secret of one APIToken is read, and of its binding.
func TokenReader(organization, token string) string {
	return tokenPrefix + organization + ":" + token
}

// TokenOfReader is the inverse of TokenReader.
func TokenOfReader(name string) (organization, token string, found bool) {
	return parts(name, tokenPrefix)
}

// joinPrefix begins the names of the ClusterRoles and RBAC RoleBindings by which one JoinRequest is seen by who made it.
const joinPrefix = namePrefix + "join:"

// JoinRequester is the name of the ClusterRole by which who made a JoinRequest to an organization sees and withdraws it, and
// of its binding.
func JoinRequester(organization, request string) string {
	return joinPrefix + organization + ":" + request
}

// RequestOfJoinRequester is the inverse of JoinRequester.
func RequestOfJoinRequester(name string) (organization, request string, found bool) {
	return parts(name, joinPrefix)
}

// copyPrefix begins the names of the copies of ClusterRoles that Roles name.
const copyPrefix = namePrefix + "copy:"

// CopyOf is the name of the copy of a ClusterRole, whose rules count when the ClusterRole isn't there any more.
func CopyOf(clusterRole string) string { return copyPrefix + clusterRole }

// OriginalOf is the inverse of CopyOf.
func OriginalOf(name string) (clusterRole string, found bool) {
	return strings.CutPrefix(name, copyPrefix)
}

// parts are what follows a prefix in a name, separated by a colon.
func parts(name, prefix string) (first, second string, found bool) {
	rest, found := strings.CutPrefix(name, prefix)
	if !found {
		return "", "", false
	}
	return strings.Cut(rest, ":")
}

// shardName names the n-th binding of a ClusterRole in a namespace, from 1.
func shardName(clusterRole string, n int) string {
	if n == 1 {
		return clusterRole
	}
	return fmt.Sprintf("%s:shard-%d", clusterRole, n)
}

// IsManaged says whether an RBAC RoleBinding is Roster's, by its label or, where that was taken away, by its name.
func IsManaged(binding *rbacv1.RoleBinding) bool {
	return binding.Labels[v1alpha1.LabelManagedBy] == v1alpha1.ManagedByRoster ||
		strings.HasPrefix(binding.Name, namePrefix+"catalogue:") || strings.HasPrefix(binding.Name, namePrefix+"org:") ||
		strings.HasPrefix(binding.Name, tokenPrefix)
}

// Labels are what Roster's RBAC objects for an organization and a role carry.
func Labels(organization, role string) map[string]string {
	labels := map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster}
	if organization != "" {
		labels[v1alpha1.LabelOrganization] = organization
	}
	if role != "" {
		labels[v1alpha1.LabelRole] = role
	}
	return labels
}
