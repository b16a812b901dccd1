package rbac

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/roster-dev/roster/internal/access"
)

// Holders are the subjects that are to hold a ClusterRole in a namespace.
type Holders struct {
	// Role that the ClusterRole was made for.
	Role access.RoleReference
	// Subjects, sorted and distinct. Shared between namespaces: not to be changed.
	Subjects []rbacv1.Subject
}

// Desired is who is to hold what: by namespace, then by ClusterRole.
type Desired map[string]map[string]Holders

// DesiredBindings gathers the grants of an organization by namespace and ClusterRole. Of a ClusterRole that doesn't bind,
// because it isn't there yet or has no rules, nobody needs to hold anything.
func DesiredBindings(result access.Result, binds func(clusterRole string) bool) Desired {
	desired := Desired{}
	unions := &unions{groups: groupGrants(result.Grants), merged: map[string][]rbacv1.Subject{}}
	for _, place := range unions.byPlace(result.Namespace) {
		if !binds(place.clusterRole) {
			continue
		}
		if desired[place.namespace] == nil {
			desired[place.namespace] = map[string]Holders{}
		}
		desired[place.namespace][place.clusterRole] = Holders{
			Role: unions.groups[place.groups[0]].role, Subjects: unions.of(place.groups),
		}
	}
	desired.addTokenReaders(result, binds)
	return desired
}

// addTokenReaders lets each token's user, and who made it, read the one Secret that holds it.
func (d Desired) addTokenReaders(result access.Result, binds func(clusterRole string) bool) {
	for name, outcome := range result.APITokens {
		clusterRole := TokenReader(result.Organization, name)
		if len(outcome.Readers) == 0 || !binds(clusterRole) {
			continue
		}
		if d[result.Namespace] == nil {
			d[result.Namespace] = map[string]Holders{}
		}
		d[result.Namespace][clusterRole] = Holders{Subjects: sortSubjects(slices.Clone(outcome.Readers))}
	}
}

// group is all subjects that hold a role in one scope. Grants are many where members are many, groups are few.
type group struct {
	role     access.RoleReference
	scope    *access.Scope
	subjects []rbacv1.Subject
}

func groupGrants(grants []access.Grant) []group {
	type key struct {
		role  access.RoleReference
		scope *access.Scope
	}
	positions := map[key]int{}
	var groups []group
	for _, grant := range grants {
		at, known := positions[key{grant.Role, grant.Scope}]
		if !known {
			at = len(groups)
			positions[key{grant.Role, grant.Scope}] = at
			groups = append(groups, group{role: grant.Role, scope: grant.Scope})
		}
		groups[at].subjects = append(groups[at].subjects, grant.Subjects...)
	}
	for at := range groups {
		groups[at].subjects = sortSubjects(groups[at].subjects)
	}
	return groups
}

func sortSubjects(subjects []rbacv1.Subject) []rbacv1.Subject {
	slices.SortFunc(subjects, compareSubjects)
	return slices.Compact(subjects)
}

func compareSubjects(a, b rbacv1.Subject) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// unions joins groups that meet in one place, and each combination of groups once: a thousand namespaces with the same
// holders share one list.
type unions struct {
	groups []group
	merged map[string][]rbacv1.Subject
}

// place is a namespace and a ClusterRole, with the groups that hold it there.
type place struct {
	namespace, clusterRole string
	groups                 []int
}

func (u *unions) byPlace(organizationNamespace string) []*place {
	type key struct{ namespace, clusterRole string }
	found := map[key]*place{}
	var places []*place
	add := func(namespace, clusterRole string, at int) {
		at0 := found[key{namespace, clusterRole}]
		if at0 == nil {
			at0 = &place{namespace: namespace, clusterRole: clusterRole}
			found[key{namespace, clusterRole}] = at0
			places = append(places, at0)
		}
		at0.groups = append(at0.groups, at)
	}
	for at, group := range u.groups {
		clusterRole := ProjectClusterRole(group.role)
		for _, namespace := range group.scope.Namespaces {
			add(namespace, clusterRole, at)
		}
		if group.scope.Organization {
			add(organizationNamespace, OrganizationClusterRole(group.role), at)
		}
	}
	return places
}

func (u *unions) of(groups []int) []rbacv1.Subject {
	if len(groups) == 1 {
		return u.groups[groups[0]].subjects
	}
	var key strings.Builder
	for _, at := range groups {
		fmt.Fprintf(&key, "%d,", at)
	}
	subjects, known := u.merged[key.String()]
	if !known {
		for _, at := range groups {
			subjects = append(subjects, u.groups[at].subjects...)
		}
		subjects = sortSubjects(subjects)
		u.merged[key.String()] = subjects
	}
	return subjects
}
