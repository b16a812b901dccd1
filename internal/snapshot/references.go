package snapshot

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// IsReferredTo says whether a user who has no Membership and owns nothing is named all the same: by a Team, a RoleBinding, an
// APIToken, a JoinRequest, or a removal that is held. It looks through all lists of names, so it is for rare questions.
func IsReferredTo(ctx context.Context, reader client.Reader, username v1alpha1.Username) (bool, error) {
	for _, names := range []func(context.Context, client.Reader, v1alpha1.Username) (bool, error){
		holdingNames, tokensName, teamsName, roleBindingsName, joinRequestsName,
	} {
		if named, err := names(ctx, reader, username); named || err != nil {
			return named, err
		}
	}
	return false, nil
}

// HoldingRemovalOf are the organizations that hold a user's removal. They belong to the cache and must not be changed.
func HoldingRemovalOf(
	ctx context.Context, reader client.Reader, username v1alpha1.Username,
) ([]*v1alpha1.Organization, error) {
	var list v1alpha1.OrganizationList
	if err := reader.List(ctx, &list, client.MatchingFields{OrganizationsByHeldUser: string(username)}, Shared); err != nil {
		return nil, fmt.Errorf("list the organizations that hold the removal of %s: %w", username, err)
	}
	return Pointers(list.Items), nil
}

func holdingNames(ctx context.Context, reader client.Reader, username v1alpha1.Username) (bool, error) {
	for _, name := range []v1alpha1.Username{username, heldUnlisted} {
		if holding, err := HoldingRemovalOf(ctx, reader, name); len(holding) > 0 || err != nil {
			return true, err
		}
	}
	return false, nil
}

func tokensName(ctx context.Context, reader client.Reader, username v1alpha1.Username) (bool, error) {
	tokens, err := APITokensOf(ctx, reader, string(username))
	return len(tokens) > 0, err
}

func teamsName(ctx context.Context, reader client.Reader, username v1alpha1.Username) (bool, error) {
	var list v1alpha1.TeamList
	if err := reader.List(ctx, &list, Shared); err != nil {
		return false, fmt.Errorf("list the Teams that name %s: %w", username, err)
	}
	return slices.ContainsFunc(list.Items, func(team v1alpha1.Team) bool {
		return slices.Contains(team.Spec.Members, username) || slices.Contains(team.Spec.Maintainers, username)
	}), nil
}

func roleBindingsName(ctx context.Context, reader client.Reader, username v1alpha1.Username) (bool, error) {
	var list v1alpha1.RoleBindingList
	if err := reader.List(ctx, &list, Shared); err != nil {
		return false, fmt.Errorf("list the RoleBindings that name %s: %w", username, err)
	}
	isUser := func(subject v1alpha1.Subject) bool {
		return subject.Kind == v1alpha1.SubjectUser && subject.Name == string(username)
	}
	return slices.ContainsFunc(list.Items, func(binding v1alpha1.RoleBinding) bool {
		return slices.ContainsFunc(binding.Spec.Subjects, isUser)
	}), nil
}

func joinRequestsName(ctx context.Context, reader client.Reader, username v1alpha1.Username) (bool, error) {
	var list v1alpha1.JoinRequestList
	if err := reader.List(ctx, &list, Shared); err != nil {
		return false, fmt.Errorf("list the JoinRequests that name %s: %w", username, err)
	}
	return slices.ContainsFunc(list.Items, func(request v1alpha1.JoinRequest) bool {
		return request.Spec.RequestedBy == string(username) || request.Status.DecidedBy == string(username)
	}), nil
}
