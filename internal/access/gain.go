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
	// Role that is granted.
	Role RoleReference
	// Subject is one of those who gain it.
	Subject rbacv1.Subject
	// Via is the chain of objects that grants it.
	Via []ObjectReference
}

// Gains says which roles a change of the world newly grants in an organization at some instants, one of those who gain it for
// each. A role in the whole organization covers its projects, those to come too; a grant that ends covers nothing
// that lasts longer. It asks for what could be, since nobody is asked again when a gate is lifted, a namespace comes, or a
// RoleBinding begins.
func Gains(before, after World, organization string, instants []time.Time) []Gain {
	var gains []Gain
	for _, instant := range instants {
		gains = append(gains, gainsAt(before, after, organization, instant)...)
		if slices.ContainsFunc(after.RoleBindings, func(binding *v1alpha1.RoleBinding) bool { return begins(binding, instant) }) {
			gains = append(gains, gainsAt(begun(before, instant), begun(after, instant), organization, instant)...)
		}
	}
	return distinctGains(gains)
}

// begins says whether a RoleBinding is to begin after an instant.
func begins(binding *v1alpha1.RoleBinding, instant time.Time) bool {
	return binding.Spec.NotBefore != nil && binding.Spec.NotBefore.After(instant)
}

// begun is the world in which all RoleBindings have begun.
func begun(world World, instant time.Time) World {
	bindings := slices.Clone(world.RoleBindings)
	for at, binding := range bindings {
		if begins(binding, instant) {
			changed := *binding
			changed.Spec.NotBefore = nil
			bindings[at] = &changed
		}
	}
	world.RoleBindings = bindings
	return world
}

func gainsAt(before, after World, organization string, instant time.Time) []Gain {
	held := coverageOf(evaluateUnhindered(before, organization, instant))
	var gains []Gain
	for _, grant := range evaluateUnhindered(after, organization, instant).Grants {
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

// gain says whether a grant gives anybody more than is held. A team's maintainers need no more than being named.
func (c coverage) gain(organization string, grant Grant) (Gain, bool) {
	if grant.Role == (RoleReference{Name: v1alpha1.RoleTeamMaintainer}) && grant.Scope.Organization && !grant.Scope.AllProjects {
		return Gain{}, false
	}
	for _, subject := range grant.Subjects {
		if c.covers(roleOfSubject{grant.Role, subject}, grant) {
			continue
		}
		return Gain{
			Organization: organization, Role: grant.Role, Subject: subject, Via: grant.Via,
		}, true
	}
	return Gain{}, false
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
			cmp.Compare(a.Organization, b.Organization),
			cmp.Compare(a.Role.Organization, b.Role.Organization), cmp.Compare(a.Role.Name, b.Role.Name),
		)
	}
	slices.SortStableFunc(gains, byPlace)
	return slices.CompactFunc(gains, func(a, b Gain) bool { return byPlace(a, b) == 0 })
}
