package admission_test

import (
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// kindsOfReferences are the kinds that the engine's explanations name.
var kindsOfReferences = map[string]reflect.Type{
	access.KindOrganization: reflect.TypeFor[*v1alpha1.Organization](),
	access.KindMembership:   reflect.TypeFor[*v1alpha1.Membership](),
	access.KindTeam:         reflect.TypeFor[*v1alpha1.Team](),
	access.KindRoleBinding:  reflect.TypeFor[*v1alpha1.RoleBinding](),
}

func keyOfReference(reference access.ObjectReference) objectKey {
	return objectKey{kindsOfReferences[reference.Kind], reference.Namespace, reference.Name}
}

// chains are all that a grant rests on, one for each user and place.
func (c *cluster) chains(m *moment, organization string, grant access.Grant) []chain {
	var chains []chain
	for _, user := range usersOf(grant) {
		for _, place := range placesOf(grant.Scope) {
			one := chain{
				organization: organization, user: user, place: place, role: grant.Role, via: grant.Via,
				content: c.contentOf(m, grant.Role, nil),
			}
			c.follow(m, &one)
			chains = append(chains, one)
		}
	}
	return chains
}

func placesOf(scope *access.Scope) []string {
	if scope.Organization || scope.AllProjects {
		return []string{everything}
	}
	return scope.Projects
}

// follow finds the elements of a chain of objects.
func (c *cluster) follow(m *moment, one *chain) {
	at := placement{one.organization, one.user}
	naming, marks := m.get(keyOfReference(one.via[0])), c.marks[keyOfReference(one.via[0])]
	switch naming := naming.(type) {
	case *v1alpha1.Organization:
		one.name = marks["owner "+one.user]
		return
	case *v1alpha1.Membership:
		c.followMembership(one, naming, marks)
		one.ground = append(one.ground, present(c.uncovered[at])...)
		return
	case *v1alpha1.Team:
		one.name = marks["role "+string(naming.Spec.Role)]
		c.followTeams(m, one, one.via)
	case *v1alpha1.RoleBinding:
		one.name = marks["role "+string(naming.Spec.Role)]
		one.own = append(one.own, marks[begins], marks[ends])
		if len(one.via) == 1 {
			one.subject = marks["User "+one.user]
		} else {
			one.subject = marks["Team "+one.via[1].Name]
			c.followTeams(m, one, one.via[1:])
		}
	}
	one.joined = c.joined[at]
	c.followScope(m, one, naming, marks)
}

func (c *cluster) followMembership(one *chain, membership *v1alpha1.Membership, marks map[string]*mark) {
	one.own = []*mark{marks["user"], marks["active"], marks[ends]}
	if len(membership.Spec.Roles) > 0 {
		one.name = marks["role "+one.role.Name]
		return
	}
	organization := objectKey{reflect.TypeFor[*v1alpha1.Organization](), "", organizationOf(membership)}
	// Without any of its own, an organization's default is member.
	byDefault := c.marks[organization]["default "+one.role.Name]
	if byDefault == nil {
		byDefault = c.marks[organization][exists]
	}
	// Together they name the role: whoever came second did.
	first, second := byDefault, marks["default roles"]
	if second.committed < first.committed {
		first, second = second, first
	}
	one.name, one.own = second, append(one.own, first)
}

// followTeams goes from the team that holds the role down to the one that lists the user.
func (c *cluster) followTeams(m *moment, one *chain, teams []access.ObjectReference) {
	for _, below := range teams[1:] {
		team := m.get(keyOfReference(below)).(*v1alpha1.Team)
		one.edges = append(one.edges, c.marks[keyOf(team)]["parent "+string(team.Spec.Parent)])
	}
	one.edges = append(one.edges, c.marks[keyOfReference(teams[len(teams)-1])]["member "+one.user])
}

// followScope finds why the place is one of those that the naming object means.
func (c *cluster) followScope(m *moment, one *chain, naming client.Object, marks map[string]*mark) {
	if one.place == everything {
		one.own = append(one.own, marks[everything])
		return
	}
	namespace := v1alpha1.OrganizationNamespace(one.organization)
	project, _ := find[*v1alpha1.Project](m, namespace, one.place)
	one.ground = append(one.ground, c.marks[keyOf(project)][exists])
	selector := selectorOf(naming)
	if selector == nil {
		one.own = append(one.own, marks["project "+one.place])
		return
	}
	one.own = append(one.own, marks[bySelector])
	if marks[bySelector].element == everything {
		// It was for all projects, whatever their labels, and became a selector by a change that only took away.
		return
	}
	for _, key := range labelKeys {
		_, isMatched := selector.MatchLabels[key]
		if isMatched || slices.ContainsFunc(selector.MatchExpressions, func(expression metav1.LabelSelectorRequirement) bool {
			return expression.Key == key
		}) {
			one.ground = append(one.ground, c.marks[keyOf(project)][labelElement(project, key)])
		}
	}
}

// contentOf is who wrote what a Role of an organization allows, with all that it includes.
func (c *cluster) contentOf(m *moment, reference access.RoleReference, seen []access.RoleReference) []*mark {
	if reference.Organization == "" || slices.Contains(seen, reference) {
		return nil
	}
	role, _ := find[*v1alpha1.Role](m, v1alpha1.OrganizationNamespace(reference.Organization), reference.Name)
	var content []*mark
	for _, element := range elementsOf(role) {
		content = append(content, c.marks[keyOf(role)][element])
	}
	roles := access.NewRoles(m.world())
	for _, name := range role.Spec.Includes {
		if included := roles.Find(reference.Organization, name); included != nil {
			content = append(content, c.contentOf(m, access.ReferenceTo(included), append(seen, reference))...)
		}
	}
	return content
}

// present is a value as a list, which is empty where there is none.
func present[T comparable](value T) []T {
	var none T
	if value == none {
		return nil
	}
	return []T{value}
}
