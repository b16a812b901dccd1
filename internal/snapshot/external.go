package snapshot

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// externalTeams reads what tells who is in the teams of other organizations that the RoleBindings let in: those
// organizations with their ancestors, their teams, and the Memberships of those whom the teams list.
func (l *loader) externalTeams() {
	own := slices.Clone(l.path)
	teams := sets.New[client.ObjectKey]()
	for _, binding := range l.world.RoleBindings {
		for _, subject := range binding.Spec.Subjects {
			if subject.IsExternal() {
				teams.Insert(client.ObjectKey{Namespace: v1alpha1.OrganizationNamespace(subject.Organization), Name: subject.Name})
			}
		}
	}
	namespaces := sets.New[string]()
	for team := range teams {
		namespaces.Insert(team.Namespace)
	}
	for _, namespace := range sets.List(namespaces) {
		l.externalOrganization(namespace, own)
	}
	l.externalMemberships(namespaces, teams, own)
	l.path = own
}

// externalOrganization reads an organization with its ancestors, and its teams, as far as they aren't known already.
func (l *loader) externalOrganization(namespace string, own []string) {
	organization, _ := v1alpha1.OrganizationOf(namespace)
	if !slices.Contains(own, organization) {
		l.teams(namespace)
	}
	before := len(l.path)
	for name := organization; name != "" && !slices.Contains(l.path, name); {
		object := &v1alpha1.Organization{}
		if !l.get(name, object) {
			break
		}
		l.path = append(l.path, name)
		isKnown := func(known *v1alpha1.Organization) bool { return known.Name == name }
		if !slices.ContainsFunc(l.world.Organizations, isKnown) {
			l.world.Organizations = append(l.world.Organizations, object)
		}
		name = object.Spec.Parent
	}
	for _, added := range l.path[before:] {
		l.namespace(v1alpha1.OrganizationNamespace(added))
	}
}

// externalMemberships reads the Memberships, in the organizations that were added, of those who are in the teams. Of a large
// organization that has one small team let in, no more is read than that team.
func (l *loader) externalMemberships(namespaces sets.Set[string], teams sets.Set[client.ObjectKey], own []string) {
	added := sets.New[string]()
	for _, organization := range l.path[len(own):] {
		added.Insert(v1alpha1.OrganizationNamespace(organization))
	}
	if added.Len() == 0 {
		return
	}
	byKey := map[client.ObjectKey]*v1alpha1.Team{}
	for _, team := range l.world.Teams {
		byKey[client.ObjectKeyFromObject(team)] = team
	}
	users := sets.New[string]()
	for _, team := range l.world.Teams {
		if namespaces.Has(team.Namespace) && belongs(byKey, team, teams) {
			for _, member := range team.Spec.Members {
				users.Insert(string(member))
			}
		}
	}
	for user := range users {
		var memberships v1alpha1.MembershipList
		l.list(&memberships, client.MatchingFields{MembershipsByUser: user})
		for i := range memberships.Items {
			if added.Has(memberships.Items[i].Namespace) {
				l.world.Memberships = append(l.world.Memberships, &memberships.Items[i])
			}
		}
	}
}

// belongs says whether a team is one of those that are named, or below one of them.
func belongs(all map[client.ObjectKey]*v1alpha1.Team, team *v1alpha1.Team, named sets.Set[client.ObjectKey]) bool {
	seen := sets.New[string]()
	for at := team; at != nil && !seen.Has(at.Name); {
		if named.Has(client.ObjectKeyFromObject(at)) {
			return true
		}
		seen.Insert(at.Name)
		at = all[client.ObjectKey{Namespace: team.Namespace, Name: string(at.Spec.Parent)}]
	}
	return false
}

// LettingIn are the RoleBindings that let in a team, given as ORGANIZATION/TEAM, or any team of an organization. They belong
// to the cache and must not be changed.
func LettingIn(ctx context.Context, reader client.Reader, team string) ([]*v1alpha1.RoleBinding, error) {
	var list v1alpha1.RoleBindingList
	if err := reader.List(ctx, &list, client.MatchingFields{RoleBindingsByExternalTeam: team}, Shared); err != nil {
		return nil, fmt.Errorf("list the RoleBindings that let %s in: %w", team, err)
	}
	return Pointers(list.Items), nil
}

// JoinRequestsOf are the JoinRequests of a team, given as ORGANIZATION/TEAM, or of all teams of an organization. They belong
// to the cache and must not be changed.
func JoinRequestsOf(ctx context.Context, reader client.Reader, team string) ([]*v1alpha1.JoinRequest, error) {
	var list v1alpha1.JoinRequestList
	if err := reader.List(ctx, &list, client.MatchingFields{JoinRequestsByTeam: team}, Shared); err != nil {
		return nil, fmt.Errorf("list the JoinRequests of %s: %w", team, err)
	}
	return Pointers(list.Items), nil
}
