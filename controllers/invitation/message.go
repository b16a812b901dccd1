package invitation

import (
	"cmp"
	"context"
	netmail "net/mail"
	"strconv"
	"strings"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/mail"
	"github.com/roster-dev/roster/internal/person"
)

// address is where the invited person is mailed: the address in the Membership, which the organization chose for this one
// purpose, or else the person's own.
func (r *Reconciler) address(ctx context.Context, membership *v1alpha1.Membership) (string, error) {
	if membership.Spec.Email != "" {
		return membership.Spec.Email, nil
	}
	known, err := person.Find(ctx, r.Client, r.Live, string(membership.Spec.User))
	return known.Address, err
}

// message is the mail to the invited person. The same send has the same ID at each attempt.
func (r *Reconciler) message(settings mail.Settings, live *subject, to, code string) (mail.Message, error) {
	membership, organization := live.membership, live.organization
	state := stateOf(membership)
	data := mail.Invitation{
		Organization: organization.Name, OrganizationDisplayName: organization.Spec.DisplayName,
		InvitedBy: cmp.Or(membership.Annotations[v1alpha1.AnnotationChangedBy], "An administrator"),
		Invitee:   cmp.Or(membership.Spec.DisplayName, string(membership.Spec.User), to),
		ExpiresAt: access.PhaseOf(membership, organization, r.Clock.Now()).Until,
		Code:      code, User: string(membership.Spec.User), Address: to,
		PortalURL: strings.ReplaceAll(r.PortalURL, "{organization}", organization.Name),
	}
	for _, role := range access.RolesOf(membership, organization) {
		if role != v1alpha1.RoleNone {
			data.Roles = append(data.Roles, string(role))
		}
	}
	content, err := r.Templates.Invitation(data.WithCommands())
	if err != nil {
		return mail.Message{}, err
	}
	return mail.Message{
		ID:   mail.MessageID(settings.From, "invitation", string(membership.UID), strconv.Itoa(int(state.Sends))),
		To:   netmail.Address{Name: membership.Spec.DisplayName, Address: to},
		Date: state.AttemptedAt.Time, Content: content,
	}, nil
}
