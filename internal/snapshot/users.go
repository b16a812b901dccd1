package snapshot

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// LoadUsers reads what the engine needs to say what some users are granted in one organization, which is much less than
// all of it: their own Memberships, and Teams and RoleBindings without anybody else. Namespaces of projects are left out,
// and teams of other organizations: what those give isn't for a Membership here to give.
func LoadUsers(
	ctx context.Context, reader client.Reader, organization string, users sets.Set[string],
) (access.World, error) {
	load := &loader{ctx: ctx, reader: reader}
	load.placesOf(organization, users)
	var projects v1alpha1.ProjectList
	load.list(&projects, client.InNamespace(v1alpha1.OrganizationNamespace(organization)))
	load.world.Projects = Pointers(projects.Items)
	load.world.RoleBindings = bindingsOf(load.world.RoleBindings, load.world.Teams, users, keepNoOther)
	return load.world, load.err
}

// LoadToken reads what the engine needs to say what one APIToken gives, which is what its user holds: in the namespaces that
// are there, and by teams of other organizations too.
func LoadToken(ctx context.Context, reader client.Reader, organization string, token *v1alpha1.APIToken) (access.World, error) {
	user := string(token.Spec.User)
	users := sets.New(user)
	load := &loader{ctx: ctx, reader: reader}
	load.placesOf(organization, users)
	load.world.RoleBindings = bindingsOf(load.world.RoleBindings, load.world.Teams, users, v1alpha1.Subject.IsExternal)
	load.externalTeams()
	load.projects(organization)
	var people v1alpha1.UserList
	load.list(&people, client.MatchingFields{UsersByUsername: user})
	load.world.Users, load.world.APITokens = Pointers(people.Items), []*v1alpha1.APIToken{token}
	return load.world, load.err
}

// placesOf reads what places some users in an organization: its lineage with Roles and RoleBindings, their own Memberships,
// and the Teams that list them.
func (l *loader) placesOf(organization string, users sets.Set[string]) {
	l.writtenAbove(organization)
	for user := range users {
		var memberships v1alpha1.MembershipList
		l.list(&memberships, client.MatchingFields{MembershipsByUser: user})
		l.world.Memberships = append(l.world.Memberships, Pointers(memberships.Items)...)
	}
	l.world.Teams = teamsOf(l.world.Teams, users)
}

// keepNoOther leaves out all subjects but the users and their teams.
func keepNoOther(v1alpha1.Subject) bool { return false }

// teamsOf are the teams that list one of the users, with nobody else in them, and all above those.
func teamsOf(teams []*v1alpha1.Team, users sets.Set[string]) []*v1alpha1.Team {
	byKey := map[client.ObjectKey]*v1alpha1.Team{}
	for _, team := range teams {
		byKey[client.ObjectKeyFromObject(team)] = team
	}
	kept := map[client.ObjectKey]bool{}
	for _, team := range teams {
		if !lists(team.Spec.Members, users) && !lists(team.Spec.Maintainers, users) {
			continue
		}
		for at := team; at != nil && !kept[client.ObjectKeyFromObject(at)]; {
			kept[client.ObjectKeyFromObject(at)] = true
			at = byKey[client.ObjectKey{Namespace: at.Namespace, Name: string(at.Spec.Parent)}]
		}
	}
	var result []*v1alpha1.Team
	for _, team := range teams {
		if kept[client.ObjectKeyFromObject(team)] {
			result = append(result, teamOf(team, users))
		}
	}
	return result
}

// few users are compared with each name, which takes a fraction of looking each name up among them.
const few = 4

func lists(usernames []v1alpha1.Username, users sets.Set[string]) bool {
	if len(users) > few {
		return slices.ContainsFunc(usernames, func(username v1alpha1.Username) bool { return users.Has(string(username)) })
	}
	for user := range users {
		if slices.Contains(usernames, v1alpha1.Username(user)) {
			return true
		}
	}
	return false
}

// bindingsOf are the RoleBindings that name one of the users, a team that is left, or another subject to keep, with no other
// subjects.
func bindingsOf(
	bindings []*v1alpha1.RoleBinding, teams []*v1alpha1.Team, users sets.Set[string], keep func(v1alpha1.Subject) bool,
) []*v1alpha1.RoleBinding {
	left := sets.New[client.ObjectKey]()
	for _, team := range teams {
		left.Insert(client.ObjectKeyFromObject(team))
	}
	var result []*v1alpha1.RoleBinding
	for _, binding := range bindings {
		concerns := func(subject v1alpha1.Subject) bool {
			team := client.ObjectKey{Namespace: binding.Namespace, Name: subject.Name}
			return keep(subject) || subject.Kind == v1alpha1.SubjectUser && users.Has(subject.Name) ||
				subject.Kind == v1alpha1.SubjectTeam && !subject.IsExternal() && left.Has(team)
		}
		if !slices.ContainsFunc(binding.Spec.Subjects, concerns) {
			continue
		}
		narrowed := *binding
		narrowed.Spec.Subjects = slices.DeleteFunc(slices.Clone(binding.Spec.Subjects),
			func(subject v1alpha1.Subject) bool { return !concerns(subject) })
		result = append(result, &narrowed)
	}
	return result
}

// teamOf is a team with some users alone.
func teamOf(team *v1alpha1.Team, users sets.Set[string]) *v1alpha1.Team {
	narrowed := *team
	narrowed.Spec.Members = only(team.Spec.Members, users)
	narrowed.Spec.Maintainers = only(team.Spec.Maintainers, users)
	return &narrowed
}

func only(usernames []v1alpha1.Username, users sets.Set[string]) []v1alpha1.Username {
	var found []v1alpha1.Username
	for _, username := range usernames {
		if users.Has(string(username)) {
			found = append(found, username)
		}
	}
	return found
}
