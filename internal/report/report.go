// Package report says who is in an organization, with which roles, when they were last seen, and what stands out: as an
// object, as text, as HTML and as CSV. Pure: it reads nothing, and knows no clock but the instant that it is handed.
package report

import (
	"cmp"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/members"
)

// Facts are what a report is made from.
type Facts struct {
	// Organization that it is about.
	Organization string
	World        access.World
	// Users and Tokens of the whole cluster: by them it is seen until when last seen is known.
	Users  []v1alpha1.User
	Tokens []v1alpha1.APIToken
	// LastSeenSince is since when it is recorded who was seen; nil where it isn't.
	LastSeenSince *metav1.Time
}

// New is the report of a month, as things are now.
func New(facts Facts, month Month, now time.Time) *viewv1alpha1.Report {
	result := access.Evaluate(facts.World, facts.Organization, now)
	m := newMaker(facts, result, now)
	made := &viewv1alpha1.Report{
		Organization: facts.Organization, TakenAt: metav1.NewTime(now).Rfc3339Copy(), LastSeenSince: facts.LastSeenSince,
	}
	made.Name, made.Namespace = month.String(), v1alpha1.OrganizationNamespace(facts.Organization)
	for _, organization := range facts.World.Organizations {
		if organization.Name == facts.Organization {
			made.DisplayName = organization.Spec.DisplayName
		}
	}
	for _, member := range members.Of(facts.World, facts.Users, result) {
		row := m.row(member)
		count(&made.Summary, &row)
		made.Members = append(made.Members, row)
	}
	slices.SortStableFunc(made.Members, func(a, b viewv1alpha1.ReportMember) int {
		return cmp.Or(weight(b.Findings)-weight(a.Findings), cmp.Compare(a.User, b.User), cmp.Compare(a.Email, b.Email))
	})
	return made
}

// weight puts first of whom most stands out.
func weight(findings []viewv1alpha1.Finding) int {
	if slices.Contains(findings, viewv1alpha1.FindingElevatedAndStale) {
		return len(findings) + len(FindingTexts)
	}
	return len(findings)
}

// maker makes the rows of a report.
type maker struct {
	now    time.Time
	known  knowledge
	users  map[string][]*v1alpha1.User
	tokens map[string][]*v1alpha1.APIToken
	// roles that each user holds somewhere in the organization, organization-wide ones among them.
	roles map[string]sets.Set[string]
}

func newMaker(facts Facts, result access.Result, now time.Time) *maker {
	m := &maker{
		now: now, known: knownOf(facts, now),
		users: map[string][]*v1alpha1.User{}, tokens: map[string][]*v1alpha1.APIToken{}, roles: map[string]sets.Set[string]{},
	}
	for i := range facts.Users {
		user := &facts.Users[i]
		m.users[string(user.Spec.Username)] = append(m.users[string(user.Spec.Username)], user)
	}
	for i := range facts.Tokens {
		token := &facts.Tokens[i]
		here := token.Namespace == v1alpha1.OrganizationNamespace(facts.Organization)
		if here && token.Status.Phase == v1alpha1.APITokenActive && token.DeletionTimestamp == nil {
			m.tokens[string(token.Spec.User)] = append(m.tokens[string(token.Spec.User)], token)
		}
	}
	for i := range result.Grants {
		for _, subject := range result.Grants[i].Subjects {
			if subject.Kind != rbacv1.UserKind {
				continue
			}
			if m.roles[subject.Name] == nil {
				m.roles[subject.Name] = sets.New[string]()
			}
			m.roles[subject.Name].Insert(result.Grants[i].Role.Name)
		}
	}
	return m
}

func (m *maker) row(member *viewv1alpha1.Member) viewv1alpha1.ReportMember {
	row := viewv1alpha1.ReportMember{
		User: member.User, Email: member.Email, DisplayName: member.DisplayName, Roles: member.Roles, Source: member.Source,
		Status: member.Status, SuspendedBecause: member.SuspendedBecause, LastSeen: member.LastSeen,
		OtherRoles: sets.List(m.roles[member.User].Difference(sets.New(member.Roles...))),
	}
	if member.User == "" {
		return row
	}
	users := m.users[member.User]
	// Of two Users of a name the stricter counts.
	row.MFA = len(users) > 0 && !slices.ContainsFunc(users, func(user *v1alpha1.User) bool { return !user.Spec.MFA.Enrolled })
	m.addSighting(&row, users)
	for _, token := range m.tokens[member.User] {
		row.ActiveTokens = append(row.ActiveTokens, viewv1alpha1.ReportToken{
			Name: token.Name, ExpiresAt: token.Status.ExpiresAt, LastUsed: token.Status.LastUsedAt,
			Unused: m.known.isStale(token.Status.LastUsedAt, token.CreationTimestamp.Time),
		})
	}
	slices.SortFunc(row.ActiveTokens, func(a, b viewv1alpha1.ReportToken) int { return cmp.Compare(a.Name, b.Name) })
	row.Findings = m.findings(&row, users)
	return row
}

// addSighting takes the latest sighting of all Users of a name.
func (m *maker) addSighting(row *viewv1alpha1.ReportMember, users []*v1alpha1.User) {
	for _, user := range users {
		if seen := user.Status.LastSeenAt; seen != nil && (row.LastSeen == nil || row.LastSeen.Before(seen)) {
			row.LastSeen = seen
		}
	}
	if row.LastSeen == nil && len(users) > 0 {
		row.NotSeenSince = m.known.notSeenSince(firstKnown(users))
	}
}

// firstKnown is when the oldest User of a name was made: of somebody who wasn't known, no sighting could be kept.
func firstKnown(users []*v1alpha1.User) time.Time {
	var first time.Time
	for _, user := range users {
		if first.IsZero() || user.CreationTimestamp.Time.Before(first) {
			first = user.CreationTimestamp.Time
		}
	}
	return first
}

func count(summary *viewv1alpha1.ReportSummary, row *viewv1alpha1.ReportMember) {
	summary.Members++
	if row.Status == viewv1alpha1.MemberActive {
		summary.Active++
	}
	summary.ActiveTokens += int32(len(row.ActiveTokens))
	counts := map[viewv1alpha1.Finding]*int32{
		viewv1alpha1.FindingNoSignIn: &summary.NoSignIn, viewv1alpha1.FindingElevatedAndStale: &summary.ElevatedAndStale,
		viewv1alpha1.FindingNoMFA: &summary.NoMFA, viewv1alpha1.FindingTokensUnused: &summary.TokensUnused,
	}
	for _, finding := range row.Findings {
		*counts[finding]++
	}
}
