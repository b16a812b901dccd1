package access

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/snapshot"
)

// A host is an organization that lets in a team of another one. What changes who is in the team changes what it grants.

// withHosts are some organizations, and the hosts of their teams with all below those.
func (r *Reconciler) withHosts(ctx context.Context, organizations []string) ([]string, error) {
	hosts, err := r.hosts(ctx, organizations)
	return append(organizations, hosts...), err
}

// hosts are those of some teams, given as ORGANIZATION/TEAM, or of all teams of an organization, and all below them.
func (r *Reconciler) hosts(ctx context.Context, teams []string) ([]string, error) {
	found := sets.New[string]()
	for _, team := range teams {
		bindings, err := snapshot.LettingIn(ctx, r.Client, team)
		if err != nil {
			return nil, err
		}
		for _, binding := range bindings {
			host, ok := v1alpha1.OrganizationOf(binding.Namespace)
			if !ok || found.Has(host) {
				continue
			}
			below, err := r.withDescendants(ctx, host)
			if err != nil {
				return nil, err
			}
			found.Insert(below...)
		}
	}
	return found.UnsortedList(), nil
}

// teamChanged: what the team gives holds in its organization and below, and with the hosts of it and of the teams above it,
// which it gets what they get from.
func (r *Reconciler) teamChanged(ctx context.Context, object client.Object) ([]string, error) {
	organizations, err := r.reachingDown(ctx, object)
	if err != nil {
		return nil, err
	}
	team := object.(*v1alpha1.Team)
	organization, _ := v1alpha1.OrganizationOf(team.Namespace)
	var teams []string
	for at := team; at != nil && !slices.Contains(teams, snapshot.ExternalTeam(organization, at.Name)); {
		teams = append(teams, snapshot.ExternalTeam(organization, at.Name))
		if at.Spec.Parent == "" {
			break
		}
		above := &v1alpha1.Team{}
		key := client.ObjectKey{Namespace: team.Namespace, Name: string(at.Spec.Parent)}
		if err := r.Get(ctx, key, above, snapshot.Shared); err != nil {
			// A team that isn't there passes nothing on.
			break
		}
		at = above
	}
	hosts, err := r.hosts(ctx, teams)
	return append(organizations, hosts...), err
}

// membershipChanged: who is a member in an organization may act in its teams and those below it, and so with their hosts.
func (r *Reconciler) membershipChanged(ctx context.Context, object client.Object) ([]string, error) {
	organizations, err := r.reachingDown(ctx, object)
	if err != nil {
		return nil, err
	}
	user := object.(*v1alpha1.Membership).Spec.User
	affected := organizations
	for _, organization := range organizations {
		lists, err := r.letInTeamLists(ctx, organization, user)
		if err != nil {
			return nil, err
		}
		if !lists {
			continue
		}
		hosts, err := r.hosts(ctx, []string{organization})
		if err != nil {
			return nil, err
		}
		affected = append(affected, hosts...)
	}
	return affected, nil
}

// letInTeamLists says whether some team of an organization lists a user, where any of its teams is let in anywhere. Few
// organizations have such teams, and few of their members are in one.
func (r *Reconciler) letInTeamLists(ctx context.Context, organization string, user v1alpha1.Username) (bool, error) {
	bindings, err := snapshot.LettingIn(ctx, r.Client, organization)
	if err != nil || len(bindings) == 0 {
		return false, err
	}
	var teams v1alpha1.TeamList
	namespace := client.InNamespace(v1alpha1.OrganizationNamespace(organization))
	if err := r.List(ctx, &teams, namespace, snapshot.Shared); err != nil {
		return false, err
	}
	return slices.ContainsFunc(teams.Items, func(team v1alpha1.Team) bool {
		return slices.Contains(team.Spec.Members, user)
	}), nil
}

// roleBindingChanged: besides where it holds, the organizations whose teams it lets in say so of their teams.
func (r *Reconciler) roleBindingChanged(ctx context.Context, object client.Object) ([]string, error) {
	organizations, err := r.reachingDown(ctx, object)
	for _, subject := range object.(*v1alpha1.RoleBinding).Spec.Subjects {
		if subject.IsExternal() {
			organizations = append(organizations, subject.Organization)
		}
	}
	return organizations, err
}

// released lets through RoleBindings that Roster has let go and somebody else's finalizer keeps: a team that one of them let
// in may go now. Where nobody keeps them, that they are gone says so.
func released() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(change event.UpdateEvent) bool {
			return controllerutil.ContainsFinalizer(change.ObjectOld, v1alpha1.Finalizer) &&
				!controllerutil.ContainsFinalizer(change.ObjectNew, v1alpha1.Finalizer)
		},
	}
}

// joinRequestChanged: the organization that is asked counts what is pending, and the one that asks says it of its team.
func (r *Reconciler) joinRequestChanged(_ context.Context, object client.Object) ([]string, error) {
	organizations := []string{object.(*v1alpha1.JoinRequest).Spec.Team.Organization}
	if asked, ok := v1alpha1.OrganizationOf(object.GetNamespace()); ok {
		organizations = append(organizations, asked)
	}
	return organizations, nil
}

// decisionChanged lets through JoinRequests that come and go and those that no longer wait.
func decisionChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(change event.UpdateEvent) bool {
		before, after := change.ObjectOld.(*v1alpha1.JoinRequest), change.ObjectNew.(*v1alpha1.JoinRequest)
		return before.IsPending() != after.IsPending()
	}}
}
