package access_test

import (
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// The words in which the tables write worlds: an element adds one object, an option changes one.

// now is the instant at which tables evaluate.
var now = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// made is when the objects of tables were made.
var made = now.Add(-24 * time.Hour)

type element func(*access.World)

// world holds the catalogue and what the elements add.
func world(elements ...element) access.World {
	world := access.World{AtMostDeveloper: sets.New[access.RoleReference]()}
	for _, name := range []string{
		"owner", "administrator", "maintainer", "developer", "editor", "viewer", "member", "billing", "team-maintainer", "none",
	} {
		role(v1alpha1.SystemNamespace, name)(&world)
	}
	for _, name := range []string{"developer", "editor", "viewer", "member"} {
		world.AtMostDeveloper.Insert(access.RoleReference{Name: name})
	}
	for _, add := range elements {
		add(&world)
	}
	return world
}

func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(made)}
}

func at(instant time.Time) *metav1.Time {
	wrapped := metav1.NewTime(instant)
	return &wrapped
}

// beingDeleted marks any object as on its way out.
func beingDeleted[T metav1.Object](object T) { object.SetDeletionTimestamp(at(now.Add(-time.Minute))) }

func names[T ~string](values []string) []T {
	converted := make([]T, 0, len(values))
	for _, value := range values {
		converted = append(converted, T(value))
	}
	return converted
}

// organization adds an Organization, owned by olga, and its namespace.
func organization(name string, options ...func(*v1alpha1.Organization)) element {
	return func(w *access.World) {
		object := &v1alpha1.Organization{ObjectMeta: meta("", name)}
		object.Spec.Owners = []v1alpha1.Username{"olga"}
		for _, option := range options {
			option(object)
		}
		w.Organizations = append(w.Organizations, object)
		if !object.IsPersonal() {
			w.Namespaces = append(w.Namespaces, labelled("org-"+name, v1alpha1.LabelOrganization, name))
		}
	}
}

func below(parent string) func(*v1alpha1.Organization) {
	return func(o *v1alpha1.Organization) { o.Spec.Parent = parent }
}

func ownedBy(owners ...string) func(*v1alpha1.Organization) {
	return func(o *v1alpha1.Organization) { o.Spec.Owners = names[v1alpha1.Username](owners) }
}

func requiringMFA(o *v1alpha1.Organization) { o.Spec.RequireMFA = true }

func personal(o *v1alpha1.Organization) { o.Spec.Type = v1alpha1.OrganizationPersonal }

func defaultRoles(roles ...string) func(*v1alpha1.Organization) {
	return func(o *v1alpha1.Organization) { o.Spec.Membership.DefaultRoles = names[v1alpha1.RoleName](roles) }
}

// chain adds organizations, the first one at the top, each below the one before.
func chain(organizations ...string) element {
	return func(w *access.World) {
		for i, name := range organizations {
			if i == 0 {
				organization(name)(w)
				continue
			}
			organization(name, below(organizations[i-1]))(w)
		}
	}
}

// member adds a Membership that is named after the user.
func member(organization, user string, options ...func(*v1alpha1.Membership)) element {
	return func(w *access.World) {
		object := &v1alpha1.Membership{ObjectMeta: meta("org-"+organization, user)}
		object.Spec.User = v1alpha1.Username(user)
		for _, option := range options {
			option(object)
		}
		w.Memberships = append(w.Memberships, object)
	}
}

func roles(roles ...string) func(*v1alpha1.Membership) {
	return func(m *v1alpha1.Membership) { m.Spec.Roles = names[v1alpha1.RoleName](roles) }
}

func suspended(m *v1alpha1.Membership) { m.Spec.Suspended = true }

func invited(m *v1alpha1.Membership) { m.Spec.Invitation = &v1alpha1.InvitationSpec{} }

func invitedFor(life time.Duration) func(*v1alpha1.Membership) {
	return func(m *v1alpha1.Membership) {
		m.Spec.Invitation = &v1alpha1.InvitationSpec{ExpiresAfter: &metav1.Duration{Duration: life}}
	}
}

func answered(response v1alpha1.InvitationResponse) func(*v1alpha1.Membership) {
	return func(m *v1alpha1.Membership) { invited(m); m.Spec.Response = response }
}

func ending(instant time.Time) func(*v1alpha1.Membership) {
	return func(m *v1alpha1.Membership) { m.Spec.ExpiresAt = at(instant) }
}

func madeAs(name string, age time.Duration) func(*v1alpha1.Membership) {
	return func(m *v1alpha1.Membership) {
		m.Name = name
		m.CreationTimestamp = metav1.NewTime(now.Add(-age))
	}
}

// team adds a Team.
func team(organization, name string, options ...func(*v1alpha1.TeamSpec)) element {
	return func(w *access.World) {
		object := &v1alpha1.Team{ObjectMeta: meta("org-"+organization, name)}
		for _, option := range options {
			option(&object.Spec)
		}
		w.Teams = append(w.Teams, object)
	}
}

func of(members ...string) func(*v1alpha1.TeamSpec) {
	return func(t *v1alpha1.TeamSpec) { t.Members = names[v1alpha1.Username](members) }
}

func as(role string) func(*v1alpha1.TeamSpec) {
	return func(t *v1alpha1.TeamSpec) { t.Role = v1alpha1.RoleName(role) }
}

func within(parent string) func(*v1alpha1.TeamSpec) {
	return func(t *v1alpha1.TeamSpec) { t.Parent = v1alpha1.ObjectName(parent) }
}

func standingFor(group string) func(*v1alpha1.TeamSpec) {
	return func(t *v1alpha1.TeamSpec) { t.IdentityGroup = group }
}

func on(projects ...string) func(*v1alpha1.TeamSpec) {
	return func(t *v1alpha1.TeamSpec) { t.Projects = names[v1alpha1.ObjectName](projects) }
}

func onMatching(selector *metav1.LabelSelector) func(*v1alpha1.TeamSpec) {
	return func(t *v1alpha1.TeamSpec) { t.ProjectSelector = selector }
}

func onAll(t *v1alpha1.TeamSpec) { t.AllProjects = true }

func matching(key, value string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
}

// project adds a Project and its namespaces, labelled.
func project(organization, name string, options ...func(*v1alpha1.Project)) element {
	return func(w *access.World) {
		object := &v1alpha1.Project{ObjectMeta: meta("org-"+organization, name)}
		for _, option := range options {
			option(object)
		}
		w.Projects = append(w.Projects, object)
		for _, namespace := range object.NamespaceNames() {
			w.Namespaces = append(w.Namespaces, labelled(namespace,
				v1alpha1.LabelOrganization, organization, v1alpha1.LabelProject, name))
		}
	}
}

func with(key, value string) func(*v1alpha1.Project) {
	return func(p *v1alpha1.Project) { p.Labels = map[string]string{key: value} }
}

func in(namespaces ...string) func(*v1alpha1.Project) {
	return func(p *v1alpha1.Project) { p.Spec.Namespaces = names[v1alpha1.NamespaceName](namespaces) }
}

func labelled(name string, pairs ...string) *corev1.Namespace {
	namespace := &corev1.Namespace{ObjectMeta: meta("", name)}
	namespace.Labels = map[string]string{}
	for pair := range slices.Chunk(pairs, 2) {
		namespace.Labels[pair[0]] = pair[1]
	}
	return namespace
}

// namespace puts another Namespace in the place of one that an organization or project brought.
func namespace(name string, pairs ...string) element {
	return func(w *access.World) {
		withoutNamespace(name)(w)
		w.Namespaces = append(w.Namespaces, labelled(name, pairs...))
	}
}

func withoutNamespace(name string) element {
	return func(w *access.World) {
		w.Namespaces = slices.DeleteFunc(w.Namespaces, func(n *corev1.Namespace) bool { return n.Name == name })
	}
}

// deleting marks one object as being deleted, by namespace and name, and that as confirmed.
func deleting(kind, namespace, name string) element {
	return func(w *access.World) {
		deletingUnconfirmed(kind, namespace, name)(w)
		eachObject(*w, func(found string, object metav1.Object) {
			if found == kind && object.GetNamespace() == namespace && object.GetName() == name {
				object.SetAnnotations(map[string]string{v1alpha1.AnnotationConfirmDeletion: name})
			}
		})
	}
}

// deletingUnconfirmed marks one object as being deleted, by namespace and name.
func deletingUnconfirmed(kind, namespace, name string) element {
	return func(w *access.World) {
		marked := 0
		mark := func(found string, object metav1.Object) {
			if found == kind && object.GetNamespace() == namespace && object.GetName() == name {
				beingDeleted(object)
				marked++
			}
		}
		eachObject(*w, mark)
		Expect(marked).To(Equal(1), "%s %s/%s is to be there once", kind, namespace, name)
	}
}

func eachObject(w access.World, visit func(kind string, object metav1.Object)) {
	visitAll(w.Organizations, access.KindOrganization, visit)
	visitAll(w.Memberships, access.KindMembership, visit)
	visitAll(w.Teams, access.KindTeam, visit)
	visitAll(w.Projects, access.KindProject, visit)
	visitAll(w.Roles, "Role", visit)
	visitAll(w.RoleBindings, access.KindRoleBinding, visit)
	visitAll(w.APITokens, access.KindAPIToken, visit)
	visitAll(w.Users, "User", visit)
	visitAll(w.Namespaces, "Namespace", visit)
}

func visitAll[T metav1.Object](objects []T, kind string, visit func(string, metav1.Object)) {
	for _, object := range objects {
		visit(kind, object)
	}
}

// role adds a Role, by namespace.
func role(namespace, name string) element {
	return func(w *access.World) {
		w.Roles = append(w.Roles, &v1alpha1.Role{ObjectMeta: meta(namespace, name)})
	}
}

// withoutRole takes a Role away, by namespace.
func withoutRole(namespace, name string) element {
	return func(w *access.World) {
		w.Roles = slices.DeleteFunc(w.Roles, func(r *v1alpha1.Role) bool {
			return r.Namespace == namespace && r.Name == name
		})
	}
}

// binding adds a RoleBinding named after its role.
func binding(organization, role string, options ...func(*v1alpha1.RoleBindingSpec)) element {
	return func(w *access.World) {
		object := &v1alpha1.RoleBinding{ObjectMeta: meta("org-"+organization, role)}
		object.Spec.Role = v1alpha1.RoleName(role)
		for _, option := range options {
			option(&object.Spec)
		}
		w.RoleBindings = append(w.RoleBindings, object)
	}
}

func toSubject(kind v1alpha1.SubjectKind, namespace, name string) func(*v1alpha1.RoleBindingSpec) {
	return func(b *v1alpha1.RoleBindingSpec) {
		b.Subjects = append(b.Subjects, v1alpha1.Subject{
			Kind: kind, Namespace: v1alpha1.NamespaceName(namespace), Name: name,
		})
	}
}

func toUser(name string) func(*v1alpha1.RoleBindingSpec) {
	return toSubject(v1alpha1.SubjectUser, "", name)
}

func toTeam(name string) func(*v1alpha1.RoleBindingSpec) {
	return toSubject(v1alpha1.SubjectTeam, "", name)
}

func toGroup(name string) func(*v1alpha1.RoleBindingSpec) {
	return toSubject(v1alpha1.SubjectGroup, "", name)
}

func toServiceAccount(namespace, name string) func(*v1alpha1.RoleBindingSpec) {
	return toSubject(v1alpha1.SubjectServiceAccount, namespace, name)
}

func forProjects(projects ...string) func(*v1alpha1.RoleBindingSpec) {
	return func(b *v1alpha1.RoleBindingSpec) { b.Projects = names[v1alpha1.ObjectName](projects) }
}

func forMatching(selector *metav1.LabelSelector) func(*v1alpha1.RoleBindingSpec) {
	return func(b *v1alpha1.RoleBindingSpec) { b.ProjectSelector = selector }
}

func organizationWide(b *v1alpha1.RoleBindingSpec) { b.OrganizationWide = true }

func from(instant time.Time) func(*v1alpha1.RoleBindingSpec) {
	return func(b *v1alpha1.RoleBindingSpec) { b.NotBefore = at(instant) }
}

func until(instant time.Time) func(*v1alpha1.RoleBindingSpec) {
	return func(b *v1alpha1.RoleBindingSpec) { b.ExpiresAt = at(instant) }
}

// user adds a User.
func user(username string, options ...func(*v1alpha1.UserSpec)) element {
	return func(w *access.World) {
		object := &v1alpha1.User{ObjectMeta: meta("", fmt.Sprintf("%s-%d", username, len(w.Users)))}
		object.Spec.Username = v1alpha1.Username(username)
		for _, option := range options {
			option(&object.Spec)
		}
		w.Users = append(w.Users, object)
	}
}

func deactivated(u *v1alpha1.UserSpec) { u.Deactivated = true }

func enrolled(u *v1alpha1.UserSpec) { u.MFA.Enrolled = true }

// expand writes out grants, subject by subject and namespace by namespace.
func expand(result access.Result) map[tuple]bool {
	granted := map[tuple]bool{}
	for _, grant := range result.Grants {
		places := slices.Clone(grant.Scope.Namespaces)
		if grant.Scope.Organization {
			places = append(places, result.Namespace)
		}
		for _, subject := range grant.Subjects {
			for _, where := range places {
				granted[tuple{subject.Kind, subject.Namespace, subject.Name, where, grant.Role}] = true
			}
		}
	}
	return granted
}

// written sorts tuples as text.
func written(granted map[tuple]bool) []string {
	lines := make([]string, 0, len(granted))
	for answer := range granted {
		lines = append(lines, answer.String())
	}
	slices.Sort(lines)
	return lines
}

// grantsIn is everything that an organization grants, but for what olga has, who owns it.
func grantsIn(world access.World, organization string) []string {
	GinkgoHelper()
	granted := expand(access.Evaluate(world, organization, now))
	for answer := range granted {
		if answer.name == "olga" {
			delete(granted, answer)
		}
	}
	return written(granted)
}
