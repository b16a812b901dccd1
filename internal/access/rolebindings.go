package access

import (
	"fmt"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// addRoleBindings grants what the RoleBindings of an organization of the lineage give here. Those of an organization
// above reach down only where they are organization-wide, and then for users and teams alone: a group or a
// ServiceAccount is never carried into another organization.
func (e *evaluation) addRoleBindings(level int) {
	for _, binding := range e.index.bindings[e.lineage[level].Name] {
		if level > 0 && !binding.Spec.OrganizationWide {
			continue
		}
		outcome := e.addRoleBinding(binding, level)
		if level == 0 {
			e.result.RoleBindings[binding.Name] = outcome
		}
	}
}

func (e *evaluation) addRoleBinding(binding *v1alpha1.RoleBinding, level int) RoleBindingOutcome {
	var outcome RoleBindingOutcome
	projects, problems := e.chosenProjects(projectChoice{
		names: binding.Spec.Projects, selector: binding.Spec.ProjectSelector, all: binding.Spec.OrganizationWide,
	})
	outcome.Projects, outcome.Problems = len(projects), problems
	role, found := e.resolve(binding.Spec.Role, level)
	if !found {
		outcome.Problems = append(outcome.Problems, roleNotFound(binding.Spec.Role))
	}
	e.checkWindow(binding, &outcome)
	to := bindingTarget{
		binding: binding,
		level:   level,
		role:    role,
		granted: found && !outcome.Waiting && !outcome.Expired,
		scope:   e.scopeOf(projects, breadthOfBinding(binding)),
		via:     []ObjectReference{referenceTo(KindRoleBinding, binding)},
	}
	if end := binding.Spec.ExpiresAt; end != nil {
		to.until = end.Time
	}
	for _, subject := range binding.Spec.Subjects {
		e.addSubject(to, subject, &outcome)
	}
	slices.Sort(outcome.Missing)
	outcome.Missing = slices.Compact(outcome.Missing)
	return outcome
}

// checkWindow says whether the binding's time has come or gone, and remembers when that changes.
func (e *evaluation) checkWindow(binding *v1alpha1.RoleBinding, outcome *RoleBindingOutcome) {
	if end := binding.Spec.ExpiresAt; end != nil {
		outcome.Expired = !e.now.Before(end.Time)
		e.changesAt(end.Time)
	}
	if begin := binding.Spec.NotBefore; begin != nil {
		outcome.Waiting = e.now.Before(begin.Time) && !outcome.Expired
		e.changesAt(begin.Time)
	}
}

// bindingTarget is what a RoleBinding's subjects get.
type bindingTarget struct {
	binding *v1alpha1.RoleBinding
	level   int
	role    RoleReference
	granted bool
	scope   *Scope
	until   time.Time
	via     []ObjectReference
}

func (e *evaluation) addSubject(to bindingTarget, subject v1alpha1.Subject, outcome *RoleBindingOutcome) {
	switch subject.Kind {
	case v1alpha1.SubjectUser:
		e.addUserSubject(to, subject.Name, outcome)
	case v1alpha1.SubjectTeam:
		if subject.IsExternal() {
			e.addExternalTeam(to, subject, outcome)
			return
		}
		e.addTeamSubject(to, subject.Name, outcome)
	case v1alpha1.SubjectGroup:
		e.addGroupSubject(to, subject.Name, outcome)
	case v1alpha1.SubjectServiceAccount:
		e.addServiceAccountSubject(to, subject, outcome)
	}
}

// give adds the grant, unless the role isn't there or it isn't its time.
func (e *evaluation) give(to bindingTarget, subjects []rbacv1.Subject, scope *Scope, via []ObjectReference) {
	if to.granted {
		e.grant(Grant{Role: to.role, Subjects: subjects, Scope: scope, Until: to.until, Via: via})
	}
}

// mayGet says whether a user gets what a binding at a level gives: a member both of the organization where the binding
// is written and of this one, whom nothing holds back.
func (e *evaluation) mayGet(user string, level int) bool {
	return e.mayAct(user) && (level == 0 || e.placeAt(user, level).member)
}

func (e *evaluation) addUserSubject(to bindingTarget, user string, outcome *RoleBindingOutcome) {
	if !e.placeHere(user).member {
		outcome.Missing = append(outcome.Missing, user)
	}
	if e.mayGet(user, to.level) {
		e.give(to, []rbacv1.Subject{userSubject(user)}, to.scope, to.via)
	}
}

func (e *evaluation) addTeamSubject(to bindingTarget, name string, outcome *RoleBindingOutcome) {
	organization := e.lineage[to.level].Name
	team := e.index.teams[organization][name]
	if team == nil {
		outcome.Problems = append(outcome.Problems, Problem{
			Reason:  ReasonTeamNotFound,
			Message: fmt.Sprintf("no team %q in this organization; make it or take it out of spec.subjects", name),
		})
		return
	}
	for _, source := range e.teamSources(organization, team) {
		users := e.actingMembers(source.team.Spec.Members)
		users = slices.DeleteFunc(users, func(user string) bool { return !e.mayGet(user, to.level) })
		subjects := userSubjects(users)
		if group := source.team.Spec.IdentityGroup; group != "" && to.level == 0 && !e.requireMFA {
			subjects = append(subjects, groupSubject(group))
			outcome.Ungated = true
		}
		e.give(to, subjects, to.scope, append(slices.Clone(to.via), source.via...))
	}
}

func (e *evaluation) addGroupSubject(to bindingTarget, group string, outcome *RoleBindingOutcome) {
	switch {
	case to.level > 0:
	case e.requireMFA:
		outcome.Problems = append(outcome.Problems, groupNotAllowed(group))
	default:
		outcome.Ungated = true
		e.give(to, []rbacv1.Subject{groupSubject(group)}, to.scope, to.via)
	}
}

// addServiceAccountSubject grants within the project that the ServiceAccount lives in, since whoever may start a Pod
// there can be that ServiceAccount.
func (e *evaluation) addServiceAccountSubject(
	to bindingTarget, subject v1alpha1.Subject, outcome *RoleBindingOutcome,
) {
	if to.level > 0 {
		return
	}
	name := string(subject.Namespace) + "/" + subject.Name
	if problems := validation.IsDNS1123Subdomain(subject.Name); len(problems) > 0 {
		outcome.Problems = append(outcome.Problems, Problem{
			Reason: ReasonSubjectNotAllowed, Terminal: true,
			Message: fmt.Sprintf("%q can't be the name of a ServiceAccount: %s; correct it", subject.Name, problems[0]),
		})
		return
	}
	home := e.projectOfNamespace(string(subject.Namespace))
	if home == nil {
		outcome.Problems = append(outcome.Problems, Problem{
			Reason: ReasonSubjectNotAllowed, Terminal: true,
			Message: fmt.Sprintf("ServiceAccount %q isn't in a namespace of one of this organization's projects; "+
				"a ServiceAccount holds roles only within its own project; make one in that project", name),
		})
		return
	}
	if !e.index.world.AtMostDeveloper.Has(to.role) && to.role != (RoleReference{}) {
		outcome.Problems = append(outcome.Problems, Problem{
			Reason: ReasonSubjectNotAllowed, Terminal: true,
			Message: fmt.Sprintf("ServiceAccount %q can't hold role %q: whoever may start a Pod could use it, so it holds at "+
				"most what developer may do; choose a weaker role", name, to.binding.Spec.Role),
		})
		return
	}
	inOrder, _ := e.projectNamespaces(home)
	scope := &Scope{Projects: []string{home.Name}, Namespaces: intersect(inOrder, to.scope.Namespaces)}
	if len(scope.Namespaces) == 0 {
		outcome.Problems = append(outcome.Problems, Problem{
			Reason: ReasonSubjectNotAllowed, Terminal: true,
			Message: fmt.Sprintf("ServiceAccount %q holds roles only within its own project %q, which this RoleBinding doesn't "+
				"reach; name that project, or make a ServiceAccount in the other one", name, home.Name),
		})
		return
	}
	account := rbacv1.Subject{
		Kind: rbacv1.ServiceAccountKind, Namespace: string(subject.Namespace), Name: subject.Name,
	}
	e.give(to, []rbacv1.Subject{account}, scope, to.via)
}

func (e *evaluation) projectOfNamespace(namespace string) *v1alpha1.Project {
	for _, project := range e.index.projects[e.lineage[0].Name] {
		if inOrder, _ := e.projectNamespaces(project); slices.Contains(inOrder, namespace) {
			return project
		}
	}
	return nil
}

// intersect are the elements of a that sorted b has, sorted.
func intersect(a, b []string) []string {
	var both []string
	for _, name := range a {
		if _, found := slices.BinarySearch(b, name); found {
			both = append(both, name)
		}
	}
	slices.Sort(both)
	return both
}
