// Package snapshot reads, from the manager's caches, the part of the world that the engine needs for one organization.
package snapshot

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/text"
)

// The indexes that the caches keep.
const (
	// OrganizationsByParent finds an organization's children.
	OrganizationsByParent = "spec.parent"
	// OrganizationsByOwner finds the organizations that a user owns.
	OrganizationsByOwner = "spec.owners"
	// OrganizationsByHeldUser finds the organizations that hold a user's removal, and under heldUnlisted those that hold more
	// than their status lists.
	OrganizationsByHeldUser = "status.heldRemovals.users"
	heldUnlisted            = ""
	// MembershipsByUser finds a user's Memberships.
	MembershipsByUser = "spec.user"
	// APITokensByUser finds a user's APITokens.
	APITokensByUser = "spec.user"
	// UsersByUsername finds the User objects of a username.
	UsersByUsername = "spec.username"
	// UsersByDeactivated finds the deactivated users, under "true".
	UsersByDeactivated = "spec.deactivated"
	// ProjectsByNamespace finds the projects that ask for a namespace.
	ProjectsByNamespace = "spec.namespaces"
	// RoleBindingsByExternalTeam finds the RoleBindings that let in a team of another organization: under ORGANIZATION/TEAM,
	// and under ORGANIZATION those that let in any of its teams.
	RoleBindingsByExternalTeam = "spec.subjects.organization"
	// JoinRequestsByTeam finds the JoinRequests of a team, under ORGANIZATION/TEAM, and of an organization's teams, under
	// ORGANIZATION.
	JoinRequestsByTeam = "spec.team.organization"
	// RolesByInclude finds the Roles that include a name.
	RolesByInclude = "spec.includes"
	// RolesByClusterRole finds the Roles that copy a ClusterRole.
	RolesByClusterRole = "spec.clusterRoles"
	// NamespacesByOrganization finds the namespaces that carry an organization's label.
	NamespacesByOrganization = "organization"
	// NamespacesByProject finds the namespaces that carry a project's labels, under NamespaceProject.
	NamespacesByProject = "project"
	// BindingsByOrganization finds the RBAC RoleBindings that carry an organization's label.
	BindingsByOrganization = "organization"
)

// index is one of them.
type index struct {
	object client.Object
	field  string
	values client.IndexerFunc
}

var indexes = []index{
	{&v1alpha1.Organization{}, OrganizationsByParent, organizationParent},
	{&v1alpha1.Organization{}, OrganizationsByOwner, organizationOwners},
	{&v1alpha1.Organization{}, OrganizationsByHeldUser, organizationHeldUsers},
	{&v1alpha1.Membership{}, MembershipsByUser, membershipUser},
	{&v1alpha1.APIToken{}, APITokensByUser, apiTokenUser},
	{&v1alpha1.User{}, UsersByUsername, userUsername},
	{&v1alpha1.User{}, UsersByDeactivated, userDeactivated},
	{&v1alpha1.Project{}, ProjectsByNamespace, projectNamespaces},
	{&v1alpha1.RoleBinding{}, RoleBindingsByExternalTeam, roleBindingExternalTeams},
	{&v1alpha1.JoinRequest{}, JoinRequestsByTeam, joinRequestTeam},
	{&v1alpha1.Role{}, RolesByInclude, roleIncludes},
	{&v1alpha1.Role{}, RolesByClusterRole, roleClusterRoles},
	{&corev1.Namespace{}, NamespacesByOrganization, organizationLabel},
	{&corev1.Namespace{}, NamespacesByProject, namespaceProject},
	{&rbacv1.RoleBinding{}, BindingsByOrganization, organizationLabel},
}

// AddIndexes makes the caches keep the indexes. To be called before they start.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range indexes {
		if err := indexer.IndexField(ctx, index.object, index.field, index.values); err != nil {
			return fmt.Errorf("index %T by %s: %w", index.object, index.field, err)
		}
	}
	return nil
}

func organizationParent(object client.Object) []string {
	return present(object.(*v1alpha1.Organization).Spec.Parent)
}

func organizationOwners(object client.Object) []string {
	return text.Strings(object.(*v1alpha1.Organization).Spec.Owners)
}

func organizationHeldUsers(object client.Object) []string {
	held := object.(*v1alpha1.Organization).Status.HeldRemovals
	switch {
	case held == nil:
		return nil
	case int(held.Count) > len(held.Users):
		return append([]string{heldUnlisted}, held.Users...)
	}
	return held.Users
}

func membershipUser(object client.Object) []string {
	return present(string(object.(*v1alpha1.Membership).Spec.User))
}

func apiTokenUser(object client.Object) []string {
	return present(string(object.(*v1alpha1.APIToken).Spec.User))
}

func userUsername(object client.Object) []string {
	return present(string(object.(*v1alpha1.User).Spec.Username))
}

func userDeactivated(object client.Object) []string {
	if object.(*v1alpha1.User).Spec.Deactivated {
		return []string{"true"}
	}
	return nil
}

func projectNamespaces(object client.Object) []string {
	return object.(*v1alpha1.Project).NamespaceNames()
}

// ExternalTeam is the value under which the indexes find what concerns a team of another organization.
func ExternalTeam(organization, team string) string { return organization + "/" + team }

func roleBindingExternalTeams(object client.Object) []string {
	var values []string
	for _, subject := range object.(*v1alpha1.RoleBinding).Spec.Subjects {
		if subject.IsExternal() {
			values = append(values, subject.Organization, ExternalTeam(subject.Organization, subject.Name))
		}
	}
	return values
}

func joinRequestTeam(object client.Object) []string {
	team := object.(*v1alpha1.JoinRequest).Spec.Team
	return []string{team.Organization, ExternalTeam(team.Organization, string(team.Name))}
}

func roleIncludes(object client.Object) []string {
	return text.Strings(object.(*v1alpha1.Role).Spec.Includes)
}

func roleClusterRoles(object client.Object) []string {
	return object.(*v1alpha1.Role).Spec.ClusterRoles
}

func organizationLabel(object client.Object) []string {
	return present(object.GetLabels()[v1alpha1.LabelOrganization])
}

// NamespaceProject is the value under which the indexes find the namespaces of an organization's project.
func NamespaceProject(organization, project string) string { return organization + "/" + project }

func namespaceProject(object client.Object) []string {
	labels := object.GetLabels()
	if labels[v1alpha1.LabelProject] == "" {
		return nil
	}
	return []string{NamespaceProject(labels[v1alpha1.LabelOrganization], labels[v1alpha1.LabelProject])}
}

func present(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}
