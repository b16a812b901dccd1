package token

import (
	"time"

	"github.com/roster-dev/roster/api/v1alpha1"
)

const (
	// soon is how long before its end a token is said to end soon, for one that lives long; for another a tenth of its life.
	soon        = 7 * 24 * time.Hour
	partOfALife = 10
	// UnusedAfter is how long a token isn't used before that is said.
	UnusedAfter = 90 * 24 * time.Hour
)

// ExpiresSoonAt is when it is said that a token ends soon.
func ExpiresSoonAt(token *v1alpha1.APIToken, end time.Time) time.Time {
	return end.Add(-min(soon, end.Sub(token.CreationTimestamp.Time)/partOfALife))
}

// UnusedAt is when it is said that a token isn't used, and false where it isn't known when it was. Use is known from an
// instant on, since when the API server tells of it; zero where it doesn't.
func UnusedAt(token *v1alpha1.APIToken, useKnownSince time.Time) (at time.Time, known bool) {
	if used := token.Status.LastUsedAt; used != nil {
		return used.Add(UnusedAfter), true
	}
	if useKnownSince.IsZero() {
		return time.Time{}, false
	}
	since := token.CreationTimestamp.Time
	if useKnownSince.After(since) {
		since = useKnownSince
	}
	return since.Add(UnusedAfter), true
}
