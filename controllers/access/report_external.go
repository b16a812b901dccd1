package access

import (
	"cmp"
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/snapshot"
)

// outside is what an organization has to do with others: which of them let its teams in, and which requests wait.
type outside struct {
	// access and pending are by team of this organization.
	access  map[string][]v1alpha1.ExternalAccess
	pending map[string][]string
	// asked counts the requests to this organization that wait for a decision.
	asked int32
}

// lookOutside reads it, by one look-up for all teams.
func (s *organizationSync) lookOutside(ctx context.Context) error {
	organization := s.result.Organization
	s.outside = outside{access: map[string][]v1alpha1.ExternalAccess{}, pending: map[string][]string{}}
	bindings, err := snapshot.LettingIn(ctx, s.Client, organization)
	if err != nil {
		return err
	}
	for _, binding := range bindings {
		s.outside.addAccess(organization, binding)
	}
	filed, err := snapshot.JoinRequestsOf(ctx, s.Client, organization)
	if err != nil {
		return err
	}
	for _, request := range filed {
		if asked, ok := v1alpha1.OrganizationOf(request.Namespace); ok && request.IsPending() {
			team := string(request.Spec.Team.Name)
			s.outside.pending[team] = append(s.outside.pending[team], asked)
		}
	}
	var received v1alpha1.JoinRequestList
	namespace := client.InNamespace(v1alpha1.OrganizationNamespace(organization))
	if err := s.List(ctx, &received, namespace, snapshot.Shared); err != nil {
		return err
	}
	for i := range received.Items {
		if received.Items[i].IsPending() {
			s.outside.asked++
		}
	}
	return nil
}

func (o *outside) addAccess(organization string, binding *v1alpha1.RoleBinding) {
	host, ok := v1alpha1.OrganizationOf(binding.Namespace)
	if !ok || binding.DeletionTimestamp != nil {
		return
	}
	for _, subject := range binding.Spec.Subjects {
		if subject.IsExternal() && subject.Organization == organization {
			o.access[subject.Name] = append(o.access[subject.Name], v1alpha1.ExternalAccess{
				Organization: host, Role: binding.Spec.Role, Projects: binding.Spec.Projects,
			})
		}
	}
}

// reportOutside says of a team where others let it in, and who was asked to.
func (s *organizationSync) reportOutside(team *v1alpha1.Team) {
	access := slices.Clone(s.outside.access[team.Name])
	slices.SortStableFunc(access, func(a, b v1alpha1.ExternalAccess) int {
		return cmp.Or(cmp.Compare(a.Organization, b.Organization), cmp.Compare(a.Role, b.Role),
			slices.Compare(a.Projects, b.Projects))
	})
	pending := slices.Sorted(slices.Values(s.outside.pending[team.Name]))
	team.Status.ExternalAccess = access[:min(len(access), v1alpha1.MaxExternalAccess)]
	team.Status.PendingJoinRequests = pending[:min(len(pending), v1alpha1.MaxExternalAccess)]
}

// isLetIn says whether another organization's RoleBinding still stands for a team. The one of that uid: another team of the
// name gets nothing by it. One that is being deleted stands until Roster's finalizer is off, which is when its access is
// gone: whatever else holds it up in the other organization doesn't hold up this one.
func (s *organizationSync) isLetIn(ctx context.Context, object client.Object) (bool, error) {
	team, isTeam := object.(*v1alpha1.Team)
	if !isTeam {
		return false, nil
	}
	bindings, err := snapshot.LettingIn(ctx, s.Client, snapshot.ExternalTeam(s.result.Organization, team.Name))
	names := func(subject v1alpha1.Subject) bool {
		return subject.Organization == s.result.Organization && subject.UID == string(team.UID)
	}
	return slices.ContainsFunc(bindings, func(binding *v1alpha1.RoleBinding) bool {
		stands := binding.DeletionTimestamp == nil || controllerutil.ContainsFinalizer(binding, v1alpha1.Finalizer)
		return stands && slices.ContainsFunc(binding.Spec.Subjects, names)
	}), err
}
