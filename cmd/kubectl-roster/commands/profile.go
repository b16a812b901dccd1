package commands

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
)

// profiles is the resource that everybody may ask for about themselves.
var profiles = schema.GroupResource{Group: selfv1alpha1.GroupVersion.Group, Resource: "profiles"}

// profile holds the options of "profile".
type profile struct {
	connection
	output
}

// newProfileCommand returns the command that shows who asks what is known of them.
func newProfileCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := profile{connection: newConnection(streams), output: newOutput(streams)}
	command := &cobra.Command{
		Use:   "profile",
		Short: "Show your own organizations, roles, teams and invitations",
		Long: `Show your own organizations, roles, teams and invitations. Everybody may ask for their
own, and for nobody else's.`,
		Example: `  # Your organizations, roles, teams, and the invitations that wait for your answer
  kubectl roster profile

  # All that is known, why you are suspended among it
  kubectl roster profile -o yaml`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return options.run(command.Context()) },
	}
	options.connection.addFlags(command)
	options.output.addFlags(command)
	return command
}

func (o *profile) run(ctx context.Context) error {
	if _, err := o.printer(); err != nil {
		return err
	}
	server, err := o.rows(selfv1alpha1.GroupVersion.WithKind("Profile"))
	if err != nil {
		return err
	}
	table, err := tableFrom(ctx, server.Get().Resource(profiles.Resource).Name(selfv1alpha1.ProfileName))
	if err != nil {
		return explain(err, profiles, "")
	}
	return o.printOne(table)
}
