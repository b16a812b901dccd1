package commands

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// members holds the options of "members".
type members struct {
	listing
	search string
}

// newMembersCommand returns the command that lists the members of an organization.
func newMembersCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := members{listing: newListing(streams, "Member", "members")}
	command := &cobra.Command{
		Use:   "members",
		Short: "List who is in an organization, with roles and where they come from",
		Long: `List who is in an organization, with roles and where they come from: owners, members,
those inherited from organizations above, and who is invited or suspended.`,
		Example: `  # Who is in the organization acme
  kubectl roster members --organization acme

  # Somebody whose name, username or address has "bo" in it
  kubectl roster members -n org-acme --search bo

  # Who is suspended, with teams and addresses
  kubectl roster members -n org-acme --field-selector status=Suspended -o wide`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return options.run(command.Context()) },
	}
	options.addFlags(command, "user, role, source and status")
	command.Flags().StringVar(&options.search, "search", "",
		"Only who has this in the username, the name or the address, in whatever case")
	return command
}

func (o *members) run(ctx context.Context) error {
	server, query, err := o.open(ctx)
	if err != nil {
		return err
	}
	query.choose = func(member *unstructured.Unstructured) choice { return chooseMember(o.search, member) }
	if o.search == "" && query.selector == "" {
		// Who owns an organization is in it.
		query.ifNone = ": there is no such organization (your own: kubectl roster profile)"
	}
	return o.show(ctx, server, query)
}

// chooseMember takes who has what is looked for in the username, the name or the address.
func chooseMember(search string, member *unstructured.Unstructured) choice {
	if contains(search, fieldText(member, "user"), fieldText(member, "displayName"), fieldText(member, "email")) {
		return take
	}
	return leave
}
