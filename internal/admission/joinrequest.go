package admission

import (
	"fmt"
	"reflect"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/authority"
	"github.com/roster-dev/roster/internal/snapshot"
)

// examineJoinRequest looks at a request when it is made, and at what it gives when it is approved. Policies say who may do
// either; by then they have.
func (r *review) examineJoinRequest(before, after *v1alpha1.JoinRequest) error {
	if after == nil {
		return nil
	}
	if before == nil {
		if err := r.checkJoinRequest(after); err != nil {
			return err
		}
	}
	r.demandGranted(before, after)
	isApproved := before != nil && before.Spec.Decision == v1alpha1.JoinApproved
	if after.Spec.Decision == v1alpha1.JoinApproved && !isApproved {
		return r.checkApproval(after)
	}
	return nil
}

func (r *review) checkJoinRequest(request *v1alpha1.JoinRequest) error {
	for _, check := range []func(*v1alpha1.JoinRequest) error{
		r.refuseClosed, r.refuseRelated, r.checkAskingTeam, r.checkAskedRole, r.refuseRepeated,
	} {
		if err := check(request); err != nil {
			return err
		}
	}
	return nil
}

// refuseClosed refuses requests to organizations that don't take any, or aren't there.
func (r *review) refuseClosed(*v1alpha1.JoinRequest) error {
	inUse, err := r.organizationInUse(r.organization)
	if err != nil {
		return err
	}
	if !inUse {
		return invalid(ruleJoinUnknown, "metadata.namespace: there is no organization %q to ask; correct the namespace "+
			"org-NAME", r.organization)
	}
	// Who has only just closed it means now.
	organization := &v1alpha1.Organization{}
	if err := r.Live.Get(r.ctx, client.ObjectKey{Name: r.organization}, organization); err != nil {
		return err
	}
	if organization.Spec.JoinRequests == v1alpha1.JoinRequestsClosed {
		return forbidden(ruleJoinClosed, "organization %s takes no join requests (its spec.joinRequests is Closed); ask one of "+
			"its owners to open them", r.organization)
	}
	return nil
}

// refuseRelated refuses requests within one tree, where members inherit or are made members.
func (r *review) refuseRelated(request *v1alpha1.JoinRequest) error {
	other := request.Spec.Team.Organization
	if other == r.organization {
		return invalid(ruleJoinRelated, "spec.team.organization: team %q is of organization %s itself; give it access by the "+
			"Team or a RoleBinding", request.Spec.Team.Name, other)
	}
	for _, line := range [][2]string{{r.organization, other}, {other, r.organization}} {
		above, err := snapshot.Ancestors(r.ctx, r.Cached, line[0])
		if err != nil {
			return err
		}
		if slices.Contains(above, line[1]) {
			return invalid(ruleJoinRelated, "spec.team.organization: organization %s is below %s; make the people of the team "+
				"members of %s instead, by Memberships", line[0], line[1], r.organization)
		}
	}
	return nil
}

// checkAskingTeam refuses a team that isn't there.
func (r *review) checkAskingTeam(request *v1alpha1.JoinRequest) error {
	asking := request.Spec.Team
	inUse, err := r.organizationInUse(asking.Organization)
	if err != nil {
		return err
	}
	team := &v1alpha1.Team{}
	key := client.ObjectKey{Namespace: v1alpha1.OrganizationNamespace(asking.Organization), Name: string(asking.Name)}
	err = r.Live.Get(r.ctx, key, team)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	isSame := request.Status.TeamUID == "" || request.Status.TeamUID == string(team.UID)
	if !inUse || err != nil || team.DeletionTimestamp != nil || !isSame {
		return invalid(ruleJoinUnknown, "spec.team: there is no team %q in organization %q, or no longer; correct the names, or "+
			"delete the JoinRequest", asking.Name, asking.Organization)
	}
	return nil
}

// checkAskedRole refuses a role that isn't there. Projects aren't looked at before somebody approves, so that nobody finds
// out by asking which ones there are.
func (r *review) checkAskedRole(request *v1alpha1.JoinRequest) error {
	if err := r.missingRoles(request.Spec.Role); err != nil {
		return err
	}
	if len(r.dangling) > 0 {
		return invalid(ruleJoinUnknown, "spec.role: there is no role %q in organization %s; ask for another one, such as viewer",
			request.Spec.Role, r.organization)
	}
	return nil
}

// refuseRepeated refuses a second request of a team that waits already. The API server knows what was only just made.
func (r *review) refuseRepeated(request *v1alpha1.JoinRequest) error {
	asking := request.Spec.Team
	var list v1alpha1.JoinRequestList
	selected := client.MatchingFields{snapshot.JoinRequestsByTeam: asking.Organization}
	if err := r.Live.List(r.ctx, &list, selected); err != nil {
		return err
	}
	for i := range list.Items {
		other := &list.Items[i]
		if other.IsPending() && other.Namespace == request.Namespace && other.Spec.Team == asking {
			return invalid(ruleJoinDuplicate, "spec.team: team %q of organization %s has asked already and waits for a decision: "+
				"join request %s; delete that one to ask for something else", asking.Name, asking.Organization, other.Name)
		}
	}
	return nil
}

// demandGranted asks for the right to give what is granted: by whoever says what that is, and by whoever approves it. The
// other organization decides who is in the team.
func (r *review) demandGranted(before, after *v1alpha1.JoinRequest) {
	demand := authority.Demand{
		Role: after.GrantedRole(), Everywhere: len(after.GrantedProjects()) == 0, Instead: "grant less in spec.granted",
	}
	previous := &v1alpha1.JoinRequest{}
	if before != nil {
		previous = before
	}
	switch {
	case after.Spec.Decision == v1alpha1.JoinApproved && previous.Spec.Decision != v1alpha1.JoinApproved:
		demand.Field = "spec.decision"
		demand.Change = fmt.Sprintf("approving team %q of organization %s", after.Spec.Team.Name, after.Spec.Team.Organization)
	case after.Spec.Granted != nil && !reflect.DeepEqual(previous.Spec.Granted, after.Spec.Granted):
		demand.Field, demand.Change = "spec.granted", "granting it"
	default:
		return
	}
	r.demandHere([]authority.Demand{demand})
}

// checkApproval refuses to let in a team, to give a role, or to grant projects, that aren't there.
func (r *review) checkApproval(request *v1alpha1.JoinRequest) error {
	if err := r.checkAskingTeam(request); err != nil {
		return err
	}
	if err := r.missingRoles(request.GrantedRole()); err != nil {
		return err
	}
	if err := r.missingProjects(request.GrantedProjects()); err != nil {
		return err
	}
	return nil
}
