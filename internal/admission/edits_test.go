package admission_test

import (
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

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
	roles := []v1alpha1.RoleName{pick[v1alpha1.RoleName](t, "default", "member", "viewer", "developer")}
	return func(o *v1alpha1.Organization) { o.Spec.Membership.DefaultRoles = roles }
}

func editMembership(t *rapid.T) func(*v1alpha1.Membership) {
	switch pick(t, "field", "roles", "roles", "roles", "suspended", "end") {
	case "roles":
		role := pick(t, "role", append([]v1alpha1.RoleName{"none", "member", "member"}, givenRoles...)...)
		roles := pick(t, "roles", []v1alpha1.RoleName{role}, []v1alpha1.RoleName{role}, nil)
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
	switch pick(t, "field", "role", "role", "member", "member", "maintainer", "parent", "scope", "scope") {
	case "role":
		role := pick(t, "role", append([]v1alpha1.RoleName{"", ""}, givenRoles...)...)
		return func(t *v1alpha1.Team) { t.Spec.Role = role }
	case "member":
		user := v1alpha1.Username(pick(t, "member", everybody...))
		return func(t *v1alpha1.Team) { t.Spec.Members = toggled(t.Spec.Members, user) }
	case "maintainer":
		user := v1alpha1.Username(pick(t, "maintainer", captain, maintainer))
		return func(t *v1alpha1.Team) { t.Spec.Maintainers = toggled(t.Spec.Maintainers, user) }
	case "parent":
		parent := v1alpha1.ObjectName(pick(t, "parent", append([]string{"", ""}, teamNames...)...))
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
	switch kind := pick(t, "scope", append(others, "shop", "till", "gold", "unknown", everything)...); kind {
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
	key, value := pick(t, "key", labelKeys...), pick(t, "value", "", "gold", "silver")
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
	if oneIn(t, 2, "includes") {
		name := pick[v1alpha1.RoleName](t, "include", "viewer", "developer", "helper", "extra")
		return func(r *v1alpha1.Role) { r.Spec.Includes = toggled(r.Spec.Includes, name) }
	}
	rules := pick(t, "rules", nil, []rbacv1.PolicyRule{core("configmaps", "delete")}, []rbacv1.PolicyRule{core("secrets", "get")})
	return func(r *v1alpha1.Role) { r.Spec.Rules = rules }
}

func editRoleBinding(t *rapid.T) func(*v1alpha1.RoleBinding) {
	switch pick(t, "field", "role", "subject", "subject", "scope", "begin", "end") {
	case "role":
		role := pick(t, "role", givenRoles...)
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
	if oneIn(t, 2, "a team") {
		return v1alpha1.Subject{Kind: v1alpha1.SubjectTeam, Name: pick(t, "team", teamNames...)}
	}
	return v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: pick(t, "user", everybody...)}
}
