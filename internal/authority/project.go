package authority

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// OfProject are the demands of a change of a Project: a new project, or new labels of one, may be reached by a Team or a
// RoleBinding that somebody with the right wrote for other projects. What is granted in all projects, or in the whole
// organization, was granted for projects to come too. Before or after is nil where there is none.
func OfProject(
	before, after *v1alpha1.Project, teams []*v1alpha1.Team, bindings []*v1alpha1.RoleBinding, now time.Time,
) []Demand {
	if after == nil || before != nil && labels.Equals(before.Labels, after.Labels) {
		return nil
	}
	var demands []Demand
	for _, team := range teams {
		if givesSomething(team.Spec.Role) {
			carried := Carried{Role: team.Spec.Role, Carrier: fmt.Sprintf("team %q", team.Name)}
			demands = append(demands, newlyReached(before, after, scopeOfTeam(team), carried)...)
		}
	}
	for _, binding := range bindings {
		if givesSomething(binding.Spec.Role) && !hasEnded(binding, now) {
			carried := Carried{Role: binding.Spec.Role, Carrier: fmt.Sprintf("RoleBinding %q", binding.Name)}
			demands = append(demands, newlyReached(before, after, scopeOfBinding(binding), carried)...)
		}
	}
	return demands
}

// newlyReached is the demand for a role whose scope reaches a project that it didn't reach before.
func newlyReached(before, after *v1alpha1.Project, scope scope, carried Carried) []Demand {
	switch {
	case scope.all:
		return nil
	case before == nil && slices.Contains(scope.projects, v1alpha1.ObjectName(after.Name)):
		return demandAll([]Carried{carried}, "metadata.name", fmt.Sprintf("making project %q", after.Name))
	case selects(scope.selector, after) && (before == nil || !selects(scope.selector, before)):
		return demandAll([]Carried{carried}, "metadata.labels", fmt.Sprintf("labelling project %q", after.Name))
	}
	return nil
}

// selects says whether a selector matches a project. One that is empty or can't be used matches none.
func selects(selector *metav1.LabelSelector, project *v1alpha1.Project) bool {
	if selector == nil {
		return false
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && !parsed.Empty() && parsed.Matches(labels.Set(project.Labels))
}
