// Package authority tells which rights to give roles a change of one object takes, from that object and from the objects
// that name it or that it names.
//
// It never asks whether somebody gains something at this moment. Two requests at once each see a world without the other,
// and a grant that reaches nobody today may reach somebody tomorrow by a change that looks harmless. So the write that puts
// a role's name into an object, or widens an object that carries a role, takes the right to give that role, always. The
// order of two requests then makes no difference: whoever completes a grant by an unchecked write could have made that
// write before the checked one. The engine answers what is left, which is what a change uncovers.
package authority

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// Demand is the right to give one role, which a change takes.
type Demand struct {
	// Role whose name the author must hold the verb assign on.
	Role v1alpha1.RoleName
	// Everywhere: the role reaches the organizations below, so the right must be held in each of them too.
	Everywhere bool
	// Field of the object that widens what the role gives, such as spec.members.
	Field string
	// Change says what the author does to the field, as the subject of a sentence: "adding zoe@acme.example".
	Change string
	// Carrier says which object carries the role, where it isn't the changed one: `parent team "admins"`.
	Carrier string
	// Instead says what the author may do without the right, as an imperative; empty where there is nothing.
	Instead string
}

// Carried is a role that an object passes on without naming it itself.
type Carried struct {
	Role       v1alpha1.RoleName
	Everywhere bool
	Carrier    string
}

// givesSomething says whether a name stands for a role at all.
func givesSomething(role v1alpha1.RoleName) bool { return role != "" && role != v1alpha1.RoleNone }

// demandAll is a demand for each of some carried roles.
func demandAll(carried []Carried, field, change string) []Demand {
	demands := make([]Demand, 0, len(carried))
	for _, role := range carried {
		demands = append(demands, Demand{
			Role: role.Role, Everywhere: role.Everywhere, Field: field, Change: change, Carrier: role.Carrier,
		})
	}
	return demands
}

// widening is a field that a change widens, and what the author does to it.
type widening struct{ field, change string }

// scope is where a Team or a RoleBinding grants its role.
type scope struct {
	projects []v1alpha1.ObjectName
	selector *metav1.LabelSelector
	// all projects, under the name that the field has.
	all      bool
	allField string
}

// widened says which fields of a scope reach further than before. A selector that differs may match more, now or later.
func (s scope) widened(before scope) []widening {
	var found []widening
	switch {
	case before.all:
		return nil
	case s.all:
		found = append(found, widening{"spec." + s.allField, "setting it"})
	case s.selector != nil && !equalSelectors(before.selector, s.selector):
		found = append(found, widening{"spec.projectSelector", "changing it"})
	}
	if more := Added(before.projects, s.projects); len(more) > 0 {
		found = append(found, widening{"spec.projects", "adding " + Listed(more)})
	}
	return found
}

func equalSelectors(a, b *metav1.LabelSelector) bool {
	return a != nil && b != nil && metav1.FormatLabelSelector(a) == metav1.FormatLabelSelector(b)
}

// Added are the values of a list that weren't in it before, once each.
func Added[T comparable](before, after []T) []T {
	if slices.Equal(before, after) {
		return nil
	}
	known := sets.New(before...)
	var result []T
	for _, value := range after {
		if !known.Has(value) {
			known.Insert(value)
			result = append(result, value)
		}
	}
	return result
}

// listedNames is how many names a message lists before it counts the rest.
const listedNames = 3

// Listed writes names for a message: the first few, and the number of the others.
func Listed[T ~string](names []T) string {
	if len(names) == 0 {
		return ""
	}
	text := string(names[0])
	for _, name := range names[1:min(len(names), listedNames)] {
		text += ", " + string(name)
	}
	if more := len(names) - listedNames; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// endsLater says whether a second end is later than a first; none is never.
func endsLater(before, after *metav1.Time) bool {
	return before != nil && (after == nil || before.Before(after))
}

// beginsEarlier says whether a second beginning is earlier than a first; none is always.
func beginsEarlier(before, after *metav1.Time) bool {
	return before != nil && (after == nil || after.Before(before))
}
