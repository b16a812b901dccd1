package commands

import (
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// newImportCommand returns the group of commands that turn what other tools keep into Roster's manifests.
func newImportCommand(streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{
		Use:   "import",
		Short: "Turn the configuration of another tool into Roster's manifests",
		Args:  cobra.NoArgs,
	}
	command.AddCommand(newImportPeribolosCommand(streams))
	return command
}
