package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/names"
)

// memberships is what an invitation is made of.
var memberships = schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "memberships"}

// invite holds the options of "invite".
type invite struct {
	writing
	email, name  string
	roles        []string
	expiresAfter time.Duration
}

// newInviteCommand returns the command that invites somebody to an organization.
func newInviteCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := invite{writing: newWriting(streams)}
	command := &cobra.Command{
		Use:   "invite [USER] --organization ORGANIZATION",
		Short: "Invite somebody to an organization",
		Long: `Invite somebody to an organization: by the username that the API server knows them by, or
by a mail address alone. They are mailed how to answer, and are no member before they accept.

Who is invited by address is mailed a code; who answers with it becomes the member.`,
		Example: `  # Invite a user as a developer
  kubectl roster invite bo@acme.example --organization acme --role developer

  # Invite whoever reads this address, for three days
  kubectl roster invite --email bo@elsewhere.example --name "Bo Hansen" --organization acme --expires-after 72h`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			user := ""
			if len(arguments) > 0 {
				user = arguments[0]
			}
			return options.run(command.Context(), user)
		},
	}
	options.addFlags(command)
	flags := command.Flags()
	flags.StringVar(&options.email, "email", "", "Address to mail to; without USER it is who is invited")
	flags.StringVar(&options.name, "name", "", "What people call the invited person")
	flags.StringSliceVar(&options.roles, "role", nil, "Role to give; may be repeated; left out: the organization's default")
	flags.DurationVar(&options.expiresAfter, "expires-after", 0,
		"How long the invitation can be answered, such as 72h; left out: as long as the organization says")
	return command
}

func (o *invite) run(ctx context.Context, user string) error {
	if user == "" && o.email == "" {
		return errors.New("name whom to invite: a USERNAME, or --email ADDRESS where the username isn't known")
	}
	server, namespace, err := o.open(ctx)
	if err != nil {
		return err
	}
	membership := o.membership(user, namespace)
	switch err := server.Create(ctx, membership); {
	case apierrors.IsAlreadyExists(err):
		return fmt.Errorf("%w: to invite again who hasn't accepted: kubectl roster resend %s -n %s", err, membership.Name,
			namespace)
	case err != nil:
		return explainWrite(err, memberships, namespace)
	}
	return o.say("membership.roster.dev/%s created: %s is invited", membership.Name, invited(membership))
}

func (o *invite) membership(user, namespace string) *v1alpha1.Membership {
	name := user
	if name == "" {
		name = o.email
	}
	membership := &v1alpha1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names.FromUsername(name)},
		Spec: v1alpha1.MembershipSpec{
			User: v1alpha1.Username(user), Email: o.email, DisplayName: o.name, Roles: namesOf[v1alpha1.RoleName](o.roles),
			Invitation: &v1alpha1.InvitationSpec{},
		},
	}
	if o.expiresAfter != 0 {
		membership.Spec.Invitation.ExpiresAfter = &metav1.Duration{Duration: o.expiresAfter}
	}
	return membership
}

// invited is who is invited.
func invited(membership *v1alpha1.Membership) string {
	if membership.Spec.User != "" {
		return string(membership.Spec.User)
	}
	return membership.Spec.Email
}

// openInvitation holds the options of what is done about an invitation.
type openInvitation struct {
	writing
}

const meaningOfInvited = "the username or address that was invited, or the name of the Membership"

// newResendCommand returns the command that invites somebody once more.
func newResendCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := openInvitation{newWriting(streams)}
	command := &cobra.Command{
		Use:   "resend INVITED --organization ORGANIZATION",
		Short: "Invite somebody again who hasn't accepted",
		Long: `Invite somebody again who hasn't answered, or not in time, or has declined: with a new mail,
a new life and, for an address, a new code.`,
		Example: `  # Invite again
  kubectl roster resend bo@acme.example --organization acme`,
		Args: oneArgument("invited person", meaningOfInvited),
		RunE: func(command *cobra.Command, arguments []string) error {
			return options.resend(command.Context(), arguments[0])
		},
	}
	options.addFlags(command)
	return command
}

// newRevokeCommand returns the command that takes an invitation back.
func newRevokeCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := openInvitation{newWriting(streams)}
	command := &cobra.Command{
		Use:   "revoke INVITED --organization ORGANIZATION",
		Short: "Take back an invitation that wasn't accepted",
		Long:  `Take back an invitation that wasn't accepted. Nobody can answer it any more.`,
		Example: `  # Take an invitation back
  kubectl roster revoke bo@acme.example --organization acme`,
		Args: oneArgument("invited person", meaningOfInvited),
		RunE: func(command *cobra.Command, arguments []string) error {
			return options.revoke(command.Context(), arguments[0])
		},
	}
	options.addFlags(command)
	return command
}

func (o *openInvitation) resend(ctx context.Context, who string) error {
	server, membership, err := o.find(ctx, who)
	if err != nil {
		return err
	}
	before := membership.DeepCopy()
	metav1.SetMetaDataAnnotation(&membership.ObjectMeta, v1alpha1.AnnotationResendInvitation,
		time.Now().UTC().Format(time.RFC3339Nano))
	if err := server.Patch(ctx, membership, client.MergeFrom(before)); err != nil {
		return explainWrite(err, memberships, membership.Namespace)
	}
	return o.say("membership.roster.dev/%s: %s is invited again", membership.Name, invited(membership))
}

func (o *openInvitation) revoke(ctx context.Context, who string) error {
	var membership *v1alpha1.Membership
	// Each attempt looks anew: who accepts at the same moment stays, as removing a member is something else.
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		server, found, err := o.find(ctx, who)
		if err != nil {
			return err
		}
		membership = found
		return explainWrite(server.Delete(ctx, found, client.Preconditions{
			UID: &found.UID, ResourceVersion: ptr.To(found.ResourceVersion),
		}), memberships, found.Namespace)
	})
	if err != nil {
		return err
	}
	return o.say("membership.roster.dev/%s deleted: the invitation of %s is revoked", membership.Name, invited(membership))
}

// find is the invitation of somebody that wasn't accepted.
func (o *openInvitation) find(ctx context.Context, who string) (client.Client, *v1alpha1.Membership, error) {
	server, namespace, err := o.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	var list v1alpha1.MembershipList
	if err := server.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, nil, explain(err, memberships, namespace)
	}
	var found []*v1alpha1.Membership
	for i := range list.Items {
		membership := &list.Items[i]
		if invited(membership) == who || membership.Name == who {
			found = append(found, membership)
		}
	}
	switch {
	case len(found) == 0:
		return nil, nil, fmt.Errorf("%q isn't invited in %s: name %s", who, namespace, meaningOfInvited)
	case len(found) > 1:
		return nil, nil, fmt.Errorf("%q has %d Memberships in %s: name one of them, such as %s", who, len(found),
			namespace, found[0].Name)
	case !access.IsInvitation(found[0]) || found[0].Spec.Response == v1alpha1.InvitationAccepted:
		return nil, nil, fmt.Errorf("%q is a member already and no invitation is open; to remove the member: kubectl delete "+
			"memberships.roster.dev %s -n %s", who, found[0].Name, namespace)
	}
	return server, found[0], nil
}
