// Command local runs a control plane with Roster in it on this machine, for who develops Roster or tries it:
// `make up`, `make down`, `make status` and `make demo`.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	// What a library has to say beyond an error is of no use to who waits for the control plane.
	log.SetLogger(logr.Discard())
	// An interrupt ends the command, and with it this process: nothing has to be given back.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	local := newLocal(os.Stdout)
	root := &cobra.Command{
		Use:           "local",
		Short:         "Run a control plane with Roster on this machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&local.directory, "directory", ".roster", "where data, logs and kubeconfigs are kept")
	root.AddCommand(upCommand(local), downCommand(local), statusCommand(local), demoCommand(local))
	return root
}

func upCommand(local *local) *cobra.Command {
	var samples string
	up := &cobra.Command{
		Use:   "up",
		Short: "Start the control plane and Roster in the background",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return local.up(command.Context(), samples) },
	}
	up.Flags().StringVar(&samples, "samples", "config/samples/acme", "folder of manifests to apply; empty: none")
	addPortFlag(up, local)
	return up
}

func downCommand(local *local) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop what up started, and remove its data",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return local.down() },
	}
}

func statusCommand(local *local) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what runs",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return local.status() },
	}
}

func demoCommand(local *local) *cobra.Command {
	var data string
	demo := &cobra.Command{
		Use:   "demo",
		Short: "Import a peribolos configuration and show how long it takes to converge",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return local.demo(command.Context(), data) },
	}
	demo.Flags().StringVar(&data, "data", "",
		"file or folder of a peribolos configuration; if it isn't there, Roster's own small sample")
	addPortFlag(demo, local)
	return demo
}

func addPortFlag(command *cobra.Command, local *local) {
	command.Flags().IntVar(&local.port, "port", 0, "port of the API server on 127.0.0.1; 0: a free one")
}
