// Command controlplane builds the binaries of the local control plane from Go modules and links them into bin/k8s.
//
// They are built once for each set of versions and kept outside of the work tree, in the user's cache directory, so
// that a second checkout only links them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	sources := flag.String("sources", "hack/k8s", "folder of the Go module that names the versions")
	link := flag.String("link", "bin/k8s", "where to link the folder of binaries")
	flag.Parse()

	// An interrupt ends the build, and with it this process: nothing has to be given back.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if err := run(ctx, *sources, *link); err != nil {
		fmt.Fprintln(os.Stderr, "build of the control plane:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, sources, link string) error {
	cache, err := cacheDirectory()
	if err != nil {
		return err
	}
	builder := builder{sources: sources, cache: cache, progress: os.Stdout, goCommand: "go"}
	directory, err := builder.ensure(ctx)
	if err != nil {
		return err
	}
	return replaceLink(directory, link)
}
