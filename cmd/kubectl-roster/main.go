// Command kubectl-roster does with Roster what a person does rather than applies. In the path it is kubectl's command
// "kubectl roster".
package main

import (
	"os"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	// The ways to authenticate that kubectl has.
	_ "k8s.io/client-go/plugin/pkg/client/auth"

	"github.com/roster-dev/roster/cmd/kubectl-roster/commands"
)

func main() {
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	os.Exit(commands.Run(streams, os.Args[1:]))
}
