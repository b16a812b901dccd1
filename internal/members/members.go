// Package members says who is in an organization, from what the engine found: the rows of the view API and of reports. Pure.
package members

import (
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/names"
	"github.com/roster-dev/roster/internal/text"
)

// builder gathers the members of one organization.
type builder struct {
	world       access.World
	result      access.Result
	known       []v1alpha1.User
	memberships map[string]*v1alpha1.Membership // the organization's own, by user; of two the one that counts
	unknown     []*v1alpha1.Membership          // invitations to an address whose user isn't known yet
	users       map[string]*v1alpha1.User
	teams       map[string][]string
	rows        map[string]*viewv1alpha1.Member // by user
}

// Of are all effective members, and who is invited or suspended, sorted by their names. The result is the engine's on the
// world; the users are all that there are.
func Of(world access.World, users []v1alpha1.User, result access.Result) []*viewv1alpha1.Member {
	if result.Namespace == "" {
		return nil
	}
	b := &builder{
		world: world, result: result, known: users,
		memberships: map[string]*v1alpha1.Membership{}, users: map[string]*v1alpha1.User{},
		teams: map[string][]string{}, rows: map[string]*viewv1alpha1.Member{},
	}
	b.index()
	for i := range result.Members {
		b.addPlace(result.Members[i])
	}
	for user, membership := range b.memberships {
		if b.rows[user] == nil {
			b.addMembership(user, membership)
		}
	}
	b.addTeamsOfOthers()
	rows := make([]*viewv1alpha1.Member, 0, len(b.rows)+len(b.unknown))
	for _, row := range b.rows {
		rows = append(rows, row)
	}
	for _, membership := range b.unknown {
		rows = append(rows, b.withoutPlace(membership))
	}
	slices.SortFunc(rows, func(a, b *viewv1alpha1.Member) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(rows, func(a, b *viewv1alpha1.Member) bool { return a.Name == b.Name })
}

func (b *builder) index() {
	for i := range b.known {
		user := &b.known[i]
		b.users[string(user.Spec.Username)] = user
	}
	for _, membership := range b.world.Memberships {
		outcome, known := b.result.Memberships[membership.Name]
		if membership.Namespace != b.result.Namespace || !known || isDuplicate(outcome) {
			continue
		}
		if membership.Spec.User != "" {
			b.memberships[string(membership.Spec.User)] = membership
		} else if outcome.Phase == v1alpha1.MembershipInvited {
			b.unknown = append(b.unknown, membership)
		}
	}
	for _, team := range b.world.Teams {
		if team.Namespace != b.result.Namespace || team.DeletionTimestamp != nil {
			continue
		}
		for _, user := range team.Spec.Members {
			b.teams[string(user)] = append(b.teams[string(user)], team.Name)
		}
	}
}

func isDuplicate(outcome access.MembershipOutcome) bool {
	return slices.ContainsFunc(outcome.Problems, func(problem access.Problem) bool {
		return problem.Reason == access.ReasonDuplicate
	})
}

// row is a new row with what is known of the user in any case.
func (b *builder) row(user string) *viewv1alpha1.Member {
	row := &viewv1alpha1.Member{User: user}
	row.Namespace, row.Name = b.result.Namespace, names.FromUsername(user)
	row.Teams = slices.Compact(slices.Sorted(slices.Values(b.teams[user])))
	if membership := b.memberships[user]; membership != nil {
		row.CreationTimestamp = membership.CreationTimestamp
		row.Email, row.DisplayName = membership.Spec.Email, membership.Spec.DisplayName
	}
	if known := b.users[user]; known != nil {
		row.LastSeen = known.Status.LastSeenAt
		if row.Email == "" {
			row.Email = known.Spec.Email
		}
		if row.Email == "" && known.Status.Confirmed != nil {
			row.Email = known.Status.Confirmed.Email
		}
		if row.DisplayName == "" {
			row.DisplayName = known.Spec.DisplayName
		}
	}
	return row
}

// addPlace adds who is a member, held back or not.
func (b *builder) addPlace(member access.Member) {
	row := b.row(member.User)
	row.Roles = text.Strings(member.Roles)
	row.Source = viewv1alpha1.MemberSource{Type: viewv1alpha1.SourceType(member.Source), From: b.from(member)}
	row.Status, row.SuspendedBecause = viewv1alpha1.MemberActive, string(member.Gate)
	if member.Gate != "" {
		row.Status = viewv1alpha1.MemberSuspended
	}
	row.ExpiresAt = Instant(member.Until)
	b.rows[member.User] = row
}

// from is the organization that gives a place.
func (b *builder) from(member access.Member) string {
	switch {
	case len(member.Via) > 0 && member.Via[0].Kind == access.KindOrganization:
		return member.Via[0].Name
	case len(member.Via) > 0:
		organization, _ := v1alpha1.OrganizationOf(member.Via[0].Namespace)
		return organization
	case member.Source == v1alpha1.SourceDirect:
		return b.result.Organization
	}
	return ""
}

// addMembership adds who has a Membership that gives no place now, but may later: an invitation or a suspension.
func (b *builder) addMembership(user string, membership *v1alpha1.Membership) {
	switch b.result.Memberships[membership.Name].Phase {
	case v1alpha1.MembershipInvited, v1alpha1.MembershipSuspended:
		b.rows[user] = b.withoutPlace(membership)
	}
}

func (b *builder) withoutPlace(membership *v1alpha1.Membership) *viewv1alpha1.Member {
	self := b.result.Lineage.Organizations[0]
	row := b.row(string(membership.Spec.User))
	row.CreationTimestamp = membership.CreationTimestamp
	row.Email, row.DisplayName = membership.Spec.Email, membership.Spec.DisplayName
	if row.User == "" {
		// A space is in no username, so that this is no user's name either.
		row.Name = names.FromUsername("invited " + membership.Namespace + "/" + membership.Name)
	}
	row.Roles = RolesOf(membership, self)
	row.Source = viewv1alpha1.MemberSource{Type: viewv1alpha1.SourceDirect, From: b.result.Organization}
	outcome := b.result.Memberships[membership.Name]
	if outcome.Phase == v1alpha1.MembershipInvited {
		row.Status = viewv1alpha1.MemberInvited
		row.ExpiresAt = Instant(access.InvitationEnd(membership, self))
		return row
	}
	row.Status, row.SuspendedBecause = viewv1alpha1.MemberSuspended, string(outcome.SuspendedBecause)
	return row
}

// addTeamsOfOthers adds who is no member here, but holds something as a member of another organization's team.
func (b *builder) addTeamsOfOthers() {
	for i := range b.result.Grants {
		organization, team := teamOfOther(b.result.Grants[i], b.result.Namespace)
		if team == "" {
			continue
		}
		for _, subject := range b.result.Grants[i].Subjects {
			if subject.Kind != rbacv1.UserKind || b.rows[subject.Name] != nil {
				continue
			}
			row := b.row(subject.Name)
			row.Source = viewv1alpha1.MemberSource{Type: viewv1alpha1.SourceTeam, From: organization}
			row.Status, row.Teams = viewv1alpha1.MemberActive, []string{team}
			b.rows[subject.Name] = row
		}
	}
}

// teamOfOther names the team of another organization by which a grant is held, if it is.
func teamOfOther(grant access.Grant, namespace string) (organization, team string) {
	for _, object := range grant.Via {
		if object.Kind == access.KindTeam && object.Namespace != namespace {
			organization, _ = v1alpha1.OrganizationOf(object.Namespace)
			return organization, object.Name
		}
	}
	return "", ""
}

// RolesOf are the roles that a Membership names, or else its organization's default.
func RolesOf(membership *v1alpha1.Membership, organization *v1alpha1.Organization) []string {
	return text.Strings(access.RolesOf(membership, organization))
}

// Instant is a time, or nothing where it is zero.
func Instant(at time.Time) *metav1.Time {
	if at.IsZero() {
		return nil
	}
	return &metav1.Time{Time: at}
}
