package report

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

// StaleAfter is how long somebody isn't seen, or a token not used, until that stands out.
const StaleAfter = 90 * 24 * time.Hour

// elevated are the roles by which much can be done to others.
var elevated = sets.New(v1alpha1.RoleOwner, v1alpha1.RoleAdministrator, v1alpha1.RoleMaintainer)

// FindingTexts are what people read of each finding, in the order of their weight.
var FindingTexts = []struct {
	Finding viewv1alpha1.Finding
	// Short is for a cell, Long for a line with the number of members.
	Short, Long string
}{
	{viewv1alpha1.FindingElevatedAndStale, "elevated and stale",
		"Owners, administrators and maintainers without a sign-in for 90 days"},
	{viewv1alpha1.FindingNoSignIn, "no sign-in for 90 days", "Members without a sign-in for 90 days"},
	{viewv1alpha1.FindingNoMFA, "no second factor", "Members without a second factor"},
	{viewv1alpha1.FindingTokensUnused, "tokens unused", "Members with API tokens that weren't used for 90 days"},
}

// findings are what stands out of somebody who may act; who is invited or suspended holds nothing.
func (m *maker) findings(row *viewv1alpha1.ReportMember, users []*v1alpha1.User) []viewv1alpha1.Finding {
	if row.Status != viewv1alpha1.MemberActive {
		return nil
	}
	stale := len(users) > 0 && m.known.isStale(row.LastSeen, firstKnown(users))
	holds := elevated.HasAny(append(slices.Clone(row.Roles), row.OtherRoles...)...)
	unused := slices.ContainsFunc(row.ActiveTokens, func(token viewv1alpha1.ReportToken) bool { return token.Unused })
	var found []viewv1alpha1.Finding
	for _, rule := range []struct {
		finding viewv1alpha1.Finding
		holds   bool
	}{
		{viewv1alpha1.FindingElevatedAndStale, stale && holds},
		{viewv1alpha1.FindingNoSignIn, stale},
		{viewv1alpha1.FindingNoMFA, !row.MFA},
		{viewv1alpha1.FindingTokensUnused, unused},
	} {
		if rule.holds {
			found = append(found, rule.finding)
		}
	}
	return found
}

// knowledge is between which instants it is known who was seen. Nobody is called stale for a time of which nothing is known.
type knowledge struct{ since, until time.Time }

// knownOf: that the record goes on until now is believed up to the last sighting of anybody.
func knownOf(facts Facts, now time.Time) knowledge {
	if facts.LastSeenSince == nil {
		return knowledge{}
	}
	known := knowledge{since: facts.LastSeenSince.Time, until: facts.LastSeenSince.Time}
	if last := LastSighting(facts.Users, facts.Tokens); last.After(known.until) {
		known.until = last
	}
	if known.until.After(now) {
		known.until = now
	}
	return known
}

// LastSighting is when anybody was last seen: up to then the record is known to go on.
func LastSighting(users []v1alpha1.User, tokens []v1alpha1.APIToken) time.Time {
	var last time.Time
	for i := range users {
		last = later(last, users[i].Status.LastSeenAt)
	}
	for i := range tokens {
		last = later(last, tokens[i].Status.LastUsedAt)
	}
	return last
}

func later(than time.Time, at *metav1.Time) time.Time {
	if at != nil && at.After(than) {
		return at.Time
	}
	return than
}

// isStale says whether there was no sighting for long. Who was never seen counts from when that would have been kept.
func (k knowledge) isStale(last *metav1.Time, first time.Time) bool {
	if last != nil {
		first = last.Time
	}
	since := k.notSeenSince(first)
	return since != nil && k.until.Sub(since.Time) >= StaleAfter
}

// notSeenSince is from when on sightings of somebody would be known; nil where they wouldn't.
func (k knowledge) notSeenSince(first time.Time) *metav1.Time {
	if k.since.IsZero() {
		return nil
	}
	return &metav1.Time{Time: later(k.since, &metav1.Time{Time: first})}
}
