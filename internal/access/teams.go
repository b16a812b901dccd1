package access

import (
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// addTeams grants what the organization's teams give, for their own members and those of their child teams.
func (e *evaluation) addTeams() {
	teams := e.index.teams[e.lineage[0].Name]
	for _, name := range sortedKeys(teams) {
		e.addTeam(teams[name])
	}
}

func (e *evaluation) addTeam(team *v1alpha1.Team) {
	outcome := TeamOutcome{Missing: e.notMembers(team.Spec.Members), Problems: e.teamParentProblems(team)}
	projects, problems := e.chosenProjects(projectChoice{
		names: team.Spec.Projects, selector: team.Spec.ProjectSelector, all: team.Spec.AllProjects,
	})
	outcome.Problems = append(outcome.Problems, problems...)
	if team.Spec.IdentityGroup != "" && e.requireMFA {
		outcome.Problems = append(outcome.Problems, groupNotAllowed(team.Spec.IdentityGroup))
	}
	role, found := e.resolve(team.Spec.Role, 0)
	if team.Spec.Role != "" && !found {
		outcome.Problems = append(outcome.Problems, roleNotFound(team.Spec.Role))
	}
	scope := e.scopeOf(projects, breadthOf(team.Spec.AllProjects))
	reached := sets.New[string]()
	for _, source := range e.teamSources(e.lineage[0].Name, team) {
		users := e.actingMembers(source.team.Spec.Members)
		reached.Insert(users...)
		subjects := userSubjects(users)
		if group := source.team.Spec.IdentityGroup; group != "" && !e.requireMFA {
			subjects = append(subjects, groupSubject(group))
			outcome.Ungated = true
		}
		if found {
			e.grant(Grant{Role: role, Subjects: subjects, Scope: scope, Via: source.via})
		}
	}
	e.addMaintainers(team)
	outcome.Members, outcome.Projects = reached.Len(), len(projects)
	e.result.Teams[team.Name] = outcome
}

// addMaintainers lets a team's maintainers change the team. Which team each maintains, and what of it they may change, is
// for a policy to hold.
func (e *evaluation) addMaintainers(team *v1alpha1.Team) {
	role := e.index.roles[""][v1alpha1.RoleTeamMaintainer]
	if role == nil || role.DeletionTimestamp != nil {
		return
	}
	e.grant(Grant{
		Role: ReferenceTo(role), Subjects: userSubjects(e.actingMembers(team.Spec.Maintainers)),
		Scope: &Scope{Organization: e.result.Namespace != ""}, Via: []ObjectReference{referenceTo(KindTeam, team)},
	})
}

// teamSource is a team whose members get what another one is granted, and the chain between the two.
type teamSource struct {
	team *v1alpha1.Team
	via  []ObjectReference
}

// teamSources are a team and all teams below it, sorted by name within each level.
func (e *evaluation) teamSources(organization string, team *v1alpha1.Team) []teamSource {
	children := e.childTeams(organization)
	sources := []teamSource{{team: team, via: []ObjectReference{referenceTo(KindTeam, team)}}}
	for next := 0; next < len(sources); next++ {
		above := sources[next]
		for _, child := range children[above.team.Name] {
			via := append(slices.Clone(above.via), referenceTo(KindTeam, child))
			sources = append(sources, teamSource{team: child, via: via})
		}
	}
	return sources
}

// childTeams are the teams of an organization by their parent. Teams on a cycle have no parent here, so that their
// members gain nothing by it.
func (e *evaluation) childTeams(organization string) map[string][]*v1alpha1.Team {
	if children, known := e.children[organization]; known {
		return children
	}
	teams := e.index.teams[organization]
	children := map[string][]*v1alpha1.Team{}
	for _, name := range sortedKeys(teams) {
		parent := string(teams[name].Spec.Parent)
		if teams[parent] != nil && !onTeamCycle(teams, teams[name]) {
			children[parent] = append(children[parent], teams[name])
		}
	}
	e.children[organization] = children
	return children
}

func onTeamCycle(teams map[string]*v1alpha1.Team, team *v1alpha1.Team) bool {
	seen := sets.New[string]()
	for at := teams[string(team.Spec.Parent)]; at != nil && !seen.Has(at.Name); at = teams[string(at.Spec.Parent)] {
		if at == team {
			return true
		}
		seen.Insert(at.Name)
	}
	return false
}

func (e *evaluation) teamParentProblems(team *v1alpha1.Team) []Problem {
	teams := e.index.teams[e.lineage[0].Name]
	switch {
	case team.Spec.Parent == "":
		return nil
	case teams[string(team.Spec.Parent)] == nil:
		return []Problem{{
			Reason: ReasonParentNotFound,
			Message: fmt.Sprintf("no team %q in this organization; make it or take it out of spec.parent",
				team.Spec.Parent),
		}}
	case onTeamCycle(teams, team):
		return []Problem{{
			Reason: ReasonParentCycle, Terminal: true,
			Message: fmt.Sprintf("following spec.parent from team %q leads back to this team, so its parent doesn't count; "+
				"take spec.parent out of one of the teams", team.Spec.Parent),
		}}
	}
	return nil
}

func groupNotAllowed(group string) Problem {
	return Problem{
		Reason: ReasonGroupNotAllowed, Terminal: true,
		Message: fmt.Sprintf("group %q gets nothing here: the organization or one above requires a second factor, which "+
			"can't be checked for a group; list the users instead", group),
	}
}

// actingMembers are those of some usernames who are members whom nothing holds back, sorted and once each.
func (e *evaluation) actingMembers(usernames []v1alpha1.Username) []string {
	users := make([]string, 0, len(usernames))
	for _, username := range usernames {
		if e.mayAct(string(username)) {
			users = append(users, string(username))
		}
	}
	slices.Sort(users)
	return slices.Compact(users)
}

// notMembers are those of some usernames who aren't members of the organization, sorted and once each.
func (e *evaluation) notMembers(usernames []v1alpha1.Username) []string {
	var missing []string
	for _, username := range usernames {
		if !e.placeHere(string(username)).member {
			missing = append(missing, string(username))
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

func userSubjects(users []string) []rbacv1.Subject {
	subjects := make([]rbacv1.Subject, 0, len(users)+1)
	for _, user := range users {
		subjects = append(subjects, userSubject(user))
	}
	return subjects
}

func sortedKeys[V any](values map[string]V) []string {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
