package authority

import (
	"fmt"
	"slices"
	"time"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// Naming is an object that gives a role of an organization by its name, one that reaches further down if there is one. It makes
// no difference whether it reaches anybody now. The defaults are the organization's.
func Naming(
	role v1alpha1.RoleName, defaults []v1alpha1.RoleName, memberships []*v1alpha1.Membership, teams []*v1alpha1.Team,
	bindings []*v1alpha1.RoleBinding, now time.Time,
) (naming Carried, found bool) {
	for _, membership := range memberships {
		if slices.Contains(rolesGiven(membership, defaults), role) {
			return Carried{Role: role, Everywhere: true, Carrier: fmt.Sprintf("Membership %q", membership.Name)}, true
		}
	}
	if slices.Contains(defaults, role) {
		return Carried{Role: role, Everywhere: true, Carrier: "the organization's spec.membership.defaultRoles"}, true
	}
	for _, binding := range bindings {
		if binding.Spec.Role == role && !hasEnded(binding, now) && !naming.Everywhere {
			naming = Carried{Role: role, Everywhere: binding.Spec.OrganizationWide, Carrier: fmt.Sprintf("RoleBinding %q", binding.Name)}
		}
	}
	for _, team := range teams {
		if team.Spec.Role == role && naming.Carrier == "" {
			naming = Carried{Role: role, Carrier: fmt.Sprintf("team %q", team.Name)}
		}
	}
	return naming, naming.Carrier != ""
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
