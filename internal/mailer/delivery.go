package mailer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/mail"
	"github.com/roster-dev/roster/internal/snapshot"
)

const (
	// firstRetry is how long after a first failure a mail is tried again. It doubles with each failure, up to lastRetry.
	firstRetry = 2 * time.Second
	lastRetry  = 30 * time.Minute
)

// RetryAfter is how long after a number of failed attempts the next one is due.
func RetryAfter(attempts int32) time.Duration {
	wait := firstRetry
	for range attempts - 1 {
		if wait >= lastRetry {
			return lastRetry
		}
		wait *= 2
	}
	return min(wait, lastRetry)
}

// DeliveryOf says how an attempt ended. What may have been sent isn't tried again; what is the server's fault or passes by
// itself is.
func DeliveryOf(err error) v1alpha1.MailDelivery {
	if err == nil {
		return v1alpha1.MailSent
	}
	var failed *mail.Error
	if errors.As(err, &failed) {
		switch {
		case failed.Uncertain:
			return v1alpha1.MailUnknown
		case !failed.Temporary() && !failed.OfServer():
			return v1alpha1.MailFailed
		}
	}
	return v1alpha1.MailRetrying
}

// AddressOf is where a user is mailed: what a User of that name says, or the username itself where it is an address. Empty
// where none is known.
func AddressOf(ctx context.Context, reader client.Reader, username string) (string, error) {
	var users v1alpha1.UserList
	if err := reader.List(ctx, &users, client.MatchingFields{snapshot.UsersByUsername: username}); err != nil {
		return "", fmt.Errorf("find the address of user %s: %w", username, err)
	}
	slices.SortFunc(users.Items, func(a, b v1alpha1.User) int { return cmp.Compare(a.Name, b.Name) })
	for i := range users.Items {
		if email := users.Items[i].Spec.Email; email != "" {
			return email, nil
		}
	}
	if parsed, err := netmail.ParseAddress(username); err == nil && parsed.Address == username {
		return username, nil
	}
	return "", nil
}
