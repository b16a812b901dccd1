package admission_test

import (
	"fmt"
	"math/bits"
	"reflect"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

func one[T any](t *rapid.T, label string, from ...T) T { return from[below(t, len(from), label)] }

func once(t *rapid.T, in int, label string) bool { return below(t, in, label) == in-1 }

func drawStep(t *rapid.T) step {
	s := step{
		seconds: below(t, 2, "seconds"), commits: once(t, 4, "commits"), which: below(t, 4, "which"),
		lag: max(0, below(t, 6, "lag")-3), read: max(0, below(t, 16, "read")-8),
		waits: once(t, 2, "waits"), deletes: once(t, 5, "deletes"), author: one(t, "author", authors...),
	}
	if s.author == pipeline && once(t, 2, "restores") {
		s.restore(t)
		return s
	}
	where := one(t, "organization", "umbra", "umbra", "umbra", "lab")
	switch one(t, "kind", kindsOf[s.author]...) {
	case "Organization":
		s.object, s.edits, s.deletes = organization(where, ""), edits(t, editOrganization), false
	case "Membership":
		user := one(t, "user", everybody...)
		object := membership(where, user)
		object.Name = user + one(t, "name", "", "", "-2", "-0")
		s.object, s.edits = object, edits(t, editMembership)
	case "Team":
		if once(t, 8, "idle") {
			s.object, s.deletes = team(where, idle, v1alpha1.TeamSpec{}), true
			break
		}
		s.object, s.edits = team(where, one(t, "team", teamNames...), v1alpha1.TeamSpec{}), edits(t, editTeam)
	case "Project":
		s.object, s.edits = project(where, one(t, "project", "shop", "till"), ""), edits(t, editProject)
	case "Role":
		s.object = role(where, one(t, "role", "helper", "helper", keeper, "extra"), v1alpha1.RoleSpec{})
		s.edits = edits(t, editRole)
	case "RoleBinding":
		s.object, s.edits = roleBinding(where, one(t, "binding", "helpers", "more"), v1alpha1.RoleBindingSpec{
			Role: one(t, "role", givenRoles...), Subjects: []v1alpha1.Subject{drawSubject(t)}, Projects: []v1alpha1.ObjectName{"shop"},
		}), edits(t, editRoleBinding)
	}
	return s
}

// restore has the pipeline write an object as the repository has it.
func (s *step) restore(t *rapid.T) {
	repository := slices.DeleteFunc(umbra(), func(object client.Object) bool { return object.GetNamespace() == "" })
	s.object, s.deletes = one(t, "restored", repository...), false
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

// edits are some changes of one object.
func edits[T client.Object](t *rapid.T, draw func(*rapid.T) func(T)) []func(client.Object) {
	var edits []func(client.Object)
	for range 1 + below(t, 3, "fields") {
		edit := draw(t)
		edits = append(edits, func(object client.Object) { edit(object.(T)) })
	}
	return edits
}

func editOrganization(t *rapid.T) func(*v1alpha1.Organization) {
	roles := []v1alpha1.RoleName{one[v1alpha1.RoleName](t, "default", "member", "viewer", "developer")}
	return func(o *v1alpha1.Organization) { o.Spec.Membership.DefaultRoles = roles }
}

func editMembership(t *rapid.T) func(*v1alpha1.Membership) {
	switch one(t, "field", "roles", "roles", "roles", "suspended", "end") {
	case "roles":
		role := one(t, "role", append([]v1alpha1.RoleName{"none", "member", "member"}, givenRoles...)...)
		roles := one(t, "roles", []v1alpha1.RoleName{role}, []v1alpha1.RoleName{role}, nil)
		return func(m *v1alpha1.Membership) { m.Spec.Roles = roles }
	case "suspended":
		return func(m *v1alpha1.Membership) { m.Spec.Suspended = !m.Spec.Suspended }
	}
	end := drawInstant(t)
	return func(m *v1alpha1.Membership) { m.Spec.ExpiresAt = end }
}

func drawInstant(t *rapid.T) *metav1.Time {
	hours := below(t, 3, "hours")
	if hours == 0 {
		return nil
	}
	at := metav1.NewTime(time.Date(2027, 1, 4, 9+hours, 0, 0, 0, time.UTC))
	return &at
}

func editTeam(t *rapid.T) func(*v1alpha1.Team) {
	switch one(t, "field", "role", "role", "member", "member", "maintainer", "parent", "scope", "scope") {
	case "role":
		role := one(t, "role", append([]v1alpha1.RoleName{"", ""}, givenRoles...)...)
		return func(t *v1alpha1.Team) { t.Spec.Role = role }
	case "member":
		user := v1alpha1.Username(one(t, "member", everybody...))
		return func(t *v1alpha1.Team) { t.Spec.Members = toggled(t.Spec.Members, user) }
	case "maintainer":
		user := v1alpha1.Username(one(t, "maintainer", captain, maintainer))
		return func(t *v1alpha1.Team) { t.Spec.Maintainers = toggled(t.Spec.Maintainers, user) }
	case "parent":
		parent := v1alpha1.ObjectName(one(t, "parent", append([]string{"", ""}, teamNames...)...))
		return func(t *v1alpha1.Team) { t.Spec.Parent = parent }
	}
	scope := drawScope(t, "nothing")
	return func(t *v1alpha1.Team) {
		t.Spec.Projects, t.Spec.ProjectSelector, t.Spec.AllProjects = scope.projects, scope.selector, scope.isEverything
	}
}

// toggled is a list with a value more or less.
func toggled[T comparable](values []T, value T) []T {
	if at := slices.Index(values, value); at >= 0 {
		return slices.Delete(slices.Clone(values), at, at+1)
	}
	return append(slices.Clone(values), value)
}

type scope struct {
	projects     []v1alpha1.ObjectName
	selector     *metav1.LabelSelector
	isEverything bool
}

func drawScope(t *rapid.T, others ...string) scope {
	switch kind := one(t, "scope", append(others, "shop", "till", "gold", "unknown", everything)...); kind {
	case "shop", "till":
		return scope{projects: []v1alpha1.ObjectName{v1alpha1.ObjectName(kind)}}
	case "gold":
		return scope{selector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "gold"}}}
	case "unknown":
		return scope{selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "known", Operator: metav1.LabelSelectorOpDoesNotExist},
		}}}
	case everything:
		return scope{isEverything: true}
	}
	return scope{}
}

func editProject(t *rapid.T) func(*v1alpha1.Project) {
	key, value := one(t, "key", labelKeys...), one(t, "value", "", "gold", "silver")
	return func(p *v1alpha1.Project) {
		labels := map[string]string{}
		for _, other := range labelKeys {
			if p.Labels[other] != "" && other != key {
				labels[other] = p.Labels[other]
			}
		}
		if value != "" {
			labels[key] = value
		}
		p.Labels = labels
	}
}

func editRole(t *rapid.T) func(*v1alpha1.Role) {
	if once(t, 2, "includes") {
		name := one[v1alpha1.RoleName](t, "include", "viewer", "developer", "helper", "extra")
		return func(r *v1alpha1.Role) { r.Spec.Includes = toggled(r.Spec.Includes, name) }
	}
	rules := one(t, "rules", nil, []rbacv1.PolicyRule{core("configmaps", "delete")}, []rbacv1.PolicyRule{core("secrets", "get")})
	return func(r *v1alpha1.Role) { r.Spec.Rules = rules }
}

func editRoleBinding(t *rapid.T) func(*v1alpha1.RoleBinding) {
	switch one(t, "field", "role", "subject", "subject", "scope", "begin", "end") {
	case "role":
		role := one(t, "role", givenRoles...)
		return func(b *v1alpha1.RoleBinding) { b.Spec.Role = role }
	case "subject":
		subject := drawSubject(t)
		return func(b *v1alpha1.RoleBinding) {
			if subjects := toggled(b.Spec.Subjects, subject); len(subjects) > 0 {
				b.Spec.Subjects = subjects
			}
		}
	case "begin":
		begin := drawInstant(t)
		return func(b *v1alpha1.RoleBinding) { b.Spec.NotBefore = begin }
	case "end":
		end := drawInstant(t)
		return func(b *v1alpha1.RoleBinding) { b.Spec.ExpiresAt = end }
	}
	scope := drawScope(t)
	return func(b *v1alpha1.RoleBinding) {
		b.Spec.Projects, b.Spec.ProjectSelector, b.Spec.OrganizationWide = scope.projects, scope.selector, scope.isEverything
	}
}

func drawSubject(t *rapid.T) v1alpha1.Subject {
	if once(t, 2, "a team") {
		return v1alpha1.Subject{Kind: v1alpha1.SubjectTeam, Name: one(t, "team", teamNames...)}
	}
	return v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: one(t, "user", everybody...)}
}

// drawSteps are those of a story.
func drawSteps(t *rapid.T) []step {
	return rapid.SliceOfN(rapid.Custom(drawStep), 20, 30).Draw(t, "steps")
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
