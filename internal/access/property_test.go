package access_test

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

var _ = Describe("In small dense worlds of every kind", func() {
	It("the engine grants what the naive implementation grants", func() {
		checkOrganizations(func(t *rapid.T, world access.World, organization string) {
			sameGrants(t, world, access.Evaluate(world, organization, now), naive{world, now}.grants(organization))
		})
	})

	It("the engine and the naive implementation name the same members with the same roles", func() {
		checkOrganizations(func(t *rapid.T, world access.World, organization string) {
			result := access.Evaluate(world, organization, now)
			found := map[string]bool{}
			for _, member := range result.Members {
				found[member.User] = true
				sameMember(t, world, member, organization)
			}
			for _, user := range (naive{world, now}).everyUser() {
				if expected := !result.Ended && (naive{world, now}).isMember(user, organization); expected != found[user] {
					t.Fatalf("%s is a member of %s: expected %v, found %v in\n%s",
						user, organization, expected, found[user], describe(world))
				}
			}
		})
	})

	It("asked for one user, the engine says what it says of all", func() {
		checkOrganizations(func(t *rapid.T, world access.World, organization string) {
			result := access.Evaluate(world, organization, now)
			if result.Ended {
				return
			}
			for _, user := range (naive{world, now}).everyUser() {
				at := slices.IndexFunc(result.Members, func(member access.Member) bool { return member.User == user })
				member, found := access.MemberOf(knownOf(world, user), organization, user, now)
				if found != (at >= 0) || found && !reflect.DeepEqual(member, result.Members[at]) {
					t.Fatalf("alone, %s in %s is %v %+v; among all %+v in\n%s",
						user, organization, found, member, result.Members, describe(world))
				}
			}
		})
	})

	It("evaluating changes no object", func() {
		checkOrganizations(func(t *rapid.T, world access.World, organization string) {
			before := copyOf(world)
			access.Evaluate(world, organization, now)
			if !reflect.DeepEqual(before, world) {
				t.Fatalf("Evaluate of %s changed its input:\n%s\nafter:\n%s", organization, describe(before), describe(world))
			}
		})
	})

	It("the order of the objects makes no difference", func() {
		checkOrganizations(func(t *rapid.T, world access.World, organization string) {
			sameResult(t, world, access.Evaluate(world, organization, now),
				access.Evaluate(shuffled(t, world), organization, now), "another order of the objects")
		})
	})

	It("objects of organizations that are neither above nor directly below make no difference", func() {
		checkOrganizations(func(t *rapid.T, world access.World, organization string) {
			sameResult(t, world, access.Evaluate(world, organization, now),
				access.Evaluate(neededFor(world, organization), organization, now), "what the organization needs alone")
		})
	})

	It("nothing changes before NextChange", func() {
		checkOrganizations(func(t *rapid.T, world access.World, organization string) {
			result := access.Evaluate(world, organization, now)
			wait := 1000 * time.Hour
			if !result.NextChange.IsZero() {
				wait = result.NextChange.Sub(now)
			}
			if wait <= 0 {
				t.Fatalf("NextChange of %s is %s, which isn't after %s", organization, result.NextChange, now)
			}
			// All drawn instants are whole hours.
			for _, later := range []time.Duration{
				1, 30 * time.Minute, 59 * time.Minute, 90 * time.Minute, 150 * time.Minute, wait - 1,
			} {
				if later < wait {
					sameResult(t, world, result, access.Evaluate(world, organization, now.Add(later)),
						"an instant before NextChange")
				}
			}
		})
	})

	It("every grant is explained by objects that are there, and reaches members that nothing holds back", func() {
		checkOrganizations(func(t *rapid.T, world access.World, organization string) {
			result := access.Evaluate(world, organization, now)
			for _, grant := range result.Grants {
				checkExplanation(t, world, grant)
				checkSubjects(t, world, result, grant)
			}
		})
	})
})

// checkOrganizations holds a property for every organization of many worlds, and for one that isn't there.
func checkOrganizations(property func(t *rapid.T, world access.World, organization string)) {
	GinkgoHelper()
	rapid.Check(GinkgoT(), func(t *rapid.T) {
		world := drawWorld(t)
		for _, organization := range world.Organizations {
			property(t, world, organization.Name)
		}
		property(t, world, "missing")
	})
}

func sameGrants(t *rapid.T, world access.World, result access.Result, expected map[tuple]bool) {
	found := expand(result)
	if maps.Equal(found, expected) {
		return
	}
	tooMuch, tooLittle := maps.Clone(found), maps.Clone(expected)
	maps.DeleteFunc(tooMuch, func(answer tuple, _ bool) bool { return expected[answer] })
	maps.DeleteFunc(tooLittle, func(answer tuple, _ bool) bool { return found[answer] })
	t.Fatalf("%s: the engine grants what the naive implementation doesn't:\n%s\nand doesn't grant what it does:\n%s\nin\n%s",
		result.Organization, strings.Join(written(tooMuch), "\n"), strings.Join(written(tooLittle), "\n"), describe(world))
}

func sameResult(t *rapid.T, world access.World, expected, found access.Result, because string) {
	if !reflect.DeepEqual(expected, found) {
		t.Fatalf("%s: %s gives\n%+v\ninstead of\n%+v\nin\n%s", expected.Organization, because, found, expected, describe(world))
	}
}

func sameMember(t *rapid.T, world access.World, member access.Member, organization string) {
	slow := naive{world, now}
	if heldBack := slow.heldBack(member.User, organization); heldBack != (member.Gate != "") {
		t.Fatalf("%s in %s: expected to be held back %v, found gate %q in\n%s",
			member.User, organization, heldBack, member.Gate, describe(world))
	}
	if owner := slow.isOwner(member.User, organization); owner != (member.Source == v1alpha1.SourceOwner) {
		t.Fatalf("%s in %s: expected to be an owner %v, found source %q in\n%s",
			member.User, organization, owner, member.Source, describe(world))
	}
	for _, via := range member.Via {
		checkExists(t, world, via)
	}
}

func checkExplanation(t *rapid.T, world access.World, grant access.Grant) {
	if len(grant.Via) == 0 {
		t.Fatalf("a grant of %v has no explanation in\n%s", grant.Role, describe(world))
	}
	for _, via := range grant.Via {
		checkExists(t, world, via)
	}
	if grant.Role.Name == v1alpha1.RoleNone {
		t.Fatalf("none is granted via %v in\n%s", grant.Via, describe(world))
	}
	if !slices.IsSorted(grant.Scope.Namespaces) {
		t.Fatalf("a grant's namespaces %v aren't sorted", grant.Scope.Namespaces)
	}
}

func checkExists(t *rapid.T, world access.World, reference access.ObjectReference) {
	found := false
	eachObject(world, func(kind string, object metav1.Object) {
		found = found || reference == access.ObjectReference{
			Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName(),
		}
	})
	if !found {
		t.Fatalf("an explanation names %s, which isn't there, in\n%s", reference, describe(world))
	}
}

func checkSubjects(t *rapid.T, world access.World, result access.Result, grant access.Grant) {
	if len(grant.Subjects) == 0 {
		t.Fatalf("a grant of %v has no subjects in\n%s", grant.Role, describe(world))
	}
	// Users come first, sorted; a team's group comes after its members.
	if !slices.IsSortedFunc(grant.Subjects, func(a, b rbacv1.Subject) int {
		return cmp.Or(-strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	}) {
		t.Fatalf("a grant's subjects %v aren't sorted", grant.Subjects)
	}
	for _, subject := range grant.Subjects {
		if subject.Kind != rbacv1.UserKind {
			continue
		}
		acts := slices.ContainsFunc(result.Members, func(member access.Member) bool {
			return member.User == subject.Name && member.Gate == ""
		})
		if !acts && !actsFromOutside(world, result.Organization, grant, subject.Name) {
			t.Fatalf("%s has %v in %s without being a member that nothing holds back in\n%s",
				subject.Name, grant.Role, result.Organization, describe(world))
		}
	}
}

// actsFromOutside says whether a grant comes from a team of an organization in which the user is a member whom nothing holds
// back, there or here.
func actsFromOutside(world access.World, organization string, grant access.Grant, user string) bool {
	last := grant.Via[len(grant.Via)-1]
	home := strings.TrimPrefix(last.Namespace, "org-")
	slow := naive{world, now}
	return last.Kind == access.KindTeam && home != organization && slow.isMember(user, home) &&
		!slow.heldBack(user, home) && !slow.heldBack(user, organization)
}

// describe writes a world for whoever has to find out why a property failed.
func describe(world access.World) string {
	text, err := yaml.Marshal(map[string]any{
		"organizations": world.Organizations, "memberships": world.Memberships, "teams": world.Teams,
		"projects": world.Projects, "roles": world.Roles, "roleBindings": world.RoleBindings, "users": world.Users,
		"apiTokens":  world.APITokens,
		"namespaces": world.Namespaces, "atMostDeveloper": world.AtMostDeveloper.UnsortedList(),
	})
	if err != nil {
		return fmt.Sprintf("%+v", world)
	}
	return string(text)
}

func copyOf(world access.World) access.World {
	return access.World{
		Organizations:   copies(world.Organizations),
		Memberships:     copies(world.Memberships),
		Teams:           copies(world.Teams),
		Projects:        copies(world.Projects),
		Roles:           copies(world.Roles),
		RoleBindings:    copies(world.RoleBindings),
		APITokens:       copies(world.APITokens),
		Users:           copies(world.Users),
		Namespaces:      copies(world.Namespaces),
		AtMostDeveloper: world.AtMostDeveloper.Clone(),
	}
}

func copies[T interface{ DeepCopy() T }](objects []T) []T {
	copied := slices.Clone(objects)
	for i, object := range objects {
		copied[i] = object.DeepCopy()
	}
	return copied
}

func shuffled(t *rapid.T, world access.World) access.World {
	return access.World{
		Organizations:   permuted(t, world.Organizations),
		Memberships:     permuted(t, world.Memberships),
		Teams:           permuted(t, world.Teams),
		Projects:        permuted(t, world.Projects),
		Roles:           permuted(t, world.Roles),
		RoleBindings:    permuted(t, world.RoleBindings),
		APITokens:       permuted(t, world.APITokens),
		Users:           permuted(t, world.Users),
		Namespaces:      permuted(t, world.Namespaces),
		AtMostDeveloper: world.AtMostDeveloper,
	}
}

func permuted[T any](t *rapid.T, objects []T) []T {
	if len(objects) == 0 {
		return objects
	}
	return rapid.Permutation(objects).Draw(t, "order")
}

// keptLine adds an organization and those above it.
func keptLine(world access.World, organization string, kept sets.Set[string]) {
	for name := organization; name != "" && !kept.Has(name); {
		kept.Insert(name)
		above := slices.IndexFunc(world.Organizations, func(o *v1alpha1.Organization) bool { return o.Name == name })
		if above < 0 {
			return
		}
		name = world.Organizations[above].Spec.Parent
	}
}

// letIn are the organizations whose teams are let in by those of a line, and those above them.
func letIn(world access.World, line sets.Set[string]) sets.Set[string] {
	found := sets.New[string]()
	for _, binding := range world.RoleBindings {
		if owner, _ := v1alpha1.OrganizationOf(binding.Namespace); !line.Has(owner) {
			continue
		}
		for _, subject := range binding.Spec.Subjects {
			keptLine(world, subject.Organization, found)
		}
	}
	return found
}

// neededFor keeps what the engine says that it needs for one organization: the organization, those above, those
// directly below, and what lives in their namespaces and in the catalogue's; and the people and teams of those whose teams
// are let in.
func neededFor(world access.World, organization string) access.World {
	kept := sets.New[string]()
	keptLine(world, organization, kept)
	outside := letIn(world, kept)
	for _, child := range world.Organizations {
		if child.Spec.Parent == organization {
			kept.Insert(child.Name)
		}
	}
	world.Organizations = keep(world.Organizations, func(object metav1.Object) bool {
		return kept.Has(object.GetName()) || outside.Has(object.GetName())
	})
	needed := func(object metav1.Object) bool {
		owner, _ := v1alpha1.OrganizationOf(object.GetNamespace())
		return kept.Has(owner) || object.GetNamespace() == v1alpha1.SystemNamespace
	}
	people := func(object metav1.Object) bool {
		owner, _ := v1alpha1.OrganizationOf(object.GetNamespace())
		return needed(object) || outside.Has(owner)
	}
	world.Memberships = keep(world.Memberships, people)
	world.Teams = keep(world.Teams, people)
	world.Projects = keep(world.Projects, needed)
	world.Roles = keep(world.Roles, needed)
	world.RoleBindings = keep(world.RoleBindings, needed)
	world.APITokens = keep(world.APITokens, needed)
	return world
}

// knownOf keeps what the engine says that it needs for one user's place.
func knownOf(world access.World, user string) access.World {
	return access.World{
		Organizations: world.Organizations,
		Namespaces:    world.Namespaces,
		Memberships: slices.DeleteFunc(slices.Clone(world.Memberships), func(m *v1alpha1.Membership) bool {
			return string(m.Spec.User) != user
		}),
		Users: slices.DeleteFunc(slices.Clone(world.Users), func(u *v1alpha1.User) bool {
			return string(u.Spec.Username) != user
		}),
	}
}

func keep[T metav1.Object](objects []T, needed func(metav1.Object) bool) []T {
	return slices.DeleteFunc(slices.Clone(objects), func(object T) bool { return !needed(object) })
}

// The generator.

// drawer draws small worlds. It chooses by fair coins: rapid's own numbers lean to small ones and would make most
// worlds alike.
type drawer struct {
	t             *rapid.T
	world         access.World
	organizations []string
}

var coins = rapid.Custom(func(t *rapid.T) int {
	number := 0
	for range 6 {
		number *= 2
		if rapid.Bool().Draw(t, "coin") {
			number++
		}
	}
	return number
})

// oneIn is true once in n times.
func (d *drawer) oneIn(n int) bool { return d.below(n) == n-1 }

// below is a number from 0 to n-1.
func (d *drawer) below(n int) int { return coins.Draw(d.t, "choice") % n }

func pick[T any](d *drawer, choices ...T) T { return choices[d.below(len(choices))] }

// some are a few of the choices, possibly none and possibly with one twice.
func some[T any](d *drawer, most int, choices ...T) []T {
	var chosen []T
	for range d.below(most + 1) {
		chosen = append(chosen, pick(d, choices...))
	}
	return chosen
}

var (
	everyone     = []v1alpha1.Username{"u1", "u2", "u3", "u4", "u5"}
	everyTeam    = []v1alpha1.ObjectName{"t1", "t2", "t3"}
	everyProject = []v1alpha1.ObjectName{"p1", "p2", "p3"}
	everyRole    = []v1alpha1.RoleName{
		"viewer", "developer", "administrator", "member", "crawler", "auditor", "owner", "none", "absent",
	}
	everyGroup = []string{"oidc:red", "oidc:blue"}
)

func drawWorld(t *rapid.T) access.World {
	d := &drawer{t: t, world: access.World{AtMostDeveloper: sets.New(
		access.RoleReference{Name: "viewer"}, access.RoleReference{Name: "developer"}, access.RoleReference{Name: "none"},
	)}}
	d.drawCatalogue()
	for i := range 3 + d.below(4) {
		d.organizations = append(d.organizations, fmt.Sprintf("o%d", i+1))
	}
	for i := range d.organizations {
		d.drawOrganization(i)
	}
	d.drawLongChain()
	d.drawUsers()
	for _, organization := range d.organizations {
		d.drawMemberships(organization)
		d.drawProjects(organization)
		d.drawTeams(organization)
		d.drawBindings(organization)
		d.drawRoles(organization)
		d.drawTokens(organization)
	}
	return d.world
}

func (d *drawer) drawCatalogue() {
	for _, name := range []string{"owner", "administrator", "developer", "viewer", "member", "team-maintainer", "none"} {
		if !d.oneIn(12) {
			d.addRole(v1alpha1.SystemNamespace, name)
		}
	}
}

// addRole adds a Role that mostly includes nothing, else one or two others, itself too. What maintainers of teams hold includes
// nothing: naming a maintainer takes no right to give a role.
func (d *drawer) addRole(namespace, name string) {
	object := &v1alpha1.Role{ObjectMeta: d.meta(namespace, name)}
	if name != v1alpha1.RoleTeamMaintainer && d.oneIn(3) {
		object.Spec.Includes = some(d, 2, append(everyRole[:6:6], "absent")...)
	}
	d.world.Roles = append(d.world.Roles, object)
}

// meta is that of an object of some age, which is seldom being deleted.
func (d *drawer) meta(namespace, name string) metav1.ObjectMeta {
	drawn := metav1.ObjectMeta{Namespace: namespace, Name: name}
	drawn.CreationTimestamp = metav1.NewTime(now.Add(-pick[time.Duration](d, 10, 20, 30) * time.Hour))
	if d.oneIn(20) {
		drawn.DeletionTimestamp = at(now.Add(-time.Minute))
		drawn.Finalizers = []string{v1alpha1.Finalizer}
		if !d.oneIn(4) {
			drawn.Annotations = map[string]string{v1alpha1.AnnotationConfirmDeletion: name}
		}
	}
	return drawn
}

// drawOrganization mostly makes trees: a parent comes before its children.
func (d *drawer) drawOrganization(i int) {
	name := d.organizations[i]
	object := &v1alpha1.Organization{ObjectMeta: d.meta("", name)}
	object.Spec.Owners = append(some(d, 1, everyone...), pick(d, everyone...), "olga")[:1+d.below(2)]
	object.Spec.RequireMFA = d.oneIn(10)
	object.Spec.Membership.DefaultRoles = some(d, 1, everyRole...)
	if d.oneIn(4) {
		object.Spec.Tokens.MaxTTL = &metav1.Duration{Duration: pick[time.Duration](d, 10, 19, 22, 32) * time.Hour}
	}
	if d.oneIn(4) {
		object.Spec.Membership.InvitationTTL = &metav1.Duration{Duration: pick[time.Duration](d, 9, 20, 25) * time.Hour}
	}
	switch d.below(8) {
	case 0:
	case 1:
		object.Spec.Parent = pick(d, "missing", pick(d, d.organizations...))
	default:
		if i > 0 {
			object.Spec.Parent = d.organizations[d.below(i)]
		}
	}
	if object.Spec.Parent == "" && d.oneIn(8) {
		object.Spec.Type = v1alpha1.OrganizationPersonal
	}
	d.world.Organizations = append(d.world.Organizations, object)
	d.drawNamespace("org-"+name, name, "")
}

// drawLongChain now and then puts the organizations above so many others that some are too deep.
func (d *drawer) drawLongChain() {
	if !d.oneIn(8) {
		return
	}
	parent := pick(d, d.organizations...)
	for i := range 6 + d.below(3) {
		name := fmt.Sprintf("deep%d", i+1)
		object := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: name}}
		object.Spec.Owners = []v1alpha1.Username{"olga"}
		object.Spec.Parent = parent
		d.world.Organizations = append(d.world.Organizations, object)
		d.world.Namespaces = append(d.world.Namespaces, labelled("org-"+name, v1alpha1.LabelOrganization, name))
		parent = name
	}
	d.organizations = append(d.organizations, parent)
}

// drawNamespace adds a namespace for an organization or project, seldom one that isn't in order.
func (d *drawer) drawNamespace(name, organization, project string) {
	exists := func(n *corev1.Namespace) bool { return n.Name == name }
	if slices.ContainsFunc(d.world.Namespaces, exists) || d.oneIn(32) {
		return
	}
	drawn := labelled(name)
	if !d.oneIn(32) {
		drawn.Labels[v1alpha1.LabelOrganization] = organization
	}
	if project != "" && !d.oneIn(32) {
		drawn.Labels[v1alpha1.LabelProject] = project
	}
	if d.oneIn(32) {
		drawn.Labels[pick(d, v1alpha1.LabelOrganization, v1alpha1.LabelProject)] = "p2"
	}
	if d.oneIn(32) {
		drawn.DeletionTimestamp = at(now.Add(-time.Minute))
		drawn.Status.Phase = corev1.NamespaceTerminating
	}
	d.world.Namespaces = append(d.world.Namespaces, drawn)
}

func (d *drawer) drawUsers() {
	for _, username := range everyone {
		for i := range pick(d, 1, 0, 2) {
			object := &v1alpha1.User{ObjectMeta: d.meta("", fmt.Sprintf("%s-%d", username, i))}
			object.Spec.Username = username
			object.Spec.Deactivated = d.oneIn(10)
			object.Spec.MFA.Enrolled = !d.oneIn(4)
			d.world.Users = append(d.world.Users, object)
		}
	}
}

func (d *drawer) drawMemberships(organization string) {
	for _, username := range everyone {
		for i := range pick(d, 0, 1, 1, 1, 2, 3) {
			object := &v1alpha1.Membership{ObjectMeta: d.meta("org-"+organization, fmt.Sprintf("%s-%d", username, i))}
			object.Spec.User = username
			object.Spec.Roles = pick(d, some(d, 2, everyRole[:6]...), []v1alpha1.RoleName{"none"},
				[]v1alpha1.RoleName{pick(d, everyRole...)})
			object.Spec.Suspended = d.oneIn(8)
			object.Spec.ExpiresAt = d.drawEnd()
			if d.oneIn(3) {
				d.drawInvitation(&object.Spec)
			}
			d.world.Memberships = append(d.world.Memberships, object)
		}
	}
}

// drawEnd is an instant in the past, this very one, or one in the future; often none.
func (d *drawer) drawEnd() *metav1.Time {
	if !d.oneIn(4) {
		return nil
	}
	return at(now.Add(pick[time.Duration](d, -2, -1, 0, 1, 2) * time.Hour))
}

func (d *drawer) drawInvitation(membership *v1alpha1.MembershipSpec) {
	membership.Invitation = &v1alpha1.InvitationSpec{}
	if d.oneIn(2) {
		membership.Invitation.ExpiresAfter = &metav1.Duration{Duration: pick[time.Duration](d, 9, 10, 11, 21, 31) * time.Hour}
	}
	membership.Response = pick(d, "", v1alpha1.InvitationAccepted, v1alpha1.InvitationDeclined)
	if d.oneIn(8) {
		membership.User, membership.Email = "", "somebody@acme.example"
	}
}

func (d *drawer) drawProjects(organization string) {
	for _, name := range everyProject {
		if d.oneIn(3) {
			continue
		}
		object := &v1alpha1.Project{ObjectMeta: d.meta("org-"+organization, string(name))}
		object.Labels = map[string]string{"tier": pick(d, "web", "data")}
		if d.oneIn(3) {
			object.Spec.Namespaces = some(d, 3, "shared", "default", "kube-system", "org-o1", "o1-p1",
				v1alpha1.NamespaceName(organization+"-"+string(name)), v1alpha1.NamespaceName(organization+"-more"))
		}
		d.world.Projects = append(d.world.Projects, object)
		for _, namespace := range object.NamespaceNames() {
			d.drawNamespace(namespace, organization, string(name))
		}
	}
}

// drawChoice chooses projects in one of the ways there are, or in none.
func (d *drawer) drawChoice() (projects []v1alpha1.ObjectName, selector *metav1.LabelSelector, all bool) {
	switch d.below(8) {
	case 0:
	case 1:
		selector = pick(d, &metav1.LabelSelector{}, &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: "Unknown"}},
		}, &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpExists}},
		})
	case 2:
		selector = matching("tier", pick(d, "web", "data", "none"))
	case 3, 4, 5:
		all = true
	default:
		projects = some(d, 3, append(everyProject, "absent")...)
	}
	return projects, selector, all
}

func (d *drawer) drawTeams(organization string) {
	for _, name := range everyTeam {
		if d.oneIn(4) {
			continue
		}
		object := &v1alpha1.Team{ObjectMeta: d.meta("org-"+organization, string(name))}
		object.UID = types.UID(uidOf(organization, string(name)))
		object.Spec.Members = some(d, 3, append(everyone, "stranger")...)
		object.Spec.Maintainers = some(d, 2, append(everyone, "stranger")...)
		object.Spec.Parent = pick(d, "", "", pick(d, append(everyTeam, "absent")...))
		object.Spec.Role = pick(d, append(everyRole, "")...)
		object.Spec.Projects, object.Spec.ProjectSelector, object.Spec.AllProjects = d.drawChoice()
		if d.oneIn(3) {
			object.Spec.IdentityGroup = pick(d, everyGroup...)
		}
		d.world.Teams = append(d.world.Teams, object)
	}
}

// uidOf is the uid that a drawn team has.
func uidOf(organization, team string) string { return "uid-" + organization + "-" + team }

func (d *drawer) drawBindings(organization string) {
	for i := range 1 + d.below(5) {
		object := &v1alpha1.RoleBinding{ObjectMeta: d.meta("org-"+organization, fmt.Sprintf("b%d", i+1))}
		object.Spec.Role = pick(d, everyRole...)
		object.Spec.Projects, object.Spec.ProjectSelector, object.Spec.OrganizationWide = d.drawChoice()
		object.Spec.NotBefore = d.drawEnd()
		object.Spec.ExpiresAt = d.drawEnd()
		for range 1 + d.below(3) {
			object.Spec.Subjects = append(object.Spec.Subjects, d.drawSubject(organization))
		}
		d.world.RoleBindings = append(d.world.RoleBindings, object)
	}
}

func (d *drawer) drawSubject(organization string) v1alpha1.Subject {
	switch d.below(5) {
	case 0:
		return v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: string(pick(d, append(everyone, "stranger")...))}
	case 1:
		return v1alpha1.Subject{Kind: v1alpha1.SubjectTeam, Name: string(pick(d, append(everyTeam, "absent")...))}
	case 2:
		return v1alpha1.Subject{Kind: v1alpha1.SubjectGroup, Name: pick(d, everyGroup...)}
	case 3:
		team := string(pick(d, append(everyTeam, "absent")...))
		home := pick(d, append(d.organizations, "missing")...)
		uid := uidOf(home, team)
		if d.oneIn(10) {
			uid = pick(d, "", "another")
		}
		return v1alpha1.Subject{Kind: v1alpha1.SubjectTeam, Name: team, Organization: home, UID: uid}
	}
	where := pick(d, organization+"-p1", organization+"-p2", pick(d, d.organizations...)+"-p1",
		pick(d, d.organizations...)+"-p2", pick(d, organization+"-more", "shared", "org-"+organization))
	return v1alpha1.Subject{
		Kind: v1alpha1.SubjectServiceAccount, Namespace: v1alpha1.NamespaceName(where), Name: "ci",
	}
}

// drawRoles adds roles of the organization's own, also some whose names the catalogue or an organization above uses.
func (d *drawer) drawRoles(organization string) {
	for _, name := range []string{"crawler", "auditor", "viewer", "owner", "none"} {
		if d.oneIn(2) {
			d.addRole("org-"+organization, name)
			if d.oneIn(2) {
				d.world.AtMostDeveloper.Insert(access.RoleReference{Organization: organization, Name: name})
			}
		}
	}
}

// drawTokens adds tokens, some of which have ended or ask for more than their users hold.
func (d *drawer) drawTokens(organization string) {
	for i := range d.below(5) {
		name := fmt.Sprintf("k%d", i+1)
		object := &v1alpha1.APIToken{ObjectMeta: d.meta("org-"+organization, name)}
		object.UID = types.UID(fmt.Sprintf("%s-%s-0123456789", organization, name))
		object.Spec.User = pick(d, append(everyone, "olga", "stranger")...)
		object.Spec.Roles = append(some(d, 2, everyRole...), pick(d, everyRole...))
		object.Spec.Projects, object.Spec.OrganizationWide = some(d, 3, append(everyProject, "absent")...), d.oneIn(2)
		object.Spec.Revoked = d.oneIn(10)
		if d.oneIn(3) {
			object.Spec.ExpiresAfter = &metav1.Duration{Duration: pick[time.Duration](d, 9, 20, 25, 31) * time.Hour}
		}
		d.world.APITokens = append(d.world.APITokens, object)
	}
}
