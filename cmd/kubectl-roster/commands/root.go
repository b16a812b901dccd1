// Package commands holds the commands of the kubectl plugin, one file each.
package commands

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/roster-dev/roster/internal/peribolos"
)

// Exit statuses of the plugin.
const (
	// ExitDone says that the command did what it is for, possibly with something said on standard error.
	ExitDone = 0
	// ExitFailed says that it didn't: it was called wrongly, or couldn't read, write or reach something.
	ExitFailed = 1
	// ExitBadInput says that what it was given to read isn't what it reads. The message names file and line.
	ExitBadInput = 2
)

// Run runs the command that the arguments name and returns its exit status.
func Run(streams genericiooptions.IOStreams, arguments []string) int {
	root := newRootCommand(streams)
	root.SetArgs(arguments)
	err := root.Execute()
	if err == nil {
		return ExitDone
	}
	// There is nowhere left to say that this can't be written.
	_, _ = fmt.Fprintf(streams.ErrOut, "error: %v\n", err)
	var badInput *peribolos.InputError
	if errors.As(err, &badInput) {
		return ExitBadInput
	}
	var withStatus statusError
	if errors.As(err, &withStatus) {
		return withStatus.status
	}
	return ExitFailed
}

// newRootCommand returns the plugin's command with all that are below it.
func newRootCommand(streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{
		Use:   "kubectl-roster",
		Short: "Organizations, teams and access in Kubernetes",
		Annotations: map[string]string{
			cobra.CommandDisplayNameAnnotation: "kubectl roster",
		},
		// Run says what went wrong; the usage would hide it.
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	command.SetIn(streams.In)
	command.SetOut(streams.Out)
	command.SetErr(streams.ErrOut)
	command.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return fmt.Errorf("%w; the flags that there are: %s --help", err, command.CommandPath())
	})
	command.AddCommand(
		newMembersCommand(streams), newGrantsCommand(streams), newActivityCommand(streams), newProfileCommand(streams),
		newInviteCommand(streams), newAcceptCommand(streams), newDeclineCommand(streams), newResendCommand(streams),
		newRevokeCommand(streams), newJoinCommand(streams), newTokenCommand(streams),
		newTreeCommand(streams), newWhyCommand(streams), newVerifyActivityCommand(streams), newReportCommand(streams),
		newImportCommand(streams),
	)
	return command
}
