package authority

import (
	"fmt"
	"slices"
	"time"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// OfTeam are the demands of a change of a Team. Inherited are the roles that the team passes on without naming them, as
// InheritedBy tells of the team after the change. Before or after is nil where there is none.
func OfTeam(before, after *v1alpha1.Team, inherited Inherited) []Demand {
	if after == nil {
		return nil
	}
	if before == nil {
		// Whoever makes a team completes what names it already: RoleBindings, and the teams below it.
		demands := demandAll(ownRole(after), "spec.role", "giving it")
		demands = append(demands, demandAll(inherited.FromParents, "spec.parent", parentChange(after))...)
		return append(demands, demandAll(inherited.FromBindings, "metadata.name", fmt.Sprintf("making team %q", after.Name))...)
	}
	var demands []Demand
	if before.Spec.Role != after.Spec.Role {
		demands = append(demands, demandAll(ownRole(after), "spec.role", "giving it")...)
	}
	for _, widened := range scopeOfTeam(after).widened(scopeOfTeam(before)) {
		demands = append(demands, demandAll(ownRole(after), widened.field, widened.change)...)
	}
	if before.Spec.Parent != after.Spec.Parent {
		demands = append(demands, demandAll(inherited.FromParents, "spec.parent", parentChange(after))...)
	}
	passedOn := slices.Concat(ownRole(after), inherited.FromParents, inherited.FromBindings)
	for _, widened := range widenedPeople(before, after) {
		demands = append(demands, demandAll(passedOn, widened.field, widened.change)...)
	}
	return demands
}

func parentChange(team *v1alpha1.Team) string {
	return fmt.Sprintf("putting team %q below it", team.Name)
}

func ownRole(team *v1alpha1.Team) []Carried {
	if !givesSomething(team.Spec.Role) {
		return nil
	}
	return []Carried{{Role: team.Spec.Role}}
}

func scopeOfTeam(team *v1alpha1.Team) scope {
	return scope{
		projects: team.Spec.Projects, selector: team.Spec.ProjectSelector, all: team.Spec.AllProjects, allField: "allProjects",
	}
}

// widenedPeople says which fields let more people be in the team, or decide on who is.
func widenedPeople(before, after *v1alpha1.Team) []widening {
	var found []widening
	if more := Added(before.Spec.Members, after.Spec.Members); len(more) > 0 {
		found = append(found, widening{"spec.members", "adding " + Listed(more)})
	}
	if more := Added(before.Spec.Maintainers, after.Spec.Maintainers); len(more) > 0 {
		found = append(found, widening{"spec.maintainers", "adding " + Listed(more)})
	}
	if group := after.Spec.IdentityGroup; group != "" && group != before.Spec.IdentityGroup {
		found = append(found, widening{"spec.identityGroup", fmt.Sprintf("naming group %q", group)})
	}
	return found
}

// Inherited are the roles that a team passes on without naming them itself.
type Inherited struct {
	// FromParents come from the teams above, and from RoleBindings to those.
	FromParents []Carried
	// FromBindings come from RoleBindings to the team itself.
	FromBindings []Carried
	// Missing is the name of a team above that isn't there, and may come to carry anything; empty where all are there.
	Missing v1alpha1.ObjectName
}

// Reaches says whether a change lets what is above a team reach more people: by the team's place below it, or by who is in it.
func Reaches(before, after *v1alpha1.Team) bool {
	return before == nil || before.Spec.Parent != after.Spec.Parent || len(widenedPeople(before, after)) > 0
}

// InheritedBy says which roles reach a team's members from the teams above it and from RoleBindings. The bindings are all of
// the organization; those that have ended count for nothing, since prolonging one takes the right itself. Teams that lead in
// a circle count as if each were above all others, as taking one edge out puts the rest in force.
func InheritedBy(
	team *v1alpha1.Team, find func(name v1alpha1.ObjectName) *v1alpha1.Team, bindings []*v1alpha1.RoleBinding, now time.Time,
) Inherited {
	inherited := Inherited{FromBindings: boundTo(team.Name, fmt.Sprintf("team %q", team.Name), bindings, now)}
	seen := []string{team.Name}
	for name := team.Spec.Parent; name != "" && !slices.Contains(seen, string(name)); {
		seen = append(seen, string(name))
		carrier := fmt.Sprintf("parent team %q", name)
		inherited.FromParents = append(inherited.FromParents, boundTo(string(name), carrier, bindings, now)...)
		parent := find(name)
		if parent == nil {
			inherited.Missing = name
			break
		}
		for _, role := range ownRole(parent) {
			inherited.FromParents = append(inherited.FromParents, Carried{Role: role.Role, Carrier: carrier})
		}
		name = parent.Spec.Parent
	}
	return inherited
}

// boundTo are the roles that RoleBindings give to a team by its name.
func boundTo(team, described string, bindings []*v1alpha1.RoleBinding, now time.Time) []Carried {
	var found []Carried
	for _, binding := range bindings {
		isTeam := func(subject v1alpha1.Subject) bool {
			return subject.Kind == v1alpha1.SubjectTeam && !subject.IsExternal() && subject.Name == team
		}
		if !hasEnded(binding, now) && givesSomething(binding.Spec.Role) && slices.ContainsFunc(binding.Spec.Subjects, isTeam) {
			found = append(found, Carried{
				Role: binding.Spec.Role, Everywhere: binding.Spec.OrganizationWide,
				Carrier: fmt.Sprintf("RoleBinding %q to %s", binding.Name, described),
			})
		}
	}
	return found
}

func hasEnded(binding *v1alpha1.RoleBinding, now time.Time) bool {
	return binding.Spec.ExpiresAt != nil && !now.Before(binding.Spec.ExpiresAt.Time)
}
