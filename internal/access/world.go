// Package access is the engine: it says who may do what in an organization, and why.
//
// Evaluate is one pure function: objects in, grants out. It reads no clock but the instant it is handed, calls no API
// server and keeps nothing. The sync that writes RBAC, the explanations and the tests all call it.
package access

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// World is what the engine looks at. To evaluate one organization it needs that organization, its ancestors and
// children, and the objects in their namespaces and in the catalogue's; and of another organization whose team one of their
// RoleBindings lets in, that one with its ancestors, its teams, and the Memberships of those who are in the team. Whatever
// else it holds makes no difference.
type World struct {
	Organizations []*v1alpha1.Organization
	Memberships   []*v1alpha1.Membership
	Teams         []*v1alpha1.Team
	Projects      []*v1alpha1.Project
	Roles         []*v1alpha1.Role
	RoleBindings  []*v1alpha1.RoleBinding
	APITokens     []*v1alpha1.APIToken

	// Users are all that could be held back: every deactivated one, and where a second factor is required every member.
	// A user who isn't here is active and has no second factor.
	Users []*v1alpha1.User

	// Namespaces are those that carry Roster's labels and those that projects ask for.
	Namespaces []*corev1.Namespace

	// AtMostDeveloper are the roles whose rules developer covers. A ServiceAccount may hold no other.
	AtMostDeveloper sets.Set[RoleReference]
}

// RoleReference names a Role for good: where it lives and what it is called there.
type RoleReference struct {
	// Organization whose Role it is; empty for the catalogue's.
	Organization string
	// Name of the Role.
	Name string
}

// ObjectReference names an object in an explanation.
type ObjectReference struct {
	Kind      string
	Namespace string
	Name      string
}

// String writes the reference as kubectl would be asked for it.
func (r ObjectReference) String() string {
	if r.Namespace == "" {
		return r.Kind + "/" + r.Name
	}
	return r.Kind + "/" + r.Namespace + "/" + r.Name
}

// The kinds that explanations name.
const (
	KindOrganization = "Organization"
	KindMembership   = "Membership"
	KindTeam         = "Team"
	KindRoleBinding  = "RoleBinding"
	KindJoinRequest  = "JoinRequest"
	KindProject      = "Project"
)

func referenceTo(kind string, object metav1.Object) ObjectReference {
	return ObjectReference{Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()}
}

// index is the world, arranged for looking up. Objects that are being deleted are left out, except organizations,
// which last until nothing depends on them, and users, who stay held back.
type index struct {
	world         World
	organizations map[string]*v1alpha1.Organization
	memberships   map[string]map[string]*v1alpha1.Membership // by organization and user; of two the older
	teams         map[string]map[string]*v1alpha1.Team       // by organization and name
	projects      map[string][]*v1alpha1.Project             // by organization, sorted by name
	roles         map[string]map[string]*v1alpha1.Role       // by organization, "" for the catalogue, and name
	bindings      map[string][]*v1alpha1.RoleBinding         // by organization, sorted by name
	apiTokens     map[string][]*v1alpha1.APIToken            // by organization, sorted by name
	namespaces    map[string]*corev1.Namespace
	people        map[string]person
}

// person is what holds a user back, over all User objects with that username.
type person struct {
	deactivated bool
	enrolled    bool
}

func newIndex(world World) *index {
	x := &index{
		world:         world,
		organizations: map[string]*v1alpha1.Organization{},
		memberships:   map[string]map[string]*v1alpha1.Membership{},
		teams:         map[string]map[string]*v1alpha1.Team{},
		projects:      map[string][]*v1alpha1.Project{},
		roles:         map[string]map[string]*v1alpha1.Role{},
		bindings:      map[string][]*v1alpha1.RoleBinding{},
		apiTokens:     map[string][]*v1alpha1.APIToken{},
		namespaces:    map[string]*corev1.Namespace{},
		people:        map[string]person{},
	}
	for _, organization := range world.Organizations {
		x.organizations[organization.Name] = organization
	}
	for _, namespace := range world.Namespaces {
		x.namespaces[namespace.Name] = namespace
	}
	x.addPeople()
	x.addMemberships()
	x.addTeams()
	x.addProjects()
	x.addRoles()
	x.addBindings()
	x.addAPITokens()
	return x
}

// addPeople joins the Users of one username; the stricter counts.
func (x *index) addPeople() {
	for _, user := range x.world.Users {
		username := string(user.Spec.Username)
		found, seen := x.people[username]
		x.people[username] = person{
			deactivated: found.deactivated || user.Spec.Deactivated,
			enrolled:    (found.enrolled || !seen) && user.Spec.MFA.Enrolled,
		}
	}
}

// organizationOf returns the organization that an object's namespace belongs to, if it does: the name alone isn't
// enough, since anybody could have made a namespace of that name before the organization was.
func (x *index) organizationOf(object metav1.Object) (string, bool) {
	name, ok := v1alpha1.OrganizationOf(object.GetNamespace())
	return name, ok && x.organizationNamespace(name) != ""
}

// organizationNamespace returns the namespace of an organization, or nothing while it isn't there for use.
func (x *index) organizationNamespace(organization string) string {
	if found := x.organizations[organization]; found != nil && found.IsPersonal() {
		return ""
	}
	namespace := x.namespaces[v1alpha1.OrganizationNamespace(organization)]
	if CheckOrganizationNamespace(namespace, organization) != NamespaceInOrder {
		return ""
	}
	return namespace.Name
}

func (x *index) addMemberships() {
	for _, membership := range x.world.Memberships {
		organization, ok := x.organizationOf(membership)
		if !ok || membership.DeletionTimestamp != nil || membership.Spec.User == "" {
			continue
		}
		byUser := x.memberships[organization]
		if byUser == nil {
			byUser = map[string]*v1alpha1.Membership{}
			x.memberships[organization] = byUser
		}
		user := string(membership.Spec.User)
		if other := byUser[user]; other == nil || older(membership, other) {
			byUser[user] = membership
		}
	}
}

// older orders two objects by creation, and by name where that doesn't tell.
func older(a, b metav1.Object) bool {
	at, bt := a.GetCreationTimestamp(), b.GetCreationTimestamp()
	if at.Equal(&bt) {
		return a.GetName() < b.GetName()
	}
	return at.Before(&bt)
}

// CompareAge orders Memberships by which of two for one user counts: the older one.
func CompareAge(a, b *v1alpha1.Membership) int {
	switch {
	case older(a, b):
		return -1
	case older(b, a):
		return 1
	}
	return 0
}

func (x *index) addTeams() {
	for _, team := range x.world.Teams {
		organization, ok := x.organizationOf(team)
		if !ok || team.DeletionTimestamp != nil {
			continue
		}
		if x.teams[organization] == nil {
			x.teams[organization] = map[string]*v1alpha1.Team{}
		}
		x.teams[organization][team.Name] = team
	}
}

func (x *index) addProjects() {
	for _, project := range x.world.Projects {
		if organization, ok := x.organizationOf(project); ok && project.DeletionTimestamp == nil {
			x.projects[organization] = append(x.projects[organization], project)
		}
	}
	for _, projects := range x.projects {
		slices.SortFunc(projects, byName[*v1alpha1.Project])
	}
}

func (x *index) addRoles() {
	for _, role := range x.world.Roles {
		organization, ok := x.organizationOf(role)
		if role.Namespace == v1alpha1.SystemNamespace {
			organization, ok = "", true
		}
		if !ok {
			continue
		}
		if x.roles[organization] == nil {
			x.roles[organization] = map[string]*v1alpha1.Role{}
		}
		x.roles[organization][role.Name] = role
	}
}

func (x *index) addBindings() {
	for _, binding := range x.world.RoleBindings {
		if organization, ok := x.organizationOf(binding); ok && binding.DeletionTimestamp == nil {
			x.bindings[organization] = append(x.bindings[organization], binding)
		}
	}
	for _, bindings := range x.bindings {
		slices.SortFunc(bindings, byName[*v1alpha1.RoleBinding])
	}
}

func byName[T metav1.Object](a, b T) int {
	return cmp.Compare(a.GetName(), b.GetName())
}
