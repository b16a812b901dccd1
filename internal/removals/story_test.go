package removals_test

import (
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/removals"
)

const acme = "acme"

// story is organization acme over some time: specs change the world, let time pass and sync.
type story struct {
	world    engine.World
	now      time.Time
	percent  int
	approved string
	// lost: the state can't be written.
	lost bool

	syncs    int
	state    *removals.State
	decision removals.Decision
	result   engine.Result
}

// newStory has the catalogue, acme owned by olga, and projects.
func newStory(projects ...string) *story {
	s := &story{now: time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC), percent: 20}
	for _, name := range []string{"owner", "developer", "viewer", "member", "none"} {
		s.world.Roles = append(s.world.Roles, &v1alpha1.Role{ObjectMeta: meta(v1alpha1.SystemNamespace, name)})
	}
	organization := &v1alpha1.Organization{ObjectMeta: meta("", acme)}
	organization.UID, organization.Spec.Owners = "acme's", []v1alpha1.Username{"olga"}
	s.world.Organizations = []*v1alpha1.Organization{organization}
	s.world.Namespaces = []*corev1.Namespace{labelled("org-acme", "")}
	for _, name := range projects {
		s.project(name)
	}
	return s
}

func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func labelled(name, project string) *corev1.Namespace {
	namespace := &corev1.Namespace{ObjectMeta: meta("", name)}
	namespace.Labels = map[string]string{v1alpha1.LabelOrganization: acme}
	if project != "" {
		namespace.Labels[v1alpha1.LabelProject] = project
	}
	return namespace
}

func (s *story) project(name string) {
	s.world.Projects = append(s.world.Projects, &v1alpha1.Project{ObjectMeta: meta("org-acme", name)})
	s.world.Namespaces = append(s.world.Namespaces, labelled("acme-"+name, name))
}

// numbered are n users whose names sort by their numbers.
func numbered(prefix string, n int) []string {
	users := make([]string, 0, n)
	for i := range n {
		users = append(users, fmt.Sprintf("%s-%04d", prefix, i))
	}
	return users
}

// join gives users a Membership each.
func (s *story) join(users []string, roles ...v1alpha1.RoleName) {
	for _, user := range users {
		membership := &v1alpha1.Membership{ObjectMeta: meta("org-acme", user)}
		membership.Spec.User, membership.Spec.Roles = v1alpha1.Username(user), roles
		s.world.Memberships = append(s.world.Memberships, membership)
	}
}

// leave deletes the Memberships of users.
func (s *story) leave(users ...string) {
	gone := sets.New(users...)
	s.world.Memberships = slices.DeleteFunc(slices.Clone(s.world.Memberships), func(m *v1alpha1.Membership) bool {
		return gone.Has(m.Name)
	})
}

// change changes the Memberships of users.
func (s *story) change(users []string, change func(*v1alpha1.MembershipSpec)) {
	changed := sets.New(users...)
	for at, membership := range s.world.Memberships {
		if changed.Has(membership.Name) {
			copied := membership.DeepCopy()
			change(&copied.Spec)
			s.world.Memberships[at] = copied
		}
	}
}

func (s *story) team(name string, users []string, role v1alpha1.RoleName, projects ...v1alpha1.ObjectName) *v1alpha1.Team {
	team := &v1alpha1.Team{ObjectMeta: meta("org-acme", name)}
	team.Spec.Role, team.Spec.Projects = role, projects
	for _, user := range users {
		team.Spec.Members = append(team.Spec.Members, v1alpha1.Username(user))
	}
	s.world.Teams = append(s.world.Teams, team)
	return team
}

func (s *story) deactivate(users ...string) {
	for _, user := range users {
		object := &v1alpha1.User{ObjectMeta: meta("", user)}
		object.Spec.Username, object.Spec.Deactivated = v1alpha1.Username(user), true
		s.world.Users = append(s.world.Users, object)
	}
}

// gives: member gives nothing in projects.
func gives(role engine.RoleReference) (organization, projects bool) {
	return true, role.Name != v1alpha1.RoleMember
}

// sync decides, and keeps the state as the manager does: written and read again.
func (s *story) sync() {
	s.syncs++
	s.result = engine.Evaluate(s.world, acme, s.now)
	s.decision = removals.Decide(s.state, removals.Situation{
		World: s.world, Result: s.result, Gives: gives, Now: s.now,
		Percent: s.percent, Approved: s.approved, Nonce: fmt.Sprintf("nonce %d", s.syncs),
	})
	if s.lost && s.decision.Urgent {
		s.result.Grants = append(s.result.Grants, s.decision.Cautious...)
		return
	}
	s.result.Grants = append(s.result.Grants, s.decision.Grants...)
	content, err := removals.Encode(s.decision.State)
	Expect(err).NotTo(HaveOccurred())
	s.state, err = removals.Decode(content)
	Expect(err).NotTo(HaveOccurred())
}

// after lets time pass, and syncs.
func (s *story) after(pause time.Duration) {
	s.now = s.now.Add(pause)
	s.sync()
}

// reach is where users have something: "user namespace".
func (s *story) reach() sets.Set[string] {
	found := sets.New[string]()
	for _, grant := range s.result.Grants {
		organization, projects := gives(grant.Role)
		for _, subject := range grant.Subjects {
			if subject.Kind != rbacv1.UserKind {
				continue
			}
			if organization && grant.Scope.Organization {
				found.Insert(subject.Name + " org-acme")
			}
			for _, namespace := range grant.Scope.Namespaces {
				if projects {
					found.Insert(subject.Name + " " + namespace)
				}
			}
		}
	}
	return found
}

// in are those of some users who have something in a namespace.
func (s *story) in(namespace string, users []string) []string {
	reach := s.reach()
	var found []string
	for _, user := range users {
		if reach.Has(user + " " + namespace) {
			found = append(found, user)
		}
	}
	return found
}

func (s *story) held() []string { return s.state.Held.Users() }

func (s *story) digest() string { return s.state.Held.Digest() }
