package mailer

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
	// Deactivated people aren't to be told anything.
	Deactivated bool
}

// Find looks a user up: the address is that of a User of that name, or the username itself where it is one.
func Find(ctx context.Context, reader client.Reader, username string) (Person, error) {
	var users v1alpha1.UserList
	if err := reader.List(ctx, &users, client.MatchingFields{snapshot.UsersByUsername: username}); err != nil {
		return Person{}, fmt.Errorf("find the address of user %s: %w", username, err)
	}
	slices.SortFunc(users.Items, func(a, b v1alpha1.User) int { return cmp.Compare(a.Name, b.Name) })
	var person Person
	for i := range users.Items {
		user := &users.Items[i].Spec
		person.Address = cmp.Or(person.Address, user.Email)
		person.DisplayName = cmp.Or(person.DisplayName, user.DisplayName)
		person.Deactivated = person.Deactivated || user.Deactivated
	}
	if parsed, err := netmail.ParseAddress(username); err == nil && parsed.Address == username {
		person.Address = cmp.Or(person.Address, username)
	}
	return person, nil
}
