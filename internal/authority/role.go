package authority

import (
	"fmt"
	"slices"
	"time"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// Naming names an object that gives a role of an organization by its name, or is empty where none does. It makes no
// difference whether that object reaches anybody now. The defaults are the organization's.
func Naming(
	role v1alpha1.RoleName, defaults []v1alpha1.RoleName, memberships []*v1alpha1.Membership, teams []*v1alpha1.Team,
	bindings []*v1alpha1.RoleBinding, now time.Time,
) string {
	for _, membership := range memberships {
		if slices.Contains(rolesGiven(membership, defaults), role) {
			return fmt.Sprintf("Membership %q", membership.Name)
		}
	}
	for _, team := range teams {
		if team.Spec.Role == role {
			return fmt.Sprintf("team %q", team.Name)
		}
	}
	for _, binding := range bindings {
		if binding.Spec.Role == role && !hasEnded(binding, now) {
			return fmt.Sprintf("RoleBinding %q", binding.Name)
		}
	}
	if slices.Contains(defaults, role) {
		return "the organization's spec.membership.defaultRoles"
	}
	return ""
}

// OfOrganization are the demands of a change of an Organization's own lists: its owners, and the roles that its members
// have by default. Before is nil for a new one, whose author names both.
func OfOrganization(before, after *v1alpha1.Organization) []Demand {
	if before == nil || after == nil {
		return nil
	}
	var demands []Demand
	if more := Added(before.Spec.Owners, after.Spec.Owners); len(more) > 0 {
		demands = append(demands, Demand{Role: v1alpha1.RoleOwner, Field: "spec.owners", Change: "adding " + Listed(more)})
	}
	for _, role := range Added(before.Spec.Membership.DefaultRoles, after.Spec.Membership.DefaultRoles) {
		if givesSomething(role) {
			demands = append(demands, Demand{Role: role, Field: "spec.membership.defaultRoles", Change: "adding it"})
		}
	}
	return demands
}
