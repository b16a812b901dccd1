package admission_test

import (
	"fmt"
	"math/bits"
	"reflect"
	"slices"
	"strings"

	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// step is one of a story: somebody asks for something, or what was admitted is committed. It is drawn whatever came before, so
// that a story can be shortened by any of its steps.
type step struct {
	// seconds go by first.
	seconds int
	// commits is a step that commits one of the requests that wait; which says which one.
	commits bool
	which   int
	author  string
	// object is what is made, or what is changed or deleted where it is there already.
	object  client.Object
	edits   []func(client.Object)
	deletes bool
	// lag is how many writes the caches are behind. Another request is committed when the review has read so many lists.
	lag, read int
	// waits: others may come before it is committed.
	waits bool
}

// GoString is for rapid, which shows what it drew.
func (s step) GoString() string {
	if s.commits {
		return "commit"
	}
	return fmt.Sprintf("%s: %s", s.author, keyOf(s.object))
}

var (
	givenRoles = []v1alpha1.RoleName{"viewer", "developer", "maintainer", "administrator", keeper, "helper"}
	everybody  = []string{maintainer, second, captain, clerk, plain, other, administrator}
	teamNames  = []string{"makers", "kids", "gift"}
	// authors stand there as often as they ask, with the kinds that they may write.
	authors = []string{
		owner, owner, pipeline, pipeline, subOwner, administrator, administrator, maintainer, maintainer, maintainer, second, second,
		captain, clerk, clerk,
	}
	kindsOf = map[string][]string{
		administrator: {"Membership", "RoleBinding", "Role", "Team", "Project"},
		maintainer:    {"Team", "Team", "Project"}, second: {"Team", "Team", "Project"},
		captain: {"Team"}, clerk: {"Membership", "RoleBinding"},
		owner:    {"Membership", "RoleBinding", "Role", "Team", "Project", "Organization"},
		subOwner: {"Membership", "RoleBinding", "Role", "Team", "Project"},
		pipeline: {"Membership", "RoleBinding", "Role", "Team", "Project"},
	}
)

// below is a number from 0 to the one before the given one, each as often as the others: rapid's own favour the small ones.
func below(t *rapid.T, limit int, label string) int {
	number := 0
	for range bits.Len(uint(limit)) + 2 {
		number *= 2
		if rapid.Bool().Draw(t, label) {
			number++
		}
	}
	return number % limit
}

func pick[T any](t *rapid.T, label string, from ...T) T { return from[below(t, len(from), label)] }

func oneIn(t *rapid.T, in int, label string) bool { return below(t, in, label) == in-1 }

// theme is what a story is about, so that some go deep rather than wide: kinds, and whose Memberships.
type theme struct{ kinds, users []string }

var themes = []theme{
	{nil, append(slices.Repeat([]string{stranger}, len(everybody)), everybody...)}, {[]string{"Membership"}, []string{stranger}},
	{[]string{"Team", "Project"}, nil}, {[]string{"Team", "RoleBinding"}, nil}, {[]string{"Role", "RoleBinding"}, nil},
}

// kindsFor are the kinds that somebody writes in a story.
func (th theme) kindsFor(author string) []string {
	others := func(kind string) bool { return !slices.Contains(th.kinds, kind) }
	if kinds := slices.DeleteFunc(slices.Clone(kindsOf[author]), others); len(kinds) > 0 {
		return kinds
	}
	return kindsOf[author]
}

func (th theme) draw(t *rapid.T) step {
	s := step{
		seconds: below(t, 2, "seconds"), commits: oneIn(t, 4, "commits"), which: below(t, 4, "which"),
		lag: max(0, below(t, 6, "lag")-3), read: max(0, below(t, 16, "read")-8),
		waits: oneIn(t, 2, "waits"), deletes: oneIn(t, 5, "deletes"), author: pick(t, "author", authors...),
	}
	if s.author == pipeline && oneIn(t, 2, "restores") {
		s.restore(t)
		return s
	}
	where := pick(t, "organization", "umbra", "umbra", "umbra", "lab")
	switch pick(t, "kind", th.kindsFor(s.author)...) {
	case "Organization":
		s.object, s.edits, s.deletes = organization(where, ""), edits(t, editOrganization), false
	case "Membership":
		user := pick(t, "user", slices.Concat(th.users, everybody[:1])...)
		object := membership(where, user)
		object.Name = user + pick(t, "name", "", "", "-2")
		s.object, s.edits = object, edits(t, editMembership)
	case "Team":
		if oneIn(t, 8, "idle") {
			s.object, s.deletes = team(where, idle, v1alpha1.TeamSpec{}), true
			break
		}
		s.object, s.edits = team(where, pick(t, "team", teamNames...), v1alpha1.TeamSpec{}), edits(t, editTeam)
	case "Project":
		s.object, s.edits = project(where, pick(t, "project", "shop", "till"), ""), edits(t, editProject)
	case "Role":
		s.object = role(where, pick(t, "role", "helper", "helper", keeper, "extra"), v1alpha1.RoleSpec{})
		s.edits = edits(t, editRole)
	case "RoleBinding":
		s.object, s.edits = roleBinding(where, pick(t, "binding", "helpers", "more"), v1alpha1.RoleBindingSpec{
			Role: pick(t, "role", givenRoles...), Subjects: []v1alpha1.Subject{drawSubject(t)}, Projects: []v1alpha1.ObjectName{"shop"},
		}), edits(t, editRoleBinding)
	}
	return s
}

// restore has the pipeline write an object as the repository has it.
func (s *step) restore(t *rapid.T) {
	repository := slices.DeleteFunc(umbra(), func(object client.Object) bool { return object.GetNamespace() == "" })
	s.object, s.deletes = pick(t, "restored", repository...), false
	restored := s.object.DeepCopyObject().(client.Object)
	s.edits = []func(client.Object){func(object client.Object) {
		object.SetLabels(restored.GetLabels())
		reflect.ValueOf(object).Elem().FieldByName("Spec").Set(reflect.ValueOf(restored).Elem().FieldByName("Spec"))
	}}
}

// request is what the step asks for at a moment, or nil where RBAC or a policy refuses it or nothing would change.
func (s step) request(m *moment) *request {
	r := &request{author: s.author, before: m.get(keyOf(s.object))}
	verb := "update"
	switch {
	case r.before == nil:
		verb, r.after = "create", s.object.DeepCopyObject().(client.Object)
	case s.deletes:
		verb = "delete"
	default:
		r.after = r.before.DeepCopyObject().(client.Object)
	}
	for _, edit := range s.edits {
		if r.after != nil {
			edit(r.after)
		}
	}
	if verb == "update" && written(r.before) == written(r.after) && reflect.DeepEqual(r.before.GetLabels(), r.after.GetLabels()) {
		return nil
	}
	resource := strings.ToLower(keyOf(r.object()).kind.Elem().Name()) + "s"
	// Policies let none but owners change what of an Organization is changed here.
	if resource != "organizations" && !m.may(s.author, verb, resource, r.object().GetName(), organizationOf(r.object())) ||
		!passesPolicies(m, r) {
		return nil
	}
	return r
}

// drawSteps are those of a story.
func drawSteps(t *rapid.T) []step {
	about := themes[rapid.IntRange(0, len(themes)-1).Draw(t, "theme")]
	return rapid.SliceOfN(rapid.Custom(about.draw), 20, 30).Draw(t, "steps")
}

// shortened is a story without what it doesn't take to fail.
func shortened(steps []step, fails func([]step) bool) []step {
	for at := len(steps) - 1; at >= 0; at-- {
		if fewer := slices.Delete(slices.Clone(steps), at, at+1); fails(fewer) {
			steps = fewer
		}
	}
	for at := range steps {
		for _, simplify := range []func(*step){
			func(s *step) { s.waits = false }, func(s *step) { s.lag = 0 }, func(s *step) { s.read = 0 }, func(s *step) { s.seconds = 0 },
			func(s *step) { s.edits = s.edits[min(1, len(s.edits)):] }, func(s *step) { s.edits = s.edits[:max(0, len(s.edits)-1)] },
		} {
			simpler := slices.Clone(steps)
			if simplify(&simpler[at]); fails(simpler) {
				steps = simpler
			}
		}
	}
	return steps
}
