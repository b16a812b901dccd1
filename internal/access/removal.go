package access

import (
	"slices"
	"time"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// Lifted is the world without what holds users back for a while: deactivation, a missing second factor, suspension, and
// the ends and beginnings of grants. What it grants and the world doesn't was taken by one of these; what it doesn't
// grant either was removed.
func Lifted(world World) World {
	lifted := world
	lifted.Users, lifted.Organizations, lifted.Memberships, lifted.RoleBindings = nil, nil, nil, nil
	lifted.APITokens = nil // What a token loses is its user's loss, or isn't guarded.
	for _, organization := range world.Organizations {
		changed := *organization
		changed.Spec.RequireMFA = false
		lifted.Organizations = append(lifted.Organizations, &changed)
	}
	for _, membership := range world.Memberships {
		if membership.Spec.Suspended || membership.Spec.ExpiresAt != nil {
			changed := *membership
			changed.Spec.Suspended, changed.Spec.ExpiresAt = false, nil
			membership = &changed
		}
		lifted.Memberships = append(lifted.Memberships, membership)
	}
	for _, binding := range world.RoleBindings {
		if binding.Spec.ExpiresAt != nil || binding.Spec.NotBefore != nil {
			changed := *binding
			changed.Spec.ExpiresAt, changed.Spec.NotBefore = nil, nil
			binding = &changed
		}
		lifted.RoleBindings = append(lifted.RoleBindings, binding)
	}
	return lifted
}

// WithRoles is the world as if some Roles were there and weren't being deleted. What they allow doesn't matter to the engine.
func WithRoles(world World, roles ...RoleReference) World {
	restored := world
	restored.Roles = slices.Clone(world.Roles)
	for _, reference := range roles {
		role := &v1alpha1.Role{}
		role.Namespace, role.Name = v1alpha1.SystemNamespace, reference.Name
		if reference.Organization != "" {
			role.Namespace = v1alpha1.OrganizationNamespace(reference.Organization)
		}
		restored.Roles = append(restored.Roles, role)
	}
	return restored
}

// HeldBack says of users of an organization whether something holds them back now: a gate, or a Membership that is
// suspended or has ended. It may be asked of users who are no members any more.
func HeldBack(world World, organization string, now time.Time) func(user string) bool {
	index := newIndex(world)
	lineage := LineageOf(index.organizations, organization)
	if lineage == nil {
		return func(string) bool { return true }
	}
	e := newEvaluation(index, lineage, now, false, Result{})
	return func(user string) bool { return e.gate(user) != "" || e.endsClimb(user) }
}

// endsClimb says whether a Membership takes away what the user would hold in the organization.
func (e *evaluation) endsClimb(user string) bool {
	for level := range e.lineage {
		if e.owners[level].Has(user) {
			return false
		}
	}
	for _, organization := range e.lineage {
		membership := e.index.memberships[organization.Name][user]
		if membership == nil {
			continue
		}
		phase := PhaseOf(membership, organization, e.now)
		if phase.EndsClimb {
			return true
		}
		hasRoles := !slices.Contains(RolesOf(membership, organization), v1alpha1.RoleNone)
		if phase.MembershipPhase == v1alpha1.MembershipActive && hasRoles {
			return false
		}
	}
	return false
}

// earliest is the earlier of two instants of which either may be missing.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
