package view

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/members"
	"github.com/roster-dev/roster/internal/snapshot"
	"github.com/roster-dev/roster/internal/text"
)

// profileStorage tells those who ask what is known of themselves.
type profileStorage struct {
	table[selfv1alpha1.Profile]
	answers *Answers
}

var (
	_ rest.Getter               = &profileStorage{}
	_ rest.Scoper               = &profileStorage{}
	_ rest.SingularNameProvider = &profileStorage{}
)

// New is an empty Profile.
func (*profileStorage) New() runtime.Object { return &selfv1alpha1.Profile{} }

// Destroy has nothing to do.
func (*profileStorage) Destroy() {}

// NamespaceScoped says that a Profile spans organizations.
func (*profileStorage) NamespaceScoped() bool { return false }

// GetSingularName is what one is called.
func (*profileStorage) GetSingularName() string { return "profile" }

// Get gives the caller's own Profile, and no other: which one is decided by who asks, never by what is asked for.
func (s *profileStorage) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	if name != selfv1alpha1.ProfileName {
		return nil, apierrors.NewBadRequest(fmt.Sprintf(
			"profile %q: the only name is %s, which is your own", name, selfv1alpha1.ProfileName))
	}
	user, found := request.UserFrom(ctx)
	if !found {
		return nil, apierrors.NewUnauthorized("a profile is somebody's: authenticate")
	}
	return s.answers.profile(ctx, user.GetName())
}

// profile gathers what is known of one user.
func (a *Answers) profile(ctx context.Context, username string) (*selfv1alpha1.Profile, error) {
	now := a.clock.Now()
	profile := &selfv1alpha1.Profile{User: username}
	profile.Name = selfv1alpha1.ProfileName
	memberships, err := snapshot.MembershipsOf(ctx, a.reader, username)
	if err != nil {
		return nil, err
	}
	candidates, err := a.organizationsOf(ctx, username, memberships)
	if err != nil {
		return nil, err
	}
	for _, organization := range sets.List(candidates) {
		place, err := a.placeIn(ctx, organization, username, now)
		if err != nil {
			return nil, err
		}
		if place != nil {
			profile.Organizations = append(profile.Organizations, *place)
		}
	}
	if profile.Elsewhere, err = a.elsewhere(ctx, username, candidates); err != nil {
		return nil, err
	}
	for _, membership := range memberships {
		invitation, err := a.invitation(ctx, membership, now)
		if err != nil {
			return nil, err
		}
		if invitation != nil {
			profile.Invitations = append(profile.Invitations, *invitation)
		}
	}
	slices.SortFunc(profile.Invitations, func(a, b selfv1alpha1.ProfileInvitation) int {
		return cmp.Compare(a.Organization, b.Organization)
	})
	if profile.Tokens, err = a.tokensOf(ctx, username); err != nil {
		return nil, err
	}
	profile.LastSeen, err = a.lastSeen(ctx, username)
	return profile, err
}

// organizationsOf are those where a user may have a place: with a Membership, owned, and all below these.
func (a *Answers) organizationsOf(
	ctx context.Context, username string, memberships []*v1alpha1.Membership,
) (sets.Set[string], error) {
	found := sets.New[string]()
	owned, err := snapshot.Owned(ctx, a.reader, username)
	if err != nil {
		return nil, err
	}
	for _, organization := range owned {
		found.Insert(organization.Name)
	}
	for _, membership := range memberships {
		if organization, ok := v1alpha1.OrganizationOf(membership.Namespace); ok {
			found.Insert(organization)
		}
	}
	for _, organization := range sets.List(found) {
		below, err := snapshot.Descendants(ctx, a.reader, organization)
		if err != nil {
			return nil, err
		}
		found.Insert(below...)
	}
	return found, nil
}

// placeIn is a user's place in an organization, or nil where there is none.
func (a *Answers) placeIn(
	ctx context.Context, name, username string, now time.Time,
) (*selfv1alpha1.ProfileOrganization, error) {
	world, err := snapshot.LoadUser(ctx, a.reader, name, username)
	if err != nil || len(world.Organizations) == 0 {
		return nil, err
	}
	place := describe(world, name)
	member, found := access.MemberOf(world, name, username, now)
	switch {
	case found:
		place.Roles, place.Source = text.Strings(member.Roles), string(member.Source)
		place.SuspendedBecause = string(member.Gate)
	case isSuspended(world, name, username):
		place.Source, place.SuspendedBecause = string(v1alpha1.SourceDirect), string(v1alpha1.SuspendedRequested)
	default:
		return nil, nil
	}
	place.Teams, err = a.teamsOf(ctx, name, username)
	return place, err
}

// describe begins a place with what the organization says of itself.
func describe(world access.World, name string) *selfv1alpha1.ProfileOrganization {
	place := &selfv1alpha1.ProfileOrganization{Name: name}
	for _, organization := range world.Organizations {
		if organization.Name == name {
			place.DisplayName, place.Type = organization.Spec.DisplayName, string(organization.Spec.Type)
			place.Parent = organization.Spec.Parent
		}
	}
	return place
}

// isSuspended says whether a user's Membership of the very organization is suspended by request.
func isSuspended(world access.World, organization, username string) bool {
	return slices.ContainsFunc(world.Memberships, func(membership *v1alpha1.Membership) bool {
		return membership.Namespace == v1alpha1.OrganizationNamespace(organization) &&
			string(membership.Spec.User) == username && membership.Spec.Suspended && membership.DeletionTimestamp == nil
	})
}

func (a *Answers) teamsOf(ctx context.Context, organization, username string) ([]string, error) {
	var teams v1alpha1.TeamList
	namespace := client.InNamespace(v1alpha1.OrganizationNamespace(organization))
	if err := a.reader.List(ctx, &teams, namespace, snapshot.Shared); err != nil {
		return nil, err
	}
	var names []string
	for i := range teams.Items {
		if slices.Contains(teams.Items[i].Spec.Members, v1alpha1.Username(username)) {
			names = append(names, teams.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// invitation is what a Membership waits for, or nil where it doesn't wait.
func (a *Answers) invitation(
	ctx context.Context, membership *v1alpha1.Membership, now time.Time,
) (*selfv1alpha1.ProfileInvitation, error) {
	name, ok := v1alpha1.OrganizationOf(membership.Namespace)
	if !ok || membership.DeletionTimestamp != nil {
		return nil, nil
	}
	organization := &v1alpha1.Organization{}
	if err := a.reader.Get(ctx, client.ObjectKey{Name: name}, organization, snapshot.Shared); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	phase := access.PhaseOf(membership, organization, now)
	if phase.MembershipPhase != v1alpha1.MembershipInvited {
		return nil, nil
	}
	return &selfv1alpha1.ProfileInvitation{
		Organization: name, Roles: members.RolesOf(membership, organization), ExpiresAt: members.Instant(phase.Until),
	}, nil
}

// tokensOf are a user's APITokens that haven't ended.
func (a *Answers) tokensOf(ctx context.Context, username string) ([]selfv1alpha1.ProfileToken, error) {
	found, err := snapshot.APITokensOf(ctx, a.reader, username)
	if err != nil {
		return nil, err
	}
	var tokens []selfv1alpha1.ProfileToken
	for _, token := range found {
		organization, ok := v1alpha1.OrganizationOf(token.Namespace)
		if !ok || token.DeletionTimestamp != nil || token.Status.Phase != v1alpha1.APITokenActive {
			continue
		}
		tokens = append(tokens, selfv1alpha1.ProfileToken{
			Organization: organization, Name: token.Name, Roles: text.Strings(token.Status.Roles), SecretName: token.SecretName(),
			ExpiresAt: token.Status.ExpiresAt, LastUsedAt: token.Status.LastUsedAt,
		})
	}
	slices.SortFunc(tokens, func(a, b selfv1alpha1.ProfileToken) int {
		return cmp.Or(cmp.Compare(a.Organization, b.Organization), cmp.Compare(a.Name, b.Name))
	})
	return tokens, nil
}

// lastSeen is the latest of all Users of a username.
func (a *Answers) lastSeen(ctx context.Context, username string) (*metav1.Time, error) {
	var users v1alpha1.UserList
	err := a.reader.List(ctx, &users, client.MatchingFields{snapshot.UsersByUsername: username}, snapshot.Shared)
	if err != nil {
		return nil, err
	}
	var last *metav1.Time
	for i := range users.Items {
		if seen := users.Items[i].Status.LastSeenAt; last == nil || seen != nil && last.Before(seen) {
			last = seen
		}
	}
	return last, nil
}
