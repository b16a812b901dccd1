package admission

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/snapshot"
)

// examineUser keeps organizations from losing the last owner who may act, and what refers to a User from losing it.
func (r *review) examineUser(before, after *v1alpha1.User) error {
	switch {
	case after == nil:
		return r.refuseReferred(before)
	case before == nil:
		if err := r.refuseSecondUser(after); err != nil || !after.Spec.Deactivated {
			return err
		}
		return r.refuseLastOwner(after)
	case after.Spec.Deactivated && !before.Spec.Deactivated:
		return r.refuseLastOwner(after)
	}
	return nil
}

// refuseSecondUser: of two Users with one username the stricter would count.
func (r *review) refuseSecondUser(user *v1alpha1.User) error {
	users, err := r.usersOf(user.Spec.Username)
	if err != nil {
		return err
	}
	for _, other := range users {
		if other.Name != user.Name {
			return invalid(ruleDuplicateUser,
				"spec.username: %q is the username of User %q already; change that one", user.Spec.Username, other.Name)
		}
	}
	return nil
}

func (r *review) usersOf(username v1alpha1.Username) ([]v1alpha1.User, error) {
	var users v1alpha1.UserList
	fields := client.MatchingFields{snapshot.UsersByUsername: string(username)}
	err := r.Cached.List(r.ctx, &users, fields, snapshot.Shared)
	return users.Items, err
}

// refuseReferred: a User who has a place somewhere is deactivated, not deleted. Of two with one username one may go.
func (r *review) refuseReferred(user *v1alpha1.User) error {
	users, err := r.usersOf(user.Spec.Username)
	if err != nil || len(users) > 1 {
		return err
	}
	memberships, err := snapshot.MembershipsOf(r.ctx, r.Cached, string(user.Spec.Username))
	if err != nil {
		return err
	}
	owned, err := snapshot.Owned(r.ctx, r.Cached, string(user.Spec.Username))
	if err != nil {
		return err
	}
	var places []string
	for _, membership := range memberships {
		places = append(places, fmt.Sprintf("Membership %s/%s", membership.Namespace, membership.Name))
	}
	for _, organization := range owned {
		places = append(places, "Organization "+organization.Name)
	}
	holding, err := snapshot.HoldingRemovalOf(r.ctx, r.Cached, user.Spec.Username)
	if err != nil {
		return err
	}
	for _, organization := range holding {
		places = append(places, fmt.Sprintf("Organization %s, which holds the user's removal", organization.Name))
	}
	if len(places) == 0 {
		return nil
	}
	return invalid(ruleUserReferredTo,
		"user %q is referred to by %s; set spec.deactivated instead, which takes all access, or delete those first",
		user.Spec.Username, access.Enumerate(places))
}

// refuseLastOwner: somebody must be able to act for each organization.
func (r *review) refuseLastOwner(user *v1alpha1.User) error {
	owned, err := snapshot.Owned(r.ctx, r.Cached, string(user.Spec.Username))
	if err != nil {
		return err
	}
	var last []string
	for _, organization := range owned {
		if organization.IsPersonal() || organization.DeletionTimestamp != nil {
			continue
		}
		world, err := snapshot.LoadRoles(r.ctx, r.Cached, organization.Name)
		if err != nil {
			return err
		}
		available, err := r.availableOwners(organization, world.RequiringMFA(organization.Name) != "")
		if err != nil {
			return err
		}
		if slices.Equal(available, []v1alpha1.Username{user.Spec.Username}) {
			last = append(last, organization.Name)
		}
	}
	if len(last) == 0 {
		return nil
	}
	return invalid(ruleLastOwner,
		"spec.deactivated: %q is the last owner who may act for %s; name another owner there first", user.Spec.Username,
		strings.Join(last, ", "))
}

// availableOwners are the owners of an organization who may act.
func (r *review) availableOwners(organization *v1alpha1.Organization, requireMFA bool) ([]v1alpha1.Username, error) {
	var available []v1alpha1.Username
	for _, owner := range organization.Spec.Owners {
		users, err := r.usersOf(owner)
		if err != nil {
			return nil, err
		}
		deactivated, enrolled := false, len(users) > 0
		for i := range users {
			deactivated = deactivated || users[i].Spec.Deactivated
			enrolled = enrolled && users[i].Spec.MFA.Enrolled
		}
		if !deactivated && (enrolled || !requireMFA) {
			available = append(available, owner)
		}
	}
	return available, nil
}
