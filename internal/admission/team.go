package admission

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/authority"
	"github.com/roster-dev/roster/internal/snapshot"
)

// examineTeam asks for the right to give what the team carries. Its maintainers decide on who is in it.
func (r *review) examineTeam(before, after *v1alpha1.Team) error {
	if after == nil {
		return nil
	}
	if err := r.checkTeam(before, after); err != nil || r.maintains(before, after) {
		return err
	}
	if err := r.readCurrent(); err != nil {
		return err
	}
	var bindings v1alpha1.RoleBindingList
	if err := r.worldAfter.List(r.ctx, &bindings, client.InNamespace(after.Namespace), snapshot.Shared); err != nil {
		return err
	}
	var failure error
	find := func(name v1alpha1.ObjectName) *v1alpha1.Team {
		parent := &v1alpha1.Team{}
		found, err := r.exists(string(name), parent)
		if failure = errors.Join(failure, err); !found {
			return nil
		}
		return parent
	}
	inherited := authority.InheritedBy(after, find, snapshot.Pointers(bindings.Items), r.now)
	r.demandHere(authority.OfTeam(before, after, inherited))
	missing := fmt.Sprintf("team %q", inherited.Missing)
	if inherited.Missing != "" && authority.Reaches(before, after) && !slices.Contains(r.dangling, missing) {
		r.dangling = append(r.dangling, missing)
	}
	return errors.Join(failure, r.warnOfPeople(before, after, inherited))
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
	return r.missingProjects(authority.Added(previous.Spec.Projects, after.Spec.Projects))
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
