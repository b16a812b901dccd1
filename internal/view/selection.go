package view

import (
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

// The fields that answers can be selected by.
const (
	fieldName      = "metadata.name"
	fieldUser      = "user"
	fieldRole      = "role"
	fieldSource    = "source"
	fieldStatus    = "status"
	fieldNamespace = "namespace"
	fieldActor     = "actor"
	fieldAction    = "action"
	fieldKind      = "kind"
	fieldObject    = "name"
)

// selectable are the fields that each kind can be selected by, beside its name.
var selectable = map[schema.GroupVersionKind][]string{
	viewv1alpha1.GroupVersion.WithKind("Member"):   {fieldUser, fieldRole, fieldSource, fieldStatus},
	viewv1alpha1.GroupVersion.WithKind("Grant"):    {fieldUser, fieldNamespace, fieldRole},
	viewv1alpha1.GroupVersion.WithKind("Activity"): {fieldActor, fieldAction, fieldKind, fieldObject},
	viewv1alpha1.GroupVersion.WithKind("Report"):   nil,
	selfv1alpha1.GroupVersion.WithKind("Profile"):  nil,
}

// addSelectableFields lets requests select by these fields, and refuses others by saying which there are.
func addSelectableFields(scheme *runtime.Scheme) error {
	for kind, names := range selectable {
		allowed := append([]string{fieldName}, names...)
		err := scheme.AddFieldLabelConversionFunc(kind, func(label, value string) (string, string, error) {
			if slices.Contains(allowed, label) {
				return label, value, nil
			}
			return "", "", fmt.Errorf("%q is no field to select by; choose from %s", label, strings.Join(allowed, ", "))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// selects says whether values of a field match a selector. A field of several values equals each of them.
func selects(selector fields.Selector, field string, values ...string) bool {
	if selector == nil || selector.Empty() {
		return true
	}
	for _, requirement := range selector.Requirements() {
		if requirement.Field != field {
			continue
		}
		wanted := requirement.Operator != selection.NotEquals
		if slices.Contains(values, requirement.Value) != wanted {
			return false
		}
	}
	return true
}

// selectsMember says whether a member matches a selector.
func selectsMember(selector fields.Selector, member *viewv1alpha1.Member) bool {
	return selects(selector, fieldName, member.Name) &&
		selects(selector, fieldUser, member.User) &&
		selects(selector, fieldRole, member.Roles...) &&
		selects(selector, fieldSource, string(member.Source.Type)) &&
		selects(selector, fieldStatus, string(member.Status))
}

// refuseLabels refuses label selectors: what is computed has no labels, and an empty answer would be taken for a true one.
func refuseLabels(options *metainternalversion.ListOptions, kind schema.GroupVersionKind) error {
	if options == nil || options.LabelSelector == nil || options.LabelSelector.Empty() {
		return nil
	}
	return apierrors.NewBadRequest(fmt.Sprintf("labelSelector %q: a %s has no labels; select by fields instead: %s",
		options.LabelSelector, kind.Kind, strings.Join(selectable[kind], ", ")))
}

func fieldSelector(options *metainternalversion.ListOptions) fields.Selector {
	if options == nil {
		return nil
	}
	return options.FieldSelector
}
