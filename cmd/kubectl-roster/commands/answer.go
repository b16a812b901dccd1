package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
)

// answers is the resource by which everybody may answer their own invitations.
var answers = schema.GroupResource{Group: selfv1alpha1.GroupVersion.Group, Resource: "answers"}

// response holds the options of "accept" and "decline".
type response struct {
	connection
	genericiooptions.IOStreams
	answer v1alpha1.InvitationResponse
	code   string
}

const meaningOfInviter = "the organization that invites you, as in the mail " +
	"(your invitations: kubectl roster profile -o yaml)"

// newAcceptCommand returns the command by which somebody joins an organization.
func newAcceptCommand(streams genericiooptions.IOStreams) *cobra.Command {
	return newAnswerCommand(&response{connection: newConnection(streams), IOStreams: streams, answer: v1alpha1.InvitationAccepted},
		&cobra.Command{
			Use:   "accept ORGANIZATION",
			Short: "Accept your invitation to an organization",
			Long: `Accept your invitation to an organization. From then on you are its member. An invitation
to an address alone is accepted with the code from its mail. Where you are invited by username, the
code confirms that the address it was mailed to is yours; leave it out if it isn't, and use no code
that somebody else passed on to you. Nobody can accept for somebody else.`,
			Example: `  # Accept the invitation to organization acme
  kubectl roster accept acme

  # Accept an invitation that was mailed to your address with a code
  kubectl roster accept acme --code CODE`,
		})
}

// newDeclineCommand returns the command by which somebody doesn't join an organization.
func newDeclineCommand(streams genericiooptions.IOStreams) *cobra.Command {
	return newAnswerCommand(&response{connection: newConnection(streams), IOStreams: streams, answer: v1alpha1.InvitationDeclined},
		&cobra.Command{
			Use:   "decline ORGANIZATION",
			Short: "Decline your invitation to an organization",
			Long: `Decline your invitation to an organization. You may be invited again. An invitation that was
mailed with a code is declined with it.`,
			Example: `  # Decline the invitation to organization acme
  kubectl roster decline acme`,
		})
}

func newAnswerCommand(options *response, command *cobra.Command) *cobra.Command {
	command.Args = oneArgument("organization", meaningOfInviter)
	command.RunE = func(command *cobra.Command, arguments []string) error {
		return options.run(command.Context(), arguments[0])
	}
	options.addFlags(command)
	command.Flags().StringVar(&options.code, "code", "", "Code from the mail; accepting with it confirms the address that it was mailed to")
	return command
}

func (o *response) run(ctx context.Context, organization string) error {
	server, err := o.client()
	if err != nil {
		return err
	}
	given := &selfv1alpha1.Answer{
		ObjectMeta: metav1.ObjectMeta{Name: organization},
		Spec: selfv1alpha1.AnswerSpec{
			Organization: organization, Response: string(o.answer), Code: strings.TrimSpace(o.code),
		},
	}
	if err := server.Create(ctx, given); err != nil {
		return explainWrite(err, answers, "")
	}
	said := fmt.Sprintf("You are now a member of organization %s, with: %s.\n", organization,
		strings.Join(given.Status.Roles, ", "))
	if given.Status.Confirmed != "" {
		said += fmt.Sprintf("You have confirmed that %q is your mail address, also for other organizations.\n",
			given.Status.Confirmed)
	}
	if o.answer == v1alpha1.InvitationDeclined {
		said = fmt.Sprintf("You have declined the invitation to organization %s.\n", organization)
	}
	_, err = fmt.Fprint(o.Out, said)
	return err
}
