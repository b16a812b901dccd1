// Package removals is the guard against the bad commit: it compares who had access with who would have it, lets a budget
// of users go, and holds the others until somebody approves or the manifests come back.
//
// Decide is one pure function. What it remembers is a State, which its caller keeps in the cluster; the live bindings
// are never asked.
package removals

import (
	"cmp"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
)

// Access is who has what in one organization, as far as its removal is guarded: by users.
type Access struct {
	// Groups are sorted and distinct.
	Groups []Group
	// People is the number of users who have anything, owners too.
	People int
}

// Group is all users who have a role in a scope by what is written in one organization, until the same end.
type Group struct {
	Grant
	// Users are sorted and distinct.
	Users []string
}

// Grant is what the users of a group have.
type Grant struct {
	Role engine.RoleReference
	// Origin is the organization that the grant is written in.
	Origin string
	// Until is the end of the Membership or RoleBinding; zero when it has none.
	Until time.Time
	// Scope is shared between groups.
	Scope *engine.Scope
}

// AccessOf gathers what the engine grants.
func AccessOf(result engine.Result) Access {
	leaving := map[string]time.Time{}
	for _, member := range result.Members {
		if !member.Until.IsZero() {
			leaving[member.User] = member.Until
		}
	}
	lineage := lineageOf(result)
	people := sets.New[string]()
	groups := newGrouping()
	for _, grant := range result.Grants {
		guarded := isGuarded(grant, lineage)
		var of Grant
		if guarded {
			of = Grant{
				Role: grant.Role, Origin: originOf(grant), Until: grant.Until, Scope: groups.scopes.shared(grant.Scope),
			}
		}
		for _, subject := range grant.Subjects {
			if subject.Kind != rbacv1.UserKind {
				continue
			}
			people.Insert(subject.Name)
			if guarded {
				groups.add(of.endingBy(leaving[subject.Name]), subject.Name)
			}
		}
	}
	return Access{Groups: groups.sorted(), People: people.Len()}
}

func lineageOf(result engine.Result) sets.Set[string] {
	names := sets.New[string]()
	for _, organization := range result.Lineage.Organizations {
		names.Insert(organization.Name)
	}
	return names
}

// isGuarded leaves out what rests on another organization's objects, since that one decides for itself.
func isGuarded(grant engine.Grant, lineage sets.Set[string]) bool {
	return len(grant.Via) > 0 && !slices.ContainsFunc(grant.Via, func(reference engine.ObjectReference) bool {
		organization, found := v1alpha1.OrganizationOf(reference.Namespace)
		return found && !lineage.Has(organization)
	})
}

func originOf(grant engine.Grant) string {
	if grant.Via[0].Kind == engine.KindOrganization {
		return grant.Via[0].Name
	}
	organization, _ := v1alpha1.OrganizationOf(grant.Via[0].Namespace)
	return organization
}

func (g Grant) endingBy(end time.Time) Grant {
	if g.Until.IsZero() || !end.IsZero() && end.Before(g.Until) {
		g.Until = end
	}
	return g
}

// lasts says whether the grant hasn't ended.
func (g Grant) lasts(now time.Time) bool { return g.Until.IsZero() || now.Before(g.Until) }

// grouping gathers users by what they have.
type grouping struct {
	scopes *sharedScopes
	users  map[Grant][]string
}

func newGrouping() *grouping {
	return &grouping{scopes: newSharedScopes(), users: map[Grant][]string{}}
}

// add notes that users have something. Its scope must be one of the shared.
func (g *grouping) add(grant Grant, users ...string) {
	// Equal instants of different time zones would be different keys.
	grant.Until = grant.Until.UTC()
	g.users[grant] = append(g.users[grant], users...)
}

func (g *grouping) sorted() []Group {
	groups := make([]Group, 0, len(g.users))
	for grant, users := range g.users {
		slices.Sort(users)
		groups = append(groups, Group{Grant: grant, Users: slices.Compact(users)})
	}
	slices.SortFunc(groups, func(a, b Group) int { return compareGrants(a.Grant, b.Grant) })
	return groups
}

func compareGrants(a, b Grant) int {
	return cmp.Or(
		cmp.Compare(a.Role.Organization, b.Role.Organization), cmp.Compare(a.Role.Name, b.Role.Name),
		cmp.Compare(a.Origin, b.Origin), a.Until.Compare(b.Until), compareScopes(a.Scope, b.Scope))
}

func compareScopes(a, b *engine.Scope) int {
	switch {
	case a == b:
		return 0
	case a.Organization != b.Organization:
		if a.Organization {
			return 1
		}
		return -1
	}
	return slices.Compare(a.Namespaces, b.Namespaces)
}

func equalGroups(a, b []Group) bool {
	return slices.EqualFunc(a, b, func(a, b Group) bool {
		return compareGrants(a.Grant, b.Grant) == 0 && slices.Equal(a.Users, b.Users)
	})
}

// usersOf are all users of some groups, sorted.
func usersOf(groups []Group) []string {
	users := sets.New[string]()
	for _, group := range groups {
		users.Insert(group.Users...)
	}
	return sets.List(users)
}

// sharedScopes makes one of all scopes that are alike.
type sharedScopes struct {
	byContent map[string]*engine.Scope
	known     map[*engine.Scope]*engine.Scope
}

func newSharedScopes() *sharedScopes {
	return &sharedScopes{byContent: map[string]*engine.Scope{}, known: map[*engine.Scope]*engine.Scope{}}
}

func (s *sharedScopes) shared(scope *engine.Scope) *engine.Scope {
	if found := s.known[scope]; found != nil {
		return found
	}
	content := strings.Join(scope.Namespaces, ",")
	if scope.Organization {
		content += "/organization"
	}
	if s.byContent[content] == nil {
		s.byContent[content] = scope
	}
	s.known[scope] = s.byContent[content]
	return s.known[scope]
}
