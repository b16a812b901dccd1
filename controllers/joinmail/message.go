package joinmail

import (
	"context"
	"fmt"
	netmail "net/mail"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/mail"
	"github.com/roster-dev/roster/internal/person"
	"github.com/roster-dev/roster/internal/text"
)

// message is a mail to one person. The same mail has the same ID at each attempt.
func (r *Reconciler) message(
	ctx context.Context, settings mail.Settings, request *v1alpha1.JoinRequest, about *v1alpha1.JoinMail,
	username string, to person.Person,
) (mail.Message, error) {
	organization, err := r.organization(ctx, request)
	if err != nil {
		return mail.Message{}, err
	}
	content, err := r.content(organization, request, about.About)
	if err != nil {
		return mail.Message{}, err
	}
	return mail.Message{
		ID:   mail.MessageID(settings.From, "join", string(request.UID), string(about.About), username),
		To:   netmail.Address{Name: to.DisplayName, Address: to.Address},
		Date: about.AttemptedAt.Time, Content: content,
	}, nil
}

func (r *Reconciler) content(
	organization *v1alpha1.Organization, request *v1alpha1.JoinRequest, about v1alpha1.JoinMailAbout,
) (mail.Content, error) {
	if about == v1alpha1.JoinMailRequested {
		command := func(decision string) string {
			return fmt.Sprintf("kubectl roster join %s %s --organization %s", decision, request.Name, organization.Name)
		}
		return r.Templates.JoinRequest(mail.JoinRequest{
			Organization: organization.Name, OrganizationDisplayName: organization.Spec.DisplayName,
			Team: string(request.Spec.Team.Name), RequestingOrganization: request.Spec.Team.Organization,
			RequestedBy: request.Spec.RequestedBy, Role: string(request.Spec.Role), Projects: text.Strings(request.Spec.Projects),
			Message: request.Spec.Message, ApproveCommand: command("approve"), RejectCommand: command("reject"),
		})
	}
	decision := mail.JoinDecision{
		Organization: organization.Name, OrganizationDisplayName: organization.Spec.DisplayName,
		Team: string(request.Spec.Team.Name), RequestingOrganization: request.Spec.Team.Organization,
		RequestedBy: request.Spec.RequestedBy, DecidedBy: request.Status.DecidedBy, Reason: request.Spec.Reason,
	}
	if about == v1alpha1.JoinMailApproved {
		decision.Approved, decision.Role = true, string(request.GrantedRole())
		decision.Projects = text.Strings(request.GrantedProjects())
	}
	return r.Templates.JoinDecision(decision)
}
