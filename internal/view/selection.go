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
	operator "k8s.io/apimachinery/pkg/selection"

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
	// fieldOrganizationUID tells organizations apart that had one name; fieldOwnNamespace is the namespace of a row itself.
	fieldOrganizationUID = "organizationUID"
	fieldOwnNamespace    = "metadata.namespace"
)

// selectable are the fields that each kind can be selected by, beside its name.
var selectable = map[schema.GroupVersionKind][]string{
	viewv1alpha1.GroupVersion.WithKind("Member"): {fieldUser, fieldRole, fieldSource, fieldStatus},
	viewv1alpha1.GroupVersion.WithKind("Grant"):  {fieldUser, fieldNamespace, fieldRole},
	viewv1alpha1.GroupVersion.WithKind("Activity"): {
		fieldActor, fieldAction, fieldKind, fieldObject, fieldOrganizationUID, fieldOwnNamespace,
	},
	viewv1alpha1.GroupVersion.WithKind("Report"):  nil,
	selfv1alpha1.GroupVersion.WithKind("Profile"): nil,
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

// selection is what a field selector requires, all of it. It is read once, since a selector makes its list anew each time.
type selection []fields.Requirement

func selectionOf(options *metainternalversion.ListOptions) selection {
	selector := fieldSelector(options)
	if selector == nil || selector.Empty() {
		return nil
	}
	return selection(selector.Requirements())
}

// exactly is the one value that a field may have, where the selection says so.
func (s selection) exactly(field string) (value string, found bool) {
	for _, requirement := range s {
		if requirement.Field == field && requirement.Operator != operator.NotEquals {
			return requirement.Value, true
		}
	}
	return "", false
}

// selects says whether values of a field match. A field of several values equals each of them.
func (s selection) selects(field string, values ...string) bool {
	for _, requirement := range s {
		if requirement.Field != field {
			continue
		}
		wanted := requirement.Operator != operator.NotEquals
		if slices.Contains(values, requirement.Value) != wanted {
			return false
		}
	}
	return true
}

// selectsMember says whether a member matches.
func (s selection) selectsMember(member *viewv1alpha1.Member) bool {
	return s.selects(fieldName, member.Name) &&
		s.selects(fieldUser, member.User) &&
		s.selects(fieldRole, member.Roles...) &&
		s.selects(fieldSource, string(member.Source.Type)) &&
		s.selects(fieldStatus, string(member.Status))
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
