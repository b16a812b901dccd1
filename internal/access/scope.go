package access

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// breadth is how far a grant reaches beyond the projects that it names.
type breadth string

const (
	inProjects     breadth = ""
	inAllProjects  breadth = "/projects"
	inOrganization breadth = "/organization"
)

func breadthOf(allProjects bool) breadth {
	if allProjects {
		return inAllProjects
	}
	return inProjects
}

func breadthOfBinding(binding *v1alpha1.RoleBinding) breadth {
	if binding.Spec.OrganizationWide {
		return inOrganization
	}
	return inProjects
}

// isNowhere says whether nobody gains anything by a grant there.
func (e *evaluation) isNowhere(scope *Scope) bool {
	if scope.Organization || len(scope.Namespaces) > 0 {
		return false
	}
	return !e.unhindered || !scope.AllProjects && len(scope.Projects) == 0
}

// scopeOf is all namespaces of some projects, and the organization's own where that is meant. One scope is shared by
// all grants that hold there, so that many grants over many namespaces stay small.
func (e *evaluation) scopeOf(projects []*v1alpha1.Project, breadth breadth) *Scope {
	names := make([]string, 0, len(projects)+1)
	for _, project := range projects {
		names = append(names, project.Name)
	}
	key := strings.Join(append(names, string(breadth)), ",")
	if scope := e.scopes[key]; scope != nil {
		return scope
	}
	scope := &Scope{
		Organization: breadth == inOrganization && e.result.Namespace != "", AllProjects: breadth != inProjects,
	}
	if !scope.AllProjects {
		scope.Projects = slices.Clone(names)
	}
	for _, project := range projects {
		inOrder, _ := e.projectNamespaces(project)
		scope.Namespaces = append(scope.Namespaces, inOrder...)
	}
	slices.Sort(scope.Namespaces)
	scope.Namespaces = slices.Compact(scope.Namespaces)
	e.scopes[key] = scope
	return scope
}

// projectNamespaces are the namespaces of a project that are in order, and those that aren't.
func (e *evaluation) projectNamespaces(project *v1alpha1.Project) (inOrder, others []string) {
	organization := e.lineage[0].Name
	for _, name := range project.NamespaceNames() {
		if CheckProjectNamespace(name, e.index.namespaces[name], organization, project.Name) == NamespaceInOrder {
			inOrder = append(inOrder, name)
		} else {
			others = append(others, name)
		}
	}
	return inOrder, others
}

// projectChoice is how a Team or a RoleBinding says which projects it means.
type projectChoice struct {
	names    []v1alpha1.ObjectName
	selector *metav1.LabelSelector
	all      bool
}

// chosenProjects are the projects that are meant, sorted by name, and what is wrong with the choice. Nothing empty ever
// means everything.
func (e *evaluation) chosenProjects(choice projectChoice) ([]*v1alpha1.Project, []Problem) {
	projects := e.index.projects[e.lineage[0].Name]
	switch {
	case choice.all:
		return projects, nil
	case choice.selector != nil:
		return selectProjects(projects, choice.selector)
	default:
		return e.namedProjects(projects, choice.names)
	}
}

func selectProjects(
	projects []*v1alpha1.Project, labelSelector *metav1.LabelSelector,
) ([]*v1alpha1.Project, []Problem) {
	selector, err := metav1.LabelSelectorAsSelector(labelSelector)
	if err == nil && selector.Empty() {
		err = fmt.Errorf("it is empty and would mean every project")
	}
	if err != nil {
		return nil, []Problem{{
			Reason: ReasonInvalidSelector, Terminal: true,
			Message: fmt.Sprintf("spec.projectSelector can't be used: %v; correct it", err),
		}}
	}
	var chosen []*v1alpha1.Project
	for _, project := range projects {
		if selector.Matches(labels.Set(project.Labels)) {
			chosen = append(chosen, project)
		}
	}
	return chosen, nil
}

// namedProjects also says which of them aren't there or not wholly: who names a project waits for all of it.
func (e *evaluation) namedProjects(
	projects []*v1alpha1.Project, names []v1alpha1.ObjectName,
) (chosen []*v1alpha1.Project, problems []Problem) {
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[string(name)] = true
	}
	var waiting []string
	for _, project := range projects {
		if !wanted[project.Name] {
			continue
		}
		delete(wanted, project.Name)
		chosen = append(chosen, project)
		_, others := e.projectNamespaces(project)
		waiting = append(waiting, others...)
	}
	if len(wanted) > 0 {
		missing := make([]string, 0, len(wanted))
		for name := range wanted {
			missing = append(missing, name)
		}
		problems = append(problems, Problem{
			Reason: ReasonProjectNotFound,
			Message: fmt.Sprintf("no such project in this organization: %s; make it or take it out of spec.projects",
				Enumerate(missing)),
		})
	}
	if len(waiting) > 0 {
		problems = append(problems, Problem{
			Reason: ReasonNamespaceNotReady,
			Message: fmt.Sprintf("these namespaces of the projects can't be used yet: %s; the Project says why",
				Enumerate(waiting)),
		})
	}
	return chosen, problems
}

// enumerated is how many names a message lists before it counts the rest.
const enumerated = 10

// Enumerate writes names for a message: sorted, the first ten and the number of the others.
func Enumerate(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	if len(names) <= enumerated {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:enumerated], ", "), len(names)-enumerated)
}
