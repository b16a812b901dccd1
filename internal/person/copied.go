package person

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// Copied says which fields of a User's spec hold what an earlier version of Roster copied there from a Membership. Any
// organization could write that, so it counts for nothing.
type Copied struct {
	Email, DisplayName bool
}

// CopiedOf looks at the API server's record of who wrote what, which the caches leave out. It is asked only of Users that
// Roster made and that hold one of these fields.
func CopiedOf(ctx context.Context, live client.Reader, user *v1alpha1.User) (Copied, error) {
	if user.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedByRoster || user.Spec.Email == "" && user.Spec.DisplayName == "" {
		return Copied{}, nil
	}
	current := &v1alpha1.User{}
	if err := live.Get(ctx, client.ObjectKeyFromObject(user), current); err != nil {
		return Copied{}, fmt.Errorf("get User %s: %w", user.Name, err)
	}
	return copiedBy(current.ManagedFields)
}

// copiedBy finds the fields that Roster wrote and nobody else.
func copiedBy(entries []metav1.ManagedFieldsEntry) (Copied, error) {
	var byRoster, byOthers Copied
	for _, entry := range entries {
		owned, err := ownedBy(entry)
		if err != nil {
			return Copied{}, err
		}
		if entry.Manager == v1alpha1.FieldManager {
			byRoster = byRoster.or(owned)
		} else {
			byOthers = byOthers.or(owned)
		}
	}
	return Copied{
		Email: byRoster.Email && !byOthers.Email, DisplayName: byRoster.DisplayName && !byOthers.DisplayName,
	}, nil
}

func ownedBy(entry metav1.ManagedFieldsEntry) (Copied, error) {
	if entry.FieldsV1 == nil {
		return Copied{}, nil
	}
	var fields struct {
		Spec map[string]json.RawMessage `json:"f:spec"`
	}
	if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
		return Copied{}, fmt.Errorf("read the fields of manager %q: %w", entry.Manager, err)
	}
	_, email := fields.Spec["f:email"]
	_, displayName := fields.Spec["f:displayName"]
	return Copied{Email: email, DisplayName: displayName}, nil
}

func (c Copied) or(other Copied) Copied {
	return Copied{Email: c.Email || other.Email, DisplayName: c.DisplayName || other.DisplayName}
}

// clear forgets the copies.
func (c Copied) clear(spec *v1alpha1.UserSpec) {
	if c.Email {
		spec.Email = ""
	}
	if c.DisplayName {
		spec.DisplayName = ""
	}
}

// Forget is the patch that takes the copies out of a User and changes nothing else of it; nil where there are none. It
// fails on a conflict where the User has changed since it was read.
func (c Copied) Forget(user *v1alpha1.User) client.Patch {
	if c == (Copied{}) {
		return nil
	}
	before := user.DeepCopy()
	c.clear(&user.Spec)
	return client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
}
