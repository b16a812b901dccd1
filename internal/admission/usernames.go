package admission

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/text"
)

// name is a text of an object by which people know somebody or something.
type name struct {
	// field is where the name is, with [] for the place in a list, which is index.
	field string
	index int
	// what the name is of.
	what  string
	value string
	// flaw says why the value can't be such a name.
	flaw func(string) string
}

// at is a name without its place in the list.
type at struct{ field, value string }

// refuseUnreadableNames: a name that looks like another one, or forges a second line, is refused where somebody writes it.
// One that was there before may stay, so that objects from before this rule can be changed. The schema can't tell: of a list
// that is written as a whole it doesn't know which entries are new.
func (r *review) refuseUnreadableNames() error {
	if r.after == nil {
		return nil
	}
	var known sets.Set[at]
	for _, name := range namesIn(r.after) {
		flaw := name.flaw(name.value)
		if flaw == "" {
			continue
		}
		if known == nil {
			known = placesOf(r.before)
		}
		if !known.Has(at{name.field, name.value}) {
			field := strings.Replace(name.field, "[]", "["+strconv.Itoa(name.index)+"]", 1)
			return invalid(ruleUnreadableName, "%s: %s %+q %s", field, name.what, name.value, flaw)
		}
	}
	return nil
}

func placesOf(object client.Object) sets.Set[at] {
	places := sets.New[at]()
	if object != nil {
		for _, name := range namesIn(object) {
			places.Insert(at{name.field, name.value})
		}
	}
	return places
}

// namesIn are the names that somebody writes into an object.
func namesIn(object client.Object) []name {
	switch object := object.(type) {
	case *v1alpha1.Organization:
		names := append(usernames("spec.owners[]", object.Spec.Owners...), displayName(object.Spec.DisplayName))
		return append(names, strict("spec.reports.recipients[]", "address", object.Spec.Reports.Recipients...)...)
	case *v1alpha1.Membership:
		names := append(usernames("spec.user", object.Spec.User), displayName(object.Spec.DisplayName))
		return append(names, strict("spec.email", "address", object.Spec.Email)...)
	case *v1alpha1.Team:
		names := append(usernames("spec.members[]", object.Spec.Members...), displayName(object.Spec.DisplayName))
		names = append(names, usernames("spec.maintainers[]", object.Spec.Maintainers...)...)
		return append(names, strict("spec.identityGroup", "group", object.Spec.IdentityGroup)...)
	case *v1alpha1.RoleBinding:
		return subjectNames(object.Spec.Subjects)
	case *v1alpha1.APIToken:
		return usernames("spec.user", object.Spec.User)
	case *v1alpha1.JoinRequest:
		return usernames("spec.requestedBy", object.Spec.RequestedBy)
	case *v1alpha1.User:
		names := append(usernames("spec.username", object.Spec.Username), displayName(object.Spec.DisplayName))
		return append(names, strict("spec.email", "address", object.Spec.Email)...)
	case *v1alpha1.Project:
		return []name{displayName(object.Spec.DisplayName)}
	case *v1alpha1.Role:
		return []name{displayName(object.Spec.DisplayName)}
	}
	return nil
}

func subjectNames(subjects []v1alpha1.Subject) []name {
	what := map[v1alpha1.SubjectKind]string{v1alpha1.SubjectUser: "username", v1alpha1.SubjectGroup: "group"}
	var names []name
	for i, subject := range subjects {
		if what := what[subject.Kind]; what != "" {
			names = append(names, name{"spec.subjects[].name", i, what, subject.Name, text.NameFlaw})
		}
	}
	return names
}

func usernames[T ~string](field string, values ...T) []name {
	return strict(field, "username", values...)
}

// strict are names that the cluster compares.
func strict[T ~string](field, what string, values ...T) []name {
	names := make([]name, 0, len(values))
	for i, value := range values {
		names = append(names, name{field, i, what, string(value), text.NameFlaw})
	}
	return names
}

// displayName is read by people alone, in columns and mails.
func displayName(value string) name { return name{"spec.displayName", 0, "name", value, text.LineFlaw} }
