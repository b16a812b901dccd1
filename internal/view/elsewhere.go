package view

import (
	"context"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/members"
	"github.com/roster-dev/roster/internal/snapshot"
)

// elsewhere is what a user holds in organizations that let in teams which list them, in the given organizations.
func (a *Answers) elsewhere(
	ctx context.Context, username string, organizations sets.Set[string],
) ([]selfv1alpha1.ProfileGrant, error) {
	hosts := sets.New[string]()
	for organization := range organizations {
		if err := a.addHosts(ctx, organization, username, hosts); err != nil {
			return nil, err
		}
	}
	var found []selfv1alpha1.ProfileGrant
	for _, host := range sets.List(hosts) {
		answer, err := a.of(ctx, host)
		if err != nil {
			return nil, err
		}
		found = append(found, answer.asGuest(username)...)
	}
	return found, nil
}

// addHosts adds the organizations that let in a team of an organization which lists the user, or a team above it, and all
// below them where they let it in everywhere.
func (a *Answers) addHosts(ctx context.Context, organization, username string, hosts sets.Set[string]) error {
	// Few organizations have a team that is let in anywhere.
	letIn, err := snapshot.LettingIn(ctx, a.reader, organization)
	if err != nil || len(letIn) == 0 {
		return err
	}
	teams, err := a.teamsAbove(ctx, organization, username)
	if err != nil {
		return err
	}
	for team := range teams {
		bindings, err := snapshot.LettingIn(ctx, a.reader, snapshot.ExternalTeam(organization, team))
		if err != nil {
			return err
		}
		for _, binding := range bindings {
			host, ok := v1alpha1.OrganizationOf(binding.Namespace)
			if !ok || hosts.Has(host) && !binding.Spec.OrganizationWide {
				continue
			}
			hosts.Insert(host)
			if !binding.Spec.OrganizationWide {
				continue
			}
			below, err := snapshot.Descendants(ctx, a.reader, host)
			if err != nil {
				return err
			}
			hosts.Insert(below...)
		}
	}
	return nil
}

// teamsAbove are the teams of an organization that list a user, and those above these.
func (a *Answers) teamsAbove(ctx context.Context, organization, username string) (sets.Set[string], error) {
	var list v1alpha1.TeamList
	namespace := client.InNamespace(v1alpha1.OrganizationNamespace(organization))
	if err := a.reader.List(ctx, &list, namespace, snapshot.Shared); err != nil {
		return nil, err
	}
	parents, found := map[string]string{}, sets.New[string]()
	for i := range list.Items {
		parents[list.Items[i].Name] = string(list.Items[i].Spec.Parent)
	}
	for i := range list.Items {
		if !slices.Contains(list.Items[i].Spec.Members, v1alpha1.Username(username)) {
			continue
		}
		for at := list.Items[i].Name; at != "" && !found.Has(at); at = parents[at] {
			found.Insert(at)
		}
	}
	return found, nil
}

// asGuest is what a user holds by a team of another organization.
func (a *answer) asGuest(username string) []selfv1alpha1.ProfileGrant {
	if a.result.Lineage == nil {
		return nil
	}
	self, table := a.result.Lineage.Organizations[0], a.grants()
	var found []selfv1alpha1.ProfileGrant
	for _, i := range table.held[holderKey(rbacv1.Subject{Kind: rbacv1.UserKind, Name: username})] {
		grant := &table.grants[i]
		if !isOfGuest(grant.Grant) {
			continue
		}
		held := selfv1alpha1.ProfileGrant{
			Organization: self.Name, DisplayName: self.Spec.DisplayName, Role: grant.Role.Name, ExpiresAt: members.Instant(grant.Until),
		}
		if grant.inOrganization {
			held.Namespaces = append(held.Namespaces, a.result.Namespace)
		}
		if grant.inProjects {
			held.Namespaces = append(held.Namespaces, grant.Scope.Namespaces...)
		}
		for _, object := range grant.Via {
			held.Via = append(held.Via, viewv1alpha1.Object{Kind: object.Kind, Namespace: object.Namespace, Name: object.Name})
		}
		found = append(found, held)
	}
	return found
}

// isOfGuest says whether a RoleBinding lets in a team of another organization by it.
func isOfGuest(grant *access.Grant) bool {
	return len(grant.Via) > 1 && slices.ContainsFunc(grant.Via, func(object access.ObjectReference) bool {
		return object.Kind == access.KindTeam && object.Namespace != grant.Via[0].Namespace
	})
}
