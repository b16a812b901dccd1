package history

import (
	"encoding/json"
	"maps"
	"reflect"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// Kind knows what counts as a change of one kind of object.
type Kind interface {
	// Name is the kind's.
	Name() string
	// Fields are the paths of what is recorded.
	Fields() []string
	// Prototype is an empty object of the kind.
	Prototype() client.Object
	// Changes are what changed between two versions of an object, in the order of the table. Without an old one the object was
	// made; without a new one it went, and the old one is how it was last seen.
	Changes(before, after client.Object) []Change
	// Removal is the removal of an object that is being deleted.
	Removal(object client.Object) Change
	// Found are the changes that made an object of which nothing is recorded although it is there.
	Found(object client.Object) []Change
	// Missed are the changes between what was recorded of an object and how it is now.
	Missed(known Known, object client.Object) []Change
	// Vanished is the removal of an object that is gone although nobody recorded its removal.
	Vanished(known Known) Change
}

// Known is what was recorded of an object last.
type Known struct {
	Object Object
	// OrganizationUID is empty where none was recorded.
	OrganizationUID types.UID
	// Recorded is the time of the last record.
	Recorded time.Time
	// Values are the recorded values by field. That of the field without a name is what the object was made with.
	Values map[string]string
}

// values are the values that the fields have as far as it is recorded: those that the object was made with, and what they
// were changed to.
func (k Known) values() map[string]string {
	values := map[string]string{}
	if made := k.Values[""]; made != "" {
		// What isn't such a list tells nothing; then every value is recorded anew.
		_ = json.Unmarshal([]byte(made), &values)
	}
	maps.Copy(values, k.Values)
	return values
}

// kind is the table of one kind.
type kind[T client.Object] struct {
	name string
	// made and removed are the actions of an object that comes and goes.
	made, removed string
	fields        []field[T]
}

// field is one line of a table.
type field[T client.Object] struct {
	path string
	// value is the field as it is recorded.
	value func(T) string
	// action names the change from one value to another.
	action func(previous, next string) string
	// because is said where Roster changes the field and not a user.
	because string
	// outsideSpec: the object's generation doesn't count its changes.
	outsideSpec bool
	// warning: somebody should look at the value.
	warning bool
}

// plain is a field of which each change has the same name.
func plain[T client.Object, V any](path, action string, value func(T) V) field[T] {
	return field[T]{
		path: path, value: func(object T) string { return textOf(value(object)) },
		action: func(string, string) string { return action },
	}
}

// list is a field in which entries are added and removed: the action is the name with Added, Removed or Changed.
func list[T client.Object, V any](path, name string, value func(T) []V) field[T] {
	return field[T]{
		path: path, value: func(object T) string { return textOf(value(object)) },
		action: func(previous, next string) string {
			added, removed, _ := difference(previous, next)
			switch {
			case len(added) > 0 && len(removed) == 0:
				return name + "Added"
			case len(removed) > 0 && len(added) == 0:
				return name + "Removed"
			}
			return name + "Changed"
		},
	}
}

// flag is a field that is on or off, with an action for each.
func flag[T client.Object](path, on, off string, value func(T) bool) field[T] {
	return field[T]{
		path: path, value: func(object T) string { return strconv.FormatBool(value(object)) },
		action: func(_, next string) string {
			if next == "true" {
				return on
			}
			return off
		},
	}
}

// mark is a field that holds something or nothing, with an action for each.
func mark[T client.Object](path, set, cleared string, value func(T) string) field[T] {
	return field[T]{path: path, value: value, action: func(_, next string) string {
		if next == "" {
			return cleared
		}
		return set
	}}
}

// byRoster: Roster sets the field, for a reason.
func (f field[T]) byRoster(because string) field[T] {
	f.because, f.outsideSpec = because, true
	return f
}

// inMetadata: users set the field, and it isn't part of the spec.
func (f field[T]) inMetadata() field[T] {
	f.outsideSpec = true
	return f
}

// asWarning: somebody should look at it.
func (f field[T]) asWarning() field[T] {
	f.warning = true
	return f
}

// Fields implements Kind.
func (k kind[T]) Fields() []string {
	paths := make([]string, 0, len(k.fields))
	for _, field := range k.fields {
		paths = append(paths, field.path)
	}
	return paths
}

// Prototype implements Kind.
func (k kind[T]) Prototype() client.Object {
	var object T
	return reflect.New(reflect.TypeOf(object).Elem()).Interface().(client.Object)
}

// Name implements Kind.
func (k kind[T]) Name() string { return k.name }

// Changes implements Kind.
func (k kind[T]) Changes(before, after client.Object) []Change {
	switch {
	case before == nil && after == nil:
		return nil
	case before == nil:
		return k.appeared(after.(T))
	case after == nil:
		return k.disappeared(before.(T))
	}
	var changes []Change
	if before.GetUID() != after.GetUID() {
		// A watch that broke off shows what was deleted and made again meanwhile as one update.
		return append(k.disappeared(before.(T)), k.appeared(after.(T))...)
	}
	old, object := before.(T), after.(T)
	for _, field := range k.fields {
		if previous, next := field.value(old), field.value(object); previous != next {
			changes = append(changes, k.changed(field, previous, next, object))
		}
	}
	if after.GetGeneration() > before.GetGeneration()+1 {
		// A watch that broke off doesn't show each version.
		coalesce(changes, brokenOff)
	}
	if before.GetDeletionTimestamp() == nil && after.GetDeletionTimestamp() != nil {
		changes = append(changes, k.Removal(object))
	}
	return changes
}

func (k kind[T]) appeared(object T) []Change {
	change := k.about(object)
	change.Action, change.Actor = k.made, authorOf(object)
	values, err := json.Marshal(k.values(object))
	if err == nil {
		change.New = string(values)
	}
	changes := []Change{change}
	if object.GetDeletionTimestamp() != nil {
		changes = append(changes, k.Removal(object))
	}
	return changes
}

// disappeared: whoever is gone with a deletion timestamp has been recorded when it was set.
func (k kind[T]) disappeared(object T) []Change {
	if object.GetDeletionTimestamp() != nil {
		return nil
	}
	return []Change{k.Removal(object)}
}

// Removal implements Kind.
func (k kind[T]) Removal(deleted client.Object) Change {
	object := deleted.(T)
	change := k.about(object)
	change.Action, change.Actor, change.Gone = k.removed, removerOf(object), true
	return change
}

func (k kind[T]) changed(field field[T], previous, next string, object T) Change {
	change := k.about(object)
	change.Action, change.Field = field.action(previous, next), field.path
	change.Previous, change.New = previous, next
	change.Warning = field.warning && next != ""
	change.Actor = authorOf(object)
	if field.because != "" {
		change.Actor = Actor{Name: ActorRoster, Because: field.because}
	}
	change.Version = strconv.FormatInt(object.GetGeneration(), 10)
	if field.outsideSpec {
		change.Version = object.GetResourceVersion()
	}
	return change
}

func (k kind[T]) about(object T) Change {
	reference := objectOf(k, object)
	return Change{
		Object: reference, Organization: reference.chain(), Existed: object.GetCreationTimestamp().Time, Time: time.Now(),
		Gone: object.GetDeletionTimestamp() != nil,
	}
}

// values are the recorded values of all fields that hold something.
func (k kind[T]) values(object T) map[string]string {
	values := map[string]string{}
	for _, field := range k.fields {
		if value := field.value(object); value != "" && value != "false" {
			values[field.path] = recorded(value)
		}
	}
	return values
}

const (
	missed    = "seen when Roster came back: it may stand for several changes, of which the actor made the last"
	brokenOff = "seen when a broken watch came back: it may stand for several changes, of which the actor made the last"
)

// coalesce says of changes that each may stand for several.
func coalesce(changes []Change, why string) {
	for i := range changes {
		changes[i].Coalesced, changes[i].Remark = true, why
	}
}

// Found implements Kind.
func (k kind[T]) Found(object client.Object) []Change {
	changes := k.appeared(object.(T))
	if object.GetGeneration() > 1 {
		coalesce(changes[:1], missed)
	}
	return changes
}

// Missed implements Kind.
func (k kind[T]) Missed(known Known, object client.Object) []Change {
	var changes []Change
	values := known.values()
	for _, field := range k.fields {
		previous, next := values[field.path], field.value(object.(T))
		if stands(previous, next) || previous == "" && next == "false" {
			continue
		}
		changes = append(changes, k.changed(field, previous, next, object.(T)))
	}
	coalesce(changes, missed)
	if object.GetDeletionTimestamp() != nil {
		changes = append(changes, k.Removal(object))
	}
	for i := range changes {
		changes[i].OrganizationUID = known.OrganizationUID
	}
	return changes
}

// Vanished implements Kind.
func (k kind[T]) Vanished(known Known) Change {
	return Change{
		Object: known.Object, Organization: known.Object.chain(), OrganizationUID: known.OrganizationUID, Existed: known.Recorded,
		Time: time.Now(), Action: k.removed, Gone: true, Coalesced: true,
		Actor: Actor{Name: ActorUnknown, Because: "it went while Roster was away"},
	}
}

// authorOf is who changed an object last.
func authorOf(object client.Object) Actor {
	if name := object.GetAnnotations()[v1alpha1.AnnotationChangedBy]; name != "" {
		return Actor{Name: name}
	}
	if object.GetLabels()[v1alpha1.LabelManagedBy] == v1alpha1.ManagedByRoster {
		return Actor{Name: ActorRoster, Because: "Roster makes this object itself"}
	}
	return Actor{Name: ActorUnknown, Because: "Roster's webhook wasn't asked when it was written"}
}

// removerOf is who deleted an object.
func removerOf(object client.Object) Actor {
	if name := object.GetAnnotations()[v1alpha1.AnnotationDeletedBy]; name != "" {
		return Actor{Name: name}
	}
	if object.GetLabels()[v1alpha1.LabelManagedBy] == v1alpha1.ManagedByRoster {
		return Actor{Name: ActorRoster, Because: "Roster made this object and removes it when nothing needs it"}
	}
	return Actor{Name: ActorUnknown, Because: "Roster's webhook wasn't asked when it was deleted"}
}
