package snapshot

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/component-helpers/auth/rbac/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
)

// Shared reads objects as the cache holds them, without copying and without waiting for writes that are under way: what
// is decided on an older view is written with that view's version, and is refused and decided again. Nobody may change
// these objects.
var Shared = sharedRead{}

type sharedRead struct{}

// ApplyToGet makes a Get one of shared objects.
func (sharedRead) ApplyToGet(options *client.GetOptions) {
	client.UnsafeDisableDeepCopy.ApplyToGet(options)
	client.DisableReadYourWritesConsistency.ApplyToGet(options)
}

// ApplyToList makes a List one of shared objects.
func (sharedRead) ApplyToList(options *client.ListOptions) {
	client.UnsafeDisableDeepCopy.ApplyToList(options)
	client.DisableReadYourWritesConsistency.ApplyToList(options)
}

// Load reads what the engine needs to evaluate one organization. The objects belong to the cache and must not be changed.
func Load(ctx context.Context, reader client.Reader, organization string) (access.World, error) {
	return (&loader{ctx: ctx, reader: reader}).load(organization)
}

// LoadCautiously reads the same for who asks what a change could come to give: a role that isn't compiled yet counts as one
// that a ServiceAccount may hold, since it may turn out to be.
func LoadCautiously(ctx context.Context, reader client.Reader, organization string) (access.World, error) {
	return (&loader{ctx: ctx, reader: reader, cautious: true}).load(organization)
}

func (l *loader) load(organization string) (access.World, error) {
	l.writtenAbove(organization)
	for _, organization := range l.path {
		l.memberships(v1alpha1.OrganizationNamespace(organization))
	}
	l.externalTeams()
	l.apiTokens(organization)
	l.projects(organization)
	l.users()
	l.strengths(organization)
	return l.world, l.err
}

// writtenAbove reads what an organization and those above it, and the catalogue, say about roles: all but who is a member.
func (l *loader) writtenAbove(organization string) {
	l.lineage(organization)
	l.children(organization)
	for _, organization := range l.path {
		namespace := v1alpha1.OrganizationNamespace(organization)
		l.namespace(namespace)
		l.teams(namespace)
		l.roles(namespace)
		l.roleBindings(namespace)
	}
	l.roles(v1alpha1.SystemNamespace)
}

// loader gathers a World and remembers the first error, after which it reads nothing more.
type loader struct {
	ctx    context.Context
	reader client.Reader
	world  access.World
	// path are the names of the organization and its ancestors.
	path []string
	// cautious: what isn't known yet of a role's strength counts for what gives more.
	cautious bool
	err      error
}

func (l *loader) list(list client.ObjectList, options ...client.ListOption) {
	if l.err != nil {
		return
	}
	if err := l.reader.List(l.ctx, list, append(options, Shared)...); err != nil {
		l.err = fmt.Errorf("list %T: %w", list, err)
	}
}

// get reads an object and says whether it is there.
func (l *loader) get(name string, object client.Object) bool {
	if l.err != nil {
		return false
	}
	err := l.reader.Get(l.ctx, client.ObjectKey{Name: name}, object, Shared)
	if client.IgnoreNotFound(err) != nil {
		l.err = fmt.Errorf("get %T %s: %w", object, name, err)
	}
	return err == nil
}

// Pointers are the addresses of a list's items, which stay where they are.
func Pointers[T any](items []T) []*T {
	result := make([]*T, 0, len(items))
	for i := range items {
		result = append(result, &items[i])
	}
	return result
}

// lineage reads the organization and all that following the parents leads to.
func (l *loader) lineage(name string) {
	for name != "" && !slices.Contains(l.path, name) {
		organization := &v1alpha1.Organization{}
		if !l.get(name, organization) {
			return
		}
		l.path = append(l.path, name)
		l.world.Organizations = append(l.world.Organizations, organization)
		name = organization.Spec.Parent
	}
}

func (l *loader) children(organization string) {
	var children v1alpha1.OrganizationList
	l.list(&children, client.MatchingFields{OrganizationsByParent: organization})
	for i := range children.Items {
		if !slices.Contains(l.path, children.Items[i].Name) {
			l.world.Organizations = append(l.world.Organizations, &children.Items[i])
		}
	}
}

func (l *loader) namespace(name string) {
	namespace := &corev1.Namespace{}
	if l.get(name, namespace) {
		l.world.Namespaces = append(l.world.Namespaces, namespace)
	}
}

func (l *loader) memberships(namespace string) {
	var list v1alpha1.MembershipList
	l.list(&list, client.InNamespace(namespace))
	l.world.Memberships = append(l.world.Memberships, Pointers(list.Items)...)
}

func (l *loader) teams(namespace string) {
	var list v1alpha1.TeamList
	l.list(&list, client.InNamespace(namespace))
	l.world.Teams = append(l.world.Teams, Pointers(list.Items)...)
}

func (l *loader) roles(namespace string) {
	var list v1alpha1.RoleList
	l.list(&list, client.InNamespace(namespace))
	l.world.Roles = append(l.world.Roles, Pointers(list.Items)...)
}

func (l *loader) roleBindings(namespace string) {
	var list v1alpha1.RoleBindingList
	l.list(&list, client.InNamespace(namespace))
	l.world.RoleBindings = append(l.world.RoleBindings, Pointers(list.Items)...)
}

// apiTokens reads those of the organization itself: they reach no other.
func (l *loader) apiTokens(organization string) {
	var list v1alpha1.APITokenList
	l.list(&list, client.InNamespace(v1alpha1.OrganizationNamespace(organization)))
	l.world.APITokens = Pointers(list.Items)
}

// projects reads the organization's projects, the namespaces with its label, and those that the projects ask for.
func (l *loader) projects(organization string) {
	var projects v1alpha1.ProjectList
	l.list(&projects, client.InNamespace(v1alpha1.OrganizationNamespace(organization)))
	l.world.Projects = Pointers(projects.Items)

	var labelled corev1.NamespaceList
	l.list(&labelled, client.MatchingFields{NamespacesByOrganization: organization})
	known := sets.New[string]()
	for _, namespace := range l.world.Namespaces {
		known.Insert(namespace.Name)
	}
	for i := range labelled.Items {
		if !known.Has(labelled.Items[i].Name) {
			known.Insert(labelled.Items[i].Name)
			l.world.Namespaces = append(l.world.Namespaces, &labelled.Items[i])
		}
	}
	for _, project := range l.world.Projects {
		for _, name := range project.NamespaceNames() {
			if !known.Has(name) {
				known.Insert(name)
				l.namespace(name)
			}
		}
	}
}

// users reads those whom something could hold back: the deactivated ones, and everybody where a second factor is
// required, since who has no User object has none.
func (l *loader) users() {
	var list v1alpha1.UserList
	requiresMFA := func(organization *v1alpha1.Organization) bool { return organization.Spec.RequireMFA }
	if slices.ContainsFunc(l.world.Organizations, requiresMFA) {
		l.list(&list)
	} else {
		l.list(&list, client.MatchingFields{UsersByDeactivated: "true"})
	}
	l.world.Users = Pointers(list.Items)
}

// strengths finds the roles that ServiceAccounts may hold among those that bindings give them.
func (l *loader) strengths(organization string) {
	roles := access.NewRoles(l.world)
	developer := roles.Find("", v1alpha1.RoleDeveloper)
	for _, binding := range l.world.RoleBindings {
		isAccount := func(subject v1alpha1.Subject) bool { return subject.Kind == v1alpha1.SubjectServiceAccount }
		if developer == nil || binding.Namespace != v1alpha1.OrganizationNamespace(organization) ||
			!slices.ContainsFunc(binding.Spec.Subjects, isAccount) {
			continue
		}
		role := roles.Find(organization, binding.Spec.Role)
		if role != nil && l.covers(access.ReferenceTo(developer), access.ReferenceTo(role)) {
			if l.world.AtMostDeveloper == nil {
				l.world.AtMostDeveloper = sets.New[access.RoleReference]()
			}
			l.world.AtMostDeveloper.Insert(access.ReferenceTo(role))
		}
	}
}

// covers says whether a role may do all that another one may do in project namespaces, as both are compiled now.
func (l *loader) covers(stronger, weaker access.RoleReference) bool {
	var most, asked rbacv1.ClusterRole
	if !l.get(rbac.ProjectClusterRole(stronger), &most) || !l.get(rbac.ProjectClusterRole(weaker), &asked) {
		return l.cautious
	}
	covered, _ := validation.Covers(most.Rules, asked.Rules)
	return covered
}

// LoadRoles reads what finds Roles from where an organization ("" for the catalogue) writes their names.
func LoadRoles(ctx context.Context, reader client.Reader, organization string) (*access.Roles, error) {
	load := &loader{ctx: ctx, reader: reader}
	if organization != "" {
		load.lineage(organization)
	}
	for _, organization := range load.path {
		namespace := v1alpha1.OrganizationNamespace(organization)
		load.namespace(namespace)
		load.roles(namespace)
	}
	load.roles(v1alpha1.SystemNamespace)
	return access.NewRoles(load.world), load.err
}

// Descendants are the names of all organizations below one, by their spec.parent.
func Descendants(ctx context.Context, reader client.Reader, organization string) ([]string, error) {
	found := []string{organization}
	for next := 0; next < len(found); next++ {
		var children v1alpha1.OrganizationList
		if err := reader.List(ctx, &children, client.MatchingFields{OrganizationsByParent: found[next]}, Shared); err != nil {
			return nil, fmt.Errorf("list the organizations below %s: %w", found[next], err)
		}
		for i := range children.Items {
			if !slices.Contains(found, children.Items[i].Name) {
				found = append(found, children.Items[i].Name)
			}
		}
	}
	return found[1:], nil
}

// Ancestors are the names of all organizations above one, nearest first.
func Ancestors(ctx context.Context, reader client.Reader, organization string) ([]string, error) {
	load := &loader{ctx: ctx, reader: reader}
	load.lineage(organization)
	if len(load.path) == 0 {
		return nil, load.err
	}
	return load.path[1:], load.err
}

// NamespaceOwner is the organization that a namespace's label names, or nothing.
func NamespaceOwner(ctx context.Context, reader client.Reader, name string) (string, error) {
	namespace := &corev1.Namespace{}
	err := reader.Get(ctx, client.ObjectKey{Name: name}, namespace, Shared)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	return namespace.Labels[v1alpha1.LabelOrganization], err
}

// Owned are the organizations whose owners name a user. They belong to the cache and must not be changed.
func Owned(ctx context.Context, reader client.Reader, username string) ([]*v1alpha1.Organization, error) {
	var list v1alpha1.OrganizationList
	if err := reader.List(ctx, &list, client.MatchingFields{OrganizationsByOwner: username}, Shared); err != nil {
		return nil, fmt.Errorf("list the organizations of owner %s: %w", username, err)
	}
	return Pointers(list.Items), nil
}

// MembershipsOf are a user's Memberships. They belong to the cache and must not be changed.
func MembershipsOf(ctx context.Context, reader client.Reader, username string) ([]*v1alpha1.Membership, error) {
	var list v1alpha1.MembershipList
	if err := reader.List(ctx, &list, client.MatchingFields{MembershipsByUser: username}, Shared); err != nil {
		return nil, fmt.Errorf("list the memberships of %s: %w", username, err)
	}
	return Pointers(list.Items), nil
}

// APITokensOf are a user's APITokens, wherever they are. They belong to the cache and must not be changed.
func APITokensOf(ctx context.Context, reader client.Reader, username string) ([]*v1alpha1.APIToken, error) {
	var list v1alpha1.APITokenList
	if err := reader.List(ctx, &list, client.MatchingFields{APITokensByUser: username}, Shared); err != nil {
		return nil, fmt.Errorf("list the APITokens of %s: %w", username, err)
	}
	return Pointers(list.Items), nil
}

// NeedsPersonal says whether a user is to own a Personal organization: an active member somewhere, not deactivated, who
// owns nothing that lasts.
func NeedsPersonal(ctx context.Context, reader client.Reader, username string, now time.Time) (bool, error) {
	owned, err := Owned(ctx, reader, username)
	if err != nil {
		return false, err
	}
	lasts := func(organization *v1alpha1.Organization) bool { return !access.IsEnding(organization) }
	if slices.ContainsFunc(owned, lasts) {
		return false, nil
	}
	memberships, err := MembershipsOf(ctx, reader, username)
	if err != nil {
		return false, err
	}
	for _, membership := range memberships {
		organization, ok := v1alpha1.OrganizationOf(membership.Namespace)
		if !ok {
			continue
		}
		world, err := LoadUser(ctx, reader, organization, username)
		if err != nil {
			return false, err
		}
		if member, found := access.MemberOf(world, organization, username, now); found &&
			member.Gate != v1alpha1.SuspendedDeactivated {
			return true, nil
		}
	}
	return false, nil
}

// LoadUser reads what places one user in one organization.
func LoadUser(ctx context.Context, reader client.Reader, organization, username string) (access.World, error) {
	load := &loader{ctx: ctx, reader: reader}
	load.lineage(organization)
	for _, organization := range load.path {
		load.namespace(v1alpha1.OrganizationNamespace(organization))
	}
	var memberships v1alpha1.MembershipList
	load.list(&memberships, client.MatchingFields{MembershipsByUser: username})
	var users v1alpha1.UserList
	load.list(&users, client.MatchingFields{UsersByUsername: username})
	load.world.Memberships, load.world.Users = Pointers(memberships.Items), Pointers(users.Items)
	return load.world, load.err
}
