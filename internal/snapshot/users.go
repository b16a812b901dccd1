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
// all of it: their own Memberships, and Teams and RoleBindings without anybody else. Namespaces of projects are left out.
func LoadUsers(
	ctx context.Context, reader client.Reader, organization string, users sets.Set[string],
) (access.World, error) {
	load := &loader{ctx: ctx, reader: reader}
	load.lineage(organization)
	load.children(organization)
	for _, organization := range load.path {
		namespace := v1alpha1.OrganizationNamespace(organization)
		load.namespace(namespace)
		load.teams(namespace)
		load.roles(namespace)
		load.roleBindings(namespace)
	}
	load.roles(v1alpha1.SystemNamespace)
	var projects v1alpha1.ProjectList
	load.list(&projects, client.InNamespace(v1alpha1.OrganizationNamespace(organization)))
	load.world.Projects = pointers(projects.Items)
	for user := range users {
		var memberships v1alpha1.MembershipList
		load.list(&memberships, client.MatchingFields{MembershipsByUser: user})
		load.world.Memberships = append(load.world.Memberships, pointers(memberships.Items)...)
	}
	for i, team := range load.world.Teams {
		load.world.Teams[i] = teamOf(team, users)
	}
	for i, binding := range load.world.RoleBindings {
		load.world.RoleBindings[i] = bindingOf(binding, users)
	}
	return load.world, load.err
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

// bindingOf is a RoleBinding for some users, and for teams, alone.
func bindingOf(binding *v1alpha1.RoleBinding, users sets.Set[string]) *v1alpha1.RoleBinding {
	concerns := func(subject v1alpha1.Subject) bool {
		return subject.Kind == v1alpha1.SubjectTeam || subject.Kind == v1alpha1.SubjectUser && users.Has(subject.Name)
	}
	narrowed := *binding
	narrowed.Spec.Subjects = slices.DeleteFunc(slices.Clone(binding.Spec.Subjects),
		func(subject v1alpha1.Subject) bool { return !concerns(subject) })
	return &narrowed
}
