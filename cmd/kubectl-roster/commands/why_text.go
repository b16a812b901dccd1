package commands

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

// explainStandings says in plain words why a user may do what.
func explainStandings(user string, standings []*standing) string {
	var text strings.Builder
	for i, standing := range standings {
		if i > 0 {
			text.WriteString("\n")
		}
		fmt.Fprintf(&text, "%s in organization %s: %s\n", user, standing.organization, standing.summary())
		for _, line := range standing.gate() {
			text.WriteString("  " + line + "\n")
		}
		text.WriteString(standing.chains())
	}
	return text.String()
}

// summary says in a few words how it stands.
func (s *standing) summary() string {
	switch {
	case s.member == nil && s.hidden:
		return "no member, but a team is let in"
	case s.member == nil && len(s.grants) > 0:
		return "no member, but holds something"
	case s.member == nil:
		return "no member, holds nothing"
	case s.member.Status == viewv1alpha1.MemberInvited:
		return "invited, holds nothing yet"
	case s.member.Status == viewv1alpha1.MemberSuspended:
		return "suspended, holds nothing"
	}
	return "active, " + s.placeText()
}

// placeText says by what the user has a place.
func (s *standing) placeText() string {
	from := s.member.Source.From
	elsewhere := from != "" && from != s.organization
	switch {
	case s.member.Source.Type == viewv1alpha1.SourceTeam:
		return "as a member of a team of organization " + from
	case s.member.Source.Type == viewv1alpha1.SourceOwner && elsewhere:
		return "as an owner of organization " + from + " above"
	case s.member.Source.Type == viewv1alpha1.SourceOwner:
		return "as an owner"
	case s.member.Source.Type == viewv1alpha1.SourceInherited && from != "":
		return "as a member of organization " + from + " above"
	case s.member.Source.Type == viewv1alpha1.SourceInherited:
		return "as a member of an organization above"
	}
	return "as a member"
}

// gate says what takes the user's access, and how it comes back.
func (s *standing) gate() []string {
	if s.member == nil {
		return s.pastMemberships()
	}
	switch {
	case s.member.Status == viewv1alpha1.MemberInvited:
		until := ""
		if s.member.ExpiresAt != nil {
			until = " until " + instant(s.member.ExpiresAt.Time)
		}
		return append([]string{"the invitation waits for an answer" + until}, s.taken("when it is accepted")...)
	case s.member.Status == viewv1alpha1.MemberSuspended:
		return append(s.suspension(), s.taken("then")...)
	case s.hidden:
		return []string{"what exactly you hold here isn't yours to see; your roles: " + list(s.member.Roles)}
	case len(s.grants) > 0:
		return nil
	}
	lines := []string{"holds nothing here"}
	for i := range s.memberships {
		own := &s.memberships[i]
		lines = append(lines, "the conditions of "+membershipText(own)+" say whether something that it names isn't there (kubectl "+
			"describe membership "+own.Name+" -n "+own.Namespace+")")
	}
	return lines
}

// suspension says which gate it is, and what lifts it.
func (s *standing) suspension() []string {
	switch v1alpha1.SuspensionReason(s.member.SuspendedBecause) {
	case v1alpha1.SuspendedMFARequired:
		return []string{
			"taken by MFARequired: the organization or one above requires a second factor, and no User says that this user has one",
			"given back when the user's identity provider, or the support desk, attests one",
		}
	case v1alpha1.SuspendedDeactivated:
		return []string{
			"taken by Deactivated: the User is deactivated, here and in every other organization",
			"given back when spec.deactivated of the User is false again",
		}
	case v1alpha1.SuspendedRequested:
		return []string{
			"taken by Requested: spec.suspended of " + s.suspendedMembership() + " is true",
			"given back when it is false again",
		}
	}
	return []string{"taken by " + s.member.SuspendedBecause}
}

func (s *standing) suspendedMembership() string {
	for i := range s.memberships {
		if s.memberships[i].Spec.Suspended {
			return membershipText(&s.memberships[i])
		}
	}
	return "the Membership"
}

// taken says what the user would hold.
func (s *standing) taken(when string) []string {
	var parts []string
	if len(s.member.Roles) > 0 {
		parts = append(parts, "in the organization "+list(s.member.Roles))
	}
	if len(s.member.Teams) > 0 {
		parts = append(parts, "what the teams give that list the user: "+list(s.member.Teams))
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{"holds " + when + ": " + strings.Join(parts, "; ")}
}

// pastMemberships says of a user without a place which Membership doesn't give one, and why.
func (s *standing) pastMemberships() []string {
	var lines []string
	for i := range s.memberships {
		membership := &s.memberships[i]
		text := membershipText(membership)
		switch membership.Status.Phase {
		case v1alpha1.MembershipExpired:
			lines = append(lines, "taken by an end: "+text+" has expired"+endOf(membership),
				"given back by a later spec.expiresAt, or by a new invitation where it wasn't answered in time")
		case v1alpha1.MembershipDeclined:
			lines = append(lines, text+" was declined by the user; a new invitation asks again")
		default:
			lines = append(lines, text+" gives no place: its conditions say why (kubectl describe membership "+
				membership.Name+" -n "+membership.Namespace+")")
		}
	}
	return lines
}

func endOf(membership *v1alpha1.Membership) string {
	if end := membership.Spec.ExpiresAt; end != nil {
		return " at " + instant(end.Time)
	}
	return ""
}

func membershipText(membership *v1alpha1.Membership) string {
	return "Membership/" + membership.Namespace + "/" + membership.Name
}

// chains are the roles by namespace, each with the objects that give it.
func (s *standing) chains() string {
	grants := slices.Clone(s.grants)
	slices.SortStableFunc(grants, func(a, b viewv1alpha1.Grant) int {
		return strings.Compare(a.TargetNamespace+" "+a.Role, b.TargetNamespace+" "+b.Role)
	})
	var text strings.Builder
	columns := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	last := ""
	for i := range grants {
		grant := &grants[i]
		if grant.TargetNamespace != last {
			// A line without columns of its own leaves the others aligned for each namespace by itself.
			_ = columns.Flush()
			fmt.Fprintf(&text, "  %s\n", grant.TargetNamespace)
			last = grant.TargetNamespace
		}
		_, _ = fmt.Fprintf(columns, "    %s\t%s\t%s\n", grant.Role, s.means(grant), chainText(grant))
	}
	_ = columns.Flush()
	return text.String()
}

// means says in words what kind of chain gives a role.
func (s *standing) means(grant *viewv1alpha1.Grant) string {
	if len(grant.Via) == 0 {
		return "by nothing that is known"
	}
	first, through := grant.Via[0], len(grant.Via) > 1
	from, _ := v1alpha1.OrganizationOf(first.Namespace)
	above := ""
	if first.Namespace != "" && from != s.organization {
		above = " of " + from + " above"
	}
	switch {
	case first.Kind == "Organization" && first.Name != s.organization:
		return "as an owner of " + first.Name + " above"
	case first.Kind == "Organization":
		return "as an owner"
	case first.Kind == "Membership":
		return "by a membership" + above
	case first.Kind == "Team" && grant.Role == v1alpha1.RoleTeamMaintainer:
		return "as a maintainer of the team"
	case first.Kind == "Team" && through:
		return "as a member of a child team"
	case first.Kind == "Team":
		return "as a member of a team"
	case first.Kind == "JoinRequest":
		return "by a join request" + above
	case first.Kind == "RoleBinding" && through:
		return "by a binding" + above + " to a team"
	case first.Kind == "RoleBinding":
		return "by a binding" + above
	}
	return "by " + first.Kind
}

// chainText writes the objects as the column VIA of the grants does.
func chainText(grant *viewv1alpha1.Grant) string {
	parts := make([]string, 0, len(grant.Via))
	for _, object := range grant.Via {
		name := object.Kind + "/"
		if object.Namespace != "" {
			name += object.Namespace + "/"
		}
		parts = append(parts, name+object.Name)
	}
	text := strings.Join(parts, " > ")
	if grant.ExpiresAt != nil {
		text += ", until " + instant(grant.ExpiresAt.Time)
	}
	return text
}

func instant(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func list(texts []string) string {
	if len(texts) == 0 {
		return "none"
	}
	return strings.Join(texts, ", ")
}
