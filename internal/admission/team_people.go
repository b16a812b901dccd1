package admission

import (
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/authority"
	"github.com/roster-dev/roster/internal/snapshot"
	"github.com/roster-dev/roster/internal/text"
)

// warnOfPeople tells the author who gives roles to a team that is there already which people get them. Others may have put
// them there while the team carried nothing, or after somebody took its role off, and a manifest that is applied again doesn't
// show them.
func (r *review) warnOfPeople(before, after *v1alpha1.Team, inherited authority.Inherited) error {
	field, roles := newlyCarried(before, after, inherited)
	if len(roles) == 0 {
		return nil
	}
	var teams v1alpha1.TeamList
	if err := r.worldAfter.List(r.ctx, &teams, client.InNamespace(after.Namespace), snapshot.Shared); err != nil {
		return err
	}
	members, maintainers := peopleOf(after, teams.Items)
	if len(members)+len(maintainers) == 0 {
		return nil
	}
	message := fmt.Sprintf("%s: this gives role %s to %s of team %q and the teams below it", field, access.Enumerate(roles),
		text.Count(len(members), "member"), after.Name)
	if len(members) > 0 {
		message += fmt.Sprintf(" (%s)", access.Enumerate(members))
	}
	if len(maintainers) > 0 {
		message += fmt.Sprintf(", and to whomever these maintainers add: %s", access.Enumerate(maintainers))
	}
	r.warnings = append(r.warnings, message)
	return nil
}

// newlyCarried are the roles that a change lets a team carry which it didn't carry before, and the field that does so.
func newlyCarried(before, after *v1alpha1.Team, inherited authority.Inherited) (field string, roles []string) {
	switch {
	case before == nil:
		return "", nil
	case after.Spec.Role != "" && after.Spec.Role != before.Spec.Role:
		return "spec.role", []string{string(after.Spec.Role)}
	case after.Spec.Parent != before.Spec.Parent:
		for _, role := range inherited.FromParents {
			roles = append(roles, string(role.Role))
		}
		slices.Sort(roles)
		return "spec.parent", slices.Compact(roles)
	}
	return "", nil
}

// peopleOf are the members and the maintainers of a team and of all teams below it, sorted and once each.
func peopleOf(team *v1alpha1.Team, all []v1alpha1.Team) (members, maintainers []string) {
	below := []*v1alpha1.Team{team}
	for next := 0; next < len(below); next++ {
		members = append(members, text.Strings(below[next].Spec.Members)...)
		maintainers = append(maintainers, text.Strings(below[next].Spec.Maintainers)...)
		for i := range all {
			child := &all[i]
			isKnown := slices.ContainsFunc(below, func(known *v1alpha1.Team) bool { return known.Name == child.Name })
			if string(child.Spec.Parent) == below[next].Name && !isKnown {
				below = append(below, child)
			}
		}
	}
	slices.Sort(members)
	slices.Sort(maintainers)
	return slices.Compact(members), slices.Compact(maintainers)
}
