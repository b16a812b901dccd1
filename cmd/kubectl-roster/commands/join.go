package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/names"
)

var joinRequests = schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "joinrequests"}

const meaningOfJoinRequest = "its name, as kubectl roster join list shows it"

// newJoinCommand returns the command about teams of other organizations, with all that are below it.
func newJoinCommand(streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{
		Use:   "join",
		Short: "Ask an organization to let a team of another one in, and decide on such requests",
	}
	command.AddCommand(
		newJoinRequestCommand(streams), newJoinListCommand(streams), newJoinApproveCommand(streams),
		newJoinRejectCommand(streams), newJoinWithdrawCommand(streams),
	)
	return command
}

// join holds the options of the commands about join requests.
type join struct {
	writing
	role             string
	projects         []string
	organizationWide bool
	message, reason  string
}

func newJoin(streams genericiooptions.IOStreams) *join {
	return &join{writing: newWriting(streams)}
}

// newJoinRequestCommand returns the command that asks.
func newJoinRequestCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := newJoin(streams)
	command := &cobra.Command{
		Use:   "request ORGANIZATION/TEAM --organization ASKED --role ROLE",
		Short: "Ask another organization to let a team of yours in",
		Long: `Ask another organization to let a team of yours in. You need the right to represent the
team, and no right in the organization that you ask. Its owners decide; until then and
after, you see this one request and may withdraw it.`,
		Example: `  # Ask acme to let the designers of agency develop its shop
  kubectl roster join request agency/designers --organization acme --role developer --project shop`,
		Args: oneArgument("team", "ORGANIZATION/TEAM, such as agency/designers"),
		RunE: func(command *cobra.Command, arguments []string) error {
			return options.request(command.Context(), arguments[0])
		},
	}
	options.addFlags(command)
	flags := command.Flags()
	flags.StringVar(&options.role, "role", "", "Role to ask for")
	flags.StringSliceVar(&options.projects, "project", nil, "Project to ask for; may be repeated")
	flags.BoolVar(&options.organizationWide, "organization-wide", false, "Ask for the whole organization and all below it")
	flags.StringVar(&options.message, "message", "", "What to say to the owners")
	return command
}

func (o *join) request(ctx context.Context, team string) error {
	organization, name, complete := strings.Cut(team, "/")
	switch {
	case !complete || organization == "" || name == "":
		return fmt.Errorf("%q: name the team with its organization, such as agency/designers", team)
	case o.role == "":
		return errors.New("name the role to ask for, such as --role developer")
	case o.organizationWide == (len(o.projects) > 0):
		return errors.New("say where: --project NAME, or --organization-wide for everything")
	}
	server, namespace, err := o.open(ctx)
	if err != nil {
		return err
	}
	request := &v1alpha1.JoinRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names.FromUsername(organization + "-" + name)},
		Spec: v1alpha1.JoinRequestSpec{
			Team: v1alpha1.ExternalTeam{Organization: organization, Name: v1alpha1.ObjectName(name)},
			Role: v1alpha1.RoleName(o.role), Projects: namesOf[v1alpha1.ObjectName](o.projects),
			OrganizationWide: o.organizationWide, Message: o.message,
		},
	}
	if err := server.Create(ctx, request); err != nil {
		return explainWrite(err, joinRequests, namespace)
	}
	return o.say("joinrequest.roster.dev/%s created: it waits for the owners", request.Name)
}

// newJoinListCommand returns the command that lists the requests to an organization.
func newJoinListCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := newListing(streams, "JoinRequest", joinRequests.Resource)
	options.kind = v1alpha1.GroupVersion.WithKind("JoinRequest")
	command := &cobra.Command{
		Use:   "list",
		Short: "List the requests to an organization, with where each stands",
		Example: `  # Who asks acme
  kubectl roster join list --organization acme`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return options.run(command.Context()) },
	}
	options.addFlags(command, "spec.team.organization")
	return command
}

// newJoinApproveCommand returns the command that lets a team in.
func newJoinApproveCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := newJoin(streams)
	command := &cobra.Command{
		Use:   "approve NAME --organization ORGANIZATION",
		Short: "Let a team in that asks, possibly with less than it asks for",
		Long: `Let a team in that asks, possibly with less than it asks for. From then on its own
organization decides who is in the team, and so who has access here.`,
		Example: `  # As asked
  kubectl roster join approve agency-designers --organization acme

  # With less
  kubectl roster join approve agency-designers --organization acme --role viewer --project shop`,
		Args: oneArgument("join request", meaningOfJoinRequest),
		RunE: func(command *cobra.Command, arguments []string) error {
			return options.decide(command.Context(), arguments[0], v1alpha1.JoinApproved)
		},
	}
	options.addFlags(command)
	command.Flags().StringVar(&options.role, "role", "", "Role to give; left out: the one that is asked for")
	command.Flags().StringSliceVar(&options.projects, "project", nil,
		"Project to give; may be repeated; left out: all that is asked for")
	command.Flags().StringVar(&options.reason, "reason", "", "Why")
	return command
}

// newJoinRejectCommand returns the command that doesn't let a team in, or no longer.
func newJoinRejectCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := newJoin(streams)
	command := &cobra.Command{
		Use:   "reject NAME --organization ORGANIZATION",
		Short: "Reject a request, or end the access that was approved",
		Example: `  # No
  kubectl roster join reject agency-designers --organization acme --reason "We have our own"`,
		Args: oneArgument("join request", meaningOfJoinRequest),
		RunE: func(command *cobra.Command, arguments []string) error {
			return options.decide(command.Context(), arguments[0], v1alpha1.JoinRejected)
		},
	}
	options.addFlags(command)
	command.Flags().StringVar(&options.reason, "reason", "", "Why")
	return command
}

func (o *join) decide(ctx context.Context, name string, decision v1alpha1.JoinDecision) error {
	server, namespace, err := o.open(ctx)
	if err != nil {
		return err
	}
	request := &v1alpha1.JoinRequest{}
	if err := server.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, request); err != nil {
		return explainWrite(err, joinRequests, namespace)
	}
	before := request.DeepCopy()
	request.Spec.Decision = decision
	if o.reason != "" {
		request.Spec.Reason = o.reason
	}
	if o.role != "" || len(o.projects) > 0 {
		request.Spec.Granted = &v1alpha1.JoinGrant{
			Role: v1alpha1.RoleName(o.role), Projects: namesOf[v1alpha1.ObjectName](o.projects),
		}
	}
	// What is decided on is what was read.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := server.Patch(ctx, request, patch); err != nil {
		return explainWrite(err, joinRequests, namespace)
	}
	return o.say("joinrequest.roster.dev/%s %s", name, strings.ToLower(string(decision)))
}

// newJoinWithdrawCommand returns the command that takes a request back.
func newJoinWithdrawCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := newJoin(streams)
	command := &cobra.Command{
		Use:   "withdraw NAME --organization ORGANIZATION",
		Short: "Take a request back, and with it the access that it gave",
		Example: `  # We don't need it any more
  kubectl roster join withdraw agency-designers --organization acme`,
		Args: oneArgument("join request", "its name, as kubectl roster join request said it"),
		RunE: func(command *cobra.Command, arguments []string) error {
			return options.withdraw(command.Context(), arguments[0])
		},
	}
	options.addFlags(command)
	return command
}

func (o *join) withdraw(ctx context.Context, name string) error {
	server, namespace, err := o.open(ctx)
	if err != nil {
		return err
	}
	request := &v1alpha1.JoinRequest{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := server.Delete(ctx, request); err != nil {
		return explainWrite(err, joinRequests, namespace)
	}
	return o.say("joinrequest.roster.dev/%s withdrawn", name)
}
