package access

import (
	"slices"
	"time"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// defaultInvitationTTL bounds an invitation whose organization says nothing, as the schema's default does.
const defaultInvitationTTL = 7 * 24 * time.Hour

// Phase is where a Membership stands by itself, before any gate.
type Phase struct {
	v1alpha1.MembershipPhase
	// EndsClimb: the user holds nothing here, not even what an organization above gives. An invitation, answered or
	// not, takes nothing, so only a suspension and the end of a Membership that was in force do that.
	EndsClimb bool
	// Until is when the phase changes by itself; zero when it doesn't.
	Until time.Time
}

// PhaseOf says where a Membership of an organization stands at an instant.
func PhaseOf(membership *v1alpha1.Membership, organization *v1alpha1.Organization, now time.Time) Phase {
	var end time.Time
	if membership.Spec.ExpiresAt != nil {
		end = membership.Spec.ExpiresAt.Time
	}
	ended := !end.IsZero() && !now.Before(end)
	if membership.Spec.Suspended {
		return Phase{MembershipPhase: v1alpha1.MembershipSuspended, EndsClimb: true}
	}
	if IsInvitation(membership) && membership.Spec.Response != v1alpha1.InvitationAccepted {
		return invitationPhase(membership, organization, now)
	}
	if ended {
		return Phase{MembershipPhase: v1alpha1.MembershipExpired, EndsClimb: true}
	}
	return Phase{MembershipPhase: v1alpha1.MembershipActive, Until: end}
}

// IsInvitation says whether a Membership is, or was, for the user to accept.
func IsInvitation(membership *v1alpha1.Membership) bool {
	return membership.Spec.Invitation != nil || membership.Spec.User == ""
}

func invitationPhase(membership *v1alpha1.Membership, organization *v1alpha1.Organization, now time.Time) Phase {
	if membership.Spec.Response == v1alpha1.InvitationDeclined {
		return Phase{MembershipPhase: v1alpha1.MembershipDeclined}
	}
	until := InvitationEnd(membership, organization)
	if !now.Before(until) {
		return Phase{MembershipPhase: v1alpha1.MembershipExpired}
	}
	return Phase{MembershipPhase: v1alpha1.MembershipInvited, Until: until}
}

// InvitationEnd is the instant from which an invitation can no longer be answered: its life counts from when it was made,
// or last resent, and ends with the Membership at the latest.
func InvitationEnd(membership *v1alpha1.Membership, organization *v1alpha1.Organization) time.Time {
	life := defaultInvitationTTL
	if ttl := organization.Spec.Membership.InvitationTTL; ttl != nil {
		life = ttl.Duration
	}
	if invitation := membership.Spec.Invitation; invitation != nil && invitation.ExpiresAfter != nil {
		life = invitation.ExpiresAfter.Duration
	}
	opened := membership.CreationTimestamp
	if invitation := membership.Status.Invitation; invitation != nil && invitation.OpenedAt != nil {
		opened = *invitation.OpenedAt
	}
	end := opened.Add(life)
	if last := membership.Spec.ExpiresAt; last != nil && last.Time.Before(end) {
		return last.Time
	}
	return end
}

// RolesOf are the roles that a Membership names, or else its organization's default.
func RolesOf(membership *v1alpha1.Membership, organization *v1alpha1.Organization) []v1alpha1.RoleName {
	return RolesOrDefaults(membership, organization.Spec.Membership.DefaultRoles)
}

// RolesOrDefaults are the roles that a Membership names, or else the defaults of its organization; without any, member.
func RolesOrDefaults(membership *v1alpha1.Membership, defaults []v1alpha1.RoleName) []v1alpha1.RoleName {
	switch {
	case len(membership.Spec.Roles) > 0:
		return membership.Spec.Roles
	case len(defaults) > 0:
		return defaults
	}
	return []v1alpha1.RoleName{v1alpha1.RoleMember}
}

// place is where a user stands in an organization of the lineage.
type place struct {
	member bool
	roles  []v1alpha1.RoleName
	source v1alpha1.GrantSource
	// level of the lineage where the roles are written, which is where their names resolve.
	level int
	// until is when the first Membership that this rests on ends by itself; zero for never.
	until time.Time
	via   []ObjectReference
}

// placeAt applies the rule of roles in an organization: an owner of it or of one above is owner; else the climb from it
// to the root ends at the first Membership that says something.
func (e *evaluation) placeAt(user string, level int) place {
	for at := level; at < len(e.lineage); at++ {
		if e.owners[at].Has(user) {
			return place{
				member: true, level: at,
				roles:  []v1alpha1.RoleName{v1alpha1.RoleOwner},
				source: v1alpha1.SourceOwner,
				via:    []ObjectReference{referenceTo(KindOrganization, e.lineage[at])},
			}
		}
	}
	found := place{level: level}
	for at := level; at < len(e.lineage); at++ {
		membership := e.index.memberships[e.lineage[at].Name][user]
		if membership == nil {
			continue
		}
		phase := PhaseOf(membership, e.lineage[at], e.now)
		e.changesAt(phase.Until)
		if phase.EndsClimb {
			return found
		}
		if phase.MembershipPhase != v1alpha1.MembershipActive {
			continue
		}
		found.member, found.until = true, earliest(found.until, phase.Until)
		if found.source == "" {
			found.source = sourceAt(at, level)
		}
		roles := RolesOf(membership, e.lineage[at])
		if slices.Contains(roles, v1alpha1.RoleNone) {
			continue
		}
		found.roles, found.level, found.source = roles, at, sourceAt(at, level)
		found.via = []ObjectReference{referenceTo(KindMembership, membership)}
		return found
	}
	return found
}

func sourceAt(at, level int) v1alpha1.GrantSource {
	if at == level {
		return v1alpha1.SourceDirect
	}
	return v1alpha1.SourceInherited
}

// gate says what takes everything from a user here, or is empty.
func (e *evaluation) gate(user string) v1alpha1.SuspensionReason {
	person := e.index.people[user]
	switch {
	case e.unhindered:
		return ""
	case person.deactivated:
		return v1alpha1.SuspendedDeactivated
	case e.requireMFA && !person.enrolled:
		return v1alpha1.SuspendedMFARequired
	}
	return ""
}

// mayAct says whether the user is a member of the organization whom nothing holds back.
func (e *evaluation) mayAct(user string) bool {
	return e.placeHere(user).member && e.gate(user) == ""
}

// placeHere is the user's place in the organization itself, worked out once.
func (e *evaluation) placeHere(user string) place {
	found, known := e.places[user]
	if !known {
		found = e.placeAt(user, 0)
		e.places[user] = found
	}
	return found
}
