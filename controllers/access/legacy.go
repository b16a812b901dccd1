package access

import (
	"cmp"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/rbac"
)

const (
	// listedLegacyBindings and listedSubjects bound what a Project's status lists.
	listedLegacyBindings = 200
	listedSubjects       = 20
)

// sortOut parts the bindings of a namespace into Roster's own and those that somebody else made.
func (s *organizationSync) sortOut(namespace string, bindings []any) (managed []*rbacv1.RoleBinding) {
	for _, item := range bindings {
		binding := item.(*rbacv1.RoleBinding)
		if rbac.IsManaged(binding) {
			managed = append(managed, binding)
			continue
		}
		if s.legacy == nil {
			s.legacy = map[string][]v1alpha1.LegacyBinding{}
		}
		s.legacy[namespace] = append(s.legacy[namespace], legacyBinding(binding))
	}
	return managed
}

func legacyBinding(binding *rbacv1.RoleBinding) v1alpha1.LegacyBinding {
	legacy := v1alpha1.LegacyBinding{
		Namespace: binding.Namespace, Name: binding.Name, Role: binding.RoleRef.Kind + "/" + binding.RoleRef.Name,
	}
	for i, subject := range binding.Subjects {
		if i == listedSubjects {
			legacy.Subjects = append(legacy.Subjects, fmt.Sprintf("and %d more", len(binding.Subjects)-i))
			break
		}
		name := subject.Name
		if subject.Namespace != "" {
			name = subject.Namespace + "/" + name
		}
		legacy.Subjects = append(legacy.Subjects, subject.Kind+" "+name)
	}
	return legacy
}

// legacyBindings are those of some namespaces, in an order that stays.
func (s *organizationSync) legacyBindings(namespaces []string) []v1alpha1.LegacyBinding {
	var found []v1alpha1.LegacyBinding
	for _, namespace := range namespaces {
		found = append(found, s.legacy[namespace]...)
	}
	slices.SortFunc(found, func(a, b v1alpha1.LegacyBinding) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return found[:min(len(found), listedLegacyBindings)]
}
