package admission_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

const (
	everything = "everything"
	bySelector = "selector"
	begins     = "begin"
	ends       = "end"
	exists     = "there"
)

// elementsOf are the parts of an object that a grant can rest on.
func elementsOf(object client.Object) []string {
	elements := []string{exists}
	switch object := object.(type) {
	case *v1alpha1.Organization:
		elements = append(elements, named("owner", object.Spec.Owners)...)
		elements = append(elements, named("default", object.Spec.Membership.DefaultRoles)...)
	case *v1alpha1.Membership:
		elements = append(elements, ends, "user")
		elements = append(elements, named("role", object.Spec.Roles)...)
		if len(object.Spec.Roles) == 0 {
			elements = append(elements, "default roles")
		}
		if !object.Spec.Suspended {
			elements = append(elements, "active")
		}
	case *v1alpha1.Team:
		spec := object.Spec
		elements = append(elements, named("role", present(spec.Role))...)
		elements = append(elements, named("parent", present(spec.Parent))...)
		elements = append(elements, named("member", spec.Members)...)
		elements = append(elements, named("maintainer", spec.Maintainers)...)
		elements = append(elements, scopeElements(spec.Projects, spec.ProjectSelector, spec.AllProjects)...)
	case *v1alpha1.RoleBinding:
		spec := object.Spec
		elements = append(elements, begins, ends, "role "+string(spec.Role))
		for _, subject := range spec.Subjects {
			elements = append(elements, fmt.Sprintf("%s %s", subject.Kind, subject.Name))
		}
		elements = append(elements, scopeElements(spec.Projects, spec.ProjectSelector, spec.OrganizationWide)...)
	case *v1alpha1.Project:
		for _, key := range labelKeys {
			elements = append(elements, labelElement(object, key))
		}
	case *v1alpha1.Role:
		elements = append(elements, named("include", object.Spec.Includes)...)
		elements = append(elements, named("cluster role", object.Spec.ClusterRoles)...)
		for _, rule := range slices.Concat(object.Spec.Rules, object.Spec.OrganizationRules) {
			text, err := json.Marshal(rule)
			utilruntime.Must(err)
			elements = append(elements, "rule "+string(text))
		}
	}
	return elements
}

func named[T ~string](what string, names []T) []string {
	var elements []string
	for _, name := range names {
		elements = append(elements, what+" "+string(name))
	}
	return elements
}

func scopeElements(projects []v1alpha1.ObjectName, selector *metav1.LabelSelector, isEverything bool) []string {
	elements := named("project", projects)
	if selector != nil {
		elements = append(elements, bySelector)
	}
	if isEverything {
		elements = append(elements, everything)
	}
	return elements
}

// labelElement is the state of a label; that it isn't there is one, too.
func labelElement(project *v1alpha1.Project, key string) string {
	return "label " + key + "=" + project.Labels[key]
}

// carriedOn is the element of the older version that one of the newer comes from: the same, or one that was wider.
func carriedOn(before, after client.Object, element string) string {
	known := elementsOf(before)
	isScope := element == bySelector || strings.HasPrefix(element, "project ")
	switch {
	case isScope && slices.Contains(known, everything):
		return everything
	case element == bySelector && !isNarrower(selectorOf(before), selectorOf(after)),
		element == ends && isLater(endOf(before), endOf(after)),
		element == begins && beginOf(after).Before(beginOf(before)):
		return ""
	case slices.Contains(known, element):
		return element
	}
	return ""
}

// isNarrower says whether all that the newer selector matches the older one matched.
func isNarrower(older, newer *metav1.LabelSelector) bool {
	if older == nil || newer == nil {
		return older == newer
	}
	for key, value := range older.MatchLabels {
		if newer.MatchLabels[key] != value {
			return false
		}
	}
	for _, expression := range older.MatchExpressions {
		if !slices.ContainsFunc(newer.MatchExpressions, func(other metav1.LabelSelectorRequirement) bool {
			return other.String() == expression.String()
		}) {
			return false
		}
	}
	return true
}

func selectorOf(object client.Object) *metav1.LabelSelector {
	switch object := object.(type) {
	case *v1alpha1.Team:
		return object.Spec.ProjectSelector
	case *v1alpha1.RoleBinding:
		return object.Spec.ProjectSelector
	}
	return nil
}
