package authority

import (
	"fmt"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// OfRoleBinding are the demands of a change of a RoleBinding. Before or after is nil where there is none.
func OfRoleBinding(before, after *v1alpha1.RoleBinding) []Demand {
	if after == nil || !givesSomething(after.Spec.Role) {
		return nil
	}
	carried := []Carried{{Role: after.Spec.Role, Everywhere: after.Spec.OrganizationWide}}
	if before == nil || before.Spec.Role != after.Spec.Role {
		return demandAll(carried, "spec.role", "giving it")
	}
	was, is := &before.Spec, &after.Spec
	widened := scopeOfBinding(after).widened(scopeOfBinding(before))
	if more := Added(was.Subjects, is.Subjects); len(more) > 0 {
		widened = append(widened, widening{"spec.subjects", "adding " + listedSubjects(more)})
	}
	if endsLater(was.ExpiresAt, is.ExpiresAt) {
		widened = append(widened, widening{"spec.expiresAt", "prolonging it"})
	}
	if beginsEarlier(was.NotBefore, is.NotBefore) {
		widened = append(widened, widening{"spec.notBefore", "letting it begin earlier"})
	}
	var demands []Demand
	for _, one := range widened {
		demands = append(demands, demandAll(carried, one.field, one.change)...)
	}
	return demands
}

func scopeOfBinding(binding *v1alpha1.RoleBinding) scope {
	return scope{
		projects: binding.Spec.Projects, selector: binding.Spec.ProjectSelector, all: binding.Spec.OrganizationWide,
		allField: "organizationWide",
	}
}

func listedSubjects(subjects []v1alpha1.Subject) string {
	names := make([]string, 0, len(subjects))
	for _, subject := range subjects {
		names = append(names, fmt.Sprintf("%s %s", subject.Kind, subject.Name))
	}
	return Listed(names)
}
