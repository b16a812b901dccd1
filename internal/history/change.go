// Package history says what changed, and by whom, and keeps it as Kubernetes Events and in the activity store.
//
// What counts as a change of a kind is a table (kinds.go) with one line a field. Changes compares two versions of an object
// and is pure; NewEvent writes a change as an Event under a name that follows from it, so that the same change is never
// recorded twice; the Recorder makes the Event first and hands it to the store then, so that a crash in between loses
// nothing: the next start finds the Event.
package history

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/activity"
)

const (
	// ActorUnknown stands where nobody can tell who made a change; the reason stands beside it.
	ActorUnknown = activity.UnknownActor
	// ActorRoster stands where Roster itself made a change; the reason stands beside it.
	ActorRoster = "roster"

	// UnknownOrganization stands for the uid of an organization that is gone and that nobody knows by its uid.
	UnknownOrganization = activity.UnknownOrganization

	// systemActor begins the usernames of Kubernetes' own controllers.
	systemActor = "system:serviceaccount:kube-system:"
)

// Object is what a change happened to.
type Object struct {
	Kind, Namespace, Name string
	UID                   types.UID
}

// Actor is who made a change.
type Actor struct {
	// Name is the authenticated user, ActorRoster or ActorUnknown.
	Name string
	// Because says why the user isn't known, or why Roster did it.
	Because string
}

// Change is one change of one object.
type Change struct {
	Object Object
	// Organization is the namespace of the organization that the change belongs to, or empty.
	Organization string
	// OrganizationUID tells the organization from others that had its name. Whoever makes the change may leave it out; the
	// Recorder finds it then.
	OrganizationUID types.UID
	// Existed is an instant at which the object was there, such as its creation.
	Existed time.Time
	Time    time.Time
	Actor   Actor
	// Action is what happened, in CamelCase, such as MemberAdded.
	Action string
	// Field is what of the object changed; empty where the object itself came or went.
	Field string
	// Previous and New are the field's values.
	Previous, New string
	// Warning: somebody should look at it.
	Warning bool
	// Coalesced: it may stand for several changes, which nobody saw one by one.
	Coalesced bool
	// Gone: the object is no more, or only until its access is gone.
	Gone bool
	// Remark is added to the note.
	Remark string
	// Cause is the object whose change this one follows from; its Kind is empty where there is none or where there are several.
	Cause Object
	// State is how the field stands after the change, where New doesn't tell it whole.
	State string
	// Standing: nobody saw it change. It is how things stand, and is recorded if what was recorded last is something else.
	Standing bool
	// Version tells changes of one field from each other.
	Version string
}

// Name is the name of the change's Event and its key in the store. It follows from the object, from what changed and from
// the version in which it did, so that whoever sees the change gives it the same name.
func (c Change) Name() string {
	what := c.Field
	if what == "" {
		what = c.Action
	}
	hash := sha256.Sum256([]byte(strings.Join([]string{string(c.Object.UID), what, c.Version}, "\x00")))
	const digits, readable = 32, 100
	name := strings.TrimRight(c.Object.Name[:min(len(c.Object.Name), readable)], "-.")
	return name + "." + hex.EncodeToString(hash[:])[:digits]
}

// chain is the namespace whose history the change belongs to.
func (o Object) chain() string {
	if o.Kind == kindOrganization {
		return v1alpha1.OrganizationNamespace(o.Name)
	}
	return o.Namespace
}
