// Package person says where a user may be mailed on behalf of any organization. A mail address belongs to the person: it
// counts where somebody who may write Users declared it, where it is the username, or where the user confirmed it with the
// code that was mailed there; never because an organization wrote it into a Membership.
package person

import (
	"cmp"
	"context"
	"fmt"
	netmail "net/mail"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/snapshot"
)

// Person is what is known of a user for mailing them.
type Person struct {
	// Address is empty where none is known.
	Address     string
	DisplayName string
	// Deactivated people are mailed nothing.
	Deactivated bool
}

// Find looks a user up in the cache. The live reader serves Users that may hold an address of an earlier version.
func Find(ctx context.Context, cached, live client.Reader, username string) (Person, error) {
	var list v1alpha1.UserList
	if err := cached.List(ctx, &list, client.MatchingFields{snapshot.UsersByUsername: username}); err != nil {
		return Person{}, fmt.Errorf("find the address of user %s: %w", username, err)
	}
	for i := range list.Items {
		copied, err := CopiedOf(ctx, live, &list.Items[i])
		if client.IgnoreNotFound(err) != nil {
			return Person{}, err
		}
		copied.clear(&list.Items[i].Spec)
	}
	return describe(username, list.Items), nil
}

// describe says what the Users of one username come to. An address that somebody who may write Users declared takes
// precedence over the username, and the username over what the user confirmed: a code that somebody passes on to a user must
// not redirect the mails of a user whose address the API server vouches for.
func describe(username string, users []v1alpha1.User) Person {
	users = slices.SortedFunc(slices.Values(users), func(a, b v1alpha1.User) int { return cmp.Compare(a.Name, b.Name) })
	var person Person
	var confirmed *v1alpha1.ConfirmedAddress
	for i := range users {
		user := &users[i]
		person.Address = cmp.Or(person.Address, user.Spec.Email)
		person.DisplayName = cmp.Or(person.DisplayName, user.Spec.DisplayName)
		person.Deactivated = person.Deactivated || user.Spec.Deactivated
		confirmed = Latest(confirmed, user.Status.Confirmed)
	}
	if parsed, err := netmail.ParseAddress(username); err == nil && parsed.Address == username {
		person.Address = cmp.Or(person.Address, username)
	}
	if confirmed != nil {
		person.Address = cmp.Or(person.Address, confirmed.Email)
	}
	return person
}

// Latest is the address that was confirmed last; of two at the same time the first.
func Latest(addresses ...*v1alpha1.ConfirmedAddress) *v1alpha1.ConfirmedAddress {
	var latest *v1alpha1.ConfirmedAddress
	for _, address := range addresses {
		if address != nil && (latest == nil || latest.At.Before(&address.At)) {
			latest = address
		}
	}
	return latest
}
