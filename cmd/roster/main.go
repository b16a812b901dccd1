// Command roster is the manager: it keeps the cluster's access equal to Roster's resources.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/roster-dev/roster/internal/manager"
)

func main() {
	if err := command().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "roster:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	options := manager.DefaultOptions()
	command := &cobra.Command{
		Use:           "roster",
		Short:         "Roster keeps a cluster's access equal to organizations, teams, memberships and roles",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			ctrl.SetLogger(zap.New())
			return manager.Run(command.Context(), options)
		},
	}
	options.AddFlags(command.Flags())
	return command
}
