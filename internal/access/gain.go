package access

import (
	"cmp"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// Gain is a role that a change newly grants.
type Gain struct {
	// Organization in which it takes effect.
	Organization string
	// Written is the organization of the object that names the role: the same one, or one above.
	Written string
	// Role that is granted.
	Role RoleReference
	// Subject is one of those who gain it.
	Subject rbacv1.Subject
	// Via is the chain of objects that grants it.
	Via []ObjectReference
}

// Gains says which roles a change of the world newly grants in an organization at some instants, one of those who gain it for
// each. What is granted in the whole organization covers its projects, those to come too; what ends covers nothing
// that lasts longer. Nobody is taken for held back, since what holds somebody back may be lifted without asking again.
func Gains(before, after World, organization string, instants []time.Time, assumed Assumptions) []Gain {
	assumed.Ungated, assumed.NamespacesAreThere = true, true
	var gains []Gain
	for _, instant := range instants {
		for _, way := range waysToGain(assumed) {
			gains = append(gains, gainsAt(before, after, organization, instant, way)...)
		}
	}
	return distinctGains(gains)
}

// Beginnings are some instants, and when RoleBindings of a world begin after the earliest of them.
func Beginnings(world World, instants []time.Time) []time.Time {
	earliest := slices.MinFunc(instants, time.Time.Compare)
	for _, binding := range world.RoleBindings {
		begin := binding.Spec.NotBefore
		if begin != nil && begin.After(earliest) && len(binding.Spec.Subjects) > 0 {
			instants = append(instants, begin.Time)
		}
	}
	slices.SortFunc(instants, time.Time.Compare)
	return slices.CompactFunc(instants, time.Time.Equal)
}

// waysToGain: who gains something gains it for sure, or once a member of the organization, or once a member of a team.
func waysToGain(assumed Assumptions) []Assumptions {
	if !assumed.ListedAreMembers {
		return []Assumptions{assumed}
	}
	certain, joining := assumed, assumed
	certain.ListedAreMembers, joining.MaintainersJoin = false, true
	return []Assumptions{certain, assumed, joining}
}

func gainsAt(before, after World, organization string, instant time.Time, assumed Assumptions) []Gain {
	held := coverageOf(EvaluateAssuming(before, organization, instant, assumed))
	var gains []Gain
	for _, grant := range EvaluateAssuming(after, organization, instant, assumed).Grants {
		if gain, found := held.gain(organization, grant); found {
			gains = append(gains, gain)
		}
	}
	return gains
}

// roleOfSubject is what coverage is kept by.
type roleOfSubject struct {
	role    RoleReference
	subject rbacv1.Subject
}

// holding is where and until when a role is held.
type holding struct {
	scope *Scope
	until time.Time
}

// coverage is what everybody holds.
type coverage map[roleOfSubject][]holding

func coverageOf(result Result) coverage {
	held := coverage{}
	for _, grant := range result.Grants {
		for _, subject := range grant.Subjects {
			key := roleOfSubject{grant.Role, subject}
			held[key] = append(held[key], holding{grant.Scope, grant.Until})
		}
	}
	return held
}

// gain says whether a grant gives anybody more than is held. Who maintains a team is asked for as its member.
func (c coverage) gain(organization string, grant Grant) (Gain, bool) {
	if grant.Role == (RoleReference{Name: v1alpha1.RoleTeamMaintainer}) && grant.Scope.Organization && !grant.Scope.AllProjects {
		return Gain{}, false
	}
	for _, subject := range grant.Subjects {
		if c.covers(roleOfSubject{grant.Role, subject}, grant) {
			continue
		}
		return Gain{
			Organization: organization, Written: grant.Written(organization), Role: grant.Role, Subject: subject,
			Via: grant.Via,
		}, true
	}
	return Gain{}, false
}

// Written is the organization of the object that names the role, of a grant in the given one.
func (g Grant) Written(organization string) string {
	if len(g.Via) == 0 {
		return organization
	}
	if g.Via[0].Kind == KindOrganization {
		return g.Via[0].Name
	}
	if written, ok := v1alpha1.OrganizationOf(g.Via[0].Namespace); ok {
		return written
	}
	return organization
}

func (c coverage) covers(key roleOfSubject, grant Grant) bool {
	lasting := slices.DeleteFunc(slices.Clone(c[key]), func(held holding) bool { return endsBefore(held.until, grant.Until) })
	holds := func(in func(*Scope) bool) bool {
		return slices.ContainsFunc(lasting, func(held holding) bool { return in(held.scope) })
	}
	if grant.Scope.Organization && !holds(func(scope *Scope) bool { return scope.Organization }) {
		return false
	}
	if holds(func(scope *Scope) bool { return scope.AllProjects }) {
		return true
	}
	if grant.Scope.AllProjects {
		return false
	}
	for _, project := range grant.Scope.Projects {
		if !holds(func(scope *Scope) bool { return slices.Contains(scope.Projects, project) }) {
			return false
		}
	}
	return true
}

// endsBefore compares two ends, of which zero is never.
func endsBefore(end, other time.Time) bool {
	return !end.IsZero() && (other.IsZero() || end.Before(other))
}

// distinctGains keeps one gain of a role in a place.
func distinctGains(gains []Gain) []Gain {
	byPlace := func(a, b Gain) int {
		return cmp.Or(
			cmp.Compare(a.Organization, b.Organization), cmp.Compare(a.Written, b.Written),
			cmp.Compare(a.Role.Organization, b.Role.Organization), cmp.Compare(a.Role.Name, b.Role.Name),
		)
	}
	slices.SortStableFunc(gains, byPlace)
	return slices.CompactFunc(gains, func(a, b Gain) bool { return byPlace(a, b) == 0 })
}
