package admission

import (
	"reflect"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/authority"
	"github.com/roster-dev/roster/internal/snapshot"
)

// examineMembership asks what the user would come to hold, here and in all organizations below, once the invitation is
// accepted. It looks at this user alone.
func (r *review) examineMembership(before, after *v1alpha1.Membership) error {
	if err := r.refuseDuplicate(before, after); err != nil {
		return err
	}
	if err := r.refuseSuspendedOwner(before, after); err != nil {
		return err
	}
	if err := r.missingRoles(newRoles(before, after)...); err != nil {
		return err
	}
	organizations, err := r.withDescendants()
	if err != nil {
		return err
	}
	if err := r.demandMembership(before, after); err != nil {
		return err
	}
	if saysTheSame(before, after) {
		return nil
	}
	if err := r.demandUncovered(organizations, before, after); err != nil {
		return err
	}
	// What changes at once, as by an invitation that uncovers another role or is withdrawn, and what a yes would bring.
	if err := r.gainByMembership(organizations, before, after); err != nil {
		return err
	}
	if !isInvitation(before) && !isInvitation(after) {
		return nil
	}
	if before != nil && after != nil && authority.Resends(before, after) {
		// Who resends gives what the invitation gives, as who made it did: it lasts longer, or is open again.
		return r.gainByMembership(organizations, unanswered(before), accepted(after))
	}
	if before, err = r.pending(before); err != nil {
		return err
	}
	return r.gainByMembership(organizations, before, accepted(after))
}

// saysTheSame says whether two versions of a Membership differ in nothing that access depends on.
func saysTheSame(before, after *v1alpha1.Membership) bool {
	if before == nil || after == nil || authority.Resends(before, after) {
		return false
	}
	was, is := before.Spec.DeepCopy(), after.Spec.DeepCopy()
	was.DisplayName, is.DisplayName = "", ""
	return reflect.DeepEqual(was, is)
}

// demandMembership asks for the right to give the roles that it names, or else the organization's defaults.
func (r *review) demandMembership(before, after *v1alpha1.Membership) error {
	organization, reader := &v1alpha1.Organization{}, r.worldAfter
	if after != nil && len(after.Spec.Roles) == 0 {
		reader = r.current()
	}
	err := reader.Get(r.ctx, client.ObjectKey{Name: r.organization}, organization, snapshot.Shared)
	r.demandHere(authority.OfMembership(before, after, organization.Spec.Membership.DefaultRoles))
	return client.IgnoreNotFound(err)
}

// unanswered is a Membership that gives nothing, since nobody has answered.
func unanswered(membership *v1alpha1.Membership) *v1alpha1.Membership {
	result := membership.DeepCopy()
	if result.Spec.Response != v1alpha1.InvitationAccepted {
		result.Spec.Response = v1alpha1.InvitationDeclined
	}
	return result
}

func isInvitation(membership *v1alpha1.Membership) bool {
	return membership != nil && access.IsInvitation(membership)
}

// gainByMembership looks at the users of two versions of a Membership alone.
func (r *review) gainByMembership(organizations []string, before, after *v1alpha1.Membership) error {
	users := sets.New[string]()
	for _, membership := range []*v1alpha1.Membership{before, after} {
		if membership != nil && membership.Spec.User != "" {
			users.Insert(string(membership.Spec.User))
		}
	}
	if after != nil && after.CreationTimestamp.IsZero() {
		after = after.DeepCopy()
		after.CreationTimestamp = metav1.NewTime(r.now)
	}
	for _, organization := range organizations {
		world, err := snapshot.LoadUsers(r.ctx, r.worldBefore, organization, users)
		if err != nil {
			return err
		}
		instants := append(r.ends(before, after), r.now)
		had, has := r.withMembership(world, before), r.withMembership(world, after)
		r.gains = append(r.gains, access.Gains(had, has, organization, instants)...)
	}
	return nil
}

// demandUncovered asks for what the organizations above give to a user whose Membership here no longer keeps it away, here and
// below. It makes no difference whether another Membership still does: two may go at once.
func (r *review) demandUncovered(organizations []string, before, after *v1alpha1.Membership) error {
	if !authority.Uncovers(before, after) {
		return nil
	}
	above, err := snapshot.Ancestors(r.ctx, r.worldBefore, r.organization)
	if err != nil || len(above) == 0 {
		return err
	}
	memberships, err := snapshot.MembershipsOf(r.ctx, r.worldBefore, string(before.Spec.User))
	if err != nil {
		return err
	}
	for _, membership := range memberships {
		written, _ := v1alpha1.OrganizationOf(membership.Namespace)
		if !slices.Contains(above, written) {
			continue
		}
		organization := &v1alpha1.Organization{}
		err := r.worldBefore.Get(r.ctx, client.ObjectKey{Name: written}, organization, snapshot.Shared)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		r.gains = append(r.gains, uncovered(membership, access.RolesOf(membership, organization), organizations)...)
	}
	return nil
}

// uncovered are the roles of a Membership above as gains in some organizations.
func uncovered(membership *v1alpha1.Membership, roles []v1alpha1.RoleName, organizations []string) []access.Gain {
	var gains []access.Gain
	for _, role := range roles {
		for _, organization := range organizations {
			if role != v1alpha1.RoleNone {
				gains = append(gains, access.Gain{
					Organization: organization, Role: access.RoleReference{Name: string(role)},
					Subject: rbacv1.Subject{Kind: rbacv1.UserKind, Name: string(membership.Spec.User)},
					Via:     []access.ObjectReference{{Kind: access.KindMembership, Namespace: membership.Namespace, Name: membership.Name}},
				})
			}
		}
	}
	return gains
}

// withMembership is a world in which the Membership in question is what is given.
func (r *review) withMembership(world access.World, membership *v1alpha1.Membership) access.World {
	key := client.ObjectKeyFromObject(r.any())
	world.Memberships = slices.DeleteFunc(slices.Clone(world.Memberships), func(other *v1alpha1.Membership) bool {
		return client.ObjectKeyFromObject(other) == key
	})
	if membership != nil {
		world.Memberships = append(world.Memberships, membership)
	}
	return world
}

// ends are when the Membership ends by itself: what it keeps from the user until then may come back.
func (r *review) ends(memberships ...*v1alpha1.Membership) []time.Time {
	var ends []time.Time
	for _, membership := range memberships {
		if membership != nil && membership.Spec.ExpiresAt != nil && membership.Spec.ExpiresAt.After(r.now) {
			ends = append(ends, membership.Spec.ExpiresAt.Time)
		}
	}
	return ends
}

func (r *review) refuseDuplicate(before, after *v1alpha1.Membership) error {
	if after == nil || after.Spec.User == "" || before != nil && before.Spec.User == after.Spec.User {
		return nil
	}
	memberships, err := snapshot.MembershipsOf(r.ctx, r.Cached, string(after.Spec.User))
	if err != nil {
		return err
	}
	for _, other := range memberships {
		if other.Namespace == after.Namespace && other.Name != after.Name && other.DeletionTimestamp == nil {
			return invalid(ruleDuplicateMembership,
				"spec.user: %q has the Membership %q in this organization already; change that one", after.Spec.User,
				other.Name)
		}
	}
	return nil
}

// refuseSuspendedOwner: it would take nothing, and whoever does it means something else.
func (r *review) refuseSuspendedOwner(before, after *v1alpha1.Membership) error {
	if after == nil || !after.Spec.Suspended || before != nil && before.Spec.Suspended {
		return nil
	}
	world, err := snapshot.LoadUser(r.ctx, r.Cached, r.organization, string(after.Spec.User))
	if err != nil {
		return err
	}
	member, _ := access.MemberOf(world, r.organization, string(after.Spec.User), r.now)
	if member.Source != v1alpha1.SourceOwner {
		return nil
	}
	return invalid(ruleSuspendedOwner,
		"spec.suspended: %q is an owner of organization %s, whom no Membership suspends; an owner takes the user out of "+
			"its spec.owners, or somebody deactivates the User", after.Spec.User, member.Via[0].Name)
}

func newRoles(before, after *v1alpha1.Membership) []v1alpha1.RoleName {
	switch {
	case after == nil:
		return nil
	case before == nil:
		return after.Spec.Roles
	}
	return authority.Added(before.Spec.Roles, after.Spec.Roles)
}

// pending is a Membership as it will be if an open invitation is accepted. One that was declined, or wasn't answered in
// time, gives nothing any more.
func (r *review) pending(membership *v1alpha1.Membership) (*v1alpha1.Membership, error) {
	if membership == nil {
		return nil, nil
	}
	organization := &v1alpha1.Organization{}
	err := r.Cached.Get(r.ctx, client.ObjectKey{Name: r.organization}, organization, snapshot.Shared)
	if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	if access.PhaseOf(membership, organization, r.now).MembershipPhase == v1alpha1.MembershipInvited {
		return accepted(membership), nil
	}
	return membership, nil
}

// accepted is a Membership whose invitation was accepted. The user who answers from an address isn't known yet. Mostly the address
// is the username, under which Teams and RoleBindings may list the user already.
func accepted(membership *v1alpha1.Membership) *v1alpha1.Membership {
	if membership == nil {
		return nil
	}
	result := membership.DeepCopy()
	result.Spec.Response = v1alpha1.InvitationAccepted
	if result.Spec.User == "" {
		result.Spec.User = v1alpha1.Username(result.Spec.Email)
	}
	return result
}
