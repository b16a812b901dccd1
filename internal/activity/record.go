// Package activity keeps every change for as long as the retention says, in SQLite or PostgreSQL, and shows whether
// what it keeps was tampered with.
//
// Kubernetes forgets Events after an hour; this store doesn't. Each namespace has a chain of its own: a LogEntry carries
// the hash of the one before it, so that who may read an organization's changes can verify them without seeing others.
//
// Store is the database. Source opens it when it is needed, and again after it was away. Writer stands in front of
// both: it takes records without ever making its callers wait.
package activity

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/roster-dev/roster/internal/text"
)

const (
	// DefaultNamespace is the chain of what belongs to no organization.
	DefaultNamespace = "default"
	// UnknownActor stands where nobody can tell who made the change.
	UnknownActor = "unknown"
	// UnknownOrganization stands for the uid of an organization that isn't there any more and that nobody knew by its uid. No
	// organization has it, so the record is in the history of none.
	UnknownOrganization types.UID = "unknown"
	// DefaultRetention is how long records are kept unless something else is asked for.
	DefaultRetention = 400 * 24 * time.Hour

	// Longer keys and actors wouldn't fit in a PostgreSQL index, and the record would be refused for ever.
	maxKeyBytes   = 512
	maxActorBytes = 1024
)

// Object is what a change happened to.
type Object struct {
	Kind, Namespace, Name string
	UID                   types.UID
}

// Record is one change.
type Record struct {
	// Key tells this change from all others. A record whose key is in the store already is not stored again; left out,
	// the record's content is the key.
	Key string
	// Time is when the change was made, kept in microseconds; left out, it is when the record came to the store.
	Time time.Time
	// Namespace is the organization's; left out, it is DefaultNamespace.
	Namespace string
	// OrganizationUID tells the organization from others that had its name. It is empty for what belongs to no organization,
	// and for what was recorded before uids were.
	OrganizationUID types.UID
	Object          Object
	// Actor is the user who made the change; left out, it is UnknownActor, and ActorUnknownBecause says why.
	Actor, ActorUnknownBecause string
	// Action is a reason in CamelCase, such as MemberAdded.
	Action string
	// Field, Previous and New say what was changed, as text or JSON.
	Field, Previous, New string
	Note                 string
	// Coalesced says that several changes were seen as one.
	Coalesced bool
	// Gone says that the object is no more after this change: Latest and LatestAll forget it.
	Gone bool
	// Cause is the object whose change this one follows from, as Kind/Namespace/Name; left out where there is none.
	Cause string
	// State is what Latest and LatestAll give as the field's value where New doesn't tell it whole; left out, they give New.
	State string
}

// LogEntry is a record as the store keeps it, in its place in the chain.
type LogEntry struct {
	Record
	// Sequence counts the entries of a namespace, from 1.
	Sequence int64
	// PreviousHash is the Hash of the entry before, and empty in the first one.
	PreviousHash string
	// Hash is hashed from everything else in the entry.
	Hash string
}

// complete fills in what was left out, and makes of every text what each database stores as it is: a record must come
// back as it was hashed, and none may be refused, since it would hold up all that follow.
func (r Record) complete(now time.Time) Record {
	for _, text := range r.texts() {
		*text = storable(*text)
	}
	if r.Time.IsZero() {
		r.Time = now
	}
	r.Time = r.Time.UTC().Truncate(time.Microsecond)
	if r.Namespace == "" {
		r.Namespace = DefaultNamespace
	}
	if r.Actor == "" {
		r.Actor = UnknownActor
	}
	r.Actor = text.Cut(r.Actor, maxActorBytes)
	if len(r.Cause) > maxKeyBytes {
		r.Cause = hashedKey([]byte(r.Cause))
	}
	switch {
	case r.Key == "":
		r.Key = hashedKey(LogEntry{Record: r}.encode())
	case len(r.Key) > maxKeyBytes:
		r.Key = hashedKey([]byte(r.Key))
	}
	return r
}

// texts are all texts of the record, in the order in which they are hashed and stored.
func (r *Record) texts() []*string {
	return []*string{
		&r.Namespace, &r.Key, &r.Object.Kind, &r.Object.Namespace, &r.Object.Name, (*string)(&r.Object.UID),
		&r.Actor, &r.ActorUnknownBecause, &r.Action, &r.Field, &r.Previous, &r.New, &r.Note, &r.Cause, &r.State,
		(*string)(&r.OrganizationUID),
	}
}

func hashedKey(of []byte) string {
	sum := sha256.Sum256(of)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// storable leaves out what PostgreSQL refuses in a text: bytes that aren't UTF-8, and zeros.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
