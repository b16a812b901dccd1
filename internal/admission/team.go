package admission

import (
	"fmt"
	"reflect"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/snapshot"
)

// listed: whom a Team or a RoleBinding lists is asked for as a member, since becoming one asks for nothing more.
var listed = access.Assumptions{ListedAreMembers: true}

// examineTeam asks what the team's members, and those who may make themselves members, would come to hold.
func (r *review) examineTeam(before, after *v1alpha1.Team) error {
	all, err := r.givesAll()
	if err != nil {
		return err
	}
	if after != nil {
		if err := r.checkTeam(before, after); err != nil {
			return err
		}
	}
	if all || r.maintains(before, after) {
		return nil
	}
	organizations, err := r.reachedByTeams()
	if err != nil {
		return err
	}
	return r.gainIn(organizations, listed)
}

// reachedByTeams are the organizations in which a team's members may hold something by it: those below, too, where an
// organization-wide RoleBinding names a team.
func (r *review) reachedByTeams() ([]string, error) {
	var bindings v1alpha1.RoleBindingList
	namespace := client.InNamespace(v1alpha1.OrganizationNamespace(r.organization))
	if err := r.worldAfter.List(r.ctx, &bindings, namespace, snapshot.Shared); err != nil {
		return nil, err
	}
	isTeam := func(subject v1alpha1.Subject) bool { return subject.Kind == v1alpha1.SubjectTeam }
	for i := range bindings.Items {
		if spec := &bindings.Items[i].Spec; spec.OrganizationWide && slices.ContainsFunc(spec.Subjects, isTeam) {
			return r.withDescendants()
		}
	}
	return []string{r.organization}, nil
}

// maintains says whether one of the team's maintainers changes who is in it.
func (r *review) maintains(before, after *v1alpha1.Team) bool {
	if before == nil || after == nil || !slices.Contains(before.Spec.Maintainers, v1alpha1.Username(r.author.Username)) {
		return false
	}
	others := after.DeepCopy()
	others.Spec.Members, others.Spec.Maintainers = before.Spec.Members, before.Spec.Maintainers
	return reflect.DeepEqual(before.Spec, others.Spec) && reflect.DeepEqual(before.Labels, after.Labels)
}

func (r *review) checkTeam(before, after *v1alpha1.Team) error {
	previous := &v1alpha1.Team{}
	if before != nil {
		previous = before
	}
	if group := after.Spec.IdentityGroup; group != "" && group != previous.Spec.IdentityGroup {
		if err := r.refuseGroup("spec.identityGroup", group); err != nil {
			return err
		}
	}
	if after.Spec.Parent != "" && after.Spec.Parent != previous.Spec.Parent {
		if err := r.checkTeamParent(after); err != nil {
			return err
		}
	}
	if after.Spec.Role != previous.Spec.Role {
		if err := r.missingRoles(after.Spec.Role); err != nil {
			return err
		}
	}
	return r.missingProjects(added(previous.Spec.Projects, after.Spec.Projects))
}

// checkTeamParent follows the parents.
func (r *review) checkTeamParent(team *v1alpha1.Team) error {
	seen := []string{team.Name}
	for name := string(team.Spec.Parent); name != ""; {
		if slices.Contains(seen, name) {
			return invalid(ruleParentCycle,
				"spec.parent: %q leads back to team %q; take spec.parent out of one of these teams: %s",
				team.Spec.Parent, name, access.Enumerate(seen))
		}
		seen = append(seen, name)
		parent := &v1alpha1.Team{}
		found, err := r.exists(name, parent)
		if err != nil {
			return err
		}
		if !found {
			if name == string(team.Spec.Parent) {
				r.dangling = append(r.dangling, fmt.Sprintf("team %q", name))
			}
			return nil
		}
		name = string(parent.Spec.Parent)
	}
	return nil
}

// refuseGroup refuses an identity provider's group where a second factor is required.
func (r *review) refuseGroup(field, group string) error {
	world, err := snapshot.LoadRoles(r.ctx, r.worldAfter, r.organization)
	if err != nil {
		return err
	}
	if requiring := world.RequiringMFA(r.organization); requiring != "" {
		return invalid(ruleGroupNotGated,
			"%s: group %q can't be given access here, since organization %s requires a second factor, which can't be "+
				"checked for a group; list the users instead", field, group, requiring)
	}
	return nil
}
